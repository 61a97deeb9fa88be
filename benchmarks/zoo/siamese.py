"""A Siamese net with a contrastive loss: the same layers see two pictures (Hadsell et al., 2006)."""

import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import pictures
from steepest import Task


class Siamese(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.see = nn.Sequential(
            nn.Conv2d(1, 8, 3),
            nn.PReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3),
            nn.PReLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(64, 16),
        )

    def forward(self, one: Tensor, two: Tensor) -> Tensor:
        return F.pairwise_distance(F.normalize(self.see(one)), F.normalize(self.see(two)))


def loss(distance: Tensor, same: Tensor) -> Tensor:
    return (same * distance**2 + (1 - same) * F.relu(1 - distance) ** 2).mean()


x, y = pictures(1200, 1, 16, classes=4)
task = Task(
    model=Siamese,
    data=((x[:600], x[600:]), (y[:600] == y[600:]).float()),
    loss=loss,
    metric="loss",
    batch_size=32,
    epochs=4,
)
