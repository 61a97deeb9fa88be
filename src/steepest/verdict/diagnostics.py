"""Findings: what a reader of the verdict must know beside the ranking. Numbers only; `claims` puts them into words.

Each finding is a value; `examine` returns those that the data bear out, and none that they don't.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from steepest.verdict.nouns import Standing, TaskVerdict
from steepest.verdict.standings import Evidence
from steepest.verdict.stats import Interval, bootstrap_t, replicates_needed, smallest_difference

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
    """Trials failed at this rate and, for the most part, at all rates above it."""

    contender: str
    rate: float
    failed: int
    """Of the trials at this rate and above."""
    trials: int


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


Finding = AtEdge | BlowUp | Stall | Resolution | Doubt


def examine(
    verdict: TaskVerdict, evidence: Evidence, goodness: Mapping[str, np.ndarray], generator: np.random.Generator
) -> tuple[Finding, ...]:
    """Everything found on one task, in order of place. goodness: contender → its replicates [n]."""
    found: list[Finding] = []
    for item in verdict.standings:
        found += [each for each in (at_edge(item), blow_up(item), stall(item)) if each is not None]
        found += doubt(verdict.best, item, evidence, goodness, generator)
    found += resolution(verdict, evidence)
    return tuple(found)


def at_edge(item: Standing) -> AtEdge | None:
    if not item.untuned:
        return None
    return AtEdge(item.contender, item.untuned, item.points[0 if item.untuned == "low" else -1].rate)


def blow_up(item: Standing) -> BlowUp | None:
    """The lowest rate from which on at least half of the trials failed, at every rate."""
    above = []
    for point in reversed(item.points):
        if 2 * point.failed < point.n:
            break
        above.append(point)
    if not above or len(above) == len(item.points):
        return None
    return BlowUp(item.contender, above[-1].rate, sum(p.failed for p in above), sum(p.n for p in above))


def stall(item: Standing) -> Stall | None:
    """The highest rate up to which at least half of the trials hardly learned, at every rate."""
    below = []
    for point in item.points:
        if 2 * point.stalled < point.n:
            break
        below.append(point)
    if not below or len(below) == len(item.points):
        return None
    return Stall(item.contender, below[-1].rate, sum(p.stalled for p in below), sum(p.n for p in below))


def resolution(verdict: TaskVerdict, evidence: Evidence) -> list[Finding]:
    """For the best and the contender in second place, where both could be judged."""
    if len(verdict.standings) < 2:
        return []
    best, second = verdict.standings[:2]
    pair = evidence.pairs.get((best.contender, second.contender))
    if pair is None or best.deviation is None or second.deviation is None:
        return []
    deviations = (best.deviation, second.deviation)
    seen = pair.difference.value
    return [
        Resolution(
            challenger=second.contender,
            n=pair.n,
            smallest=smallest_difference(deviations, pair.n, pair.level, CHANCE),
            seen=seen,
            needed=replicates_needed(seen, deviations, pair.level, CHANCE) if seen > 0 else None,
        )
    ]


def doubt(
    best: str, item: Standing, evidence: Evidence, goodness: Mapping[str, np.ndarray], generator: np.random.Generator
) -> list[Finding]:
    """A second opinion, which does not take luck to be bell-shaped, on whoever is only just behind."""
    if item.status != "behind":
        return []
    pair = evidence.pairs[best, item.contender]
    if pair.estimate.low > pair.difference.error:  # no method would overturn that
        return []
    interval = bootstrap_t(goodness[best], goodness[item.contender], evidence.confidence, generator)
    return [] if interval.low > 0 else [Doubt(item.contender, interval)]
