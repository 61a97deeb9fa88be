"""Rows that parts share, and columns that leak, group or order the rows, as `check` reports them for Python tasks."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from steepest.checks.all_checks import warnings_about
from steepest.checks.shared_rows import repeated_rows, row_hashes, shared_rows
from steepest.tasks.task import Task

RNG = np.random.default_rng(0)
X = RNG.normal(size=(260, 10)).astype(np.float32)
Y = (X[:, 0] + RNG.normal(size=260) > 0).astype(np.int64)


def task(**what) -> Task:
    width = what.pop("width", 10)
    usual = {"model": lambda: nn.Linear(width, 2), "loss": F.cross_entropy, "metric": "accuracy", "batch_size": 16}
    return Task(**{**usual, **what})


def said(of: Task) -> dict[str, tuple[str, str]]:
    return {each.id: (each.severity, str(each.message)) for each in warnings_about(of)}


# ---- shared rows -----------------------------------------------------------------------------------------------------


def test_the_same_arrays_as_validation_and_test_are_reported():
    held = (X[200:], Y[200:])
    severity, words = said(task(train=(X[:200], Y[:200]), valid=held, test=held))["shared-rows"]
    assert severity == "severe"
    assert "60 of the 60 rows of test are in valid too" in words


def copies(count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([X, X[:count]]), np.concatenate([Y, Y[:count]])


SHARED = {
    "test within train": ({"train": (X, Y), "valid": (X[:0:-9] + 9, Y[:0:-9]), "test": (X[:50], Y[:50])}, "severe"),
    "all rows twice": ({"data": copies(260)}, "severe"),
    "every fourth row twice": ({"data": copies(65)}, "severe"),
    "one row of 200": ({"train": (X[:50], Y[:50]), "valid": (X[:40] + 9, Y[:40]), "test": (X[49:], Y[49:])}, "note"),
    "two rows twice": ({"data": copies(2), "split": (0.4, 0.3, 0.3)}, ("warning", None)),
    "negative zero": (
        {"train": (np.where(X > 0, 0.0, -1), Y), "valid": (X, Y), "test": (np.where(X > 0, -0.0, -1)[:60], Y[:60])},
        "severe",
    ),
    "few rows are possible": ({"data": (np.sign(X[:, :2]), Y), "width": 2}, "note"),
    "one-hot categories": ({"data": (np.eye(4)[RNG.integers(0, 4, 260)], Y), "width": 4}, "note"),
    "none": ({"data": (X, Y)}, None),
    "same inputs, other targets": (
        {"train": (X[:100], Y[:100]), "valid": (X[100:], Y[100:]), "test": (X[:100], 1 - Y[:100])},
        None,
    ),
}


@pytest.mark.parametrize(("given", "severity"), SHARED.values(), ids=SHARED)
def test_rows_that_parts_share_are_reported_by_their_number(given, severity):
    for part in {"data", "train", "valid", "test"} & set(given):
        x, y = given[part]
        given = {**given, part: (x.astype(np.float32), y)}
    found = said(task(**given)).get("shared-rows", (None, ""))[0]
    assert found in severity if isinstance(severity, tuple) else found == severity


@pytest.mark.parametrize(("repeated", "severity"), [(40, "warning"), (260, "severe")])
def test_phrases_repeat_in_a_text_whose_next_token_is_predicted(repeated, severity):
    text = torch.randint(20, (260, 9), generator=torch.Generator().manual_seed(0))
    text = torch.cat([text, text[:repeated]])
    model = nn.Sequential(nn.Embedding(20, 4), nn.Linear(4, 20))
    found = said(
        task(model=lambda: model, data=(text[:, :-1], text[:, 1:]), loss=lambda a, b: F.cross_entropy(a.mT, b))
    )
    assert found["shared-rows"][0] == severity


def test_rows_kept_together_by_group_are_not_shared():
    x, y = copies(130)
    groups = np.concatenate([np.arange(260), np.arange(130)])
    assert said(task(data=(x, y)))["shared-rows"][0] == "severe"
    assert "shared-rows" not in said(task(data=(x, y), groups=groups))


@pytest.mark.parametrize(
    "columns",
    [
        [X],
        [X.astype(np.float64), Y],
        [np.arange(2600).reshape(260, 2, 5)],
        [(X > 0) * np.arange(260)[:, None] % 2 == 1, np.arange(260)],
        [np.arange(260).astype(str)],
        [np.arange(260, dtype=np.uint8)[:, None] // 1, np.arange(260, dtype=np.int16)],
    ],
    ids=["floats", "two columns", "pictures", "booleans", "texts", "short integers"],
)
def test_different_rows_have_different_hashes_and_equal_rows_equal_ones(columns):
    assert len(np.unique(row_hashes(columns))) == 260
    twice = [np.concatenate([column, column[::-1]]) for column in columns]
    assert repeated_rows(twice) == 260
    both = shared_rows(twice, {"a": np.arange(260), "b": np.arange(260, 520)})
    assert [(each.count, each.of) for each in both] == [(260, 260)]


def test_the_order_of_columns_and_rows_counts():
    assert row_hashes([np.array([[1, 2]])]) != row_hashes([np.array([[2, 1]])])
    assert (row_hashes([np.array([[1.0, 2.0], [3.0, 4.0]])]) == row_hashes([np.array([[1.0, 2.0], [3.0, 4.0]])])).all()


# ---- columns ---------------------------------------------------------------------------------------------------------

WHO = np.repeat(np.arange(40), 20)
SICK = np.random.default_rng(3).permutation(np.arange(40) % 2)[WHO]
VISITS = np.column_stack([WHO, RNG.normal(75, 9, 800), RNG.normal(36.8, 0.4, 800)]).astype(np.float32)


def test_rows_of_patients_are_asked_about():
    severity, words = said(task(data=(VISITS, SICK), width=3, standardize=True))["groups-apart"]
    assert severity == "severe"
    assert words.startswith("Rows repeat per inputs[:, 0]: 40 values, each with one target.")
    assert "groups=" in words
    assert 'split="random"' in words


@pytest.mark.parametrize(
    ("answer", "severity"), [({"groups": WHO}, None), ({"split": "random"}, "note"), ({"folds": WHO % 5}, None)]
)
def test_an_answer_settles_the_question(answer, severity):
    found = said(task(data=(VISITS, SICK), width=3, standardize=True, **answer))
    assert found.get("groups-apart", (None,))[0] == severity


def test_patients_that_are_apart_in_given_parts_are_no_question():
    cuts = {"train": WHO < 24, "valid": (WHO >= 24) & (WHO < 32), "test": WHO >= 32}
    parts = {name: (VISITS[cut], SICK[cut]) for name, cut in cuts.items()}
    assert "groups-apart" not in said(task(width=3, standardize=True, **parts))
    mixed = {name: (VISITS[i::3], SICK[i::3]) for i, name in enumerate(cuts)}
    assert said(task(width=3, standardize=True, **mixed))["groups-apart"][0] == "severe"


def walking(**what) -> Task:
    price = np.random.default_rng(2).normal(size=900).cumsum()
    x = np.column_stack([np.arange(900), RNG.integers(1000, 9000, 900)]).astype(np.float32)
    usual = {"data": (x, price[:, None]), "loss": F.mse_loss, "metric": "r2", "standardize": "both"}
    return task(model=lambda: nn.Linear(2, 1), **{**usual, **what})


def test_a_random_walk_by_day_is_asked_about():
    severity, words = said(walking())["time-order"]
    assert severity == "warning"
    assert "time=" in words
    assert "time-order" not in said(walking(time=np.arange(900)))
    assert said(walking(split="random"))["time-order"][0] == "note"


def test_a_leaking_column_is_reported_by_its_place():
    x = np.column_stack([X, 1.8 * Y + 32]).astype(np.float32)
    severity, words = said(task(data=(x, Y), width=11))["target-leak"]
    assert severity == "severe"
    assert words.startswith("Possible leak: Each value of inputs[:, 10] has one class.")
    two = ((torch.tensor(X), torch.tensor(x[:, 10:])), Y)

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(11, 2)

        def forward(self, a, b):
            return self.layer(torch.cat([a, b], 1))

    assert "inputs[1][:, 0]" in said(task(model=Both, data=two))["target-leak"][1]


def test_a_threshold_of_a_column_and_a_wide_gap_are_warnings():
    severity, words = said(task(data=(X, (X[:, 3] > 0.2).astype(np.int64))))["target-leak"]
    assert severity == "warning"
    assert "inputs[:, 3] gives the target by thresholds: for 100.0% of the rows." in words
    y = np.arange(260) % 2
    blobs = RNG.normal(size=(260, 3)) + 20 * y[:, None]
    assert said(task(data=(blobs, y), width=3))["target-leak"][0] == "warning"
