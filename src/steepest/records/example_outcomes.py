"""What came of each test example: for one trial of each seed in a shard, right or wrong in one bit, or the example's
share of the metric in a half-precision number.

Kept beside the curves, in the same file. A reader checks everything before it computes with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from steepest.records import rng

MAX_EXAMPLES = 10_000
"""Test examples of a trial that are kept. Beyond that, about as many are drawn, the same in every study."""
MAX_CANDIDATES = 2**23
"""Examples that may be kept, over all seeds: as many as a mask may have bits."""
NAMES = ("example_lanes", "example_masks", "example_values", "example_scales", "example_sizes")
"""Of the arrays in a file of curves."""
TOLERANCE = 1e-5
"""Between a share of right answers and the test metric, which is rounded to single precision."""


@dataclass(frozen=True, slots=True)
class Contributions:
    """The test examples of one trial: the metric is the mean of what they contribute, over all test examples."""

    mask: np.ndarray  # [candidates], bool: which of them are test examples of this trial
    values: np.ndarray  # [mask.sum()], float64, in the order of the candidates
    size: int
    """Test examples of the trial, those that are not kept included."""
    right: bool
    """Whether each value is 1 for right or 0 for wrong; otherwise it is the difference to the metric."""


@dataclass(frozen=True, slots=True)
class ExampleOutcomes:
    """The test examples of k trials of a shard, as they are stored."""

    lanes: np.ndarray  # [k], int64, increasing
    masks: np.ndarray  # [k or 1, bytes], uint8: `Contributions.mask` in bits; one row if all are alike
    values: np.ndarray  # uint8: bits of each trial, padded to bytes; float16: value/scale; one trial after the other
    scales: np.ndarray  # [k], float32: the largest value; [0] for bits
    sizes: np.ndarray  # [k + 1], int64: `Contributions.size` of each, and the number of candidates

    def of(self, lane: int) -> Contributions | None:
        """What came of the examples of this lane's trial; None if that is not known."""
        found = np.flatnonzero(self.lanes == lane)
        if not len(found):
            return None
        i = int(found[0])
        counts = [int(np.bitwise_count(row).sum()) for row in self.masks]
        counts = counts if len(counts) == len(self.lanes) else counts * len(self.lanes)
        mask = np.unpackbits(self._mask(i), count=int(self.sizes[-1])).astype(bool)
        if self.right:
            start = sum(-(-count // 8) for count in counts[:i])
            values = np.unpackbits(self.values[start : start + -(-counts[i] // 8)], count=counts[i]).astype(float)
        else:
            start = sum(counts[:i])
            values = self.values[start : start + counts[i]].astype(float) * float(self.scales[i])
        return Contributions(mask, values, int(self.sizes[i]), self.right)

    @property
    def right(self) -> bool:
        """Whether the values are bits."""
        return self.values.dtype == np.uint8

    def _mask(self, i: int) -> np.ndarray:
        return self.masks[i if len(self.masks) > 1 else 0]

    def check(self, ended: Sequence[bool], metric: np.ndarray) -> None:
        """Raise ValueError if this cannot be what came of the trials of a shard. ended: whether each has a result.
        metric [R]: their test metrics."""
        k, lanes = len(self.lanes), self.lanes
        kinds = (lanes.dtype, self.masks.dtype, self.scales.dtype, self.sizes.dtype)
        if kinds != (np.int64, np.uint8, np.float32, np.int64) or self.values.dtype.name not in ("uint8", "float16"):
            raise ValueError("the test examples have another type")
        shapes = (lanes.ndim, self.masks.ndim, self.values.ndim, self.scales.ndim, self.sizes.ndim)
        if shapes != (1, 2, 1, 1, 1) or not k or len(self.masks) not in (1, k) or len(self.sizes) != k + 1:
            raise ValueError("the test examples have another shape")
        if lanes[0] < 0 or lanes[-1] >= len(ended) or (np.diff(lanes) <= 0).any():
            raise ValueError("the test examples are of trials that do not exist")
        if not np.asarray(ended)[lanes].all():
            raise ValueError("a trial without a result has test examples")
        candidates = int(self.sizes[-1])
        counts = np.array([int(np.bitwise_count(self._mask(i)).sum()) for i in range(k)])
        if not 0 < candidates <= MAX_CANDIDATES or self.masks.shape[1] != -(-candidates // 8):
            raise ValueError("the test examples have another shape")
        if not (counts.min() > 0 and (counts <= self.sizes[:-1]).all()):
            raise ValueError("there are more test examples than the test part has")
        needed = int((-(-counts // 8)).sum() if self.right else counts.sum())
        if len(self.values) != needed or len(self.scales) != (0 if self.right else k):
            raise ValueError("the test examples are cut short")
        if not self.right:
            if not (np.isfinite(self.scales) & (self.scales >= 0)).all() or not (np.abs(self.values) <= 1).all():
                raise ValueError("a test example has an impossible value")
            return
        for i in np.flatnonzero(counts == self.sizes[:-1]):
            found = self.of(int(lanes[i]))
            assert found is not None
            if not abs(found.values.mean() - metric[lanes[i]]) <= TOLERANCE:
                raise ValueError("the test examples are not those of the test metric")


def to_arrays(found: ExampleOutcomes) -> dict[str, np.ndarray]:
    """Name → array, for a file."""
    return dict(zip(NAMES, (found.lanes, found.masks, found.values, found.scales, found.sizes), strict=True))


def from_arrays(stored: Mapping[str, np.ndarray]) -> ExampleOutcomes | None:
    """What `to_arrays` gave; None if there is none of it. Raises KeyError if a part is missing."""
    if not any(name in stored for name in NAMES):
        return None
    return ExampleOutcomes(*(stored[name] for name in NAMES))


# ---- making ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def candidates(pool: int, tested: int) -> np.ndarray:
    """The examples 0 … pool − 1, in order, of which those in the test part are kept: all if a seed tests at most
    `MAX_EXAMPLES` of them, else as many at random as leave it about that many."""
    if tested <= MAX_EXAMPLES:
        return np.arange(pool)
    drawn = rng.generator(0, "examples").permutation(pool)[: pool * MAX_EXAMPLES // tested]
    return np.sort(drawn)


def packed(found: Mapping[int, Contributions]) -> ExampleOutcomes | None:
    """What came of the examples of these lanes; None where there are none, or where lanes have different forms."""
    lanes = sorted(found)
    parts = [found[lane] for lane in lanes]
    if not parts or len({(part.right, len(part.mask)) for part in parts}) > 1:
        return None
    masks = np.stack([np.packbits(part.mask) for part in parts])
    if (masks == masks[0]).all():
        masks = masks[:1]
    scales = np.empty(0, dtype=np.float32)
    if parts[0].right:
        values = np.concatenate([np.packbits(part.values.astype(bool)) for part in parts])
    else:
        scales = np.array([np.abs(part.values).max() for part in parts], dtype=np.float32)
        pairs = zip(parts, scales, strict=True)
        values = np.concatenate([part.values / (float(scale) or 1.0) for part, scale in pairs])
        values = np.clip(values, -1, 1).astype(np.float16)
    sizes = np.array([*(part.size for part in parts), len(parts[0].mask)], dtype=np.int64)
    return ExampleOutcomes(np.array(lanes, dtype=np.int64), masks, values, scales, sizes)
