"""What works, and is hardly what was meant: told by `check`, and no error."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from steepest.messages import Message, say
from steepest.tasks.metrics import is_cross_entropy
from steepest.tasks.task import Task

EXAMPLES = 64
LARGE = 30.0
"""Root mean square of inputs beyond which most models train better on scaled ones."""


def cautions(task: Task) -> Iterator[Message]:
    """One sentence for each: for a task that has passed `check`."""
    raw = {p.dtype for p in task.made().parameters()} - {torch.float32}
    if raw:
        yield say(
            "The model is built in {dtype}, but all is trained in float32 (--dtype float64 for more).",
            dtype=str(min(raw, key=str)).removeprefix("torch."),
        )
    splits = task.splits(0)
    inputs, _ = task.batch(splits, splits.train[:EXAMPLES])
    model = task.build_model(0).eval()
    with torch.no_grad():
        outputs = model(*inputs)
    if is_cross_entropy(task.loss) and getattr(task.loss, "__name__", "") != "nll_loss" and _are_shares(outputs):
        yield say(
            "The model's outputs are probabilities, but cross-entropy takes scores and makes them probabilities "
            "itself: leave the softmax out.",
        )
    for x in inputs:
        if x.is_floating_point() and (size := float(x.square().mean().sqrt())) > LARGE:
            yield say(
                "Inputs are around {size:.2g} in size: most models train better scaled, as by standardize=True.",
                size=size,
            )
            break
    loss = task.loss(model.train()(*inputs), task.batch(splits, splits.train[:EXAMPLES])[1])
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    gradients = torch.autograd.grad(loss, [p for _, p in named], allow_unused=True)
    if idle := [name for (name, _), g in zip(named, gradients, strict=True) if g is None]:
        yield say(
            "The loss does not depend on {n} of the model's parameter tensors, {first} for one.",
            n=len(idle),
            first=idle[0],
        )


def _are_shares(outputs: Tensor) -> bool:
    """Whether rows [n, C] are all from 0 to 1 and sum to 1."""
    sums = outputs.sum(1)
    return bool((outputs >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=1e-4))
