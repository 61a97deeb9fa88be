"""Parts drawn by class, by group, by time and by fold: whole groups, last blocks, and what varies between seeds."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from engine.small import shard
from torch import nn
from torch.nn import functional as F

from steepest.engine import fleet, solo
from steepest.errors import BadTask
from steepest.tasks.check import check
from steepest.tasks.task import Task

RNG = np.random.default_rng(0)
N = 600
X = RNG.normal(size=(N, 3)).astype(np.float32)
Y = RNG.integers(0, 3, N)
PARTS = ("train", "valid", "test")


def task(**what) -> Task:
    usual = {"model": lambda: nn.Linear(3, 3), "loss": F.cross_entropy, "data": (X, Y), "metric": "accuracy"}
    return Task(**{**usual, "batch_size": 16, **what})


def parts(of: Task, seed: int) -> list[np.ndarray]:
    splits = of.splits(seed)
    return [getattr(splits, name) for name in PARTS]


def assert_apart(found: list[np.ndarray]) -> None:
    positions = np.concatenate(found)
    assert len(np.unique(positions)) == len(positions)
    assert all(len(each) for each in found)


# ---- random and stratified -------------------------------------------------------------------------------------------


def test_classes_are_stratified_unless_the_split_is_random():
    rare = (np.arange(N) % 10 == 0).astype(np.int64)
    for split, are_even in (((0.6, 0.2, 0.2), True), ("stratified", True), ("random", False)):
        counts = [
            [int(rare[positions].sum()) for positions in parts(task(data=(X, rare), split=split), seed)]
            for seed in range(4)
        ]
        assert all(count == [36, 12, 12] for count in counts) == are_even, split


def test_a_kind_of_split_may_stand_before_its_shares():
    assert task(split=("random", 0.5, 0.25, 0.25)).sizes == {"train": 300, "valid": 150, "test": 150}
    assert task(split="random").sizes == task().sizes


def test_a_random_split_is_that_of_targets_without_classes():
    a = parts(task(split="random"), 3)
    b = parts(task(data=(X, X), loss=F.mse_loss, metric="r2"), 3)
    assert all(np.array_equal(one, other) for one, other in zip(a, b, strict=True))


# ---- groups ----------------------------------------------------------------------------------------------------------

GROUPS = {
    "equal": np.repeat(np.arange(60), 10),
    "one each": np.arange(N),
    "names": np.array([f"P{i % 37:02d}" for i in range(N)]),
    "objects": np.array([f"P{i % 37:02d}" for i in range(N)], dtype=object),
    "uneven": np.sort(RNG.geometric(0.05, N)),
    "one has half of all rows": np.where(np.arange(N) < N // 2, 0, np.arange(N) % 41),
    "three": np.arange(N) % 3,
    "floats": (np.arange(N) % 20) / 4,
}


@pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS)
def test_a_group_is_in_one_part(groups):
    a_task = task(groups=groups)
    seen = set()
    for seed in range(4):
        found = parts(a_task, seed)
        assert_apart(found)
        assert sum(map(len, found)) == N
        names = [set(groups[positions].tolist()) for positions in found]
        assert not (names[0] & names[1] or names[0] & names[2] or names[1] & names[2])
        seen.add(tuple(found[2].tolist()))
    assert len(seen) > 1
    assert "train/validation/test split by group" in a_task.facts().luck


@pytest.mark.parametrize("name", ["equal", "one each", "names", "uneven"])
def test_parts_of_groups_have_their_shares_as_closely_as_groups_allow(name):
    a_task = task(groups=GROUPS[name])
    largest = np.unique(GROUPS[name], return_counts=True)[1].max()
    for seed in range(4):
        for found, share in zip(parts(a_task, seed), (0.6, 0.2, 0.2), strict=True):
            assert abs(len(found) - share * N) <= largest


def test_groups_of_one_class_each_are_stratified_by_it():
    groups = np.repeat(np.arange(60), 10)
    sick = (groups % 2).astype(np.int64)
    for seed in range(3):
        assert [sick[positions].mean() for positions in parts(task(data=(X, sick), groups=groups), seed)] == [0.5] * 3


def test_validation_is_drawn_by_group_from_an_official_training_part():
    groups = np.arange(400) % 50
    a_task = task(data=None, train=(X[:400], Y[:400]), test=(X[400:], Y[400:]), groups=groups)
    train, valid, test = parts(a_task, 1)
    assert not set(groups[train]) & set(groups[valid])
    assert np.array_equal(test, np.arange(400, 600))
    assert "train/validation split by group" in a_task.facts().luck


@pytest.mark.usefixtures("one_thread")
def test_a_group_effect_is_not_mistaken_for_knowledge():
    """40 patients with a diagnosis each and measurements that say who they are, not what they have."""
    draw = np.random.default_rng(5)
    who = np.repeat(np.arange(40), 20)
    sick = draw.permutation(np.arange(40) % 2)[who]
    person = np.eye(40, dtype=np.float32)[who]
    x = np.concatenate([person, draw.normal(size=(800, 3)).astype(np.float32)], axis=1)
    what = {"model": lambda: nn.Linear(43, 2), "data": (x, sick), "batch_size": 32, "epochs": 20}
    plan = shard("adam", rates=(3e-2,), seeds=(0, 1, 2), steps=150, evaluate_at=(150,))
    apart = solo.train(task(**what), plan).test_metric
    by_group = solo.train(task(groups=who, **what), plan).test_metric
    assert apart.mean() > 0.95
    assert 0.40 <= by_group.mean() <= 0.60


# ---- time ------------------------------------------------------------------------------------------------------------

TIMES = {
    "numbers": np.arange(N),
    "shuffled": RNG.permutation(N),
    "dates": np.datetime64("2020-01-01") + np.arange(N),
    "texts": np.array([str(np.datetime64("2020-01-01") + i) for i in range(N)]),
    "three a day": np.datetime64("2020-01-01") + np.arange(N) // 3,
    "a few busy days": np.minimum(RNG.geometric(0.02, N), 120),
    "uneven seconds": np.cumsum(RNG.exponential(size=N)),
}


@pytest.mark.parametrize("time", TIMES.values(), ids=TIMES)
def test_validation_and_test_come_after_the_training_part(time):
    a_task = task(time=time)
    starts = set()
    time = np.unique(time, return_inverse=True)[1]
    for seed in range(6):
        found = parts(a_task, seed)
        assert_apart(found)
        for earlier, later in pairwise(found):
            assert time[earlier].max() < time[later].min()
        used = np.sort(time[np.concatenate(found)])
        between = (np.sort(time) >= used[0]) & (np.sort(time) <= used[-1])
        assert between.sum() == len(used)
        starts.add(str(used[0]))
    assert len(starts) > 2
    assert "position of the time window" in a_task.facts().luck


def test_windows_have_the_sizes_of_their_shares():
    for seed in range(5):
        assert [*map(len, parts(task(time=np.arange(N)), seed))] == [288, 96, 96]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("walk_seed", [1, 2])
def test_a_random_walk_cannot_be_forecast_from_its_date(walk_seed):
    draw = np.random.default_rng(walk_seed)
    days = np.arange(900)
    price = draw.normal(size=900).cumsum()
    x = np.stack([days / 450 - 1, draw.normal(size=900)], 1).astype(np.float32)
    what = {
        "model": lambda: nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1)),
        "loss": F.mse_loss,
        "data": (x, price[:, None]),
        "metric": "r2",
        "standardize": "both",
        "batch_size": 32,
    }
    plan = shard("adam", rates=(1e-2,), seeds=(0, 1), steps=300, evaluate_at=(300,))
    assert solo.train(task(**what), plan).test_metric.mean() > 0.6
    assert solo.train(task(time=days, **what), plan).test_metric.mean() <= 0


# ---- folds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [3, 4, 5, 10])
def test_every_fold_is_test_in_turn_and_another_one_is_validation(k):
    folds = np.arange(N) % k
    a_task = task(folds=folds)
    found = [[set(folds[positions]) for positions in parts(a_task, seed)] for seed in range(2 * k)]
    for train, valid, test in found:
        assert (len(train), len(valid), len(test)) == (k - 2, 1, 1)
        assert not (train & valid or train & test or valid & test)
    tests = [min(test) for *_, test in found]
    assert sorted(tests) == sorted([*range(k)] * 2)
    pairs = {(min(valid), min(test)) for _, valid, test in found}
    assert len(pairs) == 2 * k
    assert "which folds are validation and test" in a_task.facts().luck


def test_of_two_folds_one_is_test_and_validation_is_drawn_from_the_other():
    folds = np.where(np.arange(N) < 300, "a", "b")
    for seed in range(3):
        train, valid, test = parts(task(folds=folds), seed)
        assert {*folds[test]} == {"ab"[seed % 2]}
        assert {*folds[train]} == {*folds[valid]} == {"ba"[seed % 2]}
        assert len(valid) == 75


def test_folds_that_name_the_parts_are_the_parts_of_every_seed():
    names = np.array(["Train", "val", "test"])[RNG.choice(3, N, p=[0.6, 0.2, 0.2])]
    a_task = task(folds=names)
    for seed in range(2):
        for name, positions in zip(("Train", "val", "test"), parts(a_task, seed), strict=True):
            assert np.array_equal(positions, np.flatnonzero(names == name))
    assert not [drawn for drawn in a_task.facts().luck if "split" in drawn or "fold" in drawn]


def test_from_an_official_training_part_each_fold_is_validation_in_turn():
    folds = np.arange(400) % 4
    a_task = task(data=None, train=(X[:400], Y[:400]), test=(X[400:], Y[400:]), folds=folds)
    assert [{*folds[a_task.splits(seed).valid]} for seed in range(5)] == [{0}, {1}, {2}, {3}, {0}]


# ---- engines and errors ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("one_thread")
def test_seeds_with_parts_of_different_sizes_train_together_as_alone():
    groups = GROUPS["uneven"]
    a_task = task(groups=groups)
    sizes = {len(a_task.splits(seed).train) for seed in range(3)}
    assert len(sizes) > 1
    check(a_task)
    for batch_size in (16, len(a_task.splits(0).train)):
        plan = shard("adam", rates=(1e-2,), seeds=(0, 1, 2), steps=6, evaluate_at=(6,), dtype="float64")
        plan = replace(plan, batch_size=batch_size)
        a, b = fleet.train(a_task, plan), solo.train(a_task, plan)
        assert a.test_metric == pytest.approx(b.test_metric, abs=1e-9)
        assert a.train_loss == pytest.approx(b.train_loss, abs=1e-9)


MISSING = np.where(np.arange(N) == 7, np.nan, np.arange(N))
WRONG = {
    "both": ({"groups": Y, "time": np.arange(N)}, "groups and time are both given"),
    "length": ({"groups": [1, 2, 3]}, r"groups has the shape \[3\].*each of the 600 examples"),
    "missing": ({"time": MISSING}, "time has 1 missing value, the first at row 7. Fill it in, or remove this row"),
    "missing group": ({"groups": [None, *"abc" * 199, "d", "e"]}, "groups has 1 missing value, the first at row 0"),
    "few groups": ({"groups": Y % 2}, "groups has only 2 different values; a split by group needs at least 3"),
    "words": ({"time": ["noon"] * N}, "time has values such as 'noon'"),
    "one time": ({"time": np.zeros(N)}, "time has only one value; a split by time needs at least 6"),
    "one fold": ({"folds": np.zeros(N)}, "folds has only one value; a split by fold needs at least 2"),
    "no test": ({"folds": ["train", "valid"] * (N // 2)}, "folds names the parts train, valid, but train, valid, test"),
    "kind": ({"split": "grouped"}, "split is 'grouped'. Possible"),
    "kind and shares": ({"split": ("random", 0.6, 0.2)}, "sum to 1"),
    "no classes": ({"split": "stratified", "data": (X, X), "loss": F.mse_loss, "metric": "mse"}, "not class numbers"),
    "time and classes": ({"split": "stratified", "time": np.arange(N)}, "cannot be stratified"),
    "nothing drawn": (
        {"data": None, "train": (X, Y), "valid": (X, Y), "test": (X, Y), "groups": Y},
        "no part is drawn",
    ),
}


@pytest.mark.parametrize(("what", "words"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_split_so_is_refused(what, words):
    with pytest.raises(BadTask, match=words):
        task(**what)
