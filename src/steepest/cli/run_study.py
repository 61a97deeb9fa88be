"""Commands that make studies: run, plan, extend, merge and resume."""

import shlex
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Annotated

from cyclopts import Parameter

import steepest
from steepest.cli import listings
from steepest.cli.shared import Full, Json, Own, StudyFolder, is_trusted, own_tasks, print_json, study_folder
from steepest.clusters.on import LOCAL
from steepest.design.options import (
    OUTPUT,
    STUDY,
    DataOptions,
    ExtendOptions,
    On,
    Quiet,
    RetryKilled,
    Reuse,
    RunOptions,
    Trust,
    Workers,
)
from steepest.errors import Interrupted, StudyFolderError
from steepest.messages import counted, tr
from steepest.records.task_facts import TaskRef
from steepest.study.environment import cores
from steepest.study.executors import prestarted_workers

Names = Annotated[
    str,
    Parameter(group=STUDY, help="Built-in tasks (`steepest tasks` lists them), or Python files that define `task`."),
]
Suite = Annotated[str | None, Parameter(group=STUDY, help="Named set of built-in tasks, such as smoke or core.")]
Folders = Annotated[Path, Parameter(help="Study folders, two or more.")]
Into = Annotated[
    Path | None, Parameter(name="--into", group=OUTPUT, help="New study folder. Default: runs/<task>-<time>.")
]
OpenPage = Annotated[
    bool, Parameter(name="--open", group=OUTPUT, negative="", help="Watch the study live in a browser.")
]
LEFT_OUT = ("--out", "--overwrite", "--quiet", "-q", "--json", "--open", "--full")
"""Options left out of the command that a report shows."""


def run(
    *tasks: Names,
    suite: Suite = None,
    own: Own = None,
    options: Annotated[RunOptions | None, Parameter(name="*")] = None,
    open_page: OpenPage = False,
    full: Full = False,
    json: Json = False,
) -> None:
    began = monotonic()
    options = options or RunOptions()
    with _started_workers(options.workers, options.on), _page_beside(open_page, options.out):
        options = replace(options, command=_command_line(), began=began)
        study = steepest.compare(_tasks(tasks, suite, own, json), **vars(options))
        _conclude(study, json, full)


def plan(
    *tasks: Names,
    suite: Suite = None,
    own: Own = None,
    options: Annotated[RunOptions | None, Parameter(name="*")] = None,
    open_page: OpenPage = False,
    full: Full = False,
    json: Json = False,
) -> None:
    """Takes what `run` takes, so that the word can be exchanged; what is only for a run changes nothing."""
    options = options or RunOptions()
    with _started_workers(options.workers):
        options = replace(options, command=_command_line())
        forecast = steepest.api.plan(_tasks(tasks, suite, own, json), **vars(options))
    print_json(listings.plan_json(forecast)) if json else print(listings.plan(forecast))


def resume(
    folder: StudyFolder = None,
    *,
    workers: Workers = None,
    trust: Trust = False,
    retry_killed: RetryKilled = False,
    quiet: Quiet = False,
    full: Full = False,
    json: Json = False,
    on: On = LOCAL,
) -> None:
    place = study_folder(folder)
    with _started_workers(workers, on):
        trusted = is_trusted(place, trust)
        study = steepest.resume(place, workers=workers, quiet=quiet, trust=trusted, retry_killed=retry_killed, on=on)
        _conclude(study, json, full)


def extend(
    folder: StudyFolder = None,
    *,
    options: Annotated[ExtendOptions | None, Parameter(name="*")] = None,
    reuse: Reuse = None,
    workers: Workers = None,
    trust: Trust = False,
    quiet: Quiet = False,
    full: Full = False,
    json: Json = False,
    on: On = LOCAL,
) -> None:
    place, options = study_folder(folder), options or ExtendOptions()
    with _started_workers(workers, on):
        trusted = is_trusted(place, trust)
        given = {"workers": workers, "quiet": quiet, "trust": trusted, "reuse": reuse, "on": on}
        study = steepest.extend(place, **vars(options), **given, command=_command_line())
        _conclude(study, json, full)


def merge(
    *folders: Folders,
    into: Into = None,
    workers: Workers = None,
    quiet: Quiet = False,
    full: Full = False,
    json: Json = False,
) -> None:
    study = steepest.merge(*folders, into=into, workers=workers, quiet=quiet, command=_command_line())
    _conclude(study, json, full)


def _tasks(names: tuple[str, ...], suite: str | None, own: DataOptions | None, json: bool) -> tuple[str | TaskRef, ...]:
    """All tasks that were named, as names, a suite or a file; by default, digits."""
    return (*names, *steepest.api.suite(suite), *own_tasks(own, json)) or ("digits",)


def _conclude(study: "steepest.Study", json: bool, full: bool) -> None:
    """Write the report and print the verdict, which is printed even if the report cannot be written."""
    path, trouble = _written_report(study)
    if json:
        print_json(study.verdict.to_json() | {"folder": str(study.folder), "report": path and str(path)})
    else:
        print(study.text(full=full) + "\n")
        if not full:
            print(tr("All sentences: {command}", command=f"steepest verdict {study.folder} --full"))
        if path:
            print(tr("Report: {path}", path=str(path)))
        print(tr("Code to paste: {command}", command=f"steepest use {study.folder}"))
    if trouble:
        raise trouble


def _written_report(study: "steepest.Study") -> tuple[Path | None, StudyFolderError | None]:
    """The report's path; or why there is none."""
    try:
        return study.write_report(), None
    except StudyFolderError as error:
        later = f"The study is finished. Write its report elsewhere: steepest report {study.folder} --out FILE"
        return None, StudyFolderError(f"{error} {later}")
    except KeyboardInterrupt:
        later = f"The study is finished. Write its report with: steepest report {study.folder}"
        raise Interrupted(later) from None


def _started_workers(workers: int | None, on: str = LOCAL) -> AbstractContextManager[None]:
    """Worker processes that import torch while this process does, if it is to train; says so if they are fewer than
    asked for."""
    if on != LOCAL:
        return nullcontext()
    usable = min(workers or cores(), cores())
    if workers is not None and workers > usable:
        cores_here = counted(
            usable, "This machine has {n} core: {n} worker.", "This machine has {n} cores: {n} workers."
        )
        print(cores_here, file=sys.stderr)
    return prestarted_workers(usable)


def _page_beside(wanted: bool, folder: Path | str | None) -> AbstractContextManager[None]:
    """The live page of the study that is about to start, if wanted."""
    if not wanted:
        return nullcontext()
    from steepest.serving.background import page  # loads numpy and pydantic

    return page(None if folder is None else Path(folder))


def _command_line() -> str:
    """The command as typed, for the report's `how to reproduce`."""
    words = sys.argv[1:]
    kept = [
        word
        for i, word in enumerate(words)
        if word not in LEFT_OUT and not word.startswith("--out=") and (i == 0 or words[i - 1] != "--out")
    ]
    typed = shlex.join(["steepest", *kept])
    return typed.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")  # a name need not be UTF-8
