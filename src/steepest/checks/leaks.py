"""Columns that settle the target alone, as leaks do: pure functions of columns and target, with their rules.

Every rule needs an agreement that chance gives with a probability below 10⁻⁹ per column. Below that, rules are
thresholds: a rank correlation of 0.999, or 99.5 % of the rows of a value with one class.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import lgamma
from typing import Literal

import numpy as np

LeakKind = Literal["orders", "recodes", "indicates", "determines", "identifies", "separates", "counts"]
"""orders: rank correlation with a numeric target. recodes: few values, each with one class. indicates: each class, or
range of the target, has one value. determines: few values, each with one target. identifies: many values, each with
one target, as an id has. separates: each class is a range. counts: a row number in rows sorted by class."""
SURE: tuple[LeakKind, ...] = ("orders", "recodes", "identifies", "counts")
"""Kinds that are severe; the others also occur in clean data that are easy."""

MIN_ROWS = 20
MAX_CLASSES = 20
"""Classes, or different numbers of a target, up to which they may be ranges of a column."""
RANK_DISTANCE = (0.001, 0.05)
"""A column orders the target if 1 − |ρ| is at most 0.001 + 0.05 / n: with few rows, two swapped ones weigh more."""
PURITY = 0.995
"""Share of rows whose class is the most frequent one of their value."""
EXPLAINED = 0.95
"""Share of the rows outside the most frequent class that the column puts right (Goodman and Kruskal's λ)."""
LOG_CHANCE = np.log(1e-9)
FEW = 3
"""A column of at most 3 values per class recodes the target; one of more values identifies groups."""
WITHIN = 0.01
"""Share of a numeric target's variance within the values of a column."""
SMOOTH = 0.5
"""Von Neumann ratio of the mean targets, in the order of the values, below which a column is not taken for an id."""
CLOSER_THAN_NEIGHBOURS = 0.2
"""A column of a series leaks if 1 − |ρ| is at most this share of that of the target one row before."""


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a table, or what was derived from one."""

    name: str
    values: np.ndarray  # [n], floats with NaN for missing; or codes, −1 for missing
    is_category: bool = False
    source: str = ""
    """The column that it was derived from; empty if it is one itself."""
    labels: Sequence[str] = ()
    """The texts of codes."""

    @property
    def is_missing(self) -> np.ndarray:
        return self.values < 0 if self.is_category else np.isnan(self.values.astype(np.float64))


@dataclass(frozen=True)
class Leak:
    """A column that settles the target."""

    kind: LeakKind
    column: Column
    agreement: float
    """|ρ| for "orders", else the share of the rows, or of the variance, that the column settles."""
    values: int
    """Different values of the column."""

    @property
    def is_sure(self) -> bool:
        return self.kind in SURE


def leaks(columns: Sequence[Column], target: np.ndarray, is_class: bool) -> list[Leak]:
    """The leaks among the columns of a table: at most one per column. `target` [n]: class numbers or floats.

    A table of one column has no leaks except ids: the target shall be a function of it.
    """
    found = []
    for column in [*columns, *_missing_masks(columns)]:
        here = ~column.is_missing
        if here.sum() < MIN_ROWS or (here.sum() < 0.5 * len(here)):
            continue
        leak = (_of_classes if is_class else _of_numbers)(column, column.values[here], target[here])
        if leak is not None and (len(columns) > 1 or leak.kind == "identifies"):
            found.append(leak)
    return found


def _missing_masks(columns: Sequence[Column]) -> Iterator[Column]:
    """Whether values are missing, as columns of their own."""
    for column in columns:
        if 0 < (gone := column.is_missing).sum() < len(gone):
            yield Column(f"{column.name} (missing)", gone.astype(np.int64), True, column.source or column.name)


# ---- classes ---------------------------------------------------------------------------------------------------------


def _of_classes(column: Column, values: np.ndarray, target: np.ndarray) -> Leak | None:
    distinct, v = np.unique(values, return_inverse=True)
    classes, y = np.unique(target, return_inverse=True)
    n, k, c = len(v), len(distinct), len(classes)
    if k < 2 or c < 2:
        return None
    if k <= n // 2:
        pairs, counts = np.unique(v * c + y, return_counts=True)
        of_value, of_class = np.bincount(v), np.bincount(y)
        by_value = _settled(pairs // c, counts, of_value, of_class / n)
        if by_value:
            is_few = k <= FEW * c
            if is_few:
                return Leak("recodes", column, by_value, k)
            if column.is_category or not _is_smooth_in_class(v, y, k, c):
                return Leak("identifies", column, by_value, k)
        if k <= FEW * c and (by_class := _settled(pairs % c, counts, of_class, of_value / n)):
            return Leak("indicates", column, by_class, k)
    if column.is_category or not (share := _in_ranges(v, y)):
        return None
    steps = np.diff(values)
    if (steps == steps[0]).all() and steps[0] != 0:
        return Leak("counts", column, 1.0, k)
    return Leak("separates", column, share, k)


def _settled(key: np.ndarray, counts: np.ndarray, sizes: np.ndarray, shares: np.ndarray) -> float:
    """The share of rows that are in the most frequent cell of their key, if that settles the other side, else 0.

    `counts` [cells] are rows per cell and `key` [cells] its key, `sizes` [keys] rows per key, `shares` [c] those of the
    other side. Keys of one row count for nothing. Under random assignment, a key of m rows is in one cell with the
    probability Σ shareᵐ; their product must be below 10⁻⁹.
    """
    most = np.zeros(len(sizes), dtype=np.int64)
    np.maximum.at(most, key, counts)
    repeated = sizes > 1
    rows = sizes[repeated].sum()
    if rows < MIN_ROWS:
        return 0.0
    pure = most[repeated].sum() / rows
    if pure < PURITY or 1 - pure > (1 - EXPLAINED) * (1 - shares.max()):
        return 0.0
    whole, times = np.unique(sizes[repeated & (most == sizes)], return_counts=True)
    logarithm = sum(t * np.log((shares**m).sum()) for m, t in zip(whole, times, strict=True))
    return float(pure) if logarithm < LOG_CHANCE else 0.0


def _is_smooth_in_class(v: np.ndarray, y: np.ndarray, k: int, c: int) -> bool:
    """Whether neighbouring values of a numeric column have the same class far more often than by chance."""
    first = np.zeros(k, dtype=np.int64)
    first[v] = y
    changes = float((np.diff(first) != 0).mean())
    shares = np.bincount(first, minlength=c) / k
    return changes < SMOOTH * (1 - float((shares**2).sum()))


def _in_ranges(v: np.ndarray, y: np.ndarray) -> float:
    """The share of rows whose class the column gives if every class but one is a range of it, else 0.

    Such is a target that was made by thresholds of the column, or of one close to it. Of n rows, those e that are
    outside the range of their class are few as in `_settled`; random labels would have at most e with a probability
    below n²⁽ᶜ⁻¹⁾ Σ (n over i) (c − 1)ⁱ / (n over n₁ … n_c), i ≤ e, which must be below 10⁻⁹.
    """
    n, k, sizes = len(v), int(v.max()) + 1, np.bincount(y)
    c = len(sizes)
    if c > min(MAX_CLASSES, k):
        return 0.0
    outside = []
    for own, size in enumerate(sizes):
        balance = np.cumsum(np.bincount(v, weights=np.where(y == own, 1, -1), minlength=k))
        before = np.minimum.accumulate(np.concatenate([[0], balance[:-1]]))
        outside.append(size - (balance - before).max())
    wrong = sum(sorted(outside)[:-1])
    if wrong > (1 - PURITY) * n or wrong > (1 - EXPLAINED) * (n - sizes.max()):
        return 0.0
    i = np.arange(wrong)
    labels = lgamma(n + 1) - sum(lgamma(size + 1) for size in sizes)
    errors = np.concatenate([[0.0], np.cumsum(np.log((n - i) * (c - 1) / (i + 1)))])
    chance = 2 * (c - 1) * np.log(n) + np.logaddexp.reduce(errors) - labels
    return 1 - wrong / n if chance < LOG_CHANCE else 0.0


# ---- numbers ---------------------------------------------------------------------------------------------------------


def _of_numbers(column: Column, values: np.ndarray, target: np.ndarray) -> Leak | None:
    if target.min() == target.max():
        return None
    distinct, v = np.unique(values, return_inverse=True)
    n, k = len(v), len(distinct)
    if k < 2:
        return None
    if not column.is_category:
        rho = abs(rank_correlation(values, target))
        if 1 - rho <= RANK_DISTANCE[0] + RANK_DISTANCE[1] / n and _is_closer_than_neighbours(rho, target):
            return Leak("orders", column, rho, k)
        levels, y = np.unique(target, return_inverse=True)
        if len(levels) < k and (share := _in_ranges(v, y)):
            return Leak("separates", column, share, k)
    if k > n // 2:
        return None
    sizes = np.bincount(v)
    means = np.bincount(v, weights=target) / sizes
    total = float(((target - target.mean()) ** 2).sum())
    within = float(((target - means[v]) ** 2).sum()) / total * (n - 1) / (n - k)
    if within <= WITHIN and (n - sizes[sizes == 1].sum()) >= MIN_ROWS:
        if k >= 10 and (column.is_category or not _is_smooth(means)):
            return Leak("identifies", column, 1 - within, k)
        if k < 10:
            return Leak("determines", column, 1 - within, k)
    levels, y = np.unique(target, return_inverse=True)
    if k <= 10 and sizes.min() >= 5 and len(levels) > 2 * k and len(np.unique(y * k + v)) == len(levels):
        in_order = v[np.argsort(target)]  # equal targets have the same value
        if 1 + int((np.diff(in_order) != 0).sum()) == k:
            return Leak("indicates", column, 1.0, k)
    return None


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's ρ, with mean ranks for equal values; 0 if one is constant."""
    x, y = ranks(a), ranks(b)
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / scale) if scale > 0 else 0.0


def ranks(x: np.ndarray) -> np.ndarray:
    """From 1, with mean ranks for equal values."""
    _, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def _is_closer_than_neighbours(rho: float, target: np.ndarray) -> bool:
    """Whether the column says more of the target than the target one row before: lags of a series do not."""
    steps = np.diff(target)
    if (steps >= 0).all() or (steps <= 0).all():  # sorted rows
        return True
    before = rank_correlation(target[1:], target[:-1])
    return 1 - rho <= CLOSER_THAN_NEIGHBOURS * (1 - before)


def _is_smooth(means: np.ndarray) -> bool:
    """Whether neighbouring values of the column have similar mean targets."""
    spread = 2 * float(means.var())
    return spread > 0 and float((np.diff(means) ** 2).mean()) / spread < SMOOTH
