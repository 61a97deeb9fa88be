"""Learning-rate schedules: pure functions from (step, horizon) to the factor that multiplies the rate."""

from __future__ import annotations

from collections.abc import Callable

from steepest.errors import UnknownName

Schedule = Callable[[int, int], float]


def constant(t: int, horizon: int) -> float:
    """1 at every step t = 1 … horizon."""
    return 1.0


SCHEDULES: dict[str, Schedule] = {"constant": constant}


def schedule(name: str) -> Schedule:
    """The schedule of this name; raises UnknownName with the nearest names."""
    if name not in SCHEDULES:
        raise UnknownName.among("schedule", name, SCHEDULES)
    return SCHEDULES[name]
