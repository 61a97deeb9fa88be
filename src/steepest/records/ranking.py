"""How trials are ranked by validation: a replicate's own pick, the rate that is best over all seeds, and whether that
rate lies at the edge of the searched range; and which trials go on where rates race.

Apart from `study` and `verdict`, because both must rank in the same way: the protocol while it runs, the verdict
when it reads. Nothing here sees a test value.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

import numpy as np

from steepest.records.outcomes import Outcome
from steepest.records.trials import Lane, Rung, Shard

Edge = Literal["", "low", "high"]
"""Which end of the rates searched the best rate lies at; "" for neither."""


class RankedTrial(Protocol):
    """What ranking looks at: a `Score`, or a row of `Result`."""

    @property
    def rate(self) -> float: ...
    @property
    def seed(self) -> int: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def valid_metric(self) -> float | None: ...
    @property
    def valid_loss(self) -> float | None: ...
    @property
    def dials(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Score:
    """What a protocol may know of a trial: how it ended, and its validation values at the horizon."""

    rate: float
    seed: int
    outcome: Outcome
    valid_metric: float | None
    valid_loss: float | None
    dials: str = ""


T = TypeVar("T", bound=RankedTrial)

KEEP_ONE_IN = 3
"""At each rung, one in this many rates of a seed goes on."""
MIN_RATES_KEPT = 2
"""Rates of a seed and stage that always run to the end."""
_OK = Outcome.OK  # used ten times per trial: looking it up in its class takes as long as all the rest
RUNG_SHARES = (1 / 20, 1 / 5)
"""Shares of the horizon after which the rates of a seed are compared: measured, see docs/protocol.md."""


def is_sound(trial: RankedTrial) -> bool:
    """Whether a trial has a quality: it reached its horizon, and its validation metric there is a finite number."""
    metric = trial.valid_metric
    return trial.outcome is _OK and metric is not None and math.isfinite(metric)


def is_stopped(trial: RankedTrial) -> bool:
    """Whether racing gave a trial's time to better ones of its seed: not a failure, but no value at the horizon."""
    return trial.outcome is Outcome.STOPPED


def has_failed(trial: RankedTrial) -> bool:
    """Whether a trial failed: it is neither sound nor stopped."""
    return not is_sound(trial) and not is_stopped(trial)


def pick(trials: Iterable[T], higher_is_better: bool) -> T | None:
    """The trial that a replicate chooses among its own: best validation metric; then lower validation loss; then the
    smaller rate. None where every trial failed: the replicate itself has failed."""
    return next(iter(survivors(trials, 1, higher_is_better)), None)


def survivors(trials: Iterable[T], count: int, higher_is_better: bool) -> list[T]:
    """The best `count` of a replicate's trials, the best first; fewer where fewer are sound."""

    def rank(trial: T) -> tuple[float, float, float, int, str]:
        return good_metric(trial, higher_is_better), -_loss(trial), -trial.rate, -trial.seed, trial.dials

    return sorted(filter(is_sound, trials), key=rank, reverse=True)[:count]


def picked_lanes(
    lanes: Sequence[Lane], outcomes: Sequence[Outcome], metric: np.ndarray, loss: np.ndarray, higher_is_better: bool
) -> set[int]:
    """The lane that each seed picks among these, by validation metric and loss [R]. A replicate chooses among the
    trials of all shards of its seed, so its pick is among these."""
    by_seed: dict[int, dict[Score, int]] = defaultdict(dict)
    for i, (lane, outcome) in enumerate(zip(lanes, outcomes, strict=True)):
        score = Score(lane.rate, lane.seed, outcome, float(metric[i]), float(loss[i]), lane.dials)
        by_seed[lane.seed][score] = i
    best = (pick(scores, higher_is_better) for scores in by_seed.values())
    return {by_seed[score.seed][score] for score in best if score is not None}


def pooled_best(trials: Iterable[RankedTrial], higher_is_better: bool) -> float:
    """The rate with the best mean validation metric over the seeds.

    A failed trial ranks last: it counts as the worst metric that any sound trial has. One that was stopped ranks below
    those that its seed went on with: it counts as the worst of them. Ties go to fewer failures and stops, then to the
    lower mean loss, then to the smaller rate; so where nothing is sound, the smallest rate is the best. Rates that only
    some seeds tried count if they have at least half as many trials as any other (`well_tried`).
    """
    trials = list(trials)
    sound = [trial for trial in trials if is_sound(trial)]
    worst = min((good_metric(trial, higher_is_better) for trial in sound), default=0.0)
    of_seed = worst_of_seed(trials, higher_is_better)
    by_rate: dict[float, list[RankedTrial]] = defaultdict(list)
    for trial in trials:
        by_rate[trial.rate].append(trial)
    most = max(map(len, by_rate.values()))

    def rank(rate: float) -> tuple[float, int, float, float]:
        sound = [trial for trial in by_rate[rate] if is_sound(trial)]
        others = [trial for trial in by_rate[rate] if not is_sound(trial)]
        counted = [of_seed.get(trial.seed, worst) if is_stopped(trial) else worst for trial in others]
        metric = _mean([good_metric(trial, higher_is_better) for trial in sound] + counted)
        loss = _mean([_loss(trial) for trial in sound]) if sound else math.inf
        return metric, -len(others), -loss, -rate

    return max((rate for rate, there in by_rate.items() if 2 * len(there) >= most), key=rank)


def well_tried(trials: Iterable[RankedTrial]) -> tuple[float, ...]:
    """The rates that have at least half as many trials as any other: means of fewer seeds are too noisy to rank."""
    count = Counter(trial.rate for trial in trials)
    most = max(count.values(), default=0)
    return tuple(sorted(rate for rate, n in count.items() if 2 * n >= most))


