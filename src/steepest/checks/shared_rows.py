"""Rows that two parts share: counted by a hash of their exact content."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from steepest.checks.specimen import Specimen
from steepest.messages import Message, counted, say
from steepest.records.task_warnings import TaskWarning, warning

SEVERE_SHARE = 0.05
"""Share of a part's rows that another part has too, from which a verdict would be about something else."""
SEVERE_SHARE_OF_WINDOWS = 0.25
"""The same for windows of a text whose target is the next token: phrases repeat in any text."""
NOTED_SHARE = 0.01
"""Share below which repeated rows are only a note."""
CHANCE_FACTOR = 3.0
"""Repeated rows are explained by few possible rows if there are at most three times the expected number."""
CHUNK_NUMBERS = 2**20
"""Numbers that are hashed at a time: they stay in cache."""
FEWEST = 10
"""Rows of a part below which it is not looked at: the task has hardly any data."""
PAIRS = 200_000
"""Random pairs of rows from which the chance of equal values is estimated."""
PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class SharedRows:
    """Rows of one part that are in another one too."""

    first: str
    second: str
    count: int
    """Rows of `second` whose content is in `first`."""
    of: int
    """All rows of `second`."""
    expected: float
    """Rows of `second` that would be in `first` if every column took its values independently of the others."""

    def is_severe(self, share: float = SEVERE_SHARE) -> bool:
        """At least this share of the part and three rows, and more than thrice what independent columns would give."""
        return self.count >= max(3, share * self.of) and not self.is_expected

    @property
    def is_expected(self) -> bool:
        """Whether rows repeat because so few different ones are possible."""
        return self.count <= CHANCE_FACTOR * self.expected


def row_hashes(columns: Sequence[np.ndarray]) -> np.ndarray:
    """A 64-bit hash of each row of the columns [n, …]: [n], uint64.

    Each 32-bit word is mixed by h(x) = (kx) ⊕ (kx ≫ 32), multiplied by an odd number of its place, and added: rows that
    differ have equal hashes with probability 2⁻⁶⁴, which makes 3·10⁻⁸ for a million rows. −0 counts as 0, and all NaN
    as one value.
    """
    n = len(columns[0])
    found = np.zeros(n, dtype=np.uint64)
    draw = np.random.default_rng(20240229)
    mixer = np.uint64(0x9E3779B97F4A7C15)
    for column in columns:
        flat = column.reshape(n, -1)
        if flat.dtype.kind in "USO":
            flat = np.unique(flat, return_inverse=True)[1].reshape(flat.shape).astype(np.int32)
        width = _words(flat[:1]).shape[1]
        places = draw.integers(0, 2**63, width, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        step = max(1, CHUNK_NUMBERS // max(width, 1))
        for start in range(0, n, step):
            x = _words(flat[start : start + step]).astype(np.uint64)
            x += np.uint64(1)
            x *= mixer
            x ^= x >> np.uint64(32)
            x *= places
            x ^= x >> np.uint64(29)
            found[start : start + step] += x.sum(axis=1, dtype=np.uint64)
    return found


def _words(rows: np.ndarray) -> np.ndarray:
    """Rows of numbers [n, k] as 32-bit words [n, w]."""
    flat = np.ascontiguousarray(rows)
    if flat.dtype.kind == "f":
        flat = flat + flat.dtype.type(0)  # −0 becomes 0
        if (gone := np.isnan(flat)).any():
            flat[gone] = np.nan
    if flat.dtype.itemsize < 4:
        flat = flat.astype(np.int32)
    return flat.view(np.uint32)


def shared_rows(columns: Sequence[np.ndarray], parts: dict[str, np.ndarray]) -> list[SharedRows]:
    """The pairs of parts that share rows. `parts` holds the positions of each part in the columns [n, …]."""
    hashes = row_hashes(columns)
    found = []
    for first, second in combinations(parts, 2):
        a, b = hashes[parts[first]], hashes[parts[second]]
        count = int(np.isin(b, a, kind="sort").sum())
        if count and len(b) >= FEWEST:
            chance = _chance_of_equal(columns, parts[first], parts[second])
            expected = len(b) * -float(np.expm1(len(a) * np.log1p(-min(chance, 1 - 1e-12))))
            found.append(SharedRows(first, second, count, len(b), expected))
    return found


def repeated_rows(columns: Sequence[np.ndarray]) -> int:
    """Rows that repeat an earlier one."""
    return len(columns[0]) - len(np.unique(row_hashes(columns)))


def _chance_of_equal(columns: Sequence[np.ndarray], first: np.ndarray, second: np.ndarray) -> float:
    """The probability that a row of one part equals a row of another if all columns were independent: the product of
    each column's share of equal values in random pairs."""
    draw = np.random.default_rng(0)
    i, j = (draw.choice(positions, PAIRS // 10 if len(positions) < 100 else PAIRS) for positions in (first, second))
    i, j = i[: min(len(i), len(j))], j[: min(len(i), len(j))]
    logarithm = 0.0
    for column in columns:
        flat = column.reshape(len(column), -1)
        for k in range(flat.shape[1]):
            share = float((flat[i, k] == flat[j, k]).mean())
            if share == 0:
                return 0.0
            logarithm += np.log(share)
            if logarithm < -60:
                return 0.0
    return float(np.exp(logarithm))


# ---- as a check of a task --------------------------------------------------------------------------------------------


def rows_in_two_parts(specimen: Specimen) -> Iterator[TaskWarning]:
    """Rows that two parts of seed 0 share."""
    splits = specimen.splits
    columns = [x.numpy() for x in (*splits.inputs, splits.targets)]
    pairs = shared_rows(columns, {name: getattr(splits, name) for name in PARTS})
    if not pairs:
        return
    share = SEVERE_SHARE_OF_WINDOWS if _predicts_next(columns) else SEVERE_SHARE
    severe = any(pair.is_severe(share) for pair in pairs)
    chance = all(pair.is_expected for pair in pairs)
    shown = _listed(pairs)
    if specimen.task.plan.is_fixed:
        message = say("{shared}. Remove these rows from one of the parts.", shared=shown)
    elif chance:
        message = say(
            "{shared}. Nothing needs to be done: so few different rows are possible that this is expected.",
            shared=shown,
        )
    else:
        message = say(
            "{shared}: the data repeat rows. Remove the copies, or keep them in one part: {option}.",
            shared=shown,
            option="--group COLUMN" if specimen.task.columns_are_checked else "groups=",
        )
    few = all(pair.count < NOTED_SHARE * pair.of for pair in pairs)
    yield warning("shared-rows", message, "severe" if severe else "note" if chance or few else "warning")


def _predicts_next(columns: Sequence[np.ndarray]) -> bool:
    """Whether two of the inputs and targets are tokens [n, T], the second of them one token later, or the same: a model
    that computes its own loss may shift them itself."""
    tokens = [x for x in columns if x.ndim == 2 and x.dtype.kind in "iu"]
    if len(tokens) < 2 or tokens[0].shape != tokens[1].shape:
        return False
    now, later = tokens[:2]
    return bool((now[:, 1:] == later[:, :-1]).all() or (now == later).all())


def _listed(pairs: Sequence[SharedRows]) -> Message:
    texts = [
        counted(
            pair.count,
            "{n:,} of the {of:,} rows of {second} is in {first} too",
            "{n:,} of the {of:,} rows of {second} are in {first} too",
            of=pair.of,
            first=pair.first,
            second=pair.second,
        )
        for pair in pairs
    ]
    joined = texts[0]
    for text in texts[1:]:
        joined = say("{one}; {other}", one=joined, other=text)
    return joined
