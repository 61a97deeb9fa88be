"""A normalizing flow of affine couplings (RealNVP, Dinh et al., 2017), trained by its likelihood."""

import math

import torch
from torch import Tensor, nn

from benchmarks.zoo._data import generator
from steepest import Task


class Coupling(nn.Module):
    def __init__(self, size: int, swap: bool, width: int = 32) -> None:
        super().__init__()
        self.swap = swap
        self.net = nn.Sequential(nn.Linear(size // 2, width), nn.Tanh(), nn.Linear(width, size))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        one, two = x.chunk(2, 1)
        if self.swap:
            one, two = two, one
        scale, shift = self.net(one).chunk(2, 1)
        scale = torch.tanh(scale)
        two = two * scale.exp() + shift
        return torch.cat([two, one] if self.swap else [one, two], 1), scale.sum(1)


class Flow(nn.Module):
    def __init__(self, size: int = 6, depth: int = 4) -> None:
        super().__init__()
        self.couplings = nn.ModuleList(Coupling(size, bool(i % 2)) for i in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        logs = torch.zeros(len(x), dtype=x.dtype, device=x.device)
        for coupling in self.couplings:
            x, more = coupling(x)
            logs = logs + more
        density = -0.5 * (x**2 + math.log(2 * math.pi)).sum(1) + logs
        return -density.mean()


g = generator()
x = torch.randn(2000, 6, generator=g)
x[:, 3:] = x[:, :3] ** 2 + 0.3 * x[:, 3:]
task = Task(model=Flow, data=x, metric="loss", batch_size=64, epochs=5)
