"""The comparison of two contenders for very many simulated studies at a time: the formulas of `verdict.judge.pairs` on
whole arrays. A test holds the two to the same p values.
"""

from collections.abc import Sequence

import numpy as np
from scipy import special

from benchmarks.simulation import DISTRIBUTIONS, RATES
from steepest.verdict.judge.pairs import price_of_choice
from steepest.verdict.stats.sequential import FIXED, Look

CHUNK = 4_000
"""Studies at a time."""


def p_values(x: np.ndarray, look: Look = FIXED) -> np.ndarray:  # x [S, 2, n] → [S]
    """The smaller one of Welch's p and that of the differences by seed, times the price of the choice."""
    n = x.shape[-1]
    means, variances = x.mean(axis=-1), x.var(axis=-1, ddof=1) / n
    gap = np.abs(means[:, 0] - means[:, 1])
    whole = variances.sum(axis=1)
    freedom = whole**2 * (n - 1) / (variances**2).sum(axis=1)
    apart = 2 * special.stdtr(freedom, -gap / np.sqrt(whole))
    by_seed = 2 * special.stdtr(n - 1, -gap / ((x[:, 0] - x[:, 1]).std(axis=-1, ddof=1) / np.sqrt(n)))
    seeds = dict.fromkeys(range(n), 0.0)
    return np.minimum(1.0, price_of_choice([seeds, seeds], look) * np.minimum(apart, by_seed))


def tuned_pairs(rng: np.random.Generator, studies: int, n: int, luck: str, shared: float, lag: float) -> np.ndarray:
    """[studies, 2, n] test values of replicates that each picked their own rate, as in `simulation.tuned`."""
    draw = DISTRIBUTIONS[luck]
    own, common = draw(rng, (studies, 2, n, len(RATES))), draw(rng, (studies, 1, n, 1))
    lags = np.array([0.0, lag])[:, None, None]
    trial = RATES - lags + 0.006 * (np.sqrt(1 - shared) * own + np.sqrt(shared) * common)
    valid, test = (trial + 0.002 * rng.normal(size=trial.shape) for _ in range(2))
    return np.take_along_axis(test, valid.argmax(axis=-1)[..., None], axis=-1)[..., 0]


def told_apart(
    studies: int,
    rng: np.random.Generator,
    looks: Sequence[int] = (10,),
    luck: str = "normal",
    shared: float = 0.0,
    lag: float = 0.0,
) -> int:
    """The number of studies that find a difference at any of the looks; with a lag, in the right direction."""
    found = 0
    for begin in range(0, studies, CHUNK):
        x = tuned_pairs(rng, min(CHUNK, studies - begin), looks[-1], luck, shared, lag)
        told = np.zeros(len(x), dtype=bool)
        for i, n in enumerate(looks):
            seen = x[..., :n]
            right = seen[:, 0].mean(axis=-1) > seen[:, 1].mean(axis=-1) if lag else True
            look = Look(i, tuple(looks))
            told |= (p_values(seen, look) < look.level(0.05)) & right
        found += int(told.sum())
    return found
