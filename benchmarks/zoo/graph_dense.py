"""A graph convolutional net on small graphs with dense matrices of neighbours (Kipf and Welling, 2017)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import generator
from steepest import Task

NODES = 16


class GCN(nn.Module):
    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(4, width), nn.Linear(width, width)
        self.head = nn.Linear(width, 2)

    def forward(self, x: Tensor, neighbours: Tensor) -> Tensor:
        with_self = neighbours + torch.eye(NODES, device=x.device, dtype=x.dtype)
        root = with_self.sum(-1).clamp(min=1).rsqrt()
        averaging = root.unsqueeze(-1) * with_self * root.unsqueeze(-2)
        x = F.relu(self.one(averaging @ x))
        x = F.relu(self.two(averaging @ x))
        return self.head(x.amax(1))


def graphs(n: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Graphs with many edges or with few, and noise at the nodes."""
    g = generator()
    y = torch.randint(2, (n,), generator=g)
    upper = torch.rand(n, NODES, NODES, generator=g).triu(1)
    edges = ((upper > 0) & (upper < 0.15 + 0.1 * y[:, None, None])).float()
    return (torch.randn(n, NODES, 4, generator=g), edges + edges.transpose(1, 2)), y


task = Task(model=GCN, data=graphs(800), loss=F.cross_entropy, metric="accuracy", batch_size=32, epochs=5)
