"""`compare()` and its relatives: wires catalogues, engine, study, verdict and report for a caller, in Python or on the
command line. The only place that sees the whole house.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Literal

import torch

from steepest.adapters import frameworks
from steepest.adapters import torch as drop_in
from steepest.builtin import task_table as task_catalogue
from steepest.design.contenders import DEFAULT, enter
from steepest.design.factors import OF_RULE, Axes, describe_axes, expand
from steepest.design.options import Choices, DtypeName, EngineName
from steepest.engine.fleet_support import unsupported_reason
from steepest.engine.random_sources import preserved_generators, seed_step
from steepest.engine.shard import ObjectRegistry, run_job
from steepest.engine.solo import Trial
from steepest.engine.worker import import_all, serve
from steepest.errors import BadSetting, BadTask, UnknownName
from steepest.ingest import load
from steepest.messages import Language, speaking
from steepest.optim import catalogue as optimizer_catalogue
from steepest.reader import StudyReader
from steepest.records.contender import RULE_IN_MEMORY, TORCH_IN_MEMORY, Contender
from steepest.records.study_record import StudyDesign, StudyRecord
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane, Shard
from steepest.report.terminal import listener as live_listener
from steepest.study import planner, store
from steepest.study.environment import cores
from steepest.study.executors import Executor, FunctionExecutor, LocalProcesses
from steepest.study.run import Listener
from steepest.study.run import forecast as run_forecast
from steepest.study.run import resume as run_resume
from steepest.study.run import run as run_study
from steepest.study.spec import Plan, StudySpec, TaskSpec
from steepest.tasks.check import check as sound
from steepest.tasks.task import Task
from steepest.tasks.warnings import cautions
from steepest.verdict.decide import decide

IN_MEMORY = (RULE_IN_MEMORY, TORCH_IN_MEMORY)


# ---- what a caller gets ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Advice:
    """An optimizer, tuned: what to use, and how to build it."""

    task: str
    optimizer: str
    rule: str
    rate: float
    schedule: str
    settings: Mapping[str, Any]
    code: str
    """Code to paste: the framework's own class where it trains identically, else what can be had, and what differs."""
    framework: str = "torch"
    maker: Any = None
    """The rule or factory itself, where it is no entry of the catalogue but an object of the caller's."""

    def build(self, parameters: Any) -> torch.optim.Optimizer:
        """The optimizer over a model's parameters, as `torch.optim` builds them; a schedule is not part of it.

        Raises BadSetting for an optimizer that was an object in another process.
        """
        if not self.rule.startswith(IN_MEMORY):
            return drop_in.build(self.rule, parameters, lr=self.rate, **self.settings)
        if self.maker is None:
            raise BadSetting(f"{self.optimizer} was an object in the process that ran the study; build it as there.")
        if self.rule.startswith(RULE_IN_MEMORY):
            return drop_in.build(self.maker, parameters, lr=self.rate, **self.settings)
        return self.maker(parameters, lr=self.rate, **self.settings)

    def to_json(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "maker"}


def _beside(contender: Contender) -> str:
    """What the advice takes for granted beside the optimizer, as a comment above its code."""
    told = describe_axes({name: value for name, value in contender.axes.items() if name not in OF_RULE})
    return f"# As it was measured: with {told}.\n" if told else ""


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
            code=_beside(contender)
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


# ---- studies ---------------------------------------------------------------------------------------------------------


