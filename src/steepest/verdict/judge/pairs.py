"""Every contender of a task against every other, as one family of tests.

All pairs, because the best is known only afterwards: compared with the best alone, contenders that are truly equal
would look different too often. Seed by seed if the seeds are shown to move all contenders together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from steepest.verdict.results import Estimate
from steepest.verdict.stats.inference import Difference, correlation_over_seeds, critical_t, holm, moments, welch
from steepest.verdict.stats.sequential import FIXED, Look

Values = Mapping[int, float]
"""Seed → goodness of a sound replicate."""
MIN_SEEDS = 5
"""Valid replicates that a contender needs to be judged, and common seeds needed to test their correlation."""
CORRELATION_LEVEL = 0.05
"""The significance level of the test for correlation over seeds."""


@dataclass(frozen=True, slots=True)
class Pair:
    """How much worse `other` is than `one`, in goodness."""

    one: np.ndarray
    """The samples that were compared. Seed by seed they are the differences, and as many zeros."""
    other: np.ndarray
    difference: Difference
    p: float = 1.0
    """Adjusted over the family, and over all looks at the study."""
    level: float = 1.0
    """The level at this look for the unadjusted p, at which Holm's procedure judged it."""

    @property
    def n(self) -> int:
        """The smaller sample."""
        return min(len(self.one), len(self.other))

    @property
    def deviations(self) -> tuple[float, float]:
        return moments(self.one)[1] ** 0.5, moments(self.other)[1] ** 0.5

    @property
    def estimate(self) -> Estimate:
        interval = self.difference.interval(1 - self.level)
        return Estimate(interval.value, interval.low, interval.high, self.n)


@dataclass(frozen=True, slots=True)
class Family:
    """All pairs of a task."""

    pairs: Mapping[tuple[str, str], Pair]
    """(one, other) → Pair, in both directions."""
    correlation: float | None
    """Of the contenders' values over seeds, the mean over pairs; None where it could not be measured."""
    paired: bool
    """Whether contenders are compared seed by seed."""


def compare_all(
    samples: Mapping[str, Values], alpha: float, generator: np.random.Generator, look: Look = FIXED
) -> Family:
    """Welch's t for every pair, or Student's t on the differences by seed where that helps; Holm over all pairs.

    In a study that is looked at more than once, Holm's procedure takes p values for the whole sequence of looks, and
    the interval of a pair has the level of this look: it holds 0 exactly where the adjusted p is `alpha` or more.
    """
    keys = list(combinations(samples, 2))
    correlation, paired = together(list(samples.values()), look.level(alpha / max(len(keys), 1)), generator)
    pairs = [compare(samples[one], samples[other], paired) for one, other in keys]
    adjusted = holm(np.array([look.p(pair.difference.p) for pair in pairs]), alpha)
    found: dict[tuple[str, str], Pair] = {}
    for (one, other), pair, p, level in zip(keys, pairs, adjusted.p, adjusted.level, strict=True):
        judged = replace(pair, p=float(p), level=look.level(float(level)))
        found[one, other] = judged
        found[other, one] = replace(judged, one=pair.other, other=pair.one, difference=pair.difference.reversed())
    return Family(found, correlation, paired)


def compare(one: Values, other: Values, paired: bool) -> Pair:
    """Seed by seed only if both have the same seeds: else the difference would not be that of the means."""
    if paired and one.keys() == other.keys():
        x = np.array([one[seed] - other[seed] for seed in one])
        y = np.zeros(len(x))  # Welch's t against a sample of zeros is Student's t of one sample
    else:
        x, y = np.array(list(one.values())), np.array(list(other.values()))
    return Pair(x, y, welch(x, y))


def together(samples: Sequence[Values], level: float, generator: np.random.Generator) -> tuple[float | None, bool]:
    """The correlation of the contenders over seeds, and whether comparing seed by seed gains from it.

    It does if the correlation r is significant (a permutation test at 5 %), and large enough to make up for the degrees
    of freedom that pairing costs: at the level of the tests, the paired interval is the shorter one if
    √(1−r)·t(n−1) < t(2n−2).
    """
    common = sorted(set(samples[0]).intersection(*samples[1:])) if samples else []
    n = len(common)
    if len(samples) < 2 or n < MIN_SEEDS:
        return None, False
    r, p = correlation_over_seeds(np.array([[values[seed] for seed in common] for values in samples]), generator)
    return r, p <= CORRELATION_LEVEL and r > 1 - (critical_t(level, 2 * n - 2) / critical_t(level, n - 1)) ** 2
