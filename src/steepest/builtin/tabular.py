"""The built-in tasks on tables: houses, people, ratings and a demand series."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from steepest.builtin.task_entry import Entry
from steepest.datasets import sources
from steepest.tasks.metrics import Metric
from steepest.tasks.task import Task


def housing(entry: Entry) -> Task:
    """Features x [20640, 8] and the price [20640, 1].

    Income, rooms, bedrooms, population and occupancy have long tails (one block group is reported to have 1243 people
    per household). Their logarithms keep such rows from making every optimizer diverge, without a data-dependent
    threshold.
    """
    arrays = sources.load("housing")
    x = arrays["x"].copy()
    long_tailed = [0, 2, 3, 4, 5]
    x[:, long_tailed] = np.log(x[:, long_tailed])
    return entry.task(data=(x, arrays["y"][:, None]), loss=F.mse_loss, metric="r2", standardize="both")


# ---- people ----------------------------------------------------------------------------------------------------------

CATEGORY_SIZES = (9, 16, 7, 15, 6, 5, 2, 42)
"""Categories in each column of Adult; unknown values are a category."""


def adult(entry: Entry) -> Task:
    """Numbers [N, 6], categories [N, 8] and the income class [N], without duplicate rows.

    Capital gains and losses are 0 for most people and large for few; they enter as log(1 + x).
    """
    arrays = sources.load("adult")
    table = np.column_stack([arrays["numbers"], arrays["categories"], arrays["y"]])
    table = table[np.sort(np.unique(table, axis=0, return_index=True)[1])]
    numbers = table[:, :6].astype(np.float64)
    numbers[:, 3:5] = np.log1p(numbers[:, 3:5])
    offsets = np.cumsum(
        (0, *CATEGORY_SIZES[:-1])
    )  # all columns look into one table of embeddings, each into rows of its own
    return entry.task(
        data=((numbers, table[:, 6:14] + offsets), table[:, 14]),
        loss=F.cross_entropy,
        metric="accuracy",
        standardize="inputs",
    )


# ---- ratings ---------------------------------------------------------------------------------------------------------


def root_mean_square(outputs: Tensor, targets: Tensor) -> Tensor:
    return ((outputs - targets) ** 2).mean().sqrt()


RMSE = Metric("RMSE", root_mean_square, higher_is_better=False, margin=0.0025)
"""In stars; the practical margin is 0.0025 stars."""


def movielens(entry: Entry) -> Task:
    """User [N], film [N] and the rating in stars [N]; every seed draws one tenth each for validation and test."""
    arrays = sources.load("movielens")
    users, films = (arrays[name].astype(np.int64) - 1 for name in ("user", "item"))
    return entry.task(
        data=((users, films), arrays["rating"].astype(np.float32)), split=(0.8, 0.1, 0.1), loss=F.mse_loss, metric=RMSE
    )


# ---- demand ----------------------------------------------------------------------------------------------------------

DAY, WEEK = 48, 7 * 48  # half-hours
LEVEL, SWING = 30.0, 6.0  # gigawatts


def load(entry: Entry) -> Task:
    """From one day of half-hourly demand to the next day: x [N, 48, 3], y [N, 48], in gigawatts.

    The channels of x are the demand in each half-hour of the day, one week before it, and one week before the
    half-hour to forecast. Demand is scaled as (y − 30) / 6, round values near those of the series. Of twelve weeks the
    last two are for test, the two before them for validation; each day to forecast lies in one part.
    """
    y = sources.load("load")["y"] / 1000
    weeks = {"train": (1, 8), "valid": (8, 10), "test": (10, 12)}
    parts = {}
    for name, (first, last) in weeks.items():
        begins = np.arange(first * WEEK + (DAY if first == 1 else 0), last * WEEK - DAY + 1)
        parts[name] = windows(y, begins)
    return entry.task(**parts, loss=F.mse_loss, metric="mae", margin=0.0025)


def windows(y: np.ndarray, begins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of the forecasts that begin at the half-hours `begins`."""
    seen = begins[:, None] + np.arange(-DAY, 0)
    x = np.stack([y[seen], y[seen - WEEK], y[seen + DAY - WEEK]], axis=-1)
    return (x - LEVEL) / SWING, y[seen + DAY]


def seasonal_naive(y: Tensor | np.ndarray, begins: np.ndarray, season: int) -> float:
    """Mean absolute error of the forecast that repeats the value of one season ago."""
    at = begins[:, None] + np.arange(DAY)
    values = torch.as_tensor(y)
    return float((values[at] - values[at - season]).abs().mean())
