"""What a study must know of an optimizer of the caller's own before it trains: its default rate, and how it steps."""

import inspect
from collections.abc import Callable

import torch

from steepest.errors import BadSetting

USUAL_RATE = 1e-2
"""The centre of the grid for an optimizer without a default rate."""


def default_rate(factory: Callable[..., object], name: str) -> float:
    """The rate that a class or function of an optimizer has by itself: the default of `lr`, or what it builds with.

    Raises BadSetting if it has neither, or if a step of the optimizer needs a closure.
    """
    try:
        arguments = inspect.signature(factory).parameters
    except (TypeError, ValueError):
        arguments = {}
    made = _trial(factory, *([USUAL_RATE] if "lr" in arguments else []))
    kind = factory if isinstance(factory, type) else getattr(factory, "func", type(made))
    if isinstance(kind, type) and _needs_closure(kind):
        raise BadSetting(
            f"{name} needs a closure that computes the loss again in a step, so its steps cannot be compared at equal "
            "cost. Leave it out; adam+sam is a rule of the catalogue that takes two gradients in a step."
        )
    if "lr" in arguments:
        lr = arguments["lr"].default
        return float(lr) if isinstance(lr, int | float) and lr > 0 else USUAL_RATE
    if made is None or not (rates := [float(group["lr"]) for group in made.param_groups if group.get("lr")]):
        raise BadSetting(
            f"{name} has no argument `lr`, so its learning rate cannot be searched. Give a function that has it."
        )
    return max(rates)


def _trial(factory: Callable[..., object], *rate: float) -> torch.optim.Optimizer | None:
    """The optimizer of a small tensor; None if the function wants a whole model."""
    try:
        made = factory([torch.nn.Parameter(torch.zeros(2, 2))], **({"lr": rate[0]} if rate else {}))
    except Exception:  # it may do anything
        return None
    return made if isinstance(made, torch.optim.Optimizer) else None


def _needs_closure(kind: type) -> bool:
    """Whether `step` has a first argument without a default."""
    step = getattr(kind, "step", None)
    if step is None:
        return False
    arguments = [*inspect.signature(step).parameters.values()][1:]
    usual = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(each.kind in usual and each.default is inspect.Parameter.empty for each in arguments)
