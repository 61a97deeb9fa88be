"""Turns tasks and options, as the caller gives them, into a checked and complete spec of a study."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from steepest.builtin import task_table
from steepest.design.baseline import add_baseline
from steepest.design.contenders import DEFAULT, enter
from steepest.design.dial_choices import check_lists, more_trials, tuned, versions_of
from steepest.design.factors import expand
from steepest.design.options import StudyOptions
from steepest.errors import BadSetting, BadTask, UnknownName
from steepest.ingest import load
from steepest.records.contender import Contender
from steepest.records.study_record import StudyDesign
from steepest.records.task_facts import TaskRef
from steepest.records.task_warnings import check_ids
from steepest.records.trials import EngineName, Parallel
from steepest.study import planner
from steepest.study.environment import cores
from steepest.study.spec import StudySpec, TaskSpec
from steepest.tasks.task import Task

OneTask = Task | TaskRef | str | Path
"""A task, the result of `steepest.from_file`, a name of `steepest tasks`, or a Python file that defines `task`."""
Tasks = OneTask | Sequence[OneTask]

MAX_SEEDS_UNTIL_SURE = 20
"""Default maximum number of seeds with `until_sure`."""


def study_spec(
    tasks: Tasks, options: StudyOptions, command: str = ""
) -> tuple[StudySpec, dict[str, Task], dict[str, Any]]:
    """The spec, and the objects that exist only in this process: tasks by name, optimizers by the key of their rule.

    Raises BadInput or DataUnavailable.
    """
    parallel = Parallel.parse(options.parallel)
    refs, tasks_in_memory = task_references(tasks)
    optimizers = DEFAULT if options.optimizers is None else options.optimizers
    contenders, optimizers_in_memory = enter(optimizers, options.schedule, options.rates, options.batch_sizes)
    contenders = expand(contenders, options.axes, optimizers_in_memory)
    own = None
    if options.baseline is not None:
        own = add_baseline(options.baseline, contenders, optimizers_in_memory, options.schedule, options.rates)
        contenders = own.contenders
    fixed = contenders[-1:] if own else []
    contenders = [*tuned(contenders[: len(contenders) - len(fixed)], options, optimizers_in_memory), *fixed]
    names, reference = [contender.name for contender in contenders], options.reference
    if reference is not None and reference not in names:  # with axes: its first values
        reference = _under(reference, contenders)
    spec = StudySpec(
        name="-".join(ref.name for ref in refs),
        command=command or "steepest.compare(…), in Python",
        tasks=tuple(_task_specs(refs, options.batch_sizes is not None)),
        contenders=tuple(contenders),
        reference=reference or (own.name if own else _usual_reference(contenders)),
        baseline=own.name if own else "",
        baseline_tuned=_under(own.tuned, contenders) if own else "",
        accept=check_ids(_accepted(options.accept)),
        protocol=_study_design(options, contenders),
        searches=versions_of(contenders),
        race=options.race,
        memory_bytes=planner.parse_memory(options.memory),
        engine=_engine(options, parallel),
        dtype=options.dtype,
        device=_device(options.device),
        parallel=options.parallel,
        workers=worker_count(options.workers, parallel.ranks if parallel else 1),
        budget_seconds=None if options.budget is None else planner.parse_budget(options.budget),
    )
    if reference is not None and reference not in names:
        raise UnknownName.among("contender", reference, names, "The reference must be one of them.")
    return spec.check(), tasks_in_memory, optimizers_in_memory


def task_references(tasks: Any) -> tuple[list[TaskRef], dict[str, Task]]:
    """References to the tasks, and the tasks that exist only in memory. Downloads the data of built-in tasks."""
    refs: list[TaskRef] = []
    memory: dict[str, Task] = {}
    for item in tasks if isinstance(tasks, list | tuple) else [tasks]:
        if isinstance(item, Task):
            refs.append(TaskRef(name=item.name, source="memory", locator=item.name))
            memory[item.name] = item
        elif isinstance(item, TaskRef):
            refs.append(item)
        elif isinstance(item, Path) or str(item).endswith(".py") or "/" in str(item):
            refs.append(load.reference(Path(item)))
        elif isinstance(item, str):
            entry = task_table.entry(item)
            entry.fetch()  # here, where the licence is seen, and not in a worker
            refs.append(TaskRef(name=entry.name, source="catalogue", locator=item))
        else:
            raise BadTask(f"{item!r} is not a task: pass a steepest.Task, a built-in task's name, or a .py file.")
    return refs, memory


def worker_count(workers: int | None, ranks: int = 1) -> int:
    """The given number of workers, but at most one per core. Raises BadSetting for none.

    ranks: processes of a trial; then it is the number of trials at a time, of all cores by default.
    """
    if workers is not None and workers < 1:
        raise BadSetting(f"A study needs at least 1 worker, not {workers}.")
    return max(1, cores() // ranks) if workers is None else min(workers, cores())


def new_folder(name: str) -> Path:
    """runs/<name>-<time>, with a number if two studies start in the same second."""
    stem = f"{name[:60]}-{datetime.now():%Y%m%d-%H%M%S}".replace(" ", "-")
    folder, number = Path("runs") / stem, 1
    while folder.exists():
        number += 1
        folder = Path("runs") / f"{stem}-{number}"
    return folder


def _task_specs(refs: Sequence[TaskRef], compares_batch_sizes: bool) -> list[TaskSpec]:
    """The tasks of a study. If batch sizes are compared, each task appears at equal samples and at equal seconds."""
    specs = [TaskSpec(ref=ref) for ref in refs]
    if compares_batch_sizes:
        specs += [TaskSpec(ref=replace(ref, name=f"{ref.name} (equal seconds)"), equal="seconds") for ref in refs]
    return specs


def _accepted(ids: str | Sequence[str] | None) -> list[str]:
    """The ids of "a, b" or of a list."""
    words = ids.split(",") if isinstance(ids, str) else ids or ()
    return [word.strip() for word in words if word.strip()]


def _study_design(options: StudyOptions, contenders: Sequence[Contender]) -> StudyDesign:
    default = StudyDesign()
    rates = default.rates if options.grid is None else options.grid
    usual_seeds = MAX_SEEDS_UNTIL_SURE if options.until_sure else default.seeds
    design = StudyDesign(
        seeds=usual_seeds if options.seeds is None else options.seeds,
        first_seed=options.first_seed,
        until_sure=options.until_sure,
        rates=rates,
        decades=default.decades,
        extra_rates=default.extra_rates if rates >= 3 else 0,
    )
    alone = design
    if options.rates is not None:  # they are the grid, and nothing is refined
        alone = replace(design, rates=len(contenders[0].rates), extra_rates=0)
    design = replace(design, more_trials=more_trials(options, alone))
    check_lists(contenders, design.more_trials)
    return design


def _under(name: str, contenders: Sequence[Contender]) -> str:
    """The contender of this name; with axes, the first one of this optimizer."""
    if any(contender.name == name for contender in contenders):
        return name
    return next((contender.name for contender in contenders if contender.optimizer == name), name)


def _usual_reference(contenders: Sequence[Contender]) -> str:
    """Adam, the most common choice, if it takes part, else the first contender."""
    found = (contender.name for contender in contenders if "adam" in (contender.name, contender.optimizer))
    return next(found, contenders[0].name)


def _engine(options: StudyOptions, parallel: Parallel | None) -> EngineName:
    """Trials on several processes are trained one at a time. Raises BadSetting where they cannot be."""
    if parallel is None:
        return options.engine
    if options.engine not in ("auto", "solo"):
        raise BadSetting(f"--parallel trains one trial at a time, so the engine cannot be {options.engine}.")
    if torch.device(_device(options.device)).type != "cpu" or not sys.platform.startswith("linux"):
        raise BadSetting("--parallel works on the device cpu of Linux only: nothing else could be tried yet.")
    return "solo"


def _device(device: str) -> str:
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise BadSetting(f"The device {device!r} cannot be used: {str(error).splitlines()[0]}") from None
    return device
