"""The Python interface: `compare()`, `plan()`, `resume()` and the like, which the command line calls, too.

It connects design, study, engine, verdict and report, and is the only module that imports all of them.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

from steepest.adapters import frameworks
from steepest.adapters.recommendation import IN_MEMORY, Advice
from steepest.builtin import task_table as task_catalogue
from steepest.clusters.on import Place, place, refuse_objects
from steepest.clusters.remote import RemoteExecutor
from steepest.design.contenders import of_files
from steepest.design.dial_choices import with_setting
from steepest.design.extension import extended_spec
from steepest.design.factors import OF_RULE, describe_axes
from steepest.design.options import ExtendOptions, RunOptions, takes
from steepest.design.study_spec import OneTask, Tasks, new_folder, study_spec, task_references, worker_count
from steepest.engine.shard import ObjectRegistry, run_job
from steepest.engine.try_task import try_task
from steepest.engine.worker import import_all, serve
from steepest.errors import BadSetting, BadTask, UnknownName
from steepest.ingest import load
from steepest.messages import Language, Message, speaking
from steepest.optim import catalogue as optimizer_catalogue
from steepest.optim import choosing
from steepest.reader import StudyReader
from steepest.records.contender import Contender
from steepest.records.litter import scratch
from steepest.records.outcomes import Trace
from steepest.records.progress_record import Progress
from steepest.records.question import Question
from steepest.records.study_record import StudyRecord
from steepest.report.terminal import listener as live_listener
from steepest.study import planner, store
from steepest.study.executors import Executor, FunctionExecutor, LocalProcesses
from steepest.study.growth import check_finished
from steepest.study.merging import merged, parts_of
from steepest.study.run import Listener
from steepest.study.run import extend as run_extend
from steepest.study.run import forecast as run_forecast
from steepest.study.run import merge as run_merge
from steepest.study.run import resume as run_resume
from steepest.study.run import run as run_study
from steepest.study.spec import Plan, StudySpec
from steepest.study.trial_cache import is_wanted
from steepest.study.trust import check_trust, code_of, remember, sentence, unknown_code
from steepest.tasks.task import Task
from steepest.verdict.decide import decide


class Study(StudyReader):
    """A study. Adds to `StudyReader` what needs torch: the recommended optimizer."""

    def __init__(
        self,
        folder: Path | str,
        margin: float | None = None,
        question: Question | None = None,
        makers: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(folder, margin, question)
        self._makers = makers or {}

    @cached_property
    def best(self) -> Advice:
        """The recommended optimizer for the first task: the best one, or a much faster one that ties with it."""
        return self.advice()

    def advice(self, task: str | None = None, optimizer: str | None = None, framework: str = "torch") -> Advice:
        """How to use an optimizer on a task, with code for "torch", "lightning", "transformers", "keras" or "optax".

        task: default the first one. optimizer: default the recommended one.

        Raises UnknownName or BadSetting.
        """
        frameworks.title(framework)
        verdicts = {verdict.task.name: verdict for verdict in self.verdict.tasks}
        name = next(iter(verdicts)) if task is None else task
        if name not in verdicts:
            raise UnknownName.among("task", name, verdicts, "It must be a task of this study.")
        standings = {standing.contender: standing for standing in verdicts[name].standings}
        chosen = verdicts[name].advised if optimizer is None else optimizer
        if chosen not in standings:  # the optimizer alone, where its searches or factors are compared: the best of them
            own = {item.name for item in self.record.contenders if item.optimizer == chosen}
            chosen = next((each for each in standings if each in own), chosen)
        if chosen not in standings:
            raise UnknownName.among("optimizer", chosen, standings, "It must be a contender of this study.")
        turned = standings[chosen].turned
        setting = turned.setting if turned else {}
        rate = float(setting["lr"]) if setting else standings[chosen].rate
        if rate is None:
            raise BadSetting(
                f"No learning rate can be recommended for {chosen} on {name}: no trial finished with finite values."
            )
        contender = with_setting(next(item for item in self.record.contenders if item.name == chosen), setting)
        own = contender.rule.partition(":")[2] if contender.rule.startswith(IN_MEMORY) else ""
        pasted = rate if rate in contender.rates else float(f"{rate:.3g}")
        steps = verdicts[name].task.steps
        return Advice(
            task=name,
            optimizer=chosen,
            rule=contender.rule,
            rate=rate,
            schedule=contender.schedule,
            settings=dict(contender.settings),
            code=_comment_on_factors(contender)
            + (
                frameworks.own_code(framework, own, contender, pasted, horizon=steps)
                if own
                else frameworks.code(framework, contender, pasted, horizon=steps)
            ),
            framework=framework,
            maker=self._makers.get(own),
        )

    def __str__(self) -> str:
        return self.text()


def _comment_on_factors(contender: Contender) -> str:
    """The regularisation and augmentation that the optimizer was measured with, as a comment above its code."""
    factors = describe_axes({name: value for name, value in contender.axes.items() if name not in OF_RULE})
    return f"# Measured with {factors}.\n" if factors else ""


# ---- studies ---------------------------------------------------------------------------------------------------------


@takes(RunOptions)
def compare(tasks: Tasks, options: RunOptions) -> Study:
    """Train every optimizer at every learning rate on every seed, and return the study with its verdict.

    `tasks`: a Task, the name of a built-in task, a file that defines `task`, `steepest.from_file(…)`, or a list of
    these. `optimizers` may also be rules, `torch.optim` classes or factories, or a mapping from names of your own to
    these. Default: the classic optimizers.
    `axes` may be a mapping, such as {"dropout": [0, 0.2, 0.5]} (docs/axes.md). Lists need not be strings: rates=[0.01],
    batch_sizes=[1, "full"]. A budget may be given in seconds, and memory in bytes.

    Raises BadInput for invalid arguments, DataUnavailable, StudyFolderError, and Interrupted on Ctrl-C.
    """
    with speaking(options.language):
        there = place(options.on)
        spec, tasks_here, optimizers_here = study_spec(tasks, options, options.command)
        remember(code_of(spec))
        folder = new_folder(spec.name) if options.out is None else Path(options.out)
        memory = spec.memory_bytes if there is None or options.memory is not None else None
        executor = _executor(there, folder, spec, options.workers, memory, tasks_here, optimizers_here)
        if there is not None:
            spec = spec.model_copy(update={"workers": executor.workers, "memory_bytes": memory}).check()
        with _progress(options.listener, options.quiet) as listener:
            run_study(
                spec,
                folder,
                executor,
                listener,
                overwrite=options.overwrite,
                settled=settled,
                began=options.began,
                reuse=is_wanted(options.reuse),
            )
        return Study(folder, options.margin, makers=optimizers_here)


@takes(RunOptions)
def plan(tasks: Tasks, options: RunOptions) -> Plan:
    """What `compare` would train with the same arguments, and how long it would take. Only times some steps; options
    of the study's folder change nothing."""
    with speaking(options.language), scratch("steepest-plan") as folder:
        spec, tasks_here, optimizers_here = study_spec(tasks, options, options.command)
        remember(code_of(spec))
        executor = _executor(None, folder, spec, options.workers, spec.memory_bytes, tasks_here, optimizers_here)
        with _progress(options.listener, options.quiet) as listener:
            return run_forecast(spec, folder, executor, listener)


