"""In what manner the trials of a contender are trained: alone or in fleets, how many at a time, what of it compiled.

Every choice is the cheapest for the work that is planned, by times measured on the real task, compilation counted in.
It is made once and kept in the plan. Small differences are ignored, so that a small study, for which nothing is worth
compiling, is run in the same manner, and to the same last bit, wherever it is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

from steepest.types import Compiled, FleetTime, StepTime

SECONDS_TO_COMPILE = 15.0
"""Of one core, for one library, as a rule."""
SECONDS_TO_LOAD = 2.0
"""For one that has been made before: it is traced again, and tried."""
PAYS = 2.0
"""How many times its cost a compilation must be expected to save."""
GRADIENT_SAVES, UPDATE_SAVES = 0.5, 0.7
"""Shares of their time that are commonly saved; measured afterwards."""
CLEARLY = 1.3
"""A trial alone must be so many times faster than in a fleet to be trained alone."""
NARROW = 2
WIDTHS = (8, 16, 32, 64)
"""Lanes at a time at which compiled fleets are timed: what is best depends on the caches."""
BY_ITSELF = 0.15
"""Of the time of a fleet, at most: what a step costs whatever the number of lanes."""


@dataclass(frozen=True)
class Manner:
    """How trials are trained."""

    engine: Literal["fleet", "solo"] = "fleet"
    width: int = 0
    """Lanes at a time; 0 leaves it to the engine."""
    compiled: tuple[Compiled, ...] = ()


@dataclass(frozen=True)
class Work:
    """What is planned for one contender on one task, and what is known of its cost without any compilation."""

    trial_steps: float
    time: StepTime

    @property
    def eager(self) -> FleetTime | None:
        """The fleet that was timed without any compilation, if any was."""
        return next((each for each in self.time.fleets if not each.compiled), None)

    def core_seconds(self, part: str) -> float:
        """For all trials in plain fleets: their "gradient" or their "update"."""
        fleet = self.eager
        if fleet is None:
            return 0.0
        milliseconds = fleet.update_milliseconds
        if part == "gradient":
            milliseconds = fleet.milliseconds - fleet.update_milliseconds
        return self.trial_steps * milliseconds / fleet.lanes / 1e3


def worth_compiling(seconds: float, saves: float, is_made: bool) -> bool:
    """Whether a program that would run for so many core-seconds is worth a library."""
    return seconds * saves > PAYS * (SECONDS_TO_LOAD if is_made else SECONDS_TO_COMPILE)


def gradient_to_compile(time: StepTime) -> tuple[Compiled, ...]:
    """Which form of the gradient may be the faster one: for all lanes at once, or, where a plain fleet is no faster
    than a trial alone, for one lane after the other."""
    fleet = next((each for each in time.fleets if not each.compiled), None)
    if fleet is None:
        return ("lane",)
    ratio = fleet.milliseconds / fleet.lanes / time.milliseconds
    return ("gradient",) if ratio < 1 / NARROW else ("lane",) if ratio > 1 else ("gradient", "lane")


def widths(trials: int) -> list[int]:
    """The widths at which so many trials may be trained, at most."""
    return [width for width in WIDTHS if width < 2 * trials] or [WIDTHS[0]]


def best(time: StepTime, margin: float = 1.05) -> FleetTime | None:
    """The cheapest fleet a lane; a narrower or plainer one, which come first, unless another is clearly cheaper."""
    chosen: FleetTime | None = None
    for each in sorted(time.fleets, key=lambda fleet: (len(fleet.compiled), fleet.lanes)):
        if chosen is None or each.milliseconds / each.lanes * margin < chosen.milliseconds / chosen.lanes:
            chosen = each
    return chosen


def manner(engine: str, time: StepTime) -> Manner:
    """The manner in which trials with these times are trained; `engine` is what was asked for, other than solo."""
    fleet = best(time)
    if fleet is None or (engine == "auto" and fleet.milliseconds / fleet.lanes > CLEARLY * time.milliseconds):
        return Manner("solo")
    return Manner("fleet", fleet.lanes if fleet.compiled else 0, fleet.compiled)


def with_gradient(time: StepTime, carrier: StepTime) -> StepTime:
    """A contender's times in fleets whose gradients are compiled: those of the contender that they were measured with,
    its own update in the place of the other's."""
    own = next((each for each in time.fleets if not each.compiled), None)
    others = [each for each in carrier.fleets if each.compiled]
    if own is None:
        return time
    fleets = [*time.fleets]
    for each in others:
        if "update" not in each.compiled:
            update = own.update_milliseconds * each.lanes / own.lanes
            gradient = each.milliseconds - each.update_milliseconds
            fleets.append(FleetTime(each.lanes, each.compiled, gradient + update, update))
    return replace(time, fleets=tuple(fleets))


def step_milliseconds(manner: Manner, time: StepTime, lanes: int) -> float:
    """Forecast of one step of so many lanes."""
    if manner.engine == "solo" or not time.fleets:
        return lanes * time.milliseconds
    fleet = next((each for each in time.fleets if _is(each, manner)), time.fleets[0])
    if not manner.width:  # timed with as many lanes as a shard has
        if lanes >= fleet.lanes:
            return fleet.milliseconds * lanes / fleet.lanes
        alone = min(time.milliseconds, fleet.milliseconds)
        return alone + (fleet.milliseconds - alone) * (lanes - 1) / max(1, fleet.lanes - 1)
    count = ceil(lanes / manner.width)
    share = lanes / count / fleet.lanes
    return count * fleet.milliseconds * (BY_ITSELF + (1 - BY_ITSELF) * share)


def _is(fleet: FleetTime, manner: Manner) -> bool:
    return fleet.compiled == manner.compiled and (not manner.width or fleet.lanes == manner.width)


Manners = Mapping[tuple[str, str], Manner]
"""By task and contender."""
