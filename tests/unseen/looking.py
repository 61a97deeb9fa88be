"""What a user sees of a task: refused with a sentence, warned, or sound. One place for all unseen inputs."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from steepest import SteepestError, Task, api
from steepest.checks.all_checks import warnings_about
from steepest.records.task_warnings import TaskWarning
from steepest.tasks.check import check


class Seen(NamedTuple):
    refused: str  # the sentence, empty if the task can be trained
    warnings: tuple[TaskWarning, ...]
    task: Task | None
    page: dict[str, Any]  # what `check --json` prints, if some steps were trained

    @property
    def severe(self) -> list[str]:
        return said_by(self.warnings, "severe")

    @property
    def words(self) -> str:
        return "\n".join([self.refused, *said_by(self.warnings)])


def said_by(warnings: tuple[TaskWarning, ...], *severities: str) -> list[str]:
    return [f"{one.id}: {one.message}" for one in warnings if not severities or one.severity in severities]


def look(make: Callable[[], Task], steps: bool = False) -> Seen:
    """All that `steepest check` finds. It trains some steps, and traces the engines, only if `steps` are wanted."""
    try:
        task = make()
        if steps:
            page = api.check(task)
            return Seen("", page["warnings"], task, page)
        check(task)
        return Seen("", warnings_about(task), task, {})
    except SteepestError as error:
        return Seen(str(error), (), None, {})


def measured(make: Callable[[], Task]) -> Seen:
    return look(make, steps=True)


def stopped(make: Callable[[], Task], *words: str) -> Seen:
    """Nothing would be trained: the task is refused, or has a severe warning, in a sentence with these words."""
    seen = look(make)
    assert seen.refused or seen.severe, f"nothing stops this task; it says: {seen.words!r}"
    return says(seen, *words)


def warned(make: Callable[[], Task], *words: str) -> Seen:
    """The user hears of it, whether or not it stops the run."""
    seen = look(make)
    assert seen.words.strip(), "not a word"
    return says(seen, *words)


def sound(make: Callable[[], Task]) -> Seen:
    """Trained as it is; notes and honest warnings may be there."""
    seen = look(make)
    assert not seen.refused
    assert not seen.severe
    return seen


def says(seen: Seen, *patterns: str) -> Seen:
    for pattern in patterns:
        assert re.search(pattern, seen.words, re.IGNORECASE), f"no {pattern!r} in {seen.words!r}"
    return seen


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
