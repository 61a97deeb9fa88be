"""Step times are of the size that a stopwatch beside the loop would read."""

from dataclasses import replace
from statistics import median
from time import perf_counter

import pytest
import torch
from engine.small import digits, shard

from steepest.engine.calibrate import step_time
from steepest.engine.object_registry import ObjectRegistry
from steepest.engine.solo import Trial
from steepest.records.contender import Contender
from steepest.records.job_records import FleetCandidate


def test_a_step_is_timed_alone_and_in_fleets():
    task, plan = digits(), shard("adam")
    time = step_time(task, plan, [FleetCandidate(1), FleetCandidate(20)])
    trial = Trial(task, plan, plan.lanes[0])
    taken = []
    for t in range(1, 51):
        start = perf_counter()
        trial.step(t)
        taken.append((perf_counter() - start) * 1e3)
    assert median(taken) / 100 < time.milliseconds < 100 * median(taken)  # whatever else runs
    assert time.task == "test"
    assert time.contender == "adam"
    assert [fleet.lanes for fleet in time.fleets] == [1, 20]
    assert time.fleets[1].milliseconds < 100 * time.milliseconds
    assert 0 < time.fleets[1].update_milliseconds < time.fleets[1].milliseconds


@pytest.mark.parametrize(("optimizer", "bytes_"), [("sgd", 0), ("momentum", 4), ("adam", 8)])
def test_state_is_counted_in_bytes_per_parameter(optimizer, bytes_):
    assert step_time(digits(), shard(optimizer)).state_bytes_per_parameter == bytes_


def test_foreign_optimizers_are_timed_too():
    contender = Contender("Rprop", "torch:Rprop", centre=1e-2)
    registry = ObjectRegistry(optimizers={"Rprop": torch.optim.Rprop})
    time = step_time(digits(), replace(shard(), contender=contender), registry=registry)
    assert time.milliseconds > 0
    assert time.state_bytes_per_parameter == 8
    assert time.fleets == ()
