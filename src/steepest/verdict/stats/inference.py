"""The statistics of a verdict: pure functions of arrays, with the random generator passed in.

They know nothing of optimizers. A sample holds one value per replicate; each function names its source, and
docs/statistics.md says why it was chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy import special  # pyright: ignore[reportMissingTypeStubs]

VALUES_PER_CHUNK = 1 << 17
"""Values that are resampled at a time."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value between two bounds, which are infinite where the sample bounds nothing."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean of one sample minus mean of another, as Welch's t test sees it."""

    value: float
    error: float
    """Standard error of the difference; infinite if either sample has one value."""
    freedom: float
    """Degrees of freedom, by Welch and Satterthwaite."""
    p: float
    """Two-sided p value of the hypothesis that the true means are equal."""

    def reversed(self) -> Difference:
        """The difference the other way round."""
        return replace(self, value=-self.value)

    def at_least(self, variance: float, n: int) -> Difference:
        """The same where n values a side spread by `variance` at least, even if they seem to spread less."""
        error = math.sqrt(variance / n)
        if self.error >= error:
            return self
        freedom = self.freedom if math.isfinite(self.freedom) else max(1, n - 1)
        return self._with(error, freedom)

    def with_more(self, variance: float) -> Difference:
        """The same with another source of chance, which adds `variance` to that of the difference."""
        if not variance or not 0 < self.freedom < math.inf:
            return self
        return self._with(math.hypot(self.error, math.sqrt(variance)), self.freedom)

    def with_component(self, variance: float, freedom: float) -> Difference:
        """The same with another source of chance, whose variance is an estimate with these degrees of freedom:
        freedom = (V₁ + V₂)² / (V₁²/ν₁ + V₂²/ν₂) (Satterthwaite, 1946)."""
        if not variance or not self.freedom > 0:
            return self
        whole = self.error**2 + variance
        parts = (self.error**2 / whole) ** 2 / self.freedom + (variance / whole) ** 2 / freedom
        return self._with(math.sqrt(whole), 1 / parts if parts else math.inf)

    def with_least_p(self, p: float) -> Difference:
        """The same as uncertain as an exact test with this p value finds it."""
        if self.p >= p or not self.value or not self.freedom > 0:
            return self
        error = max(self.error, abs(self.value) / critical_t(min(p, 0.5), self.freedom))
        return replace(self, error=error, p=p)

    def _with(self, error: float, freedom: float) -> Difference:
        return Difference(self.value, error, freedom, float(2 * special.stdtr(freedom, -abs(self.value) / error)))

    def interval(self, confidence: float) -> Interval:
        if self.error == 0:
            return Interval(self.value, self.value, self.value)
        if math.isinf(self.error):
            return Interval(self.value, -math.inf, math.inf)
        half = critical_t(1 - confidence, self.freedom) * self.error
        return Interval(self.value, self.value - half, self.value + half)


# ---- one and two samples ---------------------------------------------------------------------------------------------


def moments(x: np.ndarray) -> tuple[float, float]:
    """Mean and unbiased variance of x [n]; exact for a constant sample, where rounding would invent a spread."""
    n = len(x)
    if np.minimum.reduce(x) == np.maximum.reduce(x):
        return float(x[0]), 0.0 if n > 1 else math.inf
    mean = np.add.reduce(x) / n  # as `np.mean` and `np.var` do it, which take five times as long for a few values
    with np.errstate(over="ignore"):  # beyond 1e154 the variance is infinite, and nothing is certain
        away = x - mean
        return float(mean), float(np.add.reduce(away * away) / (n - 1))


def critical_t(level: float, freedom: float) -> float:
    """The t that Student's distribution exceeds on either side with probability `level` in all."""
    return -float(special.stdtrit(freedom, level / 2))


def mean_difference(x: np.ndarray, least_variance: float = 0.0) -> Difference:
    """Mean of x [n] as a difference to 0, with Student's t; its variance is at least `least_variance`."""
    return welch(x, np.zeros(len(x))).at_least(least_variance, len(x))


def mean_interval(x: np.ndarray, confidence: float, least_variance: float = 0.0, more: float = 0.0) -> Interval:
    """Mean of x [n] with Student's t interval: x̄ ± t(n−1)·√(s²/n + more) (Student, 1908); s² is at least
    `least_variance`. more: variance that another source of chance adds to the mean."""
    mean, variance = moments(x)
    if math.isinf(variance):
        return Interval(mean, -math.inf, math.inf)
    half = critical_t(1 - confidence, len(x) - 1) * math.sqrt(max(variance, least_variance) / len(x) + more)
    return Interval(mean, mean - half, mean + half)


