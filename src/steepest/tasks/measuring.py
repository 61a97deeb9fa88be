"""What a task measures: its loss and its metrics as functions of one tensor of outputs and one of targets.

Separate from `task`, which holds data and settings. Here the user's model runs once, on a few examples, to see which
tensors it returns and what its loss calls.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steepest.errors import BadTask
from steepest.tasks.batches import LABELS
from steepest.tasks.class_metrics import CLASSIFICATION, perplexity
from steepest.tasks.loss_calls import Recorded, calls_of_library, is_library_loss, record
from steepest.tasks.loss_kinds import Outputs
from steepest.tasks.metrics import SAME_SHAPE, Loss, Metric, base_of, read_as
from steepest.tasks.model_wrappers import loss_in
from steepest.tasks.readings import PLAIN, Reading, reading_of, reading_of_outputs
from steepest.tasks.several import HeadMetric, JointLoss, output_of, target_of
from steepest.tasks.tensor_trees import Tree, tensors_of, tree_of_outputs

SIZES = 2, 3
"""Numbers of examples on which a model is run to find the examples' axis of each of its outputs."""

LIKELIHOODS = {"log_softmax", "logsumexp", "softmax", "logsigmoid", "log_sigmoid"}
"""Functions by which a loss makes log-likelihoods from logits."""
Call = Callable[[int], Any]
"""The outputs of the model, as it returns them, for this number of examples."""


def outputs_tree(call: Call) -> Tree | None:
    """The structure of a model's outputs; None for one tensor, or if the model cannot be run, which `check` reports."""
    try:
        small = call(SIZES[0])
        if isinstance(small, Tensor) or not tensors_of(small):
            return None
        large = call(SIZES[1])
    except Exception:
        return None
    return tree_of_outputs(small, large, SIZES)


def reading(loss: Loss, head: object, outputs: Callable[[], Any], targets: Any) -> Reading:
    """How a loss reads outputs and targets: by its kind, or for a function of the user's, by what it calls."""
    if isinstance(loss, JointLoss):
        names = [*loss.losses]
        name = head if head in names else names[0]
        i = names.index(name)
        with suppress(BadTask):  # no such target: `check` says so
            return reading(loss.losses[name], None, lambda: output_of(outputs(), name, i), target_of(targets, name, i))
        return PLAIN
    if is_library_loss(loss):
        whole = [not x.is_floating_point() for x in tensors_of(targets)]
        read = reading_of(calls_of_library(loss, has_classes=all(whole[:1])))
        return read if read.class_axis is not None else replace(read, class_axis=1)
    with suppress(Exception), torch.no_grad():  # the model or the loss fails: `check` says how
        given = outputs()
        found = record(loss, given, targets)
        own = output_of(given, head, 0)
        if found.calls:
            return reading_of_outputs(found.calls, own)
        if found.operations:
            return Reading(scale=_scale_of_unknown(loss, found, own, targets))
    return PLAIN


def _scale_of_unknown(loss: Loss, found: Recorded, outputs: Tensor, targets: Any) -> Outputs:
    """What outputs are to a loss that calls no known one: it is lowest where numbers equal the targets, or where logits
    are far beyond."""
    if found.names & LIKELIHOODS:
        return Outputs.CLASS_LOGITS
    if isinstance(targets, Tensor) and outputs.shape == targets.shape:
        truth = (torch.arange(targets.numel()) % 2).reshape(targets.shape).to(outputs.dtype)
        equal, far = (float(loss(x, truth)) for x in (truth, 20 * truth - 10))
        return Outputs.NUMBERS if equal < far or math.isnan(far) else Outputs.ANY
    return Outputs.ANY


def first_metric(metric: Any) -> tuple[Any, object]:
    """The metric that decides, and the name of its target, if there is one for each of several targets."""
    if isinstance(metric, Mapping | list | tuple):
        if not metric:
            raise BadTask("metric is empty; pass a name, a steepest.Metric or a function of outputs and targets.")
        return next((m, name) for name, m in (metric.items() if isinstance(metric, Mapping) else enumerate(metric)))
    return metric, None


def is_named(metric: Metric) -> bool:
    """Whether a metric is one of this package's, known by name."""
    return base_of(metric.fn) in (*CLASSIFICATION, *SAME_SHAPE)


def reading_in(fn: Callable[..., Any]) -> Reading:
    """The reading that a metric known by name has been given."""
    return getattr(fn.fn if isinstance(fn, HeadMetric) else fn, "keywords", {}).get("reading", PLAIN)


def on_head(metric: Metric, read: Reading, outputs: Tree | None, targets: Tree | None, head: object) -> Metric:
    """A metric with its reading, as a function of the matrices of several outputs and targets."""
    metric = read_as(metric, read)
    if outputs is None and targets is None:
        return metric
    return replace(metric, fn=HeadMetric(metric.fn, outputs, targets, is_named(metric), head))


# ---- models with their own loss --------------------------------------------------------------------------------------


def labels_place(names: tuple[str, ...], model: nn.Module, inputs: int) -> int | None:
    """Which input of a model with its own loss holds the labels, by its name in the data or in the signature."""
    if not names:
        with suppress(TypeError, ValueError):
            names = tuple(inspect.signature(model.forward).parameters)[:inputs]
    return next((i for i, name in enumerate(names) if name in LABELS), None)


def own_metric(metric: Metric, tree: Tree | None, outputs: Any, labels: Tensor | None) -> Metric:
    """A metric of a model that returns its own loss, from its logits and the labels among its inputs."""
    if not is_named(metric):
        return metric if tree is None else replace(metric, fn=HeadMetric(metric.fn, tree, None, False))
    if base_of(metric.fn) is perplexity:
        return replace(metric, fn=OwnPerplexity(HeadMetric(lambda found, _: loss_in(found).mean(), tree, None, False)))
    if tree is None or labels is None:
        missing = "only its loss, without logits" if tree is None else "its loss, and no input is named labels"
        raise BadTask(
            f"{metric.name} cannot be measured: the model returns {missing}. Return an object or a dict with loss and "
            "logits, and name the labels so; or pass metric='loss'."
        )
    shift = _shift(outputs, labels) if metric.higher_is_better else 0
    return replace(metric, fn=HeadMetric(read_as(metric, Reading(class_axis=-1)).fn, tree, None, True, shift=shift))


@dataclass(frozen=True, eq=False)
class OwnPerplexity:
    """exp of the loss that a model returns."""

    loss: HeadMetric

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.loss(outputs, targets).exp()


def _shift(outputs: Any, labels: Tensor) -> int:
    """How many places a model shifts the labels of a sequence before it computes its loss, found from the loss."""
    logits = output_of(outputs, "logits", 0)
    if logits.ndim != 3 or labels.ndim != 2 or logits.shape[:2] != labels.shape or labels.is_floating_point():
        return 0
    own = loss_in(outputs).mean()
    for shift in (0, 1):
        given = logits[:, : labels.shape[1] - shift].flatten(0, 1)
        if torch.allclose(F.cross_entropy(given, labels[:, shift:].flatten().long()), own, rtol=1e-3):
            return shift
    raise BadTask(
        "It is unclear how the model compares its logits with the labels: its loss is neither their cross-entropy nor "
        "that of labels shifted by one. Pass your own function of outputs and labels as metric."
    )
