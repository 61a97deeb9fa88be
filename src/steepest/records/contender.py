"""What enters a study: an optimizer with its settings, its search space and its schedule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from steepest.records.dial import Dial, Setting
from steepest.records.record import JsonObject

BatchSize = int | Literal["full"]
"""Examples a step; "full" means the whole training part, that is, plain gradient descent."""

RULE_IN_MEMORY = "rule:"
"""Starts `Contender.rule` where it means a rule of the caller's own, which fleets can train."""

TORCH_IN_MEMORY = "torch:"
"""Starts `Contender.rule` where it means a foreign `torch.optim.Optimizer`, which trains one model at a time."""


class OwnFile(NamedTuple):
    """The file that defines an optimizer; as the key of one, "/path/file.py:Name#digest"."""

    path: Path
    name: str
    """What it is called in the file."""
    digest: str
    """The beginning of the file's SHA-256."""

    @classmethod
    def from_key(cls, key: str) -> OwnFile | None:
        """None for a key of an object that only a process holds."""
        found = re.fullmatch(r"(/.*\.py):(\w+)#([0-9a-f]+)", key, re.DOTALL)
        return cls(Path(found[1]), found[2], found[3]) if found else None

    @property
    def key(self) -> str:
        return f"{self.path}:{self.name}#{self.digest}"


@dataclass(frozen=True, slots=True)
class Contender:
    """What enters a study: an optimizer of the catalogue, its fixed settings, its search space and its schedule."""

    name: str
    """Unique within the study, and what people read: "adam", "sgd@1"."""
    rule: str
    """The catalogue's name of the optimizer; or, behind RULE_IN_MEMORY or TORCH_IN_MEMORY, the key of an object that
    only the process that began the study holds."""
    centre: float
    """Centre of the rate grid: the rule's prior."""
    settings: Mapping[str, Setting] = field(default_factory=dict[str, Setting])
    """Hyperparameters other than the rate that differ from the catalogue's defaults."""
    schedule: str = "constant"
    batch_size: BatchSize | None = None
    """None takes the task's own."""
    rates: tuple[float, ...] = ()
    """Rates to try in place of the grid; then there is neither refinement nor edge rule."""
    fleet_obstacle: str = ""
    """Why it trains one model at a time, if it does: the rest of a sentence that begins with its name."""

    axes: Mapping[str, Setting] = field(default_factory=dict[str, Setting])
    """What differs in its task or its training from other contenders with the same optimizer: {"dropout": 0.2}."""
    optimizer: str = ""
    """The name that it would have without axes; "" where it has none."""

    search: str = ""
    """How settings beyond the rate are searched, such as "gp"; "" where only the rate is tuned."""
    dials: tuple[Dial, ...] = ()
    """What that search turns besides the rate."""

    default_rate: float | None = None
    """The optimizer's default rate, for the verdict's gap between tuned and untuned; None where it has none."""

    @property
    def is_custom_rule(self) -> bool:
        """Whether its rule is an object of the caller's own, written as a rule of this package."""
        return self.rule.startswith(RULE_IN_MEMORY)

    @property
    def is_torch_optimizer(self) -> bool:
        """Whether its rule is a `torch.optim.Optimizer` of the caller's own."""
        return self.rule.startswith(TORCH_IN_MEMORY)

    @property
    def is_in_memory(self) -> bool:
        """Whether its rule is an object that only the process that began the study holds."""
        return self.is_custom_rule or self.is_torch_optimizer

    @property
    def own_file(self) -> OwnFile | None:
        """The file that defines its rule; None for a rule of the catalogue, and for any other object in memory."""
        return OwnFile.from_key(self.rule.partition(":")[2]) if self.is_in_memory else None

    @classmethod
    def from_json(cls, data: JsonObject) -> Contender:
        values = dict(data)
        values["rates"] = tuple(data.get("rates", ()))
        values["dials"] = tuple(map(Dial.from_json, data.get("dials", ())))
        return cls(**values)
