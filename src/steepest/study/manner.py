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

SECONDS_TO_COMPILE: Mapping[Compiled, float] = {"gradient": 15.0, "lane": 15.0, "update": 1.0}
"""Of one core, as a rule."""
SECONDS_TO_LOAD: Mapping[Compiled, float] = {"gradient": 2.0, "lane": 2.0, "update": 0.2}
"""What was made before: it is traced again, and tried."""
PAYS = 2.0
"""How many times its cost a compilation must be expected to save."""
SAVES: Mapping[Compiled, float] = {"gradient": 0.5, "lane": 0.5, "update": 0.7}
"""Shares of their time that are commonly saved. Of gradients it is measured afterwards; updates take little by then."""
CLEARLY = 1.3
"""A trial alone must be so many times faster than in a fleet to be trained alone."""
NARROW = 2
"""A plain fleet that beats trials alone by less may gain more from lanes one by one: both forms are tried."""
WIDTHS = (9, 18, 36, 72)
"""Lanes at a time at which compiled fleets are timed, whole seeds of a grid: what is best depends on the caches."""
MOST = 128
"""Lanes that an engine trains at a time at most."""
FILLED = 0.8
"""Of a worker's share of the memory: evaluations, and the pieces that freed memory lies in, take some as well."""
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

    def core_seconds(self, part: str) -> float:
        """For all trials in plain fleets: their "gradient" or their "update"."""
        fleet = plain(self.time)
        if fleet is None:
            return 0.0
        milliseconds = fleet.update_milliseconds
        if part == "gradient":
            milliseconds = fleet.milliseconds - fleet.update_milliseconds
        return self.trial_steps * milliseconds / fleet.lanes / 1e3


def plain(time: StepTime) -> FleetTime | None:
    """The fleet that was timed without any compilation, if one was."""
    return next((each for each in time.fleets if not each.compiled), None)


def worth_compiling(part: Compiled, seconds: float, is_made: bool) -> bool:
    """Whether it pays to compile what would run for so many core-seconds."""
    return seconds * SAVES[part] > PAYS * (SECONDS_TO_LOAD if is_made else SECONDS_TO_COMPILE)[part]


def gradient_to_compile(time: StepTime) -> tuple[Compiled, ...]:
    """Which form of the gradient may be the faster one: for all lanes at once, or, where a plain fleet is no faster
    than a trial alone, for one lane after the other."""
    fleet = plain(time)
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
    width = fleet.lanes if set(fleet.compiled) - {"update"} else 0
    return Manner("fleet", width, fleet.compiled)


def within(manner: Manner, time: StepTime, share: float | None) -> Manner:
    """The same with no more lanes at a time than fit into a worker's share of the memory, in bytes."""
    size = max((fleet.bytes_per_lane for fleet in time.fleets), default=0.0)
    if share is None or not size or manner.engine == "solo":
        return manner
    room = max(1, int(FILLED * share / size))
    return replace(manner, width=room) if room < (manner.width or MOST) else manner


def with_compiled(time: StepTime, carrier: StepTime | None, update: bool) -> StepTime:
    """A contender's times, and beside them those of compiled fleets: their gradients are those timed with another
    contender, the `carrier`; their updates its own, compiled if `update`."""
    own = plain(time)
    if own is None:
        return time
    fleets = [*time.fleets]
    for each in carrier.fleets if carrier else ():
        mine = own.update_milliseconds * each.lanes / own.lanes
        whole = each.milliseconds - each.update_milliseconds + mine
        size = max(own.bytes_per_lane, each.bytes_per_lane)
        fleets.append(FleetTime(each.lanes, each.compiled, whole, mine, size))
    if update:
        saved = SAVES["update"]
        fleets = [
            FleetTime(
                each.lanes,
                (*each.compiled, "update"),
                each.milliseconds - saved * each.update_milliseconds,
                (1 - saved) * each.update_milliseconds,
                each.bytes_per_lane,
            )
            for each in fleets
        ]
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


def evaluation_milliseconds(manner: Manner, time: StepTime, lanes: int) -> float:
    """Forecast of one evaluation of so many lanes; 0 where none was timed."""
    fleet = plain(time)
    if manner.engine == "solo" or fleet is None or not fleet.evaluation_milliseconds:
        return lanes * time.evaluation_milliseconds
    return fleet.evaluation_milliseconds * lanes / fleet.lanes


def _is(fleet: FleetTime, manner: Manner) -> bool:
    return fleet.compiled == manner.compiled and (not manner.width or fleet.lanes == manner.width)


Manners = Mapping[tuple[str, str], Manner]
"""By task and contender."""
