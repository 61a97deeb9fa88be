"""What the warnings about a task mean for its verdict."""

from collections.abc import Iterator

from steepest.messages import Message, say
from steepest.records.task_facts import TaskFacts
from steepest.records.task_warnings import KINDS, TaskWarning
from steepest.verdict.results import Claim


def of_the_results(task: TaskFacts) -> Iterator[Claim]:
    """Claims for the paragraph that is read first: warnings about what the results mean."""
    for found in task.warnings:
        if _bears(found):
            says = found.message
            if found.severity == "severe":
                says = say("A severe warning was accepted: {message}", message=says)
            yield _claim(task, found, says)


def of_the_task(task: TaskFacts) -> Iterator[Claim]:
    """Claims about the other warnings. Notes are not repeated."""
    for found in task.warnings:
        if found.severity == "warning" and not found.accepted and not _bears(found):
            yield _claim(task, found, say("Warning: {message}", message=found.message))


def _bears(found: TaskWarning) -> bool:
    """Whether the results are about something else than a reader expects."""
    kind = KINDS.get(found.id)  # a study of a later version may have others
    return found.severity == "severe" or (kind is not None and kind.in_verdict and not found.accepted)


def _claim(task: TaskFacts, found: TaskWarning, says: Message) -> Claim:
    return Claim(says, {"warning": found.id}, (f"task:{task.name}",), "weak")
