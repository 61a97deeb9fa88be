"""What the catalogue knows about an optimizer: the nouns of its rows. Apart from the table, so that the table can be
read as a table.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from steepest.optim.rule import Rule, hyperparameters
from steepest.records.contender import BatchSize, Setting


@dataclass(frozen=True)
class Paper:
    """Where an optimizer was first described."""

    authors: str
    title: str
    year: int
    arxiv: str = ""


@dataclass(frozen=True)
class Departure:
    """How an optimizer of the same name differs elsewhere, and which settings here make it the same."""

    how: str
    """The difference, as a phrase: "ε is inside the root"."""
    settings: Mapping[str, Setting] | None = None
    """On top of the entry's own settings: {} means that it is the same already, None that no setting makes it so."""
    framework: str = ""
    """"PyTorch", "Keras", "Optax", "the authors' code" or "the article"."""


# ---- departures that many rows share ---------------------------------------------------------------------------------

NONE = Departure("has none")
SAME = Departure("the same", {})
SAME_BITS = Departure("the same, bit for bit on CPU", {})
KERAS_DECAY = Departure("weight_decay is decoupled for every optimizer: w ← (1 − ηλ)w before the step")
RATE_IN_BUFFER = (
    "η multiplies g as it enters the buffer, not the buffer as it is used, so the paths differ once η changes"
)


@dataclass(frozen=True)
class Entry:
    """An optimizer of the catalogue: a rule in one form, with its search prior and where it comes from."""

    name: str
    """What people type: "adam"."""
    title: str
    """What people read: "Adam"."""
    rule: type[Rule]
    summary: str
    """What it does, in one sentence of words."""
    formula: str
    """The update with this entry's settings, in the letters of the rule's code."""
    paper: Paper
    centre: float = math.nan
    """Centre of the rate grid: the prior of a search over four decades. The rule's own rate if not given."""
    torch: Departure | None = NONE
    keras: Departure | None = NONE
    keras_decouples: bool = False
    """Whether to say that Keras decouples its weight decay, as it does for every optimizer."""
    optax: Departure | None = NONE
    authors: Departure | None = None
    """From the code that the authors of the paper publish, where that was read line by line."""
    article: Departure | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """Hyperparameters, other than the rate, in which this form differs from the rule's defaults."""
    batch_size: BatchSize | None = None
    """Examples a step, where that is what the method is about; None takes the task's own."""

    def __post_init__(self) -> None:
        if math.isnan(self.centre):
            object.__setattr__(self, "centre", self.rate)

    @property
    def rate(self) -> float:
        """The rate one gets without asking: the default of the library whose form the rule has."""
        return cast(float, hyperparameters(self.rule)["lr"])

    @property
    def departures(self) -> tuple[Departure, ...]:
        """How it differs in each framework, its authors' code and the article; nothing where that is not known."""
        keras_decay = KERAS_DECAY if self.keras_decouples else None
        known = (self.torch, self.keras, keras_decay, self.optax, self.authors, self.article)
        found = zip(_COMPARED, known, strict=True)
        return tuple(replace(departure, framework=name) for name, departure in found if departure)


_COMPARED = ("PyTorch", "Keras", "Keras", "Optax", "the authors' code", "the article")
