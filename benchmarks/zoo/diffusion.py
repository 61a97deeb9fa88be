"""Denoising diffusion in the plane (Ho et al., 2020): the model draws times and noise in its forward pass, and returns
its own loss.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import generator
from steepest import Task


class Denoiser(nn.Module):
    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(2 + 16, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2)
        )

    def forward(self, x: Tensor) -> Tensor:
        time = torch.rand(len(x), 1, device=x.device, dtype=x.dtype)
        noise = torch.randn_like(x)
        kept = torch.cos(0.5 * math.pi * time)
        noisy = kept * x + (1 - kept**2).clamp(min=1e-6).sqrt() * noise
        angles = time * 2.0 ** torch.arange(8, device=x.device, dtype=x.dtype)
        found = self.net(torch.cat([noisy, angles.sin(), angles.cos()], 1))
        return F.mse_loss(found, noise)


g = generator()
angle = 6 * torch.rand(2000, 1, generator=g)
spiral = angle / 6 * torch.cat([angle.cos(), angle.sin()], 1) + 0.02 * torch.randn(2000, 2, generator=g)
task = Task(model=Denoiser, data=spiral, metric="loss", batch_size=64, epochs=5)
