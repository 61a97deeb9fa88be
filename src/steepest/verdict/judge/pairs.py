"""Every contender of a task against every other, as one family of tests.

All pairs, because the best is known only afterwards: compared with the best alone, contenders that are truly equal
would look different too often. Seed by seed if the seeds are shown to move all contenders together; two contenders in
both ways, at a price for the choice.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from steepest.records.question import QUESTIONS, Question
from steepest.records.study_record import SEEDS_FOR_A_VERDICT
from steepest.verdict.judge.placement import FIXED_RATES, Placement
from steepest.verdict.judge.questions import NOTHING_KNOWN, Added, Asked
from steepest.verdict.results import Estimate
from steepest.verdict.stats.inference import (
    Difference,
    Interval,
    bootstrap_t,
    correlation_over_seeds,
    critical_t,
    holm,
    moments,
    welch,
    welch_of,
)
from steepest.verdict.stats.sequential import FIXED, Look
from steepest.verdict.stats.shares import UNKNOWN, Examples

Values = Mapping[int, float]
"""Seed → goodness of a sound replicate."""
MIN_SEEDS = SEEDS_FOR_A_VERDICT
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
    """As uncertain as the question asked has it."""
    seeds: Difference
    """As uncertain as the seeds alone have it."""
    wider: Difference | None = None
    """The same on other rows of the same kind; None where the test examples are not known."""
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
        """Of both samples; larger than their own where the difference is less certain than they suggest. What the test
        examples add is not in them: it is `fixed`."""
        one, other = moments(self.one)[1] ** 0.5, moments(self.other)[1] ** 0.5
        own = welch(self.one, self.other).error
        if not 0 < own < math.inf:
            return (self.seeds.error * self.n**0.5, 0.0) if own == 0 else (one, other)
        return one * self.seeds.error / own, other * self.seeds.error / own

    @property
    def fixed(self) -> float:
        """Variance of the difference that more seeds do not reduce."""
        return max(0.0, self.difference.error**2 - self.seeds.error**2) if math.isfinite(self.seeds.error) else 0.0

    def bootstrap(self, confidence: float, generator: np.random.Generator) -> Interval:
        """The difference with the bootstrap-t interval, unless it is less certain than the values suggest. What the
        test examples add widens both sides."""
        if welch(self.one, self.other).error < self.seeds.error:
            return self.difference.interval(confidence)
        found = bootstrap_t(self.one, self.other, confidence, generator)
        if not self.fixed or not math.isfinite(found.low + found.high):
            return found
        more = critical_t(1 - confidence, self.difference.freedom) * math.sqrt(self.fixed)
        low, high = math.hypot(found.value - found.low, more), math.hypot(found.high - found.value, more)
        return Interval(found.value, found.value - low, found.value + high)

    @property
    def estimate(self) -> Estimate:
        return self._estimate(self.difference)

    def answers(self, own: Question) -> dict[Question, Estimate | None]:
        """Question → the difference with its interval; None where it cannot be answered. own: the question that the
        seeds answer."""
        found: dict[Question, Estimate | None] = dict.fromkeys(QUESTIONS)
        found[own] = self._estimate(self.seeds)
        found["new-rows"] = self._estimate(self.wider) if self.wider else None
        return found

    def _estimate(self, difference: Difference) -> Estimate:
        interval = difference.interval(1 - self.level)
        return Estimate(interval.value, interval.low, interval.high, self.n)

    def reversed(self) -> Pair:
        """The pair the other way round."""
        wider = self.wider.reversed() if self.wider else None
        turned = {"difference": self.difference.reversed(), "seeds": self.seeds.reversed(), "wider": wider}
        return replace(self, one=self.other, other=self.one, **turned)


@dataclass(frozen=True, slots=True)
class Family:
    """All pairs of a task."""

    pairs: Mapping[tuple[str, str], Pair]
    """(one, other) → Pair, in both directions."""
    correlation: float | None
    """Of the contenders' values over seeds, the mean over pairs; None where it could not be measured."""
    paired: bool
    """Whether contenders are compared seed by seed."""
    price: float = 1.0
    """What p values are multiplied by because of two comparisons the clearer one was chosen."""


