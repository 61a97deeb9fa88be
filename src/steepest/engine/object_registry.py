"""Tasks and optimizers that exist only as objects in memory, and the optimizer that a contender stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from steepest.errors import BadInput
from steepest.optim.catalogue import entry, settings_of
from steepest.optim.parameter_groups import SCALE, ParameterGroup, assigned, check_groups, facts_of, parted
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
        own, groups = parted(contender.settings)
        if not contender.rule.startswith((RULE_IN_MEMORY, TORCH_IN_MEMORY)):
            item = entry(contender.rule)
            check_groups(item.rule, groups)
            return ConfiguredRule(item.rule, settings_of(item, own), groups)
        key = contender.rule.partition(":")[2]
        found: Any = self.optimizers.get(key)
        if found is None:
            raise BadInput(
                f"The optimizer {key!r} existed only in the memory of the program that started this study. "
                "Resume the study from that program."
            )
        if contender.rule.startswith(RULE_IN_MEMORY):
            check_settings(found, own)
            check_groups(found, groups)
            return ConfiguredRule(found, {**hyperparameters(found), **own}, groups)
        return ExternalOptimizer(found, own, groups)


@dataclass(frozen=True)
class ConfiguredRule:
    """A rule with all its settings; each trial replaces the rate by its own."""

    rule: type[Rule]
    settings: Mapping[str, Setting]
    groups: Sequence[ParameterGroup] = ()
    scale: float = 1.0
    """What multiplies the rate."""
    own: frozenset[str] = frozenset()
    """The settings that a group of parameters has of its own: no dial turns them."""

    def for_parameters(self, model: nn.Module) -> tuple[list[ConfiguredRule], tuple[int, ...]]:
        """The rule with the settings of each group of a model's trainable parameters; and the group of each parameter.
        Raises BadSetting for a group without parameters.
        """
        distinct, group_of = assigned(self.groups, facts_of(model))
        return [self._in_group(own) for own in distinct], group_of

    def _in_group(self, own: Mapping[str, Setting]) -> ConfiguredRule:
        settings = {name: value for name, value in own.items() if name != SCALE}
        scale = float(own.get(SCALE, 1.0))
        return ConfiguredRule(self.rule, {**self.settings, **settings}, scale=scale, own=frozenset(settings))


@dataclass(frozen=True)
class ExternalOptimizer:
    """A `torch.optim.Optimizer` from outside the catalogue, which trains one model at a time."""

    factory: Callable[..., torch.optim.Optimizer]
    settings: Mapping[str, Setting]
    groups: Sequence[ParameterGroup] = ()


EMPTY_REGISTRY = ObjectRegistry()
