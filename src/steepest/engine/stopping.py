"""Early stopping: a trial ends when its validation metric has not improved for a while, and is scored at its best.

Whenever a lane's validation metric improves, the test part is measured, too; the last such value counts. That equals
keeping the best weights, without copies of weights, buffers and averages. Only validation decides.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from steepest.engine.recording import Curves
from steepest.records.outcomes import Outcome, Trace
from steepest.records.trials import Shard
from steepest.tasks.task import Task

AXIS = "early-stopping"
Scores = tuple[np.ndarray, np.ndarray]
"""Loss and metric of every lane, [R] each."""
MeasureTest = Callable[[Iterable[int]], Scores]
"""Measures the test part at the current weights, and records what comes of each example for these lanes."""


def curves_of(task: Task, shard: Shard, lanes: int, test: MeasureTest) -> Curves:
    """The record of a shard's trials."""
    epochs = float(shard.contender.axes.get(AXIS, 0))
    if not epochs:
        return Curves(lanes, shard.evaluate_at)
    patience = epochs * task.sizes["train"] / shard.batch_size
    return StoppingCurves(lanes, shard.evaluate_at, patience, task.quality.higher_is_better, test)


class StoppingCurves(Curves):
    """The record of trials that stop early. After its end a trial's curve stays at the values of its best weights."""

    def __init__(
        self, lanes: int, evaluate_at: Sequence[int], patience: float, higher_is_better: bool, test: MeasureTest
    ) -> None:
        """`patience`: steps without a better validation metric, after which a trial ends at an evaluation."""
        super().__init__(lanes, evaluate_at)
        self.patience, self.sign, self.test = patience, 1 if higher_is_better else -1, test
        self.best = np.full(lanes, -np.inf)  # [R], sign × validation metric
        self.kept = np.zeros(lanes, dtype=np.int64)  # [R], the evaluation at which that was
        self.last = np.full(lanes, len(self.evaluate_at) - 1)  # [R], the evaluation at which the trial ended
        self.at_test = np.full((2, lanes), np.nan)  # test loss and metric at the best

    def evaluated(self, loss: np.ndarray, metric: np.ndarray) -> None:
        super().evaluated(loss, metric)
        e = len(self.evaluate_at[self.evaluate_at <= self.step]) - 1
        goodness = self.sign * self.valid_metric[:, e]
        better = self.alive & (goodness > self.best)
        if better.any():
            self.best[better], self.kept[better] = goodness[better], e
            self.at_test[:, better] = np.stack(self.test(np.flatnonzero(better).tolist()))[:, better]
        waited = self.step - self.evaluate_at[self.kept]
        ended = self.alive & (waited >= self.patience)
        self.alive[ended], self.last[ended] = False, e

    def trace(self, test_loss: np.ndarray, test_metric: np.ndarray) -> Trace:
        """The finished record. Its test values are those of the best weights; the arguments are ignored."""
        for lane, outcome in enumerate(self.outcome):
            if outcome is not Outcome.OK:
                self.at_test[:, lane] = np.nan
                continue
            kept, last = self.kept[lane], self.last[lane]
            self.outcome_step[lane] = self.evaluate_at[kept]
            end = slice(min(last + 1, len(self.evaluate_at) - 1), None)
            for values in (self.train_loss, self.valid_loss, self.valid_metric):
                values[lane, end] = values[lane, kept]
        return replace(super().trace(test_loss, test_metric), test_loss=self.at_test[0], test_metric=self.at_test[1])
