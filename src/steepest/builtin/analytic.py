"""The built-in synthetic tasks, whose minimal loss is known; they need no download."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steepest.builtin.task_entry import Entry
from steepest.records import rng
from steepest.tasks.task import Task


def line(entry: Entry) -> Task:
    """y = 3x + 2 + N(0, 0.1²) at x uniform in 0 … 1: 100 training points [100, 1], 1000 each for validation and test.

    The points are the same for every seed, as in a data set. The minimal MSE is 0.01, the variance of the noise.
    """
    draw = rng.generator(0, "data")

    def points(n: int) -> tuple[np.ndarray, np.ndarray]:
        x = draw.uniform(size=(n, 1))
        return x, 3 * x + 2 + draw.normal(0, 0.1, size=(n, 1))

    train, valid, test = points(100), points(1000), points(1000)
    return entry.task(train=train, valid=valid, test=test, loss=F.mse_loss, metric="mse", margin=1e-4)


# ---- the noisy quadratic ---------------------------------------------------------------------------------------------

DIMENSIONS = 20
CURVATURES = np.logspace(0, -3, DIMENSIONS)  # condition number 1000


class Quadratic(nn.Module):
    """f(w; c) = ½ Σᵢ hᵢ (wᵢ − cᵢ)², with curvatures h from 1 down to 0.001 and a start w ~ N(0, 1)."""

    h: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(DIMENSIONS))
        self.register_buffer("h", torch.tensor(CURVATURES, dtype=torch.float32))

    def forward(self, c: Tensor) -> Tensor:
        """Centres c [B, D] → values [B]."""
        return 0.5 * (self.h * (self.w - c) ** 2).sum(-1)


def quadratic(entry: Entry) -> Task:
    """The noisy quadratic model (T. Schaul, S. Zhang, Y. LeCun, 2013; G. Zhang et al., 2019): each example has its own
    centre c ~ N(0, 0.3² / h), so that flat directions are noisy.

    Validation and test use the true centre 0, where the minimal loss is 0, at w = 0.
    """
    c = rng.generator(0, "data").normal(size=(1000, DIMENSIONS)) * 0.3 / np.sqrt(CURVATURES)
    c -= c.mean(0)  # so that the minimum over the examples is the true one
    truth = np.zeros((1, DIMENSIONS))
    return entry.task(train=c, valid=truth, test=truth, margin=1e-4)


# ---- Rosenbrock's valley ---------------------------------------------------------------------------------------------


class Rosenbrock(nn.Module):
    """f(a, b) = (1 − a)² + 100 (b − a²)², from the usual start (−1.2, 1), moved by N(0, 0.1²)."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([-1.2, 1.0]) + 0.1 * torch.randn(2))

    def forward(self, x: Tensor) -> Tensor:
        """Any x [B, 1] → the value, B times."""
        a, b = self.w.unbind(-1)
        return ((1 - a) ** 2 + 100 * (b - a**2) ** 2).expand(x.shape[0])


def rosenbrock(entry: Entry) -> Task:
    """H. H. Rosenbrock's function (1960): one example, no noise, a curved valley with steep walls and a flat floor.

    The minimal loss is 0, at (1, 1).
    """
    nothing = np.zeros((1, 1))
    return entry.task(train=nothing, valid=nothing, test=nothing, margin=1e-3)


# ---- a deep linear network -------------------------------------------------------------------------------------------


def deep_linear_network() -> nn.Sequential:
    """Five linear layers without activations: x [B, 16] → [B, 16] → … → [B, 4]."""
    return nn.Sequential(*(nn.Linear(16, 16, bias=False) for _ in range(4)), nn.Linear(16, 4, bias=False))


def deep_linear(entry: Entry) -> Task:
    """y = Mx + N(0, 0.1²) with x ~ N(0, 1): not convex in its layers, with plateaus but without bad local minima
    (A. M. Saxe, J. L. McClelland, S. Ganguli, 2014). The minimal MSE is 0.01, the variance of the noise.
    """
    draw = rng.generator(1, "data")
    truth = draw.normal(size=(4, 16)) / 4

    def points(n: int) -> tuple[np.ndarray, np.ndarray]:
        x = draw.normal(size=(n, 16))
        return x, x @ truth.T + draw.normal(0, 0.1, size=(n, 4))

    train, valid, test = points(2000), points(1000), points(1000)
    return entry.task(train=train, valid=valid, test=test, loss=F.mse_loss, metric="mse", margin=1e-4)
