"""Runs the studies of the articles' claims, one after another, each in its own folder; continues unfinished ones."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from steepest import api, why
from steepest.articles import chapter, second_fit
from steepest.articles.hypotheses import JudgedClaim
from steepest.articles.studies import FIRST_SEED, STUDIES, Planned
from steepest.builtin import task_table
from steepest.errors import DataUnavailable, StudyFolderError
from steepest.reader import StudyReader
from steepest.study.planner import parse_budget
from steepest.tasks.task import Task


def run_and_judge(
    folder: Path, page: Path, budget: str | float | None, workers: int | None, quiet: bool, warn: Callable[[str], None]
) -> tuple[list[JudgedClaim], dict[str, Any]]:
    """Run the studies, write the chapter to `page`, and return the outcome of every claim, also as plain values.

    warn: called with a sentence for each task that was left out.
    """
    for sentence in run(folder, budget, workers, quiet):
        warn(sentence)
    chapter.write(folder, page, page.with_suffix(""))
    judged = chapter.judged_claims(folder)
    return judged, chapter.to_json(judged, second_fit.stored(folder))


def run(folder: Path, budget: str | float | None = None, workers: int | None = None, quiet: bool = False) -> list[str]:
    """Train all studies into FOLDER/<key>, except finished ones. A budget is divided among them.

    Then examine the training of some studies, and make the tutorial's second fit. Returns a sentence for each task that
    was left out because its data are unavailable. Raises what `compare` raises.
    """
    seconds = None if budget is None else parse_budget(budget)
    left_out = []
    for planned in STUDIES:
        place = folder / planned.key
        tasks, missing = _tasks(planned)
        left_out += missing
        if tasks and not finished(place):
            _train(planned, tasks, place, None if seconds is None else seconds * planned.share, workers, quiet)
        if tasks and planned.probes:
            why.look_into(place, tasks={task.name: task for task in tasks if isinstance(task, Task)})
    second_fit.train(folder)
    return left_out


def _train(
    planned: Planned, tasks: list[Task | str], place: Path, budget: float | None, workers: int | None, quiet: bool
) -> None:
    if not quiet:
        print(f"{planned.key}: {planned.why}", file=sys.stderr)
    choices: dict[str, Any] = {"batch_sizes": planned.batch_sizes} if planned.batch_sizes else {}
    api.compare(
        tasks,
        list(planned.optimizers),
        seeds=planned.seeds,
        first_seed=FIRST_SEED,
        grid=planned.grid,
        rates=planned.rates or None,
        budget=budget,
        workers=workers,
        out=place,
        overwrite=place.exists(),
        quiet=quiet,
        command="steepest claims",
        **choices,
    )


def finished(place: Path) -> bool:
    """Whether the folder holds a finished study."""
    try:
        return StudyReader(place).record.finished
    except StudyFolderError:
        return False


def _tasks(planned: Planned) -> tuple[list[Task | str], list[str]]:
    """The available tasks of a study, with their horizons, and a sentence for each missing one."""
    found: list[Task | str] = []
    missing = []
    for name, epochs in planned.tasks:
        entry = task_table.entry(name)
        try:
            entry.fetch()
        except DataUnavailable as error:
            missing.append(f"{name} is left out of the study {planned.key!r}: {error}")
            continue
        found.append(name if epochs is None else replace(entry.build(), epochs=epochs))
    return found, missing
