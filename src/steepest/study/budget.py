"""What a study costs, which differences it can resolve, and which study fits into a given time.

Costs come from the step times that workers measured. They decide how much is run, never how a trial runs.
"""

import heapq
import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from scipy.special import stdtrit  # pyright: ignore[reportMissingTypeStubs]

from steepest.errors import BudgetTooSmall
from steepest.messages import Message, say
from steepest.records.contender import Contender
from steepest.records.ranking import rungs as rungs_at
from steepest.records.step_times import StepTime
from steepest.records.study_record import StudyDesign
from steepest.records.task_facts import TaskFacts
from steepest.records.trials import Rung
from steepest.study.execution import (
    ExecutionMode,
    ExecutionModes,
    build_seconds,
    evaluation_milliseconds,
    step_milliseconds,
    timed_fleet,
)
from steepest.study.planner import (
    batch_size_of,
    cut,
    cut_by_seed,
    plan_run,
    steps_at_equal_samples,
    steps_at_equal_seconds,
)
from steepest.study.protocol import extra_rates, trials_of
from steepest.study.settings_search import turns_dials
from steepest.study.spec import Plan, RunPlan, StudySpec

MIN_SEEDS = 5
"""Below this a budget is refused: fewer replicates show next to nothing."""
SMALLER_GRIDS = (7, 5)
"""Sizes to which the grid may shrink, in this order."""

STAGE_COUNT = 2
"""The grid, and the rates that follow it."""

Times = Mapping[tuple[str, str], StepTime]
"""By task and contender."""


# ---- plans -----------------------------------------------------------------------------------------------------------


def plan_within(
    spec: StudySpec,
    facts: Sequence[TaskFacts],
    times: Times,
    own_batch: Times,
    spent: float = 0.0,
    modes: ExecutionModes | None = None,
) -> Plan:
    """The largest plan that fits what is left of the budget, or the one asked for where there is no budget.

    First refinement is given up, then rates, then seeds; raises BudgetTooSmall below 5 seeds. `own_batch` holds the
    times at the task's own batch size, which horizons of equal seconds are measured by.
    """
    plan = None
    for protocol, given_up in smaller_designs(spec):
        plan = _plan(spec, protocol, given_up, facts, times, own_batch, modes or {})
        if spec.budget_seconds is None or spent + plan.seconds <= spec.budget_seconds:
            return plan
    assert plan is not None and spec.budget_seconds is not None
    least = plan.protocol
    seeds = "1 seed" if least.seeds == 1 else f"{least.seeds} seeds"
    raise BudgetTooSmall(
        f"The budget is {duration(spec.budget_seconds)}; even {seeds} of "
        f"{trials_of(spec.contenders[0], least) // least.seeds} rates need about {duration(spent + plan.seconds)}. "
        "Give more time, or drop a task or an optimizer."
    )


def smaller_designs(spec: StudySpec) -> Iterator[tuple[StudyDesign, tuple[Message, ...]]]:
    """The protocol asked for, then ever smaller ones, each with sentences on what it gives up."""
    asked = protocol = spec.protocol
    given_up: dict[str, Message] = {}
    yield protocol, ()
    if asked.more_trials:
        protocol = replace(protocol, more_trials=0)
        given_up["settings"] = say(
            "Settings beyond the rate ({n} more trials for every optimizer and seed) were given up.",
            n=asked.more_trials,
        )
        yield protocol, tuple(given_up.values())
    if not spec.contenders[0].rates:  # never drop the user's own rates
        if asked.extra_rates:
            protocol = replace(protocol, extra_rates=0)
            given_up["refinement"] = say(
                "Refinement and the edge rule ({n} more rates for every optimizer) were given up.", n=asked.extra_rates
            )
            yield protocol, tuple(given_up.values())
        for rates in SMALLER_GRIDS:
            if rates < asked.rates:
                protocol = replace(protocol, rates=rates)
                given_up["rates"] = say(
                    "The grid has {rates} rates instead of {asked}.", rates=rates, asked=asked.rates
                )
                yield protocol, tuple(given_up.values())
    for seeds in range(asked.seeds - 1, MIN_SEEDS - 1, -1):
        protocol = replace(protocol, seeds=seeds)
        given_up["seeds"] = say("There are {seeds} seeds instead of {asked}.", seeds=seeds, asked=asked.seeds)
        yield protocol, tuple(given_up.values())


def _plan(
    spec: StudySpec,
    protocol: StudyDesign,
    given_up: tuple[Message, ...],
    facts: Sequence[TaskFacts],
    times: Times,
    own_batch: Times,
    modes: ExecutionModes,
) -> Plan:
    runs: list[RunPlan] = []
    costs: list[list[list[float]]] = []
    for task, known in zip(spec.tasks, facts, strict=True):
        for contender in spec.contenders:
            pair = (known.name, contender.name)
            batch_size = batch_size_of(contender, known)
            if task.equal == "seconds":
                steps = steps_at_equal_seconds(known, own_batch[pair], times[pair])
            else:
                steps = steps_at_equal_samples(known, batch_size)
            run = plan_run(spec, protocol, contender, known, steps, batch_size, modes.get(pair))
            runs.append(run)
            costs.append(stages(run, contender, protocol, known, times[pair], spec.race))
    return Plan(
        protocol=protocol,
        facts=tuple(facts),
        times=tuple(times.values()),
        runs=tuple(runs),
        trials=len(spec.tasks) * sum(trials_of(contender, protocol) for contender in spec.contenders),
        seconds=wall_seconds(costs, spec.workers) + load_seconds(spec, runs, times) + closing_seconds(len(runs)),
        given_up=given_up,
        resolution=resolution(protocol.seeds),
    )


