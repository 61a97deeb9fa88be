"""Whether a task can be trained at all: one small batch forward and backward, each failure told in one sentence.

Apart from `task`, whose constructor looks at the data only: here the user's model and loss run for the first time.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from steepest.errors import BadTask
from steepest.tasks.arrays import shape_of
from steepest.tasks.keras_models import takes_probabilities
from steepest.tasks.metrics import SAME_SHAPE, accuracy, ignored_class, is_binary, is_cross_entropy, r2
from steepest.tasks.model_wrappers import Called
from steepest.tasks.task import Splits, Task

PROBE = 8
"""Examples in the batch that is tried."""
MEASURED = 256
"""Examples that the metric is tried on: some need several classes among them."""


def check(task: Task) -> None:
    """Raise BadTask if the model, the loss or the metric cannot be used with each other and with the data.

    Costs two models and one step on a few examples. The global random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = _model(task)
        splits = task.splits(0)
        inputs, targets = task.batch(splits, splits.train[: min(PROBE, task.batch_size)])
        outputs = _outputs(model, inputs)
        if is_cross_entropy(task.loss):
            _check_classes(task, splits.targets, outputs)
        _check_loss(task, model, outputs, targets)
        _check_again(task, model, splits)
        _check_metric(task, model, splits)


def _model(task: Task) -> nn.Module:
    if needed := _needed(task.model):
        raise BadTask(
            f"model is called without arguments, but it needs {', '.join(needed)}; pass a function that fills them in, "
            f"such as model=lambda: {getattr(task.model, '__name__', 'Net').strip('<>')}(…)."
        )
    with told("model()"):
        model, twin = task.made(), task.made()
    if not isinstance(model, nn.Module):
        raise BadTask(f"model() returned a {type(model).__name__}; it must return a torch.nn.Module.")
    if elsewhere := {p.device.type for p in (*model.parameters(), *model.buffers())} - {"cpu"}:
        raise BadTask(
            f"model() puts the model on the device {min(elsewhere)!r}; leave it on the CPU, and say where it is to "
            "train with --device."
        )
    own, others = dict(model.named_parameters()), dict(twin.named_parameters())
    if not any(p.requires_grad for p in own.values()):
        raise BadTask("The model has no trainable parameters, so there is nothing for an optimizer to do.")
    if any(own[name] is others.get(name) for name in own):
        raise BadTask(
            "model() hands out the same parameters at every call; build the layers inside it, since every replica "
            "needs weights of its own."
        )
    a, b = (dict(task.build_model(0).named_parameters()) for _ in range(2))
    if any(a[name].shape != b[name].shape or not torch.equal(a[name], b[name]) for name in a):
        raise BadTask(
            "model() gives other weights each time although torch's generator is seeded; draw them with torch, "
            "not with random or NumPy, or no trial can be repeated."
        )
    if isinstance(task.loss, nn.Module) and any(p.requires_grad for p in task.loss.parameters()):
        raise BadTask(
            "The loss has parameters of its own, which no optimizer would train; make them part of the model."
        )
    return task.build_model(0).train()


def _needed(model: Any) -> list[str]:
    """The arguments without which a function or class cannot be called."""
    try:
        parameters = inspect.signature(model).parameters.values()
    except (TypeError, ValueError):
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is inspect.Parameter.empty and p.kind not in optional]


