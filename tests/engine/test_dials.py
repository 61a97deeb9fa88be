"""Lanes of one fleet may differ in every setting of their rule and in their schedule: each is as it is alone."""

from dataclasses import replace

import pytest
from engine.small import digits, shard
from engine.test_fleet import assert_moves_as_alone

from steepest.engine import fleet, solo
from steepest.engine.lane_settings import schedule_of, settings_of
from steepest.engine.object_registry import EMPTY_REGISTRY, ConfiguredRule
from steepest.optim.schedules import SCHEDULES, schedule, warmed_up
from steepest.records.dial import packed, unpacked
from steepest.records.trials import Lane, Shard

DIALS = {
    "adamw": [{}, {"weight_decay": 0.0}, {"weight_decay": 0.3, "b2": 0.95}, {"schedule": "cosine", "warmup": 0.1}],
    "nadam": [{}, {"b1": 0.5, "psi": 0.1}, {"warmup": 0.2}, {"weight_decay": 0.1}],
    "momentum": [{"momentum": 0.0}, {"momentum": 0.99, "weight_decay": 1e-3}, {"schedule": "warmup-stable-decay"}],
    "muon": [{}, {"momentum": 0.5, "schedule": "linear"}],
}


def with_dials(optimizer: str, steps: int = 25, **choices) -> Shard:
    """Two rates of each setting, so that some lanes share their dials."""
    plan = shard(optimizer, steps=steps, dtype="float64", **choices)
    rates = (plan.contender.centre / 3, plan.contender.centre)
    lanes = [Lane(rate, seed, "search", packed(each)) for seed in (0, 1) for each in DIALS[optimizer] for rate in rates]
    return replace(plan, lanes=tuple(lanes))


@pytest.mark.parametrize("optimizer", DIALS)
def test_a_fleet_of_several_settings_moves_as_the_plain_loop_does(optimizer):
    assert_moves_as_alone(digits(), with_dials(optimizer), steps=25)


@pytest.mark.compile
def test_so_does_a_compiled_one():
    plan = with_dials("adamw", compiled=("gradient", "update"))
    task = digits()
    together, alone = fleet.train(task, plan), solo.train(task, plan)
    assert abs(together.valid_loss - alone.valid_loss).max() < 1e-9
    assert len({*map(tuple, together.valid_loss.tolist())}) == len(plan.lanes)  # no dial is without effect


def test_a_group_of_parameters_keeps_the_settings_of_its_own():
    plan = shard("adamw", steps=10, dtype="float64")
    contender = replace(plan.contender, settings={"groups": "vectors.weight_decay=0"})
    lanes = tuple(Lane(1e-2, 0, "search", packed({"weight_decay": each})) for each in (0.0, 5.0))
    plan = replace(plan, contender=contender, lanes=lanes)
    assert_moves_as_alone(digits(), plan, steps=10)
    optimizer = EMPTY_REGISTRY.optimizer(contender)
    assert isinstance(optimizer, ConfiguredRule)
    grouped = optimizer.for_parameters(digits().build_model(0))[0]
    assert {settings_of(each, lanes[1])["weight_decay"] for each in grouped} == {0.0, 5.0}


@pytest.mark.parametrize("words", SCHEDULES)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_a_warm_up_takes_the_place_of_the_schedules_own(words, share):
    factor = schedule(warmed_up(words, share))
    assert factor(max(1, round(100 * share)), 100) == pytest.approx(1, abs=1e-3)
    assert share < 0.1 or factor(1, 100) < 0.2
    assert schedule_of(shard(schedule=words), Lane(1.0, 0, dials=packed({"warmup": share}))) == warmed_up(words, share)


def test_values_are_packed_exactly_and_in_one_order():
    values = {"b2": 0.1 + 0.2, "a": "cosine", "c": True, "b": 1e-320}
    assert unpacked(packed(values)) == values
    assert packed(values) == packed(dict(reversed(values.items())))
    assert packed({}) == "" and unpacked("") == {}


def test_a_lane_without_dials_is_stored_as_before():
    stored = shard().to_json()
    assert "dials" not in stored["lanes"][0] and not {"dials", "search"} & stored["contender"].keys()
    turned = with_dials("momentum")
    assert Shard.from_json(turned.to_json()) == turned
