"""Which of the best and its ties to use: none that fails clearly more than another; then the best mean, or a cheaper
one that is shown to be as good.

Among ties, the best mean may be due to chance, and so may a tie itself: a small study ties what differs much. So a
cheaper one is advised only where it costs at most the practical margin, and saves what matters: a fifth of the time of
runs that take minutes, or much memory. The cost of a run is not due to chance.
"""

from collections.abc import Mapping, Sequence

from steepest.verdict.judge.pairs import Pair
from steepest.verdict.results import Standing
from steepest.verdict.stats.inference import Interval
from steepest.verdict.stats.shares import more_often, share_interval

MIN_SAVING = 0.2
"""The share of the best's time that a tie must save to be advised instead,"""
MIN_SECONDS = 60.0
"""where a run of the best takes at least as long."""
MIN_BYTES_SAVED = 100 * 2**20
"""The memory of a model's training that a tie must save to be advised instead, at the same time."""
EQUAL_TIME_RATIO = 1.25
"""Up to this factor, times of runs count as equal, since other processes disturb the measurement."""
FAILURE_LEVEL = 0.05
"""Level of the one-sided test by which one contender fails clearly more than another: 4 of 10 against none."""


def advised(standings: Sequence[Standing], margin: float, parameters: int = 0) -> Standing:
    """The contender to use, of standings in order of place. parameters: of the model; 0 where unknown.

    Of the best and its ties, those that fail clearly more than another one are left out; of the rest, the first one.
    In its place, one that is shown to lose at most `margin` to the best and saves time or memory: of all such within
    `EQUAL_TIME_RATIO` of the fastest, the one with the least state, then the better place.
    """
    if standings[0].status != "best":
        return standings[0]
    front = [item for item in standings if item.status in ("best", "tie")]
    reliable = [item for item in front if not any(fails_more(item, other) for other in front)]
    first = reliable[0]
    cheaper = [
        item
        for item in reliable[1:]
        if item.rate is not None
        and no_worse(item, margin)
        and (saves_time(item, first) or saves_memory(item, first, parameters))
    ]
    if not cheaper:
        return first
    least = min(item.seconds or 0.0 for item in cheaper)
    fast = [item for item in cheaper if (item.seconds or 0.0) <= EQUAL_TIME_RATIO * least]
    return min(fast, key=lambda item: (item.state_bytes_per_parameter or 0.0, item.place))


def unjudged_leaders(standings: Sequence[Standing], higher_is_better: bool) -> list[Standing]:
    """Those with a better mean than the best of the judged, but with too few seeds to be judged; the best first. One
    that fails clearly more often is none: its mean is that of the easy seeds."""
    best, sign = standings[0], 1 if higher_is_better else -1
    if best.status not in ("best", "tie") or best.quality is None:
        return []
    ahead = [
        (sign * (item.quality.value - best.quality.value), item)
        for item in standings[1:]
        if item.status == "unsure" and item.quality is not None and not fails_more(item, best)
    ]
    return [item for gap, item in sorted(ahead, key=lambda pair: -pair[0]) if gap > 0]


def may_lose(name: str, pairs: Mapping[tuple[str, str], Pair]) -> float | None:
    """By how much the contender of this name may be worse than another: the largest upper end of the intervals of
    these differences, at least 0; None where it was compared with nobody."""
    worst = [pair.estimate.high for (_, other), pair in pairs.items() if other == name]
    return max(0.0, *worst) if worst else None


def saves_time(item: Standing, first: Standing) -> bool:
    """Whether a run of `item` takes a fifth less time than one of `first`, which takes minutes."""
    if not item.seconds or not first.seconds or first.seconds < MIN_SECONDS:
        return False
    return item.seconds <= (1 - MIN_SAVING) * first.seconds


def saves_memory(item: Standing, first: Standing, parameters: int) -> bool:
    """Whether the optimizer of `item` keeps far less than that of `first`, and is not slower."""
    mine, theirs = item.state_bytes_per_parameter, first.state_bytes_per_parameter
    if mine is None or theirs is None or (theirs - mine) * parameters < MIN_BYTES_SAVED:
        return False
    return bool(item.seconds and first.seconds and item.seconds <= EQUAL_TIME_RATIO * first.seconds)


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