def recommend(task: OneTask, budget: str | float | None = None, **options: Any) -> Advice:
    """The recommended optimizer for a task, with its tuned learning rate: `compare(…).best`."""
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
    trust: bool = False,
    retry_killed: bool = False,
    on: str = "local",
) -> Study:
    """Continue a study that was interrupted or killed. Tasks that were objects in memory must be passed again.

    trust: run files that the study names even if you have not run them before. Raises BadTask without it.
    retry_killed: train again the runs that ran out of memory or were killed.
    on: where to train, as in `compare`; it need not be where the study began.
    """
    folder, there = Path(folder), place(on)
    tasks_here = {task.name: task for task in tasks}
    spec = store.read_spec(folder)
    check_trust(code_of(spec), trust)
    _check_memory(folder, spec, tasks_here)
    with speaking(language), _progress(listener, quiet) as listener:
        executor = _executor(there, folder, spec, workers, memory, tasks_here, of_files(spec.contenders))
        run_resume(folder, executor, listener, settled, retry_killed)
    return Study(folder)


def extend(
    folder: Path | str,
    *,
    seeds: int | None = None,
    optimizers: str | Sequence[Any] | None = None,
    rates: str | Sequence[float] | None = None,
    tasks: Any = None,
    workers: int | None = None,
    memory: str | float | None = None,
    quiet: bool = False,
    listener: Listener | None = None,
    language: Language | None = None,
    trust: bool = False,
    reuse: bool | None = None,
    command: str = "",
    on: str = "local",
) -> Study:
    """Add seeds, optimizers, learning rates or tasks to a finished study. Only what is new is trained, and the result
    is that of a study run at once; the verdict accounts for having been repeated.

    seeds: how many the study shall have. optimizers, tasks: as in `compare`; those that the study has are passed again
    only if they were objects in memory. rates: more of them, for a study with rates of your own. reuse, on: as in
    `compare`; the place need not be where the study began.

    Raises BadSetting if there is nothing to add, and otherwise as `resume` and `compare` do.
    """
    folder, there = Path(folder), place(on)
    old = store.read_spec(folder)
    check_finished(folder, store.read(folder).finished)
    check_trust(code_of(old), trust)
    asked = ExtendOptions(seeds=seeds, optimizers=optimizers, rates=rates, tasks=tasks)
    spec, tasks_here, optimizers_here = extended_spec(old, asked, command)
    optimizers_here = {**of_files(old.contenders), **optimizers_here}
    _check_memory(folder, old, tasks_here)
    remember(code_of(spec))
    with speaking(language), _progress(listener, quiet) as listener:
        executor = _executor(there, folder, spec, workers, memory, tasks_here, optimizers_here)
        run_extend(folder, spec, executor, listener, settled, is_wanted(reuse))
    return Study(folder, makers=optimizers_here)


