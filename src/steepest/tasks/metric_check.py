"""Checks that a metric measures something: on the outputs of a new model, and on made-up outputs that must differ."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from steepest.errors import BadTask
from steepest.tasks.arrays import shape_of
from steepest.tasks.class_metrics import CLASSIFICATION, NEEDS_CLASSES, auroc, top_k
from steepest.tasks.metrics import SAME_SHAPE, Metric, base_of, r2
from steepest.tasks.readings import PLAIN, Reading, classes, shape_form
from steepest.tasks.several import HeadMetric, head_of
from steepest.tasks.task import Splits, Task
from steepest.tasks.user_errors import as_bad_task

METRIC_EXAMPLES = 256
"""Examples on which the metric is computed; some metrics need several classes among them."""


def check_metric(task: Task, model: nn.Module, splits: Splits) -> None:
    """Check the metrics on validation examples, of which there are several even if the batch size is 1."""
    inputs, targets = task.batch(splits, splits.valid[:METRIC_EXAMPLES])
    with torch.no_grad(), as_bad_task("The model cannot take a batch of validation examples"):
        outputs = model.eval()(*inputs)
    for metric in (task.quality, *task.other_metrics.values()):
        _check_one(task, metric, splits, outputs, targets)


@torch.no_grad()
def _check_one(task: Task, metric: Metric, splits: Splits, outputs: Tensor, targets: Tensor) -> None:
    base, fn = base_of(metric.fn), metric.fn
    shapes = f"outputs {shape_of(outputs)} and targets {shape_of(targets)}"
    if base in SAME_SHAPE or base in CLASSIFICATION:
        with as_bad_task(f"The metric {metric.name!r} cannot be computed from {shapes}"):
            ours, truth = head_of(fn, outputs, targets)
        shapes = f"outputs {shape_of(ours)} and targets {shape_of(truth)}"
        if base in SAME_SHAPE and ours.shape != truth.shape:
            raise BadTask(f"{metric.name} needs outputs and targets of the same shape, but there are {shapes}.")
        if base in CLASSIFICATION:
            _check_reading(metric, ours, truth, shapes)
        _check_defined(task, metric, splits)
    with as_bad_task(f"The metric {metric.name!r} cannot be computed from {shapes}"):
        value: Any = fn(outputs, targets)
    if not isinstance(value, Tensor) or value.numel() != 1:
        what = shape_of(value) if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise BadTask(f"The metric {metric.name!r} is {what}; it must be a number, or a scalar tensor.")
    if not torch.isfinite(value).all() and torch.isfinite(outputs).all() and fn is not task.measured_loss:
        raise BadTask(
            f"The metric {metric.name!r} is {float(value)} on {len(targets)} validation examples, although all outputs "
            "are finite. It must be finite to select a learning rate."
        )
    if fn is not task.measured_loss and _is_constant(fn, value, outputs, targets):
        raise BadTask(
            f"The metric {metric.name!r} is {float(value):.3g} for all outputs: it cannot compare models. "
            "Check that it uses the outputs, and that the labels of the validation part count."
        )


def _reading(fn: Callable[..., Any]) -> Reading:
    return getattr(fn.fn if isinstance(fn, HeadMetric) else fn, "keywords", {}).get("reading", PLAIN)


def _check_reading(metric: Metric, outputs: Tensor, targets: Tensor, shapes: str) -> None:
    """Check that a metric of classification can read outputs and targets of these shapes."""
    form = shape_form(outputs, targets, _reading(metric.fn))
    if not form:
        raise BadTask(
            f"{metric.name} needs a score for each class and integer labels, or logits and 0/1 targets of the same "
            f"shape; there are {shapes}."
        )
    if base_of(metric.fn) not in NEEDS_CLASSES:
        return
    if form == "answers":
        raise BadTask(f"{metric.name} needs a score for each class and integer labels; there are {shapes}.")
    k = getattr(metric.fn.fn if isinstance(metric.fn, HeadMetric) else metric.fn, "keywords", {}).get("k", 0)
    count = classes(outputs, targets, _reading(metric.fn)).scores.shape[1]
    if base_of(metric.fn) is top_k and k >= count:
        raise BadTask(f"{metric.name} is 100 % for every model, since there are {count} classes. Use a smaller k.")


def _check_defined(task: Task, metric: Metric, splits: Splits) -> None:
    """Check that the targets of validation and test allow the metric: some count, and they are not all alike."""
    for part, positions in (("validation", splits.valid), ("test", splits.test)):
        _, targets = task.batch(splits, positions)
        if isinstance(metric.fn, HeadMetric):
            targets = metric.fn.targets_of(targets)
        if base_of(metric.fn) is r2 and bool((targets.amax(0) == targets.amin(0)).any()):
            raise BadTask(f"R² is undefined, since all targets of the {part} part are equal. Use another metric.")
        if base_of(metric.fn) in SAME_SHAPE or (
            targets.is_floating_point() and targets.ndim > 1 and _reading(metric.fn).one_hot
        ):
            continue
        counted = targets
        if not targets.is_floating_point():
            counted = targets[(targets >= 0) & (targets != (_reading(metric.fn).ignored or -1))]
        if counted.numel() == 0:
            raise BadTask(
                f"{metric.name} is measured on nothing: all labels of the {part} part are ignored "
                f"(padding, or ignore_index). Pass labels that count."
            )
        if base_of(metric.fn) is auroc and bool((counted == counted.flatten()[0]).all()):
            raise BadTask(f"AUROC is undefined, since all labels of the {part} part are equal. Use another metric.")


def _is_constant(fn: Callable[..., Any], value: Tensor, outputs: Tensor, targets: Tensor) -> bool:
    """Whether the metric has this value for many outputs that differ: random ones, and ones near the targets."""
    found = 0
    for made in _made_up(outputs, targets):
        with suppress(Exception):  # a metric may need outputs of its own kind
            other = fn(made, targets)
            if not torch.allclose(other, value, rtol=1e-6, atol=1e-9, equal_nan=True):
                return False
            found += 1
    return found > 4


def _made_up(outputs: Tensor, targets: Tensor) -> Iterator[Tensor]:
    """Outputs that differ from the model's, some of them near right, all finite."""
    if not outputs.is_floating_point():
        return
    draw = torch.Generator().manual_seed(0)
    size = outputs.std(correction=0).clamp(min=1.0)
    if outputs.numel() == targets.numel():
        yield targets.reshape(outputs.shape).to(outputs.dtype)
        yield 1 - targets.reshape(outputs.shape).to(outputs.dtype)
        yield (targets.reshape(outputs.shape).to(outputs.dtype) - 0.5) * 20
    elif targets.ndim == outputs.ndim - 1 and not targets.is_floating_point():
        for axis in (1, -1):
            known = torch.arange(outputs.shape[axis])
            if outputs.movedim(axis, -1).shape[:-1] == targets.shape:
                yield 10.0 * (targets[..., None] == known).to(outputs.dtype).movedim(-1, axis)
                yield -10.0 * (targets[..., None] == known).to(outputs.dtype).movedim(-1, axis)
    yield -outputs
    yield outputs.flip(0)
    for _ in range(6):
        yield size * torch.randn(outputs.shape, generator=draw)
    for _ in range(3):
        yield torch.rand(outputs.shape, generator=draw)
