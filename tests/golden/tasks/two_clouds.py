"""Two clouds of points that overlap, made up from a fixed seed, and a small network with dropout to tell them apart."""

import numpy as np
from torch import nn
from torch.nn import functional as F

from steepest import Task

EXAMPLES = 240


def clouds() -> tuple[np.ndarray, np.ndarray]:
    """Points [240, 6] and their cloud, 0 or 1."""
    rng = np.random.default_rng(7)
    y = np.arange(EXAMPLES) % 2
    x = rng.normal(size=(EXAMPLES, 6)) + 0.7 * y[:, None]
    return x.astype(np.float32), y


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Dropout(0.1), nn.Linear(12, 2))


task = Task(
    model=model,
    data=clouds(),
    loss=F.cross_entropy,
    metric="accuracy",
    batch_size=24,
    epochs=6,
    title="Two clouds (made up)",
    source="made up: drawn from a fixed seed",
    target=0.75,
)
