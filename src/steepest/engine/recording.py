"""Records trials as they train: their curves at the requested evaluations, and when and why each ended."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from steepest.records.example_outcomes import Contributions, packed
from steepest.records.outcomes import Outcome, Trace
from steepest.records.ranking import picked_lanes
from steepest.records.trials import Lane

DIVERGENCE_FACTOR = 1e4
"""A batch loss above this many times max(first loss, 1) counts as diverged."""


class Curves:
    """The record of R trials trained in step.

    A trial diverges at the first step whose batch loss is not finite or too large, or at an evaluation whose loss is
    not finite. A non-finite first loss does not depend on the rate and has an outcome of its own. An ended trial has
    no further values.
    """

    def __init__(self, lanes: int, evaluate_at: Sequence[int]) -> None:
        self.evaluate_at = np.asarray(evaluate_at, dtype=np.int64)  # [E]
        self.alive = np.ones(lanes, dtype=bool)  # [R], which trials still have values
        self.outcome = [Outcome.OK] * lanes
        self.outcome_step = np.full(lanes, self.evaluate_at[-1])  # [R]
        self.step = 0
        shape = (lanes, len(self.evaluate_at))
        self.train_loss, self.valid_loss, self.valid_metric = (np.full(shape, np.nan) for _ in range(3))
        self._limit = np.full(lanes, np.nan)  # [R]
        self._sum = np.zeros(lanes)  # [R], of the batch losses since the last evaluation
        self._since = 0
        self._done = 0

    def trained(self, losses: np.ndarray) -> None:
        """Record the batch losses of the next k steps: [k, R]."""
        losses = losses.astype(np.float64)
        if self.step == 0:
            self._limit = DIVERGENCE_FACTOR * np.maximum(losses[0], 1.0)
            self._end(np.flatnonzero(~np.isfinite(losses[0])), Outcome.NONFINITE, 1)
        with np.errstate(invalid="ignore"):
            bad = ~(losses <= self._limit)  # [k, R]; NaN is not ≤ anything
        for lane in np.flatnonzero(bad.any(0)):
            self._end([int(lane)], Outcome.DIVERGED, self.step + 1 + int(bad[:, lane].argmax()))
        self._sum += np.where(self.alive, losses, 0.0).sum(0)
        self._since += len(losses)
        self.step += len(losses)

    def is_within_limit(self, loss: float) -> bool:
        """Whether a single trial with this batch loss has not diverged; False before its first loss is recorded."""
        return bool(loss <= self._limit[0])

    def evaluated(self, loss: np.ndarray, metric: np.ndarray) -> None:
        """Record validation loss and metric after the last recorded step: [R] each."""
        self._end(np.flatnonzero(~np.isfinite(loss)), Outcome.DIVERGED, self.step)
        alive, e = self.alive, self._done
        self.train_loss[alive, e] = self._sum[alive] / self._since if self._since else np.nan
        self.valid_loss[alive, e] = loss[alive]
        self.valid_metric[alive, e] = metric[alive]
        self._sum[:], self._since, self._done = 0.0, 0, e + 1

    def now(self, lane: int) -> tuple[float, float]:
        """Validation metric and loss of a lane at the last evaluation."""
        return float(self.valid_metric[lane, self._done - 1]), float(self.valid_loss[lane, self._done - 1])

    def stopped(self, lanes: Iterable[int]) -> None:
        """Record that these lanes were stopped at a rung."""
        self._end(lanes, Outcome.STOPPED, self.step)

    def _end(self, lanes: Iterable[int], outcome: Outcome, step: int) -> None:
        for lane in lanes:
            if self.alive[lane]:
                self.alive[lane], self.outcome[lane], self.outcome_step[lane] = False, outcome, step

    def picked(self, lanes: Sequence[Lane], higher_is_better: bool) -> set[int]:
        """The lanes that their seeds would pick among these, by the values of the last evaluation."""
        last = self.valid_metric[:, self._done - 1], self.valid_loss[:, self._done - 1]
        return picked_lanes(lanes, self.outcome, *last, higher_is_better)

    def trace(self, test_loss: np.ndarray, test_metric: np.ndarray) -> Trace:
        """The finished record; test values [R] are kept for trials that reached the horizon."""
        return Trace(
            evaluate_at=self.evaluate_at,
            train_loss=self.train_loss,
            valid_loss=self.valid_loss,
            valid_metric=self.valid_metric,
            outcome=tuple(self.outcome),
            outcome_step=self.outcome_step,
            test_loss=np.where(self.alive, test_loss, np.nan),
            test_metric=np.where(self.alive, test_metric, np.nan),
        )


def merged(traces: Sequence[Trace], places: Sequence[int]) -> Trace:
    """One trace from several with the same evaluations; the i-th of all their trials becomes row `places[i]`."""
    back = np.argsort(np.asarray(places))

    def rows(name: str) -> np.ndarray:
        return np.concatenate([getattr(trace, name) for trace in traces])[back]

    outcomes = [outcome for trace in traces for outcome in trace.outcome]
    return Trace(
        evaluate_at=traces[0].evaluate_at,
        train_loss=rows("train_loss"),
        valid_loss=rows("valid_loss"),
        valid_metric=rows("valid_metric"),
        outcome=tuple(outcomes[i] for i in back),
        outcome_step=rows("outcome_step"),
        test_loss=rows("test_loss"),
        test_metric=rows("test_metric"),
    )


def with_examples(
    trace: Trace, lanes: Sequence[Lane], found: Mapping[int, Contributions], higher_is_better: bool
) -> Trace:
    """The trace with what came of the test examples, of the lane that each seed would pick among all of the shard."""
    ends = trace.valid_metric[:, -1], trace.valid_loss[:, -1]
    picked = picked_lanes(lanes, trace.outcome, *ends, higher_is_better)
    return replace(trace, examples=packed({lane: each for lane, each in found.items() if lane in picked}))
