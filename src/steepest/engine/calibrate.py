"""What a step costs: of one trial alone, which is what a verdict may speak of, and of whole fleets of several kinds,
for the choice among them and for forecasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter
from typing import Any

from steepest import memory
from steepest.engine.fleet import Fleet, in_fleets
from steepest.engine.solo import Trial
from steepest.engine.workshop import EMPTY, Workshop
from steepest.tasks.task import Task
from steepest.types import Compiled, FleetTime, Lane, Shard, StepTime

AT_ONCE = 8
"""Steps of a fleet that are timed together, as they are trained: batches and coefficients are made for many at once."""
SLOW = 0.01
"""Seconds of a step from which on steps are timed one by one."""
WARM_UP = 5
"""Steps that are not timed: the first ones build state, fill caches, and trace."""
LANES_OF_A_SEED = 9
"""As many lanes see the same batch as a grid has rates."""


@dataclass(frozen=True)
class Candidate:
    """A kind of fleet to be timed."""

    lanes: int
    width: int = 0
    compiled: tuple[Compiled, ...] = ()


def step_time(task: Task, shard: Shard, candidates: Iterable[Candidate] = (), workshop: Workshop = EMPTY) -> StepTime:
    """Time the steps of a shard's contender, at the centre of its grid, alone and in fleets.

    The shard's own lanes do not matter. Evaluations are left out. A fleet that cannot be compiled as asked is left out.
    """
    trial = Trial(task, shard, Lane(shard.contender.centre, seed=0), workshop)
    alone = _milliseconds(trial.step, most=200, seconds=0.5)
    parameters = sum(p.numel() for p in trial.model.parameters() if p.requires_grad)
    times = (_within_memory(task, shard, candidate, workshop) for candidate in candidates)
    return StepTime(
        task=shard.task.name,
        contender=shard.contender.name,
        milliseconds=alone,
        state_bytes_per_parameter=trial.optimizer.state_bytes() / parameters,
        fleets=tuple(time for time in times if time is not None),
        evaluation_milliseconds=_evaluation(lambda: trial.evaluate("valid")),
    )


def _within_memory(task: Task, shard: Shard, candidate: Candidate, workshop: Workshop) -> FleetTime | None:
    """The time of a fleet of a quarter of the lanes, or a quarter of those, where there is no memory for all."""
    while True:
        try:
            return fleet_time(task, shard, candidate, workshop)
        except (MemoryError, RuntimeError) as error:
            if not memory.ran_out(error):
                raise
            if candidate.lanes == 1:
                return None
        fewer = max(1, candidate.lanes // 4)
        candidate = replace(candidate, lanes=fewer, width=min(candidate.width, fewer))


def fleet_time(task: Task, shard: Shard, candidate: Candidate, workshop: Workshop = EMPTY) -> FleetTime | None:
    """One step of so many lanes: those of one fleet, in proportion where they make several; None if it was refused."""
    shard = replace(shard, width=candidate.width, compiled=candidate.compiled)
    memory.forget_peak()
    before = memory.resident()
    fleet = first_fleet(task, shard, candidate.lanes, workshop)
    if fleet.refused:
        return None
    share = candidate.lanes / len(fleet.lanes)
    updates: list[float] = []
    apply = fleet.updates.apply

    def timed(*arguments: Any) -> Any:
        start = perf_counter()
        result = apply(*arguments)
        updates.append(perf_counter() - start)
        return result

    fleet.updates.apply = timed  # type: ignore[method-assign]
    start = perf_counter()
    for t in range(WARM_UP):
        start = perf_counter()
        fleet.train(t, t + 1)
    k = AT_ONCE if perf_counter() - start < SLOW else 1
    first = WARM_UP - k  # call 1 is for the next k steps
    whole = _milliseconds(lambda t: fleet.train(first + t * k, first + (t + 1) * k), 40, seconds=0.25, warm_up=1) / k
    update = median(updates[WARM_UP:]) * 1e3 * share
    evaluation = 0.0 if candidate.compiled else _evaluation(lambda: fleet.evaluate("valid")) * share
    size = _bytes_per_lane(fleet, before)
    return FleetTime(candidate.lanes, candidate.compiled, whole * share, update, size, evaluation)


def _evaluation(evaluate: Callable[[], object]) -> float:
    """Milliseconds of the second of two: the first one traces."""
    evaluate()
    start = perf_counter()
    evaluate()
    return (perf_counter() - start) * 1e3


def _bytes_per_lane(fleet: Fleet, before: int | None) -> float:
    """What a fleet has taken since the process had `before` bytes; its own buffers at least, which may lie in what was
    free by then: parameters, gradients and state."""
    buffers = sum(x.numel() * x.element_size() for x in (fleet.flat, fleet.flat, *fleet.state))
    peak = memory.peak()
    taken = 0 if before is None or peak is None else peak - before
    return max(buffers, taken) / len(fleet.lanes)


def first_fleet(task: Task, shard: Shard, lanes: int, workshop: Workshop = EMPTY) -> Fleet:
    """The first fleet of so many lanes of a shard's contender, at the centre of its grid."""
    all_lanes = tuple(Lane(shard.contender.centre, seed=i // LANES_OF_A_SEED) for i in range(lanes))
    first = in_fleets(task, shard, all_lanes)[0]
    return Fleet(task, shard, [all_lanes[place] for place in first], workshop)


def _milliseconds(step: Callable[[int], object], most: int, seconds: float, warm_up: int = WARM_UP) -> float:
    """The median over `most` calls t = 1, 2, …, or over those (at least three) that fit into `seconds`."""
    taken: list[float] = []
    t, began = 0, perf_counter()
    while len(taken) < 3 or (len(taken) < most and perf_counter() - began < seconds):
        t += 1
        start = perf_counter()
        step(t)
        if t > warm_up:
            taken.append((perf_counter() - start) * 1e3)
        else:
            began = perf_counter()
    return median(taken)
