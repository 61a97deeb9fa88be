"""Outputs and targets that a loss would broadcast are refused by their shapes, for every kind of loss."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from steepest.errors import BadTask
from steepest.tasks.check import check
from steepest.tasks.loss_shapes import check_shapes
from steepest.tasks.task import Task

draw = torch.Generator().manual_seed(0)
COLUMN, ROW, PAIR, THREE = (torch.rand(8, *rest, generator=draw) for rest in ((1,), (), (2,), (3,)))


def squared(outputs, targets):
    return ((outputs - targets) ** 2).mean()


def by_hand(outputs, targets):
    return -(targets * outputs.log() + (1 - targets) * (1 - outputs).log()).mean()


def pinball(outputs, targets):
    levels = torch.tensor([0.1, 0.5, 0.9])
    error = targets - outputs
    return torch.maximum(levels * error, (levels - 1) * error).mean()


def pairwise(outputs, targets):
    """A loss that asks for all pairs: in-batch ranking."""
    return F.softplus(-(outputs[:, None] - outputs[None]) * (targets[:, None] - targets[None]).sign()).mean()


BROADCAST = {
    "mse, column against row": (nn.MSELoss(), COLUMN, ROW),
    "mse, one output for two targets": (F.mse_loss, COLUMN, PAIR),
    "l1, three against one": (F.l1_loss, THREE, COLUMN),
    "huber": (nn.HuberLoss(), COLUMN, ROW),
    "poisson": (nn.PoissonNLLLoss(), COLUMN, ROW),
    "kl": (nn.KLDivLoss(reduction="batchmean"), COLUMN.log(), PAIR),
    "hinge embedding": (F.hinge_embedding_loss, ROW, COLUMN.sign()),
    "gaussian, variance from the outputs": (lambda o, t: F.gaussian_nll_loss(o, t, torch.ones(8, 1)), COLUMN, ROW),
    "mse in a function": (lambda o, t: F.mse_loss(o, t) + o.square().mean(), COLUMN, ROW),
    "own arithmetic": (squared, COLUMN, ROW),
    "own arithmetic, row against column": (squared, ROW, COLUMN),
    "own cross-entropy": (by_hand, COLUMN, ROW),
    "own arithmetic, one output for two targets": (squared, COLUMN, PAIR),
    "pictures without their channel": (squared, torch.rand(8, 1, 4, 4), torch.rand(8, 4, 4)),
}


@pytest.mark.parametrize("case", BROADCAST)
@pytest.mark.filterwarnings("ignore:Using a target size")
def test_a_broadcast_is_refused_whatever_the_values(case):
    loss, outputs, targets = BROADCAST[case]
    for truth in (targets, torch.zeros_like(targets)):
        with pytest.raises(BadTask) as error:
            check_shapes(loss, outputs, truth)
        message = str(error.value)
        assert f"{[*outputs.shape]}" in message
        assert f"{[*targets.shape]}" in message


ASKED = {
    "same shape": (F.mse_loss, COLUMN, COLUMN),
    "the loss squeezes": (lambda o, t: F.mse_loss(o.squeeze(1), t), COLUMN, ROW),
    "the loss reshapes the targets": (lambda o, t: squared(o, t.view_as(o)), COLUMN, ROW),
    "quantiles of one target": (pinball, THREE, COLUMN),
    "classes": (F.cross_entropy, THREE, torch.arange(8) % 3),
    "classes of sequences": (F.cross_entropy, torch.rand(8, 3, 5), torch.randint(3, (8, 5))),
    "classes last, moved by the loss": (
        lambda o, t: F.cross_entropy(o.flatten(0, 1), t.flatten()), torch.rand(8, 5, 3), torch.randint(3, (8, 5))
    ),
    "distributions of classes": (F.cross_entropy, THREE, THREE.softmax(1)),
    "multi-margin": (F.multi_margin_loss, THREE, torch.arange(8) % 3),
    "pairs within the batch": (pairwise, ROW, ROW),
    "pairs that the loss asks for": (lambda o, t: (o[:, None] - t[None, :, None]).abs().mean(), COLUMN, ROW),
    "triplets": (lambda o, t: F.triplet_margin_loss(o, o.flip(0), o.roll(1, 0)), THREE, ROW),
    "cosine": (lambda o, t: F.cosine_embedding_loss(o, o.flip(0), t.sign()), THREE, ROW),
    "ctc": (
        lambda o, t: F.ctc_loss(o.log_softmax(-1).transpose(0, 1), t, torch.full((8,), 6), torch.full((8,), 2)),
        torch.rand(8, 6, 4), torch.randint(1, 4, (8, 2)),
    ),
    "a weight for all": (lambda o, t: (torch.tensor([2.0]) * (o - t) ** 2).mean(), COLUMN, COLUMN),
}  # fmt: skip


@pytest.mark.parametrize("case", ASKED)
def test_a_loss_that_asks_for_its_shapes_is_sound(case):
    loss, outputs, targets = ASKED[case]
    check_shapes(loss, outputs, targets)


def rain(column: bool) -> Task:
    """Rain by day: the first season is dry, so the examples looked at first are all zero."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(500, 4, generator=generator)
    x[:, 3] = (torch.arange(500) >= 120).float()
    y = (2 * x[:, 0] + x[:, 1] + 1).clamp(min=0) * x[:, 3]
    model = lambda: nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))  # noqa: E731
    return Task(model=model, data=(x, y[:, None] if column else y), loss=nn.MSELoss(), batch_size=32, epochs=10)


def test_eight_zeros_do_not_hide_a_broadcast():
    with pytest.raises(BadTask, match=r"outputs \[8, 1\] and targets \[8\]"):
        check(rain(column=False))
    check(rain(column=True))


def test_one_output_cannot_stand_for_two_targets():
    task = Task(
        model=lambda: nn.Linear(4, 1), data=(torch.randn(99, 4), torch.randn(99, 2)), loss=nn.MSELoss(), batch_size=8
    )
    with pytest.raises(BadTask, match=r"outputs \[8, 1\] and targets \[8, 2\].* has 1 per example, but there are 2"):
        check(task)


def test_one_output_is_no_classifier():
    task = Task(
        model=lambda: nn.Linear(4, 1),
        data=(torch.randn(99, 4), torch.zeros(99).long()),
        loss=F.cross_entropy,
        batch_size=8,
    )
    with pytest.raises(BadTask, match="one output"):
        check(task)


class TimeFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x):
        return self.layer(x).transpose(0, 1)


def test_outputs_must_begin_with_the_examples():
    def loss(outputs, targets):
        return F.cross_entropy(outputs.mean(0), targets)

    task = Task(model=TimeFirst, data=(torch.randn(99, 5, 3), torch.arange(99) % 2), loss=loss, batch_size=8)
    with pytest.raises(BadTask, match=r"\[5, 8, 2\].*first axis must be the examples"):
        check(task)
