"""A network with adaptive depth: an exit after every layer, and a stopping probability at each."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steepest.builtin.pictures import FASHION_TRAIN_EXAMPLES, official
from steepest.builtin.task_entry import Entry
from steepest.datasets import sources
from steepest.tasks.metrics import MARGIN, Metric
from steepest.tasks.task import Task

PRIOR_STOP, KL_WEIGHT = 0.4, 0.05
"""Prior probability to stop at a layer, and the weight of the KL divergence from it."""


class EarlyExits(nn.Module):
    """Residual layers of one width, each followed by an exit with class scores and a stopping probability λ.

    As in PonderNet (A. Banino, J. Balaguer, C. Blundell, 2021), an example stops at layer n with the probability
    pₙ = λₙ ∏ (1 − λⱼ) over j < n, and at the last one with the remaining probability. Training computes all layers; in
    evaluation, an example leaves at the first layer at which its cumulative stopping probability reaches one half.
    """

    def __init__(self, inputs: int, width: int, layers: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Linear(inputs, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.exits = nn.ModuleList(nn.Linear(width, classes + 1) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs] → class scores and ln pₙ at each exit: [B, layers, classes + 1]."""
        h, found = F.relu(self.stem(x)), []
        for layer, out in zip(self.layers, self.exits, strict=True):
            h = h + F.relu(layer(h))
            found.append(out(h))
        scores = torch.stack(found, dim=1)
        stop = scores[..., -1]  # [B, layers], logits of λ
        going_on = F.logsigmoid(-stop[:, :-1]).cumsum(1)  # ln ∏ (1 − λⱼ) over j ≤ n
        so_far = F.pad(going_on, (1, 0))
        log_p = torch.cat([so_far[:, :-1] + F.logsigmoid(stop[:, :-1]), so_far[:, -1:]], dim=1)
        return torch.cat([scores[..., :-1], log_p[..., None]], dim=-1)


def expected_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Σ pₙ (cross-entropy at exit n) + KL_WEIGHT · KL(p ‖ q), the mean over the batch, in nats.

    qₙ = PRIOR_STOP (1 − PRIOR_STOP)ⁿ⁻¹, and the remaining probability at the last exit. Without the second term, all
    examples would soon leave at the first exit, and no other exit would learn.
    """
    scores, log_p = outputs[..., :-1], outputs[..., -1]
    exits = scores.shape[1]
    picked = F.log_softmax(scores, dim=-1).gather(-1, targets[:, None, None].expand(-1, exits, 1))[..., 0]
    n = torch.arange(exits, dtype=scores.dtype, device=scores.device)
    log_q = n * math.log(1 - PRIOR_STOP) + torch.where(n < exits - 1, math.log(PRIOR_STOP), 0.0)
    return (log_p.exp() * (KL_WEIGHT * (log_p - log_q) - picked)).sum(1).mean()


def depth(outputs: Tensor) -> Tensor:
    """The exit 1, 2, … at which each example leaves: [B]."""
    stopped = outputs[..., -1].exp().cumsum(1)  # [B, layers]
    return (stopped < 0.5).sum(1).clamp(max=stopped.shape[1] - 1) + 1


def mean_depth(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean number of layers that an example passes in evaluation."""
    return depth(outputs).to(outputs.dtype).mean()


def accuracy_at_exit(outputs: Tensor, targets: Tensor) -> Tensor:
    """Share of examples that are classified correctly at the exit where they leave, 0 … 1."""
    at = (depth(outputs) - 1)[:, None, None].expand(-1, 1, outputs.shape[-1])
    return (outputs.gather(1, at)[:, 0, :-1].argmax(-1) == targets).to(outputs.dtype).mean()


AT_EXIT = Metric("accuracy", accuracy_at_exit, unit="%", margin=MARGIN)


def adaptive_depth(entry: Entry) -> Task:
    """The pictures of fashion-cnn as rows of pixels [N, 784]; the official test part."""
    (x, y), test = official(sources.load("fashion"), mean=73, deviation=90)
    return entry.task(
        train=(x[:FASHION_TRAIN_EXAMPLES].reshape(FASHION_TRAIN_EXAMPLES, -1), y[:FASHION_TRAIN_EXAMPLES]),
        test=(test[0].reshape(len(test[0]), -1), test[1]),
        split=(0.72, 0.12, 0.16),
        loss=expected_loss,
        metric=AT_EXIT,
    )
