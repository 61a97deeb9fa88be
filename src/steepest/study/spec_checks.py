"""Whether a stored plan can be one, before it is read for a verdict or anything trains: numbers within their bounds,
names that the study has. A plan is made by the planner; one that fails here was damaged or made by hand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from steepest.errors import BadSetting
from steepest.records.step_times import StepTime
from steepest.records.task_facts import TaskFacts
from steepest.study.protocol import check_protocol

if TYPE_CHECKING:
    from steepest.study.spec import Plan, RunPlan, StudySpec

MAX_COUNT = 10**12
"""Steps, examples, parameters, lanes: nothing has more."""


def check_plan(spec: StudySpec, plan: Plan) -> None:
    """Raise BadSetting where the plan cannot be one of this study."""
    check_protocol(plan.protocol)
    tasks = {task.ref.name for task in spec.tasks}
    pairs = {(task, contender.name) for task in tasks for contender in spec.contenders}
    facts, times = [each.name for each in plan.facts], [(each.task, each.contender) for each in plan.times]
    runs = [(each.task, each.contender) for each in plan.runs]
    for kind, found, known in (("facts", facts, tasks), ("times", times, pairs), ("runs", runs, pairs)):
        if len(set(found)) < len(found) or not known.issuperset(found):
            raise BadSetting(f"The plan's {kind} are not those of the study's tasks and contenders.")
    if not set(times).issuperset(runs) or not {*facts}.issuperset(task for task, _ in runs):
        raise BadSetting("The plan has a run without its facts or times.")
    amounts = {"seconds": plan.seconds, "resolution": plan.resolution or 0.0}
    problems = [*_problems("", {"trials": plan.trials}, amounts)]
    for each in plan.facts:
        problems += problems_of_facts(each)
    for time in plan.times:
        problems += problems_of_time(time)
    for run in plan.runs:
        problems += _of_run(run)
    if problems:
        raise BadSetting(f"The plan has an impossible {problems[0]}.")


def problems_of_facts(facts: TaskFacts) -> Iterator[str]:
    """What cannot be true of a task."""
    counts = {name: getattr(facts, name) for name in ("n_train", "n_valid", "batch_size", "steps")}
    yield from _problems(f"{facts.name}: ", counts, {"margin": facts.margin})
    if not 0 <= facts.n_test < MAX_COUNT or not 0 <= facts.parameters < MAX_COUNT:
        yield f"{facts.name}: size"
    if facts.target is not None and not math.isfinite(facts.target):
        yield f"{facts.name}: target"


def problems_of_time(time: StepTime) -> Iterator[str]:
    """What cannot be true of a measured step."""
    where = f"{time.task}, {time.contender}: "
    names = ("milliseconds", "state_bytes_per_parameter", "evaluation_milliseconds", "share")
    yield from _problems(where, {}, {name: getattr(time, name) for name in names})
    for fleet in time.fleets:
        spans = ("milliseconds", "update_milliseconds", "bytes_per_lane", "evaluation_milliseconds")
        values = {name: getattr(fleet, name) for name in (*spans, "build_seconds", "load_seconds")}
        yield from _problems(where, {"lanes": fleet.lanes}, values)


def _of_run(run: RunPlan) -> Iterator[str]:
    where = f"{run.task}, {run.contender}: "
    counts = {name: getattr(run, name) for name in ("batch_size", "steps", "lanes", "extra_lanes")}
    yield from _problems(where, counts, {"width": run.width})
    increases = all(a < b for a, b in pairwise((0, *run.evaluate_at)))
    if not run.evaluate_at or not increases or run.evaluate_at[-1] != run.steps:
        yield f"{where}evaluate at"


def _problems(where: str, counts: dict[str, int], amounts: dict[str, float]) -> Iterator[str]:
    """The names of counts that are below 1 and of amounts that are negative or not finite."""
    bad = [name for name, value in counts.items() if not 1 <= value < MAX_COUNT]
    bad += [name for name, value in amounts.items() if not (math.isfinite(value) and value >= 0)]
    yield from (f"{where}{name.replace('_', ' ')}" for name in bad)
