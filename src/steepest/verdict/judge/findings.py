"""Findings: what a reader of the verdict must know besides the ranking. Numbers only; `words` has the sentences.

`examine` returns only findings that the data support.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

import numpy as np
from scipy import special  # pyright: ignore[reportMissingTypeStubs]

from steepest.records.outcomes import Outcome
from steepest.verdict.judge.factor_effects import AxisEffect, KeptWeights
from steepest.verdict.judge.pairs import Pair
from steepest.verdict.judge.replicates import Entrant
from steepest.verdict.judge.standings import Evidence
from steepest.verdict.results import Standing, TaskVerdict
from steepest.verdict.stats.inference import Interval, power, replicates_needed, smallest_difference

_OF_THE_RATE = (Outcome.OK, Outcome.STOPPED, Outcome.DIVERGED)
SPREAD_CONFIDENCE = 0.9
"""With which the true spread is at most what the resolution of a study is computed from."""
POWER = 0.8
"""The probability of finding a true difference, at which the resolution of a study is reported."""


@dataclass(frozen=True, slots=True)
class AtEdge:
    """The best rate lies at an end of what was searched, after the search was extended."""

    contender: str
    side: Literal["low", "high"]
    rate: float
    """The end."""


@dataclass(frozen=True, slots=True)
class TooLarge:
    """At this rate and at all rates above it, most trials diverged or hardly learned."""

    contender: str
    rate: float
    diverged: int
    """Of the trials at this rate and above."""
    stalled: int
    trials: int


@dataclass(frozen=True, slots=True)
class TooSmall:
    """At this rate and at all rates below it, most trials hardly learned."""

    contender: str
    rate: float
    stalled: int
    """Of the trials at this rate and below."""
    trials: int


@dataclass(frozen=True, slots=True)
class Accident:
    """Trials that ended early for another reason than divergence."""

    contender: str
    trials: int
    outcomes: Mapping[Outcome, int]


@dataclass(frozen=True, slots=True)
class Resolution:
    """The smallest difference that the study can detect between the best and the contender in second place."""

    challenger: str
    n: int
    """Replicates of each: the smaller number."""
    smallest: float
    """The true difference that such a study finds with at least the stated chance; raw."""
    needed: int | None
    """Replicates of each that are enough to find the practical margin with that chance; None if more than a thousand
    are needed, or if there is no margin."""
    by_examples: bool = False
    """Whether the test examples are too few for that, however many replicates there are."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A contender is judged behind by a t test, yet the bootstrap-t interval of the single pair still holds 0. That is
    taken at half the verdict's level: where noise is skewed and unequal, the t test errs twice as often as it says."""

    contender: str
    bootstrap: Interval


@dataclass(frozen=True, slots=True)
class OnlyJust:
    """Contenders that are judged behind by less than what such a study finds 4 times in 5. Differences that are found
    so rarely are found where chance enlarged them (the type M error of Gelman and Carlin, 2014)."""

    contenders: tuple[str, ...]


Finding = AtEdge | TooLarge | TooSmall | Accident | Resolution | Doubt | OnlyJust | AxisEffect | KeptWeights


def examine(
    verdict: TaskVerdict, evidence: Evidence, entrants: Mapping[str, Entrant], generator: np.random.Generator
) -> tuple[Finding, ...]:
    """Everything found on one task, by place."""
    found: list[Finding | None] = []
    for item in verdict.standings:
        entrant = entrants[item.contender]
        found += [at_edge(item), too_large(item, entrant), too_small(item), accident(entrant)]
        found.append(doubt(item, evidence, generator))
    found += [resolution(verdict, evidence), only_just(verdict, evidence)]
    return tuple(each for each in found if each is not None)


def at_edge(item: Standing) -> AtEdge | None:
    if not item.untuned:
        return None
    most = max(point.n for point in item.points)
    tried = [point.rate for point in item.points if 2 * point.n >= most]
    return AtEdge(item.contender, item.untuned, tried[0 if item.untuned == "low" else -1])


