"""What a contender's validation curve over the rate says: the rate to recommend, how wide the good rates reach, and
which trials hardly learned.

Everything here looks at validation only, and at `goodness`: the metric times +1 or −1, so that more is better.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special  # pyright: ignore[reportMissingTypeStubs]

from steepest.records.outcomes import NO_RATE, Trace
from steepest.records.ranking import is_sound, is_stopped, worst_of_seed
from steepest.verdict.judge.replicates import Entrant, curve_of

BANDWIDTH_DECADES = 0.25
"""Decades of rate: the standard deviation of the smoothing kernel. The nearest refinement rates (1/6 decade) weigh 0.8,
the next rates of the grid (1/2 decade) 0.14."""
RESAMPLES = 200
RATES_FOR_LEVELS = 3
STALLED_SHARE = 0.1
"""A trial that makes less than this share of the best contender's progress has stalled."""


@dataclass(frozen=True, slots=True)
class RateCurve:
    """Mean goodness over seeds at each of K rates, in order of rate."""

    rates: np.ndarray  # [K]
    mean: np.ndarray  # [K], over the trials that did not fail; NaN where none is sound
    count: np.ndarray  # [K], sound trials
    failed: np.ndarray  # [K], trials that failed
    stopped: np.ndarray  # [K], trials that gave way to better ones: in the mean, each as the worst of its seed

    @property
    def safe(self) -> np.ndarray:  # [K], bool
        """Rates at which no larger share of trials failed than at the rate that failed least, and some did not; and at
        which a race stopped no more trials than it let run, if there is such a rate."""
        alive = self.count > 0
        if not alive.any():
            return alive
        ran = np.where(alive, self.count / np.maximum(self.count + self.stopped, 1), 0.0)
        alive &= ran >= min(0.5, ran.max())
        share = self.failed / np.maximum(self.failed + self.stopped + self.count, 1)
        return alive & (share == share[alive].min())


@dataclass(frozen=True, slots=True)
class Advice:
    """The rate to use, and the good rates around it."""

    rate: float
    peak: float
    """The rate with the best mean, which the ranges lie around; of equal ones, the middle one or the lower of two."""
    safe_rates: tuple[float, float]
    """Within 5 % of it."""
    closest_rates: tuple[float, float]
    """Within 1 %."""
    decades_1pct: float
    decades_5pct: float


def rate_curve(entrant: Entrant) -> RateCurve:
    """Through the rates that at least half of the seeds tried. Where seeds tried different ones, each value counts as
    if its seed were an average one (`seed_levels`)."""
    rates = entrant.curve_rates
    sound = [_goodness(entrant, rate) for rate in rates]
    count = np.array([len(x) for x in sound])
    worst = worst_of_seed(entrant.trials, entrant.sign > 0)
    stopped = [[worst.get(trial.seed, math.nan) for trial in entrant.at(rate) if is_stopped(trial)] for rate in rates]
    gave_way = np.array([len(x) for x in stopped])
    if entrant.own_rates:
        table = _by_seed(entrant, rates)
        counted = [column[~np.isnan(column)].tolist() for column in table.T]
    else:
        counted = [[*x, *y] for x, y in zip(sound, stopped, strict=True)]
    return RateCurve(
        rates=np.array(rates),
        mean=np.array([math.fsum(x) / len(x) if n else math.nan for x, n in zip(counted, count, strict=True)]),
        count=count,
        failed=np.array([len(entrant.at(rate)) for rate in rates]) - count - gave_way,
        stopped=gave_way,
    )


