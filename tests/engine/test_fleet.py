"""A fleet must be what its replicas are alone, whatever the task, the optimizer, the model and the others' fate."""

from dataclasses import replace
from functools import cache
from operator import attrgetter

import numpy as np
import pytest
import torch
from engine.small import KINDS, digits, shard
from torch import nn

from steepest.builtin import task_table as tasks
from steepest.engine import fleet, solo
from steepest.engine.fleet import Fleet, lanes_per_fleet, split_into_fleets
from steepest.engine.layout import Layout
from steepest.engine.solo import Trial
from steepest.optim import catalogue as optimizers
from steepest.optim import drivers
from steepest.records.outcomes import Outcome, Trace
from steepest.records.trials import Lane, Shard
from steepest.tasks.task import Task

STEPS = 100
TOLERANCE = 1e-9
FEWER = {"soap": 20}
"""Steps of a rule that magnifies rounding: where a gradient has nothing, SOAP divides what is left by its own size."""
MANY_OPTIMIZERS = [tasks.entry(name) for name in ("digits", "digits-linear", "housing", "line")]
"""Tasks that every optimizer is tried on; all others are tried with one, in tests/builtin/test_networks.py."""
FULL_DIGITS = [item for item in optimizers.CATALOGUE if item.name != "muon-bfloat16" and not item.rule.second]
"""All that fleets train, but the one that rounds to eight bits in between, where the last may fall to either side."""


@cache
def built_in(name: str) -> Task:
    return tasks.entry(name).build()


