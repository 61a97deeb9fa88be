"""Whether outputs and targets lie where the loss takes them: probabilities, logits, counts, signs; and within
reach of a model with a bounded last layer.

The range of outputs follows from the model's last operation, which autograd names, and not from a few examples; targets
are judged over all examples.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from steepest.checks.specimen import Specimen
from steepest.errors import kind_and_line
from steepest.messages import Message, mark, say, significant, term
from steepest.records.task_warnings import TaskWarning, warning
from steepest.tasks.loss_calls import LossCall, Recorded, is_library_loss, record
from steepest.tasks.loss_kinds import Outputs, Targets
from steepest.tasks.model_wrappers import WrappedModel
from steepest.tasks.several import TreeLoss, unpacked
from steepest.tasks.tensor_trees import branch

MAX_NUMBERS = 2**22
"""Numbers of outputs and targets that the loss is given at once to see all targets."""
VIEWS = (
    *("View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Transpose", "T", "Permute", "Select", "Slice"),
    *("Alias", "Clone", "ToCopy", "Expand", "AsStrided", "Index", "Split", "Unbind"),
)
"""Operations that keep the range of what they are given."""
LINEAR = ("Addmm", "Mm", "Bmm", "Convolution", "Add", "Baddbmm", "Linear", "MkldnnConvolution")
RANGES = {
    "Sigmoid": (0.0, 1.0),
    "Softmax": (0.0, 1.0),
    "Hardsigmoid": (0.0, 1.0),
    "Tanh": (-1.0, 1.0),
    "Relu": (0.0, math.inf),
    "Softplus": (0.0, math.inf),
    "Exp": (0.0, math.inf),
    "Abs": (0.0, math.inf),
    "Sqrt": (0.0, math.inf),
    "LogSoftmax": (-math.inf, 0.0),
    "LogSigmoid": (-math.inf, 0.0),
}


@dataclass(frozen=True)
class LastOperation:
    """The operation that computed a tensor, and the range of its results."""

    name: str
    low: float = -math.inf
    high: float = math.inf

    @property
    def is_bounded(self) -> bool:
        return self.low > -math.inf or self.high < math.inf

    @property
    def are_probabilities(self) -> bool:
        return self.low >= 0 and self.high <= 1


def last_operation(x: Tensor) -> LastOperation:
    """The last operation before reshaping, by the name that autograd gives it."""
    node, name = x.grad_fn, ""
    while node is not None:
        name = re.sub(r"Backward\d*$", "", node.name().split("::")[-1])
        if name not in VIEWS or not node.next_functions:
            break
        node = node.next_functions[0][0]
    if node is None:
        return LastOperation("")
    low, high = RANGES.get(name, (-math.inf, math.inf))
    if name in ("Clamp", "ClampMin", "ClampMax", "Hardtanh"):
        ends = [getattr(node, f"_saved_{end}", None) for end in ("min", "max", "min_val", "max_val")]
        low = next((float(x) for x in ends[::2] if isinstance(x, int | float)), -math.inf)
        high = next((float(x) for x in ends[1::2] if isinstance(x, int | float)), math.inf)
    if name == "Pow" and getattr(node, "_saved_exponent", 1) == 2:
        low = 0.0
    return LastOperation(name, low, high)


def recorded(specimen: Specimen) -> Recorded:
    """What the loss does with the model's outputs for the sample, in evaluation, with gradients."""
    task, model = specimen.task, specimen.model
    if task.has_own_loss:  # its losses are called within the model
        return record(lambda outputs, targets: model(*specimen.inputs), (), ())
    if task.heads is None or not isinstance(model, WrappedModel):
        return record(task.measured_loss, model(*specimen.inputs), specimen.targets)
    outputs = WrappedModel(model.model, model.names)(*specimen.inputs)
    loss = task.measured_loss
    inner = loss.loss if isinstance(loss, TreeLoss) else loss
    if is_library_loss(inner):
        outputs = branch(outputs, "logits")
    return record(inner, outputs, unpacked(task.target_tree, specimen.targets))


# ---- outputs ---------------------------------------------------------------------------------------------------------


