"""Small tasks and shards for the tests of the engine: real digits, and models of every kind that fleets should take."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steepest.builtin.models import mlp
from steepest.datasets import sources
from steepest.optim.catalogue import contender
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane, Shard
from steepest.tasks.task import Task


def digits(model: Callable[[], nn.Module] = lambda: mlp((64, 16, 10)), examples: int = 300, **choices) -> Task:
    """The first digits, as rows of 64 pixels."""
    arrays = sources.load("digits")
    x, y = arrays["x"][:examples].astype(np.float32) / 16, arrays["y"][:examples]
    return Task(**{"model": model, "data": (x, y), "loss": F.cross_entropy, "metric": "accuracy", **choices})


def shard(
    optimizer: str = "adam",
    rates: tuple[float, ...] = (1e-3, 3e-3),
    seeds: tuple[int, ...] = (0, 1),
    *,
    steps: int = 20,
    evaluate_at: tuple[int, ...] = (),
    batch_size: int = 16,
    schedule: str = "constant",
    dtype: str = "float32",
    **choices,
) -> Shard:
    """Every rate on every seed, rate by rate as a planner hands them out."""
    return Shard(
        id="test",
        task=TaskRef("test", "memory", "test"),
        contender=contender(optimizer, schedule=schedule),
        lanes=tuple(Lane(rate, seed) for rate in rates for seed in seeds),
        batch_size=batch_size,
        steps=steps,
        evaluate_at=evaluate_at or (steps // 2, steps),
        dtype=dtype,
        **choices,
    )


# ---- models of every kind --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """A model, the shape that it wants a digit in, and whether it wants pixels as whole numbers 0 … 16."""

    name: str
    model: Callable[[], nn.Module]
    shape: tuple[int, ...] = (64,)
    tokens: bool = False

    def task(self) -> Task:
        arrays = sources.load("digits")
        x, y = arrays["x"][:120].reshape(-1, *self.shape), arrays["y"][:120]
        x = x.astype(np.int64) if self.tokens else x.astype(np.float32) / 16
        return Task(model=self.model, data=(x, y), loss=F.cross_entropy, metric="accuracy", batch_size=16)


class Tied(nn.Module):
    """An autoencoder's middle, whose second layer is the first one's transpose, under a second name."""

    def __init__(self) -> None:
        super().__init__()
        self.code = nn.Linear(64, 8, bias=False)
        self.also = self.code
        self.out = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.tanh(self.code(x)) @ self.also.weight)


class Frozen(nn.Module):
    """Random features that are not trained, one per seed, and a constant that all replicas share."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Linear(64, 32).requires_grad_(False)
        self.register_buffer("scale", torch.full((32,), 0.5))
        self.out = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.relu(self.features(x)) * self.scale)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.GRU(16, 6, batch_first=True)
        self.out = nn.Linear(6, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.cells(x)[0][:, -1])


class Attention(nn.Module):
    """Rows of the image as tokens, with a mask that every replica shares."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, norm_first=True)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(8))
        self.out = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.block(x, src_mask=self.mask).mean(1))


class Words(nn.Module):
    """Pixels as words: an embedding, convolutions of two widths, the largest of each (TextCNN)."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(17, 8)
        self.convolutions = nn.ModuleList(nn.Conv1d(8, 4, width) for width in (2, 3))
        self.out = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x).transpose(1, 2)
        return self.out(torch.cat([torch.relu(c(h)).amax(2) for c in self.convolutions], 1))


class Bag(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.EmbeddingBag(17, 8, mode="mean")
        self.out = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.embed(x))


def normalised() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 10)
    )


def grouped() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))


KINDS = (
    Kind("batch norm", normalised, (1, 8, 8)),
    Kind("group norm", grouped, (1, 8, 8)),
    Kind("tied weights", Tied),
    Kind("frozen weights", Frozen),
    Kind("recurrent", Recurrent, (4, 16)),
    Kind("attention", Attention, (8, 8)),
    Kind("text CNN", Words, tokens=True),
    Kind("embedding bag", Bag, tokens=True),
)
