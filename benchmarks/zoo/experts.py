"""A mixture of experts: a gate takes the two best of four experts for each example (Shazeer et al., 2017)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import generator
from steepest import Task


class Experts(nn.Module):
    def __init__(self, size: int = 12, width: int = 32, count: int = 4) -> None:
        super().__init__()
        self.gate = nn.Linear(size, count)
        self.up = nn.Parameter(torch.randn(count, size, width) / size**0.5)
        self.down = nn.Parameter(torch.randn(count, width, 3) / width**0.5)
        self.bias = nn.Parameter(torch.zeros(count, 3))

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = torch.topk(self.gate(x), 2, dim=-1)
        weights = weights.softmax(-1)
        hidden = F.gelu(torch.einsum("bi,eih->beh", x, self.up))
        found = torch.einsum("beh,eho->beo", hidden, self.down) + self.bias
        taken = found.gather(1, chosen.unsqueeze(-1).expand(-1, -1, 3))
        return (weights.unsqueeze(-1) * taken).sum(1)


def regions(n: int) -> tuple[Tensor, Tensor]:
    """Four regions, in each of which other numbers decide the class."""
    g = generator()
    x = torch.randn(n, 12, generator=g)
    region = 2 * (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
    score = x[torch.arange(n), 2 + 2 * region] + 0.3 * torch.randn(n, generator=g)
    return x, (score > -0.4).long() + (score > 0.4).long()


task = Task(model=Experts, data=regions(1500), loss=F.cross_entropy, metric="accuracy", batch_size=64, epochs=5)
