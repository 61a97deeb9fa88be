"""How a metric of classification reads outputs and targets: where the classes are, which labels count, what means 1.

Most of it follows from the shapes; the rest from the loss. All is tensor algebra without branches on values, so that a
fleet can evaluate all replicas at once: examples that do not count keep their rows, and have the weight 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

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
    """What the outputs are: logits, probabilities or log-probabilities; ANY if a loss leaves it open."""
    one_hot: bool = False
    """Whether targets of the outputs' shape are probabilities of classes, not answers to separate questions."""
    signs: bool = False
    """Whether answers are −1 and 1, not 0 and 1."""

    @property
    def threshold(self) -> float:
        """The output above which the answer to a question is yes."""
        middle = (Outputs.PROBABILITIES, Outputs.DISTRIBUTION, Outputs.NUMBERS)
        return 0.5 if self.scale in middle and not self.signs else 0.0


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
            return Reading(ignored, call.class_axis, call.kind.outputs)
        if call.kind.targets is Targets.DISTRIBUTION and call.kind.outputs is not Outputs.NUMBERS:
            return Reading(None, call.class_axis, call.kind.outputs, one_hot=True)
        if call.kind.outputs in (Outputs.PROBABILITIES, Outputs.BINARY_LOGITS):
            return Reading(scale=call.kind.outputs)
    return Reading(scale=calls[0].kind.outputs) if calls else PLAIN


def reading_of_outputs(calls: Sequence[LossCall], outputs: Tensor) -> Reading:
    """The same for a loss of the user's, which may apply a softmax or move axes before it calls a known one."""
    related = [each for call in calls if (each := _as_called_with(call, outputs)) is not None]
    read = reading_of(related or calls)
    is_open = not related and read.scale is not Outputs.CLASS_LOGITS and calls[0].outputs.numel() == outputs.numel()
    return replace(read, scale=Outputs.ANY) if is_open else read


def _as_called_with(call: LossCall, outputs: Tensor) -> LossCall | None:
    """The call as one of the model's outputs: what they are to it, and where their classes are. None if it gets other
    numbers."""
    given = call.outputs.detach()
    axes = (1, -1) if outputs.ndim > 1 else (0,)
    if given.numel() < outputs.numel() and given.ndim > 1 and outputs.ndim > 1:  # the loss may have left some out
        kept = _rows(given, call.kind.class_axis)
        known = next((axis for axis in axes if _contains(_rows(outputs.detach(), axis), kept)), None)
        return None if known is None else replace(call, class_axis=known)
    if given.numel() != outputs.numel() or not outputs.is_floating_point():
        return None
    before: list[tuple[Outputs, Callable[[Tensor], Tensor]]] = [(call.kind.outputs, lambda x: x)]
    before.append((Outputs.BINARY_LOGITS, torch.sigmoid))
    for axis in axes:
        before.append((Outputs.CLASS_LOGITS, lambda x, axis=axis: x.softmax(axis)))
        before.append((Outputs.CLASS_LOGITS, lambda x, axis=axis: x.log_softmax(axis)))
    for scale, function in before:
        values = function(outputs.detach())
        if torch.allclose(values.flatten().sort().values, given.flatten().sort().values, atol=1e-6):
            rows = _rows(given, call.kind.class_axis) if given.ndim > 1 else given
            known = next((axis for axis in axes if outputs.ndim > 1 and torch.equal(_rows(values, axis), rows)), None)
            return replace(call, kind=replace(call.kind, outputs=scale), class_axis=known)
    return None


def _rows(x: Tensor, axis: int) -> Tensor:
    """A row for each decision, with the classes as columns."""
    return x.movedim(axis, -1).reshape(-1, x.shape[axis])


def _contains(rows: Tensor, some: Tensor) -> bool:
    """Whether all of some rows are among the rows."""
    if rows.shape[1] != some.shape[1]:
        return False
    return len(torch.cat([rows, some]).unique(dim=0)) == len(rows.unique(dim=0))


def fitted(reading: Reading, targets: Tensor, mask: Tensor | None = None) -> Reading:
    """The reading, once all targets are known: rows with a single 1 among 0s are one-hot for every loss, and for one of
    plain numbers, answers may be −1 and 1."""
    if mask is not None and not mask.all():
        targets = targets[mask]
    is_bits = bool(((targets == 0) | (targets == 1)).all())
    if targets.ndim > 1 and targets.shape[1] > 1 and is_bits and bool((targets.sum(1) == 1).all()):
        return replace(reading, one_hot=True, class_axis=1)
    return replace(reading, signs=reading.scale is Outputs.NUMBERS and bool((targets < 0).any()))


def shape_form(outputs: Tensor, targets: Tensor, reading: Reading = PLAIN) -> str:
    """How the shapes fit: "classes", "one-hot", "answers", or "" if they do not."""
    a, b = outputs.shape, targets.shape
    if a == b:
        return "one-hot" if reading.one_hot and outputs.ndim > 1 else "answers"
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
    if may_be_second_or_last(outputs, targets):
        return 1 if reading.class_axis is None else reading.class_axis
    return 1 if outputs.shape[2:] == targets.shape[1:] else -1


def may_be_second_or_last(outputs: Tensor, targets: Tensor) -> bool:
    """Whether shapes leave open which axis of outputs holds the classes."""
    return outputs.ndim > 2 and outputs.shape[2:] == targets.shape[1:] == outputs.shape[1:-1]


def answers(outputs: Tensor, targets: Tensor, reading: Reading = PLAIN, mask: Tensor | None = None) -> Answers:
    """Answers to separate questions; `shape_form` must be "answers"."""
    count = targets.shape[0]
    truth = targets.reshape(count, -1)
    counts = torch.ones_like(truth, dtype=torch.bool) if mask is None else mask.reshape(count, -1)
    return Answers(outputs.reshape(count, -1) - reading.threshold, truth > 0.5, counts)
