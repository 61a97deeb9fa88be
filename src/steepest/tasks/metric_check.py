"""Checks that a metric measures something: on the outputs of a new model, and on made-up outputs that must differ."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from steepest.errors import BadTask
from steepest.tasks.arrays import shape_of
from steepest.tasks.class_metrics import CLASSIFICATION, NEEDS_CLASSES, auroc, perplexity, top_k
from steepest.tasks.loss_calls import record
from steepest.tasks.loss_kinds import Outputs
from steepest.tasks.measuring import LIKELIHOODS as LIKELIHOOD_FUNCTIONS
from steepest.tasks.measuring import OwnPerplexity, reading_in
from steepest.tasks.metrics import SAME_SHAPE, Metric, base_of, r2
from steepest.tasks.readings import Reading, classes, may_be_second_or_last, shape_form
from steepest.tasks.several import HeadMetric, head_of
from steepest.tasks.task import Splits, Task
from steepest.tasks.user_errors import as_bad_task

METRIC_EXAMPLES = 256
"""Examples on which the metric is computed; some metrics need several classes among them."""
MAX_LABELS = 2**20
"""Labels of a part that are looked at."""


def check_metric(task: Task, model: nn.Module, splits: Splits) -> None:
    """Check the metrics on validation examples, of which there are several even if the batch size is 1."""
    inputs, targets = task.batch(splits, splits.valid[:METRIC_EXAMPLES])
    with torch.no_grad(), as_bad_task("The model cannot take a batch of validation examples"):
        outputs = model.eval()(*inputs)
    for metric in (task.quality, *task.other_metrics.values()):
        _check_one(task, model, metric, splits, outputs, targets)


@torch.no_grad()
def _check_one(task: Task, model: nn.Module, metric: Metric, splits: Splits, outputs: Tensor, targets: Tensor) -> None:
    base, fn = base_of(metric.fn), metric.fn
    shapes = f"outputs {shape_of(outputs)} and targets {shape_of(targets)}"
    if base in SAME_SHAPE or base in CLASSIFICATION:
        with as_bad_task(f"The metric {metric.name!r} cannot be computed from {shapes}"):
            ours, truth = head_of(fn, outputs, targets)
        shapes = f"outputs {shape_of(ours)} and targets {shape_of(truth)}"
        if base in SAME_SHAPE and ours.shape != truth.shape:
            raise BadTask(f"{metric.name} needs outputs and targets of the same shape, but there are {shapes}.")
        if base in SAME_SHAPE and (reading_in(fn).one_hot or reading_in(fn).scale in NO_PREDICTIONS):
            raise BadTask(
                f"{metric.name} compares predictions with targets, but the loss expects {reading_in(fn).scale.value}. "
                "Use metric='loss' or 'accuracy', or a function of outputs and targets."
            )
        if base in CLASSIFICATION:
            _check_reading(metric, ours, truth, shapes)
        _check_defined(task, metric, splits, ours, shape_form(ours, truth, reading_in(fn)))
    if isinstance(fn, OwnPerplexity):
        _check_own_perplexity(task, model, splits)
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


def _check_reading(metric: Metric, outputs: Tensor, targets: Tensor, shapes: str) -> None:
    """Check that a metric of classification can read outputs and targets of these shapes, on their scale."""
    read, base = reading_in(metric.fn), base_of(metric.fn)
    form = shape_form(outputs, targets, read)
    if not form:
        raise BadTask(
            f"{metric.name} needs a score for each class and integer labels, or logits and 0/1 targets of the same "
            f"shape; there are {shapes}."
        )
    if read.scale in (Outputs.RATES, Outputs.LOG_RATES):
        raise BadTask(f"{metric.name} is for classes, but the loss expects {read.scale.value}. {AMOUNTS}")
    if form == "classes" and read.class_axis is None and may_be_second_or_last(outputs, targets):
        raise BadTask(
            f"It is unclear whether the second or the last axis of the outputs {[*outputs.shape]} holds the classes. "
            "Call torch.nn.functional.cross_entropy in your loss, or pass a function of outputs and targets as metric."
        )
    if base not in NEEDS_CLASSES:
        return
    if form == "answers":
        raise BadTask(f"{metric.name} needs a score for each class and integer labels; there are {shapes}.")
    if base is perplexity and read.scale not in LIKELIHOODS:
        raise BadTask(f"perplexity needs the logarithm of a likelihood, such as cross_entropy; {NO_LIKELIHOOD}")
    k = getattr(metric.fn.fn if isinstance(metric.fn, HeadMetric) else metric.fn, "keywords", {}).get("k", 0)
    count = classes(outputs, targets, read).scores.shape[1]
    if base is top_k and k >= count:
        raise BadTask(f"{metric.name} is 100 % for every model, since there are {count} classes. Use a smaller k.")


AMOUNTS = "For amounts, use r2, mae or rmse."
NO_LIKELIHOOD = "the loss of this task is not known to be one. Use cross_entropy, or metric='loss'."
LIKELIHOODS = (Outputs.CLASS_LOGITS, Outputs.DISTRIBUTION, Outputs.PROBABILITIES, Outputs.LOG_DISTRIBUTION)
NO_PREDICTIONS = (Outputs.SCORES, Outputs.LOG_DISTRIBUTION)
"""Outputs that do not predict targets of their shape; logits of classes do not either."""


def _check_own_perplexity(task: Task, model: nn.Module, splits: Splits) -> None:
    """Check that a model that returns its own loss computes a likelihood, as far as its operations are seen."""
    inputs, targets = task.batch(splits, splits.valid[:2])
    with torch.no_grad():
        found = record(lambda *_: model(*inputs), (), targets)
    known = any(call.kind.outputs in (*LIKELIHOODS, Outputs.BINARY_LOGITS) for call in found.calls)
    if found.operations and not known and not found.names & LIKELIHOOD_FUNCTIONS:
        raise BadTask(f"perplexity is exp of the loss that the model returns, but {NO_LIKELIHOOD}")


def _check_defined(task: Task, metric: Metric, splits: Splits, outputs: Tensor, form: str) -> None:
    """Check that the targets of validation and test allow the metric: some count, and they are not all alike."""
    base, read = base_of(metric.fn), reading_in(metric.fn)
    for part, positions in (("validation", splits.valid), ("test", splits.test)):
        _, targets = task.batch(splits, positions)
        truth, mask = metric.fn.truth_of(targets) if isinstance(metric.fn, HeadMetric) else (targets, None)
        if base is r2 and bool((truth.amax(0) == truth.amin(0)).any()):
            raise BadTask(f"R² is undefined, since all targets of the {part} part are equal. Use another metric.")
        if base in SAME_SHAPE:
            continue
        counted = truth if mask is None else truth[mask]
        if form == "classes" and not truth.is_floating_point():
            counted = counted[(counted >= 0) & (counted != (-1 if read.ignored is None else read.ignored))]
        if counted.numel() == 0:
            raise BadTask(
                f"{metric.name} is measured on nothing: all labels of the {part} part are ignored "
                f"(padding, or ignore_index). Pass labels that count."
            )
        if form != "one-hot":
            _check_labels(metric, counted.flatten()[:MAX_LABELS], form, outputs, read)
        if base is auroc and form != "one-hot" and bool((counted == counted.flatten()[0]).all()):
            raise BadTask(f"AUROC is undefined, since all labels of the {part} part are equal. Use another metric.")


def _check_labels(metric: Metric, labels: Tensor, form: str, outputs: Tensor, read: Reading) -> None:
    """Check that labels are class numbers, or the two answers to a question, and not amounts."""
    if form == "classes":
        if labels.is_floating_point() and bool((labels != labels.round()).any()):
            value = float(labels[labels != labels.round()][0])
            raise BadTask(f"{metric.name} is for classes, but the targets are amounts, such as {value:.3g}. {AMOUNTS}")
        count = outputs.shape[1] if outputs.ndim == 2 else max(outputs.shape[1], outputs.shape[-1])
        if int(labels.max()) >= count:
            raise BadTask(
                f"{metric.name} needs a score for each class, but there are {count} scores and labels up to "
                f"{int(labels.max())}. For amounts, use r2, mae or rmse with outputs of the targets' shape."
            )
        return
    values = labels.unique()
    is_share = read.scale in (Outputs.BINARY_LOGITS, Outputs.PROBABILITIES)
    if len(values) < 2 or (is_share and float(values[0]) >= 0 and float(values[-1]) <= 1):
        return
    if len(values) == 2 and float(values[0]) <= 0.5 < float(values[1]):
        return
    if len(values) < 4:
        raise BadTask(
            f"{metric.name} compares yes-or-no answers, 0 and 1 or −1 and 1, but the targets are "
            f"{', '.join(f'{value:g}' for value in values.tolist())}. Convert them; what must not count is left out by "
            "a mask: targets (y, mask)."
        )
    raise BadTask(
        f"{metric.name} is for classes and yes-or-no answers, but the targets are amounts: {len(values):,} different "
        f"numbers, such as {float(labels[0]):.3g}. {AMOUNTS}"
    )


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