def merge(
    *folders: Path | str,
    into: Path | str | None = None,
    workers: int | None = None,
    quiet: bool = False,
    listener: Listener | None = None,
    language: Language | None = None,
    command: str = "",
) -> Study:
    """Put finished studies of the same task and protocol together in a new folder, as the study of all their
    optimizers, learning rates and seeds, run at once. The studies themselves are not changed.

    into: the new folder. Default: runs/<task>-<time>. Trials are taken as they are; only a few whose test examples were
    not kept are trained again, if the task is at hand.

    Raises BadSetting for studies that are not comparable, or that differ in a trial that both have.
    """
    with speaking(language), _progress(listener, quiet) as listener:
        parts = parts_of([Path(folder) for folder in folders])
        spec = merged(parts, command or "steepest.merge(…), in Python")
        folder = new_folder(spec.name) if into is None else Path(into)
        if folder.resolve() in [part.folder.resolve() for part in parts]:
            raise BadSetting(f"{folder} is one of the studies to merge, which are not changed. Give another folder.")
        executor = _local_executor(folder, worker_count(workers), None, {}, {}) if _can_train(spec) else None
        run_merge(parts, spec, folder, executor, listener, settled)
    return Study(folder)


def _can_train(spec: StudySpec) -> bool:
    """Whether its trials can be trained here without any object or code that would have to be asked for."""
    if any(each.is_in_memory for each in spec.contenders) or any(each.ref.source == "memory" for each in spec.tasks):
        return False
    with suppress(BadTask):
        return not unknown_code(each.ref for each in spec.tasks)
    return False


def _check_memory(folder: Path, spec: StudySpec, tasks: Mapping[str, Task]) -> None:
    """Raise BadTask where a task of the study was an object that has not been passed again."""
    for task in spec.tasks:
        if task.ref.source == "memory" and task.ref.locator not in tasks:
            raise BadTask(
                f"The task {task.ref.locator!r} of {folder} was a Python object, which a study folder does not store. "
                f"Go on in Python: steepest.resume({str(folder)!r}, tasks=[task])"
            )


def code_to_trust(folder: Path | str) -> str:
    """Which files `resume` would run that the user has not run before, as a sentence; "" if there are none.

    Raises BadTask for a file that is not the one that the study was made with.
    """
    unknown = unknown_code(code_of(store.read_spec(Path(folder))))
    return sentence(unknown) if unknown else ""


def open_study(folder: Path | str, margin: float | None = None, question: Question | None = None) -> Study:
    """Open an existing study, finished or not."""
    return Study(folder, margin, question)


def settled(study: StudyRecord, traces: Mapping[str, Trace]) -> frozenset[str]:
    """The tasks whose verdict is settled, at the default margins. `until_sure` adds seeds until all are."""
    return frozenset(verdict.task.name for verdict in decide(study, traces=traces).tasks if verdict.settled)


