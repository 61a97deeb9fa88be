"""What every peer trains: six models on real data, at the same rates and seeds, and on the same batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import data
from steepest.builtin import task_table
from steepest.builtin.models import mlp
from steepest.datasets import sources
from steepest.engine.data import Order
from steepest.records.trials import Lane
from steepest.tasks.task import Task

RATES = tuple(10 ** (-3 + half / 2) for half in range(-4, 5))
"""Nine half-decade rates around Adam's usual one; as many lanes share a seed."""
BATCHES = 1024
"""Batches that a peer is handed, over and over; how they were drawn costs it nothing."""


# ---- models ----------------------------------------------------------------------------------------------------------


def cnn() -> nn.Sequential:
    """x [B, 1, 28, 28] → conv 3×3 → pool → h [B, 16, 14, 14] → conv 3×3 → pool → h [B, 32, 7, 7] → scores [B, 10]."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 10),
    )


class LSTM(nn.Module):
    """tokens [B, 64] → embedding [B, 64, 32] → the last hidden state [B, 64] → scores [B, 2]."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(data.WORDS, 32)
        self.cells = nn.LSTM(32, 64, batch_first=True)
        self.out = nn.Linear(64, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.out(self.cells(self.embedding(tokens))[0][:, -1])


class Transformer(nn.Module):
    """tokens [B, 64] → two causal blocks of 4 heads on [B, 64, 64] → scores of the next character [B, 64, 96]."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(data.CHARACTERS, 64)
        self.position = nn.Parameter(torch.zeros(data.WINDOW, 64))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(64, 4, 256, dropout=0.0, batch_first=True, norm_first=True) for _ in range(2)
        )
        self.out = nn.Linear(64, data.CHARACTERS)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(data.WINDOW))

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.embedding(tokens) + self.position
        for block in self.blocks:
            h = block(h, src_mask=self.mask, is_causal=True)
        return self.out(h)


def loss_of_characters(scores: Tensor, characters: Tensor) -> Tensor:
    """Cross-entropy, the mean over a batch and its positions: scores [B, T, V], characters [B, T]."""
    return F.cross_entropy(scores.flatten(0, 1), characters.flatten())


# ---- workloads -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Workload:
    """One model on one data set, trained by Adam at several rates and seeds."""

    name: str
    title: str
    make: Callable[[], Task]
    batch_size: int = 64
    widths: tuple[int, ...] = ()
    """Layers of an MLP."""

    @property
    def task(self) -> Task:
        return _built(self.name)

    def flops(self) -> float:
        """Floating-point operations of the matrix products in one trial-step of an MLP.

        A layer n → m takes 2·B·n·m each for its outputs, for its weights' gradients, and, but for the first layer, for
        its inputs' gradients.
        """
        layers = [n * m for n, m in zip(self.widths, self.widths[1:], strict=False)]
        return 2.0 * self.batch_size * (3 * sum(layers) - layers[0])


def _digits(widths: tuple[int, ...]) -> Task:
    arrays = sources.load("digits")
    x = (arrays["x"].astype(np.float32) - 5) / 6
    return Task(model=partial(mlp, widths), data=(x, arrays["y"]), loss=F.cross_entropy, metric="accuracy")


def _images() -> Task:
    return Task(model=cnn, data=data.images(), loss=F.cross_entropy, metric="accuracy")


def _plays() -> Task:
    return Task(model=LSTM, data=data.words(), loss=F.cross_entropy, metric="accuracy")


def _characters() -> Task:
    return Task(model=Transformer, data=data.characters(), loss=loss_of_characters, batch_size=16)


SMALL, LARGE = (64, 32, 32, 10), (64, 128, 128, 10)
WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("mlp-32", "MLP 64-32-32-10, digits", partial(_digits, SMALL), widths=SMALL),
        Workload("mlp-128", "MLP 64-128-128-10, digits", partial(_digits, LARGE), widths=LARGE),
        Workload("housing", "MLP 8-32-32-1, California housing", task_table.entry("housing").build),
        Workload("cnn", "CNN 16-32, MNIST 28 × 28", _images),
        Workload("lstm", "LSTM 64, 64 words of Shakespeare", _plays),
        Workload("transformer", "Transformer 2 × 64, 64 characters of Shakespeare", _characters, batch_size=16),
    )
}


@lru_cache
def _built(name: str) -> Task:
    return WORKLOADS[name].make()


# ---- trials ----------------------------------------------------------------------------------------------------------


def trials(count: int) -> tuple[Lane, ...]:
    """`count` trials: all rates on seed 0, then on seed 1, and so on."""
    return tuple(Lane(RATES[i % len(RATES)], seed=i // len(RATES)) for i in range(count))


def seeds(count: int) -> int:
    """The number of seeds of `count` lanes."""
    return math.ceil(count / len(RATES))


@dataclass(frozen=True)
class Stream:
    """One seed's data, ready to be trained on: scaled, and with the places of each batch."""

    inputs: Tensor  # [N, …]
    targets: Tensor  # [N, …]
    batches: np.ndarray  # [BATCHES, B], int64: positions among the N

    def of_steps(self, start: int, stop: int) -> np.ndarray:
        """The positions for the steps k = start … stop − 1: [stop − start, B]."""
        return self.batches[np.arange(start, stop) % len(self.batches)]


@lru_cache
def stream(name: str, seed: int) -> Stream:
    """The batches that the engine itself would draw for this seed, for as long as there are `BATCHES`."""
    workload = WORKLOADS[name]
    splits = workload.task.splits(seed)
    (inputs,), targets = workload.task.batch(splits, np.arange(len(splits.targets)))
    return Stream(inputs, targets, Order(seed, splits.train).batches(0, BATCHES, workload.batch_size))
