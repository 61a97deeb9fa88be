"""How trials are ranked by validation: a replicate's own pick, the rate that is best over all seeds, and whether that
rate lies at the edge of what was searched.

Apart from `study` and `verdict`, because both must rank by the very same law: the protocol while it runs, the verdict
when it reads. Nothing here knows a test value.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from steepest.types import Outcome

Edge = Literal["", "low", "high"]
"""Which end of the rates searched the best rate lies at; "" for neither."""


class Tried(Protocol):
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


@dataclass(frozen=True, slots=True)
class Score:
    """What a protocol may know of a trial: how it ended, and what it reached on validation at the horizon."""

    rate: float
    seed: int
    outcome: Outcome
    valid_metric: float | None
    valid_loss: float | None


T = TypeVar("T", bound=Tried)


def is_sound(trial: Tried) -> bool:
    """Whether a trial has a quality: it reached its horizon, and its validation metric there is a finite number."""
    return trial.outcome is Outcome.OK and trial.valid_metric is not None and math.isfinite(trial.valid_metric)


def pick(trials: Iterable[T], higher_is_better: bool) -> T | None:
    """The trial that a replicate chooses among its own: best validation metric; then lower validation loss; then the
    smaller rate. None where every trial failed: the replicate itself has failed."""
    sound = [trial for trial in trials if is_sound(trial)]
    return max(sound, key=lambda trial: (_good(trial, higher_is_better), -_loss(trial), -trial.rate), default=None)


def pooled_best(trials: Iterable[Tried], higher_is_better: bool) -> float:
    """The rate with the best mean validation metric over the seeds.

    A failed trial ranks last: it counts as the worst metric that any sound trial has. Ties go to fewer failures, then
    to the lower mean loss, then to the smaller rate; so where nothing is sound, the smallest rate is the best.
    """
    trials = list(trials)
    worst = min((_good(trial, higher_is_better) for trial in trials if is_sound(trial)), default=0.0)
    by_rate: dict[float, list[Tried]] = defaultdict(list)
    for trial in trials:
        by_rate[trial.rate].append(trial)

    def rank(rate: float) -> tuple[float, int, float, float]:
        sound = [trial for trial in by_rate[rate] if is_sound(trial)]
        failed = len(by_rate[rate]) - len(sound)
        metric = _mean([_good(trial, higher_is_better) for trial in sound] + [worst] * failed)
        loss = _mean([_loss(trial) for trial in sound]) if sound else math.inf
        return metric, -failed, -loss, -rate

    return max(by_rate, key=rank)


def edge(trials: Iterable[Tried], higher_is_better: bool) -> Edge:
    """Where the pooled best rate lies in the range searched.

    Rates of a grid are half a decade apart over four decades, so its outer tenths hold its first and its last point.
    A single rate has no range, and so no edge.
    """
    trials = list(trials)
    rates = {trial.rate for trial in trials}
    best = pooled_best(trials, higher_is_better)
    if len(rates) == 1 or min(rates) < best < max(rates):
        return ""
    return "low" if best == min(rates) else "high"


def _good(trial: Tried, higher_is_better: bool) -> float:
    assert trial.valid_metric is not None
    return trial.valid_metric if higher_is_better else -trial.valid_metric


def _loss(trial: Tried) -> float:
    loss = trial.valid_loss
    return math.inf if loss is None or math.isnan(loss) else loss


def _mean(values: list[float]) -> float:
    """Exact before the last rounding, so that no order of the trials can change a rank."""
    try:
        return math.fsum(values) / len(values)
    except OverflowError:  # finite losses near the largest float
        return math.inf
