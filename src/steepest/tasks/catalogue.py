"""One table of built-in tasks: it feeds the command line, the tests and the documentation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from torch import nn
from torch.nn import functional as F

from steepest import rng
from steepest.errors import UnknownName
from steepest.tasks import sources
from steepest.tasks.datasets import dataset
from steepest.tasks.models import linear, mlp
from steepest.tasks.task import Task


@dataclass(frozen=True)
class Entry:
    """A built-in task: what it is, and how to make it. Batch size and horizon are such that a trial takes seconds."""

    name: str
    title: str
    kind: str
    summary: str
    data: str
    """Name of its data set in `steepest data list`; "" where it has none."""
    network: Callable[[], nn.Module]
    make: Callable[[Entry], Task]
    batch_size: int
    epochs: float
    target: float | None
    """The level on test, raw, that the mean of a sound study's best optimizer must reach."""

    def build(self) -> Task:
        """The task, its data fetched if they are not here. Raises DataUnavailable."""
        return self.make(self)

    @property
    def source(self) -> str:
        """Where the data come from, with the licence: one line."""
        if not self.data:
            return "synthetic: y = 3x + 2 + noise, drawn from a fixed generator"
        row = dataset(self.data)
        package = f"{row.package} {row.version}".strip()
        return f"{row.title}, from {package} ({row.licence})"

    @property
    def horizon(self) -> str:
        return f"{self.epochs:g} epochs, batch size {self.batch_size}"


def _digits(entry: Entry) -> Task:
    """Pixels x [1797, 64] and the digit. No official split: every seed draws its own.

    (x − 5) / 6 takes 0 … 16 to about mean 0 and deviation 1. Each pixel on its own deviation would be no better: there
    are pixels at the rim that are dark in one image of a thousand.
    """
    arrays = sources.load("digits")
    return _task(
        entry,
        data=((arrays["x"].astype(np.float32) - 5) / 6, arrays["y"]),
        split=(0.7, 0.15, 0.15),
        loss=F.cross_entropy,
        metric="accuracy",
    )


def _housing(entry: Entry) -> Task:
    """Features x [20640, 8] and the price [20640, 1].

    Income, rooms, bedrooms, population and occupancy have long tails (one block group is said to have 1243 people a
    household): their logarithms keep such rows from blowing up every optimizer, without any threshold read from data.
    """
    arrays = sources.load("housing")
    x = arrays["x"].copy()
    long_tailed = [0, 2, 3, 4, 5]
    x[:, long_tailed] = np.log(x[:, long_tailed])
    return _task(entry, data=(x, arrays["y"][:, None]), loss=F.mse_loss, metric="r2", standardize="both")


def _line(entry: Entry) -> Task:
    """y = 3x + 2 + N(0, 0.1²) at x uniform in 0 … 1: 100 points [100, 1] to train on, 1000 each to choose and to judge.

    The points are the same for every seed, as a data set would be; 0.01, the variance of the noise, is the least MSE.
    """
    draw = rng.generator(0, "data")

    def points(n: int) -> tuple[np.ndarray, np.ndarray]:
        x = draw.uniform(size=(n, 1))
        return x, 3 * x + 2 + draw.normal(0, 0.1, size=(n, 1))

    train, valid, test = points(100), points(1000), points(1000)
    return _task(entry, train=train, valid=valid, test=test, loss=F.mse_loss, metric="mse", margin=1e-4)


def _task(entry: Entry, **what: Any) -> Task:
    return Task(
        model=entry.network,
        name=entry.name,
        title=entry.title,
        batch_size=entry.batch_size,
        epochs=entry.epochs,
        target=entry.target,
        source=entry.source,
        **what,
    )


CATALOGUE = (
    Entry(
        name="digits",
        title="Digits, small network",
        kind="images, classification",
        summary="Handwritten digits of 8 × 8 pixels, an MLP 64-64-10, cross-entropy.",
        data="digits",
        network=partial(mlp, (64, 64, 10)),
        make=_digits,
        batch_size=32,
        epochs=15,
        target=0.97,
    ),
    Entry(
        name="digits-linear",
        title="Digits, softmax regression",
        kind="images, classification, convex",
        summary="The same digits and one dense layer 64-10: a convex problem, with one minimum to find.",
        data="digits",
        network=partial(linear, 64, 10),
        make=_digits,
        batch_size=32,
        epochs=15,
        target=0.95,
    ),
    Entry(
        name="housing",
        title="California house prices",
        kind="table, regression",
        summary="Median house values of 1990 from 8 features, an MLP 8-32-32-1, squared error on standardized values.",
        data="housing",
        network=partial(mlp, (8, 32, 32, 1)),
        make=_housing,
        batch_size=128,
        epochs=20,
        target=0.75,
    ),
    Entry(
        name="line",
        title="The line y = 3x + 2 (synthetic: a tutorial's own example)",
        kind="synthetic, regression, convex",
        summary="100 noisy points on a line, one dense unit, squared error, 100 epochs of Keras' usual batches.",
        data="",
        network=partial(linear, 1, 1),
        make=_line,
        batch_size=32,
        epochs=100,
        target=0.011,
    ),
)


def names() -> tuple[str, ...]:
    return tuple(entry.name for entry in CATALOGUE)


def entry(name: str) -> Entry:
    """The entry of this name; raises UnknownName with the nearest names."""
    for item in CATALOGUE:
        if item.name == name:
            return item
    hint = "`steepest tasks` lists all; a task of your own is a .py file that defines `task`."
    raise UnknownName.among("task", name, names(), hint)


def describe(entry: Entry) -> dict[str, Any]:
    """An entry as plain values, for pages and JSON. Builds and fetches nothing."""
    return {
        "name": entry.name,
        "title": entry.title,
        "kind": entry.kind,
        "summary": entry.summary,
        "data": entry.data,
        "source": entry.source,
        "batch_size": entry.batch_size,
        "epochs": entry.epochs,
        "horizon": entry.horizon,
        "target": entry.target,
    }
