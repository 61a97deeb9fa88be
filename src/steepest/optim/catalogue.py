"""One table of optimizers: it feeds the planner, the tests, the documentation and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from steepest.errors import UnknownName
from steepest.optim.elementwise import SGD, Adam
from steepest.optim.rule import Rule
from steepest.types import BatchSize, Setting


@dataclass(frozen=True)
class Entry:
    """An optimizer of the catalogue: a rule in one form, with its search prior and where it comes from."""

    name: str
    title: str
    rule: type[Rule]
    centre: float
    """Centre of the rate grid."""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """Hyperparameters, other than the rate, in which this form differs from the rule's defaults."""
    batch_size: BatchSize | None = None


CATALOGUE = (
    Entry("sgd", "Mini-batch SGD", SGD, centre=1e-1),
    Entry("adam", "Adam", Adam, centre=1e-3),
)


def entry(name: str) -> Entry:
    """The entry of this name; raises UnknownName with the nearest names."""
    for item in CATALOGUE:
        if item.name == name:
            return item
    raise UnknownName.among("optimizer", name, [item.name for item in CATALOGUE], "`steepest optimizers` lists all.")
