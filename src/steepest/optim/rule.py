"""The contract of an update rule, written once and driven three ways: as a `torch.optim.Optimizer`, as a fleet of
replicas, and as a compiled kernel.

A rule is a frozen dataclass of hyperparameters with two functions: `coefficients`, the scalar algebra on the host in
Python float64, and `update`, pure tensor algebra. Everything that depends on the step number lives in the first, so
that the second never changes from step to step and one compiled graph serves a whole study.

    @dataclass(frozen=True)
    class Adam(Rule):
        lr: float = rate(1e-3)
        b1: float = number(0.9, low=0, below=1)
        ...
        state: ClassVar = ("m", "v")

        def coefficients(h, t): return {"w1": 1 - h.b1, ...}                    # t = 1, 2, …
        def update(w, g, s, c): m = lerp(s.m, g, c.w1); ...; return w, (m, v)

In `update`, the tensors `w`, `g` and each state have one shape, and a coefficient is whatever broadcasts to it: a
Python float in the drop-in optimizer, a tensor [R, 1] over the flat buffer [R, P] of a fleet. The tensor primitives
below give the same bits for either, and the same bits as the in-place forms in `torch.optim`; use them, not `a + c*b`.
"""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Mapping
from dataclasses import field, fields
from functools import cache
from types import SimpleNamespace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from steepest.errors import BadSetting, UnknownName
from steepest.types import Setting

Scope = Literal["element", "tensor", "matrix", "model"]
Scalar = float | Tensor


class Rule:
    """Base of all update rules: a frozen dataclass of hyperparameters, plus the two functions of the module's text."""

    scope: ClassVar[Scope] = "element"
    """What an update may look at: one element, one parameter tensor, one matrix, or all parameters of a replica."""
    state: ClassVar[tuple[str, ...]] = ()
    """Names of the state tensors, each shaped like the parameters."""

    lr: float

    def __post_init__(self) -> None:
        check_settings(type(self), vars(self))

    @staticmethod
    def initial(h: Any) -> Mapping[str, float]:
        """The value that a state tensor is filled with at the start, where it is not zero."""
        return {}

    @staticmethod
    def coefficients(h: Any, t: int) -> Mapping[str, float]:
        """The scalars that step `t` = 1, 2, … needs, from the hyperparameters `h`; `h.lr` already holds the schedule."""
        raise NotImplementedError

    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
        """New parameters and new state from parameters `w`, gradient `g`, state `s` and coefficients `c`; pure."""
        raise NotImplementedError


# ---- hyperparameters -------------------------------------------------------------------------------------------------


def rate(default: float) -> Any:
    """The field of a learning rate: finite and not negative (a schedule may reach zero)."""
    return number(default, low=0.0)


def number(default: float, *, low: float = -math.inf, above: float = -math.inf, below: float = math.inf) -> Any:
    """The field of a number with low ≤ value, above < value and value < below."""
    return field(default=default, metadata={"low": low, "above": above, "below": below})


def choice(default: Setting, *options: Setting) -> Any:
    """The field of a hyperparameter with a few named values, such as the form of a bias correction."""
    return field(default=default, metadata={"options": options})


def hyperparameters(rule: type[Rule]) -> dict[str, Setting]:
    """Name and default of every hyperparameter of a rule, the rate first."""
    return {item.name: item.default for item in fields(rule)}  # type: ignore[arg-type]


def check_settings(rule: type[Rule], settings: Mapping[str, Any]) -> None:
    """Raise UnknownName or BadSetting at the first setting that `rule` cannot take."""
    known = {item.name: item.metadata for item in fields(rule)}  # type: ignore[arg-type]
    for name, value in settings.items():
        if name not in known:
            raise UnknownName.among(f"hyperparameter of {rule.__name__}", name, known)
        limits = known[name]
        if "options" in limits:
            if value not in limits["options"]:
                allowed = ", ".join(map(str, limits["options"]))
                raise BadSetting(f"{rule.__name__}: {name} is {value!r}; it must be one of {allowed}.")
        elif isinstance(value, bool) or not isinstance(value, int | float):
            raise BadSetting(f"{rule.__name__}: {name} is {value!r}; it must be a number.")
        elif not (math.isfinite(value) and limits["low"] <= value and limits["above"] < value < limits["below"]):
            raise BadSetting(f"{rule.__name__}: {name} is {value:g}; it must be {_range(limits)}.")


def _range(limits: Mapping[str, float]) -> str:
    words = []
    if limits["low"] > -math.inf:
        words.append(f"at least {limits['low']:g}")
    if limits["above"] > -math.inf:
        words.append(f"above {limits['above']:g}")
    if limits["below"] < math.inf:
        words.append(f"below {limits['below']:g}")
    return " and ".join(words) or "finite"


# ---- what the drivers need -------------------------------------------------------------------------------------------


@cache
def _record(kind: str, names: tuple[str, ...]) -> type[tuple]:
    return namedtuple(kind, names)  # type: ignore[return-value]


def state_record(rule: type[Rule], values: tuple[Tensor, ...]) -> Any:
    """The state tensors under their names, as `update` reads them: `s.m`."""
    return _record("State", rule.state)(*values)


def coefficient_record(values: Mapping[str, Scalar]) -> Any:
    """The coefficients under their names, as `update` reads them: `c.step`."""
    return _record("Coefficients", tuple(values))(*values.values())


def at_rate(settings: Mapping[str, Setting], lr: float) -> SimpleNamespace:
    """The hyperparameters as `coefficients` reads them, with the rate that the schedule gives at this step."""
    return SimpleNamespace(**{**settings, "lr": lr})


# ---- tensor primitives, exact ----------------------------------------------------------------------------------------
# `c` may be a Python float or a tensor that broadcasts. The forms are chosen so that both give the bits of the in-place
# calls of torch.optim on CPU, which round once where `a + c*b` rounds twice.


def lerp(a: Tensor, b: Tensor, weight: Scalar) -> Tensor:
    """a + weight·(b − a), as `a.lerp_(b, weight)`."""
    return torch.lerp(a, b, weight)


def add_scaled(a: Tensor, b: Tensor, c: Scalar) -> Tensor:
    """a + c·b, as `a.add_(b, alpha=c)`."""
    return torch.add(a, b, alpha=c) if isinstance(c, float) else torch.addcmul(a, b, c)


def add_product(a: Tensor, x: Tensor, y: Tensor, c: Scalar) -> Tensor:
    """a + c·x·y, as `a.addcmul_(x, y, value=c)`."""
    return torch.addcmul(a, x, y, value=c) if isinstance(c, float) else torch.addcmul(a, c * x, y)


def add_quotient(a: Tensor, x: Tensor, y: Tensor, c: Scalar) -> Tensor:
    """a + c·x/y, as `a.addcdiv_(x, y, value=c)`."""
    return torch.addcdiv(a, x, y, value=c) if isinstance(c, float) else a + (c * x) / y