def welch(a: np.ndarray, b: np.ndarray) -> Difference:
    """Mean of a [n] minus mean of b [m], the two free to differ in spread (Welch, 1947).

    error² = sₐ²/n + s_b²/m ;  freedom = error⁴ / ((sₐ²/n)²/(n−1) + (s_b²/m)²/(m−1))
    Agrees with `scipy.stats.ttest_ind(equal_var=False)`; constant samples, which that refuses, are decided exactly.
    """
    return welch_of((*moments(a), len(a)), (*moments(b), len(b)))


def welch_of(a: tuple[float, float, int], b: tuple[float, float, int]) -> Difference:
    """The same from the means, the variances and the sizes of both samples."""
    (mean_a, variance_a, n), (mean_b, variance_b, m) = a, b
    value, va, vb = mean_a - mean_b, variance_a / n, variance_b / m
    error = math.sqrt(va + vb)
    if math.isinf(error):
        return Difference(value, error, 0.0, 1.0)
    if error == 0:
        return Difference(value, error, math.inf, 1.0 if value == 0 else 0.0)
    # Shares instead of variances: squares of tiny variances would underflow.
    share = va / (va + vb)
    freedom = 1 / (share**2 / (n - 1) + (1 - share) ** 2 / (m - 1))
    return Difference(value, error, freedom, float(2 * special.stdtr(freedom, -abs(value) / error)))


def bootstrap_t(
    a: np.ndarray, b: np.ndarray, confidence: float, generator: np.random.Generator, resamples: int = 9999
) -> Interval:
    """Mean of a [n] minus mean of b [m] with the bootstrap-t interval (Efron, 1982; Hall, 1988).

    Each resample gives t* = (d* − d)/error*; the quantiles of t* take the place of Student's, so that skewed data get
    a skewed interval. A resample without spread counts as infinitely far out, which can only widen the interval.
    """
    d = welch(a, b)
    if not 0 < d.error < math.inf:
        return d.interval(confidence)
    rows = max(1, VALUES_PER_CHUNK // (len(a) + len(b)))
    t = np.concatenate([_t_star(a, b, d.value, min(rows, resamples - i), generator) for i in range(0, resamples, rows)])
    t = np.sort(t[~np.isnan(t)])
    tail = (1 - confidence) / 2
    last = len(t) - 1
    return Interval(
        d.value,
        d.value - float(t[math.ceil((1 - tail) * last)]) * d.error,
        d.value - float(t[math.floor(tail * last)]) * d.error,
    )


def _t_star(a: np.ndarray, b: np.ndarray, d: float, count: int, generator: np.random.Generator) -> np.ndarray:
    a_star = a[generator.integers(len(a), size=(count, len(a)))]  # [count, n]
    b_star = b[generator.integers(len(b), size=(count, len(b)))]
    distance = a_star.mean(axis=1) - b_star.mean(axis=1) - d  # [count]
    error = np.sqrt(a_star.var(axis=1, ddof=1) / len(a) + b_star.var(axis=1, ddof=1) / len(b))
    with np.errstate(divide="ignore", invalid="ignore"):
        return distance / error


# ---- many comparisons ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Adjusted:
    """A family of tests after Holm's procedure, each in the order given."""

    p: np.ndarray  # [m]: at most α exactly for the hypotheses rejected at level α
    level: np.ndarray  # [m]: the unadjusted level at which each was judged


def holm(p: np.ndarray, alpha: float) -> Adjusted:
    """Holm's step-down adjustment of m p values (Holm, 1979): at most a share α of families holds any false rejection.

    The j-th smallest p (j = 0, 1, …) is held against α/(m−j) until one fails; those that remain are judged at that
    one's level. An interval of confidence 1 − level therefore excludes 0 exactly where the adjusted p is below α.
    """
    m = len(p)
    order = np.argsort(p, kind="stable")
    adjusted, level = np.empty(m), np.empty(m)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate((m - np.arange(m)) * p[order]))
    rejected = int(np.sum(adjusted < alpha))
    step = np.minimum(np.arange(m), rejected)
    level[order] = alpha / (m - step)
    return Adjusted(adjusted, level)


