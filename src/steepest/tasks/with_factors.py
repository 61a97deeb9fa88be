"""Wraps a task to change its regularization and augmentation by the values of a study's axes.

Data, metric and measured loss are unchanged, so that all values are compared alike. The model's dropout, the training
examples and the training loss may change.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from steepest.errors import BadTask
from steepest.records import rng
from steepest.records.contender import Setting
from steepest.tasks.augment import AUGMENTATIONS, as_pictures, mixed, noisy, word_dropout
from steepest.tasks.metrics import Loss
from steepest.tasks.smoothing import mixed_loss, smoothed
from steepest.tasks.splits import Splits
from steepest.tasks.task import Task

Batch = tuple[tuple[Tensor, ...], Tensor]
ACTIVATIONS = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Sigmoid, nn.Softplus,
    nn.Hardswish,
)  # fmt: skip
TASK_AXES = frozenset({"dropout", "augment", "word-dropout", "label-smoothing"})
"""Axes that change the task; the others concern the rule or the engine."""


def with_factors(task: Task, axes: Mapping[str, Setting]) -> Task:
    """The task with these values of its axes; the task itself if they do not concern it. Equal arguments return the
    same object. Raises BadTask for axes that this task does not support."""
    mine = tuple(
        sorted((name, value) for name, value in axes.items() if name in TASK_AXES and not _is_off(name, value))
    )
    return _with_factors(task, mine) if mine else task


def _is_off(name: str, value: Setting) -> bool:
    """Whether a value leaves the task unchanged; dropout 0 does not, since the model may have its own dropout."""
    return name != "dropout" and value in (0, "none")


@lru_cache(maxsize=32)
def _with_factors(task: Task, axes: tuple[tuple[str, Setting], ...]) -> Task:
    return TaskWithFactors(task, dict(axes))


class TaskWithFactors(Task):
    """A wrapper around a task, whose examples, splits and scaling it shares."""

    original: Task
    axes: Mapping[str, Setting]
    changes: tuple[Callable[..., Any], ...]
    """Changes of a training batch, in this order."""
    followed: Loss

    def __init__(self, task: Task, axes: Mapping[str, Setting]) -> None:
        own = {name: getattr(task, name) for name in ("_pool", "quality", "plan", "sizes")}  # made once, and shared
        model: Any = task.model
        if "dropout" in axes and "dropout" in _arguments(model):
            model = partial(model, dropout=axes["dropout"])
        names = [name for name in str(axes.get("augment", "none")).split("+") if name != "none"]
        self.__dict__.update(vars(task), **own, original=task, axes=axes, model=model)
        self.__dict__["changes"] = tuple(self._change(name) for name in names)
        self.__dict__["changes_examples"] = task.changes_examples or bool(names) or "word-dropout" in axes
        first = self._pool.inputs[0]
        if "word-dropout" in axes and (first.is_floating_point() or first.ndim < 2):
            raise BadTask(f"word-dropout needs texts, but the first input of {task.name} is not a row of word numbers.")
        self.__dict__["followed"] = self._followed()
        self.build_model(0)  # raises here if the model does not support dropout

    def _change(self, name: str) -> Callable[..., Any]:
        first = self._pool.inputs[0]
        if not first.is_floating_point():
            raise BadTask(f"augment={name} needs floats, but the first input of {self.name} has whole numbers.")
        if name in AUGMENTATIONS and as_pictures(first[:1]) is None:
            raise BadTask(f"augment={name} needs images, but {self.name} has none. Possible: noise, mixup.")
        return {"noise": noisy, "mixup": mixed, **AUGMENTATIONS}[name]

    def _followed(self) -> Loss:
        loss = self.original.training_loss
        if share := float(self.axes.get("label-smoothing", 0)):
            loss = smoothed(loss, share, self.name)
        if mixed in self.changes and self._pool.tree is not None:
            raise BadTask(f"mixup needs one target per example, but {self.name} has several.")
        if mixed in self.changes and not self._pool.targets.is_floating_point():
            if self._pool.targets.ndim != 1 or self.has_own_loss:
                raise BadTask(f"mixup needs one class per example, but {self.name} has other targets.")
            loss = partial(mixed_loss, loss)
        return loss

    @property
    def training_loss(self) -> Loss:
        return self.followed

    def splits(self, seed: int) -> Splits:
        return self.original.splits(seed)

    def batch(self, splits: Splits, positions: np.ndarray) -> Batch:
        return self.original.batch(splits, positions)

    def training_batch(self, splits: Splits, positions: np.ndarray, seed: int, start: int) -> Batch:
        original = self.original.training_batch
        if not self.changes and "word-dropout" not in self.axes:
            return original(splits, positions, seed, start)
        steps = enumerate(positions, start)
        changed = [self._changed(*original(splits, row[None], seed, k), seed, k) for k, row in steps]
        inputs = tuple(torch.cat(column) for column in zip(*(inputs for inputs, _ in changed), strict=True))
        return inputs, torch.cat([targets for _, targets in changed])

    def _changed(self, inputs: tuple[Tensor, ...], targets: Tensor, seed: int, step: int) -> Batch:
        """The training batch of a step; its random numbers are a function of seed, step and position in `changes`."""
        first, *others = inputs
        for i, change in enumerate(self.changes):
            draw = rng.generator(seed, "augmentation", step, i)
            if change is mixed:
                first, targets = mixed(first, targets, draw)
            else:
                first = change(first, draw)
        if share := float(self.axes.get("word-dropout", 0)):
            first = word_dropout(first, share, rng.generator(seed, "augmentation", step, -1))
        return (first, *others), targets

    def build_model(self, seed: int, dtype: torch.dtype = torch.float32) -> nn.Module:
        model = super().build_model(seed, dtype)
        if "dropout" in self.axes and self.model is self.original.model:
            set_dropout(model, float(self.axes["dropout"]), self.name)
        return model


def _arguments(model: Any) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(model).parameters
    except (TypeError, ValueError):
        return {}


def set_dropout(model: nn.Module, rate: float, name: str) -> None:
    """Set the rate of all dropout layers of a model; without any, add one after each activation.

    Raises BadTask if there are neither. Initial weights are unchanged.
    """
    found = 0
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p, found = rate, found + 1
        elif isinstance(getattr(module, "dropout", None), float) and not _is_single_layer(module):
            module.dropout, found = rate, found + 1  # type: ignore[assignment]  # LSTM, MultiheadAttention and the like
    if found or not rate:
        return
    for parent in [*model.modules()]:
        for child, module in [*parent.named_children()]:
            if isinstance(module, ACTIVATIONS):
                setattr(parent, child, nn.Sequential(module, nn.Dropout(rate)))
                found += 1
    if not found:
        raise BadTask(
            f"The model of {name} has no dropout and no activation layer to add it after. Add nn.Dropout(0) where you "
            "want it, or let the function that builds the model take a `dropout` argument."
        )


def _is_single_layer(module: nn.Module) -> bool:
    """Recurrent layers apply dropout only between layers."""
    return isinstance(module, nn.RNNBase) and module.num_layers == 1
