"""Shares of a whole: accuracies that are counted on few examples, and how often something fails.

Apart from `inference`, which knows only values: here the number of examples or seeds says how sure a share can be.
"""

import math
from dataclasses import dataclass

from scipy import special  # pyright: ignore[reportMissingTypeStubs]

from steepest.verdict.stats.inference import Interval


@dataclass(frozen=True, slots=True)
class Examples:
    """What a share is counted on."""

    count: int = 0
    """Of one replicate; 0 where that is unknown, or where the metric is not a share."""
    pool: int = 0
    """From which each replicate draws its own; 0 if all have the same."""
    counted: bool = True
    """Whether the share is that of right answers; AUROC and macro F1 are shares of something else."""

    def least_variance(self, share: float, n: int, seen: float) -> float:
        """Of a replicate, where the mean of n is `share`: p̃(1 − p̃)/m with p̃ = (M·p + 2)/(M + 4), where M is the number
        of different examples that p is from: m, or n·m up to the pool (Agresti and Coull, 1998).

        For a share of right answers, p is that share. For the difference of two shares on the same examples, p is its
        size: at least that share is right for one and wrong for the other. p̃ is never 0 or 1, so equal values do not
        make a mean certain. A share of another kind has another variance, and this one only takes its place where all
        values are alike: where `seen`, the variance of the replicates, is 0.
        """
        if not self.count or (seen and not self.counted):
            return 0.0
        examples = min(n * self.count, max(self.count, self.pool))
        p = (examples * min(1.0, abs(share)) + 2) / (examples + 4)
        return p * (1 - p) / self.count


UNKNOWN = Examples()


def share_interval(count: int, n: int, confidence: float) -> Interval:
    """The share count/n with the exact interval of Clopper and Pearson (1934)."""
    tail = (1 - confidence) / 2
    low = float(special.betaincinv(count, n - count + 1, tail)) if count else 0.0
    high = float(special.betaincinv(count + 1, n - count, 1 - tail)) if count < n else 1.0
    return Interval(count / n, low, high)


def more_often(a: int, n: int, b: int, m: int) -> float:
    """One-sided p value of Fisher's exact test that a of n is more often than b of m (Fisher, 1934): the chance that,
    of a + b events among n + m, at least a fall on the first n."""
    events = a + b
    ways = [math.comb(n, k) * math.comb(m, events - k) for k in range(max(0, events - m), min(n, events) + 1)]
    upper = [math.comb(n, k) * math.comb(m, events - k) for k in range(a, min(n, events) + 1)]
    return sum(upper) / sum(ways)
