"""Studies that grow: more seeds, contenders, rates or tasks for a study that is finished. Its plan becomes that of the
whole study, run at once; what is trained already is put together again, and only the rest is trained.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote

from steepest.errors import BadSetting, StudyFolderError
from steepest.records.step_times import StepTime
from steepest.records.task_facts import TaskFacts
from steepest.study.budget import mode_of
from steepest.study.executors import Executor
from steepest.study.planner import plan_run
from steepest.study.profiling import profile
from steepest.study.progress import Listener, ProgressTracker
from steepest.study.spec import Growth, Plan, RunPlan, StudySpec
from steepest.study.store import Store


def whole(old: StudySpec, new: StudySpec, command: str) -> StudySpec:
    """The spec of the study as if it had been run at once: what was asked first and what is asked now.

    `new` has the contenders and tasks of both, and how many seeds there shall be. Raises BadSetting where nothing is
    new or the study cannot grow.
    """
    assert old.plan is not None
    before = old.plan.protocol
    if old.protocol.until_sure:
        raise BadSetting(
            "The study adds seeds by itself until its verdict is settled, with all checks planned beforehand. It "
            "cannot be extended: start another one."
        )
    seeds = new.protocol.seeds
    if seeds < before.seeds:
        raise BadSetting(f"The study has {before.seeds} seeds, more than the {seeds} asked for. Give more, or none.")
    grown = (*before.grown, before.seeds) if seeds > before.seeds else before.grown
    if seeds == before.seeds and (new.contenders, new.tasks) == (old.contenders, old.tasks):
        raise BadSetting(
            f"There is nothing to add: the study has all of it. Give more than {before.seeds} seeds, or new "
            "optimizers, rates or tasks."
        )
    step = Growth(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        seeds=before.seeds,
        contenders=len(old.contenders),
        tasks=len(old.tasks),
    )
    return new.model_copy(
        update={
            "protocol": replace(before, seeds=seeds, grown=grown),
            "budget_seconds": None,
            "plan": None,
            "history": (*old.history, step),
            "command": f"{old.command} && {command}",
        }
    ).check()


def grow(store: Store, spec: StudySpec, executor: Executor, listener: Listener | None) -> dict[str, TaskFacts]:
    """Make the plan of the whole study and put it in place. What was trained so far goes on as it was trained.

    Returns the tasks by name that are, as far as anybody can tell, what they were when the study began."""
    old = store.spec.plan
    assert old is not None
    plan = profile(spec, store.folder, executor, ProgressTracker(listener, spec.asked_trials(), store.seconds()))
    store.check_place()
    store.extend(spec.model_copy(update={"plan": as_before(spec, old, plan)}))
    before = {each.name: each.digests for each in old.facts}
    return {each.name: each for each in plan.facts if before.get(each.name, each.digests) == each.digests}


def as_before(spec: StudySpec, old: Plan, new: Plan) -> Plan:
    """The new plan, in which what the old one has is trained in the same way: same engine, width and compiled parts."""
    facts = {each.name: each for each in (*new.facts, *old.facts)}
    times: dict[tuple[str, str], StepTime] = {(each.task, each.contender): each for each in (*new.times, *old.times)}
    earlier = {(run.task, run.contender): run for run in old.runs}
    contenders = {each.name: each for each in spec.contenders}

    def planned(run: RunPlan) -> RunPlan:
        before = earlier.get((run.task, run.contender))
        if before is None:
            return run
        parts = (facts[run.task], before.steps, before.batch_size, mode_of(before))
        return plan_run(spec, new.protocol, contenders[run.contender], *parts)

    return new.model_copy(
        update={
            "facts": tuple(facts[each.name] for each in new.facts),
            "times": tuple(times[each.task, each.contender] for each in new.times),
            "runs": tuple(map(planned, new.runs)),
            "given_up": old.given_up,
        }
    )


def check_finished(folder: Path, finished: bool) -> None:
    """Raise StudyFolderError for a study that is still to be finished."""
    if not finished:
        raise StudyFolderError(
            f"{folder} is not finished yet. Finish it first: steepest resume {quote(str(folder))}; then extend it."
        )
