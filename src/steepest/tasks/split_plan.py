"""How a seed draws the train, validation and test part: at random, stratified by class, by group, by time, or by folds.

A draw is a pure function of the plan and the seed. Positions count the examples from which the parts are drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from typing import Any, Literal

import numpy as np
from torch import Tensor

from steepest.errors import BadTask
from steepest.messages import mark
from steepest.records import rng
from steepest.tasks.arrays import PARTS, Pool

SplitKind = Literal["random", "stratified", "groups", "time", "folds"]
SHARES = (0.6, 0.2, 0.2)
"""Default shares of train, validation and test."""
WINDOW = 0.8
"""Share of the examples in time order that one seed uses; the seed draws where the window starts."""
GROUP_DRAWS = 32
"""Orders of the groups that are tried until the sizes of the parts are close to their shares."""
CLOSE = 0.05
"""Accepted deviation of a part's size from its share, relative to the smaller of validation and test."""
NAMED_PARTS = {"train": "train", "training": "train", "valid": "valid", "validation": "valid", "val": "valid"} | {
    "dev": "valid",
    "test": "test",
    "testing": "test",
}
"""Names of fixed parts in a column of folds."""
VARIES = {"time": mark("position of the time window"), "folds": mark("which folds are validation and test")}
"""What a seed draws, for splits by time and by folds."""
BY_GROUP = {
    ("train", "valid", "test"): mark("train/validation/test split by group"),
    ("train", "valid"): mark("train/validation split by group"),
    ("train", "test"): mark("train/test split by group"),
}
AT_RANDOM = {
    ("train", "valid", "test"): mark("train/validation/test split"),
    ("train", "valid"): mark("train/validation split"),
    ("train", "test"): mark("train/test split"),
}


