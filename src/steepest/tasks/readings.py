"""How a metric of classification reads outputs and targets: where the classes are, which labels count, what means 1.

Most of it follows from the shapes; the rest from the loss. All is tensor algebra without branches on values, so that a
fleet can evaluate all replicas at once: examples that do not count keep their rows, and have the weight 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from steepest.tasks.loss_calls import LossCall
from steepest.tasks.loss_kinds import Outputs, Targets


@dataclass(frozen=True)
class Reading:
    """What shapes do not say about outputs and targets."""

    ignored: int | None = None
    """A label that does not count, besides all labels below 0."""
    class_axis: int | None = None
    """The axis of the classes in outputs; None: found from the shapes, and 1 where they leave it open."""
    scale: Outputs = Outputs.CLASS_LOGITS
    """What the outputs are: logits, probabilities or log-probabilities."""
    one_hot: bool = False
    """Whether targets of the outputs' shape are probabilities of classes, not answers to separate questions."""

    @property
    def threshold(self) -> float:
        """The output above which the answer to a question is yes."""
        return 0.5 if self.scale in (Outputs.PROBABILITIES, Outputs.DISTRIBUTION) else 0.0


PLAIN = Reading()


@dataclass(frozen=True)
class Classes:
    """Outputs and targets of M decisions between C classes."""

    scores: Tensor  # [M, C]
    labels: Tensor  # [M], int64; 0 where they do not count
    counts: Tensor  # [M], bool


@dataclass(frozen=True)
class Answers:
    """Outputs and targets of M examples with K questions each."""

    scores: Tensor  # [M, K], above 0 for yes
    truth: Tensor  # [M, K], bool
    counts: Tensor  # [M, K], bool


def reading_of(calls: Sequence[LossCall]) -> Reading:
    """The reading that a loss implies by the known losses that it calls."""
    for call in calls:
        if call.kind.targets is Targets.CLASSES:
            ignored = call.ignored if call.ignored is not None and call.ignored >= 0 else None
            return Reading(ignored, _axis_of(call), call.kind.outputs)
        if call.kind.targets is Targets.DISTRIBUTION and call.kind.outputs is not Outputs.NUMBERS:
            return Reading(None, _axis_of(call), call.kind.outputs, one_hot=True)
        if call.kind.outputs in (Outputs.PROBABILITIES, Outputs.BINARY_LOGITS):
            return Reading(scale=call.kind.outputs)
    return PLAIN


def _axis_of(call: LossCall) -> int | None:
    """Keras has the classes last. torch has them second, but the loss may have moved them before the call."""
    return -1 if call.of_keras else None


def shape_form(outputs: Tensor, targets: Tensor, reading: Reading = PLAIN) -> str:
    """How the shapes fit: "classes", "one-hot", "answers", or "" if they do not."""
    a, b = outputs.shape, targets.shape
    if a == b:
        return "one-hot" if reading.one_hot and outputs.ndim > 1 and targets.is_floating_point() else "answers"
    if len(a) == len(b) + 1 and a[0] == b[0]:
        fits = a[2:] == b[1:] or a[1:-1] == b[1:]
        if fits and (a[1] == 1 or a[-1] == 1) and outputs.numel() == targets.numel():
            return "answers"
        return "classes" if fits else ""
    if len(a) == len(b) == 2 and b[1] == 1 and a[0] == b[0]:
        return "classes"
    if len(a) == 2 and a[0] == targets.numel() and a[1] > 1:
        return "classes"  # the model has joined the axes of its examples
    return "answers" if outputs.numel() == targets.numel() and a[0] == b[0] else ""


def classes(outputs: Tensor, targets: Tensor, reading: Reading = PLAIN, mask: Tensor | None = None) -> Classes:
    """Decisions between classes; `shape_form` must be "classes" or "one-hot"."""
    if shape_form(outputs, targets, reading) == "one-hot":
        axis = 1 if reading.class_axis is None else reading.class_axis
        labels = targets.argmax(axis)
        scores = outputs.movedim(axis, -1).reshape(-1, outputs.shape[axis])
        counts = torch.ones_like(labels, dtype=torch.bool) if mask is None else mask
        return Classes(scores, labels.reshape(-1), counts.reshape(-1))
    axis = _class_axis(outputs, targets, reading)
    scores = outputs.movedim(axis, -1).reshape(-1, outputs.shape[axis])
    labels = targets.reshape(-1).long()
    counts = labels >= 0
    if reading.ignored is not None:
        counts = counts & (labels != reading.ignored)
    if mask is not None:
        counts = counts & mask.reshape(-1)
    return Classes(scores, labels.where(counts, 0), counts)


def _class_axis(outputs: Tensor, targets: Tensor, reading: Reading) -> int:
    if outputs.ndim == 2:
        return 1
    second, last = outputs.shape[2:] == targets.shape[1:], outputs.shape[1:-1] == targets.shape[1:]
    if second and last:
        return 1 if reading.class_axis is None else reading.class_axis
    return 1 if second else -1


def answers(outputs: Tensor, targets: Tensor, reading: Reading = PLAIN, mask: Tensor | None = None) -> Answers:
    """Answers to separate questions; `shape_form` must be "answers"."""
    count = targets.shape[0]
    truth = targets.reshape(count, -1)
    counts = torch.ones_like(truth, dtype=torch.bool) if mask is None else mask.reshape(count, -1)
    return Answers(outputs.reshape(count, -1) - reading.threshold, truth > 0.5, counts)
