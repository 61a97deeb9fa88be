"""How much of a contender's mean is due to where its extra learning rates were placed.

The grid is the same for every seed, but the rates beyond it are placed by the mean of all seeds. So a chance that moves
this mean moves every replicate at once, and the replicates' own spread does not show it.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from steepest.records.ranking import is_sound, is_stopped, worst_of_seed
from steepest.verdict.judge.replicates import GRID, Entrant, replicate

RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class Placement:
    """How uncertain the place of a contender's extra rates is, and how much depends on it."""

    moved: float = 0.0
    """The share of resamples of the seeds whose best rate of the grid lies at another end of it, or inside where it
    lies at an end."""
    gain: float = 0.0
    """Of the extra rates: the mean of the picks minus that of the picks among the grid alone."""

    @property
    def spread(self) -> float:
        """q(1 − q), the variance of whether they are placed here or elsewhere."""
        return self.moved * (1 - self.moved)

    @property
    def variance(self) -> float:
        """That the placement adds to the mean of all replicates."""
        return self.spread * self.gain**2

    def with_other(self, other: "Placement") -> float:
        """Variance that it adds to a difference. The gain is the larger of both: a contender whose extra rates were
        placed inside has not shown what it would have gained beyond the end."""
        return (self.spread + other.spread) * max(self.gain**2, other.gain**2)


FIXED_RATES = Placement()


def placement(item: Entrant, placing: Collection[int], generator: np.random.Generator) -> Placement:
    """Of the extra rates of a contender, which the seeds `placing` have placed."""
    gains: list[float] = []
    for each in item.replicates:
        grid = replicate(each.seed, [trial for trial in each.trials if trial.stage == GRID], item.sign > 0)
        if len(grid.trials) == len(each.trials):
            return FIXED_RATES
        if each.value is not None and grid.value is not None:
            gains.append(each.value - grid.value)
    if not gains or not any(gains):
        return FIXED_RATES
    return Placement(share_moved(grid_goodness(item, placing), generator), float(np.mean(gains)))


def grid_goodness(item: Entrant, placing: Collection[int]) -> np.ndarray:  # [n, K]
    """Validation goodness of the grid, as the protocol sees it: a failed trial counts as the worst of all, a stopped
    one as the worst of its seed."""
    trials = [trial for trial in item.trials if trial.stage == GRID and trial.seed in placing]
    sound = {(t.seed, t.rate): item.sign * (t.valid_metric or 0.0) for t in trials if is_sound(t)}
    worst, of_seed = min(sound.values(), default=0.0), worst_of_seed(trials, item.sign > 0)
    stopped = {(t.seed, t.rate): of_seed.get(t.seed, worst) for t in trials if is_stopped(t)}
    known = {**stopped, **sound}
    rates = sorted({trial.rate for trial in trials})
    seeds = sorted({trial.seed for trial in trials})
    return np.array([[known.get((seed, rate), worst) for rate in rates] for seed in seeds])


def share_moved(goodness: np.ndarray, generator: np.random.Generator) -> float:  # goodness [n, K]
    """The share of resamples over seeds in which the best rate lies at another end than it does, or at none. Means of
    resamples are stretched by √(n/(n−1)), without which they spread too little."""
    n, last = len(goodness), goodness.shape[1] - 1
    counts = generator.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)

    def end(best: np.ndarray) -> np.ndarray:
        return (best == last).astype(int) - (best == 0)

    mean = goodness.mean(axis=0)  # [K]
    means = mean + (counts @ goodness / n - mean) * np.sqrt(n / max(n - 1, 1))  # [RESAMPLES, K]
    moved: np.ndarray = end(means.argmax(axis=1)) != end(np.full(1, int(np.argmax(mean))))
    return float(moved.mean())