@dataclass(frozen=True, eq=False)
class SplitPlan:
    """How the parts `names` are drawn from n examples."""

    kind: SplitKind
    names: tuple[str, ...]  # of the drawn parts, in the order of PARTS; ("train",) alone means that nothing is drawn
    shares: tuple[float, ...]  # of `names`, summing to 1
    n: int
    strata: np.ndarray | None = None  # [n], class of each example; None: not stratified
    keys: np.ndarray | None = None  # [n], int64: number of the group, the rank in time, or the fold
    fixed: bool = False
    """The folds are named train, valid and test: `keys` are positions in PARTS, and all seeds have the same parts."""

    @property
    def is_fixed(self) -> bool:
        """Whether all seeds have the same parts."""
        return self.fixed or len(self.names) == 1

    @property
    def varies(self) -> str:
        """What a seed draws of the split, as a term for reports; empty if all seeds have the same parts."""
        if self.is_fixed:
            return ""
        if self.kind in VARIES:
            return VARIES[self.kind]
        return (BY_GROUP if self.kind == "groups" else AT_RANDOM)[self.names]

    def draw(self, seed: int) -> dict[str, np.ndarray]:
        """The positions 0 … n − 1 of each part for this seed, sorted."""
        draw = rng.generator(seed, "split")
        if self.kind == "folds":
            return self._by_fold(seed, draw)
        if self.kind == "groups":
            return self._by_group(draw)
        if self.kind == "time":
            return self._by_time(draw)
        strata = np.zeros(self.n, dtype=np.int64) if self.strata is None else self.strata
        counts = np.diff(self._edges(self.n))
        return dict(zip(self.names, cut(strata, counts, draw), strict=True))

    def sizes(self) -> dict[str, int]:
        """Examples in each drawn part. By group, time or fold they may differ between seeds; these are seed 0's."""
        if self.kind in ("random", "stratified"):
            return dict(zip(self.names, map(int, np.diff(self._edges(self.n))), strict=True))
        return {name: len(positions) for name, positions in self.draw(0).items()}

    def _edges(self, n: int) -> np.ndarray:
        """Where the parts begin and end among n examples, for these shares."""
        shares = np.array(self.shares)
        return np.round(np.cumsum([0, *shares]) / shares.sum() * n).astype(int)

    def _by_group(self, draw: np.random.Generator) -> dict[str, np.ndarray]:
        """Whole groups in random order, cut where the sizes come closest to the shares.

        If classes are stratified, groups are ordered like the examples in `cut`, by their most frequent class. A group
        larger than a part makes sizes uneven, so up to `GROUP_DRAWS` orders are tried and the most even one is taken.
        """
        assert self.keys is not None
        sizes = np.bincount(self.keys)
        strata = np.zeros(len(sizes), dtype=np.int64) if self.strata is None else _most_frequent(self.keys, self.strata)
        wanted = self._edges(self.n)
        best, best_distance = np.empty(0, dtype=np.int64), np.inf
        for _ in range(GROUP_DRAWS):
            order = stratified_order(strata, draw)
            edges = _nearest_cuts(np.cumsum(sizes[order]), wanted)
            part_of_group = np.empty(len(sizes), dtype=np.int64)
            part_of_group[order] = np.repeat(np.arange(len(self.names)), np.diff(edges))
            found = np.bincount(part_of_group, weights=sizes, minlength=len(self.names))
            distance = float(np.abs(found - np.diff(wanted)).max())
            if distance < best_distance:
                best, best_distance = part_of_group, distance
            if best_distance <= CLOSE * np.diff(wanted).min():
                break
        return self._of(best[self.keys])

    def _by_time(self, draw: np.random.Generator) -> dict[str, np.ndarray]:
        """A window of consecutive examples that begins at a random place: train, then validation, then test.

        Examples of one time are in one part.
        """
        assert self.keys is not None
        counts = np.bincount(self.keys)
        length = round(WINDOW * self.n)
        start = int(draw.integers(0, self.n - length + 1))
        edges = start + self._edges(length)
        ends = np.cumsum(counts)
        cuts = np.searchsorted(ends - counts / 2, edges)  # [parts + 1], the first time of each part
        for i in range(1, len(cuts)):
            cuts[i] = max(cuts[i], cuts[i - 1] + 1)
        cuts -= max(0, cuts[-1] - len(counts))
        part_of_time = np.full(len(counts), -1)
        for part, (first, last) in enumerate(pairwise(cuts)):
            part_of_time[first:last] = part
        return self._of(part_of_time[self.keys])

    def _by_fold(self, seed: int, draw: np.random.Generator) -> dict[str, np.ndarray]:
        """One fold is test and the next one validation; with each seed they move on by one fold.

        After all folds have been test once, another fold is validation. With two folds, or if only two parts are drawn
        from them, the remaining part is drawn from the training folds at random.
        """
        assert self.keys is not None
        if self.fixed:
            return self._of(self.keys)
        k = int(self.keys.max()) + 1
        held_out = seed % k
        if len(self.names) == 2:
            return self._of((self.keys == held_out).astype(np.int64))
        part = np.zeros(self.n, dtype=np.int64)
        part[self.keys == held_out] = 2
        if k > 2:
            part[self.keys == (held_out + 1 + seed // k % (k - 1)) % k] = 1
            return self._of(part)
        rest = np.flatnonzero(part == 0)
        strata = np.zeros(len(rest), dtype=np.int64) if self.strata is None else self.strata[rest]
        size = round(len(rest) * self.shares[1] / (self.shares[0] + self.shares[1]))
        part[rest[cut(strata, [len(rest) - size, size], draw)[1]]] = 1
        return self._of(part)

    def _of(self, part: np.ndarray) -> dict[str, np.ndarray]:
        """The positions of each part, from the number of the part of each example; −1: in no part."""
        return {name: np.flatnonzero(part == i) for i, name in enumerate(self.names)}


def stratified_order(labels: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """A random order in which every stretch has its share of every class.

    After a shuffle, each example has the relative position (rank + ½) / size within its class, and is sorted by it.
    With a single label this is a plain shuffle.
    """
    shuffled = draw.permutation(len(labels))
    _, codes, sizes = np.unique(labels[shuffled], return_inverse=True, return_counts=True)
    by_class = np.argsort(codes, kind="stable")
    rank = np.empty(len(labels))
    rank[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return shuffled[np.argsort((rank + 0.5) / sizes[codes], kind="stable")]


def cut(labels: np.ndarray, counts: Sequence[int] | np.ndarray, draw: np.random.Generator) -> list[np.ndarray]:
    """Positions 0 … n−1 divided at random into parts of these sizes, stratified by class.

    Parts are cut from a stratified order, so that each has its share of every class to within one example. Positions
    are sorted.
    """
    order = stratified_order(labels, draw)
    return [np.sort(part) for part in np.split(order, np.cumsum(counts)[:-1])]


def _most_frequent(keys: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """The most frequent class of each group: [groups]."""
    classes, codes = np.unique(strata, return_inverse=True)
    pairs, counts = np.unique(keys * len(classes) + codes, return_counts=True)
    group, code = np.divmod(pairs, len(classes))
    found = np.empty(int(keys.max()) + 1, dtype=np.int64)
    order = np.argsort(counts, kind="stable")
    found[group[order]] = code[order]  # the last one of a group has the most
    return found


def _nearest_cuts(ends: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where to cut groups of which the first i + 1 have ends[i] examples, so that no part is empty."""
    cumulated = np.array([0, *ends])
    cuts = np.array([int(np.abs(cumulated - edge).argmin()) for edge in wanted])
    parts = len(wanted) - 1
    for i in range(1, parts):
        cuts[i] = min(max(cuts[i], cuts[i - 1] + 1), len(ends) - (parts - i))
    return cuts


# ---- from a task's arguments -----------------------------------------------------------------------------------------


def drawn_parts(pool: Pool) -> tuple[str, ...]:
    """The parts that a seed draws from the examples given as `train`; `train` alone means that nothing is drawn."""
    return ("train", *(name for name in PARTS if name not in pool.ranges))


def draw_parts(pool: Pool, plan: SplitPlan, seed: int) -> dict[str, np.ndarray]:
    """Positions of each part in the pool for this seed."""
    parts = {name: np.asarray(positions, dtype=np.int64) for name, positions in pool.ranges.items()}
    if len(plan.names) == 1:
        return parts
    source = parts["train"]
    return parts | {name: source[places] for name, places in plan.draw(seed).items()}


def shares_and_kind(split: Any) -> tuple[tuple[float, float, float], str]:
    """The shares and the kind ("", "random" or "stratified") of the argument `split`. Raises BadTask."""
    kind, shares = "", split
    if isinstance(split, str):
        kind, shares = split, SHARES
    elif isinstance(split, Sequence) and len(split) == 4 and isinstance(split[0], str):
        kind, shares = split[0], split[1:]
    if kind not in ("", "random", "stratified"):
        raise BadTask(
            f'split is {split!r}. Possible: "random", "stratified", or three shares that sum to 1. For whole groups '
            "pass groups, for a series time, and for given folds folds."
        )
    numbers = [*shares] if isinstance(shares, Sequence | np.ndarray) else []
    if (
        len(numbers) != 3
        or not all(isinstance(share, Real) and float(share) > 0 for share in numbers)
        or not np.isclose(sum(numbers), 1, rtol=0, atol=1e-6)
    ):
        raise BadTask(f"split is {split!r}; it must be three shares above 0 that sum to 1: train, valid, test.")
    return tuple(map(float, numbers)), kind  # type: ignore[return-value]


def plan_of(pool: Pool, split: Any, groups: Any = None, time: Any = None, folds: Any = None) -> SplitPlan:
    """The plan for a task's arguments. Raises BadTask."""
    shares, kind = shares_and_kind(split)
    names = drawn_parts(pool)
    n = len(pool.ranges["train"])
    by = {name: value for name, value in (("groups", groups), ("time", time), ("folds", folds)) if value is not None}
    if len(by) > 1:
        raise BadTask(f"{' and '.join(by)} are both given. Pass one of groups, time and folds.")
    if by and len(names) == 1:
        raise BadTask(f"{min(by)} is given, but train, valid and test are given too, so that no part is drawn.")
    own = tuple(shares[PARTS.index(name)] for name in names)
    strata = _classes(pool.targets[pool.ranges["train"].start : pool.ranges["train"].stop])
    if kind == "stratified" and strata is None:
        raise BadTask('split is "stratified", but the targets are not class numbers. Use "random".')
    strata = None if kind == "random" else strata
    if groups is not None:
        return SplitPlan("groups", names, own, n, strata, _group_numbers(groups, n, len(names)))
    if time is not None:
        if kind == "stratified":
            raise BadTask('time and split="stratified" are both given. A split by time cannot be stratified.')
        return SplitPlan("time", names, own, n, None, _time_ranks(time, n, len(names)))
    if folds is not None:
        return _fold_plan(folds, names, own, n, strata)
    return SplitPlan("random" if strata is None else "stratified", names, own, n, strata)


def _classes(targets: Tensor) -> np.ndarray | None:
    return targets.numpy() if targets.ndim == 1 and not targets.is_floating_point() else None


def _keys(name: str, given: Any, n: int) -> np.ndarray:
    """One value per example. Raises BadTask for another length and for missing values."""
    keys = np.asarray(given)
    if keys.ndim == 2 and keys.shape[1] == 1:
        keys = keys[:, 0]
    if keys.ndim != 1 or len(keys) != n:
        raise BadTask(
            f"{name} has the shape {[*keys.shape]}; it must have one value for each of the {n} examples from which "
            "the parts are drawn."
        )
    if keys.dtype.kind == "O":
        missing = np.array([key is None or key != key for key in keys])
    elif keys.dtype.kind == "M":
        missing = np.isnat(keys)
    else:
        missing = np.isnan(keys) if keys.dtype.kind == "f" else np.zeros(n, dtype=bool)
    if count := int(missing.sum()):
        raise BadTask(
            f"{name} has {count} missing value{'s'[: count - 1]}, the first at row {int(missing.argmax())}. Fill "
            f"{'them' if count > 1 else 'it'} in, or remove {'these rows' if count > 1 else 'this row'}."
        )
    return keys


def require_values(name: str, kind: Literal["group", "time", "fold"], different: int, parts: int = 3) -> None:
    """Raises BadTask if an argument, or a column, has too few different values for a split."""
    least = {"group": parts, "time": 2 * parts, "fold": 2}[kind]
    if different < least:
        some = "one value" if different == 1 else f"{different} different values"
        raise BadTask(f"{name} has only {some}; a split by {kind} needs at least {least}.")


def _group_numbers(given: Any, n: int, parts: int) -> np.ndarray:
    keys = _keys("groups", given, n)
    keys = keys.astype(str) if keys.dtype.kind == "O" else keys
    found, numbers = np.unique(keys, return_inverse=True)
    require_values("groups", "group", len(found), parts)
    return numbers.astype(np.int64)


def _time_ranks(given: Any, n: int, parts: int) -> np.ndarray:
    keys = _keys("time", given, n)
    if keys.dtype.kind in "OUS":
        try:
            keys = keys.astype("datetime64[ns]") if keys.dtype.kind == "O" else np.array(keys, dtype="datetime64")
        except (ValueError, TypeError):
            raise BadTask(
                f"time has values such as {given[0]!r}. Pass numbers, numpy.datetime64, or dates such as 2024-01-31."
            ) from None
    if keys.dtype.kind not in "biufM":
        raise BadTask(f"time has dtype {keys.dtype}. Pass numbers or dates.")
    found, ranks = np.unique(keys, return_inverse=True)
    require_values("time", "time", len(found), parts)
    return ranks.astype(np.int64)


def _fold_plan(
    given: Any, names: tuple[str, ...], shares: tuple[float, ...], n: int, strata: np.ndarray | None
) -> SplitPlan:
    keys = _keys("folds", given, n)
    keys = keys.astype(str) if keys.dtype.kind == "O" else keys
    found, numbers = np.unique(keys, return_inverse=True)
    parts = [NAMED_PARTS.get(str(name).strip().lower(), "") for name in found]
    if all(parts):
        if set(parts) != set(names):
            raise BadTask(
                f"folds names the parts {', '.join(map(str, found))}, but {', '.join(names)} are drawn. Every "
                "part needs examples."
            )
        places = np.array([names.index(part) for part in parts])
        return SplitPlan("folds", names, shares, n, strata, places[numbers], fixed=True)
    if any(parts):
        others = ", ".join(repr(str(name)) for name, part in zip(found, parts, strict=True) if not part)
        raise BadTask(f"folds has names of parts, but also {others}. Use only train, valid and test, or only folds.")
    require_values("folds", "fold", len(found))
    return SplitPlan("folds", names, shares, n, strata, numbers.astype(np.int64))
