"""A table of anyone's as a task: numbers and categories of a row, and a network that tells the target from them."""

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
from steepest.ingest.targets import Kind, Target
from steepest.messages import Message, counted, say
from steepest.tasks.splits import Scaling
from steepest.tasks.task import Task

WIDTH = 8
"""Numbers in the vector of a category."""
MANY_COPIES = 0.2
"""Share of rows that repeat others beyond which repeats are no mistake."""
TELLS = 0.99999
"""Correlation of a column with an amount from which on it is that amount in other units."""
FAR = 1e4
"""Deviations from zero beyond which a column is brought near it."""
IQR = 1.349
"""The distance of the quartiles of a normal distribution, in deviations."""


def table_task(sheet: Sheet, target_name: str, kind: Kind | None, name: str, title: str, source: str) -> Task:
    """The task of telling a column of a sheet from the others. Raises BadTask."""
    notes = [*sheet.notes]
    cells = without_copies(sheet.columns, notes)
    if target_name not in cells:
        raise no_column(target_name, cells)
    if f"{target_name} (2)" in cells:
        raise BadTask(f"Several columns are called {target_name!r}: give the target a name that no other column has.")
    found = targets.target(target_name, cells.pop(target_name), kind, sheet.comma_separates)
    inputs = {name: [*compress(column, found.here)] for name, column in cells.items()}
    targets.enough(title, len(found.values))
    reading = columns.features(inputs, sheet.comma_separates)
    if not reading.features:
        raise BadTask(f"{title}: no column is left to tell {target_name!r} from. " + " ".join(map(str, reading.notes)))
    notes += [*found.notes, *reading.notes, *_telltales(reading.features, found)]
    return _task(reading.features, found, name, title, source, notes)


def _telltales(features: Sequence[columns.Feature], found: Target) -> list[Message]:
    """A warning of columns that settle the target by themselves: often they are filled in after the fact."""
    tell = [feature.name for feature in features if _tells(feature, found)]
    if not tell:
        return []
    says = say(
        "Settles the target by itself: {which}. Is it known beforehand? If not, take it out of the table.",
        which=listed_names(tell),
    )
    return [says]