def compare(
    tasks: Task | TaskRef | str | Path | Sequence[Task | TaskRef | str | Path],
    optimizers: str | Sequence[Any] | None = None,
    *,
    axes: Axes | None = None,
    budget: str | float | None = None,
    seeds: int | None = None,
    until_sure: bool = False,
    first_seed: int = 0,
    race: bool = False,
    grid: int | None = None,
    rates: Sequence[float] | str | None = None,
    batch_sizes: Sequence[int | str] | str | None = None,
    schedule: str = "constant",
    reference: str | None = None,
    workers: int | None = None,
    memory: str | float | None = None,
    engine: EngineName = "auto",
    dtype: DtypeName = "float32",
    device: str = "cpu",
    out: Path | str | None = None,
    overwrite: bool = False,
    margin: float | None = None,
    quiet: bool = False,
    listener: Listener | None = None,
    command: str = "",
    began: float | None = None,
    language: Language | None = None,
) -> Study:
    """Train every optimizer at every rate on every seed, and return the study with its verdict.

    `tasks`: a Task, the name of a built-in one, a file that defines `task`, a `steepest.from_file(…)`, or several of
    these.
    `optimizers`: names of the catalogue ("adam", "adam:b2=0.99"), rules, `torch.optim` classes or factories; by default
    the methods of the textbooks. `budget`: "5m", "90s" or seconds; without it the default protocol runs in full.
    `rates`: try these in place of each optimizer's grid. `batch_sizes`: compare these too, at equal samples and at
    equal seconds. `reference`: all others are compared with it as well as with the best; "adam" where it takes part.
    `axes`: regularisation and augmentation to compare, such as {"dropout": [0, 0.2, 0.5]}: every value with every
    optimizer, each tuned on its own (docs/axes.md).
    `out`: the study folder, by default a new one in runs/. `margin`: see `StudyReader`. `seeds`: 10 replicates of each
    optimizer's whole tuning, counted from `first_seed`: another one gives fresh luck throughout. `until_sure`: begin
    with 5 seeds and add more, up to `seeds` (20), until every answer is sure by the task's own margin; ranges are as
    wide as such looking takes.
    `race`: stop rates early that are clearly behind others of their seed. `memory`: "4G", or bytes, that all workers
    may take for training; by default half of what is free. `began`: the budget counts from then, by `time.monotonic()`,
    rather than from this call. `language`: of the progress that is told, such as "zh"; that of STEEPEST_LANG.

    Raises BadInput for whatever cannot be run as asked, DataUnavailable, StudyFolderError, and Interrupted on Ctrl-C.
    """
    choices = Choices(
        optimizers=optimizers,
        axes=axes,
        batch_sizes=batch_sizes,
        rates=rates,
        schedule=schedule,
        reference=reference,
        budget=budget,
        seeds=seeds,
        until_sure=until_sure,
        first_seed=first_seed,
        race=race,
        grid=grid,
        workers=workers,
        memory=memory,
        engine=engine,
        dtype=dtype,
        device=device,
    )
    with speaking(language):
        return compare_by(
            tasks, choices, out=out, overwrite=overwrite, margin=margin, quiet=quiet, listener=listener,
            command=command, began=began,
        )  # fmt: skip


def compare_by(
    tasks: Task | TaskRef | str | Path | Sequence[Task | TaskRef | str | Path],
    choices: Choices,
    *,
    out: Path | str | None = None,
    overwrite: bool = False,
    margin: float | None = None,
    quiet: bool = False,
    listener: Listener | None = None,
    command: str = "",
    began: float | None = None,
) -> Study:
    """`compare`, with its choices as one value."""
    crew, spec = _prepare(tasks, choices, command)
    folder = _new_folder(spec) if out is None else Path(out)
    executor = crew.executor(folder, spec.workers, spec.memory_bytes)
    with _told(listener, quiet) as told:
        run_study(spec, folder, executor, told, overwrite=overwrite, settled=settled, began=began)
    return Study(folder, margin, crew.optimizers)


def plan(
    tasks: Task | TaskRef | str | Path | Sequence[Task | TaskRef | str | Path],
    optimizers: str | Sequence[Any] | None = None,
    *,
    quiet: bool = False,
    listener: Listener | None = None,
    command: str = "",
    language: Language | None = None,
    **choices: Any,
) -> Plan:
    """What `compare` would do with the same arguments, and for how long. Times some steps, trains nothing.

    `choices`: those of `compare`, by the same names (`Choices` has them all).
    """
    asked = Choices(optimizers=optimizers, **choices)
    with speaking(language):
        return plan_by(tasks, asked, quiet=quiet, listener=listener, command=command)


def plan_by(
    tasks: Task | TaskRef | str | Path | Sequence[Task | TaskRef | str | Path],
    choices: Choices,
    *,
    quiet: bool = False,
    listener: Listener | None = None,
    command: str = "",
) -> Plan:
    """`plan`, with its choices as one value."""
    crew, spec = _prepare(tasks, choices, command)
    with tempfile.TemporaryDirectory(prefix="steepest-plan-") as scratch:
        folder = Path(scratch)
        executor = crew.executor(folder, spec.workers, spec.memory_bytes)
        with _told(listener, quiet) as told:
            return run_forecast(spec, folder, executor, told)


