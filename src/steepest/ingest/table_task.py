"""A task from a table: a network predicts the target column from the numbers and categories of a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from steepest.builtin.models import mlp
from steepest.checks.column_checks import MAX_NUMBERS, column_warnings
from steepest.checks.leaks import Column as CheckedColumn
from steepest.errors import BadTask
from steepest.ingest import columns, targets
from steepest.ingest.choices import ALL_COLUMNS, Choice
from steepest.ingest.columns import Categories, Numbers, choice_of
from steepest.ingest.packed_cells import PackedCells
from steepest.ingest.parts_by import PartsBy, SplitBy
from steepest.ingest.spreadsheets import Sheet, uncollected
from steepest.ingest.targets import Kind, Origin, Target
from steepest.messages import Message, counted, say
from steepest.records.task_warnings import TaskWarning
from steepest.tasks.splits import Scaling
from steepest.tasks.task import Task

VECTOR_WIDTH = 8
"""Width of the embedding of a category."""
MAX_COPY_SHARE = 0.2
"""Share of duplicate rows above which they are kept, since they are probably not mistakes."""
MAX_OFFSET_DEVIATIONS = 1e4
"""Distance of a column's median from zero, in standard deviations, above which the median is subtracted."""
IQR = 1.349
"""Interquartile range of a normal distribution, in standard deviations."""


@uncollected()
def table_task(table: Table, origin: Origin) -> Task:
    """The task of predicting a column of a table from the others. It takes the values of the columns away from the
    table, which may be large. Raises BadTask."""
    found, reading = table.target, table.reading
    targets.require_examples(origin.title, len(found.values))
    features = [
        feature
        for name, column in reading.columns.items()
        if name not in table.parts.keys
        for feature in column.features
    ]
    if not features:
        raise BadTask(
            f"{origin.title}: no column is left to predict {found.name!r} from. " + " ".join(map(str, reading.notes))
        )
    notes = [*table.notes, *found.notes, *reading.notes]
    far = {name: column.far for name, column in reading.columns.items()} | {found.name: found.far}
    findings = [*found.findings, *reading.findings, *columns.far_findings(far)]
    by = table.parts.arguments(table.cells, reading.scale_of(table.parts.time), targets.SHARES)
    checked = _checked_columns(table)
    for column in reading.columns.values():
        column.features, column.scale, column.codes = [], None, None
    task = _task(features, found, origin, notes, table.choices, findings, by)
    target = found.values.reshape(len(found.values))[: len(checked[0].values)] if checked else found.values
    reported = column_warnings(checked, target, bool(found.labels), task, task.splits(0))
    object.__setattr__(task, "found", (*task.found, *reported))  # made before anybody has seen it
    return task


@dataclass(frozen=True)
class Table:
    """A table that was read: the target, the other columns, and the rows that are used."""

    target: Target
    reading: columns.Reading
    parts: PartsBy
    cells: Mapping[str, PackedCells]
    """Of the columns by which the parts are made, in the rows that are used."""
    notes: tuple[Message, ...]

    @property
    def choices(self) -> dict[str, Choice]:
        """How each column was read."""
        return {name: column.choice for name, column in self.reading.columns.items()} | {
            self.target.name: self.target.choice
        }


@uncollected()
def read_table(
    sheet: Sheet, target_name: str, kind: Kind | None, choices: Mapping[str, Choice], parts: PartsBy
) -> Table:
    """The columns of a sheet, without duplicate rows and without those that have no target. Raises BadTask."""
    if target_name in parts.columns:
        raise BadTask(f"{target_name!r} is the target; the parts cannot be made by it. Choose another column.")
    for wanted in (target_name, *parts.columns, *(name for name in choices if name != ALL_COLUMNS)):
        if wanted not in sheet.columns:
            raise no_column(wanted, sheet.columns)
    if f"{target_name} (2)" in sheet.columns:
        raise BadTask(f"Several columns are named {target_name!r}. Give the target column a unique name.")
    notes = [*sheet.notes]
    rows = first_of_copies(sheet.row_hashes, notes)
    cells = sheet.columns if rows.all() else {name: c.with_rows(rows) for name, c in sheet.columns.items()}
    of_table = columns.table_style(cells) or ("en" if sheet.comma_separates else None)
    found = targets.target(target_name, cells[target_name], kind, of_table, choice_of(target_name, choices))
    inputs = {name: column for name, column in cells.items() if name != target_name}
    if not found.has_target.all():
        inputs = {name: column.with_rows(found.has_target) for name, column in inputs.items()}
    parts.without_gaps(inputs)
    reading = columns.features(inputs, of_table, choices)
    return Table(found, reading, parts, {name: inputs[name] for name in parts.columns}, tuple(notes))


