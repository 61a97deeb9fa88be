"""Rows that look like groups or like a series: what a split at random would mix up. Pure functions of columns."""

import re
from collections.abc import Sequence

import numpy as np

from steepest.checks.leaks import MIN_ROWS, Column, rank_correlation

ID_NAME = re.compile(
    r"(?i:(^|[_\W])(id|ids|uuid|key|user|patient|subject|customer|client|person|participant|session|device|sensor|house"
    r"hold|school|store|shop|machine|animal|speaker|player|author|group|site|hospital|account)([_\W]|$))|[a-z]I[dD]$"
)
MAX_GAP = 0.01
"""Share of neighbouring rows that may be in the wrong order in a column of times."""
AUTOCORRELATION = 0.5
"""Rank correlation of neighbouring targets from which rows in the order of a column are a series."""
LAGS = (1, 2, 3, 7, 12, 24)
SAME = 0.99
"""Share of rows in which a column equals the target of an earlier row."""


def id_columns(columns: Sequence[Column]) -> list[Column]:
    """Columns that are called like an id and whose values repeat: at least 5 values of two rows on average."""
    return [column for column in columns if ID_NAME.search(column.name) and _repeats(column)]


def _repeats(column: Column) -> bool:
    k = len(np.unique(column.values[~column.is_missing]))
    return 5 <= k <= len(column.values) // 2


def time_columns(columns: Sequence[Column], target: np.ndarray, is_class: bool) -> list[Column]:
    """Columns that increase or decrease from row to row, if neighbouring targets resemble each other.

    At most 1 % of the rows may be in the wrong order, and at least a third of the values differ. Neighbouring numbers
    must have a rank correlation of 0.5; neighbouring classes must be equal more often than by chance by six standard
    errors. Rows that are sorted by the target are not a series.
    """
    if len(target) < 2 * MIN_ROWS or _is_sorted(target) or not _resemble(target, is_class):
        return []
    return [column for column in columns if not column.is_category and _runs_on(column)]


def lag_columns(columns: Sequence[Column], target: np.ndarray) -> list[Column]:
    """Columns that equal a numeric target some rows before or, less often, after: features of a series."""
    if len(target) < 2 * MIN_ROWS or len(np.unique(target)) < len(target) // 4:
        return []
    return [column for column in columns if not column.is_category and _is_lag(column.values, target)]


def _is_lag(values: np.ndarray, target: np.ndarray) -> bool:
    for lag in LAGS:
        a, b = values[lag:], target[:-lag]
        here = ~np.isnan(a)
        if here.sum() >= MIN_ROWS and (np.abs(a - b)[here] <= 1e-6 * np.abs(b[here])).mean() >= SAME:
            return True
    return False


def _runs_on(column: Column) -> bool:
    values = column.values[~column.is_missing]
    if len(values) < 2 * MIN_ROWS or len(np.unique(values)) < len(values) / 3:
        return False
    steps = np.diff(values)
    return bool((steps < 0).mean() <= MAX_GAP or (steps > 0).mean() <= MAX_GAP)


def _is_sorted(target: np.ndarray) -> bool:
    steps = np.diff(target)
    return bool((steps >= 0).all() or (steps <= 0).all())


def _resemble(target: np.ndarray, is_class: bool) -> bool:
    if not is_class:
        return rank_correlation(target[1:], target[:-1]) >= AUTOCORRELATION
    shares = np.unique(target, return_counts=True)[1] / len(target)
    chance = float((shares**2).sum())
    equal = float((target[1:] == target[:-1]).mean())
    runs = 1 + int((target[1:] != target[:-1]).sum())
    error = np.sqrt(chance * (1 - chance) / (len(target) - 1))
    return runs > 2 * len(shares) and equal - chance > 6 * error
