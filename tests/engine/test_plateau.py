"""The schedule that follows the validation loss: in the plain loop, and not in fleets."""

from dataclasses import replace

import pytest
from engine.small import digits, shard

from steepest.adapters.frameworks import code
from steepest.engine import fleet, solo
from steepest.engine.solo import Trial
from steepest.errors import BadInput
from steepest.records.trials import Lane


def test_the_rate_falls_where_the_loss_stands_still_and_nowhere_else():
    """At a rate of nothing the loss never falls: the rate is halved after a fifth of the steps, and again."""
    plan = shard("sgd", steps=40, evaluate_at=tuple(range(1, 41)), schedule="plateau:factor=0.5:patience=0.2")
    still = Trial(digits(), plan, Lane(1e-12, 0))
    solo.run(still)
    assert still.factor(41, 40) == 0.5**4  # after steps 10, 19, 28 and 37
    learning = Trial(digits(), plan, Lane(0.1, 0))
    trace = solo.run(learning)
    assert (trace.valid_loss[0][1:] < trace.valid_loss[0][:-1]).mean() > 0.9
    assert learning.factor(41, 40) == 1.0


def test_a_rate_that_never_falls_is_a_constant_one_to_the_last_bit():
    plan = shard("adam", steps=20, schedule="plateau:patience=1")
    constant = solo.train(digits(), replace(plan, contender=replace(plan.contender, schedule="constant")))
    assert (solo.train(digits(), plan).train_loss == constant.train_loss).all()


def test_a_fleet_refuses_to_listen_in_one_sentence():
    with pytest.raises(BadInput, match="adam follows its own losses, and the rates of a fleet are laid out in advance"):
        fleet.train(digits(), shard("adam", schedule="plateau"))
    assert "follows its own losses" in shard("adam", schedule="plateau").contender.fleet_obstacle


def test_code_to_paste_has_torch_s_own_scheduler_and_names_those_of_others():
    contender = shard("sgd", schedule="plateau:factor=0.5").contender
    text = code("torch", contender, 0.1)
    assert "ReduceLROnPlateau(\n    optimizer, factor=0.5, patience=int(0.1 * epochs), threshold=0.0001" in text
    for framework, name in (
        ("keras", "keras.callbacks.ReduceLROnPlateau"),
        ("optax", "optax.contrib.reduce_on_plateau"),
    ):
        other = code(framework, contender, 0.1)
        assert "cannot train" in other
        assert name in other