def outputs_fit_the_loss(specimen: Specimen) -> Iterator[TaskWarning]:
    """Outputs on another scale than the loss takes: probabilities for logits, logits for probabilities."""
    with torch.enable_grad():
        found = recorded(specimen)
    for call in found.calls:
        yield from _judge_outputs(call)


def _judge_outputs(call: LossCall) -> Iterator[TaskWarning]:
    wanted, last = call.kind.outputs, last_operation(call.outputs)
    values = call.outputs.detach()
    if wanted in (Outputs.CLASS_LOGITS, Outputs.BINARY_LOGITS):
        sums_to_one = wanted is Outputs.CLASS_LOGITS and last.name != "LogSoftmax" and _is_distribution(call, values)
        if last.are_probabilities or sums_to_one:
            yield warning("probabilities-into-logits", _double(call))
        elif last.is_bounded and last.name not in ("LogSoftmax", "Clamp", "ClampMin", "ClampMax", "Hardtanh"):
            yield _bounded(call, last)
    elif (wanted is Outputs.SCORES and last.low >= 0 and call.kind.targets is not Targets.UNIT) or (
        wanted is Outputs.LOG_RATES and last.low >= 0
    ):
        yield _bounded(call, last)
    elif wanted is Outputs.LOG_DISTRIBUTION and last.name not in ("LogSoftmax", "LogSigmoid"):
        if not _is_distribution(call, values.exp()):
            yield _unnormalized(call)
    elif wanted in (Outputs.PROBABILITIES, Outputs.DISTRIBUTION):
        outside = bool(((values < -1e-6) | (values > 1 + 1e-6)).any())
        if outside or last.name in LINEAR:
            yield _unnormalized(call)
    elif wanted is Outputs.RATES and (bool((values < 0).any()) or last.name in LINEAR):
        yield _unnormalized(call)


END_IN = {
    Outputs.LOG_DISTRIBUTION: "log_softmax",
    Outputs.DISTRIBUTION: "softmax",
    Outputs.PROBABILITIES: "sigmoid",
    Outputs.RATES: "exp or softplus",
}
"""The last function of a model that gives what a loss expects."""
INSTEAD = {
    "nll_loss": "cross_entropy",
    "binary_cross_entropy": "binary_cross_entropy_with_logits",
    "poisson_nll_loss": "log_input=True",
}
"""What takes the outputs as they are."""


def _is_distribution(call: LossCall, values: Tensor) -> bool:
    """Whether values are positive and sum to 1 along the axis of the classes, or for some losses along any."""
    if values.ndim < 2 or bool((values < -1e-6).any()):
        return False
    axes = [call.kind.class_axis] if call.name != "kl_div" else [*range(values.ndim)]
    sums = [values.sum(axis) for axis in axes if values.shape[axis] > 1]
    return any(torch.allclose(total, torch.ones_like(total), atol=1e-3) for total in sums)


def _double(call: LossCall) -> Message:
    if call.name == "cross_entropy":
        return say(
            "The model's outputs are probabilities, but cross-entropy expects logits and applies the softmax itself. "
            "Remove the softmax from the model."
        )
    return say(
        "The model's outputs are probabilities, but {loss} expects logits and applies the sigmoid itself. Remove the "
        "sigmoid from the model.",
        loss=call.name,
    )


def _bounded(call: LossCall, last: LastOperation) -> TaskWarning:
    return warning(
        "bounded-outputs",
        say(
            "{loss} expects {kind}, but the model ends in {operation}, whose values lie between {low:g} and {high:g}. "
            "Remove it from the end of the model.",
            loss=call.name,
            kind=term(call.kind.outputs.value),
            operation=last.name.lower(),
            low=last.low,
            high=last.high,
        ),
    )


