"""A task from a table: a network predicts the target column from the numbers and categories of a row."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress

import numpy as np
import torch
from torch import Tensor, nn

from steepest.builtin.models import mlp
from steepest.errors import BadTask
from steepest.ingest import columns, targets
from steepest.ingest.columns import Categories, Numbers
from steepest.ingest.notes import names as listed_names
from steepest.ingest.spreadsheets import Sheet
from steepest.ingest.targets import Kind, Origin, Target
from steepest.messages import Message, counted, say
from steepest.tasks.splits import Scaling
from steepest.tasks.task import Task

VECTOR_WIDTH = 8
"""Width of the embedding of a category."""
MAX_COPY_SHARE = 0.2
"""Share of duplicate rows above which they are kept, since they are probably not mistakes."""
LEAK_CORRELATION = 0.99999
"""Correlation of a column with a numeric target above which it is reported as a leak."""
MAX_OFFSET_DEVIATIONS = 1e4
"""Distance of a column's median from zero, in standard deviations, above which the median is subtracted."""
IQR = 1.349
"""Interquartile range of a normal distribution, in standard deviations."""


def table_task(sheet: Sheet, target_name: str, kind: Kind | None, origin: Origin) -> Task:
    """The task of predicting a column of a table from the others. Raises BadTask."""
    notes = [*sheet.notes]
    cells = without_copies(sheet.columns, notes)
    if target_name not in cells:
        raise no_column(target_name, cells)
    if f"{target_name} (2)" in cells:
        raise BadTask(f"Several columns are named {target_name!r}. Give the target column a unique name.")
    found = targets.target(target_name, cells.pop(target_name), kind, sheet.comma_separates)
    inputs = {name: [*compress(column, found.has_target)] for name, column in cells.items()}
    targets.require_examples(origin.title, len(found.values))
    reading = columns.features(inputs, sheet.comma_separates)
    if not reading.features:
        raise BadTask(
            f"{origin.title}: no column is left to predict {target_name!r} from. " + " ".join(map(str, reading.notes))
        )
    notes += [*found.notes, *reading.notes, *_leak_warnings(reading.features, found)]
    return _task(reading.features, found, origin, notes)


def _leak_warnings(features: Sequence[columns.Feature], found: Target) -> list[Message]:
    """A warning about columns that determine the target alone: often they are known only after it."""
    leaks = [feature.name for feature in features if _leaks(feature, found)]
    if not leaks:
        return []
    warning = say(
        "Possible leak, determines the target alone: {which}. Remove it if it is not known at prediction time.",
        which=listed_names(leaks),
    )
    return [warning]


def _leaks(feature: columns.Feature, found: Target) -> bool:
    if not found.labels:
        if isinstance(feature, Categories) or np.isnan(feature.values).any():
            return False
        return abs(float(np.corrcoef(feature.values, found.values[:, 0])[0, 1])) > LEAK_CORRELATION
    values = feature.codes if isinstance(feature, Categories) else feature.values
    different, place = np.unique(values, return_inverse=True)
    if len(different) > min(len(values) // 5, 10 * len(found.labels)):
        return False  # few rows per value: it determines the target trivially
    pairs = np.unique(np.stack([place.astype(np.int64), found.values]), axis=1)
    return pairs.shape[1] == len(different)


def no_column(wanted: str, there: Sequence[str] | dict[str, list[str]]) -> BadTask:
    """The error for a column that does not exist."""
    near = [name for name in there if name.lower() == wanted.lower()]
    hint = f" Did you mean {near[0]!r}?" if near else ""
    names = ", ".join(list(there)[:12]) + (" …" if len(there) > 12 else "")
    return BadTask(f"There is no column {wanted!r}.{hint} Columns: {names}.")


def without_copies(cells: dict[str, list[str]], notes: list[Message]) -> dict[str, list[str]]:
    """The columns without duplicate rows, so that no example is in two parts."""
    rows = [*zip(*cells.values(), strict=True)]
    once = dict.fromkeys(rows)
    copies = len(rows) - len(once)
    if not copies:
        return cells
    some = counted(copies, "1 row repeats an earlier one", "{n:,} of {all:,} rows repeat earlier ones", all=len(rows))
    if copies > MAX_COPY_SHARE * len(rows):
        notes.append(
            say(
                "{some}; kept, since duplicates this frequent are probably not mistakes. Train, validation and test "
                "may share rows.",
                some=some,
            )
        )
        return cells
    notes.append(say("{some}; duplicates removed.", some=some))
    return dict(zip(cells, map(list, zip(*once, strict=True)), strict=True))


def _task(features: Sequence[columns.Feature], found: Target, origin: Origin, notes: list[Message]) -> Task:
    numbers = [feature for feature in features if isinstance(feature, Numbers)]
    categories = [feature for feature in features if isinstance(feature, Categories)]
    inputs: list[np.ndarray] = []
    missing = np.zeros((len(found.values), 0), dtype=bool)
    if numbers:
        table = np.column_stack([_near_zero(feature.values) for feature in numbers])  # [n, numbers]
        missing = np.isnan(table)
        inputs.append(np.nan_to_num(table))
        if missing.any():
            inputs.append(missing.astype(np.float32))
    sizes = [len(feature.labels) for feature in categories]
    if categories:
        offsets = np.cumsum([0, *sizes[:-1]])  # one embedding table, with separate rows for each column
        inputs.append(np.column_stack([feature.codes for feature in categories]) + offsets)
    hidden = (64, 64) if len(found.values) < 10_000 else (128, 64)
    network = partial(
        TableNet, len(numbers), bool(missing.any()), len(categories), sum(sizes), VECTOR_WIDTH, hidden, found.outputs
    )
    if numbers:
        notes.append(
            say(
                "{numbers}, scaled by median and interquartile range of each replicate's training part; outliers are "
                "compressed to within ±3.",
                numbers=counted(len(numbers), "{n:,} numeric column", "{n:,} numeric columns"),
            )
        )
    if categories:
        notes.append(
            say(
                "{columns}, {all} categories in all, each with an embedding of width {width}.",
                columns=counted(len(categories), "{n:,} categorical column", "{n:,} categorical columns"),
                all=sum(sizes),
                width=VECTOR_WIDTH,
            )
        )
    width = len(numbers) * (2 if missing.any() else 1) + len(categories) * VECTOR_WIDTH
    notes.append(targets.mlp_note(width, *hidden, found.outputs))
    return origin.task(
        TableTask,
        len(found.labels),
        targets.training_length(len(found.values)),
        notes,
        model=network,
        data=(tuple(inputs), found.values),
        standardize="targets" if not found.labels else False,
        numbers=len(numbers),
    )


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

    def _scaling(self, train: np.ndarray) -> Scaling | None:
        usual = super()._scaling(train)
        if not self.numbers:
            return usual
        first, *others = self._pool.inputs
        x = first[train].double().numpy()
        if others and others[0].is_floating_point():  # indicators of missing values
            x[others[0][train].numpy() > 0] = np.nan
        shift, scale = (torch.from_numpy(value).float() for value in _robust(x))
        return Scaling(shift, scale, usual and usual.target_shift, usual and usual.target_scale)


def _robust(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median and interquartile range / 1.349 of each column [n, k]; where that is 0, the standard deviation, else 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all values of a column may be missing in a small part
        low, middle, high = np.nanquantile(x, (0.25, 0.5, 0.75), axis=0)
        scale = np.where(high > low, (high - low) / IQR, np.nanstd(x, axis=0))
    return np.nan_to_num(middle), np.where(np.isfinite(scale) & (scale > 0), scale, 1.0)


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