def advise(curve: RateCurve) -> Advice | None:
    """The rate recommended to a user who will run it once; None if no rate has a valid trial, or no rates are known.

    Among the safe rates around the best one whose mean stays within 5 % of it, the peak of the smoothed curve: a rate
    that is good by chance among poor neighbours loses to one with good neighbours.
    """
    safe = curve.safe
    if not safe.any() or NO_RATE in curve.rates:
        return None
    x, y = np.log10(curve.rates), np.where(safe, curve.mean, np.nan)
    best_means = np.flatnonzero(y == np.nanmax(y))
    top = int(best_means[(len(best_means) - 1) // 2])
    low, high = interval_around(x, y, within(y[top], 0.05), top)
    low1, high1 = interval_around(x, y, within(y[top], 0.01), top)
    smoothed = smooth(x, y, curve.count)
    near = np.flatnonzero((x >= low) & (x <= high) & safe)
    best = near[np.argmax(smoothed[near])]
    return Advice(
        rate=float(curve.rates[best]),
        peak=float(curve.rates[top]),
        safe_rates=(_rate(curve, x, low), _rate(curve, x, high)),
        closest_rates=(_rate(curve, x, low1), _rate(curve, x, high1)),
        decades_1pct=high1 - low1,
        decades_5pct=high - low,
    )


@dataclass(frozen=True, slots=True)
class GoodRates:
    """Which rates are shown to be within 5 % of the best, and how wide the range of such rates may be."""

    rates: tuple[float, float]
    decades: tuple[float, float]


def good_rates(entrant: Entrant, curve: RateCurve, advice: Advice, generator: np.random.Generator) -> GoodRates:
    """The range around the best rate in which the mean of each rate tried is shown to be within 5 % of the best, each
    end with 97.5 % confidence; between rates, the bounds are interpolated. And from resamples of the seeds, how wide
    the range of good rates may be at most."""
    x = np.log10(curve.rates)
    table = _by_seed(entrant, entrant.curve_rates)  # [n, K]
    if len(table) < 2 or len(x) < 2:
        return GoodRates((advice.peak, advice.peak), (0.0, math.inf))
    top = int(np.argmin(np.abs(curve.rates - advice.peak)))
    low, high = (
        interval_around(x, lower_bounds(table, np.where(curve.safe, curve.mean, np.nan), top, towards), 0.0, top)[side]
        for side, towards in enumerate((-1, +1))
    )
    most = _widest(x, table, curve.safe, generator)
    return GoodRates((_rate(curve, x, low), _rate(curve, x, high)), (high - low, max(high - low, most)))


def lower_bounds(table: np.ndarray, mean: np.ndarray, top: int, towards: int) -> np.ndarray:  # [K]
    """By how much the mean goodness of each rate exceeds 95 % of that of the best rate, `top`, at least: the one-sided
    97.5 % bound of Student's t on the differences by seed. table [n, K]: goodness by seed, NaN where there is none.

    Towards an end of the good rates, seeds begin to fail one by one, and few seeds may show none of them. So the noise
    at a rate is taken to be no smaller than at the next rate `towards` that end (−1 or +1).
    """
    spread, freedom = map(np.array, zip(*(_apart(table[:, k], table[:, top]) for k in range(len(mean))), strict=True))
    outer = np.roll(spread, -towards)
    outer[-1 if towards > 0 else 0] = math.nan
    noise = np.fmax(spread, outer)
    noise[top] = 0.0
    error = noise / np.sqrt(freedom + 1)
    return mean - within(float(mean[top]), 0.05) - special.stdtrit(np.maximum(freedom, 1), 0.975) * error


def _apart(one: np.ndarray, best: np.ndarray) -> tuple[float, int]:
    """The standard deviation of the difference of two rates over seeds, and its degrees of freedom: from the seeds that
    tried both, or, if fewer than two did, from those that tried either. NaN where neither is possible."""
    known, of_best = ~np.isnan(one), ~np.isnan(best)
    both = known & of_best
    if both.sum() > 1:
        return float((one - best)[both].std(ddof=1)), int(both.sum()) - 1
    if min(known.sum(), of_best.sum()) < 2:
        return math.nan, 1
    variance = one[known].var(ddof=1) + best[of_best].var(ddof=1)
    return math.sqrt(float(variance)), int(min(known.sum(), of_best.sum())) - 1


def _widest(x: np.ndarray, table: np.ndarray, safe: np.ndarray, generator: np.random.Generator) -> float:
    """Decades that the range of good rates has at most, with 95 % confidence: of the ranges of resampled seeds.

    The percentile is taken further out than 97.5 %, since resamples of few seeds spread too little (the expanded
    percentile interval of Hesterberg, 2015).
    """
    n, known = len(table), ~np.isnan(table)
    counts = generator.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(safe, (counts @ np.where(known, table, 0.0)) / (counts @ known), np.nan)
    means = means[~np.isnan(means).all(axis=1)]
    top: np.ndarray = np.nanargmax(means, axis=1)
    levels = np.array([within(float(y[i]), 0.05) for y, i in zip(means, top, strict=True)])
    ends = intervals_around(x, means, levels, top)  # [RESAMPLES, 2]
    tail = float(special.ndtr(math.sqrt(n / (n - 1)) * special.stdtrit(n - 1, 0.025)))
    return float(np.quantile(ends[:, 1] - ends[:, 0], 1 - tail))


def _by_seed(entrant: Entrant, rates: Sequence[float]) -> np.ndarray:  # [n, K]
    """Goodness as the curve counts it: a stopped trial as the worst of its seed, a failed one not at all; less what its
    seed makes better, where seeds tried different rates."""
    worst = worst_of_seed(entrant.trials, entrant.sign > 0)
    seeds = sorted({trial.seed for trial in entrant.trials})
    table = np.full((len(seeds), len(rates)), math.nan)
    for j, rate in enumerate(rates):
        for trial in entrant.at(rate):
            if is_stopped(trial):
                table[seeds.index(trial.seed), j] = worst.get(trial.seed, math.nan)
            elif is_sound(trial) and trial.valid_metric is not None:
                table[seeds.index(trial.seed), j] = entrant.sign * trial.valid_metric
    levels = seed_levels(entrant) if entrant.own_rates else {}
    return table - np.array([levels.get(seed, 0.0) for seed in seeds])[:, None]


def seed_levels(entrant: Entrant) -> dict[int, float]:
    """Seed → how much better than the average seed it is: the mean over the three best of the rates at which every seed
    has a sound trial. Empty where there is no such rate.

    Seeds that try a rate are not a random choice of all. Without this, the mean of a rate that only good seeds tried
    would be too good.
    """
    seeds = sorted({trial.seed for trial in entrant.trials})
    sound = {(t.seed, t.rate): entrant.sign * (t.valid_metric or 0.0) for t in entrant.trials if is_sound(t)}
    columns = [[sound.get((seed, rate), math.nan) for seed in seeds] for rate in entrant.rates]
    whole = [column for column in columns if not any(map(math.isnan, column))]
    if not whole:
        return {}
    best = np.array(sorted(whole, key=math.fsum)[-RATES_FOR_LEVELS:]).mean(axis=0)
    return dict(zip(seeds, (best - best.mean()).tolist(), strict=True))


def within(best: float, share: float) -> float:
    """The level that lies a share of the best level itself below it: 0.95 of an accuracy, 1.05 of a loss."""
    return best - share * abs(best)


def interval_around(x: np.ndarray, y: np.ndarray, level: float, at: int) -> tuple[float, float]:
    """The ends of the interval around x[at] on which y [K], linear between its points, stays at or above `level`.

    NaN marks a point that must not be used: the interval ends at its neighbour. It also ends at the first and last x,
    so at an edge of what was searched it is a lower bound.
    """
    low, high = intervals_around(x, y[None], np.array([level]), np.array([at]))[0]
    return float(low), float(high)


def intervals_around(x: np.ndarray, ys: np.ndarray, levels: np.ndarray, at: np.ndarray) -> np.ndarray:  # [n, 2]
    """`interval_around` for each curve of ys [n, K], with its own level and place: all curves at once."""
    rows = np.arange(len(ys))

    def value(i: np.ndarray) -> np.ndarray:
        return ys[rows, i]

    ends: list[np.ndarray] = []
    for towards in (-1, +1):
        inner = at  # the outermost point of each curve that is still in
        for _ in range(len(x) - 1):
            outer = np.clip(inner + towards, 0, len(x) - 1)
            inner = np.where(value(outer) >= levels, outer, inner)  # never true of NaN
        outer = np.clip(inner + towards, 0, len(x) - 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            crossing = x[inner] + (x[outer] - x[inner]) * (value(inner) - levels) / (value(inner) - value(outer))
        ends.append(np.where((inner == outer) | np.isnan(value(outer)), x[inner], crossing))
    return np.stack(ends, axis=1)


def smooth(x: np.ndarray, y: np.ndarray, weight: np.ndarray, bandwidth: float = BANDWIDTH_DECADES) -> np.ndarray:
    """Kernel-weighted means of y [K] over x [K] with a Gaussian kernel (Nadaraya, 1964; Watson, 1964).

    Points are weighted by the number of trials behind them, NaN not at all. Levels below the median point count as the
    median: one hopeless rate next door must not drag a good one down.
    """
    known = ~np.isnan(y)
    level = np.maximum(np.where(known, y, 0.0), np.median(y[known]))
    kernel = np.exp(-0.5 * ((x[:, None] - x[None, :]) / bandwidth) ** 2) * (weight * known)  # [K, K]
    return np.where(known, (kernel @ level) / np.maximum(kernel.sum(axis=1), np.finfo(float).tiny), -np.inf)


def start_level(entrants: Sequence[Entrant], traces: Mapping[str, Trace]) -> float | None:
    """Goodness of an untrained model: the median of the first evaluation over the trials at each contender's lowest
    rate, which have hardly moved by then. None without curves."""
    first = [
        entrant.sign * float(curve[1][0])
        for entrant in entrants
        for trial in entrant.at(entrant.curve_rates[0])
        if (curve := curve_of(trial, traces)) is not None and math.isfinite(curve[1][0])
    ]
    return float(np.median(first)) if first else None


def stall_level(entrants: Sequence[Entrant], traces: Mapping[str, Trace]) -> float | None:
    """The goodness at or below which a sound trial of this task has stalled; None where that is unknown.

    A trial has stalled if it made less than a tenth of the progress from the start to the best contender's mean at its
    best rate. Without curves the start is the worst contender's median at its lowest rate, and taken only if that is so
    far from the best (half of it, or twice the loss) that it must be near the start.
    """
    peaks = [float(curve.mean[curve.safe].max()) for curve in map(rate_curve, entrants) if curve.safe.any()]
    if not peaks:
        return None
    best, start = max(peaks), start_level(entrants, traces)
    if start is None:
        lowest = [_goodness(entrant, entrant.curve_rates[0]) for entrant in entrants]
        start = min((float(np.median(x)) for x in lowest if len(x)), default=best)
        if start > (best / 2 if best > 0 else 2 * best):
            return None
    return start + STALLED_SHARE * (best - start) if best > start else None


def _goodness(entrant: Entrant, rate: float) -> np.ndarray:  # [n], of the sound trials
    sound = [trial.valid_metric for trial in entrant.at(rate) if is_sound(trial) and trial.valid_metric is not None]
    return entrant.sign * np.array(sound, dtype=float)


def _rate(curve: RateCurve, x: np.ndarray, log_rate: float) -> float:
    """10^x, but exactly the rate that was run where the interval ends at one."""
    i = int(np.argmin(np.abs(x - log_rate)))
    return float(curve.rates[i]) if x[i] == log_rate else 10.0**log_rate
