"""Groups, times and folds of a `Task` in arrays, as people have them."""

from datetime import datetime, timedelta

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss
from unseen.looking import draw
from unseen.tabled import rows_of

from steepest import SteepestError, Task

X = torch.randn(360, 4, generator=draw(0))
Y = (X[:, 0] + 0.5 * torch.randn(360, generator=draw(1)) > 0).long()
ORDER = np.random.default_rng(2).permutation(360)


def task(**parts) -> Task:
    return Task(
        model=lambda: nn.Linear(4, 2),
        data=(X, Y),
        loss=cross_entropy,
        metric="accuracy",
        batch_size=16,
        epochs=3,
        **parts,
    )


def apart(made: Task, groups: np.ndarray) -> set[frozenset]:
    tests = set()
    for seed in range(4):
        parts = {name: set(groups[rows].tolist()) for name, rows in rows_of(made, seed).items()}
        assert not parts["train"] & parts["valid"]
        assert not parts["train"] & parts["test"]
        assert not parts["valid"] & parts["test"]
        tests.add(frozenset(parts["test"]))
    return tests


@pytest.mark.parametrize(
    "groups",
    [
        np.array([f"user {k % 30}" for k in ORDER]),
        [f"用户 {k % 30}" for k in ORDER],
        torch.as_tensor(ORDER % 30),
        np.repeat(np.arange(24), 15),
        np.where(ORDER < 180, 0, ORDER),
    ],
    ids=["NumPy's strings", "a list of Chinese names", "a tensor", "in blocks", "one group is half of all"],
)
def test_no_user_is_in_two_parts(groups):
    """Apps, forums and wards: groups as people keep them, one of them far larger than the others."""
    assert len(apart(task(groups=groups), np.asarray(groups))) > 1


START = datetime(2022, 5, 1)


@pytest.mark.parametrize(
    "when",
    [
        [START + timedelta(hours=int(k)) for k in ORDER],
        np.datetime64("2022-05-01") + ORDER.astype("timedelta64[h]"),
        ORDER / 7.0,
        [str(START + timedelta(hours=int(k))) for k in ORDER],
    ],
    ids=["datetime", "datetime64", "years as floats", "texts"],
)
def test_what_comes_later_judges_what_came_before(when):
    """Power plants: rows are shuffled, times are written in four ways; cuts or windows move with the seed."""
    made = task(time=when)
    cuts = set()
    for seed in range(4):
        parts = {name: ORDER[rows] for name, rows in rows_of(made, seed).items()}
        assert parts["train"].max() < parts["valid"].min()
        assert parts["valid"].max() < parts["test"].min()
        cuts.add((int(parts["train"].min()), int(parts["test"].min())))
    assert len(cuts) > 1


def test_equal_times_are_not_cut_in_two():
    """A panel of 30 shops: 12 days, each with 30 rows; a day is in one part only."""
    day = np.arange(360) // 30
    for seed in range(4):
        parts = {name: set(day[rows].tolist()) for name, rows in rows_of(task(time=day), seed).items()}
        assert not parts["train"] & parts["valid"]
        assert not parts["valid"] & parts["test"]


def test_folds_by_name_are_the_parts():
    """A benchmark's table of contents: train, valid and test by name, the same for each seed."""
    names = np.array(["train", "train", "train", "valid", "test", "train"] * 60)
    for seed in range(2):
        for name, rows in rows_of(task(folds=names), seed).items():
            assert set(names[rows].tolist()) == {name}


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"groups": np.arange(359)}, ["groups", "359", "360"]),
        ({"groups": np.zeros(360)}, ["group", "one value"]),
        ({"time": ["yesterday"] * 360}, ["time"]),
        ({"time": np.where(ORDER == 7, np.nan, ORDER)}, ["time"]),
        ({"time": np.zeros(360)}, ["time"]),
        ({"folds": ["train", "valid", "tset"] * 120}, ["fold"]),
        ({"folds": np.zeros(360, dtype=int)}, ["fold"]),
        ({"groups": np.arange(360) % 9, "folds": np.arange(360) % 5}, ["groups", "folds"]),
    ],
    ids=["too short", "one group", "words", "no time", "one time", "a misspelt fold", "one fold", "two at once"],
)
def test_what_cannot_be_split_is_named(parts, words):
    """Slips of a first try: each is one sentence that names the argument."""
    with pytest.raises(SteepestError) as error:
        task(**parts).splits(0)
    for word in words:
        assert word in str(error.value)


def test_a_random_walk_is_not_forecast_from_its_own_neighbours():
    """An exchange rate: with the parts by time, the best constant of training is far from the test part."""
    walk = torch.randn(600, generator=draw(3)).cumsum(0)
    t = torch.arange(600.0)
    made = Task(model=lambda: nn.Linear(1, 1), data=(t[:, None], walk[:, None]), time=t, loss=mse_loss, metric="r2")
    rows = rows_of(made)
    test, near = walk[rows["test"]], walk[rows["train"]]
    distance = (t[rows["test"]][:, None] - t[rows["train"]][None]).abs().min(1)
    assert distance.values.median() > 20  # a row's neighbours in time are not in the training part
    assert len(test) + len(near) < 600