def _tells(feature: columns.Feature, found: Target) -> bool:
    if not found.labels:
        if isinstance(feature, Categories) or np.isnan(feature.values).any():
            return False
        return abs(float(np.corrcoef(feature.values, found.values[:, 0])[0, 1])) > TELLS
    values = feature.codes if isinstance(feature, Categories) else feature.values
    different, place = np.unique(values, return_inverse=True)
    if len(different) > min(len(values) // 5, 10 * len(found.labels)):
        return False  # so many that each has few rows: no wonder
    pairs = np.unique(np.stack([place.astype(np.int64), found.values]), axis=1)
    return pairs.shape[1] == len(different)


def no_column(wanted: str, there: Sequence[str] | dict[str, list[str]]) -> BadTask:
    """The error that no column has the name that was asked for."""
    near = [name for name in there if name.lower() == wanted.lower()]
    hint = f" Did you mean {near[0]!r}?" if near else ""
    names = ", ".join(list(there)[:12]) + (" …" if len(there) > 12 else "")
    return BadTask(f"There is no column {wanted!r}.{hint} There are: {names}.")


def without_copies(cells: dict[str, list[str]], notes: list[Message]) -> dict[str, list[str]]:
    """The columns without rows that repeat an earlier one, so that no example is in two parts."""
    rows = [*zip(*cells.values(), strict=True)]
    once = dict.fromkeys(rows)
    copies = len(rows) - len(once)
    if not copies:
        return cells
    some = counted(copies, "1 row repeats an earlier one", "{n:,} of {all:,} rows repeat earlier ones", all=len(rows))
    if copies > MANY_COPIES * len(rows):
        notes.append(
            say(
                "{some}; kept, since so many are hardly mistakes. Parts may have rows in common.",
                some=some,
            )
        )
        return cells
    notes.append(say("{some}: taken once.", some=some))
    return dict(zip(cells, map(list, zip(*once, strict=True)), strict=True))


def _task(
    features: Sequence[columns.Feature], found: Target, name: str, title: str, source: str, notes: list[Message]
) -> Task:
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
        offsets = np.cumsum([0, *sizes[:-1]])  # all columns look into one table of vectors, each into rows of its own
        inputs.append(np.column_stack([feature.codes for feature in categories]) + offsets)
    how = targets.effort(len(found.values))
    hidden = (64, 64) if len(found.values) < 10_000 else (128, 64)
    network = partial(
        TableNet, len(numbers), bool(missing.any()), len(categories), sum(sizes), WIDTH, hidden, found.outputs
    )
    if numbers:
        notes.append(
            say(
                "{numbers}, each less its median and by the distance of its quartiles, both of a replicate's own "
                "training part; what lies far out is drawn in, to within ±3.",
                numbers=counted(len(numbers), "{n:,} number", "{n:,} numbers"),
            )
        )
    if categories:
        notes.append(
            say(
                "{columns} of categories ({all} in all), a vector of {width} for each.",
                columns=counted(len(categories), "{n:,} column", "{n:,} columns"),
                all=sum(sizes),
                width=WIDTH,
            )
        )
    width = len(numbers) * (2 if missing.any() else 1) + len(categories) * WIDTH
    notes.append(targets.said_mlp(width, *hidden, found.outputs))
    return TableTask(
        model=network,
        data=(tuple(inputs), found.values),
        **found.of_task,
        **how,
        standardize="targets" if not found.labels else False,
        numbers=len(numbers),
        name=name,
        title=title,
        source=source,
        notes=tuple(notes),
    )


def _near_zero(x: np.ndarray) -> np.ndarray:
    """A column less its median, where its numbers are so large that float32 would take them for one: times, huge ids.

    A replicate's own scaling takes any such shift out again.
    """
    middle, spread = np.nanmedian(x), np.nanstd(x)
    return x - middle if abs(middle) > FAR * spread else x


@dataclass(frozen=True, eq=False)
class TableTask(Task):
    """A task whose first input, if it has `numbers`, is scaled by medians and quartiles, missing values left out.

    Robust, as the amounts in people's tables have tails that a mean and a deviation would be made of (D. Holzmüller,
    L. Grinsztajn, I. Steinwart, Better by Default, 2024).
    """

    numbers: int = 0

    def _scaling(self, train: np.ndarray) -> Scaling | None:
        usual = super()._scaling(train)
        if not self.numbers:
            return usual
        first, *others = self._pool.inputs
        x = first[train].double().numpy()
        if others and others[0].is_floating_point():  # marks of what is missing
            x[others[0][train].numpy() > 0] = np.nan
        shift, scale = (torch.from_numpy(value).float() for value in _robust(x))
        return Scaling(shift, scale, usual and usual.target_shift, usual and usual.target_scale)


def _robust(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median and quartile distance / 1.349 of each column [n, k]; the deviation where quartiles are one; else 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column may be missing in the whole of a small part
        low, middle, high = np.nanquantile(x, (0.25, 0.5, 0.75), axis=0)
        scale = np.where(high > low, (high - low) / IQR, np.nanstd(x, axis=0))
    return np.nan_to_num(middle), np.where(np.isfinite(scale) & (scale > 0), scale, 1.0)


class TableNet(nn.Module):
    """Numbers, drawn in by x / √(1 + (x/3)²), marks of what is missing, and vectors of categories into an MLP."""

    def __init__(
        self,
        numbers: int,
        marks: bool,
        columns: int,
        categories: int,
        width: int,
        hidden: Sequence[int],
        outputs: int,
    ) -> None:
        super().__init__()
        self.numbers, self.marks = numbers > 0, marks
        self.vectors = nn.Embedding(categories, width) if columns else None
        self.head = mlp((numbers * (2 if marks else 1) + columns * width, *hidden, outputs))

    def forward(self, *inputs: Tensor) -> Tensor:
        """Of [B, numbers], [B, numbers] and [B, columns] those that there are → outputs [B, outputs]."""
        parts = []
        if self.numbers:
            x = inputs[0] / (1 + (inputs[0] / 3) ** 2).sqrt()
            parts = [x * (1 - inputs[1]), inputs[1]] if self.marks else [x]
        if self.vectors is not None:
            parts.append(self.vectors(inputs[-1]).flatten(-2))
        return self.head(torch.cat(parts, dim=-1))