@contextmanager
def _progress(listener: Listener | None, quiet: bool) -> Iterator[Listener]:
    """The caller's listener, or a table in the terminal that is removed at the end."""
    if listener is not None:
        yield listener
        return
    table = live_listener(quiet=quiet)
    is_seen = True

    def show(progress: Progress) -> None:
        nonlocal is_seen
        if is_seen:
            try:
                table(progress)
            except OSError:  # standard error is full or closed: a study does not depend on being watched
                is_seen = False

    try:
        yield show
    finally:
        with suppress(OSError):
            table.close()


def _executor(
    there: Place | None,
    folder: Path,
    spec: StudySpec,
    workers: int | None,
    memory: str | float | None,
    tasks: Mapping[str, Task],
    optimizers: Mapping[str, Any],
) -> Executor:
    """The workers of a study: of this machine, or of the cluster that is `there`.

    workers: as many trials at a time; by default all cores, but no more than there are trials. memory: for all workers
    together; by default what this machine can give, and no limit elsewhere, since nobody knows what is there.
    """
    if there is None:
        count = min(worker_count(workers, spec.ranks), spec.asked_trials())
        whole = planner.parse_memory(memory)
        return _local_executor(folder, count, None if whole is None else whole / count, tasks, optimizers)
    refuse_objects(tasks, optimizers)
    cluster = there(folder, None if workers is None else workers * spec.ranks)
    return RemoteExecutor(folder, cluster, None if memory is None else planner.parse_memory(memory), spec.ranks)


def _local_executor(
    folder: Path, workers: int, memory: float | None, tasks: Mapping[str, Task], optimizers: Mapping[str, Any]
) -> Executor:
    """New worker processes, or forked ones if they need objects of this process. Without fork, this process trains.

    memory: bytes for each worker.
    """
    if not (tasks or optimizers):
        return LocalProcesses(folder, workers, memory=memory)
    registry = ObjectRegistry(tasks=tasks, optimizers=optimizers)
    if sys.platform.startswith("linux"):  # elsewhere a fork of a process that has used torch may hang
        import_all()
        return LocalProcesses(folder, workers, partial(serve, registry=registry), memory)
    return FunctionExecutor(partial(run_job, folder=folder, registry=registry))


# ---- catalogues ------------------------------------------------------------------------------------------------------


def describe(name: str) -> tuple[Literal["optimizer", "task"], dict[str, Any]]:
    """Details of an optimizer or a built-in task. Raises UnknownName with similar names of both kinds."""
    if name.split("+")[0] in optimizer_catalogue.names():
        entry = optimizer_catalogue.entry(name)
        return "optimizer", optimizer_catalogue.describe(entry) | {
            "choice": choosing.choice_of(entry),
            "code": frameworks.code("torch", optimizer_catalogue.contender(entry), entry.rate),
        }
    if name in task_catalogue.names():
        return "task", task_catalogue.describe(task_catalogue.entry(name))
    raise UnknownName.among("optimizer or task", name, [*optimizer_catalogue.names(), *task_catalogue.names()])


def optimizers(
    kind: str | None = None, needs: str | None = None, state: float | None = None, sort: str | None = None
) -> list[dict[str, Any]]:
    """One row per optimizer, or those that are of a kind, need something ("none": nothing), and keep at most
    `state` numbers per parameter. Raises UnknownName.
    """
    chosen = choosing.selected(optimizer_catalogue.CATALOGUE, kind, needs, state, sort)
    return [optimizer_catalogue.describe(entry) for entry in chosen]


def tasks() -> list[dict[str, Any]]:
    """One row per built-in task."""
    return [task_catalogue.describe(entry) for entry in task_catalogue.CATALOGUE]


def suite(name: str | None) -> tuple[str, ...]:
    """The names of a suite's tasks; empty for None. Raises UnknownName."""
    return () if name is None else task_catalogue.suite(name)


def check(task: OneTask, listener: Callable[[Message], None] = lambda doing: None) -> dict[str, Any]:
    """Check in seconds whether a task can be trained: its splits, some steps of Adam, its warnings, and the engine it
    would use. `listener` hears what is being done.

    Raises BadTask if the task cannot be trained.
    """
    (ref,), memory = task_references(task)
    remember([ref])
    return try_task(load.resolve(ref, memory), ref, listener)
