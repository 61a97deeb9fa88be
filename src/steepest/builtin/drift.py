"""A task whose data drift during training, and the number of steps until an optimizer has recovered."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from steepest.builtin.pictures import scaled_digits
from steepest.builtin.task_entry import Entry
from steepest.records import rng
from steepest.tasks.splits import Splits
from steepest.tasks.task import Task

SEGMENT_EXAMPLES = 400 * 32
"""Examples from one drift to the next: 400 steps at the task's own batch size."""
SEGMENTS = 4
RECOVERED_LOSS = 0.3
"""Loss in nats at or below which an optimizer has recovered; the same for all, so a lower loss before the drift does
not count against it."""


class Drifting(Task):
    """Digits whose pixels are permuted and whose labels shift by one, three times in a trial.

    In segment j = 0, 1, 2, 3 the pixels are permuted by πⱼ, where π₀ is the identity, and digit y has the label
    (y + j) mod 10. Validation and test use the last segment.
    """

    changes_examples = True  # pyright: ignore[reportAssignmentType]

    def batch(self, splits: Splits, positions: np.ndarray) -> tuple[tuple[Tensor, ...], Tensor]:
        (x,), y = super().batch(splits, positions)
        return self._as_in(SEGMENTS - 1, x, y)

    def training_batch(
        self, splits: Splits, positions: np.ndarray, seed: int, start: int
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        size = positions.shape[1]
        segments = np.minimum(
            np.arange(start, start + len(positions)) * size // SEGMENT_EXAMPLES, SEGMENTS - 1
        )  # [steps]
        parts = []
        for segment in np.unique(segments):  # few steps per call, mostly of one segment
            (x,), y = super().batch(splits, positions[segments == segment].reshape(-1))
            parts.append(self._as_in(int(segment), x, y))
        return (torch.cat([x for (x,), _ in parts]),), torch.cat([y for _, y in parts])

    def _as_in(self, segment: int, x: Tensor, y: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Pixels x [n, 64] and digits y [n] as they are in a segment."""
        return (x[:, torch.from_numpy(places(segment))],), (y + segment) % 10


def places(segment: int) -> np.ndarray:
    """The permutation of the 64 pixels in a segment; the same for every seed."""
    return rng.generator(0, "data", segment).permutation(64) if segment else np.arange(64)


def drifting_digits(entry: Entry) -> Task:
    """The digits of the other tasks, in four segments of 400 steps."""
    data, split = scaled_digits(), (0.7, 0.15, 0.15)
    return entry.task(Drifting, data=data, split=split, loss=F.cross_entropy, metric="accuracy")


def recovery(evaluate_at: np.ndarray, train_loss: np.ndarray, segment: int) -> np.ndarray:
    """Steps from each drift until the loss has recovered: [trials, drifts], NaN where it does not before the next one.

    `train_loss` [trials, E] is the mean of the batch losses since the previous evaluation, each measured before its
    update, on data since the drift. The loss has recovered at the end of the first window in which it is at most
    `RECOVERED_LOSS`. `segment`: steps between drifts, a multiple of the steps of a window.

    >>> recovery(np.array([10, 20, 30, 40]), np.array([[0.9, 0.2, 1.0, 0.3]]), segment=20)
    array([[20.]])
    """
    drifts = np.arange(segment, evaluate_at[-1], segment)
    found = np.full((len(train_loss), len(drifts)), np.nan)
    for j, drift in enumerate(drifts):
        inside = (evaluate_at > drift) & (evaluate_at <= drift + segment)
        back = train_loss[:, inside] <= RECOVERED_LOSS
        steps = evaluate_at[inside] - drift
        found[:, j] = np.where(back.any(1), steps[back.argmax(1)], np.nan)
    return found
