"""Refuses outputs and targets that a loss would broadcast or misread. Judged by shapes alone, never by values.

Known losses are judged at their calls, inside functions of the user too. In other losses, the operations are followed
that combine outputs with targets: one that repeats the outputs is a broadcast that nobody asked for.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from steepest.errors import BadTask
from steepest.tasks.loss_calls import LossCall, Recorded, record
from steepest.tasks.loss_kinds import Outputs

MADE_UP_EXAMPLES = 7
"""Rows of the made-up batch for losses whose operations cannot be seen; few other axes have this size."""


def check_shapes(loss: Callable[..., object], outputs: Tensor, targets: Tensor) -> Recorded:
    """Raise BadTask if the loss broadcasts outputs against targets; returns what the loss did."""
    found = record(loss, outputs, targets)
    for call in found.calls:
        _check_call(call)
    if found.expanded:
        raise _broadcast(found.expanded[0].outputs, found.expanded[0].targets)
    if not found.operations and _mixes_examples(loss, outputs, targets):
        raise _broadcast(tuple(outputs.shape), tuple(targets.shape))
    return found


def _check_call(call: LossCall) -> None:
    if call.kind.outputs is Outputs.CLASS_LOGITS and call.outputs.ndim > 1:
        axis = call.kind.class_axis
        if call.outputs.shape[axis] == 1:
            raise BadTask(
                f"The model has one output {list(call.outputs.shape)}, so its cross-entropy is 0 for every model. Give "
                "it one output per class, or use binary_cross_entropy_with_logits."
            )
    if call.targets is None or not call.kind.same_shape or call.outputs.shape == call.targets.shape:
        return
    if call.outputs.numel() < 2 or call.targets.numel() < 2:
        return
    raise _broadcast(tuple(call.outputs.shape), tuple(call.targets.shape))


def _broadcast(outputs: tuple[int, ...], targets: tuple[int, ...]) -> BadTask:
    shapes = f"outputs {[*outputs]} and targets {[*targets]}"
    if torch.Size(outputs).numel() == torch.Size(targets).numel():
        return BadTask(
            f"The loss broadcasts {shapes} and compares every output with every target. Give both the same shape, "
            "for instance with y[:, None], or squeeze(-1) in the model."
        )
    ours, theirs = torch.Size(outputs[1:]).numel(), torch.Size(targets[1:]).numel()
    end = f"The model has {ours} per example, but there are {theirs}." if outputs[:1] == targets[:1] else ""
    return BadTask(
        f"The loss broadcasts {shapes}. {end}{' ' if end else ''}Give both the same shape; if the loss should repeat "
        "values, let it call expand."
    )


def _mixes_examples(loss: Callable[..., object], outputs: Tensor, targets: Tensor) -> bool:
    """Whether made-up outputs of the targets' shape have another loss than the same numbers in the outputs' shape."""
    if outputs.shape == targets.shape or outputs[0].numel() != targets[0].numel():
        return False
    draw = torch.Generator().manual_seed(0)
    made = 0.1 + 0.8 * torch.rand(MADE_UP_EXAMPLES, *outputs.shape[1:], generator=draw)
    truth = 0.1 + 0.8 * torch.rand(MADE_UP_EXAMPLES, *targets.shape[1:], generator=draw)
    if not targets.is_floating_point():
        truth = targets[torch.randint(len(targets), (MADE_UP_EXAMPLES,), generator=draw)]
    try:
        crossed, straight = loss(made, truth), loss(made.reshape(truth.shape), truth)
    except Exception:  # the loss needs outputs of their own shape
        return False
    if not isinstance(crossed, Tensor) or not isinstance(straight, Tensor):
        return False
    return not torch.allclose(crossed, straight, rtol=1e-4, equal_nan=True)