def _unnormalized(call: LossCall) -> TaskWarning:
    if call.kind.outputs is Outputs.LOG_DISTRIBUTION and _is_distribution(call, call.outputs.detach()):
        return warning(
            "logits-into-probabilities",
            say(
                "{loss} expects log-probabilities, but gets probabilities, so its value means nothing. Replace the "
                "softmax at the end of the model by log_softmax.",
                loss=call.name,
            ),
        )
    instead = "from_logits=True" if "from_logits" in call.options else INSTEAD.get(call.name, "")
    last = END_IN[call.kind.outputs]
    return warning(
        "logits-into-probabilities",
        say(
            "{loss} expects {kind}, but gets other numbers, so its value means nothing. {remedy}",
            loss=call.name,
            kind=term(call.kind.outputs.value),
            remedy=say("End the model in {last}, or use {instead}.", last=last, instead=instead)
            if instead
            else say("End the model in {last}.", last=last),
        ),
    )


# ---- targets ---------------------------------------------------------------------------------------------------------


def targets_fit_the_loss(specimen: Specimen) -> Iterator[TaskWarning]:
    """Targets that the loss does not take, or that the model cannot reach, among all examples."""
    task = specimen.task
    if task.has_own_loss:
        return
    with torch.enable_grad():
        lasts = [last_operation(call.outputs) for call in recorded(specimen).calls]
    try:
        calls = _over_all_targets(specimen).calls
    except Exception as error:  # such as a class number beyond the outputs, in a function of the user's
        yield warning(
            "targets-outside-loss",
            say(
                "The loss fails on the targets of all examples, but not on the first ones: {error}. Look for targets "
                "that it does not take, such as class numbers beyond the model's outputs.",
                error=kind_and_line(error),
            ),
        )
        return
    for call, last in zip(calls, lasts, strict=False):
        if call.targets is not None:
            yield from _judge_targets(call, call.targets.detach())
            if call.kind.outputs is Outputs.NUMBERS and last.is_bounded:
                yield from _judge_reach(call.targets.detach(), last)


def _over_all_targets(specimen: Specimen) -> Recorded:
    """What the loss does with all targets, or evenly many of them, and the outputs of the sample over and over."""
    task, outputs, pool = specimen.task, specimen.outputs, specimen.splits
    width = max(outputs[0].numel() if outputs.ndim > 1 else 1, pool.targets[0].numel(), 1)
    everyone = np.concatenate([pool.train, pool.valid, pool.test])
    step = max(1, math.ceil(len(everyone) * width / MAX_NUMBERS))
    positions = np.sort(everyone)[::step]
    inputs = sum(x[0].numel() for x in pool.inputs)
    pieces = max(1, math.ceil(len(positions) * inputs / MAX_NUMBERS))
    targets = torch.cat([task.batch(pool, piece)[1] for piece in np.array_split(positions, pieces)])
    each = len(outputs) // len(specimen.targets)  # the model may have joined the axes of its examples
    rows = outputs.reshape(len(specimen.targets), each, *outputs.shape[1:]) if each > 1 else outputs
    repeated = rows[torch.arange(len(targets)) % len(rows)]
    return record(task.measured_loss, repeated.flatten(0, 1) if each > 1 else repeated, targets)


CONVERT = {
    Targets.UNIT: mark("Pass answers as 0 and 1, such as (y > 0).float(), or use mse_loss for amounts."),
    Targets.SIGNS: mark("Pass answers as −1 and 1, such as 2 * y - 1 for 0 and 1."),
    Targets.COUNTS: mark("Correct or remove negative counts, or use mse_loss for amounts."),
    Targets.POSITIVE: mark("Correct or remove such targets, or use mean_squared_error."),
    Targets.DISTRIBUTION: mark("Pass class numbers, or probabilities of the classes."),
    Targets.LOG_DISTRIBUTION: mark("Pass logarithms of probabilities, such as y.log_softmax(1)."),
}
"""What to do with targets that a loss does not take."""


