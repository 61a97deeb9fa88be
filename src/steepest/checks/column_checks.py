"""Warnings about columns: leaks, and rows of groups or of a series that a split at random mixes up.

A task in Python has numbered columns, and the remedy is an argument; a table has named ones, and it is an option.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from steepest.checks.leaks import Column, Leak, leaks
from steepest.checks.series import id_columns, lag_columns, time_columns
from steepest.checks.specimen import Specimen
from steepest.messages import Message, say
from steepest.records.task_warnings import Severity, TaskWarning, warning
from steepest.tasks.split_plan import shares_and_kind
from steepest.tasks.splits import Splits
from steepest.tasks.task import Task

MAX_COLUMNS = 256
MAX_TARGETS = 8
MAX_NUMBERS = 4_000_000
"""Numbers of a table that are looked at; of a larger one, as many of its first rows."""
APART = 0.2
"""Share of the test part whose value of an id is in the training part too, from which groups are apart."""


@dataclass(frozen=True)
class Remedies:
    """How a user says what rows belong together; `{column}` is replaced by the column's name."""

    group: str
    time: str
    random: str
    drop: str


IN_PYTHON = Remedies("groups=<{column}>", "time=<{column}>", 'split="random"', "")
AS_OPTIONS = Remedies("--group '{column}'", "--time '{column}'", "--split random", "--column '{column}=drop'")


def column_warnings(
    columns: Sequence[Column],
    target: np.ndarray,  # [n], class numbers or floats
    is_class: bool,
    task: Task,
    splits: Splits,
    remedies: Remedies = AS_OPTIONS,
) -> Iterator[TaskWarning]:
    """Leaks, groups and times among the columns of all n examples of the task's pool, in their order; `splits` are
    those of its seed 0."""
    found = leaks(columns, target, is_class)
    for leak in found:
        if leak.kind != "identifies":
            yield warning("target-leak", _leak(leak, remedies), None if leak.is_sure else "warning")
    answered = shares_and_kind(task.split)[1] == "random"
    ids = {leak.column: leak for leak in found if leak.kind == "identifies"}
    named = {column.name for column in id_columns(columns)}
    for column in columns:
        if column.name not in {*ids, *named} or not _is_apart(column, splits.train, splits.test):
            continue
        severity: Severity = "note" if answered else "severe" if column.name in ids else "warning"
        yield warning("groups-apart", _groups(column, ids.get(column.name), remedies), severity)
    if task.plan.kind in ("random", "stratified") and not task.plan.is_fixed:
        severity = "note" if answered else "warning"
        if times := time_columns(columns, target, is_class):
            yield warning("time-order", _time(times[0], remedies), severity)
        elif not is_class and (lags := lag_columns(columns, target)):
            yield warning(
                "time-order",
                say(
                    "{column} holds the target of an earlier row, so that the rows are a series: add {time} to test on "
                    "what comes last, or {random} to keep rows apart.",
                    column=lags[0].name,
                    time=remedies.time.format(column="…"),
                    random=remedies.random,
                ),
                severity,
            )


def _is_apart(column: Column, train: np.ndarray, test: np.ndarray) -> bool:
    """Whether a fifth of the test rows has a value that training rows have too."""
    n = len(column.values)
    values = [column.values[part[part < n]] for part in (train, test)]
    return bool(len(values[1])) and float(np.isin(values[1], values[0]).mean()) >= APART


def _leak(leak: Leak, remedies: Remedies) -> Message:
    what = {
        "orders": say("{column} orders the target: their rank correlation is {share:.5f}.", **_parts(leak)),
        "recodes": say("Each value of {column} has one class.", **_parts(leak)),
        "indicates": say("Each class or range of the target has one value of {column}.", **_parts(leak)),
        "determines": say("Each value of {column} has one target.", **_parts(leak)),
        "separates": say("Gaps in {column} separate each class from the next.", **_parts(leak)),
        "counts": say("{column} counts rows, which are sorted by class.", **_parts(leak)),
    }[leak.kind]
    return say(
        "Possible leak: {what} If it is not known at prediction time, {drop}.",
        what=what,
        drop=say("remove it from the inputs")
        if remedies is IN_PYTHON
        else say("leave it out: {option}", option=remedies.drop.format(column=leak.column)),
    )


def _parts(leak: Leak) -> dict[str, str | float]:
    return {"column": leak.column, "share": leak.agreement}


def _groups(column: Column, leak: Leak | None, remedies: Remedies) -> Message:
    parts = {
        "column": column.name,
        "values": len(np.unique(column.values[~column.is_missing])),
        "group": remedies.group.format(column=column.name),
        "random": remedies.random,
    }
    if leak is not None:
        return say(
            "Rows repeat per {column} ({values:,} values), and it settles the target: add {group} to keep them "
            "together, or {random} to keep rows apart.",
            **parts,
        )
    return say(
        "Rows repeat per {column} ({values:,} values): add {group} to keep them together, or {random} to keep rows "
        "apart.",
        **parts,
    )


def _time(column: Column, remedies: Remedies) -> Message:
    return say(
        "Rows are in the order of {column}, and neighbours have similar targets: add {time} to test on what comes "
        "last, or {random} to keep rows apart.",
        column=column.name,
        time=remedies.time.format(column=column.name),
        random=remedies.random,
    )


# ---- as a check of a task --------------------------------------------------------------------------------------------


def suspicious_columns(specimen: Specimen) -> Iterator[TaskWarning]:
    """Leaks, groups and times among the input columns of a task in Python."""
    task, splits = specimen.task, specimen.splits
    targets = splits.targets
    if task.columns_are_checked or task.has_own_loss or task.target_tree is not None:
        return
    if targets.reshape(len(targets), -1).shape[1] > MAX_TARGETS:
        return
    several = len(splits.inputs) > 1
    columns: list[Column] = []
    for i, x in enumerate(splits.inputs):
        if x.ndim > 2 or (x.ndim == 2 and x.shape[1] > MAX_COLUMNS):
            continue
        table = x.reshape(len(x), -1)
        rows = min(len(table), MAX_NUMBERS // max(1, table.shape[1]))
        for j in range(table.shape[1]):
            name = f"inputs[{i}][:, {j}]" if several else f"inputs[:, {j}]"
            columns.append(Column(name, table[:rows, j].double().numpy(), False))
    if not columns:
        return
    rows = min(len(column.values) for column in columns)
    columns = [Column(column.name, column.values[:rows]) for column in columns]
    known: set[TaskWarning] = set()
    for target in targets[:rows].reshape(rows, -1).T:
        is_class = not target.is_floating_point()
        for each in column_warnings(columns, target.numpy(), is_class, task, splits, IN_PYTHON):
            if each not in known:
                known.add(each)
                yield each
