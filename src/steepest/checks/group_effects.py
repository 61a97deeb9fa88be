"""Columns that look like ids of groups and explain the target: pure functions of columns, with their rules.

Every category of many values may explain the target, as towns explain rents, and is a sound input. So two things must
come together. The column looks like an id: its texts are one pattern with numbers in it, such as "plot 17"; or it has
whole numbers; or its values come in more equal numbers than random draws give, as 40 fields in each of 10 years do. And
it explains a tenth of the target or more, beyond what chance gives with a probability of 10⁻⁹. Where ids have an order,
neighbours must differ as much as others do: the effect of an amount is smooth.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from steepest.checks.leaks import Column, ranks

FEWEST = (10, 20)
"""Different values that ids have at least: texts with numbers in them, and others."""
CHANCE = 1e-9
EXPLAINED = 0.1
"""Share of the target's variance that is between groups, from which rows of one group are alike."""
SMOOTH = 0.5
"""Variance between neighbouring ids, relative to that between all, below which the column is an amount."""
STRONGEST = 2
"""Groups without which the effect must be there too: a rare class may meet in one or two by chance."""
MAX_CELLS = 4_000_000
"""Groups × classes that are counted at most."""
NUMBER = re.compile(r"(?=[a-fA-F-]*\d)[0-9a-fA-F-]{8,}|\d+")
"""Where texts of one pattern differ: a number, or a hash of hexadecimal digits."""
ONE_PATTERN = 0.9


def group_effects(columns: Sequence[Column], target: np.ndarray, is_class: bool) -> dict[str, float]:
    """Column → the share of the target that it explains, for columns that look like ids of groups."""
    found = {}
    for column in columns:
        here = ~column.is_missing
        ids, has_order = _as_ids(column, column.values[here])
        sizes = np.unique(ids, return_counts=True)[1]
        n, k = len(ids), len(sizes)
        if not FEWEST[0 if column.is_category and has_order else 1] <= k <= n // 2:
            continue
        if not has_order and not _are_equal(sizes):
            continue
        share = _explained(np.unique(ids, return_inverse=True)[1], target[here], is_class, has_order)
        if share >= EXPLAINED:
            found[column.name] = share
    return found


def _are_equal(sizes: np.ndarray) -> bool:
    """Whether groups are more equal in size than random draws would make them."""
    from scipy.special import chdtr  # takes longer to load than all checks of a small task

    n, k = sizes.sum(), len(sizes)
    return bool(chdtr(k - 1, float(((sizes - n / k) ** 2).sum() * k / n)) < CHANCE)


def _as_ids(column: Column, values: np.ndarray) -> tuple[np.ndarray, bool]:
    """The values as ids, and whether they have an order; no values if they cannot be ids."""
    if not column.is_category:
        return (values, True) if (values == np.floor(values)).all() else (values[:0], False)
    patterns = Counter(NUMBER.sub("#", label) for label in column.labels)
    [(pattern, count)] = patterns.most_common(1) or [("", 0)]
    if "#" not in pattern or count < ONE_PATTERN * len(column.labels):
        return values, False
    by_number = sorted(
        range(len(column.labels)), key=lambda i: [int(each) for each in re.findall(r"\d+", column.labels[i])]
    )
    return np.argsort(by_number)[values], True


def _explained(ids: np.ndarray, target: np.ndarray, is_class: bool, has_order: bool) -> float:
    """The share of the variance of the target's ranks, or of its classes as one-hot vectors, that is between ids
    [n]; 0 if chance gives as much, or if it is smooth along ids that have an order."""
    sizes = np.bincount(ids)
    n, k = len(ids), len(sizes)
    if is_class:
        classes, y = np.unique(target, return_inverse=True)
        if k * len(classes) > MAX_CELLS:
            return 0.0
        means = np.bincount(ids * len(classes) + y, minlength=k * len(classes)).reshape(k, -1) / sizes[:, None]
        mean = np.bincount(y) / n
        total = n * (1 - (mean**2).sum())
    else:
        y = ranks(target)
        means = np.bincount(ids, weights=y)[:, None] / sizes[:, None]
        mean = y.mean()
        total = ((y - mean) ** 2).sum()
    between = sizes * ((means - mean) ** 2).sum(axis=1)  # [k]
    within = max(total - between.sum(), 1e-9 * total) / (n - k)
    if within == 0:
        return 0.0  # a constant target
    from scipy.special import fdtrc  # as above

    usual, freedom = np.sort(between)[:-STRONGEST].sum(), k - 1 - STRONGEST
    if fdtrc(freedom, n - k, usual / freedom / within) >= CHANCE:
        return 0.0
    variance = (between.sum() - (k - 1) * within) / (n - (sizes**2).sum() / n)
    if has_order:
        weights = 1 / (1 / sizes[1:] + 1 / sizes[:-1])
        jumps = (weights * (np.diff(means, axis=0) ** 2).sum(axis=1)).sum() - (k - 1) * within
        if jumps / (2 * weights.sum()) < SMOOTH * variance:
            return 0.0
    return float(variance / (variance + within))
