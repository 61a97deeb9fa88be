"""Rules that average their weights are evaluated at the average, in both engines, and train as if nobody had looked."""

from dataclasses import replace

import numpy as np
import pytest
from engine.small import digits, shard

from steepest.engine import fleet, solo
from steepest.engine.fleet import Fleet
from steepest.engine.object_registry import ObjectRegistry
from steepest.engine.solo import Trial
from steepest.optim.catalogue import contender
from steepest.records.contender import TORCH_IN_MEMORY

NAMES = ("valid_loss", "valid_metric", "test_loss", "test_metric")


@pytest.mark.parametrize("name", ["schedule-free-sgd", "sgd+ema", "muon+average", "prodigy+ema"])
def test_curves_at_the_average_are_those_of_the_plain_loop(name):
    plan = replace(shard("sgd", rates=(1e-2, 1e30, 1e-1), steps=40, dtype="float64"), contender=contender(name))
    together, alone = fleet.train(digits(), plan), solo.train(digits(), plan)
    assert together.outcome == alone.outcome
    for part in NAMES:
        np.testing.assert_allclose(getattr(together, part), getattr(alone, part), rtol=0, atol=1e-9, err_msg=part)


@pytest.mark.parametrize("engine", [Fleet, None], ids=["fleet", "solo"])
def test_an_average_is_evaluated_elsewhere_than_its_rule_alone_and_trained_alike(engine):
    seen = {}
    for name in ("sgd", "sgd+ema"):
        plan = replace(shard("sgd", rates=(1e-1,), seeds=(0,), dtype="float64"), contender=contender(name))
        if engine:
            trained = Fleet(digits(), plan, plan.lanes)
            losses = trained.train(0, 10).ravel().tolist()
        else:
            trained = Trial(digits(), plan, plan.lanes[0])
            losses = [trained.step(t) for t in range(1, 11)]
        seen[name] = (losses, trained.evaluate("valid")[0].item())
        assert trained.evaluate("valid")[0].item() == seen[name][1]
    assert seen["sgd"][0] == seen["sgd+ema"][0]
    assert seen["sgd"][1] != seen["sgd+ema"][1]


@pytest.mark.oracles
def test_the_authors_optimizer_agrees_at_its_evaluation_weights():
    package = pytest.importorskip("schedulefree")
    plan = shard("sgd", rates=(1e-1,), seeds=(0,), steps=30, dtype="float64")
    ours = solo.train(digits(), replace(plan, contender=contender("schedule-free-sgd")))
    registry = ObjectRegistry(optimizers={"theirs": package.SGDScheduleFree})
    foreign = replace(plan.contender, name="theirs", rule=TORCH_IN_MEMORY + "theirs", settings={})
    theirs = solo.train(digits(), replace(plan, contender=foreign), registry)
    for part in NAMES:
        np.testing.assert_allclose(getattr(theirs, part), getattr(ours, part), rtol=0, atol=1e-9, err_msg=part)
