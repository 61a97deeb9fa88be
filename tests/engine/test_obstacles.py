"""What keeps a task from being trained as a fleet is found before any training, and said in words."""

import random
from operator import attrgetter

import numpy as np
import pytest
import torch
from engine.small import KINDS, digits
from torch import nn

from steepest.engine.obstacles import fleet_obstacle


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
        (Branching, "data-dependent control flow"),
        (Counting, "'calls'"),
        (Drawing, "Python's or NumPy's generator"),
        (DrawingWithNumPy, "Python's or NumPy's generator"),
        (Aside, "do not move as one trained alone does"),
    ],
)
def test_models_that_cannot_share_a_program_say_why(model, reason):
    assert reason in fleet_obstacle(digits(model))


def test_a_metric_that_leaves_tensors_is_an_obstacle():
    def share(outputs, targets):
        return torch.tensor((outputs.argmax(1) == targets).float().mean().item())

    assert "item()" in fleet_obstacle(digits(metric=share))


@pytest.mark.parametrize("kind", KINDS, ids=attrgetter("name"))
def test_ordinary_models_meet_none(kind):
    assert fleet_obstacle(kind.task()) == ""


def test_dropout_is_none():
    assert fleet_obstacle(digits(lambda: nn.Sequential(nn.Dropout(0.5), nn.Linear(64, 10)))) == ""


def test_looking_for_obstacles_leaves_no_trace_in_the_generators():
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)
    expected = (torch.rand(1).item(), random.random(), np.random.random())
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)
    fleet_obstacle(digits(Drawing))
    assert (torch.rand(1).item(), random.random(), np.random.random()) == expected
