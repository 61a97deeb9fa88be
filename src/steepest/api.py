"""`compare()` and its relatives, in Python and behind the command line: joins design, study, engine, verdict and
report, and parses nothing. The only place that sees the whole house.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

from steepest.adapters import frameworks
from steepest.adapters import torch as drop_in
from steepest.adapters.recommendation import IN_MEMORY, Advice
from steepest.builtin import task_table as task_catalogue
from steepest.design.factors import OF_RULE, describe_axes
from steepest.design.options import PlanOptions, RunOptions, takes
from steepest.design.study_spec import OneTask, Tasks, new_folder, study_spec, task_references, worker_count
from steepest.engine.shard import ObjectRegistry, run_job
from steepest.engine.try_task import try_task
from steepest.engine.worker import import_all, serve
from steepest.errors import BadSetting, BadTask, UnknownName
from steepest.ingest import load
from steepest.messages import Language, speaking
from steepest.optim import catalogue as optimizer_catalogue
from steepest.reader import StudyReader
from steepest.records.contender import Contender
from steepest.records.study_record import StudyRecord
from steepest.report.terminal import listener as live_listener
from steepest.study import planner, store
from steepest.study.executors import Executor, FunctionExecutor, LocalProcesses
from steepest.study.run import Listener
from steepest.study.run import forecast as run_forecast
from steepest.study.run import resume as run_resume
from steepest.study.run import run as run_study
from steepest.study.spec import Plan
from steepest.tasks.task import Task
from steepest.verdict.decide import decide


class Study(StudyReader):
    """A study, with what needs torch: the winner as an optimizer."""

    def __init__(
        self, folder: Path | str, margin: float | None = None, makers: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(folder, margin)
        self._makers = makers or {}

    @cached_property
    def best(self) -> Advice:
        """What to use on the study's first task: the best, or of a tie one that is far quicker."""
        return self.advice()

    def advice(self, task: str | None = None, optimizer: str | None = None, framework: str = "torch") -> Advice:
        """What to use on `task` (the first one) with `optimizer` (the best) in "torch", "keras" or "optax".

        Raises UnknownName or BadSetting.
        """
        frameworks.title(framework)
        verdicts = {verdict.task.name: verdict for verdict in self.verdict.tasks}
        name = next(iter(verdicts)) if task is None else task
        if name not in verdicts:
            raise UnknownName.among("task in this study", name, verdicts)
        standings = {standing.contender: standing for standing in verdicts[name].standings}
        chosen = verdicts[name].advised if optimizer is None else optimizer
        if chosen not in standings:
            raise UnknownName.among("contender in this study", chosen, standings)
        rate = standings[chosen].rate
        if rate is None:
            raise BadSetting(f"{chosen} has no rate to recommend on {name}: none of its trials came to a sound end.")
        contender = next(item for item in self.record.contenders if item.name == chosen)
        own = contender.rule.partition(":")[2] if contender.rule.startswith(IN_MEMORY) else ""
        return Advice(
            task=name,
            optimizer=chosen,
            rule=contender.rule,
            rate=rate,
            schedule=contender.schedule,
            settings=dict(contender.settings),
            code=_comment_on_factors(contender)
            + (
                frameworks.own_code(framework, own, rate, contender.settings)
                if own
                else frameworks.code(framework, contender, rate, horizon=verdicts[name].task.steps)
            ),
            framework=framework,
            maker=self._makers.get(own),
        )

    def __str__(self) -> str:
        return self.text()


def _comment_on_factors(contender: Contender) -> str:
    """The factors of the task that the optimizer was measured with, as a comment above its code."""
    factors = describe_axes({name: value for name, value in contender.axes.items() if name not in OF_RULE})
    return f"# As it was measured: with {factors}.\n" if factors else ""


# ---- studies ---------------------------------------------------------------------------------------------------------


@takes(RunOptions)
def compare(tasks: Tasks, options: RunOptions) -> Study:
    """Train every optimizer at every rate on every seed, and return the study with its verdict.

    `tasks`: a Task, the name of a built-in one, a file that defines `task`, a `steepest.from_file(…)`, or several of
    these. `optimizers` may also be rules, `torch.optim` classes or factories; by default, the methods of the textbooks.
    `axes` may be a mapping, such as {"dropout": [0, 0.2, 0.5]} (docs/axes.md). Lists need not be words: rates=[0.01],
    batch_sizes=[1, "full"]; a budget may be seconds, and memory bytes.

    Raises BadInput for whatever cannot be run as asked, DataUnavailable, StudyFolderError, and Interrupted on Ctrl-C.
    """
    with speaking(options.language):
        spec, tasks_here, optimizers_here = study_spec(tasks, options, options.command)
        folder = new_folder(spec.name) if options.out is None else Path(options.out)
        executor = _executor(folder, spec.workers, spec.memory_bytes, tasks_here, optimizers_here)
        with _progress(options.listener, options.quiet) as listener:
            run_study(
                spec, folder, executor, listener, overwrite=options.overwrite, settled=settled, began=options.began
            )
        return Study(folder, options.margin, optimizers_here)


