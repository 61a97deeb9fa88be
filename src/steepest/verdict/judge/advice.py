"""Which of the best and its ties to use: none that fails clearly more than another; then a far quicker one, where it
is shown to be as good.

Among ties, the best mean may be due to chance, and so may a tie itself: a small study ties what differs much. So a
quicker one is advised only where it costs at most the practical margin. The cost of a run is not due to chance.
"""

from collections.abc import Sequence

from steepest.verdict.results import Standing
from steepest.verdict.stats.inference import Interval
from steepest.verdict.stats.shares import more_often, share_interval

MIN_SPEEDUP = 2.0
"""How many times as fast as the best a tie must be to be advised instead."""
EQUAL_TIME_RATIO = 1.25
"""Up to this factor, times of runs count as equal, since other processes disturb the measurement."""
FAILURE_LEVEL = 0.05
"""Level of the one-sided test by which one contender fails clearly more than another: 4 of 10 against none."""


def advised(standings: Sequence[Standing], margin: float) -> Standing:
    """The contender to use, of standings in order of place.

    Of the best and its ties, those that fail clearly more than another one are left out; of the rest, the first one.
    In its place, one that trains `MIN_SPEEDUP` times as fast and is shown to lose at most `margin` to the best: of all
    such within `EQUAL_TIME_RATIO` of the fastest, the one with the least state, then the better place.
    """
    if standings[0].status != "best":
        return standings[0]
    front = [item for item in standings if item.status in ("best", "tie")]
    reliable = [item for item in front if not any(fails_more(item, other) for other in front)]
    first = reliable[0]
    as_good = [item for item in reliable[1:] if item.seconds and item.rate is not None and no_worse(item, margin)]
    if not first.seconds or not as_good:
        return first
    least = min(item.seconds for item in as_good if item.seconds)
    if first.seconds < MIN_SPEEDUP * least:
        return first
    fast = [item for item in as_good if item.seconds and item.seconds <= EQUAL_TIME_RATIO * least]
    return min(fast, key=lambda item: (item.state_bytes_per_parameter or 0.0, item.place))


def fails_more(item: Standing, other: Standing) -> bool:
    """Whether `item` fails on clearly more seeds than `other`, by Fisher's exact test."""
    lost, others = item.failed_replicates, other.failed_replicates
    return more_often(lost, lost + item.replicates, others, others + other.replicates) < FAILURE_LEVEL


def no_worse(item: Standing, margin: float) -> bool:
    """Whether a tie is shown to lose at most `margin` to the best, or has no worse a mean on the seeds compared."""
    gap = item.behind_best
    return gap is not None and (gap.high <= margin or gap.value <= 0)


def unseen_share(n: int, confidence: float) -> float:
    """The share that may fail although none of n did: 1 − α^(1/n), 26 % of ten."""
    return 1 - (1 - confidence) ** (1 / n)


def failed_share(item: Standing, confidence: float) -> Interval:
    """The share of a contender's seeds that failed, with an exact interval."""
    return share_interval(item.failed_replicates, item.failed_replicates + item.replicates, confidence)
