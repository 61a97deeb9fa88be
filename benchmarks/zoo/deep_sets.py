"""A model of sets: one net for each element, a mean and a maximum, another net (Zaheer et al., 2017)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import generator
from steepest import Task


class DeepSets(nn.Module):
    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.each = nn.Sequential(nn.Linear(3, width), nn.ELU(), nn.Linear(width, width), nn.ELU())
        self.all = nn.Sequential(nn.Linear(2 * width, width), nn.ELU(), nn.Linear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        found = self.each(x)
        return self.all(torch.cat([found.mean(1), found.max(1).values], -1)).squeeze(-1)


g = generator()
x = torch.randn(1000, 20, 3, generator=g)
task = Task(
    model=DeepSets,
    data=(x, x.norm(dim=-1).amax(1) - x[..., 0].mean(1)),
    loss=F.smooth_l1_loss,
    metric="r2",
    batch_size=50,
    epochs=5,
    standardize="targets",
)
