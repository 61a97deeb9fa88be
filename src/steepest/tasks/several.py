"""Losses and metrics of tasks with several targets or heads, and losses with a weight for each example.

The engines see one matrix of outputs and one of targets; here they are taken apart for the user's functions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from steepest.errors import BadTask
from steepest.tasks.keras_models import KerasLoss, loss_of
from steepest.tasks.loss_calls import is_library_loss
from steepest.tasks.tensor_trees import Tree, branch, branches, tensors_of

Loss = Callable[[Any, Any], Any]
WEIGHT_NAMES = ("weight", "weights", "sample_weight")


class JointLoss:
    """The sum of a loss for each target, from a dict or a tuple of losses."""

    def __init__(self, losses: Mapping[str, Loss] | Sequence[Loss]) -> None:
        named = losses.items() if isinstance(losses, Mapping) else enumerate(losses)
        self.losses: dict[object, Loss] = {name: loss_of(loss) for name, loss in named}
        for name, loss in self.losses.items():
            if not callable(loss) or isinstance(loss, type):
                raise BadTask(f"loss[{name!r}] is {loss!r}. Pass a function of outputs and targets.")
        self.__name__ = " + ".join(getattr(loss, "__name__", type(loss).__name__) for loss in self.losses.values())

    def __call__(self, outputs: Any, targets: Any) -> Any:
        return sum(
            loss(output_of(outputs, name, i), target_of(targets, name, i))
            for i, (name, loss) in enumerate(self.losses.items())
        )


class WeightedLoss:
    """The mean of a loss per example times the weight of each, for targets (y, weights)."""

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self.__name__ = getattr(loss, "__name__", type(loss).__name__)

    def __call__(self, outputs: Any, targets: Any) -> Tensor:
        y, weights = (value for _, value in branches(targets))
        each = self.loss.each(y, outputs) if isinstance(self.loss, KerasLoss) else self.loss(outputs, y)
        if each.shape != weights.shape:  # a weight for each example, and several losses
            each = each.reshape(len(weights), -1).mean(1)
        return (each * weights.reshape(each.shape)).mean()


@dataclass(frozen=True, eq=False)
class TreeLoss:
    """A loss of several outputs or targets, called with their matrices."""

    loss: Loss
    outputs: Tree | None
    targets: Tree | None

    @property
    def __name__(self) -> str:
        return getattr(self.loss, "__name__", type(self.loss).__name__)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Any:
        given, truth = unpacked(self.outputs, outputs), unpacked(self.targets, targets)
        if self.outputs is not None and is_library_loss(self.loss):
            given = branch(given, "logits")
        return self.loss(given, truth)


@dataclass(frozen=True, eq=False)
class HeadMetric:
    """A metric of several outputs or targets, called with their matrices. One known by name takes one head of them."""

    fn: Callable[..., Tensor]
    outputs: Tree | None
    targets: Tree | None
    is_named: bool
    head: object = None
    """Name or number of the target; None: the first."""
    shift: int = 0
    """How many places earlier the outputs of a sequence stand than their labels."""

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if not self.is_named:
            return self.fn(unpacked(self.outputs, outputs), unpacked(self.targets, targets))
        given, truth, mask = self.tensors(outputs, targets)
        return self.fn(given, truth) if mask is None else self.fn(given, truth, mask=mask)

    def truth_of(self, targets: Tensor) -> tuple[Tensor, Tensor | None]:
        """The targets of the head, and their mask."""
        truth = unpacked(self.targets, targets)
        names = [name for name, _ in branches(truth)]
        return _target_and_mask(truth, self.head, names.index(self.head) if self.head in names else 0)

    def tensors(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Outputs, targets and mask of the head."""
        y, mask = self.truth_of(targets)
        names = [name for name, _ in branches(unpacked(self.targets, targets))]
        place = names.index(self.head) if self.head in names else 0
        given = output_of(unpacked(self.outputs, outputs), self.head if self.head is not None else _first(names), place)
        if self.shift:
            given, y = given[:, : -self.shift], y[:, self.shift :]
        return given, y, mask


def head_of(fn: Callable[..., Any], outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The outputs and targets that a metric known by name compares."""
    return fn.tensors(outputs, targets)[:2] if isinstance(fn, HeadMetric) else (outputs, targets)


def unpacked(tree: Tree | None, matrix: Tensor) -> Any:
    return matrix if tree is None else tree.unpack(matrix)


def output_of(outputs: Any, name: object, place: int) -> Any:
    """The output for the target of this name or place: a model with one output uses it for all."""
    if isinstance(outputs, Tensor):
        return outputs
    for key in (name, "logits"):
        if (found := branch(outputs, key)) is not None:
            return found
    tensors = [x for x in tensors_of(outputs) if x.ndim > 1] or tensors_of(outputs)
    return tensors[place if place < len(tensors) else 0]


def target_of(targets: Any, name: object, place: int) -> Any:
    """The target of this name or place. Raises BadTask if there is none."""
    if (found := branch(targets, name)) is not None:
        return found
    parts = branches(targets)
    if place >= len(parts):
        raise BadTask(
            f"There is a loss for {name!r}, but no target. Targets: {', '.join(str(key) for key, _ in parts)}."
        )
    return parts[place][1]


def _first(names: Sequence[object]) -> object:
    return names[0] if names else None


def _target_and_mask(targets: Any, head: object, place: int) -> tuple[Tensor, Tensor | None]:
    """A target, and a target of true and false of the same shape beside it, which says which entries count."""
    if isinstance(targets, Tensor):
        return targets, None
    parts = branches(targets)
    y = branch(targets, head) if head is not None else parts[place][1]
    y = tensors_of(y)[0]
    for name, x in parts:
        fits = isinstance(x, Tensor) and x is not y and x.dtype is torch.bool and x.shape == y.shape
        if fits and name in (f"{head}_mask", "mask", *range(len(parts))):
            return y, x
    return y, None


def is_unreduced(loss: Any) -> bool:
    """Whether a loss of torch or Keras gives a value per example, which weights can multiply."""
    if isinstance(loss, partial):
        return loss.keywords.get("reduction") == "none" or is_unreduced(loss.func)
    if isinstance(loss, KerasLoss):
        return True
    return is_library_loss(loss) and getattr(loss, "reduction", "") == "none"


def is_weighting(tree: Tree | None, loss: Any) -> bool:
    """Whether targets are (y, weights) for a loss that gives a value per example."""
    if tree is None or len(tree.columns) != 2 or not is_unreduced(loss):
        return False
    last = tree.columns[1]
    named = tree.names[1] in (*WEIGHT_NAMES, "1")
    return named and last.dtype.is_floating_point and last.shape in ((), tree.columns[0].shape)