# ---- forecasts -------------------------------------------------------------------------------------------------------


def stages(
    run: RunPlan, contender: Contender, protocol: StudyDesign, facts: TaskFacts, time: StepTime, race: bool = False
) -> list[list[float]]:
    """Seconds of each shard, stage after stage: those of the grid, then those of the extra rates."""
    grid = len(contender.rates) or protocol.rates
    settings = protocol.more_trials if turns_dials(contender) else 0
    found: list[list[float]] = []
    for rates, most in (
        (grid, run.lanes),
        (extra_rates(contender, protocol), run.extra_lanes),
        (settings, run.extra_lanes),
    ):
        if not rates:
            continue
        lanes = range(rates * protocol.seeds)
        parts = cut_by_seed(lanes, rates, most) if race else cut(lanes, most)
        at = rungs_at(run.evaluate_at, rates) if race else ()
        found.append([shard_seconds(run, facts, time, len(part), at, rates) for part in parts])
    return found


def shard_seconds(
    run: RunPlan, facts: TaskFacts, time: StepTime, lanes: int, rungs: Sequence[Rung] = (), rates: int = 1
) -> float:
    """Forecast for one shard: its models, its steps, and its evaluations. Where these were not timed, one costs as many
    thirds of a step as it takes passes.

    `rates`: lanes of a seed, where some are stopped at `rungs`.
    """
    batch = max(run.batch_size, 64)  # below this a step costs mostly overhead, which a pass over a whole part has once
    mode = mode_of(run)
    plain = ExecutionMode(run.engine)  # evaluation is not compiled
    milliseconds, start, going = 1e3 * build_seconds(mode, time, lanes), 0, lanes
    for stop, kept in (*rungs, (run.steps, 0)):
        evaluations: float = sum(start < step <= stop for step in run.evaluate_at)
        evaluations += facts.n_test / facts.n_valid if stop == run.steps else 0.0
        milliseconds += (stop - start) * step_milliseconds(mode, time, going)
        milliseconds += evaluations * (
            evaluation_milliseconds(mode, time, going)
            or max(1.0, facts.n_valid / batch) / 3 * step_milliseconds(plain, time, going)
        )
        start, going = stop, max(1, lanes * kept // rates)
    return milliseconds / 1000


def mode_of(run: RunPlan) -> ExecutionMode:
    """How a planned run's trials are trained."""
    return ExecutionMode(run.engine, run.width, run.compiled)


def load_seconds(spec: StudySpec, runs: Sequence[RunPlan], times: Times) -> float:
    """Forecast of the time that a worker spends on tracing or loading programs: each once, for all its users. A
    gradient's serves all contenders with the same batch size and axes. A race makes fleets of several widths in each of
    its stages, all with programs of their own."""
    axes = {contender.name: str(dict(contender.axes)) for contender in spec.contenders}
    found: dict[tuple[str, int, str, bool], float] = {}
    for run in runs:
        fleet = timed_fleet(mode_of(run), times[run.task, run.contender])
        key = (run.task, run.batch_size, axes[run.contender], "gradient" in run.compiled)
        widths = STAGE_COUNT * (1 + len(rungs_at(run.evaluate_at, run.lanes))) if spec.race else 1
        found[key] = max(found.get(key, 0.0), 0.0 if fleet is None else widths * fleet.load_seconds)
    return sum(found.values())


def closing_seconds(runs: int) -> float:
    """Forecast of what comes after the training: the verdict, the report, and the end of the process."""
    return 1.0 + 0.03 * runs


def wall_seconds(runs: Sequence[Sequence[Sequence[float]]], workers: int) -> float:
    """Simulate the study: runs × stages × seconds of a shard; a stage starts when the one before is over."""
    waiting = deque((i, 0, seconds) for i in longest_first(runs) for seconds in runs[i][0])
    left = [len(stage[0]) for stage in runs]
    busy: list[tuple[float, int, int]] = []  # (end, run, stage)
    now = 0.0
    while waiting or busy:
        while waiting and len(busy) < workers:
            run, stage, seconds = waiting.popleft()
            heapq.heappush(busy, (now + seconds, run, stage))
        now, run, stage = heapq.heappop(busy)
        left[run] -= 1
        if not left[run] and stage + 1 < len(runs[run]):
            waiting.extend((run, stage + 1, seconds) for seconds in runs[run][stage + 1])
            left[run] = len(runs[run][stage + 1])
    return now


def longest_first(runs: Sequence[Sequence[Sequence[float]]]) -> list[int]:
    """Indices of the runs; the longest starts first, so that no core is left alone with it in the end."""
    return sorted(range(len(runs)), key=lambda i: -sum(map(sum, runs[i])))


def resolution(seeds: int, deviation: float = 1.0) -> float | None:
    """The smallest difference between two contenders that exceeds random variation: half the width of Welch's 95 %
    interval, t₀.₉₇₅(2n − 2) · σ · √(2/n), with n replicates each and the standard deviation σ of a replicate.
    None for a single seed, which has no measure of random variation."""
    if seeds < 2:
        return None
    return float(stdtrit(2 * seeds - 2, 0.975)) * deviation * math.sqrt(2 / seeds)


def duration(seconds: float) -> str:
    """A duration in words.

    >>> [duration(s) for s in (0.4, 95, 3700)]
    ['1 s', '95 s', '62 min']
    """
    if seconds < 120:
        return f"{math.ceil(seconds)} s"
    return f"{math.ceil(seconds / 60)} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
