"""All checks of a task that has passed `steepest.tasks.check.check`, in the order in which they are made."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import process_time
from typing import Literal

import torch

from steepest.checks import class_checks, column_checks, evaluation, loss_domains, model_checks, shared_rows
from steepest.checks.specimen import Specimen
from steepest.errors import BadTask, kind_and_line
from steepest.messages import say
from steepest.records.task_warnings import TaskWarning, accepting, warning
from steepest.tasks.task import Task

Cost = Literal["free", "data", "forward", "training"]
"""What a check does at most: look at the task and a sample of its data; read all data; run the model on the sample a
few times; or train some steps."""


@dataclass(frozen=True)
class TaskCheck:
    """A check, and what it costs. `find` gets the specimen and yields its warnings. It may draw from torch's generator,
    which is restored. It must not change the specimen's model."""

    find: Callable[[Specimen], Iterator[TaskWarning]]
    cost: Cost

    @property
    def name(self) -> str:
        """For messages: "idle parameters"."""
        return self.find.__name__.replace("_", " ")


CHECKS: tuple[TaskCheck, ...] = (
    # free: at once
    TaskCheck(model_checks.other_precision, "free"),
    TaskCheck(model_checks.unscaled_inputs, "free"),
    TaskCheck(model_checks.other_metrics, "free"),
    # data: seconds for a million rows
    TaskCheck(shared_rows.rows_in_two_parts, "data"),
    TaskCheck(column_checks.suspicious_columns, "data"),
    TaskCheck(class_checks.classes_in_all_parts, "data"),
    # forward: some passes over the sample
    TaskCheck(loss_domains.outputs_fit_the_loss, "forward"),
    TaskCheck(loss_domains.targets_fit_the_loss, "forward"),
    TaskCheck(loss_domains.loss_is_a_mean, "forward"),
    TaskCheck(loss_domains.loss_has_a_bound, "forward"),
    TaskCheck(evaluation.evaluation_is_a_function, "forward"),
    TaskCheck(model_checks.idle_parameters, "forward"),
    # training: some steps
)


def warnings_about(
    task: Task, seconds: float = math.inf, begins: Callable[[TaskCheck], None] = lambda check: None
) -> tuple[TaskWarning, ...]:
    """The warnings of a task, with those found while its data were read; the severe ones first, and those that
    the task accepts marked. No check begins when `seconds` of processor time are over. `begins` hears of each."""
    return accepting(_found(task, process_time() + seconds, begins), task.accept)


def _found(task: Task, until: float, begins: Callable[[TaskCheck], None]) -> Iterator[TaskWarning]:
    yield from task.warnings_found
    specimen = Specimen(task)
    skipped: list[str] = []
    for check in CHECKS:
        if process_time() > until:
            skipped.append(check.name)
            continue
        begins(check)
        try:
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(0)
                yield from check.find(specimen)
        except BadTask:
            raise
        except Exception as error:  # a user's model may raise anything
            yield warning(
                "not-checked",
                say(
                    "Not checked: {check}. The check failed with {error}. The study can go on.",
                    check=check.name,
                    error=kind_and_line(error),
                ),
            )
    if skipped:
        yield warning(
            "not-checked",
            say("Not checked, to save time: {checks}. `run` makes these checks.", checks=", ".join(skipped)),
        )