@takes(PlanOptions)
def plan(tasks: Tasks, options: PlanOptions) -> Plan:
    """What `compare` would do with the same arguments, and for how long. Times some steps, trains nothing."""
    with speaking(options.language), tempfile.TemporaryDirectory(prefix="steepest-plan-") as scratch:
        spec, tasks_here, optimizers_here = study_spec(tasks, options, options.command)
        folder = Path(scratch)
        executor = _executor(folder, spec.workers, spec.memory_bytes, tasks_here, optimizers_here)
        with _progress(options.listener, options.quiet) as listener:
            return run_forecast(spec, folder, executor, listener)


def recommend(task: OneTask, budget: str | float | None = None, **options: Any) -> Advice:
    """The best optimizer for a task, tuned: `compare(task, budget=budget, **options).best`."""
    return compare(task, budget=budget, **options).best


def resume(
    folder: Path | str,
    *,
    tasks: Sequence[Task] = (),
    workers: int | None = None,
    memory: str | float | None = None,
    quiet: bool = False,
    listener: Listener | None = None,
    language: Language | None = None,
) -> Study:
    """Go on with a study that was interrupted or killed. Tasks that lived in memory have to be handed in again."""
    folder = Path(folder)
    tasks_here = {task.name: task for task in tasks}
    for task in store.read_spec(folder).tasks:
        if task.ref.source == "memory" and task.ref.locator not in tasks_here:
            raise BadTask(
                f"The task {task.ref.locator!r} of {folder} was an object in memory. Resume in Python: "
                f"steepest.resume({str(folder)!r}, tasks=[task])."
            )
    with speaking(language), _progress(listener, quiet) as listener:
        executor = _executor(folder, worker_count(workers), planner.parse_memory(memory), tasks_here, {})
        run_resume(folder, executor, listener, settled)
    return Study(folder)


def open_study(folder: Path | str, margin: float | None = None) -> Study:
    """A study that exists, finished or not."""
    return Study(folder, margin)


def settled(study: StudyRecord) -> frozenset[str]:
    """The tasks whose verdict is sure, by their own margins: what a study asks that adds seeds until it is."""
    return frozenset(verdict.task.name for verdict in decide(study).tasks if verdict.settled)


@contextmanager
def _progress(listener: Listener | None, quiet: bool) -> Iterator[Listener]:
    """The caller's listener, or a table that is taken off the terminal in the end."""
    if listener is not None:
        yield listener
        return
    table = live_listener(quiet=quiet)
    try:
        yield table
    finally:
        table.close()


def _executor(
    folder: Path, workers: int, memory: float | None, tasks: Mapping[str, Task], optimizers: Mapping[str, Any]
) -> Executor:
    """Fresh worker processes; forked ones where they need objects of this process; none where nothing can fork.

    memory: bytes for all of them.
    """
    share = None if memory is None else memory / workers
    if not (tasks or optimizers):
        return LocalProcesses(folder, workers, memory=share)
    registry = ObjectRegistry(tasks=tasks, optimizers=optimizers)
    if sys.platform.startswith("linux"):  # elsewhere a fork of a process that has used torch may hang
        import_all()
        return LocalProcesses(folder, workers, partial(serve, registry=registry), share)
    return FunctionExecutor(partial(run_job, folder=folder, registry=registry))


# ---- what there is ---------------------------------------------------------------------------------------------------


def describe(name: str) -> tuple[Literal["optimizer", "task"], dict[str, Any]]:
    """All about the optimizer or the task of this name. Raises UnknownName with the nearest of both."""
    if name.split("+")[0] in optimizer_catalogue.names():
        entry = optimizer_catalogue.entry(name)
        return "optimizer", optimizer_catalogue.describe(entry) | {
            "code": drop_in.code(optimizer_catalogue.contender(entry), entry.rate)
        }
    if name in task_catalogue.names():
        return "task", task_catalogue.describe(task_catalogue.entry(name))
    raise UnknownName.among("optimizer or task", name, [*optimizer_catalogue.names(), *task_catalogue.names()])


def optimizers() -> list[dict[str, Any]]:
    """A row for every optimizer of the catalogue."""
    return [optimizer_catalogue.describe(entry) for entry in optimizer_catalogue.CATALOGUE]


def tasks() -> list[dict[str, Any]]:
    """A row for every built-in task."""
    return [task_catalogue.describe(entry) for entry in task_catalogue.CATALOGUE]


def suite(name: str | None) -> tuple[str, ...]:
    """The names of a suite's tasks; none for none. Raises UnknownName."""
    return () if name is None else task_catalogue.suite(name)


def check(task: OneTask) -> dict[str, Any]:
    """Whether a task can be trained, and how, in seconds: its parts, some steps of Adam, and the engine that it gets.

    Raises BadTask, with one sentence, for whatever cannot be trained.
    """
    (ref,), memory = task_references(task)
    return try_task(load.resolve(ref, memory), ref)
