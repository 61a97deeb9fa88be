"""A one-dimensional convolutional net for signals, dilated like WaveNet's (van den Oord et al., 2016)."""

import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import waves
from steepest import Task


class Gated(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, 2 * width, 3, padding=dilation, dilation=dilation)
        self.out = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.out(F.glu(self.conv(x), 1))


def waves_net(width: int = 24) -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(1, width, 7, stride=2, padding=3),
        *(Gated(width, dilation) for dilation in (1, 2, 4)),
        nn.ReLU(),
        nn.AdaptiveMaxPool1d(1),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(width, 5),
    )


task = Task(model=waves_net, data=waves(800, 128), loss=F.cross_entropy, metric="accuracy", batch_size=32, epochs=4)
