"""Columns that look like ids and explain the target are asked about; amounts, towns and chance are not."""

from hashlib import sha256

import numpy as np
import pytest

from steepest.checks.group_effects import group_effects
from steepest.checks.leaks import Column, leaks

RNG = np.random.default_rng(5)
WHO = RNG.permutation(np.repeat(np.arange(40), 10))
OWN = RNG.normal(size=40)
HEIGHT = OWN[WHO] + 0.8 * RNG.normal(size=400)
TALL = (HEIGHT > 0).astype(np.int64)


def texts(form: str, ids: np.ndarray = WHO) -> Column:
    return Column("who", ids, is_category=True, labels=[form.format(37 * i % 101) for i in range(40)])


IDS = {
    "numbered texts": texts("plot {}"),
    "codes": texts("SN-{:04d}"),
    "hashes": Column("who", WHO, True, labels=[sha256(bytes([i])).hexdigest()[:12] for i in range(40)]),
    "whole numbers": Column("who", RNG.permutation(4000)[:40][WHO].astype(float)),
    "names, equally often": Column("who", WHO, True, labels=[chr(97 + i % 26) * (2 + i // 26) for i in range(40)]),
}


@pytest.mark.parametrize("kind", IDS)
def test_an_id_that_explains_the_target_is_found(kind):
    for target, is_class in ((HEIGHT, False), (np.exp(5 * HEIGHT), False), (TALL, True)):
        found = group_effects([IDS[kind]], target, is_class)
        assert found["who"] == pytest.approx(0.6 if not is_class else 0.4, abs=0.15)


@pytest.mark.parametrize("kind", IDS)
def test_an_id_that_explains_nothing_is_not_asked_about(kind):
    for seed in range(20):
        draw = np.random.default_rng(seed)
        assert group_effects([IDS[kind]], draw.normal(size=400), False) == {}
        assert group_effects([IDS[kind]], (draw.random(400) < 0.02).astype(np.int64), True) == {}


def test_inputs_that_explain_the_target_are_no_ids():
    draw = np.random.default_rng(1)
    town = draw.choice(25, 2000, p=draw.dirichlet(np.full(25, 2)))
    age = draw.integers(18, 80, 2000).astype(float)
    columns = [
        Column("town", town, True, labels=[chr(97 + i) * 4 for i in range(25)]),
        Column("age", age),
        Column("range", (age // 3).astype(int), True, labels=[f"{3 * i}-{3 * i + 2}" for i in range(27)]),
        Column("size", (age * 1.1).round(1)),
        Column("grade", draw.integers(0, 5, 2000).astype(float)),
    ]
    rent = draw.normal(size=25)[town] + np.sin(age / 9) + 0.3 * draw.normal(size=2000)
    assert group_effects(columns, rent, False) == {}
    assert group_effects(columns, (rent > 0).astype(np.int64), True) == {}


# ---- thresholds ------------------------------------------------------------------------------------------------------

POINTS = RNG.normal(60, 15, 400).round(1)
OTHER = Column("other", RNG.normal(size=400))
THRESHOLDS = {
    "one threshold": POINTS > 61.3,
    "three thresholds": np.digitize(POINTS, [45, 60, 75]),
    "a range": (POINTS > 50) & (POINTS < 70),
    "a noisy copy": POINTS + 0.02 * RNG.normal(size=400) > 58,
    "few cases": np.sort(POINTS)[-13] < POINTS,
}


@pytest.mark.parametrize("kind", THRESHOLDS)
@pytest.mark.parametrize("change", [lambda x: x, np.log, lambda x: -3 * x, lambda x: x.argsort().argsort()])
def test_a_target_made_by_thresholds_of_a_column_is_found(kind, change):
    values = change(POINTS - POINTS.min() + 1).astype(float)
    found = leaks([Column("points", values), OTHER], THRESHOLDS[kind].astype(np.int64), is_class=True)
    assert [(leak.kind, leak.column.name) for leak in found] == [("separates", "points")]


def test_grades_as_numbers_are_thresholds_too():
    found = leaks([Column("points", POINTS), OTHER], np.digitize(POINTS, [45, 60, 75]).astype(float), is_class=False)
    assert [(leak.kind, leak.column.name) for leak in found] == [("separates", "points")]


def test_a_strong_column_and_a_few_cases_are_no_thresholds():
    draw = np.random.default_rng(2)
    for error in (4.0, 1.5):
        target = (POINTS + error * draw.normal(size=400) > 60).astype(np.int64)
        assert leaks([Column("points", POINTS), OTHER], target, is_class=True) == []
    four = (np.sort(POINTS)[-5] < POINTS).astype(np.int64)
    assert leaks([Column("points", POINTS), OTHER], four, is_class=True) == []