def _judge_targets(call: LossCall, targets: Tensor) -> Iterator[TaskWarning]:
    wanted, values = call.kind.targets, targets.double()
    wrong = torch.zeros_like(values, dtype=torch.bool)
    if wanted is Targets.UNIT:
        wrong = (values < 0) | (values > 1)
    elif wanted is Targets.SIGNS:
        wrong = (values != 1) & (values != -1)
    elif wanted is Targets.COUNTS:
        wrong = values < 0
    elif wanted is Targets.POSITIVE:
        wrong = values <= -1
    elif wanted in (Targets.DISTRIBUTION, Targets.LOG_DISTRIBUTION):
        given = values.exp() if wanted is Targets.LOG_DISTRIBUTION else values
        wrong = given < 0
        if not wrong.any() and not _is_distribution(call, given):
            yield warning(
                "targets-outside-loss",
                say(
                    "{loss} expects targets that are probabilities and sum to 1 over the classes, but they don't. For "
                    "several answers per example, use binary_cross_entropy_with_logits.",
                    loss=call.name,
                ),
            )
            return
    if (count := int(wrong.sum())) > 0:
        yield warning(
            "targets-outside-loss",
            say(
                "{loss} expects targets that are {kind}, but {count:,} of {total:,} are not, such as {value:g}, so "
                "that it may fall without limit. {remedy}",
                loss=call.name,
                kind=term(wanted.value),
                count=count,
                total=wrong.numel(),
                value=float(values[wrong][0]),
                remedy=term(CONVERT[wanted]),
            ),
        )


def _judge_reach(targets: Tensor, last: LastOperation) -> Iterator[TaskWarning]:
    slack = 0.01 * float(targets.max() - targets.min())
    outside = (targets < last.low - slack) | (targets > last.high + slack)
    if (count := int(outside.sum())) > 0:
        yield warning(
            "targets-out-of-reach",
            say(
                "The model ends in {operation}, so its outputs lie between {low:g} and {high:g}, but {count:,} of "
                "{total:,} targets are outside, such as {value:g}. Remove the function, or scale the targets.",
                operation=last.name.lower(),
                low=last.low,
                high=last.high,
                count=count,
                total=outside.numel(),
                value=float(targets[outside][0]),
            ),
        )


# ---- the loss itself -------------------------------------------------------------------------------------------------


@torch.no_grad()
def loss_is_a_mean(specimen: Specimen) -> Iterator[TaskWarning]:
    """A loss that grows with the number of examples."""
    task, few = specimen.task, 16

    def over(times: int) -> float:
        inputs = tuple(torch.cat([x[:few]] * times) for x in specimen.inputs)
        return float(task.measured_loss(specimen.model(*inputs), torch.cat([specimen.targets[:few]] * times)))

    one, two, four = (over(times) for times in (1, 2, 4))
    growth = two - one
    is_linear = abs((four - two) - 2 * growth) < 0.05 * abs(four - one)
    if math.isfinite(four) and abs(growth) > 0.2 * abs(one) and is_linear:
        yield warning(
            "summed-loss",
            say(
                "The loss is a sum over the examples of a batch: twice the examples give {ratio:.2g} times the loss. "
                "Learning rates then depend on the batch size. Use the mean.",
                ratio=two / one if one else math.inf,
            ),
        )


def loss_has_a_bound(specimen: Specimen) -> Iterator[TaskWarning]:
    """A loss of the user's own that falls without limit as outputs follow its gradient."""
    task = specimen.task
    if task.has_own_loss or is_library_loss(task.loss):
        return
    with torch.enable_grad():
        found = recorded(specimen)
        if found.calls or last_operation(specimen.model(*specimen.inputs)).is_bounded:
            return
        outputs = specimen.outputs.detach().requires_grad_()
        loss = task.measured_loss(outputs, specimen.targets)
        slope = torch.autograd.grad(loss, outputs)[0]
    size = float(slope.norm())
    if not math.isfinite(size) or size == 0:
        return
    along = [float(task.measured_loss(outputs.detach() - s * slope / size, specimen.targets)) for s in (1e2, 1e4, 1e6)]
    start = float(loss.detach())
    if (
        all(map(math.isfinite, along))
        and along[2] < along[1] < along[0] < start
        and along[2] < -1e2 * max(1, abs(start))
    ):
        yield warning(
            "unbounded-loss",
            say(
                "The loss falls without limit as the outputs grow: it was {start}, and {end} further along its "
                "gradient. Check its sign and its targets.",
                start=significant(start),
                end=significant(along[2]),
            ),
        )