def recommend(task: Task | str | Path, budget: str | float | None = None, **choices: Any) -> Advice:
    """The best optimizer for a task, tuned: `compare(task, budget=budget, **choices).best`."""
    return compare(task, budget=budget, **choices).best


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
    spec = store.read_spec(folder)
    crew = _Crew({task.name: task for task in tasks}, {})
    for task in spec.tasks:
        if task.ref.source == "memory" and task.ref.locator not in crew.tasks:
            raise BadTask(
                f"The task {task.ref.locator!r} of {folder} was an object in memory. Resume in Python: "
                f"steepest.resume({str(folder)!r}, tasks=[task])."
            )
    with speaking(language), _told(listener, quiet) as told:
        executor = crew.executor(folder, _workers(workers), planner.parse_memory(memory))
        run_resume(folder, executor, told, settled)
    return Study(folder)


def open_study(folder: Path | str, margin: float | None = None) -> Study:
    """A study that exists, finished or not."""
    return Study(folder, margin)


def settled(study: StudyRecord) -> frozenset[str]:
    """The tasks whose verdict is sure, by their own margins: what a study asks that adds seeds until it is."""
    return frozenset(verdict.task.name for verdict in decide(study).tasks if verdict.settled)


@contextmanager
def _told(listener: Listener | None, quiet: bool) -> Iterator[Listener]:
    """Whoever is told of the progress: the caller's listener, or a table that is taken off the terminal in the end."""
    if listener is not None:
        yield listener
        return
    table = live_listener(quiet=quiet)
    try:
        yield table
    finally:
        table.close()


# ---- from arguments to a spec ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Crew:
    """What only this process holds in memory, and so who can train it."""

    tasks: Mapping[str, Task]
    optimizers: Mapping[str, Any]

    def executor(self, folder: Path, workers: int, memory: float | None) -> Executor:
        """Fresh worker processes; forked ones where something has to be taken along; none where nothing can fork.
        `memory`: bytes for all of them."""
        share = None if memory is None else memory / workers
        if not (self.tasks or self.optimizers):
            return LocalProcesses(folder, workers, memory=share)
        registry = ObjectRegistry(tasks=self.tasks, optimizers=self.optimizers)
        if sys.platform.startswith("linux"):  # elsewhere a fork of a process that has used torch may hang
            import_all()
            return LocalProcesses(folder, workers, partial(serve, registry=registry), share)
        return FunctionExecutor(partial(run_job, folder=folder, registry=registry))


def _prepare(tasks: Any, choices: Choices, command: str) -> tuple[_Crew, StudySpec]:
    refs, tasks_in_memory = _tasks(tasks)
    optimizers = DEFAULT if choices.optimizers is None else choices.optimizers
    contenders, optimizers_in_memory = enter(optimizers, choices.schedule, choices.rates, choices.batch_sizes)
    contenders = expand(contenders, choices.axes, optimizers_in_memory)
    names, reference = [contender.name for contender in contenders], choices.reference
    if reference is not None and reference not in names:  # with axes: its first values
        reference = next((contender.name for contender in contenders if contender.optimizer == reference), reference)
    spec = StudySpec(
        name="-".join(ref.name for ref in refs),
        command=command or "steepest.compare(…), in Python",
        tasks=tuple(_variants(refs, choices.batch_sizes is not None)),
        contenders=tuple(contenders),
        reference=reference or _reference(contenders),
        protocol=_protocol(choices),
        race=choices.race,
        memory_bytes=planner.parse_memory(choices.memory),
        engine=choices.engine,
        dtype=choices.dtype,
        device=_device(choices.device),
        workers=_workers(choices.workers),
        budget_seconds=None if choices.budget is None else planner.parse_budget(choices.budget),
    )
    if reference is not None and reference not in names:
        raise UnknownName.among("contender", reference, names, "The reference must be one of them.")
    return _Crew(tasks_in_memory, optimizers_in_memory), spec.check()


def _tasks(asked: Any) -> tuple[list[TaskRef], dict[str, Task]]:
    """References to the tasks asked for, and those that live in memory only."""
    refs: list[TaskRef] = []
    memory: dict[str, Task] = {}
    for item in asked if isinstance(asked, list | tuple) else [asked]:
        if isinstance(item, Task):
            refs.append(TaskRef(name=item.name, source="memory", locator=item.name))
            memory[item.name] = item
        elif isinstance(item, TaskRef):
            refs.append(item)
        elif isinstance(item, Path) or str(item).endswith(".py") or "/" in str(item):
            refs.append(load.reference(Path(item)))
        elif isinstance(item, str):
            entry = task_catalogue.entry(item)
            entry.fetch()  # here, where the licence is seen, and not in a worker
            refs.append(TaskRef(name=entry.name, source="catalogue", locator=item))
        else:
            raise BadTask(f"{item!r} is not a task: pass a steepest.Task, a built-in task's name, or a .py file.")
    return refs, memory


