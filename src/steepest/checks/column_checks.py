"""Warnings about columns: leaks, and rows of groups or of a series that a split at random mixes up.

A task in Python has numbered columns, and the remedy is an argument; a table has named ones, and it is an option.
"""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from steepest.checks.group_effects import group_effects
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
    """How a user says what rows belong together, and that a column is left out."""

    group: str
    time: str
    random: str
    drop: str = ""
    quote: Callable[[str], str] = str

    def of(self, form: str, column: Column) -> str:
        """A remedy with the name of a column."""
        return form.replace("COLUMN", self.quote(column.source or column.name))


IN_PYTHON = Remedies("groups=<COLUMN>", "time=<COLUMN>", 'split="random"')
AS_OPTIONS = Remedies("--group COLUMN", "--time COLUMN", "--split random", "--column COLUMN=drop", shlex.quote)


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
    own = [column for column in columns if not column.source]
    times = time_columns(own, target, is_class)
    found = leaks(columns, target, is_class)
    known = {each.name for each in times}
    for leak in found:
        if leak.kind != "identifies" and not (leak.kind == "separates" and leak.column.name in known):
            if leak.column.source not in known:  # once per column
                yield warning("target-leak", _leak(leak, remedies), None if leak.is_sure else "warning")
            known.add(leak.column.name)
    answered = shares_and_kind(task.split)[1] == "random"
    yield from _group_warnings(own, found, group_effects(own, target, is_class), answered, splits, remedies)
    if task.plan.kind in ("random", "stratified") and not task.plan.is_fixed:
        severity: Severity = "note" if answered else "warning"
        if times:
            yield warning("time-order", _time(times[0], remedies), severity)
        elif not is_class and (lags := lag_columns(own, target)):
            yield warning(
                "time-order",
                say(
                    "{column} holds the target of an earlier row: the rows are a series. Add {time} to test on the "
                    "last rows, or {random} if rows are unrelated.",
                    column=lags[0].name,
                    time=remedies.time.replace("COLUMN", "…"),
                    random=remedies.random,
                ),
                severity,
            )


def _group_warnings(
    columns: Sequence[Column],
    found: Sequence[Leak],
    effects: Mapping[str, float],
    answered: bool,
    splits: Splits,
    remedies: Remedies,
) -> Iterator[TaskWarning]:
    """Columns that settle the target as ids do, that look like ids and explain it, or that are called so."""
    ids = {leak.column.name for leak in found if leak.kind == "identifies"}
    named = {column.name for column in id_columns(columns)}
    for column in columns:
        if column.name not in {*ids, *effects, *named} or not _is_apart(column, splits.train, splits.test):
            continue
        severity: Severity = "note" if answered else "severe" if column.name in ids else "warning"
        share = 1.0 if column.name in ids else effects.get(column.name, 0.0)
        yield warning("groups-apart", _groups(column, share, remedies), severity)


def _is_apart(column: Column, train: np.ndarray, test: np.ndarray) -> bool:
    """Whether a fifth of the test rows has a value that training rows have too."""
    n = len(column.values)
    values = [column.values[part[part < n]] for part in (train, test)]
    return bool(len(values[1])) and float(np.isin(values[1], values[0]).mean()) >= APART


def _leak(leak: Leak, remedies: Remedies) -> Message:
    parts = {"column": leak.column.name, "share": leak.agreement}
    what = {
        "orders": say("{column} orders the target: their rank correlation is {share:.5f}.", **parts),
        "recodes": say("Each value of {column} has one class.", **parts),
        "indicates": say("Each class or range of the target has one value of {column}.", **parts),
        "determines": say("Each value of {column} has one target.", **parts),
        "separates": say("{column} gives the target by thresholds: for {share:.1%} of the rows.", **parts),
        "counts": say("{column} counts rows, which are sorted by class.", **parts),
    }[leak.kind]
    return say(
        "Possible leak: {what} If it is not known at prediction time, {drop}.",
        what=what,
        drop=say("leave it out: {option}", option=remedies.of(remedies.drop, leak.column))
        if remedies.drop
        else say("remove it from the inputs"),
    )


def _groups(column: Column, share: float, remedies: Remedies) -> Message:
    """`share`: how much of the target the column explains; 0 if that was not found."""
    parts = {
        "column": column.name,
        "values": len(np.unique(column.values[~column.is_missing])),
        "group": remedies.of(remedies.group, column),
        "random": remedies.random,
    }
    if share == 1:
        return say(
            "Rows repeat per {column}: {values:,} values, each with one target. Add {group} to keep the rows of a "
            "value in one part, or {random} if rows are unrelated.",
            **parts,
        )
    if share:
        return say(
            "Rows repeat per {column}: {values:,} values, which explain {share:.0%} of the target. Add {group} to keep "
            "the rows of a value in one part, or {random} if rows are unrelated.",
            share=share,
            **parts,
        )
    return say(
        "Rows repeat per {column}: {values:,} values. Add {group} to keep the rows of a value in one part, or {random} "
        "if rows are unrelated.",
        **parts,
    )


def _time(column: Column, remedies: Remedies) -> Message:
    return say(
        "Rows are in the order of {column}, and neighbouring rows have similar targets. Add {time} to test on the last "
        "rows, or {random} if rows are unrelated.",
        column=column.name,
        time=remedies.of(remedies.time, column),
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
        is_code = not x.is_floating_point() and bool((table >= 0).all())  # words, or what is embedded
        rows = min(len(table), MAX_NUMBERS // max(1, table.shape[1]))
        for j in range(table.shape[1]):
            name = f"inputs[{i}][:, {j}]" if several else f"inputs[:, {j}]"
            columns.append(Column(name, table[:rows, j].double().numpy(), is_code))
    if not columns:
        return
    rows = min(len(column.values) for column in columns)
    columns = [replace(column, values=column.values[:rows]) for column in columns]
    known: set[TaskWarning] = set()
    for target in targets[:rows].reshape(rows, -1).T:
        is_class = not target.is_floating_point()
        for each in column_warnings(columns, target.numpy(), is_class, task, splits, IN_PYTHON):
            if each not in known:
                known.add(each)
                yield each