def _outputs(model: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    shapes = " and ".join(shape_of(x) for x in inputs)
    hint = (
        ""
        if any(x.is_floating_point() for x in inputs)
        else " The inputs are whole numbers; pass floats unless they are indices."
    )
    if isinstance(model, Called) and model.returns_loss:
        hint = " loss is left out, so that the model gets all of data and must return its loss; or pass loss=…."
    with told(f"The model cannot take a batch of inputs {shapes}", hint):
        outputs = model(*inputs)
    if not isinstance(outputs, Tensor):
        raise BadTask(
            f"The model returned a {type(outputs).__name__}; it must return one tensor of outputs. Wrap it in a module "
            "that picks the one to be compared with the targets; or leave out loss, if it returns its own."
        )
    return outputs


def _check_again(task: Task, model: nn.Module, splits: Splits) -> None:
    """A second step, on fewer examples: what a model keeps from one call to the next shows there."""
    count = min(PROBE, task.batch_size)
    inputs, targets = task.batch(splits, splits.train[: count - 3 if count > 4 else count])
    hint = " Perhaps it keeps something, such as a hidden state, from one call to the next."
    with told("The model takes a first batch, but no second one of another size", hint):
        loss = task.loss(model.train()(*inputs), targets)
        torch.autograd.grad(loss, [p for p in model.parameters() if p.requires_grad], allow_unused=True)


def _check_classes(task: Task, targets: Tensor, outputs: Tensor) -> None:
    """Cross-entropy takes class numbers 0 … C−1, or C probabilities an example; these are the targets of all parts."""
    ndim = outputs.ndim
    if targets.is_floating_point():
        if targets.ndim == ndim:
            if task.quality.fn is accuracy and bool(((targets == 0) | (targets == 1)).all()):
                raise BadTask(ONE_HOT)
            return
        raise BadTask(
            f"The targets are floats {shape_of(targets)}, but cross-entropy takes class numbers; "
            "pass whole numbers, such as y.astype('int64')."
        )
    if targets.ndim == ndim and targets.shape[1:] == outputs.shape[1:] and bool((targets.sum(1) == 1).all()):
        raise BadTask(ONE_HOT)
    if ndim < 2 or targets.ndim != ndim - 1:
        return  # shapes that do not fit are told by the loss itself
    classes = outputs.shape[1]
    wrong = ((targets < 0) | (targets >= classes)) & (targets != ignored_class(task.loss))
    if wrong.any():
        row = int(wrong.nonzero()[0][0])
        from_one = int(targets.min()) == 1 and int(targets.max()) == classes
        hint = " They seem to count from 1: pass y - 1." if from_one else ""
        raise BadTask(
            f"The model has {classes} outputs, so labels must be 0 to {classes - 1}, but {int(wrong.sum())} are not; "
            f"the first is {int(targets[wrong][0])}, {task.place(row)}.{hint}"
        )


ONE_HOT = "The targets are one-hot rows; pass class numbers, such as y.argmax(1)."


def _check_loss(task: Task, model: nn.Module, outputs: Tensor, targets: Tensor) -> None:
    shapes = f"outputs {shape_of(outputs)} and targets {shape_of(targets)}"
    hint = "" if targets.is_floating_point() else " The targets are whole numbers; pass floats if they are no classes."
    if is_binary(task.loss) and outputs.shape != targets.shape:
        column = "[:, None]" if outputs.ndim == targets.ndim + 1 and outputs.shape[-1] == 1 else ""
        hint = f" Binary cross-entropy takes floats of the outputs' shape; pass y.astype('float32'){column}."
    with told(f"The loss cannot be computed from the model's {shapes}", hint):
        loss = task.loss(outputs, targets)
    if not isinstance(loss, Tensor) or loss.numel() != 1 or loss.ndim > 0:
        what = shape_of(loss) if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
        raise BadTask(f"The loss of a batch is {what}, not a scalar tensor; reduce it, for instance with .mean().")
    if not loss.requires_grad:
        raise BadTask("The loss has no gradient: something between the parameters and the loss cuts it off.")
    with told("The gradient of the loss cannot be computed", hint):
        gradients = torch.autograd.grad(loss, [p for p in model.parameters() if p.requires_grad], allow_unused=True)
    if all(g is None for g in gradients):
        raise BadTask("The loss does not depend on any parameter of the model.")


def _broadcasts(task: Task, outputs: Tensor, targets: Tensor) -> bool:
    """Whether [B, 1] meets [B] unnoticed: then perfect outputs score otherwise when the stray axis is taken away."""
    if abs(outputs.ndim - targets.ndim) != 1 or outputs.numel() != targets.numel():
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own losses warn of it
            straight, crossed = task.loss(targets, targets), task.loss(targets.reshape(outputs.shape), targets)
    except Exception:  # it takes the axis away itself, or it cannot take targets for outputs
        return False
    return not torch.allclose(straight, crossed, rtol=1e-4, equal_nan=True)


def _check_metric(task: Task, model: nn.Module, splits: Splits) -> None:
    """On validation examples, of which there are several even where the batch size is 1."""
    metric = task.quality
    with torch.no_grad():
        inputs, targets = task.batch(splits, splits.valid[:PROBE])
        outputs = _outputs(model.eval(), inputs)
        shapes = f"outputs {shape_of(outputs)} and targets {shape_of(targets)}"
        if _broadcasts(task, outputs, targets):
            raise BadTask(
                f"The loss compares {shapes} by broadcasting, every output with every target; give both one shape, "
                "for instance with y[:, None], or by squeeze(-1) in the model."
            )
        if metric.fn in SAME_SHAPE and outputs.shape != targets.shape:
            raise BadTask(f"{metric.name} compares outputs with targets one by one, but there are {shapes}.")
        if metric.fn is accuracy:
            _check_accuracy(task, outputs, targets, shapes)
        if metric.fn is r2 and bool(
            (splits.targets[splits.valid].amax(0) == splits.targets[splits.valid].amin(0)).any()
        ):
            raise BadTask("R² is not defined: the targets of the validation part are all the same.")
        inputs, targets = task.batch(splits, splits.valid[:MEASURED])
        outputs = _outputs(model, inputs)
        shapes = f"outputs {shape_of(outputs)} and targets {shape_of(targets)}"
        with told(f"The metric {metric.name!r} cannot be computed from {shapes}"):
            value: Any = metric.fn(outputs, targets)
    if not isinstance(value, Tensor) or value.numel() != 1:
        what = shape_of(value) if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise BadTask(f"The metric {metric.name!r} is {what}; it must be a number, or a scalar tensor.")
    if not torch.isfinite(value).all() and torch.isfinite(outputs).all() and metric.fn is not task.loss:
        raise BadTask(
            f"The metric {metric.name!r} is {float(value)} on {len(targets)} validation examples, although all outputs "
            "are finite; no rate could be picked by it."
        )


def _check_accuracy(task: Task, outputs: Tensor, targets: Tensor, shapes: str) -> None:
    probabilities = isinstance(task.loss, nn.BCELoss) or task.loss is nn.functional.binary_cross_entropy
    probabilities = probabilities or takes_probabilities(task.loss)
    if probabilities or (targets.is_floating_point() and is_cross_entropy(task.loss)):
        raise BadTask(
            "accuracy reads class numbers or logits, but this loss takes probabilities; use "
            "binary_cross_entropy_with_logits, or pass a steepest.Metric of your own."
        )
    fits = outputs.shape == targets.shape if targets.is_floating_point() else outputs.ndim == targets.ndim + 1
    if not fits:
        raise BadTask(
            f"accuracy needs a score for each class and whole-number labels, or logits and 0/1 targets of one shape; "
            f"there are {shapes}."
        )


@contextmanager
def told(what: str, hint: str = "") -> Iterator[None]:
    """Turn whatever the user's code raises into a BadTask: `what`, the kind of error, its first line, a hint."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch only warns of is checked here, with a remedy
            yield
    except BadTask:
        raise
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0].rstrip(".")
        verb = " raised" if what.endswith("()") else ":"
        raise BadTask(f"{what}{verb} {type(error).__name__}: {first}.{hint or _remedy(str(error))}") from error


def _remedy(said: str) -> str:
    """What to do about an error of torch's that says what is the matter, but not here."""
    if "CUDA" in said or "device" in said:
        return " Leave the model on the CPU, and say where it is to train with --device."
    if "same dtype" in said or "expected scalar type" in said or "expected m1 and m2" in said:
        return " All is trained in float32 (--dtype float64 for more): leave out .half(), .double() and the like."
    return ""