def _checked_columns(table: Table) -> list[CheckedColumn]:
    """The columns in which leaks, groups and times are looked for; of a large table, copies of their first rows."""
    read = {name: column for name, column in table.reading.columns.items() if name not in table.parts.keys}
    rows = min(len(table.target.values), MAX_NUMBERS // max(1, len(read)))
    given: list[CheckedColumn] = []
    for name, column in read.items():
        if column.codes is not None:
            given.append(CheckedColumn(name, column.codes[:rows].copy(), is_category=True, labels=column.texts))
        elif column.scale is not None:
            days = column.scale[:rows].copy()
            given.append(CheckedColumn(name, days))
            if column.choice.kind == "date":
                given.append(CheckedColumn(f"{name} (time of day)", days % 1, source=name))
                given.append(CheckedColumn(f"{name} (day of the week)", np.floor(days) % 7, source=name))
    return given


def no_column(wanted: str, there: Iterable[str]) -> BadTask:
    """The error for a column that does not exist."""
    there = [*there]
    near = [name for name in there if name.lower() == wanted.lower()]
    hint = f" Did you mean {near[0]!r}?" if near else ""
    names = ", ".join(there[:12]) + (" …" if len(there) > 12 else "")
    return BadTask(f"There is no column {wanted!r}.{hint} Columns: {names}.")


def first_of_copies(row_hashes: np.ndarray, notes: list[Message]) -> np.ndarray:
    """A mask of the rows without those that repeat an earlier one, so that no example is in two parts.

    Rows are compared by hashes of 64 bits: of a million different rows, two are taken for equal once in 30 million
    tables.
    """
    once = np.ones(len(row_hashes), dtype=bool)
    _, first = np.unique(row_hashes, return_index=True)
    copies = len(row_hashes) - len(first)
    if not copies:
        return once
    some = counted(
        copies, "1 row repeats an earlier one", "{n:,} of {all:,} rows repeat earlier ones", all=len(row_hashes)
    )
    if copies > MAX_COPY_SHARE * len(row_hashes):
        notes.append(
            say(
                "{some}; kept, since duplicates this frequent are probably not mistakes. Train, validation and test "
                "may share rows.",
                some=some,
            )
        )
        return once
    notes.append(say("{some}; duplicates removed.", some=some))
    once[:] = False
    once[first] = True
    return once


def _task(
    features: list[columns.Feature],
    found: Target,
    origin: Origin,
    notes: list[Message],
    choices: Mapping[str, Choice],
    findings: Sequence[TaskWarning],
    by: SplitBy,
) -> TableTask:
    numbers = [feature for feature in features if isinstance(feature, Numbers)]
    categories = [feature for feature in features if isinstance(feature, Categories)]
    sizes = [len(feature.labels) for feature in categories]
    inputs, has_gaps = _inputs(numbers, categories, len(found.values))
    numeric, categorical = len(numbers), len(categories)
    del numbers, categories
    features.clear()  # their values are in the inputs now
    hidden = (64, 64) if len(found.values) < 10_000 else (128, 64)
    network = partial(TableNet, numeric, has_gaps, categorical, sum(sizes), VECTOR_WIDTH, hidden, found.outputs)
    if numeric:
        notes.append(
            say(
                "{numbers}, scaled by median and interquartile range of each replicate's training part; outliers are "
                "compressed to within ±3.",
                numbers=counted(numeric, "{n:,} numeric column", "{n:,} numeric columns"),
            )
        )
    if categorical:
        notes.append(
            say(
                "{columns}, {all} categories in all, each with an embedding of width {width}.",
                columns=counted(categorical, "{n:,} categorical column", "{n:,} categorical columns"),
                all=sum(sizes),
                width=VECTOR_WIDTH,
            )
        )
    width = numeric * (2 if has_gaps else 1) + categorical * VECTOR_WIDTH
    notes.append(targets.mlp_note(width, *hidden, found.outputs))
    return origin.task(
        TableTask,
        len(found.labels),
        targets.training_length(len(found.values)) | by,
        notes,
        model=network,
        data=(inputs, found.values),
        standardize="targets" if not found.labels else False,
        numbers=numeric,
        choices=choices,
        found=tuple(findings),
    )


def _inputs(
    numbers: Sequence[Numbers], categories: Sequence[Categories], rows: int
) -> tuple[tuple[np.ndarray, ...], bool]:
    """Numbers [rows, numbers], where they are missing, and codes [rows, categories], as far as there are any; and
    whether numbers are missing."""
    inputs: list[np.ndarray] = []
    if numbers:
        table = np.empty((rows, len(numbers)), dtype=np.float32)
        for i, feature in enumerate(numbers):
            table[:, i] = _near_zero(feature.values)
        missing = np.isnan(table)
        inputs.append(np.nan_to_num(table, copy=False))
        if missing.any():
            inputs.append(missing.astype(np.float32))
    has_gaps = len(inputs) == 2
    if categories:
        sizes = [len(feature.labels) for feature in categories]
        offsets = np.cumsum([0, *sizes[:-1]])  # one embedding table, with separate rows for each column
        inputs.append(np.column_stack([feature.codes for feature in categories]) + offsets)
    return tuple(inputs), has_gaps


def _near_zero(x: np.ndarray) -> np.ndarray:
    """A column minus its median where float32 could not distinguish its numbers: times, large ids.

    The scaling of each replicate removes this shift again.
    """
    middle, spread = np.nanmedian(x), np.nanstd(x)
    return x - middle if abs(middle) > MAX_OFFSET_DEVIATIONS * spread else x


@dataclass(frozen=True, eq=False)
class TableTask(Task):
    """A task whose first input, if it has `numbers`, is scaled by medians and quartiles without missing values.

    Robust scaling, since long tails would dominate mean and standard deviation (D. Holzmüller, L. Grinsztajn,
    I. Steinwart, Better by Default, 2024).
    """

    numbers: int = 0
    choices: Mapping[str, Choice] = field(default_factory=dict, repr=False)
    """How each column was read."""
    columns_are_checked = True
    _latest: list[tuple[np.ndarray, Scaling]] = field(default_factory=list, init=False, repr=False)
    """The rows that were measured last, and their scaling: one seed is asked for several times."""

    def _scaling(self, train: np.ndarray) -> Scaling | None:
        usual = super()._scaling(train)
        if not self.numbers:
            return usual
        if self._latest and np.array_equal(self._latest[0][0], train):
            return self._latest[0][1]
        first, *others = self._pool.inputs
        x = first[train].numpy()
        missing = others[0].numpy() if others and others[0].is_floating_point() else None
        found = []
        for i in range(self.numbers):
            known = x[:, i] if missing is None else x[missing[train, i] == 0, i]
            found.append(_robust(known))
        shift, scale = torch.tensor(found, dtype=torch.float32).T
        scaling = Scaling(shift, scale, usual and usual.target_shift, usual and usual.target_scale)
        self._latest[:] = [(train, scaling)]
        return scaling


def _robust(column: np.ndarray) -> tuple[float, float]:
    """Median and interquartile range / 1.349; where that is 0, the standard deviation, else 1."""
    if not len(column):  # all values may be missing in a small part
        return 0.0, 1.0
    low, middle, high = np.quantile(column.astype(np.float64), (0.25, 0.5, 0.75))
    scale = (high - low) / IQR if high > low else float(column.std(dtype=np.float64))
    return float(middle), float(scale) or 1.0


class TableNet(nn.Module):
    """An MLP on numbers compressed by x / √(1 + (x/3)²), indicators of missing values and embeddings of categories."""

    def __init__(
        self, numbers: int, marks: bool, columns: int, categories: int, width: int, hidden: Sequence[int], outputs: int
    ) -> None:
        super().__init__()
        self.numbers, self.marks = numbers > 0, marks
        self.vectors = nn.Embedding(categories, width) if columns else None
        self.head = mlp((numbers * (2 if marks else 1) + columns * width, *hidden, outputs))

    def forward(self, *inputs: Tensor) -> Tensor:
        """Those of [B, numbers], [B, numbers] and [B, columns] that the table has → outputs [B, outputs]."""
        parts = []
        if self.numbers:
            x = inputs[0] / (1 + (inputs[0] / 3) ** 2).sqrt()
            parts = [x * (1 - inputs[1]), inputs[1]] if self.marks else [x]
        if self.vectors is not None:
            parts.append(self.vectors(inputs[-1]).flatten(-2))
        return self.head(torch.cat(parts, dim=-1))
