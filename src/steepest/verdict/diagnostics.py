"""Findings: what a reader of the verdict must know beside the ranking. Numbers only; `claims` puts them into words.

Each finding is a value; `examine` returns those that the data bear out, and none that they don't.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

import numpy as np

from steepest.types import Outcome
from steepest.verdict.nouns import Standing, TaskVerdict
from steepest.verdict.standings import Evidence
from steepest.verdict.stats import Interval, bootstrap_t, replicates_needed, smallest_difference
from steepest.verdict.table import Entrant

_OF_THE_RATE = (Outcome.OK, Outcome.DIVERGED)
CHANCE = 0.8
"""The chance of seeing a true difference at which power is told."""


@dataclass(frozen=True, slots=True)
class AtEdge:
    """The pooled best rate lies at an end of what was searched, after the search was extended."""

    contender: str
    side: Literal["low", "high"]
    rate: float
    """The end."""


@dataclass(frozen=True, slots=True)
class BlowUp:
    """At this rate and at all rates above it, most trials diverged."""

    contender: str
    rate: float
    diverged: int
    """Of the trials at this rate and above."""
    trials: int


@dataclass(frozen=True, slots=True)
class Accident:
    """Trials that ended early for another reason than divergence."""

    contender: str
    trials: int
    outcomes: Mapping[Outcome, int]


@dataclass(frozen=True, slots=True)
class Stall:
    """At this rate and at all rates below it, most trials hardly learned."""

    contender: str
    rate: float
    stalled: int
    trials: int


@dataclass(frozen=True, slots=True)
class Resolution:
    """What the study could see between the best and its closest challenger."""

    challenger: str
    n: int
    """Replicates of each: the smaller number."""
    smallest: float
    """The true difference that such a study finds with the stated chance; raw."""
    seen: float
    needed: int | None
    """Replicates of each that the difference seen would take, if it is the true one; None if more than a thousand."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A contender is judged behind by Welch's t, yet the bootstrap-t interval of the single pair still holds 0."""

    contender: str
    bootstrap: Interval


Finding = AtEdge | BlowUp | Accident | Stall | Resolution | Doubt


def examine(
    verdict: TaskVerdict,
    evidence: Evidence,
    entrants: Mapping[str, Entrant],
    generator: np.random.Generator,
) -> tuple[Finding, ...]:
    """Everything found on one task, by place."""
    found: list[Finding | None] = []
    for item in verdict.standings:
        entrant = entrants[item.contender]
        found += [
            at_edge(item),
            blow_up(entrant),
            accident(entrant),
            stall(item),
            doubt(item, entrant, evidence, generator),
        ]
    found.append(resolution(verdict, evidence))
    return tuple(each for each in found if each is not None)


def at_edge(item: Standing) -> AtEdge | None:
    if not item.untuned:
        return None
    return AtEdge(item.contender, item.untuned, item.points[0 if item.untuned == "low" else -1].rate)


def blow_up(entrant: Entrant) -> BlowUp | None:
    """From the top down, the rates at which at least half of the trials diverged; None if that is all rates."""
    counts = [(rate, _count(entrant, rate, Outcome.DIVERGED), len(entrant.at(rate))) for rate in entrant.rates]
    above = list(takewhile(lambda count: 2 * count[1] >= count[2], reversed(counts)))
    if not above or len(above) == len(counts):
        return None
    return BlowUp(entrant.contender, above[-1][0], sum(c[1] for c in above), sum(c[2] for c in above))


def accident(entrant: Entrant) -> Accident | None:
    ends = Counter(trial.outcome for trial in entrant.trials)
    others = {outcome: ends[outcome] for outcome in Outcome if outcome not in _OF_THE_RATE and ends[outcome]}
    return Accident(entrant.contender, len(entrant.trials), others) if others else None


def stall(item: Standing) -> Stall | None:
    """From the bottom up, the rates at which at least half of the trials hardly learned; None if that is all rates."""
    below = list(takewhile(lambda point: 2 * point.stalled >= point.n, item.points))
    if not below or len(below) == len(item.points):
        return None
    return Stall(item.contender, below[-1].rate, sum(p.stalled for p in below), sum(p.n for p in below))


def resolution(verdict: TaskVerdict, evidence: Evidence) -> Resolution | None:
    """For the best and the contender in second place, where both could be judged."""
    if len(verdict.standings) < 2:
        return None
    best, second = verdict.standings[:2]
    pair = evidence.pairs.get((best.contender, second.contender))
    if pair is None or best.deviation is None or second.deviation is None:
        return None
    deviations, seen = (best.deviation, second.deviation), pair.difference.value
    return Resolution(
        challenger=second.contender,
        n=pair.n,
        smallest=smallest_difference(deviations, pair.n, pair.level, CHANCE),
        seen=seen,
        needed=replicates_needed(seen, deviations, pair.level, CHANCE) if seen > 0 else None,
    )


def doubt(item: Standing, entrant: Entrant, evidence: Evidence, generator: np.random.Generator) -> Doubt | None:
    """A second opinion, which does not take luck to be bell-shaped, on whoever is only just behind."""
    if item.status != "behind":
        return None
    best = evidence.best
    pair = evidence.pairs[best.contender, item.contender]
    if pair.estimate.low > pair.difference.error:  # no method would overturn that
        return None
    interval = bootstrap_t(best.sign * best.values, entrant.sign * entrant.values, evidence.confidence, generator)
    return None if interval.low > 0 else Doubt(item.contender, interval)


def _count(entrant: Entrant, rate: float, outcome: Outcome) -> int:
    return sum(trial.outcome is outcome for trial in entrant.at(rate))
