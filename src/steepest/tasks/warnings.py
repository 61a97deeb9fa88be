"""Warnings of `check`: tasks that run but are probably misconfigured."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from steepest.messages import Message, say
from steepest.tasks.metrics import is_cross_entropy
from steepest.tasks.task import Task

SAMPLE_EXAMPLES = 64
MAX_INPUT_RMS = 30.0
"""Root mean square of inputs above which most models train better on scaled inputs."""


def warnings_about(task: Task) -> Iterator[Message]:
    """One sentence for each warning about a task that has passed `check`."""
    raw = {p.dtype for p in task.made().parameters()} - {torch.float32}
    if raw:
        yield say(
            "The model is built in {dtype}, but trained in float32. Use --dtype float64 for higher precision.",
            dtype=str(min(raw, key=str)).removeprefix("torch."),
        )
    splits = task.splits(0)
    inputs, _ = task.batch(splits, splits.train[:SAMPLE_EXAMPLES])
    model = task.build_model(0).eval()
    with torch.no_grad():
        outputs = model(*inputs)
    if is_cross_entropy(task.loss) and getattr(task.loss, "__name__", "") != "nll_loss" and _are_probabilities(outputs):
        yield say(
            "The model's outputs are probabilities, but cross-entropy expects logits and applies the softmax itself. "
            "Remove the softmax from the model.",
        )
    for x in inputs:
        if x.is_floating_point() and (size := float(x.square().mean().sqrt())) > MAX_INPUT_RMS:
            yield say(
                "The root mean square of the inputs is {size:.2g}. Most models train better on scaled inputs: set "
                "standardize=True.",
                size=size,
            )
            break
    loss = task.loss(model.train()(*inputs), task.batch(splits, splits.train[:SAMPLE_EXAMPLES])[1])
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    gradients = torch.autograd.grad(loss, [p for _, p in named], allow_unused=True)
    if idle := [name for (name, _), g in zip(named, gradients, strict=True) if g is None]:
        yield say(
            "The loss does not depend on {n} of the model's parameter tensors, such as {first}.",
            n=len(idle),
            first=idle[0],
        )


def _are_probabilities(outputs: Tensor) -> bool:
    """Whether all rows [n, C] are nonnegative and sum to 1."""
    sums = outputs.sum(1)
    return bool((outputs >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=1e-4))