def assert_moves_as_alone(task: Task, plan: Shard, steps: int = STEPS) -> None:
    """Train the lanes together and each alone; compare every batch loss, and all weights and buffers at the end."""
    together = Fleet(task, plan, plan.lanes)
    losses = together.train(0, steps)
    buffers = dict(zip(together.extras.stacked, together.tensors, strict=False))
    for i, lane in enumerate(plan.lanes):
        alone = Trial(task, plan, lane)
        np.testing.assert_allclose(losses[:, i], [alone.step(t) for t in range(1, steps + 1)], rtol=0, atol=TOLERANCE)
        weights = Layout.of(alone.model).row(alone.model)
        torch.testing.assert_close(together.flat[i], weights, rtol=0, atol=TOLERANCE)
        for name, buffer in alone.model.named_buffers():
            if name in buffers:
                torch.testing.assert_close(buffers[name][i], buffer, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("task", MANY_OPTIMIZERS, ids=attrgetter("name"))
@pytest.mark.parametrize("optimizer", FULL_DIGITS, ids=attrgetter("name"))
def test_every_optimizer_on_every_task_moves_as_the_plain_loop_does(task, optimizer):
    lanes = (Lane(optimizer.centre / 3, seed=0), Lane(optimizer.centre / 10, seed=1))
    steps = FEWER.get(optimizer.name, STEPS)
    plan = replace(shard(optimizer.name, steps=steps, dtype="float64"), lanes=lanes)
    assert_moves_as_alone(built_in(task.name), plan, steps)


@pytest.mark.parametrize("kind", KINDS, ids=attrgetter("name"))
def test_every_kind_of_model_moves_as_the_plain_loop_does(kind):
    lanes = (Lane(1e-3, seed=0), Lane(3e-3, seed=0), Lane(3e-3, seed=1))
    plan = replace(shard("adam", steps=12, batch_size=8, dtype="float64"), lanes=lanes)
    assert_moves_as_alone(kind.task(), plan, steps=12)


@pytest.mark.parametrize("batch_size", [1, 16, 180], ids=["one", "some", "all"])
@pytest.mark.parametrize("seeds", [(0,), (0, 1)], ids=["shared batches", "own batches"])
def test_curves_are_those_of_the_plain_loop(batch_size, seeds):
    """Evaluations, outcomes and the order of lanes included: one rate of the three is absurd."""
    task = digits(standardize=True, model=lambda: nn.Linear(64, 10))
    plan = shard(
        "sgd", rates=(1e-2, 1e30, 1e-1), seeds=seeds, batch_size=batch_size, schedule="cosine", dtype="float64"
    )
    together, alone = fleet.train(task, plan), solo.train(task, plan)
    assert together.outcome == alone.outcome
    assert set(together.outcome) == {Outcome.OK, Outcome.DIVERGED}
    for name in ("outcome_step", "train_loss", "valid_loss", "valid_metric", "test_loss", "test_metric"):
        np.testing.assert_allclose(getattr(together, name), getattr(alone, name), rtol=0, atol=TOLERANCE, err_msg=name)


def test_two_inputs_and_scaled_targets_reach_every_lane():
    draw = np.random.default_rng(0)
    a, b = draw.normal(size=(90, 3)), draw.normal(5, 2, size=(90, 2))

    class TwoInputs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Linear(3, 1), nn.Linear(2, 1)

        def forward(self, a, b):
            return self.left(a) * self.right(b)

    y = (a[:, :1] + b[:, 1:]) * 40
    task = Task(model=TwoInputs, data=((a, b), y), loss=nn.functional.mse_loss, standardize="both", batch_size=16)
    assert_moves_as_alone(task, shard("adagrad", dtype="float64"), steps=20)


# ---- neighbours ------------------------------------------------------------------------------------------------------


def rows(trace: Trace, places: list[int]) -> list[bytes]:
    names = ("train_loss", "valid_loss", "valid_metric", "test_loss", "test_metric")
    return [getattr(trace, name)[places].tobytes() for name in names]


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam"])
def test_a_diverged_replica_changes_no_bit_of_its_neighbours(optimizer):
    task = digits()
    sane = shard(optimizer, rates=(1e-3, 2e-3, 5e-3), steps=150, evaluate_at=(70, 150))
    absurd = replace(sane, lanes=tuple(replace(lane, rate=1e35) if lane.rate == 2e-3 else lane for lane in sane.lanes))
    before, after = fleet.train(task, sane), fleet.train(task, absurd)
    places = [i for i, lane in enumerate(sane.lanes) if lane.rate != 2e-3]
    assert rows(before, places) == rows(after, places)
    ended = [outcome for outcome in after.outcome if outcome is not Outcome.OK]
    assert ended == [Outcome.DIVERGED] * 2
    assert np.isfinite(before.valid_loss).all()


def test_a_frozen_replica_keeps_finite_weights():
    task = digits()
    plan = shard("momentum", rates=(1e-3, 1e35), seeds=(0,))
    together = Fleet(task, plan, plan.lanes)
    together.train(0, 6)
    assert not together.flat[1].isfinite().all()
    together.freeze(np.array([False, True]))
    losses = together.train(6, 9)
    assert (together.flat[1] == 0).all()
    assert np.isfinite(losses[1:]).all()


def test_dropout_is_drawn_for_each_replica_and_the_same_each_time():
    task = digits(model=lambda: nn.Sequential(nn.Linear(64, 16), nn.Dropout(0.5), nn.ReLU(), nn.Linear(16, 10)))
    plan = shard("sgd", rates=(1e-3, 1e-3), seeds=(0,))
    together = Fleet(task, plan, plan.lanes)
    losses = together.train(0, 10)
    assert together.is_random
    assert (losses[:, 0] != losses[:, 1]).all()
    torch.manual_seed(7)  # whatever others have drawn in between
    assert (Fleet(task, plan, plan.lanes).train(0, 10) == losses).all()
    assert len({*losses[:, 0].tolist()}) == 10


# ---- how lanes are cut, and how they move ----------------------------------------------------------------------------


def test_lanes_come_back_in_the_order_in_which_they_were_handed_out(monkeypatch):
    task = digits()
    plan = shard("adam", rates=(1e-3, 1e-2, 1e-1), seeds=(3, 1, 2), dtype="float64")
    whole = fleet.train(task, plan)
    monkeypatch.setattr(fleet, "lanes_per_fleet", lambda parameters, batch_size: 4)
    parts = split_into_fleets(task, plan, plan.lanes)
    assert [len(part) for part in parts] == [3, 3, 3]
    assert sorted(place for part in parts for place in part) == list(range(9))
    assert [plan.lanes[place].seed for part in parts for place in part] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    told: list[float] = []
    np.testing.assert_allclose(fleet.train(task, plan, progress=told.append).valid_loss, whole.valid_loss, atol=1e-12)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_fleet_has_fewer_lanes_where_each_has_more_to_do():
    assert lanes_per_fleet(3466, 64) > lanes_per_fleet(1_000_000, 64) >= 1
    assert lanes_per_fleet(3466, 1) >= lanes_per_fleet(3466, 64) > lanes_per_fleet(3466, 10_000) >= 1


def test_a_fleet_that_is_updated_some_rows_at_a_time_moves_by_the_same_bits(monkeypatch):
    task, plan = digits(), shard("adam", rates=(1e-3, 1e-2, 1e-3), seeds=(0, 1))
    whole = Fleet(task, plan, plan.lanes)
    losses = whole.train(0, 10)
    monkeypatch.setattr(drivers, "BLOCK", 3000)  # two rows of 1210 parameters
    blocks = Fleet(task, plan, plan.lanes)
    assert (blocks.train(0, 10) == losses).all()
    assert torch.equal(whole.flat, blocks.flat)