def correlation_over_seeds(
    values: np.ndarray, generator: np.random.Generator, shuffles: int = 999
) -> tuple[float, float]:  # values [k, n]
    """The mean correlation between k rows over n columns, and the p value of its being this large by chance.

    The chance is that of a permutation test (Pitman, 1937): the rows are shuffled independently. Rows without spread
    say nothing and are left out.
    """
    rows = values[np.ptp(values, axis=1) > 0]
    if len(rows) < 2:
        return 0.0, 1.0
    z = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)

    def correlation(z: np.ndarray) -> np.ndarray:  # of [..., k, n]: the mean over pairs of rows, from the mean row
        k = z.shape[-2]
        return (k * np.mean(np.mean(z, axis=-2) ** 2, axis=-1) - 1) / (k - 1)

    order = generator.random((shuffles, *z.shape)).argsort(axis=-1)
    shuffled = correlation(np.take_along_axis(z[None], order, axis=-1))  # [shuffles]
    r = float(correlation(z))
    return r, float(1 + np.sum(shuffled >= r - 1e-12)) / (1 + shuffles)


def shrunk_means(values: np.ndarray) -> list[float]:  # values [k, n]
    """Means of k rows, each moved towards their common mean m: m + B·(x̄ − m), B = 1 − s²/(n·v), at least 0 (Efron and
    Morris, 1973). v is the variance of the means; s² is what is left of the variance when rows and columns have taken
    their means. The highest of several noisy means is too high; after this it is not.

    Only columns without a NaN count for B; with fewer than two of them, the means stay as they are.
    """
    means = np.array([moments(row[~np.isnan(row)])[0] for row in values])
    whole = values[:, ~np.isnan(values).any(axis=0)]
    k, n = whole.shape
    if k < 2 or n < 2:
        return means.tolist()
    left = whole - whole.mean(axis=0) - whole.mean(axis=1, keepdims=True) + whole.mean()
    by_chance, seen = float(np.sum(left**2)) / ((k - 1) * (n - 1) * n), float(means.var(ddof=1))
    real = max(0.0, 1 - by_chance / seen) if seen else 0.0
    return (means.mean() + real * (means - means.mean())).tolist()


def rank_intervals(better: np.ndarray) -> list[tuple[int, int]]:  # better [k, k]
    """The places that each of k contenders may truly have, given which were shown to be better than which.

    better[i, j] says that i was shown to be better than j. From 1 + how many are better than i, to k − how many i is
    better than. If all that was shown is right with 95 %, all k intervals hold the true places with 95 %, those that
    are truly equal included (Al Mohamad, Goeman and van Zwet, 2022; Mogstad, Romano, Shaikh and Wilhelm, 2024). Places
    counted over a bootstrap do not: they tell equals apart as if their order was a fact.
    """
    k = len(better)
    return [(1 + int(better[:, i].sum()), k - int(better[i].sum())) for i in range(k)]


# ---- how much a study can see ----------------------------------------------------------------------------------------


def power(difference: float, deviations: tuple[float, float], n: int, level: float, fixed: float = 0.0) -> float:
    """Chance that Welch's test at `level` finds a true difference with n values a side (Cohen, 1988). fixed: variance
    of the difference that no number of values reduces.

    With Z normal and V of χ² with ν degrees of freedom: P(|Z + δ| > t·√(V/ν)), δ the difference in standard errors.
    The mean over V is a quadrature over its quantiles: the noncentral t of SciPy gives NaN in its far corners.
    """
    va, vb = deviations[0] ** 2 / n, deviations[1] ** 2 / n
    whole = va + vb + fixed
    if whole == 0:
        return 1.0 if difference else 0.0
    shares = (va / whole) ** 2 + (vb / whole) ** 2
    freedom = (n - 1) / max(shares, 1e-9)
    nodes, weights = _quadrature()
    edge = critical_t(level, freedom) * np.sqrt(2 * special.gammaincinv(freedom / 2, nodes) / freedom)
    shift = abs(difference) / math.sqrt(whole)
    return float(weights @ (special.ndtr(shift - edge) + special.ndtr(-shift - edge)))


