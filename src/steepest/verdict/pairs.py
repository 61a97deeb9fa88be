"""Every contender of a task against every other, as one family of tests.

All pairs, because the best is known only after looking: held against the best alone, contenders that are truly equal
would look different too often.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from steepest.verdict.nouns import Estimate
from steepest.verdict.stats import Difference, holm, welch


@dataclass(frozen=True, slots=True)
class Pair:
    """How much worse `other` is than `one`, in goodness."""

    difference: Difference
    n: int
    """The smaller sample."""
    p: float
    """Adjusted over the family."""
    level: float
    """The unadjusted level at which Holm's procedure judged it."""

    @property
    def estimate(self) -> Estimate:
        interval = self.difference.interval(1 - self.level)
        return Estimate(interval.value, interval.low, interval.high, self.n)


def compare_all(samples: Mapping[str, np.ndarray], alpha: float) -> dict[tuple[str, str], Pair]:
    """(one, other) → Pair, in both directions, for all samples of goodness; Welch's t, Holm over all pairs."""
    keys = list(combinations(samples, 2))
    if not keys:
        return {}
    differences = [welch(samples[one], samples[other]) for one, other in keys]
    adjusted = holm(np.array([difference.p for difference in differences]), alpha)
    found: dict[tuple[str, str], Pair] = {}
    for (one, other), d, p, level in zip(keys, differences, adjusted.p, adjusted.level, strict=True):
        n = min(len(samples[one]), len(samples[other]))
        found[one, other] = Pair(d, n, float(p), float(level))
        found[other, one] = Pair(Difference(-d.value, d.error, d.freedom, d.p), n, float(p), float(level))
    return found
