"""A task that trains, with three mistakes that `steepest check` warns of."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steepest import Task


class Careless(nn.Module):
    """Its outputs are probabilities although the loss expects scores, and one of its layers is never used."""

    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Linear(4, 3)
        self.unused = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.used(x), dim=1)


rng = np.random.default_rng(11)
y = np.arange(150) % 3
x = (100 * rng.normal(size=(150, 4)) + 80 * y[:, None]).astype(np.float32)  # far too large to train on as they are

task = Task(
    model=Careless,
    data=(x, y),
    loss=F.cross_entropy,
    metric="accuracy",
    batch_size=30,
    epochs=5,
    title="A careless task (made up)",
    source="made up: drawn from a fixed seed",
)
