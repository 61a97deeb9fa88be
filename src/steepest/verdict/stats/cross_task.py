"""Many tasks at once: how much a contender loses if it is used on all of them, and how certain that is.

Pure functions of arrays. The tasks are themselves a sample: an interval over tasks has to let them vary as well as the
seeds, which a hierarchical bootstrap does (Davison and Hinkley, 1997, section 3.8).
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import special  # pyright: ignore[reportMissingTypeStubs]

from steepest.verdict.stats.inference import Interval, critical_t, moments

Samples = Sequence[Sequence[np.ndarray]]
"""[T][k] samples of each of k contenders on each of T tasks, one value a replicate; sizes may differ."""
MAX_RATIO = 4.0
"""The ratio to the best at which a performance profile ends, as AlgoPerf has it."""


def mean_of(x: np.ndarray, drawn: np.ndarray) -> np.ndarray:  # x [n], drawn [m, n] -> [m]
    """Means of resamples, stretched by √(n/(n−1)) about the mean: unstretched, they spread too little."""
    mean, n = moments(x)[0], len(x)
    return mean + (x[drawn].mean(axis=1) - mean) * np.sqrt(n / max(n - 1, 1))


def median_of(x: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Medians of resamples in which inf is a run that never arrived: inf where fewer than half did."""
    return np.sort(x[drawn], axis=1)[:, (drawn.shape[1] + 1) // 2 - 1]


def hierarchical(
    samples: Samples,
    statistic: Callable[[np.ndarray, np.ndarray], np.ndarray],
    generator: np.random.Generator,
    resamples: int = 2000,
) -> tuple[np.ndarray, np.ndarray]:  # [resamples, T, k] figures, [resamples, T] which task each is of
    """Resampled studies: T tasks are drawn with replacement, then, within each, replicates of each contender.

    statistic: (sample [n], indices drawn [m, n]) → m figures, `mean_of` or `median_of`. A task drawn twice draws its
    replicates twice. Contenders are drawn separately, which overstates the variation of their difference if
    they are correlated.
    """
    T, k = len(samples), len(samples[0])
    tasks = generator.integers(T, size=(resamples, T))
    figures = np.empty((resamples, T, k))
    for t, row in enumerate(samples):
        where = tasks == t
        for c, x in enumerate(row):
            figures[where, c] = statistic(x, generator.integers(len(x), size=(int(where.sum()), len(x))))
    return figures, tasks


# ---- regret ----------------------------------------------------------------------------------------------------------


def regret(means: np.ndarray, units: np.ndarray) -> np.ndarray:  # means [..., T, k], units [..., T] -> [..., T, k]
    """How much worse each contender is than the task's best, in the task's own unit (Savage, 1951): 0 for the best."""
    return (means.max(axis=-1, keepdims=True) - means) / units[..., None]


def regrets(samples: Samples, units: np.ndarray, confidence: float, generator: np.random.Generator) -> list[Interval]:
    """Mean regret over tasks with an expanded percentile interval of the hierarchical bootstrap. Samples hold goodness;
    units [T] make tasks comparable.

    The best of noisy means is too good, so a regret measured against it is too large. Resampling does the same to it
    once more, and by about as much (Efron and Tibshirani, 1993, chapter 10): that is taken off the value, and twice off
    the low end, to which resampling has added it again. The high end is left as it is.
    """
    means = np.array([[moments(x)[0] for x in row] for row in samples])  # [T, k]
    drawn, tasks = hierarchical(samples, mean_of, generator)
    figures = regret(drawn, units[tasks]).mean(axis=1)  # [resamples, k]
    seen = regret(means, units).mean(axis=0)  # [k]
    bias = np.maximum(0.0, figures.mean(axis=0) - seen)
    ends = intervals(seen, figures, confidence, len(samples))
    return [
        Interval(value, max(0.0, min(value, end.low - 2 * off)), max(value, end.high))
        for value, end, off in zip(np.maximum(0.0, seen - bias).tolist(), ends, bias.tolist(), strict=True)
    ]


# ---- performance profiles --------------------------------------------------------------------------------------------


def ratios(costs: np.ndarray) -> np.ndarray:  # [..., T, k] -> [..., T, k]
    """Each contender's cost over the cheapest one's on the same task; inf is a contender that never got there."""
    least = costs.min(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(costs), np.inf, costs / least)


def profile(costs: np.ndarray, factors: np.ndarray) -> np.ndarray:  # costs [T, k], factors [M] -> [k, M]
    """Share of tasks that a contender solves within a factor of the cheapest (Dolan and Moré, 2002)."""
    return (ratios(costs)[:, :, None] <= factors).mean(axis=0)


def profile_area(costs: np.ndarray, most: float = MAX_RATIO) -> np.ndarray:  # [..., T, k] -> [..., k]
    """The mean height of the profile between 1 and `most` (AlgoPerf's score): 1 for a contender that is the cheapest
    everywhere. ∫ profile = Σ over tasks (most − ratio)₊ / T, so no grid of factors is needed."""
    return np.maximum(0.0, most - ratios(costs)).mean(axis=-2) / (most - 1)


def profile_areas(times: Samples, confidence: float, generator: np.random.Generator) -> list[Interval]:
    """`profile_area` of the median times, with an expanded percentile interval of the hierarchical bootstrap."""
    medians = np.array([[median_of(x, np.arange(len(x))[None])[0] for x in row] for row in times])  # [T, k]
    drawn, _ = hierarchical(times, median_of, generator)
    return intervals(profile_area(medians), profile_area(drawn), confidence, len(times))


def intervals(values: np.ndarray, figures: np.ndarray, confidence: float, tasks: int) -> list[Interval]:
    """Percentiles of figures [resamples, k] around values [k], which they always hold.

    With few tasks plain percentiles are too narrow, so they are taken further out: at Φ(−√(T/(T−1))·t), with the t of
    Student's distribution with T − 1 degrees of freedom (the expanded percentile interval of Hesterberg, 2015).
    """
    t = critical_t(1 - confidence, tasks - 1) if tasks > 1 else math.inf
    tail = float(special.ndtr(-math.sqrt(tasks / max(tasks - 1, 1)) * t))
    low, high = np.quantile(figures, [tail, 1 - tail], axis=0)
    return [
        Interval(float(value), float(min(a, value)), float(max(b, value)))
        for value, a, b in zip(values, low, high, strict=True)
    ]
