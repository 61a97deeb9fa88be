"""A two-layer LSTM with dropout that reads a text word by word."""

import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import sentences
from steepest import Task

WORDS = 60


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 32)
        self.lstm = nn.LSTM(32, 32, num_layers=2, dropout=0.2, batch_first=True)
        self.head = nn.Linear(32, WORDS)

    def forward(self, x: Tensor) -> Tensor:
        hidden, _ = self.lstm(self.words(x))
        return self.head(hidden[:, -1])


text = sentences(800, 17, WORDS)
task = Task(
    model=Reader, data=(text[:, :-1], text[:, -1]), loss=F.cross_entropy, metric="accuracy", batch_size=32, epochs=4
)
