"""The second gradient of a step, which some rules need: of the same batch at other weights, or with targets sampled
from the model's predictions. Apart, since only the plain loop computes it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from steepest.engine.random_sources import seed_step
from steepest.errors import BadTask
from steepest.optim.rule import Second
from steepest.optim.second_order import sampled
from steepest.records import rng
from steepest.tasks.metrics import is_cross_entropy
from steepest.tasks.task import Task

ComputeSecond = Callable[[Second, Sequence[Tensor]], Sequence[Tensor]]
"""Computes the second gradient of given parameters: `second_gradient` with all other arguments of the step bound."""

IGNORED_CLASS = -100
"""The class number that torch's losses leave out."""


def check_second(kind: Second, task: Task, title: str) -> None:
    """Raise BadTask if a task does not allow a second gradient of this kind."""
    loss: Any = task.training_loss
    is_plain = getattr(loss, "weight", None) is None and not getattr(loss, "label_smoothing", 0.0)
    if kind == "sampled" and not (is_cross_entropy(loss) and is_plain and getattr(loss, "reduction", "mean") == "mean"):
        raise BadTask(
            f"{title} samples targets from the model's predictions. This requires the plain mean cross-entropy "
            f"of logits as loss, but {task.name} uses another. Leave {title} out, or use "
            "torch.nn.functional.cross_entropy."
        )


@torch.enable_grad()
def second_gradient(
    task: Task,
    model: nn.Module,
    inputs: Sequence[Tensor],
    targets: Tensor,
    seed: int,
    t: int,
    kind: Second,
    parameters: Sequence[Tensor],
) -> Sequence[Tensor]:
    """The gradient of these parameters at the weights that the model has now, in step t = 1, 2, …

    Dropout uses the same masks as for the first gradient, and running statistics do not count the batch twice.
    """
    seed_step(seed, t)
    kept = [buffer.clone() for buffer in model.buffers()]
    outputs = model(*inputs)
    share = 1.0
    if kind == "sampled":
        generator = torch.Generator(outputs.device).manual_seed(rng.integer(seed, "labels", t))
        ignored = getattr(task.training_loss, "ignore_index", IGNORED_CLASS)
        targets = sampled(outputs, targets, generator, ignored)
        share = int((targets != ignored).sum()) ** 0.5
    found = torch.autograd.grad(share * task.training_loss(outputs, targets), [*parameters], materialize_grads=True)
    with torch.no_grad():
        for buffer, before in zip(model.buffers(), kept, strict=True):
            buffer.copy_(before)
    return found
