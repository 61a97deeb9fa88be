"""What keeps a task from being trained as a fleet is found before any training, and said in words."""

import random
from operator import attrgetter

import numpy as np
import pytest
import torch
from engine.small import KINDS, digits
from torch import nn

from steepest.engine.fleet_support import unsupported_reason
from steepest.tasks.task import Task


class Layer(nn.Module):
    """A linear layer with something odd about it."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)
        self.calls = 0


class Branching(Layer):
    def forward(self, x):
        h = self.linear(x)
        return h if h.sum() > 0 else 2 * h


class Counting(Layer):
    def forward(self, x):
        self.calls += 1
        return self.linear(x) / self.calls


class Averaging(Layer):
    """Keeps a running mean in what is no buffer; and, once made, a mask, which is no state."""

    mask = None

    def forward(self, x):
        if self.mask is None:
            self.mask = torch.ones(64)
        h = self.linear(x * self.mask)
        self.mean = 0.9 * getattr(self, "mean", torch.zeros(10)) + 0.1 * h.detach().mean(0)
        return h - self.mean


class Drawing(Layer):
    def forward(self, x):
        return self.linear(x) * random.random()


class DrawingWithNumPy(Layer):
    def forward(self, x):
        return self.linear(x) * float(np.random.random())


class Aside(Layer):
    """Uses weights that no functional call can replace, as models around another framework's variables may."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = [self.linear.weight]

    def forward(self, x):
        return x @ self.hidden[0].T + self.linear.bias


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Branching, "reads values out of tensors"),
        (Counting, "'calls'"),
        (Averaging, "'mean'"),
        (Drawing, "Python's or NumPy's generator"),
        (DrawingWithNumPy, "Python's or NumPy's generator"),
        (Aside, "do not move as one trained alone does"),
    ],
)
def test_models_that_cannot_share_a_program_say_why(model, reason):
    assert reason in str(unsupported_reason(digits(model)))


def test_a_metric_that_leaves_tensors_is_an_obstacle():
    def share(outputs, targets):
        return torch.tensor((outputs.argmax(1) == targets).float().mean().item())

    assert "item()" in str(unsupported_reason(digits(metric=share)))


@pytest.mark.parametrize("kind", KINDS, ids=attrgetter("name"))
def test_ordinary_models_meet_none(kind):
    assert not unsupported_reason(kind.task())


def test_inputs_so_large_that_a_step_blows_up_are_none():
    x, y = np.random.default_rng(0).normal(size=(2, 60, 1)) * 1e4
    assert not unsupported_reason(
        Task(model=lambda: nn.Linear(1, 1), data=(x, y), loss=nn.functional.mse_loss, batch_size=8)
    )


def test_dropout_is_none():
    assert not unsupported_reason(digits(lambda: nn.Sequential(nn.Dropout(0.5), nn.Linear(64, 10))))


def test_looking_for_obstacles_leaves_no_trace_in_the_generators():
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)
    expected = (torch.rand(1).item(), random.random(), np.random.random())
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)
    unsupported_reason(digits(Drawing))
    assert (torch.rand(1).item(), random.random(), np.random.random()) == expected
