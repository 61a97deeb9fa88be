"""Tasks and optimizers that exist only as objects in memory, and the optimizer that a contender stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from steepest.errors import BadInput
from steepest.optim.catalogue import entry, settings_of
from steepest.optim.rule import Rule, check_settings, hyperparameters
from steepest.records.contender import RULE_IN_MEMORY, TORCH_IN_MEMORY, Contender, Setting
from steepest.tasks.task import Task


@dataclass(frozen=True)
class ObjectRegistry:
    """Tasks and optimizers that exist only as objects, by their key in a TaskRef or Contender."""

    tasks: Mapping[str, Task] = field(default_factory=dict)
    optimizers: Mapping[str, Any] = field(default_factory=dict)
    """A `Rule` class, or a function (parameters, lr=…, **settings) → `torch.optim.Optimizer`."""

    def optimizer(self, contender: Contender) -> ConfiguredRule | ExternalOptimizer:
        """Raises UnknownName or BadSetting, and BadInput for an object that is not here."""
        if not contender.rule.startswith((RULE_IN_MEMORY, TORCH_IN_MEMORY)):
            item = entry(contender.rule)
            return ConfiguredRule(item.rule, settings_of(item, contender.settings))
        key = contender.rule.partition(":")[2]
        found = self.optimizers.get(key)
        if found is None:
            raise BadInput(
                f"The optimizer {key!r} existed only in the memory of the program that started this study. "
                "Resume the study from that program."
            )
        if contender.rule.startswith(RULE_IN_MEMORY):
            check_settings(found, contender.settings)
            return ConfiguredRule(found, {**hyperparameters(found), **contender.settings})
        return ExternalOptimizer(found, contender.settings)


@dataclass(frozen=True)
class ConfiguredRule:
    """A rule with all its settings; each trial replaces the rate by its own."""

    rule: type[Rule]
    settings: Mapping[str, Setting]


@dataclass(frozen=True)
class ExternalOptimizer:
    """A `torch.optim.Optimizer` from outside the catalogue, which trains one model at a time."""

    factory: Callable[..., torch.optim.Optimizer]
    settings: Mapping[str, Setting]


EMPTY_REGISTRY = ObjectRegistry()
