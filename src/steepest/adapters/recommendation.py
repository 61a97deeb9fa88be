"""What a study recommends for a task: an optimizer with its rate and settings, which builds itself."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch

from steepest.adapters import torch as drop_in
from steepest.errors import BadSetting
from steepest.optim.parameter_groups import KEY, group_dicts, parted
from steepest.records.contender import RULE_IN_MEMORY, TORCH_IN_MEMORY

IN_MEMORY = (RULE_IN_MEMORY, TORCH_IN_MEMORY)


@dataclass(frozen=True)
class Advice:
    """An optimizer, tuned: what to use, and how to build it."""

    task: str
    optimizer: str
    rule: str
    rate: float
    schedule: str
    settings: Mapping[str, Any]
    code: str
    """Code to paste: the framework's own class where it trains identically, else what can be had, and what differs."""
    framework: str = "torch"
    maker: Any = None
    """The rule or factory itself, if it is an object of the caller instead of an entry of the catalogue."""

    def build(self, parameters: Any) -> torch.optim.Optimizer:
        """The optimizer over a model's parameters, as `torch.optim` builds them; a schedule is not part of it.

        An optimizer that treats parameters by role, such as Muon, takes `steepest.optim.roles.by_role(model, batch)`.

        With parameter groups it takes the model itself. Raises BadSetting for an optimizer that was an object in
        another process, and for parameters without their model where there are groups.
        """
        settings = {name: value for name, value in self.settings.items() if name != KEY}
        _, groups = parted(self.settings)
        if groups:
            if not isinstance(parameters, torch.nn.Module):
                raise BadSetting(f"{self.optimizer} has parameter groups. Pass the model, not its parameters.")
            parameters = group_dicts(parameters, groups, self.rate)
        if not self.rule.startswith(IN_MEMORY):
            return drop_in.build(self.rule, parameters, lr=self.rate, **settings)
        if self.maker is None:
            raise BadSetting(
                f"{self.optimizer} was an object of the process that ran the study. Build it as that program does."
            )
        if self.rule.startswith(RULE_IN_MEMORY):
            return drop_in.build(self.maker, parameters, lr=self.rate, **settings)
        return self.maker(parameters, lr=self.rate, **settings)

    def to_json(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "maker"}
