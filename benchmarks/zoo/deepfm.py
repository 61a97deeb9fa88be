"""A factorization machine and an MLP over the same embeddings (DeepFM, Guo et al., 2017)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import generator
from steepest import Task

FIELDS, VALUES, WIDTH = 6, 20, 8


class DeepFM(nn.Module):
    offsets: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("offsets", VALUES * torch.arange(FIELDS))
        self.linear = nn.Embedding(FIELDS * VALUES, 1)
        self.factors = nn.Embedding(FIELDS * VALUES, WIDTH)
        self.deep = nn.Sequential(
            nn.Linear(FIELDS * WIDTH, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 1)
        )
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.offsets
        factors = self.factors(x)
        pairs = 0.5 * (factors.sum(1) ** 2 - (factors**2).sum(1)).sum(1, keepdim=True)
        return (self.bias + self.linear(x).sum(1) + pairs + self.deep(factors.flatten(1))).squeeze(1)


def visits(n: int) -> tuple[Tensor, Tensor]:
    g = generator()
    x = torch.randint(VALUES, (n, FIELDS), generator=g)
    score = ((x[:, 0] + x[:, 1]) % 3 - 1) + (x[:, 2] > VALUES // 2)
    return x, (score + torch.randn(n, generator=g) > 0.5).float()


task = Task(
    model=DeepFM, data=visits(4000), loss=F.binary_cross_entropy_with_logits, metric="loss", batch_size=128, epochs=4
)
