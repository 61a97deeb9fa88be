"""Looking at a study more than once: levels at which a difference is found by chance, at any look, in at most a share
α of all studies, no matter how one decides to continue or stop.

Alpha spending (Lan and DeMets, 1983): by the time a share t of all replicates is in, α·t² may be spent (Kim and DeMets,
1987). Beside O'Brien and Fleming's levels it gives up little at the end and stops easy questions much earlier.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import special  # pyright: ignore[reportMissingTypeStubs]

SPENDING_EXPONENT = 2.0
"""Of the share of replicates, in the spending function."""
GRID = 241
"""Points at which the density of studies that go on is kept between two looks; an even number of gaps. With 1601 no
level changes by more than 1 in a million."""
ALPHAS = np.geomspace(1e-12, 0.5, 40)
"""Where levels are computed; between them log-level is a straight line in log α, to 1 in 1,000."""


@dataclass(frozen=True, slots=True)
class Look:
    """One of several looks at a study that were set beforehand."""

    index: int = 0
    looks: tuple[int, ...] = (1,)
    """Numbers of replicates, rising; the last one is where the study ends at the latest."""

    def level(self, alpha: float) -> float:
        """What a p value must be below at this look so that, over all looks, the error stays at `alpha`."""
        if len(self.looks) == 1:
            return alpha
        return math.exp(float(np.interp(math.log(alpha), np.log(ALPHAS), _log_levels(self.looks)[:, self.index])))

    def p(self, raw: float) -> float:
        """The smallest α at which a p value of `raw` at this look is below its level (Liu and Anderson, 2008): a p
        value for the whole sequence, which any procedure for several comparisons may take."""
        if len(self.looks) == 1:
            return raw
        logs = _log_levels(self.looks)[:, self.index]
        log_raw = math.log(max(raw, 1e-300))
        if log_raw >= logs[-1]:
            return 1.0
        if log_raw <= logs[0]:  # far below what any family asks for; there a level is nearly proportional to α
            return raw * math.exp(math.log(ALPHAS[0]) - logs[0])
        return math.exp(float(np.interp(log_raw, logs, np.log(ALPHAS))))


FIXED = Look()
"""The only look at a study of a fixed size: levels and p values are what they are."""


def look_at(looks: Sequence[int], n: int) -> Look:
    """The last of the looks set beforehand that n replicates have reached; the first one before that."""
    reached = [i for i, size in enumerate(looks) if size <= n]
    return Look(reached[-1] if reached else 0, tuple(looks)) if len(looks) > 1 else FIXED


def spent(alpha: float, share: float) -> float:
    """The error that may be spent by the time this share of all replicates is in: α·t²."""
    return alpha * share**SPENDING_EXPONENT


@cache
def _log_levels(looks: tuple[int, ...]) -> np.ndarray:  # [len(ALPHAS), looks]
    return np.log([levels(float(alpha), looks) for alpha in ALPHAS])


def levels(alpha: float, looks: Sequence[int]) -> tuple[float, ...]:
    """The two-sided level of each look such that the first crossing happens at look k with probability
    spent(k) − spent(k−1) where there is no difference.

    A difference of means over n replicates moves like a Brownian motion B at time t = n/N. What is kept is the density
    of B among studies that have not crossed yet, carried from look to look by Simpson's rule (Armitage, McPherson and
    Rowe, 1969). The bounds are given as levels, not as z, so that a t test can use them with the freedom that it has
    (Jennison and Turnbull, 2000, section 3.8).
    """
    times = np.array(looks, dtype=float) / looks[-1]
    shares = np.diff([0.0, *(spent(alpha, t) for t in times)])
    simpson = np.ones(GRID)
    simpson[1:-1:2], simpson[2:-1:2] = 4, 2
    found: list[float] = []
    x, weight = np.zeros(1), np.ones(1)  # where B is, and with what weight: 0 for certain
    for step, time, share in zip(np.diff([0.0, *times]), times, shares, strict=True):
        bound = _crossed(x, weight, float(step), float(share))
        found.append(float(2 * special.ndtr(-bound / math.sqrt(time))))
        new = np.linspace(-bound, bound, GRID)
        density = np.exp(-((new[:, None] - x) ** 2) / (2 * step)) @ weight / math.sqrt(2 * math.pi * step)
        x, weight = new, density * simpson * (new[1] - new[0]) / 3
    return tuple(found)


def _crossed(x: np.ndarray, weight: np.ndarray, step: float, share: float) -> float:
    """The bound on |B| that this share of all studies crosses in one step from x, by bisection."""
    scale = math.sqrt(step)

    def outside(bound: float) -> float:
        return float(weight @ (special.ndtr((x - bound) / scale) + special.ndtr((-x - bound) / scale)))

    low, high = 0.0, float(np.abs(x).max()) + 40 * scale
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if outside(middle) > share else (low, middle)
    return high
