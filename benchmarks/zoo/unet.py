"""A U-Net that segments pictures, with nearest upsampling (Ronneberger et al., 2015)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import generator
from steepest import Task


def double(before: int, after: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1),
        nn.GroupNorm(4, after),
        nn.SiLU(),
        nn.Conv2d(after, after, 3, padding=1),
        nn.GroupNorm(4, after),
        nn.SiLU(),
    )


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.middle = double(1, 16), double(16, 32), double(32, 32)
        self.up2, self.up1 = double(64, 16), double(32, 16)
        self.last = nn.Conv2d(16, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.down1(x)
        second = self.down2(F.max_pool2d(first, 2))
        middle = self.middle(F.max_pool2d(second, 2))
        x = self.up2(torch.cat([F.interpolate(middle, scale_factor=2), second], 1))
        x = self.up1(torch.cat([F.interpolate(x, scale_factor=2), first], 1))
        return self.last(x)


def discs(n: int, side: int) -> tuple[Tensor, Tensor]:
    """Discs in noise, and where they are: [n, 1, side, side] both."""
    g = generator()
    centre = side * (0.3 + 0.4 * torch.rand(n, 2, 1, 1, generator=g))
    radius = side * (0.1 + 0.15 * torch.rand(n, 1, 1, generator=g))
    at = torch.arange(side)
    inside = ((at[:, None] - centre[:, 0]) ** 2 + (at - centre[:, 1]) ** 2 < radius**2).float()[:, None]
    return inside + torch.randn(n, 1, side, side, generator=g), inside


task = Task(
    model=UNet, data=discs(300, 32), loss=F.binary_cross_entropy_with_logits, metric="loss", batch_size=16, epochs=3
)
