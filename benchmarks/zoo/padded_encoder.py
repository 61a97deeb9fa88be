"""A transformer encoder for sentences of several lengths, with torch's layers, a padding mask and dropout."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import generator, sentences
from steepest import Task

WORDS, LENGTH, WIDTH = 80, 20, 32


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH, padding_idx=0)
        self.places = nn.Parameter(0.02 * torch.randn(LENGTH, WIDTH))
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, 4)

    def forward(self, x: Tensor) -> Tensor:
        padding = x == 0
        hidden = self.encoder(self.words(x) + self.places, src_key_padding_mask=padding)
        kept = (~padding).unsqueeze(-1).float()
        return self.head((hidden * kept).sum(1) / kept.sum(1))


def padded(n: int) -> tuple[Tensor, Tensor]:
    """Sentences that end early with zeros, and a class that follows from the sum of their words."""
    g = generator(1)
    x = 1 + sentences(n, LENGTH, WORDS - 1)
    length = torch.randint(5, LENGTH + 1, (n, 1), generator=g)
    x = torch.where(torch.arange(LENGTH) < length, x, 0)
    return x, 4 * x[:, :3].sum(1) // (3 * WORDS)


task = Task(model=Encoder, data=padded(800), loss=F.cross_entropy, metric="accuracy", batch_size=32, epochs=4)
