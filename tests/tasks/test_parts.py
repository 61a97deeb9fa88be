"""The three parts of every built-in task: no example in two of them, scales of the seed's own training part, and a test
part that decides nothing. Data sets that are not bundled are looked at where they have been fetched."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from engine.small import digits, shard

from steepest.builtin import task_table
from steepest.engine import fleet, solo
from steepest.tasks.splits import Splits
from steepest.tasks.task import Task

pytestmark = pytest.mark.usefixtures("one_thread")

BUNDLED = ("", "digits")
OFFICIAL = ("mnist", "fashion", "newsgroups")
"""Data with a test part of their publisher's."""
FIXED = ("shakespeare", "load", "")
"""Data whose parts do not depend on the seed: by play, by time, or made from a fixed generator."""
ALIKE = {"adult": 2, "news-bow": 3, "news-bow-sparse": 3, "reviews-zh": 1}
"""People who differ in their income alone, and texts that differ in rare words or beyond what is looked at: so many of
one part are in another."""


def on_data(*kinds: str):
    """The tasks of these kinds, those on fetched data marked as such."""
    return [
        pytest.param(entry, marks=() if entry.data in BUNDLED else pytest.mark.data, id=entry.name)
        for entry in task_table.CATALOGUE
        if entry.kind in kinds
    ]


def parts(splits: Splits) -> dict[str, np.ndarray]:
    return {"train": splits.train, "valid": splits.valid, "test": splits.test}


def examples(splits: Splits, positions: np.ndarray) -> set[bytes]:
    """What the model sees of each example, as bytes."""
    columns = [
        column[torch.from_numpy(positions)].flatten(1 if column.ndim > 1 else 0).numpy() for column in splits.inputs
    ]
    return {b"".join(row.tobytes() for row in rows) for rows in zip(*columns, strict=True)}


@pytest.mark.parametrize("entry", on_data("images", "tables", "series", "texts"))
def test_no_example_is_in_two_parts(entry):
    task = entry.build()
    a, b = task.splits(0), task.splits(1)
    for splits in (a, b):
        positions = np.concatenate([*parts(splits).values()])
        assert len(np.unique(positions)) == len(positions) == sum(task.sizes.values())
    assert np.array_equal(a.test, b.test) == (entry.data in (*OFFICIAL, *FIXED))
    assert np.array_equal(a.valid, b.valid) == (entry.data in FIXED)
    seen = {name: examples(a, positions) for name, positions in parts(a).items()}
    for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
        assert len(seen[one] & seen[other]) <= ALIKE.get(entry.name, 0), (one, other)


@pytest.mark.parametrize("entry", on_data("images", "tables", "series", "texts"))
def test_classes_are_shared_out_evenly_where_parts_are_drawn(entry):
    splits = entry.build().splits(3)
    labels = splits.targets
    if labels.ndim > 1 or labels.is_floating_point() or entry.data in FIXED:
        return
    drawn = ("train", "valid") if entry.data in OFFICIAL else ("train", "valid", "test")
    shares = [
        torch.bincount(labels[torch.from_numpy(parts(splits)[name])]) / len(parts(splits)[name]) for name in drawn
    ]
    for share in shares[1:]:
        assert float((share - shares[0]).abs().max()) <= 1.5 / min(len(parts(splits)[name]) for name in drawn)


def assert_own_scales(task: Task) -> None:
    """The scales of each seed are those of its own training part; whatever stands elsewhere has no say in them."""
    scales = []
    for seed in (0, 1):
        splits = task.splits(seed)
        assert splits.scaling is not None
        x = splits.inputs[0][torch.from_numpy(splits.train)].double().numpy()
        assert splits.scaling.input_shift.numpy() == pytest.approx(x.mean(0), rel=1e-5, abs=1e-6)
        deviation = np.where(x.max(0) == x.min(0), 1, x.std(0))
        assert splits.scaling.input_scale.numpy() == pytest.approx(deviation, rel=1e-5, abs=1e-6)
        (scaled, *_), y = task.batch(splits, splits.train)
        assert scaled.mean(0).abs().max() < 1e-3
        if splits.scaling.target_shift is not None:
            assert float(y.mean().abs()) < 1e-3
            assert float(y.std(correction=0)) == pytest.approx(1, abs=1e-3)
        scales.append(splits.scaling.input_shift)
    assert not torch.equal(*scales)


@pytest.mark.data
@pytest.mark.parametrize("name", ["housing", "adult"])
def test_scales_of_fetched_data_are_those_of_the_seeds_own_training_part(name):
    pytest.importorskip("pyarrow")
    assert_own_scales(task_table.entry(name).build())


def test_what_stands_in_other_parts_has_no_say_in_the_scales():
    x, y = digits().data
    split = {"standardize": "inputs", "split": (0.5, 0.25, 0.25)}
    plain = digits(**split)
    assert_own_scales(plain)
    own = plain.splits(0)
    spoilt = x.copy()
    spoilt[np.concatenate([own.valid, own.test])] = 1e6
    scaling = digits(data=(spoilt, y), **split).splits(0).scaling
    assert scaling is not None
    assert own.scaling is not None
    assert torch.equal(scaling.input_shift, own.scaling.input_shift)
    assert torch.equal(scaling.input_scale, own.scaling.input_scale)


@pytest.mark.parametrize(
    ("train", "schedule"),
    [(solo.train, "constant"), (solo.train, "plateau"), (fleet.train, "constant")],
    ids=["solo", "solo on a plateau", "fleet"],
)
def test_a_test_part_decides_nothing(train, schedule):
    """With test labels that say something else, every curve and every rate that is stopped is the same; only what is
    told of the test part differs."""
    x, y = digits().data
    cuts = {"train": slice(0, 180), "valid": slice(180, 240), "test": slice(240, 300)}
    given: dict[str, Any] = {name: (x[cut], y[cut]) for name, cut in cuts.items()}
    spoilt = {**given, "test": (x[cuts["test"]], (y[cuts["test"]] + 1) % 10)}
    plan = shard(
        "momentum", rates=(1e-3, 1e-2, 1e-1), seeds=(0,), schedule=schedule, steps=24, evaluate_at=(6, 12, 18, 24)
    )
    if schedule == "constant":
        plan = replace(plan, rungs=((6, 2), (12, 1)))
    a, b = (train(digits(data=None, **each), plan) for each in (given, spoilt))
    for name in ("train_loss", "valid_loss", "valid_metric", "outcome_step"):
        assert np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True)
    assert a.outcome == b.outcome
    assert not np.array_equal(a.test_metric, b.test_metric, equal_nan=True)
