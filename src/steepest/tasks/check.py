"""Checks that a task can be trained: one small batch forward and backward, with one sentence for each failure.

Separate from `task`, whose constructor checks only the data; here the user's model and loss run for the first time.
"""

import inspect
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from steepest.errors import BadTask
from steepest.tasks.arrays import shape_of
from steepest.tasks.class_metrics import accuracy
from steepest.tasks.loss_calls import is_library_loss
from steepest.tasks.loss_shapes import check_shapes
from steepest.tasks.metric_check import check_metric
from steepest.tasks.metrics import base_of, ignored_class, is_binary, is_cross_entropy
from steepest.tasks.model_wrappers import WrappedModel
from steepest.tasks.several import WEIGHT_NAMES
from steepest.tasks.task import Splits, Task
from steepest.tasks.tensor_trees import branch
from steepest.tasks.user_errors import as_bad_task

PROBE_EXAMPLES = 8
"""Examples in the trial batch."""


def check(task: Task) -> None:
    """Raise BadTask if the model, the loss, the metric and the data do not fit together.

    Builds two models and takes one step on a few examples. The global random state is restored.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = _model(task)
        splits = task.splits(0)
        inputs, targets = task.batch(splits, splits.train[: min(PROBE_EXAMPLES, task.batch_size)])
        outputs = _outputs(task, model, inputs, targets)
        if is_cross_entropy(task.loss):
            _check_classes(task, splits.targets, outputs)
        _check_loss(task, model, outputs, targets)
        _check_shapes(task, model, splits)
        _check_second_batch(task, model, splits)
        check_metric(task, model, splits)


def _model(task: Task) -> nn.Module:
    if needed := _needed(task.model):
        raise BadTask(
            f"model is called without arguments, but it needs {', '.join(needed)}. Pass a function that sets them, "
            f"such as model=lambda: {getattr(task.model, '__name__', 'Net').strip('<>')}(…)."
        )
    with as_bad_task("model()"):
        model, twin = task.made(), task.made()
    if not isinstance(model, nn.Module):
        raise BadTask(f"model() returned a {type(model).__name__}; it must return a torch.nn.Module.")
    if elsewhere := {p.device.type for p in (*model.parameters(), *model.buffers())} - {"cpu"}:
        raise BadTask(
            f"model() puts the model on the device {min(elsewhere)!r}. Leave it on the CPU, and set the device with "
            "--device."
        )
    own, others = dict(model.named_parameters()), dict(twin.named_parameters())
    if not any(p.requires_grad for p in own.values()):
        raise BadTask("The model has no trainable parameters. At least one must have requires_grad=True.")
    if any(own[name] is others.get(name) for name in own):
        raise BadTask(
            "model() returns the same parameters at every call. Build the layers inside it, since every replica "
            "needs its own weights."
        )
    a, b = (dict(task.build_model(0).named_parameters()) for _ in range(2))
    if any(a[name].shape != b[name].shape or not torch.equal(a[name], b[name]) for name in a):
        raise BadTask(
            "model() returns different weights each time although torch's generator is seeded. Draw them with torch, "
            "not with random or NumPy, so that trials can be repeated."
        )
    if isinstance(task.loss, nn.Module) and any(p.requires_grad for p in task.loss.parameters()):
        raise BadTask("The loss has its own parameters, which would not be trained. Make them part of the model.")
    return task.build_model(0).train()


def _needed(model: Any) -> list[str]:
    """The arguments without which a function or class cannot be called."""
    try:
        parameters = inspect.signature(model).parameters.values()
    except (TypeError, ValueError):
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is inspect.Parameter.empty and p.kind not in optional]


def _outputs(task: Task, model: nn.Module, inputs: tuple[Tensor, ...], targets: Tensor) -> Tensor:
    """The outputs of a batch as one tensor. Raises BadTask."""
    shapes = " and ".join(shape_of(x) for x in inputs)
    hint = (
        ""
        if any(x.is_floating_point() for x in inputs)
        else " The inputs are whole numbers; pass floats unless they are indices."
    )
    if isinstance(model, WrappedModel) and model.returns_loss:
        hint = " Without a loss argument, the model is called with all data and must return its loss. Or pass loss=…."
    if not task.has_own_loss and _may_hold_weights(model, inputs, targets):
        hint = (
            " If the examples have weights, give the loss reduction='none', such as "
            "torch.nn.CrossEntropyLoss(reduction='none'): it is then multiplied by them."
        )
    with as_bad_task(f"The model cannot take a batch of inputs {shapes}", hint):
        outputs = model(*inputs)
    if not isinstance(outputs, Tensor) or not _is_taken_apart(task):
        what = outputs if task.heads is None else task.heads.example
        raise BadTask(
            f"The model returned a {type(what).__name__}; it must return one tensor of outputs. Wrap it in a module "
            "that selects the tensor to compare with the targets; or leave out loss, if it returns its own."
        )
    return outputs


def _may_hold_weights(model: nn.Module, inputs: tuple[Tensor, ...], targets: Tensor) -> bool:
    """Whether batches may have been (x, y, w), or dicts with a weight."""
    if names := getattr(model, "names", ()):
        return any(name in WEIGHT_NAMES for name in names)
    return len(inputs) > 1 and targets.is_floating_point() and targets[0].numel() == 1


def _check_shapes(task: Task, model: nn.Module, splits: Splits) -> None:
    """Compare the shapes of outputs and targets for a batch of several examples, even if the batch size is 1."""
    inputs, targets = task.batch(splits, np.resize(splits.train, PROBE_EXAMPLES))
    with torch.no_grad():
        outputs = _outputs(task, model.eval(), inputs, targets)
        if outputs.ndim == 0 or len(outputs) % PROBE_EXAMPLES:
            raise BadTask(
                f"The model returned outputs {shape_of(outputs)} for {PROBE_EXAMPLES} examples. Its first axis must be "
                "the examples."
            )
        shapes = f"outputs {shape_of(outputs)} and targets {shape_of(targets)}"
        with as_bad_task(f"The loss cannot be computed from the model's {shapes}"):
            check_shapes(task.measured_loss, outputs, targets)


def _is_taken_apart(task: Task) -> bool:
    """Whether the loss can take several outputs: any but one of torch or Keras, which takes one tensor, or logits."""
    if task.heads is None or task.has_own_loss or not is_library_loss(task.loss):
        return True
    return branch(task.heads.example, "logits") is not None


def _check_second_batch(task: Task, model: nn.Module, splits: Splits) -> None:
    """A second step on fewer examples, which fails if the model keeps state that depends on the batch size."""
    count = min(PROBE_EXAMPLES, task.batch_size)
    inputs, targets = task.batch(splits, splits.train[: count - 3 if count > 4 else count])
    hint = " Perhaps it keeps state, such as a hidden state, between calls."
    with as_bad_task("The model accepts a first batch, but not a second one of another size", hint):
        loss = task.measured_loss(model.train()(*inputs), targets)
        torch.autograd.grad(loss, [p for p in model.parameters() if p.requires_grad], allow_unused=True)


def _check_classes(task: Task, targets: Tensor, outputs: Tensor) -> None:
    """Check the targets of all parts: cross-entropy takes class numbers 0 … C−1, or C probabilities per example."""
    ndim = outputs.ndim
    if targets.is_floating_point():
        if targets.ndim == ndim:
            if base_of(task.quality.fn) is accuracy and bool(((targets == 0) | (targets == 1)).all()):
                raise BadTask(ONE_HOT)
            return
        raise BadTask(
            f"The targets are floats {shape_of(targets)}, but cross-entropy takes class numbers. "
            "Pass integers, such as y.astype('int64')."
        )
    if targets.ndim == ndim and targets.shape[1:] == outputs.shape[1:] and bool((targets.sum(1) == 1).all()):
        raise BadTask(ONE_HOT)
    if ndim < 2 or targets.ndim != ndim - 1:
        return  # the loss itself raises for shapes that do not fit
    classes = outputs.shape[1]
    wrong = ((targets < 0) | (targets >= classes)) & (targets != ignored_class(task.loss))
    if wrong.any():
        row = int(wrong.nonzero()[0][0])
        from_one = int(targets.min()) == 1 and int(targets.max()) == classes
        hint = " They seem to start at 1: pass y - 1." if from_one else ""
        raise BadTask(
            f"The model has {classes} outputs, so labels must be 0 to {classes - 1}; {int(wrong.sum())} are not, "
            f"the first is {int(targets[wrong][0])} in {task.place(row)}.{hint}"
        )


ONE_HOT = "The targets are one-hot rows. Pass class numbers, such as y.argmax(1)."


def _check_loss(task: Task, model: nn.Module, outputs: Tensor, targets: Tensor) -> None:
    shapes = f"outputs {shape_of(outputs)} and targets {shape_of(targets)}"
    hint = "" if targets.is_floating_point() else " The targets are integers; pass floats if they are not classes."
    if is_binary(task.loss) and outputs.shape != targets.shape:
        column = "[:, None]" if outputs.ndim == targets.ndim + 1 and outputs.shape[-1] == 1 else ""
        hint = f" Binary cross-entropy takes floats of the outputs' shape: pass y.astype('float32'){column}."
    with as_bad_task(f"The loss cannot be computed from the model's {shapes}", hint):
        loss = task.measured_loss(outputs, targets)
    if not isinstance(loss, Tensor) or loss.numel() != 1 or loss.ndim > 0:
        what = shape_of(loss) if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
        raise BadTask(f"The loss of a batch is {what}, not a scalar tensor. Reduce it, for instance with .mean().")
    if not loss.requires_grad:
        raise BadTask(
            "The loss has no gradient. Remove operations such as detach() or argmax between the parameters and the "
            "loss."
        )
    with as_bad_task("The gradient of the loss cannot be computed", hint):
        gradients = torch.autograd.grad(loss, [p for p in model.parameters() if p.requires_grad], allow_unused=True)
    if all(g is None for g in gradients):
        raise BadTask("The loss does not depend on any parameter of the model. Compute it from the model's outputs.")