def smoothed_best(trials: Iterable[RankedTrial], higher_is_better: bool) -> float:
    """The rate around which one seed should try more, from its trials at evenly spaced rates.

    A value counts half and its neighbours the other half, since the best of nine noisy values is often best by chance.
    But a cliff next to the best must not move the search away from it: a neighbour is left out that failed, was
    stopped, or lies further below the median than the best lies above it; others below the median count as the median.
    Ties go to the better metric, then to the lower loss, then to the smaller rate, which is the best where all failed.
    """
    ordered = sorted(trials, key=lambda trial: trial.rate)
    sound = [good_metric(trial, higher_is_better) for trial in ordered if is_sound(trial)]
    if not sound:
        return ordered[0].rate
    values = [good_metric(trial, higher_is_better) if is_sound(trial) else min(sound) for trial in ordered]
    middle = sorted(values)[len(values) // 2]
    hopeless = middle - (max(values) - middle)

    def rank(i: int) -> tuple[float, float, float, float]:
        near = [j for j in (i - 1, i + 1) if 0 <= j < len(ordered) and is_sound(ordered[j]) and values[j] >= hopeless]
        own = max(values[i], middle)
        smooth = (2 * own + sum(max(values[j], middle) for j in near)) / (2 + len(near))
        return smooth, values[i], -_loss(ordered[i]), -ordered[i].rate

    return ordered[max((i for i, trial in enumerate(ordered) if is_sound(trial)), key=rank)].rate


def worst_of_seed(trials: Iterable[RankedTrial], higher_is_better: bool) -> dict[int, float]:
    """Seed → the goodness (metric, its sign turned where lower is better) of the worst of its sound trials: as what a
    trial that was stopped in that seed counts. Empty if none was stopped."""
    trials = list(trials)
    found: dict[int, float] = {}
    for trial in trials if any(map(is_stopped, trials)) else ():
        if is_sound(trial):
            found[trial.seed] = min(found.get(trial.seed, math.inf), good_metric(trial, higher_is_better))
    return found


def edge(trials: Iterable[RankedTrial], higher_is_better: bool) -> Edge:
    """Where the pooled best rate lies in the range searched; for the trials of one seed, where its own best lies.

    Rates of a grid are half a decade apart over four decades, so its outer tenths hold its first and its last point.
    A single rate has no range, and so no edge.
    """
    trials = list(trials)
    return end_of(pooled_best(trials, higher_is_better), well_tried(trials))


def end_of(best: float, rates: Collection[float]) -> Edge:
    """Which end of the rates `best` is, if it is one."""
    if len(rates) == 1 or min(rates) < best < max(rates):
        return ""
    return "low" if best == min(rates) else "high"


def edge_of_most(ends: Sequence[Edge]) -> Edge:
    """The edge at which more than half of the seeds end, each of its own range."""
    return "low" if 2 * ends.count("low") > len(ends) else "high" if 2 * ends.count("high") > len(ends) else ""


# ---- races -----------------------------------------------------------------------------------------------------------


def rungs(evaluate_at: Sequence[int], lanes: int) -> tuple[Rung, ...]:
    """Successive halving (Jamieson and Talwalkar, 2016) of a seed's lanes: at the first evaluation at or after each
    share of the horizon one in KEPT goes on, but never fewer than LEAST. Rungs at which no lane would stop are
    left out.

    >>> rungs((1, 50, 100, 200, 600, 1000), lanes=9)
    ((50, 3), (200, 2))
    """
    found: list[Rung] = []
    count = lanes
    for share in RUNG_SHARES:
        step = next(step for step in evaluate_at if step >= share * evaluate_at[-1])
        fewer = max(MIN_RATES_KEPT, math.ceil(count / KEEP_ONE_IN))
        if fewer < count and step < evaluate_at[-1]:
            found = [rung for rung in found if rung[0] < step] + [(step, fewer)]
            count = fewer
    return tuple(found)


def share_trained(shard: Shard, step: int) -> float:
    """Which part of a shard's work is done when its lanes have come as far as this step: 0 … 1."""
    seeds = len({lane.seed for lane in shard.lanes})
    each = len(shard.lanes) / seeds
    return trial_steps(each, shard.rungs, step) / trial_steps(each, shard.rungs, shard.steps)


def trial_steps(lanes: float, rungs: Sequence[Rung], step: int) -> float:
    """Steps that the lanes of one seed have trained, all together, when the last of them is at `step`.

    >>> trial_steps(9, ((100, 3), (300, 2)), 900)
    2700
    """
    total, start = 0, 0
    for stop, kept in (*rungs, (step, 0)):
        stop = min(stop, step)
        total += lanes * (stop - start)
        lanes, start = min(lanes, kept), stop
    return total


# ---- numbers ---------------------------------------------------------------------------------------------------------


def good_metric(trial: RankedTrial, higher_is_better: bool) -> float:
    """The validation metric of a sound trial, its sign turned where lower is better."""
    assert trial.valid_metric is not None
    return trial.valid_metric if higher_is_better else -trial.valid_metric


def _loss(trial: RankedTrial) -> float:
    loss = trial.valid_loss
    return math.inf if loss is None or math.isnan(loss) else loss


def _mean(values: list[float]) -> float:
    """Exact before the last rounding, so that no order of the trials can change a rank."""
    try:
        return math.fsum(values) / len(values)
    except OverflowError:  # finite losses near the largest float
        return math.inf
