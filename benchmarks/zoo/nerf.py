"""An MLP over sines of coordinates with a skip connection, as NeRF has it (Mildenhall et al., 2020)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import generator
from steepest import Task


class Field(nn.Module):
    frequencies: Tensor

    def __init__(self, width: int = 64, octaves: int = 5) -> None:
        super().__init__()
        self.register_buffer("frequencies", math.pi * 2.0 ** torch.arange(octaves))
        inner = 3 + 6 * octaves
        self.before = nn.Sequential(nn.Linear(inner, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.after = nn.Sequential(nn.Linear(width + inner, width), nn.ReLU(), nn.Linear(width, 4))

    def forward(self, x: Tensor) -> Tensor:
        angles = (x.unsqueeze(-1) * self.frequencies).flatten(1)
        inner = torch.cat([x, angles.sin(), angles.cos()], 1)
        found = self.after(torch.cat([self.before(inner), inner], 1))
        return torch.cat([found[:, :3].sigmoid(), F.softplus(found[:, 3:])], 1)


g = generator()
x = 2 * torch.rand(3000, 3, generator=g) - 1
shell = (x.norm(dim=1, keepdim=True) < 0.8).float()
y = torch.cat([0.5 + 0.5 * (4 * x).sin(), 3 * shell], 1)
task = Task(model=Field, data=(x, y), loss=F.mse_loss, metric="loss", batch_size=128, epochs=4)
