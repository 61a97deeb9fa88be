"""A model of clicks: embeddings and numbers, and the products of all pairs of them (DLRM, Naumov et al., 2019)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import generator
from steepest import Task

SIZES, WIDTH = (100, 50, 20, 10), 16


class DLRM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, WIDTH) for size in SIZES)
        self.bottom = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, WIDTH), nn.ReLU())
        self.top = nn.Sequential(nn.Linear(WIDTH + 10, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        dense = self.bottom(numbers)
        rows = [dense, *(table(categories[:, i]) for i, table in enumerate(self.tables))]
        stacked = torch.stack(rows, 1)
        products = stacked @ stacked.transpose(1, 2)
        above, beside = torch.triu_indices(5, 5, 1)
        return self.top(torch.cat([dense, products[:, above, beside]], 1)).squeeze(-1)


def clicks(n: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    g = generator()
    numbers = torch.randn(n, 8, generator=g)
    categories = torch.stack([torch.randint(size, (n,), generator=g) for size in SIZES], 1)
    score = numbers[:, 0] + 2 * ((categories[:, 0] + categories[:, 1]) % 2) - 1
    return (numbers, categories), (score + torch.randn(n, generator=g) > 0).float()


task = Task(
    model=DLRM, data=clicks(4000), loss=F.binary_cross_entropy_with_logits, metric="loss", batch_size=128, epochs=4
)
