"""Both engines record the test examples of the trials that seeds pick, however these were trained."""

from dataclasses import replace

import numpy as np
import pytest
from engine.small import digits, shard
from torch.nn import functional as F

from steepest.builtin.models import mlp
from steepest.engine import fleet, solo
from steepest.records.example_outcomes import Contributions, candidates
from steepest.records.ranking import picked_lanes

RATES = (1e-4, 1e-3, 1e-2, 3e-2)


def recorded(trace) -> dict[int, Contributions]:
    assert trace.examples is not None
    return {int(lane): trace.examples.of(int(lane)) for lane in trace.examples.lanes}


def picks(asked, trace) -> set[int]:
    return picked_lanes(asked.lanes, trace.outcome, trace.valid_metric[:, -1], trace.valid_loss[:, -1], True)


def same(one: dict[int, Contributions], other: dict[int, Contributions]) -> bool:
    alike = [np.mean(one[lane].values != other[lane].values) < 0.05 for lane in one]
    return one.keys() == other.keys() and all(alike)


@pytest.mark.parametrize(
    "choices",
    [{}, {"rungs": ((2, 3), (8, 2))}, {"width": 3}, {"compiled": ("gradient", "update")}],
    ids=["fleet", "racing", "several fleets", "compiled"],
)
def test_each_seed_has_the_examples_of_its_pick(choices):
    task, asked = digits(), shard(rates=RATES, evaluate_at=(2, 8, 20), **choices)
    trace = fleet.train(task, asked)
    found = recorded(trace)
    assert found.keys() == picks(asked, trace) and len(found) == 2
    for lane, each in found.items():
        assert each.right and each.size == 60
        assert each.values.mean() == pytest.approx(trace.test_metric[lane], abs=1e-6)
        tested = task.splits(asked.lanes[lane].seed).test
        np.testing.assert_array_equal(np.flatnonzero(each.mask), tested)
    assert same(recorded(solo.train(task, replace(asked, compiled=()))), found)


def test_the_examples_are_those_of_the_best_weights_where_training_stops_early():
    task, asked = digits(), shard(rates=RATES, steps=40, evaluate_at=tuple(range(4, 41, 4)))
    asked = replace(asked, contender=replace(asked.contender, axes={"early-stopping": 1.0}))
    for train in (fleet.train, solo.train):
        trace = train(task, asked)
        found = recorded(trace)
        assert found.keys() == picks(asked, trace)
        for lane, each in found.items():
            assert each.values.mean() == pytest.approx(trace.test_metric[lane], abs=1e-6)


def test_the_same_job_gives_the_same_bytes():
    one, other = (fleet.train(digits(metric="auroc"), shard()).examples for _ in range(2))
    assert one is not None and other is not None
    assert [getattr(one, name).tobytes() for name in ("lanes", "masks", "values", "scales", "sizes")] == [
        getattr(other, name).tobytes() for name in ("lanes", "masks", "values", "scales", "sizes")
    ]


def test_whole_groups_count_where_groups_are_drawn():
    task = digits(groups=np.arange(300) // 5)
    trace = fleet.train(task, shard())
    for lane, each in recorded(trace).items():
        tested = task.splits(shard().lanes[lane].seed).test
        assert not each.right and len(each.mask) == 60 and each.size == len(np.unique(tested // 5))
        assert each.values.mean() == pytest.approx(0.0, abs=1e-4)


def test_series_and_metrics_without_a_form_by_example_leave_the_curves_as_they_were():
    def worst(outputs, targets):
        return -F.cross_entropy(outputs, targets, reduction="none").max()

    series = digits(time=np.arange(300))
    assert fleet.train(series, shard()).examples is None
    assert fleet.train(digits(metric=worst), shard()).examples is None


def test_trials_without_a_result_have_none():
    trace = fleet.train(digits(), shard("sgd", rates=(1e30,)))
    assert trace.examples is None


def test_a_large_test_part_is_thinned_in_the_same_way_for_all_seeds(monkeypatch):
    monkeypatch.setattr("steepest.records.example_outcomes.MAX_EXAMPLES", 30)
    candidates.cache_clear()
    found = recorded(fleet.train(digits(model=lambda: mlp((64, 10))), shard(steps=10)))
    candidates.cache_clear()
    for each in found.values():
        assert 0 < each.mask.sum() < 60 and each.size == 60 and len(each.mask) == 150