def too_large(item: Standing, entrant: Entrant) -> TooLarge | None:
    """From the top down, the rates at which at least half of the trials diverged or stalled; None if that is all."""
    diverged = {rate: sum(t.outcome is Outcome.DIVERGED for t in entrant.at(rate)) for rate in entrant.rates}
    above = list(takewhile(lambda point: 2 * (diverged[point.rate] + point.stalled) >= point.n, reversed(item.points)))
    if not above or len(above) == len(item.points):
        return None
    return TooLarge(
        contender=item.contender,
        rate=above[-1].rate,
        diverged=sum(diverged[point.rate] for point in above),
        stalled=sum(point.stalled for point in above),
        trials=sum(point.n for point in above),
    )


def too_small(item: Standing) -> TooSmall | None:
    """From the bottom up, the rates at which at least half of the trials stalled; None if that is all."""
    below = list(takewhile(lambda point: 2 * point.stalled >= point.n, item.points))
    if not below or len(below) == len(item.points):
        return None
    return TooSmall(item.contender, below[-1].rate, sum(p.stalled for p in below), sum(p.n for p in below))


def accident(entrant: Entrant) -> Accident | None:
    ends = Counter(trial.outcome for trial in entrant.every_trial)
    others = {outcome: ends[outcome] for outcome in Outcome if outcome not in _OF_THE_RATE and ends[outcome]}
    return Accident(entrant.contender, len(entrant.every_trial), others) if others else None


def resolution(verdict: TaskVerdict, evidence: Evidence) -> Resolution | None:
    """For the best and the contender in second place, where both could be judged. The spread is taken to be as large as
    it may be with 90 % confidence: from few seeds it often looks smaller than it is."""
    second = verdict.standings[1].contender if len(verdict.standings) > 1 else ""
    pair = evidence.pairs.get((verdict.best, second))
    if pair is None:
        return None
    spread = largest_spread(pair)
    margin = evidence.margin
    return Resolution(
        challenger=second,
        n=pair.n,
        smallest=smallest_difference(spread, pair.n, pair.level, POWER, fixed=pair.fixed),
        needed=replicates_needed(margin, spread, pair.level, POWER, fixed=pair.fixed) if margin > 0 else None,
        by_examples=margin > 0 and power(margin, (0.0, 0.0), pair.n, pair.level, pair.fixed) < POWER,
    )


def largest_spread(pair: Pair) -> tuple[float, float]:
    """The deviations of both samples, as large as they may be: s·√(ν/χ²) with the 10 % quantile of χ² with ν degrees of
    freedom."""
    freedom = pair.seeds.freedom if 1 <= pair.seeds.freedom < 1e6 else max(1, pair.n - 1)
    factor = math.sqrt(freedom / (2 * float(special.gammaincinv(freedom / 2, 1 - SPREAD_CONFIDENCE))))
    return pair.deviations[0] * factor, pair.deviations[1] * factor


def only_just(verdict: TaskVerdict, evidence: Evidence) -> OnlyJust | None:
    found: list[str] = []
    for item in verdict.standings:
        if item.status == "behind":
            pair = evidence.pairs[evidence.best.contender, item.contender]
            if is_only_just(pair):
                found.append(item.contender)
    return OnlyJust(tuple(found)) if found else None


def is_only_just(pair: Pair) -> bool:
    """Whether the difference is smaller than one that such a study finds 4 times in 5."""
    return abs(pair.difference.value) < smallest_difference(
        pair.deviations, pair.n, pair.level, POWER, fixed=pair.fixed
    )


def doubt(item: Standing, evidence: Evidence, generator: np.random.Generator) -> Doubt | None:
    """A second opinion, without assuming a normal distribution, on a contender that is only just behind."""
    if item.status != "behind":
        return None
    pair = evidence.pairs[evidence.best.contender, item.contender]
    if pair.estimate.low > pair.difference.error:  # no method would overturn that
        return None
    interval = pair.bootstrap(1 - (1 - evidence.confidence) / 2, generator)
    return None if interval.low > 0 else Doubt(item.contender, interval)
