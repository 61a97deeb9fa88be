"""The two ways in which rules are driven, and torch's own optimizers, over the common problem: a path [T, P] each.

The fleet here is the contract of a rule in its barest form, a few lines without an engine: replicas stacked to [R, P],
coefficients derived in float64 on the host, one [R, 1] tensor each, cast last.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any

import torch
from reference import problem
from torch import Tensor

from steepest.adapters.torch import as_torch
from steepest.errors import BadSetting
from steepest.optim.catalogue import CATALOGUE
from steepest.optim.drivers import advance, fresh_fleet
from steepest.optim.roles import by_roles, has_roles
from steepest.optim.rule import Rule, at_rate, check_settings, coefficient_record

Settings = dict[str, Any]
RULES = list(dict.fromkeys(item.rule for item in CATALOGUE))
IN_FLEETS = [rule for rule in RULES if not rule.second]


def optimizer_path(
    build: Callable[..., torch.optim.Optimizer], lr: float, dtype: torch.dtype, **settings: Any
) -> Tensor:
    """Where `build(parameters, lr=…, **settings)` leads, as a training loop drives it."""
    parameters = [p.clone().requires_grad_() for p in problem.split(torch.tensor(problem.START, dtype=dtype))]
    optimizer: Any = build(parameters, lr=lr, **settings)
    path = []

    def backward(t: int) -> None:
        gradient = problem.gradient
        if hasattr(optimizer, "targets"):  # as many as a batch has, drawn in the place of these where that is due
            given = torch.full((problem.B,), 7)
            drawn = optimizer.targets(torch.zeros(problem.B, 7, dtype=dtype), given)
            gradient = problem.gradient if drawn is given else problem.sampled_gradient
        for p, g in zip(parameters, problem.split(gradient(t, problem.joined(parameters))), strict=True):
            p.grad = g

    for t, eta in enumerate(problem.rates(lr), start=1):
        for group in optimizer.param_groups:
            group["lr"] = eta
        optimizer.step(lambda t=t: backward(t))
        path.append(problem.joined(parameters))
    return torch.stack(path)


def drop_in_path(rule: type[Rule], settings: Settings, dtype: torch.dtype) -> Tensor:
    """Where our optimizer leads, with complete settings."""

    def build(parameters: list[Tensor], **settings: Any) -> torch.optim.Optimizer:
        roles = zip(parameters, problem.ROLES, strict=True)
        return as_torch(rule)([{"params": [p], "role": role} for p, role in roles], **settings)

    return optimizer_path(build if has_roles(rule) else as_torch(rule), dtype=dtype, **settings)


def fleet_path(rule: type[Rule], replicas: Sequence[Settings], dtype: torch.dtype) -> Tensor:
    """Where every replica of a fleet goes, each with complete settings of its own: [T, R, P]."""
    w = torch.tensor(problem.START, dtype=dtype).repeat(len(replicas), 1)
    rule = by_roles(rule, problem.ROLES, [replicas[0]] * len(problem.ROLES))
    starts = [at_rate(rule, h, h["lr"]) for h in replicas]
    state = fresh_fleet(rule, [starts], problem.SHAPES, w)
    carries = [dict(rule.carry) for _ in replicas]
    path = []
    for t in range(1, problem.STEPS + 1):
        scalars = [
            rule.advance(at_rate(rule, h, problem.rates(h["lr"])[t - 1]), t, carry)
            for h, carry in zip(replicas, carries, strict=True)
        ]
        c = {name: torch.tensor([[s[name]] for s in scalars], dtype=torch.float64).to(dtype) for name in scalars[0]}
        w, state = advance(rule, problem.SHAPES, w, problem.gradient(t, w), state, coefficient_record(c))
        path.append(w)
    return torch.stack(path)


def with_all_on(rule: type[Rule], settings: Settings, allowed: Callable[[Settings], bool] = lambda _: True) -> Settings:
    """`settings` with every number that is zero set to 0.1, one after the other, as far as `allowed` agrees.

    So decays, dampenings and second ε's are all at work, whatever rules and hyperparameters the catalogue will have.
    """
    for name, value in settings.items():
        if value == 0 and not isinstance(value, bool) and allowed({**settings, name: 0.1}):
            settings = {**settings, name: 0.1}
    return settings


def variants(rule: type[Rule], settings: Settings) -> Iterator[Settings]:
    """The settings with every combination of the rule's named choices, the given one first."""
    named = {f.name: f.metadata["options"] for f in fields(rule) if "options" in f.metadata}  # type: ignore[arg-type]
    ordered = [
        sorted(options, key=lambda option, name=name: option != settings[name]) for name, options in named.items()
    ]
    for combination in itertools.product(*ordered):
        yield {**settings, **dict(zip(named, combination, strict=True))}


LIVELY: dict[str, Settings] = {
    "Rprop": {"least": 0.02, "most": 0.06},
    "AdEMAMix": {"warmup": 8.0},
    "AdaBelief": {"eps": 1e-8},
    "Adafactor": {"eps": 1e-3, "eps2": 2.0, "clip": 1.05},
    "DoG": {"eps": 1e-3},
    "GraftedShampoo": {"begin": 3.0, "every": 2.0},
    "SophiaG": {"gamma": 3.0, "eps": 0.3, "every": 4.0},
}
"""Settings that put numbers to work which are limits, and so do nothing at their defaults."""


TRIED: dict[str, Settings] = {
    "DoG": {"lr": 1.0, "start": 0.1},
    "DoWG": {"lr": 1.0, "start": 0.3},
    "DAdaptSGD": {"lr": 1.0, "d0": 0.1},
    "DAdaptAdam": {"lr": 1.0, "d0": 0.1},
    "Prodigy": {"lr": 1.0, "d0": 0.1},
}
"""Settings with which a rule that begins with tiny steps moves far enough in a few of them to be judged."""

ROUNDED_BY_PLACE = {"AdamAtan2"}
"""Rules with a function that torch computes in one way for eight numbers at once, and in another for the last few."""

DIGITS_LOST = {"Shampoo": 1e-9, "GraftedShampoo": 1e-9, "SOAP": 1e-9, "MuonBfloat16": 0.05, "ScheduleFreeRAdam": 1e-11}
"""Tolerance of rules that magnify rounding: a root of a small eigenvalue, a turned basis, few digits on
purpose, first steps that are almost nothing."""


def tolerance(rule: type[Rule]) -> float:
    """How far two right ways of driving a rule may be apart, in float64."""
    return DIGITS_LOST.get(rule.__name__, problem.TOLERANCE)


def nudged(rule: type[Rule], settings: Settings, name: str, factor: float) -> Settings:
    """The settings with one number times `factor`, or divided by it where the rule takes only that."""
    try:
        check_settings(rule, {name: settings[name] * factor})
    except BadSetting:
        factor = 1 / factor
    return {**settings, name: settings[name] * factor}


def with_one_off(rule: type[Rule], settings: Settings) -> Iterator[Settings]:
    """The settings with one number at a time set to zero, where the rule takes that; the rate stays."""
    for name, value in settings.items():
        if isinstance(value, float) and value != 0 and name != "lr":
            try:
                check_settings(rule, {name: 0.0})
            except BadSetting:
                continue
            yield {**settings, name: 0.0}
