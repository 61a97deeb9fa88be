"""Builds optimizers of the caller's own, with their groups of parameters."""

import inspect
from collections.abc import Callable

import torch
from torch import nn

from steepest.engine.object_registry import ExternalOptimizer
from steepest.errors import BadSetting
from steepest.optim.parameter_groups import group_dicts

TAKES_MODEL = ("model", "module", "net")
"""Names of a first argument that is the model itself."""
TAKES_NAMES = "named_parameters"
"""The name of a first argument that is pairs of name and parameter."""


def built(optimizer: ExternalOptimizer, model: nn.Module, rate: float) -> torch.optim.Optimizer:
    """The optimizer of a model at a rate. Raises BadSetting for groups that it cannot have."""
    factory, settings = optimizer.factory, dict(optimizer.settings)
    if takes_rate(factory):
        settings["lr"] = rate
    first = first_argument(factory)
    if optimizer.groups:
        if first in (*TAKES_MODEL, TAKES_NAMES):
            raise BadSetting(
                "Groups cannot be given for a function that takes the model, since it makes its own groups. Make "
                "them there."
            )
        groups = group_dicts(model, optimizer.groups, rate)
        made = factory(groups, **settings)
        if unknown := sorted({name for group in groups for name in group} - {"params", *made.defaults}):
            raise BadSetting(f"{type(made).__name__} has no setting {unknown[0]!r} for a group of parameters.")
        return made
    if first in TAKES_MODEL:
        return factory(model, **settings)
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    return factory(named if first == TAKES_NAMES else [p for _, p in named], **settings)


def scales_of(optimizer: torch.optim.Optimizer, rate: float) -> list[float]:
    """The rate of each group as a multiple of the study's; of the first group's, for one that takes no rate."""
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    if rate in rates:
        return [each / rate for each in rates]
    largest = max(rates)
    return [each / largest if largest else 1.0 for each in rates]


def takes_rate(factory: Callable[..., object]) -> bool:
    """Whether a function that builds an optimizer has an argument `lr`."""
    try:
        arguments = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(each.name == "lr" or each.kind is inspect.Parameter.VAR_KEYWORD for each in arguments)


def first_argument(factory: Callable[..., object]) -> str:
    """The name of its first argument; "" if it is not known."""
    try:
        return next(iter(inspect.signature(factory).parameters), "")
    except (TypeError, ValueError):
        return ""
