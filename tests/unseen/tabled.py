"""Tables written for a test, the tasks made of them, and all that is said of them. Quick: nothing is trained."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from unseen.looking import said_by

import steepest
from steepest import SteepestError, Task
from steepest.checks.all_checks import warnings_about
from steepest.ingest.load import resolve
from steepest.records.task_warnings import TaskWarning


class Table(NamedTuple):
    task: Task | None
    refused: str
    remarks: str
    warnings: tuple[TaskWarning, ...]

    @property
    def severe(self) -> list[str]:
        return said_by(self.warnings, "severe")

    @property
    def words(self) -> str:
        return "\n".join([self.refused, self.remarks, *said_by(self.warnings)])

    def says(self, *patterns: str) -> None:
        for pattern in patterns:
            assert re.search(pattern, self.words, re.IGNORECASE), f"no {pattern!r} in {self.words!r}"

    def alarms(self, *patterns: str) -> None:
        """Said as a warning or a refusal, not only among what was decided."""
        alarm = "\n".join([self.refused, *said_by(self.warnings)])
        for pattern in patterns:
            assert re.search(pattern, alarm, re.IGNORECASE), f"no {pattern!r} in {alarm!r}; remarks: {self.remarks!r}"


def write(folder: Path, columns: dict[str, Sequence], separator: str = ",", name: str = "table.csv") -> Path:
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def made(path: Path, target: str, checked: bool = True, **options) -> Table:
    """The task of a table, with all warnings about it, or with those of reading it alone."""
    try:
        task = resolve(steepest.from_file(path, target=target, **options))
    except SteepestError as error:
        return Table(None, str(error), "", ())
    warnings = warnings_about(task) if checked else task.warnings_found
    return Table(task, "", "\n".join(map(str, task.remarks)), warnings)


def rows_of(task: Task, seed: int = 0) -> dict[str, np.ndarray]:
    """The numbers of the rows in each part."""
    splits = task.splits(seed)
    return {name: np.asarray(getattr(splits, name)) for name in ("train", "valid", "test")}


def in_order_of(task: Task, truth: np.ndarray) -> bool:
    """Whether some input orders the rows as the truth does; scaling and the like do not matter."""
    if len(set(truth.tolist())) < 3:
        return False
    ranks = np.unique(truth, return_inverse=True)[1]
    for block in task.splits(0).inputs:
        array = np.asarray(block, dtype=float).reshape(len(truth), -1)
        for column in array.T:
            values = np.unique(column.round(5), return_inverse=True)[1]
            # ranks may meet where outliers are compressed, but never change places
            order = np.argsort(ranks, kind="stable")
            if np.all(np.diff(values[order]) >= 0) and len(set(values.tolist())) > 0.8 * len(set(ranks.tolist())):
                return True
    return False
