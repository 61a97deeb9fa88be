"""A vision transformer (A. Dosovitskiy et al., 2021) on digits: 16 patches of 2 × 2 pixels, dropout, and a patch
projection that stays as it was drawn (X. Chen et al., 2021), so that not all parameters are trained."""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from steepest import Task


class ViT(nn.Module):
    def __init__(self, width: int = 32, heads: int = 4, layers: int = 2) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 2, stride=2).requires_grad_(False)
        self.summary = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(0.02 * torch.randn(1, 17, width))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, 2 * width, dropout=0.1, batch_first=True, norm_first=True)
            for _ in range(layers)
        )
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 1, 8, 8] → scores [B, 10]."""
        h = self.patches(x).flatten(2).transpose(1, 2)  # [B, 16, width]
        h = torch.cat([self.summary.expand(len(x), -1, -1), h], dim=1) + self.places
        for block in self.blocks:
            h = block(h)
        return self.head(h[:, 0])


x, y = load_digits(return_X_y=True)
task = Task(
    model=ViT, data=(x.reshape(-1, 1, 8, 8) / 16, y), loss=cross_entropy, metric="accuracy", batch_size=64, epochs=5
)
