"""What tuning is worth and how much care it takes: pure functions of what was tried, in goodness (more is better).

Apart from `curves`, which reads rows: here is only arithmetic on rates and values.
"""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Tunability:
    """How a search of K trials pays off, as weighted means of the expected pick of `least`, …, K trials.

    Each is an ω-tunability (Sivaprasad et al., 2020): Σ ωₖ·E[best of k] with weights that sum to 1. Of an optimizer
    that is good untuned, `early` is hardly worse than `late`.
    """

    least: int
    """The fewest trials of which not all can fail, so that there is something to expect; 1 if none failed."""
    early: float
    """ωₖ ∝ K + 1 − k: for those who try few rates."""
    even: float
    """All ωₖ alike."""
    late: float
    """ωₖ ∝ k: for those who try many."""
    gain: float
    """Best of K minus best of `least`: what tuning gains over hardly any."""


def tunability(expected: np.ndarray, least: int = 1) -> Tunability:  # expected [K + 1 − least]
    """From the expected values of the pick among k = least … K trials (`stats.best_of_k`)."""
    k = np.arange(least, least + len(expected))
    early, late = (float(weight @ expected / weight.sum()) for weight in (k[-1] + 1 - k, k))
    return Tunability(least, early, float(expected.mean()), late, float(expected[-1] - expected[0]))


def asymmetry(best: float, low: float, high: float) -> float:
    """Decades of good rates above the best one minus those below it: positive where too large a rate is the lesser
    evil. Between −(decades) and +(decades) of the good range low … high; 0 where it is as wide on both sides."""
    return math.log10(high / best) - math.log10(best / low)


def divergence_edge(rates: np.ndarray, diverged: np.ndarray, trials: np.ndarray) -> float | None:
    """The smallest of K rising rates from which on at least half of the trials diverged at every rate; None if the
    largest rate still holds. diverged [K], trials [K]: counts."""
    edge = None
    for rate, bad, n in zip(rates[::-1], diverged[::-1], trials[::-1], strict=True):
        if 2 * bad < n:
            break
        edge = float(rate)
    return edge


def at_rate(rates: np.ndarray, values: np.ndarray, rate: float) -> float | None:
    """The value [K] at `rate`, on a straight line over log-rate between the two rates next to it.

    NaN marks a failed trial: the value at a rate that was tried and failed, or that lies next to one, is NaN. None
    where the rate lies outside what was tried.
    """
    x, at = np.log10(rates), math.log10(rate)
    near = int(np.argmin(np.abs(x - at)))
    if abs(x[near] - at) < 1e-9:
        return float(values[near])
    if not x[0] < at < x[-1]:
        return None
    j = int(np.searchsorted(x, at))
    share = (at - x[j - 1]) / (x[j] - x[j - 1])
    return float((1 - share) * values[j - 1] + share * values[j])
