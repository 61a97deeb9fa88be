"""Numbers and categories in one network, as recommenders have it (M. Naumov et al., DLRM, 2019): vectors of categories
meet the numbers' own vector in dot products. A dict of inputs, and a loss that weighs the rarer class more."""

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from torch import Tensor, nn

from steepest import Task

BINS = 8


class Interactions(nn.Module):
    pairs: Tensor

    def __init__(self, numbers: int = 20, columns: int = 10, width: int = 8) -> None:
        super().__init__()
        self.bottom = nn.Sequential(nn.Linear(numbers, 16), nn.ReLU(), nn.Linear(16, width))
        self.vectors = nn.Embedding(columns * BINS, width)
        self.register_buffer("pairs", torch.triu_indices(columns + 1, columns + 1, 1))  # [2, P]
        self.top = nn.Sequential(nn.Linear(width + self.pairs.shape[1], 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, numbers: Tensor, bins: Tensor) -> Tensor:
        """[B, 20], [B, 10] → a logit [B, 1]."""
        dense = self.bottom(numbers)
        all_vectors = torch.cat([dense[:, None], self.vectors(bins)], dim=1)  # [B, 11, width]
        products = all_vectors @ all_vectors.transpose(1, 2)
        return self.top(torch.cat([dense, products[:, self.pairs[0], self.pairs[1]]], dim=1))


x, y = load_breast_cancer(return_X_y=True)  # 569 biopsies; the last ten of 30 measurements go in as eighths
edges = np.quantile(x[:, 20:], np.arange(1, BINS) / BINS, axis=0)  # [7, 10]
bins = (x[:, None, 20:] > edges).sum(1) + BINS * np.arange(10)  # one table, each column in rows of its own
malignant = (y == 0).astype(float)[:, None]
task = Task(
    model=Interactions,
    data=({"numbers": x[:, :20], "bins": bins}, malignant),
    loss=nn.BCEWithLogitsLoss(pos_weight=torch.tensor(1.68)),  # 357 benign to 212 malignant
    metric="accuracy",
    standardize=True,
    batch_size=32,
    epochs=8,
)
