"""Learning-rate schedules: pure functions from (step, horizon) to the factor that multiplies the rate.

Steps count t = 1 … horizon. The first step has the full rate, and a decay would reach zero one step after the horizon,
so that no step is wasted; after it the last factor is held at zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from steepest.errors import UnknownName

Schedule = Callable[[int, int], float]

WARMUP_SHARE = 0.05
"""Share of the horizon that a warm-up takes, one step at least."""


def constant(t: int, horizon: int) -> float:
    """1"""
    return 1.0


def linear(t: int, horizon: int) -> float:
    """1 − x, with x = (t−1)/horizon"""
    return 1 - _passed(t, horizon)


def cosine(t: int, horizon: int) -> float:
    """(1 + cos πx)/2, with x = (t−1)/horizon (Loshchilov and Hutter, SGDR, 2017, one cycle)"""
    return (1 + math.cos(math.pi * _passed(t, horizon))) / 2


def _passed(t: int, horizon: int) -> float:
    return min((t - 1) / horizon, 1.0) if horizon > 0 else 1.0


def _warm(decay: Schedule) -> Schedule:
    """t/k over the first k steps, then `decay` over the steps that are left."""

    def warmed(t: int, horizon: int) -> float:
        k = max(1, round(WARMUP_SHARE * horizon))
        return t / k if t <= k else decay(t - k, horizon - k)

    return warmed


SCHEDULES: dict[str, Schedule] = {"constant": constant, "linear": linear, "cosine": cosine}
SCHEDULES |= {f"warmup-{name}": _warm(decay) for name, decay in SCHEDULES.items()}


def schedule(name: str) -> Schedule:
    """The schedule of this name; raises UnknownName with the nearest names."""
    if name not in SCHEDULES:
        raise UnknownName.among("schedule", name, SCHEDULES)
    return SCHEDULES[name]
