"""The second gradient of a step in the plain loop, against loops and sums written out by hand."""

import numpy as np
import pytest
import torch
from engine.small import digits, shard
from torch import nn
from torch.nn import functional as F

from steepest.engine import fleet
from steepest.engine.random_sources import seed_step
from steepest.engine.second_gradient import second_gradient
from steepest.engine.solo import Trial, train
from steepest.errors import BadInput, BadTask
from steepest.records.trials import Lane
from steepest.tasks.task import Task


def test_a_sharpness_aware_trial_is_the_loop_of_its_paper():
    task, plan, lane = digits(), shard("sgd+sam", steps=5, dtype="float64"), Lane(0.1, seed=3)
    trial, other = Trial(task, plan, lane), Trial(task, plan, lane)
    parameters = list(other.model.parameters())
    for t in range(1, 6):
        trial.step(t)
        inputs, targets = other.batch(other.order.batches(t - 1, t, plan.batch_size)[0])
        first = torch.autograd.grad(F.cross_entropy(other.model(*inputs), targets), parameters)
        length = torch.cat([g.ravel() for g in first]).norm()
        with torch.no_grad():
            for p, g in zip(parameters, first, strict=True):
                p += 0.05 * g / length
        second = torch.autograd.grad(F.cross_entropy(other.model(*inputs), targets), parameters)
        with torch.no_grad():
            for p, g, h in zip(parameters, first, second, strict=True):
                p -= 0.05 * g / length + 0.1 * h
    for p, q in zip(trial.model.parameters(), parameters, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-12)


def test_the_square_of_gradients_with_drawn_targets_is_the_gauss_newton_diagonal_on_average():
    """Of a linear model with softmax: E = mean over examples of p(1 − p)x², and noise falls with the draws."""
    task = Task(
        model=lambda: nn.Linear(3, 4),
        data=(np.ones((8, 3), np.float32), np.zeros(8, np.int64)),
        loss=F.cross_entropy,
        metric="accuracy",
        batch_size=4,
    )
    model = nn.Linear(3, 4, dtype=torch.float64)
    x = torch.linspace(-1, 1, 15, dtype=torch.float64).view(5, 3)
    y = torch.zeros(5, dtype=torch.long)
    draws = [
        second_gradient(task, model, (x,), y, seed=0, t=t, kind="sampled", parameters=[model.weight])[0] ** 2
        for t in range(3000)
    ]
    p = model(x).softmax(1).detach()
    expected = ((p * (1 - p)).T @ x**2) / 5
    torch.testing.assert_close(torch.stack(draws).mean(0), expected, rtol=0.12, atol=0)


class Noisy(nn.Module):
    """Dropout and running statistics: what must not differ between the two gradients of a step, or count twice."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 10))
        self.masks = []

    def forward(self, x):
        hidden = self.layers[2](self.layers[1](self.layers[0](x)))
        self.masks.append((hidden == 0).tolist())
        return self.layers[3](hidden)


def test_both_gradients_of_a_step_see_the_same_dropout_and_statistics_count_the_batch_once():
    task = digits(Noisy)
    plan = shard("sgd+sam", steps=1, evaluate_at=(1,))
    trial, plain = Trial(task, plan, Lane(0.1, 0)), Trial(task, shard("sgd", steps=1), Lane(0.1, 0))
    for each in (trial, plain):
        torch.manual_seed(0)
        each.model.masks.clear()
    seeded = train(task, plan)  # as `run` seeds every step
    assert seeded.train_loss.shape == (4, 1)
    for each in (trial, plain):
        seed_step(0, 1)
        each.step(1)
    first, second = trial.model.masks
    assert first == second == plain.model.masks[0]
    norms = [each.model.layers[1] for each in (trial, plain)]
    assert torch.equal(norms[0].running_mean, norms[1].running_mean)
    assert norms[0].num_batches_tracked == 1


@pytest.mark.parametrize("name", ["adam+sam", "sophia-g", "mars"])
def test_a_trial_is_the_same_every_time(name):
    plan = shard(name, rates=(1e-3,), steps=8)
    assert np.array_equal(train(digits(), plan).train_loss, train(digits(), plan).train_loss)


def test_targets_can_be_drawn_for_the_plain_cross_entropy_only():
    sentence = "requires the plain mean cross-entropy of logits as loss, but digits-like uses another"
    for loss in (nn.CrossEntropyLoss(label_smoothing=0.1), lambda a, b: F.cross_entropy(a, b)):
        with pytest.raises(BadTask, match=sentence):
            Trial(digits(loss=loss, name="digits-like"), shard("sophia-g"), Lane(1e-3, 0))
    Trial(digits(loss=nn.CrossEntropyLoss()), shard("sophia-g"), Lane(1e-3, 0))


def test_a_fleet_refuses_in_one_sentence():
    with pytest.raises(BadInput, match=r"adam\+sam needs a second gradient in a step.* Use solo\."):
        fleet.train(digits(), shard("adam+sam"))