@cache
def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre nodes and weights on (0, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(128)
    return (nodes + 1) / 2, weights / 2


def smallest_difference(
    deviations: tuple[float, float], n: int, level: float, chance: float = 0.8, fixed: float = 0.0
) -> float:
    """The true difference that n values a side find with the given chance; infinite for n < 2, 0 without spread."""
    if n < 2:
        return math.inf
    unit = math.sqrt((deviations[0] ** 2 + deviations[1] ** 2) / n + fixed)
    if unit == 0:
        return 0.0
    little, much = 0.0, unit * (critical_t(level, n - 1) + 10)  # too small to be found, and surely found
    while much - little > 1e-6 * unit:  # power rises with the difference
        middle = (little + much) / 2
        if power(middle, deviations, n, level, fixed) < chance:
            little = middle
        else:
            much = middle
    return (little + much) / 2


def replicates_needed(
    difference: float,
    deviations: tuple[float, float],
    level: float,
    chance: float = 0.8,
    most: int = 1000,
    fixed: float = 0.0,
) -> int | None:
    """The fewest values a side that find `difference` with the given chance; None if `most` are not enough."""
    if power(difference, deviations, most, level, fixed) < chance:
        return None
    few, many = 1, most  # invariant: `few` are too few, `many` are enough
    while many - few > 1:
        middle = (few + many) // 2
        if power(difference, deviations, middle, level, fixed) < chance:
            few = middle
        else:
            many = middle
    return many


# ---- tuning ----------------------------------------------------------------------------------------------------------


def best_of_k(values: np.ndarray) -> np.ndarray:
    """Expected value of the pick when only k of n trials, drawn without replacement, were tried: [n], k = 1 … n.

    `values` [n] come in order of preference, the pick of all n first, failed trials last as NaN. The pick among k is
    the r-th (r = 0, 1, …) with chance C(n−1−r, k−1)/C(n, k) (the expected-performance curve of Dodge et al., 2019,
    drawn without replacement as in Tang et al., 2020). NaN where all k may have failed.
    """
    n, sound = len(values), int(np.sum(~np.isnan(values)))
    expected = _chances(n, sound) @ values[:sound]
    expected[: n - sound] = math.nan
    return expected


@cache
def _chances(n: int, sound: int) -> np.ndarray:  # [n, sound]: of k = 1 … n trials, that the r-th is the pick
    k = np.arange(1, n + 1)[:, None]
    return _choose(n - 1 - np.arange(sound), k - 1) / _choose(n, k)


def _choose(n: np.ndarray | int, k: np.ndarray) -> np.ndarray:
    return np.asarray(special.comb(n, k))  # pyright: ignore[reportUnknownMemberType]


# ---- time to a target ------------------------------------------------------------------------------------------------


def first_crossing(steps: np.ndarray, curve: np.ndarray, level: float) -> float:
    """The step at which a rising curve [E], evaluated at steps [E], first reaches `level`; inf if it never does.

    Linear between evaluations; NaN, after a trial's end, reaches nothing.
    """
    there = np.flatnonzero(curve >= level)
    if not len(there):
        return math.inf
    j = int(there[0])
    if j == 0 or not curve[j - 1] < level:
        return float(steps[j])
    share = (level - curve[j - 1]) / (curve[j] - curve[j - 1])
    return float(steps[j - 1] + share * (steps[j] - steps[j - 1]))


def censored_median(times: Sequence[float]) -> float | None:
    """The time by which half of the runs are there, the runs that never arrive counted as inf; None if fewer are.

    All runs share one horizon, so that the median of Kaplan and Meier (1958) is this order statistic.
    """
    if not times:
        return None
    median = sorted(times)[math.ceil(len(times) / 2) - 1]
    return median if math.isfinite(median) else None


def median_interval(times: Sequence[float], confidence: float) -> Interval | None:
    """`censored_median` between two order statistics, without assuming any distribution (Thompson, 1936).

    The r-th smallest and the r-th largest of n, with the largest r for which P(Binomial(n, ½) < r) is at most half of
    1 − confidence; infinite where even r = 1 is too much (n < 6 at 95 %), and upwards where too few arrive.
    """
    if not times:
        return None
    ordered, n = sorted(times), len(times)
    r = int(np.sum(special.bdtr(np.arange(n // 2 + 1), n, 0.5) <= (1 - confidence) / 2))
    low, high = (ordered[r - 1], ordered[n - r]) if r else (-math.inf, math.inf)
    return Interval(ordered[math.ceil(n / 2) - 1], low, high)


def area_under(steps: np.ndarray, curve: np.ndarray) -> float:
    """The mean height of a curve [E] over its steps [E], by trapezoids: its area over its width; NaN if it broke off.

    What a run is worth to someone who may have to stop it at any moment.
    """
    if len(steps) == 1:
        return float(curve[0])
    return float(np.trapezoid(curve, steps) / (steps[-1] - steps[0]))
