"""A small three-dimensional convolutional net for short films."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import generator
from steepest import Task


def films(n: int, frames: int = 8, side: int = 12) -> tuple[Tensor, Tensor]:
    """A bright row that moves up, down, or stays: [n, 1, frames, side, side], [n]."""
    g = generator()
    y = torch.randint(3, (n,), generator=g)
    start = torch.randint(side, (n,), generator=g)
    row = (start[:, None] + (y[:, None] - 1) * torch.arange(frames)) % side
    x = 0.5 * torch.randn(n, 1, frames, side, side, generator=g)
    return x + F.one_hot(row, side).float()[:, None, :, :, None] * 2, y


def net() -> nn.Module:
    return nn.Sequential(
        nn.Conv3d(1, 8, 3, padding=1),
        nn.BatchNorm3d(8),
        nn.ReLU(),
        nn.MaxPool3d(2),
        nn.Conv3d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
        nn.Linear(16, 3),
    )


task = Task(model=net, data=films(500), loss=F.cross_entropy, metric="accuracy", batch_size=32, epochs=3)
