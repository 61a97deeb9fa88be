"""How the trials of a contender are trained: alone or in fleets, how many at a time, which parts compiled.

Every choice is the cheapest for the planned work by times measured on the real task, compilation included. It is made
once and kept in the plan. Small differences are ignored, so that a small study, for which compiling does not pay, runs
in the same mode everywhere and gives the same bits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

from steepest.records.step_times import FleetTime, StepTime
from steepest.records.trials import Compiled

SECONDS_TO_COMPILE: Mapping[Compiled, float] = {"gradient": 4.0, "update": 0.5}
"""Typical core-seconds to compile each part."""
SECONDS_TO_LOAD: Mapping[Compiled, float] = {"gradient": 0.5, "update": 0.1}
"""Core-seconds to load a compiled part: it is traced and checked again."""
MIN_PAYBACK = 2.0
"""A compilation must be expected to save at least this many times its cost."""
SHARE_SAVED: Mapping[Compiled, float] = {"gradient": 0.6, "update": 0.7}
"""Shares of their time that compiling typically saves. For gradients it is measured afterwards; updates take little by
then."""
MIN_SPEEDUP_ALONE = 1.3
"""Trials train alone only where that is this many times faster than in a fleet."""
MAX_LANES = 128
"""Lanes that an engine trains at a time at most."""
MAX_UPDATE_SHARE = 0.5
"""Largest share of a compiled step that its update may take."""
MAX_TIMING_RATIO = 1.3
"""Largest ratio of two measurements of the same step on a quiet machine."""
USABLE_MEMORY_SHARE = 0.8
"""Share of a worker's memory that lanes may fill: evaluations and fragmentation take the rest."""
FIXED_COST_SHARE = 0.15
"""Largest share of a fleet's step time that does not depend on the number of lanes."""


@dataclass(frozen=True)
class ExecutionMode:
    """How trials are trained."""

    engine: Literal["fleet", "solo"] = "fleet"
    width: int = 0
    """Lanes at a time; 0 leaves it to the engine."""
    compiled: tuple[Compiled, ...] = ()


@dataclass(frozen=True)
class Work:
    """The planned work for one contender on one task, and its cost without compilation."""

    trial_steps: float
    time: StepTime

    def core_seconds(self, part: str) -> float:
        """For all trials in plain fleets, or one by one if that is faster: their "gradient" or their "update"."""
        fleet = plain_fleet(self.time)
        if fleet is None:
            return 0.0
        update = fleet.update_milliseconds / fleet.lanes
        whole = min(fleet.milliseconds / fleet.lanes, self.time.milliseconds)
        return self.trial_steps * (update if part == "update" else max(0.0, whole - update)) / 1e3


def timings_agree(before: StepTime, now: StepTime) -> bool:
    """Whether two measurements of the same step agree as well as two in a row on a quiet machine."""
    pairs = [(before.milliseconds, now.milliseconds)]
    pairs += [(a.milliseconds, b.milliseconds) for a, b in zip(before.fleets, now.fleets, strict=False)]
    return all(1 / MAX_TIMING_RATIO <= a / b <= MAX_TIMING_RATIO for a, b in pairs)


def plain_fleet(time: StepTime) -> FleetTime | None:
    """The fleet that was timed without any compilation, if one was."""
    return next((each for each in time.fleets if not each.compiled), None)


def worth_compiling(part: Compiled, seconds: float, is_made: bool) -> bool:
    """Whether compiling pays for a part that would run for `seconds` of one core."""
    return seconds * SHARE_SAVED[part] > MIN_PAYBACK * (SECONDS_TO_LOAD if is_made else SECONDS_TO_COMPILE)[part]


def cheapest_fleet(time: StepTime, margin: float = 1.05) -> FleetTime | None:
    """The cheapest fleet a lane; a narrower or plainer one, which come first, unless another is clearly cheaper."""
    chosen: FleetTime | None = None
    for each in sorted(time.fleets, key=lambda fleet: (len(fleet.compiled), fleet.lanes)):
        if chosen is None or each.milliseconds / each.lanes * margin < chosen.milliseconds / chosen.lanes:
            chosen = each
    return chosen


def choose_mode(engine: str, time: StepTime) -> ExecutionMode:
    """How to train trials with these times; `engine` is what was asked for, other than solo."""
    fleet = cheapest_fleet(time)
    if fleet is None or (engine == "auto" and fleet.milliseconds / fleet.lanes > MIN_SPEEDUP_ALONE * time.milliseconds):
        return ExecutionMode("solo")
    return ExecutionMode("fleet", compiled=fleet.compiled)


