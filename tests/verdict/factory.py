"""SYNTHETIC studies for tests: made-up results and curves in the shape that real ones have. Nothing here was trained.

`synthetic_study()` is a digits-like study that a test of the verdict or of the report can read as if it came from a
study folder; `study_of()` is a study whose every value is typed in by the test.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from steepest.records.contender import Contender
from steepest.records.outcomes import Outcome, Result, Trace
from steepest.records.ranking import edge, pooled_best
from steepest.records.step_times import FleetTime, StepTime
from steepest.records.study_record import StudyDesign, StudyRecord
from steepest.records.task_facts import TaskFacts

DIGITS = TaskFacts(
    name="digits",
    title="Handwritten digits, MLP (synthetic)",
    metric="accuracy",
    higher_is_better=True,
    unit="%",
    margin=0.0025,
    n_train=1077,
    n_valid=360,
    n_test=360,
    parameters=4810,
    batch_size=64,
    steps=480,
    luck=("initial weights", "order of the batches", "train/validation/test split"),
    source="synthetic test data",
    target=0.97,
    loss_name="cross-entropy",
)
HOUSING = replace(
    DIGITS, name="housing", title="House prices, MLP (synthetic)", metric="R²", unit="", margin=0.003, target=0.75
)
LINE = replace(
    DIGITS,
    name="line",
    title="The line y = 3x + 2 (synthetic)",
    metric="loss",
    higher_is_better=False,
    unit="",
    margin=1e-4,
    target=None,
)
START = {"digits": 0.1, "housing": 0.0, "line": 8.0}
"""The metric of an untrained model."""


@dataclass(frozen=True)
class Shape:
    """How a made-up contender answers to its rate. `peak` is its mean metric at its optimal rate."""

    name: str
    peak: float
    centre: float
    shift: float = 0.0
    """Decades between the centre of its grid and its optimal rate."""
    noise: float = 0.004
    """Deviation of its replicates."""
    cliff: float = 0.8
    """Decades above the optimum at which its trials diverge."""
    milliseconds: float = 0.5
    state_bytes: float = 8.0
    speed: float = 6.0
    batch_size: int | None = None


SEVEN = (
    Shape("sgd", 0.957, 1e-1, shift=0.2, milliseconds=0.31, state_bytes=0.0, cliff=0.7),
    Shape("momentum", 0.9755, 1e-2, shift=0.25, milliseconds=0.34, state_bytes=4.0, cliff=0.6, speed=7.0),
    Shape("nesterov", 0.976, 1e-2, shift=0.3, milliseconds=0.36, state_bytes=4.0, cliff=0.6, speed=7.5),
    Shape("adagrad", 0.962, 1e-2, shift=0.4, milliseconds=0.38, state_bytes=4.0, cliff=1.2, speed=9.0),
    Shape("rmsprop", 0.968, 1e-3, shift=0.1, noise=0.007, milliseconds=0.40, state_bytes=4.0),
    Shape("adam", 0.9765, 1e-3, shift=0.5, milliseconds=0.45, state_bytes=8.0, cliff=1.3),
    Shape("adam-printed", 0.94, 1e-3, shift=2.6, noise=0.005, milliseconds=0.44, state_bytes=8.0),
)
"""The default line-up: a close top three, a noisy one, and one whose best rate lies beyond what is searched."""


def synthetic_study(
    shapes: Sequence[Shape] = SEVEN,
    tasks: Sequence[TaskFacts] = (DIGITS,),
    seeds: int = 10,
    reference: str = "momentum",
    protocol: StudyDesign | None = None,
    luck: int = 0,
    evaluations: int = 12,
) -> tuple[StudyRecord, dict[str, Trace]]:
    """A finished study and its traces. The same arguments give the same study; `luck` draws another."""
    protocol = protocol or StudyDesign(seeds=seeds)
    results: list[Result] = []
    traces: dict[str, Trace] = {}
    for t, task in enumerate(tasks):
        for c, shape in enumerate(shapes):
            rng = np.random.default_rng([luck, t, c])
            for stage, rates in _search(shape, task, protocol, results):
                rows, trace = _shard(shape, task, stage, rates, protocol, rng, evaluations)
                results += rows
                traces[rows[0].shard] = trace
    return (
        StudyRecord(
            name="synthetic",
            command="steepest run digits --seeds 10",
            created="2026-08-01T12:00:00Z",
            finished=True,
            protocol=protocol,
            reference=reference,
            tasks=tuple(tasks),
            contenders=tuple(Contender(s.name, s.name, s.centre, batch_size=s.batch_size) for s in shapes),
            results=tuple(results),
            times=tuple(
                StepTime(task.name, s.name, s.milliseconds, s.state_bytes, (FleetTime(45, (), 4.2, 0.5),))
                for task in tasks
                for s in shapes
            ),
            trials_planned=len(results),
            seconds=84.0,
            versions={"steepest": "0.1.0", "torch": "2.13.0"},
            hardware={"cpu": "synthetic", "cores": "2"},
        ),
        traces,
    )


Values = Mapping[float, Sequence[float | None]]
"""Rate → validation metric per seed; None for a trial that diverged."""


def study_of(
    table: Mapping[str, Values],
    task: TaskFacts = DIGITS,
    test: Mapping[str, Values] | None = None,
    reference: str = "",
    outcome: Outcome = Outcome.DIVERGED,
    **changes: Any,
) -> StudyRecord:
    """A study made of the values in `table`: contender → rate → one validation metric a seed.

    test: the same for test metrics; where it has none, test equals validation. outcome: what None means.
    changes: fields of the StudyRecord to set otherwise.
    """
    rows = []
    for contender, values in table.items():
        for rate, metrics in values.items():
            tests = (test or table).get(contender, {}).get(rate, metrics)
            for seed, (metric, test_metric) in enumerate(zip(metrics, tests, strict=True)):
                ok = metric is not None
                rows.append(
                    Result(
                        task=task.name,
                        contender=contender,
                        rate=rate,
                        seed=seed,
                        stage="grid",
                        batch_size=task.batch_size,
                        steps=task.steps,
                        outcome=Outcome.OK if ok else outcome,
                        outcome_step=task.steps if ok else 7,
                        train_loss=0.5 if ok else None,
                        valid_loss=0.5 if ok else None,
                        valid_metric=metric,
                        test_loss=0.5 if ok else None,
                        test_metric=test_metric if ok else None,
                        shard=f"{task.name}-{contender}",
                        lane=seed,
                    )
                )
    seeds = 1 + max((row.seed for row in rows), default=0)
    study = StudyRecord(
        name="typed",
        command="steepest run digits",
        created="2026-08-01T12:00:00Z",
        finished=True,
        protocol=StudyDesign(seeds=seeds),
        reference=reference or next(iter(table)),
        tasks=(task,),
        contenders=tuple(Contender(name, name, 1e-2) for name in table),
        results=tuple(rows),
        times=(),
        trials_planned=len(rows),
        seconds=30.0,
    )
    return replace(study, **changes)


def _search(
    shape: Shape, task: TaskFacts, protocol: StudyDesign, results: list[Result]
) -> Iterator[tuple[str, list[float]]]:
    """The default search: a grid; then, at an edge, half-decade points beyond it; then rates around the best."""
    step = protocol.decades / max(protocol.rates - 1, 1)
    middle = (protocol.rates - 1) / 2

    def at(rate: float, decades: float) -> float:
        return float(f"{10 ** (math.log10(rate) + decades):.12g}")

    def mine() -> list[Result]:
        return [row for row in results if row.task == task.name and row.contender == shape.name]

    yield "grid", [at(shape.centre, (i - middle) * step) for i in range(protocol.rates)]
    left = protocol.extra_rates
    while left and (side := edge(mine(), task.higher_is_better)):
        rates, sign = [row.rate for row in mine()], 1 if side == "high" else -1
        yield "extend", [at(max(rates) if sign > 0 else min(rates), sign * k * step) for k in (1, 2)]
        left -= 2
    if left:
        best = pooled_best(mine(), task.higher_is_better)
        gap = step / (left / 2 + 1)
        yield "refine", [at(best, sign * k * gap) for k in range(1, left // 2 + 1) for sign in (-1, 1)]


def _shard(
    shape: Shape,
    task: TaskFacts,
    stage: str,
    rates: list[float],
    protocol: StudyDesign,
    rng: np.random.Generator,
    evaluations: int,
) -> tuple[list[Result], Trace]:
    """All trials of one stage as rows and curves: progress 1 − exp(−speed·10^d·t/T) at d decades from the optimum."""
    seeds = range(protocol.first_seed, protocol.first_seed + protocol.seeds)
    lanes = [(seed, rate) for seed in seeds for rate in rates]
    start, sign = START[task.name], 1 if task.higher_is_better else -1
    steps = np.unique(np.geomspace(1, task.steps, evaluations).round().astype(np.int64))
    metric = np.full((len(lanes), len(steps)), np.nan)
    outcomes, ends, test = [], [], np.full(len(lanes), np.nan)
    for lane, (seed, rate) in enumerate(lanes):
        d = math.log10(rate / shape.centre) - shape.shift
        progress = 1 - np.exp(-shape.speed * 10**d * steps / task.steps)
        luck = np.random.default_rng([seed, 7]).normal() * 0.4 + rng.normal() * 0.9
        level = start + (shape.peak - start) * progress - sign * 0.012 * max(d, 0) ** 2 * abs(start - shape.peak)
        metric[lane] = level + sign * luck * shape.noise * progress
        blows_up = d > shape.cliff + 0.08 * rng.normal()
        end = int(steps[min(3, len(steps) - 1)]) if blows_up else task.steps
        metric[lane, steps >= end] = np.nan if blows_up else metric[lane, steps >= end]
        test[lane] = np.nan if blows_up else metric[lane, -1] + shape.noise * 0.4 * rng.normal()
        outcomes.append(Outcome.DIVERGED if blows_up else Outcome.OK)
        ends.append(end)
    share = (metric - start) / (shape.peak - start)
    loss = 2.3 - 2.1 * share if task.metric != "loss" else metric
    shard = f"{task.name}-{shape.name}-{stage}-{rates[0]:.3g}"
    trace = Trace(steps, loss * 0.9, loss, metric, tuple(outcomes), np.array(ends), loss[:, -1] * 1.02, test)
    rows = [
        Result(
            task=task.name,
            contender=shape.name,
            rate=rate,
            seed=seed,
            stage=stage,
            batch_size=shape.batch_size or task.batch_size,
            steps=task.steps,
            outcome=outcomes[lane],
            outcome_step=ends[lane],
            train_loss=_known(trace.train_loss[lane, -1]),
            valid_loss=_known(loss[lane, -1]),
            valid_metric=_known(metric[lane, -1]),
            test_loss=_known(trace.test_loss[lane]),
            test_metric=_known(test[lane]),
            shard=shard,
            lane=lane,
        )
        for lane, (seed, rate) in enumerate(lanes)
    ]
    return rows, trace


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