MOST_FREEDOM = 1e6
"""As good as infinitely many degrees of freedom."""
NO_LOSS: Mapping[str, AbstractSet[int]] = {}
NO_PLACEMENT: Mapping[str, Placement] = {}


def compare_all(
    samples: Mapping[str, Values],
    alpha: float,
    generator: np.random.Generator,
    look: Look = FIXED,
    lost: Mapping[str, AbstractSet[int]] = NO_LOSS,
    examples: Examples = UNKNOWN,
    placed: Mapping[str, Placement] = NO_PLACEMENT,
    asked: Asked = NOTHING_KNOWN,
) -> Family:
    """Welch's t for every pair, or Student's t on the differences by seed where that helps; Holm over all pairs.

    In a study that is looked at more than once, Holm's procedure takes p values for the whole sequence of looks, and
    the interval of a pair has the level of this look: it holds 0 exactly where the adjusted p is `alpha` or more.
    lost: contender → seeds on which it failed. examples: of the test part, if the metric is a share of them.
    placed: contender → how uncertain the place of its extra rates is. asked: the question, and the test examples.
    """
    keys, wide = list(combinations(samples, 2)), asked.answered == "new-rows"
    correlation, together = correlated(list(samples.values()), look.level(alpha / max(len(keys), 1)), generator)
    whole = {name: (x := np.array(list(values.values())), (*moments(x), len(x))) for name, values in samples.items()}

    def pair_of(one: str, other: str, paired: bool) -> Pair:
        missing, more = {*lost.get(one, ()), *lost.get(other, ())}, of_placement(placed, one, other)
        added = asked.of_pair(one, other)
        if paired or missing:
            return compare(samples[one], samples[other], paired, missing, examples, more, added, wide)
        (x, of_x), (y, of_y) = whole[one], whole[other]
        return _pair(x, y, welch_of(of_x, of_y), examples, more, added, wide)

    price = price_of_choice(list(samples.values()), look)
    if price > 1:
        apart, by_seed = (pair_of(*keys[0], paired) for paired in (False, True))
        together = by_seed.difference.p < apart.difference.p
        pairs = [by_seed if together else apart]
    else:
        pairs = [pair_of(one, other, together) for one, other in keys]
    adjusted = judged(pairs, price, look, alpha)
    found = dict(zip(keys, adjusted, strict=True))
    return Family(found | {(b, a): pair.reversed() for (a, b), pair in found.items()}, correlation, together, price)


def judged(pairs: Sequence[Pair], price: float, look: Look, alpha: float) -> list[Pair]:
    """The pairs with their p values adjusted over the family, and the levels at which they were judged."""
    adjusted = holm(np.array([look.p(min(1.0, price * pair.difference.p)) for pair in pairs]), alpha)
    return [
        replace(pair, p=float(p), level=look.level(float(level)) / price)
        for pair, p, level in zip(pairs, adjusted.p, adjusted.level, strict=True)
    ]


def price_of_choice(samples: Sequence[Values], look: Look = FIXED) -> float:
    """Two contenders on the same n seeds are compared by their means and seed by seed, and the smaller p value counts,
    times 1.25 + 1.25/n; 0.2 more where the choice is made at several looks. 1 where there are more contenders, which
    share one test for correlation, or too few seeds.

    By simulation, this keeps the error of the choice at 3 to 5 %, however much the seeds have in common.
    """
    if len(samples) != 2:
        return 1.0
    n = len(samples[0].keys() & samples[1].keys())
    return 1.25 + 1.25 / n + 0.2 * (len(look.looks) > 1) if n >= MIN_SEEDS else 1.0


def compare(
    one: Values,
    other: Values,
    paired: bool,
    lost: AbstractSet[int] = frozenset(),
    examples: Examples = UNKNOWN,
    placement: float = 0.0,
    added: Added | None = None,
    wide: bool = True,
) -> Pair:
    """Paired: by the differences on the seeds that both have. Otherwise by the means, without seeds that either lost.

    A contender that fails on hard seeds would look better on those that are left, if the other one kept its hard seeds.
    With fewer than `MIN_SEEDS` such seeds all values are compared. placement: variance that the placement of extra
    rates adds to the difference of the means. added: what other test examples add, where that is known; wide: whether
    the question asked is that of other rows.
    """
    common = [seed for seed in one if seed in other]
    if paired and len(common) >= MIN_SEEDS:
        x = np.array([one[seed] - other[seed] for seed in common])
        y = np.zeros(len(x))  # Welch's t against a sample of zeros is Student's t of one sample
    else:
        x, y = (np.array([value for seed, value in each.items() if seed not in lost]) for each in (one, other))
        if min(len(x), len(y)) < MIN_SEEDS:
            x, y = np.array(list(one.values())), np.array(list(other.values()))
    return _pair(x, y, welch(x, y), examples, placement, added, wide)