def fit_to_memory(mode: ExecutionMode, time: StepTime, share: float | None) -> ExecutionMode:
    """The same with no more lanes at a time than fit into a worker's share of the memory, in bytes."""
    size = max((fleet.bytes_per_lane for fleet in time.fleets), default=0.0)
    if share is None or not size or mode.engine == "solo":
        return mode
    room = max(1, int(USABLE_MEMORY_SHARE * share / size))
    return replace(mode, width=room) if room < (mode.width or MAX_LANES) else mode


def with_compiled(time: StepTime, carrier: StepTime | None, update: bool) -> StepTime:
    """A contender's times, and beside them those of compiled fleets: their gradients are those timed with another
    contender, the `carrier`; their updates its own, compiled if `update`."""
    own = plain_fleet(time)
    if own is None or not (carrier or update):
        return time
    left = 1 - SHARE_SAVED["update"] if update else 1.0
    parts: tuple[Compiled, ...] = ("update",) if update else ()
    timed, gradient, size = own, own.milliseconds - own.update_milliseconds, own.bytes_per_lane
    evaluation = own.evaluation_milliseconds / own.lanes
    if carrier and carrier.fleets:
        timed = carrier.fleets[0]
        parts = ("gradient", "update") if update else ("gradient",)
        gradient, size = timed.milliseconds - timed.update_milliseconds, max(size, timed.bytes_per_lane)
        evaluation = timed.evaluation_milliseconds / timed.lanes
        # it may have been timed in the process that had just made it
        timed = replace(timed, load_seconds=max(timed.load_seconds, SECONDS_TO_LOAD["gradient"]))
    mine = left * own.update_milliseconds * timed.lanes / own.lanes
    found = replace(
        timed,
        compiled=parts,
        milliseconds=gradient + mine,
        update_milliseconds=mine,
        bytes_per_lane=size,
        evaluation_milliseconds=evaluation * timed.lanes,
    )
    return replace(time, fleets=(*time.fleets, found))


def in_one_loop(carrier: StepTime, own: StepTime) -> StepTime:
    """The carrier, whose fleet was timed with an update compiled into the gradient's loop. There an update takes a part
    of what the same contender's takes by itself, `own`; timed by a call at each step it would seem to take far more."""
    by_itself = plain_fleet(own)
    if by_itself is None or not carrier.fleets or "update" not in carrier.fleets[0].compiled:
        return carrier
    fleet = carrier.fleets[0]
    update = (1 - SHARE_SAVED["update"]) * by_itself.update_milliseconds * fleet.lanes / by_itself.lanes
    return replace(
        carrier, fleets=(replace(fleet, update_milliseconds=min(update, MAX_UPDATE_SHARE * fleet.milliseconds)),)
    )


def timed_fleet(mode: ExecutionMode, time: StepTime) -> FleetTime | None:
    """The fleet of this kind that was timed, or any; None for trials alone, and where no fleet was timed."""
    if mode.engine == "solo" or not time.fleets:
        return None
    return next((each for each in time.fleets if each.compiled == mode.compiled), time.fleets[0])


def step_milliseconds(mode: ExecutionMode, time: StepTime, lanes: int) -> float:
    """Forecast of one step of `lanes` lanes."""
    fleet = timed_fleet(mode, time)
    if fleet is None:
        return lanes * time.milliseconds
    if "gradient" in fleet.compiled or lanes >= fleet.lanes:  # lane after lane, or as many as were timed
        return fleet.milliseconds * lanes / fleet.lanes
    if not mode.width:
        alone = min(time.milliseconds, fleet.milliseconds)
        return alone + (fleet.milliseconds - alone) * (lanes - 1) / max(1, fleet.lanes - 1)
    count = ceil(lanes / mode.width)
    share = lanes / count / fleet.lanes
    return count * fleet.milliseconds * (FIXED_COST_SHARE + (1 - FIXED_COST_SHARE) * share)


def evaluation_milliseconds(mode: ExecutionMode, time: StepTime, lanes: int) -> float:
    """Forecast of one evaluation of `lanes` lanes; 0 where none was timed."""
    fleet = timed_fleet(mode, time)
    if fleet is None or not fleet.evaluation_milliseconds:
        return lanes * time.evaluation_milliseconds
    return fleet.evaluation_milliseconds * lanes / fleet.lanes


def build_seconds(mode: ExecutionMode, time: StepTime, lanes: int) -> float:
    """Forecast of the time before the first step of a shard with `lanes` lanes."""
    fleet = timed_fleet(mode, time)
    return 0.0 if fleet is None else fleet.build_seconds * lanes / fleet.lanes


ExecutionModes = Mapping[tuple[str, str], ExecutionMode]
"""By task and contender."""
