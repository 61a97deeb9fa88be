"""An encoder-decoder transformer: torch's `nn.Transformer`, trained with the right words before each place."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import sentences
from steepest import Task

WORDS, LENGTH, WIDTH = 40, 12, 32


class Translator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(WORDS, WIDTH), nn.Embedding(WORDS, WIDTH)
        self.places = nn.Parameter(0.1 * torch.randn(LENGTH, WIDTH))
        self.transformer = nn.Transformer(WIDTH, 4, 1, 1, 64, dropout=0.0, batch_first=True)
        self.head = nn.Linear(WIDTH, WORDS)

    def forward(self, source: Tensor, before: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(LENGTH, dtype=self.places.dtype)
        given, asked = self.source(source) + self.places, self.target(before) + self.places
        return self.head(self.transformer(given, asked, tgt_mask=mask, tgt_is_causal=True))


def loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(outputs.reshape(-1, WORDS), targets.reshape(-1), label_smoothing=0.1)


source = sentences(600, LENGTH, WORDS)
target = source.flip(1)
before = torch.cat([torch.zeros_like(target[:, :1]), target[:, :-1]], 1)
task = Task(model=Translator, data=((source, before), target), loss=loss, metric="loss", batch_size=32, epochs=3)
