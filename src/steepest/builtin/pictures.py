"""The built-in tasks on images."""

import numpy as np
from torch.nn import functional as F

from steepest.builtin.task_entry import Entry
from steepest.datasets import sources
from steepest.datasets.formats import Arrays
from steepest.tasks.task import Task


def digits(entry: Entry) -> Task:
    """Without an official split: every seed draws its own."""
    return entry.task(data=scaled_digits(), split=(0.7, 0.15, 0.15), loss=F.cross_entropy, metric="accuracy")


def scaled_digits() -> tuple[np.ndarray, np.ndarray]:
    """Pixels x [1797, 64] and the digit [1797].

    (x − 5) / 6 maps 0 … 16 to about mean 0 and standard deviation 1. Scaling each pixel by its own deviation would not
    be better: some pixels at the rim are dark in one image of a thousand.
    """
    arrays = sources.load("digits")
    return (arrays["x"].astype(np.float32) - 5) / 6, arrays["y"]


def mnist(entry: Entry) -> Task:
    """All of MNIST: pixels [N, 784]; the official test part, and 10000 validation examples drawn by the seed."""
    train, test = official(sources.load("mnist"), mean=33, deviation=79)
    flat = [(x.reshape(len(x), -1), y) for x, y in (train, test)]
    return entry.task(train=flat[0], test=flat[1], split=(5 / 7, 1 / 7, 1 / 7), loss=F.cross_entropy, metric="accuracy")


FASHION_TRAIN_EXAMPLES = 14_000
"""The first of the 60000 training examples: 12000 for training and 2000 for validation. Their order is random."""


def fashion(entry: Entry) -> Task:
    """Pixels [N, 1, 28, 28]; the official test part, and validation drawn by the seed."""
    (x, y), test = official(sources.load("fashion"), mean=73, deviation=90)
    train = (x[:FASHION_TRAIN_EXAMPLES, None], y[:FASHION_TRAIN_EXAMPLES])
    return entry.task(
        train=train, test=(test[0][:, None], test[1]), split=(0.72, 0.12, 0.16), loss=F.cross_entropy, metric="accuracy"
    )


def official(arrays: Arrays, mean: float, deviation: float) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Training and test part as published, pixels x [N, 28, 28] scaled as (x − mean) / deviation, with round values
    near those of the training part."""
    return tuple(
        ((arrays[f"x{part}"].astype(np.float32) - mean) / deviation, arrays[f"y{part}"].astype(np.int64))
        for part in ("", "_test")
    )
