"""A net that is taught an equation: u″ = −π² sin(πx) inside, with torch.autograd's second derivatives (Raissi et al.,
2019).
"""

import math

import torch
from torch import Tensor, nn

from benchmarks.zoo._data import generator
from steepest import Task


class Solution(nn.Module):
    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)
        )

    def u(self, x: Tensor) -> Tensor:
        return self.net(x.view(1, 1)).view(())

    def forward(self, x: Tensor) -> Tensor:
        bend = torch.func.vmap(torch.func.grad(torch.func.grad(self.u)))(x.view(-1))
        inside = bend + math.pi**2 * torch.sin(math.pi * x.view(-1))
        ends = self.net(torch.tensor([[0.0], [1.0]], dtype=x.dtype, device=x.device))
        return (inside**2).mean() + 10 * (ends**2).mean()


g = generator()
task = Task(model=Solution, data=torch.rand(1000, 1, generator=g), metric="loss", batch_size=50, epochs=5)
