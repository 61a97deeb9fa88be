"""What a step costs: of one trial alone, which is what a verdict may speak of, and of whole fleets of several kinds,
for the choice among them and for forecasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter, thread_time

import torch

from steepest.engine.fleet import CHECK_INTERVAL_STEPS, Fleet, split_into_fleets
from steepest.engine.object_registry import EMPTY_REGISTRY, ObjectRegistry
from steepest.engine.solo import Trial
from steepest.records import memory
from steepest.records.step_times import FleetTime, StepTime
from steepest.records.trials import Compiled, Lane, Shard
from steepest.tasks.task import Task

WARM_UP_STEPS = 5
"""Steps that are not timed: the first ones build state, fill caches, and trace."""
TIMED_INTERVALS = 5
"""Into which the time for measuring is cut."""
MAX_UPDATE_SHARE = 0.9
"""Of a step's time an update alone may take, however noisy the machine."""
LANES_PER_SEED = 9
"""As many lanes see the same batch as a grid has rates."""


@dataclass(frozen=True)
class Candidate:
    """A kind of fleet to be timed."""

    lanes: int
    width: int = 0
    compiled: tuple[Compiled, ...] = ()


def step_time(
    task: Task, shard: Shard, candidates: Iterable[Candidate] = (), registry: ObjectRegistry = EMPTY_REGISTRY
) -> StepTime:
    """Time the steps of a shard's contender, at the centre of its grid, alone and in fleets.

    The shard's own lanes do not matter. Evaluations are left out. A fleet that cannot be compiled as asked is left out.
    """
    trial = Trial(task, shard, Lane(shard.contender.centre, seed=0), registry)
    began, of_core = perf_counter(), thread_time()

    def train(start: int, stop: int) -> None:
        for t in range(start + 1, stop + 1):
            trial.step(t)

    alone = _milliseconds(train, most=200, seconds=0.5)
    evaluation = _evaluation(lambda: trial.evaluate("valid"))  # before fleets leave memory in pieces
    parameters = sum(p.numel() for p in trial.model.parameters() if p.requires_grad)
    times = [_within_memory(task, shard, candidate, registry) for candidate in candidates]
    share = (thread_time() - of_core) / (perf_counter() - began)
    return StepTime(
        task=shard.task.name,
        contender=shard.contender.name,
        milliseconds=alone,
        state_bytes_per_parameter=trial.optimizer.state_bytes() / parameters,
        fleets=tuple(time for time in times if time is not None),
        evaluation_milliseconds=evaluation,
        share=share,
    )


def _within_memory(task: Task, shard: Shard, candidate: Candidate, registry: ObjectRegistry) -> FleetTime | None:
    """The time of a fleet of a quarter of the lanes, or a quarter of those, where there is no memory for all."""
    while True:
        try:
            return fleet_time(task, shard, candidate, registry)
        except (MemoryError, RuntimeError) as error:
            if not memory.ran_out(error):
                raise
            if candidate.lanes == 1:
                return None
        fewer = max(1, candidate.lanes // 4)
        candidate = replace(candidate, lanes=fewer, width=min(candidate.width, fewer))


def fleet_time(
    task: Task, shard: Shard, candidate: Candidate, registry: ObjectRegistry = EMPTY_REGISTRY
) -> FleetTime | None:
    """One step of so many lanes: those of one fleet, in proportion where they make several; None if it was refused."""
    shard = replace(shard, width=candidate.width, compiled=candidate.compiled)
    memory.forget_peak()
    before = memory.resident()  # what the first fleet takes, and gives back, the second one finds
    first = _first_seconds(task, shard, candidate.lanes, registry)
    if first is None:
        return None
    start = perf_counter()
    fleet = first_fleet(task, shard, candidate.lanes, registry)
    build = perf_counter() - start
    share = candidate.lanes / len(fleet.lanes)
    evaluation = _evaluation(lambda: fleet.evaluate("valid"))
    whole = _milliseconds(fleet.train, most=2000, seconds=0.25)
    gradients = torch.zeros_like(fleet.flat)

    @torch.no_grad()
    def update(start: int, stop: int) -> None:
        for c in fleet.updates.steps(start, stop):
            fleet.updates.apply(fleet.flat, gradients, fleet.state, c)

    update_alone = min(_milliseconds(update, most=100, seconds=0.05), MAX_UPDATE_SHARE * whole)
    return FleetTime(
        lanes=candidate.lanes,
        compiled=candidate.compiled,
        milliseconds=whole * share,
        update_milliseconds=update_alone * share,
        bytes_per_lane=_bytes_per_lane(fleet, before),
        evaluation_milliseconds=evaluation * share,
        build_seconds=build * share,
        load_seconds=max(0.0, first - build - (whole + evaluation) / 1e3),
    )


def _first_seconds(task: Task, shard: Shard, lanes: int, registry: ObjectRegistry) -> float | None:
    """What it takes to make a fleet, and to train a step and evaluate with it, when its programs may have to be traced
    or loaded; None if it was refused."""
    start = perf_counter()
    fleet = first_fleet(task, shard, lanes, registry)
    if fleet.refused:
        return None
    fleet.train(0, 1)
    fleet.evaluate("valid")
    return perf_counter() - start


def _evaluation(evaluate: Callable[[], object]) -> float:
    """Milliseconds: the least of three, or of as many as a tenth of a second allows, the first not counted."""
    evaluate()
    taken, began = [], perf_counter()
    while not taken or (len(taken) < 3 and perf_counter() - began < 0.1):
        start = perf_counter()
        evaluate()
        taken.append((perf_counter() - start) * 1e3)
    return min(taken)


def _bytes_per_lane(fleet: Fleet, before: int | None) -> float:
    """What a fleet has taken since the process had `before` bytes; its own buffers at least, which may lie in what was
    free by then: parameters, gradients and state."""
    buffers = sum(x.numel() * x.element_size() for x in (fleet.flat, fleet.flat, *fleet.state))
    peak = memory.peak()
    taken = 0 if before is None or peak is None else peak - before
    return max(buffers, taken) / len(fleet.lanes)


def first_fleet(task: Task, shard: Shard, lanes: int, registry: ObjectRegistry = EMPTY_REGISTRY) -> Fleet:
    """The first fleet of so many lanes of a shard's contender, at the centre of its grid."""
    all_lanes = tuple(Lane(shard.contender.centre, seed=i // LANES_PER_SEED) for i in range(lanes))
    first = split_into_fleets(task, shard, all_lanes)[0]
    return Fleet(task, shard, [all_lanes[place] for place in first], registry)


def _milliseconds(train: Callable[[int, int], object], most: int, seconds: float) -> float:
    """Of one step: the median over stretches of steps t = start + 1 … stop, as long as a study trains at a time where
    that takes but a share of the `seconds`; over `most` steps, or as many as fit in, and at least three stretches."""
    start = perf_counter()
    for t in range(WARM_UP_STEPS):
        start = perf_counter()
        train(t, t + 1)
    length = max(1, min(CHECK_INTERVAL_STEPS, int(seconds / TIMED_INTERVALS / (perf_counter() - start))))
    taken: list[float] = []
    t, began = WARM_UP_STEPS, perf_counter()
    while len(taken) < 3 or (t < most and perf_counter() - began < seconds):
        start = perf_counter()
        train(t, t + length)
        taken.append((perf_counter() - start) * 1e3 / length)
        t += length
    return median(taken)
