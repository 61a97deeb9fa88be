"""ConvNeXt blocks: depthwise convolutions, a norm over channels, a scale for each layer (Liu et al., 2022)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import pictures
from steepest import Task


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.scale = nn.Parameter(1e-2 * torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        inner = self.scale * self.narrow(F.gelu(self.wide(inner)))
        return x + inner.permute(0, 3, 1, 2)


def convnext() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 4, 4),
        Block(16),
        nn.Conv2d(16, 32, 2, 2),
        Block(32),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.LayerNorm(32),
        nn.Linear(32, 10),
    )


task = Task(model=convnext, data=pictures(600, 3, 32), loss=F.cross_entropy, metric="accuracy", batch_size=32, epochs=2)