def _pair(
    x: np.ndarray,
    y: np.ndarray,
    difference: Difference,
    examples: Examples,
    placement: float,
    added: Added | None,
    wide: bool,
) -> Pair:
    n = min(len(x), len(y))
    least = examples.least_variance(difference.value, n, difference.error)
    seeds = difference.at_least(least, n).with_more(placement)
    if added is None:
        return Pair(x, y, seeds, seeds)
    wider = max(seeds, with_examples(difference, added).with_more(placement), key=lambda each: each.error)
    return Pair(x, y, wider if wide else seeds, seeds, wider)


def with_examples(seeds: Difference, added: Added) -> Difference:
    """A mean or a difference of means, with what other test examples add to its uncertainty."""
    known = seeds if seeds.error else replace(seeds, freedom=min(added.freedom, MOST_FREEDOM))
    return known.with_component(added.variance, added.freedom).with_more(added.fixed).with_least_p(added.least_p)


def of_placement(placed: Mapping[str, Placement], one: str, other: str) -> float:
    """Variance that the placement of both contenders' extra rates adds to their difference."""
    return placed.get(one, FIXED_RATES).with_other(placed.get(other, FIXED_RATES))


def correlated(samples: Sequence[Values], level: float, generator: np.random.Generator) -> tuple[float | None, bool]:
    """The correlation of the contenders over seeds, and whether comparing seed by seed gains from it.

    It does if the correlation r is significant (a permutation test at 5 %), and large enough to make up for the degrees
    of freedom that pairing costs: at the level of the tests, the paired interval is the shorter one if
    √(1−r)·t(n−1) < t(2n−2). A value that is missing counts as its contender's mean, which can only make r smaller.
    """
    count = Counter(seed for values in samples for seed in values)
    seeds = sorted(seed for seed, times in count.items() if times > 1)
    table = np.array([[values.get(seed, math.nan) for seed in seeds] for values in samples], dtype=float)
    rows = table[np.isfinite(table).sum(axis=1) >= MIN_SEEDS] if seeds else table[:0]
    if len(rows) < 2:
        return None, False
    means = np.nanmean(rows, axis=1)
    n = int(np.isfinite(rows).sum(axis=1).min())
    full = np.where(np.isnan(rows), means[:, None], rows)
    if len(samples) == 2:  # are compared in both ways: no test decides
        return correlation_over_seeds(full, generator, 0)[0], False
    r, p = correlation_over_seeds(full, generator)
    return r, p <= CORRELATION_LEVEL and r > 1 - (critical_t(level, 2 * n - 2) / critical_t(level, n - 1)) ** 2


def fair_means(samples: Mapping[str, Values], paired: bool) -> dict[str, float]:
    """Contender → its mean. Where contenders are compared seed by seed and some lack seeds, the mean that it would have
    over all seeds if each seed moved all alike: least squares of value = contender + seed."""
    seeds = sorted({seed for values in samples.values() for seed in values})
    if not paired or all(len(values) == len(seeds) for values in samples.values()):
        return {name: moments(np.array(list(values.values())))[0] for name, values in samples.items()}
    cells = [(i, seeds.index(seed), value) for i, x in enumerate(samples.values()) for seed, value in x.items()]
    design = np.zeros((len(cells), len(samples) + len(seeds)))
    for row, (i, j, _) in enumerate(cells):
        design[row, [i, len(samples) + j]] = 1.0
    found = np.linalg.lstsq(design, np.array([value for _, _, value in cells]))[0]
    shift = float(found[len(samples) :].mean())
    return {name: float(mean) + shift for name, mean in zip(samples, found, strict=False)}
