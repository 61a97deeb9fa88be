"""A GRU encoder and a GRU decoder (Cho et al., 2014) that learns to write a sentence backwards."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import sentences
from steepest import Task

WORDS, LENGTH = 30, 10


class Seq2Seq(nn.Module):
    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 24)
        self.encoder = nn.GRU(24, width, batch_first=True)
        self.decoder = nn.GRU(24, width, batch_first=True)
        self.head = nn.Linear(width, WORDS)

    def forward(self, source: Tensor, before: Tensor) -> Tensor:
        _, state = self.encoder(self.words(source))
        hidden, _ = self.decoder(self.words(before), state)
        return self.head(hidden)


def loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(outputs.flatten(0, 1), targets.flatten())


source = sentences(600, LENGTH, WORDS)
target = source.flip(1)
before = torch.cat([torch.zeros_like(target[:, :1]), target[:, :-1]], 1)
task = Task(model=Seq2Seq, data=((source, before), target), loss=loss, metric="loss", batch_size=32, epochs=4)