def _variants(refs: Sequence[TaskRef], batch_axis: bool) -> list[TaskSpec]:
    """The tasks of a study; where batch sizes are compared, each at equal samples and again at equal seconds."""
    specs = [TaskSpec(ref=ref) for ref in refs]
    if batch_axis:
        specs += [TaskSpec(ref=replace(ref, name=f"{ref.name} (equal seconds)"), equal="seconds") for ref in refs]
    return specs


MOST_SEEDS = 20
"""Seeds that a study may come to which adds them until it is sure."""


def _protocol(choices: Choices) -> StudyDesign:
    default = StudyDesign()
    points = default.rates if choices.grid is None else choices.grid
    usual = MOST_SEEDS if choices.until_sure else default.seeds
    return StudyDesign(
        seeds=usual if choices.seeds is None else choices.seeds,
        first_seed=choices.first_seed,
        until_sure=choices.until_sure,
        rates=points,
        decades=default.decades,
        extra_rates=default.extra_rates if points >= 3 else 0,
    )


def _reference(contenders: Sequence[Contender]) -> str:
    """What people use unless they know better: Adam, where it takes part."""
    found = (contender.name for contender in contenders if "adam" in (contender.name, contender.optimizer))
    return next(found, contenders[0].name)


def _workers(workers: int | None) -> int:
    return cores() if workers is None else workers


def _device(device: str) -> str:
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise BadSetting(f"The device {device!r} cannot be used: {str(error).splitlines()[0]}") from None
    return device


def _new_folder(spec: StudySpec) -> Path:
    """runs/<name>-<time>, made unique by a number where two studies start in one second."""
    stem = f"{spec.name[:60]}-{datetime.now():%Y%m%d-%H%M%S}".replace(" ", "-")
    folder, number = Path("runs") / stem, 1
    while folder.exists():
        number += 1
        folder = Path("runs") / f"{stem}-{number}"
    return folder


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


TRIED = 30
"""Steps that `check` trains."""


def check(task: Task | TaskRef | str | Path) -> dict[str, Any]:
    """Whether a task can be trained, and how, in seconds: its parts, some steps of Adam, and the engine that it gets.

    Raises BadTask, with one sentence, for whatever cannot be trained.
    """
    (ref,), memory = _tasks(task)
    built = load.resolve(ref, memory)
    sound(built)
    facts = built.facts(ref.name)
    contender = optimizer_catalogue.contender("adam")
    shard = Shard(
        id="check",
        task=ref,
        contender=contender,
        lanes=(Lane(contender.centre, seed=0),),
        batch_size=built.batch_size,
        steps=TRIED,
        evaluate_at=(TRIED,),
    )
    with preserved_generators():
        trial = Trial(built, shard, shard.lanes[0])
        (before,), _ = trial.evaluate("valid")
        times = []
        for t in range(1, TRIED + 1):
            seed_step(0, t)
            start = perf_counter()
            trial.step(t)
            times.append(perf_counter() - start)
        (after,), (quality,) = trial.evaluate("valid")
        found = [*cautions(built)]
    obstacle = unsupported_reason(built)
    return {
        "task": facts.name,
        "title": facts.title,
        "parts": {"train": facts.n_train, "valid": facts.n_valid, "test": facts.n_test},
        "drawn_by_the_seed": list(facts.luck),
        "parameters": facts.parameters,
        "batch_size": facts.batch_size,
        "steps": facts.steps,
        "loss": facts.loss_name,
        "metric": facts.metric,
        "margin": facts.margin,
        "steps_tried": TRIED,
        "rate_tried": contender.centre,
        "valid_loss_before": before if math.isfinite(before) else None,
        "valid_loss_after": after if math.isfinite(after) else None,
        "valid_metric_after": quality if math.isfinite(quality) else None,
        "milliseconds_a_step": median(times) * 1000,
        "engine": "solo" if obstacle else "fleet",
        "obstacle": obstacle,
        "alone": [
            item.name
            for item in optimizer_catalogue.CATALOGUE
            if optimizer_catalogue.fleet_obstacle(item.rule, "constant")
        ],
        "cautions": found,
    }
