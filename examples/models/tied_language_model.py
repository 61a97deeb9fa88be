"""A language model that reads and writes with one table of vectors (O. Press, L. Wolf, 2017): the next character in the
descriptions of data sets that come with scikit-learn."""

from typing import Any

import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_linnerud, load_wine
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from steepest import Task

CONTEXT = 24
loaders = (load_breast_cancer, load_diabetes, load_digits, load_iris, load_linnerud, load_wine)
bundles: list[Any] = [load() for load in loaders]
text = "".join(bundle.DESCR for bundle in bundles)  # some 15,000 characters
numbers = {character: i for i, character in enumerate(sorted(set(text)))}


class Tied(nn.Module):
    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.vectors = nn.Embedding(len(numbers), width)
        self.past = nn.Conv1d(width, width, 5)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, len(numbers))
        self.head.weight = self.vectors.weight
        nn.init.normal_(self.vectors.weight, std=width**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T] → scores of the next character at each place [B, C, T]; each sees five."""
        h = self.vectors(x).transpose(1, 2)  # [B, width, T]
        h = torch.relu(self.past(nn.functional.pad(h, (4, 0)))).transpose(1, 2)
        return self.head(self.norm(h)).transpose(1, 2)


codes = torch.tensor([numbers[character] for character in text])
pieces = codes[: len(codes) // (CONTEXT + 1) * (CONTEXT + 1)].view(-1, CONTEXT + 1)
task = Task(model=Tied, data=(pieces[:, :-1], pieces[:, 1:]), loss=cross_entropy, batch_size=32, epochs=8)
