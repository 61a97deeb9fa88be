"""Times training steps: of one trial alone, which the verdict reports, and of fleets of several kinds, from which the
planner chooses and forecasts.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from statistics import median
from time import perf_counter, thread_time

import torch

from steepest.engine.fleet import CHECK_INTERVAL_STEPS, Fleet, split_into_fleets
from steepest.engine.object_registry import EMPTY_REGISTRY, ObjectRegistry
from steepest.engine.solo import Trial
from steepest.records import memory
from steepest.records.job_records import FleetCandidate
from steepest.records.step_times import FleetTime, StepTime
from steepest.records.trials import Lane, Shard
from steepest.tasks.task import Task

WARM_UP_STEPS = 5
"""Steps before timing starts: they build state, fill caches and trace."""
TIMED_INTERVALS = 5
"""Intervals into which the time for measuring is divided."""
MAX_UPDATE_SHARE = 0.9
"""Largest share of a step's time attributed to the update; a noisy measurement may exceed it."""
LANES_PER_SEED = 9
"""Lanes with the same batch in a timed fleet, as many as a typical grid has rates."""


def step_time(
    task: Task, shard: Shard, candidates: Iterable[FleetCandidate] = (), registry: ObjectRegistry = EMPTY_REGISTRY
) -> StepTime:
    """Time the steps of a shard's contender, at the centre of its grid, alone and in fleets.

    The shard's own lanes are ignored. Evaluations are timed separately. A fleet that cannot be compiled as asked is
    omitted.
    """
    trial = Trial(task, shard, Lane(shard.contender.centre, seed=0), registry)
    began, of_core = perf_counter(), thread_time()
    alone = milliseconds_alone(trial)
    evaluation = _evaluation(lambda: trial.evaluate("valid"))  # before fleets fragment the memory
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


def milliseconds_alone(trial: Trial) -> float:
    """The time of one step of a trial by itself: of at most 200 steps or 0.5 s."""

    def train(start: int, stop: int) -> None:
        for t in range(start + 1, stop + 1):
            trial.step(t)

    return _milliseconds(train, most=200, seconds=0.5)


def _within_memory(task: Task, shard: Shard, candidate: FleetCandidate, registry: ObjectRegistry) -> FleetTime | None:
    """The time of a fleet; while memory runs out, of one with a quarter of the lanes."""
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
    task: Task, shard: Shard, candidate: FleetCandidate, registry: ObjectRegistry = EMPTY_REGISTRY
) -> FleetTime | None:
    """The time of one step of all lanes: that of one fleet, scaled if they make several; None if it is not compiled."""
    shard = replace(shard, width=candidate.width, compiled=candidate.compiled)
    memory.forget_peak()
    before = memory.resident()  # memory that the first fleet frees is reused by the second
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
    """Seconds to build a fleet, train a step and evaluate, tracing and loading included; None if it is not compiled."""
    start = perf_counter()
    fleet = first_fleet(task, shard, lanes, registry)
    if fleet.refused:
        return None
    fleet.train(0, 1)
    fleet.evaluate("valid")
    return perf_counter() - start


def _evaluation(evaluate: Callable[[], object]) -> float:
    """Milliseconds: the minimum of at most three runs within 0.1 s, after a warm-up."""
    evaluate()
    taken, began = [], perf_counter()
    while not taken or (len(taken) < 3 and perf_counter() - began < 0.1):
        start = perf_counter()
        evaluate()
        taken.append((perf_counter() - start) * 1e3)
    return min(taken)


def _bytes_per_lane(fleet: Fleet, before: int | None) -> float:
    """Memory that a fleet has taken since the process had `before` bytes; at least that of parameters, gradients and
    state, which may lie in memory freed earlier.
    """
    buffers = sum(x.numel() * x.element_size() for x in (fleet.flat, fleet.flat, *fleet.state))
    peak = memory.peak()
    taken = 0 if before is None or peak is None else peak - before
    return max(buffers, taken) / len(fleet.lanes)


def first_fleet(task: Task, shard: Shard, lanes: int, registry: ObjectRegistry = EMPTY_REGISTRY) -> Fleet:
    """The first fleet when `lanes` lanes of a shard's contender, at the centre of its grid, are split into fleets."""
    all_lanes = tuple(Lane(shard.contender.centre, seed=i // LANES_PER_SEED) for i in range(lanes))
    first = split_into_fleets(task, shard, all_lanes)[0]
    return Fleet(task, shard, [all_lanes[place] for place in first], registry)


def _milliseconds(train: Callable[[int, int], object], most: int, seconds: float) -> float:
    """Milliseconds of one step: the median over intervals of up to as many steps as a study trains at a time. Takes
    `most` steps or `seconds`, the earlier of the two, and at least three intervals.
    """
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
