"""Coefficients of many steps and lanes at once are those of each step and lane."""

import pytest
import torch
from engine.small import shard

from steepest.engine.coefficients import Coefficients
from steepest.engine.object_registry import EMPTY_REGISTRY
from steepest.optim import catalogue
from steepest.optim.rule import at_rate
from steepest.optim.schedules import schedule
from steepest.records.trials import Lane


def coefficients(name: str, rates: list[float], schedule_name: str = "constant") -> Coefficients:
    optimizer = EMPTY_REGISTRY.optimizer(catalogue.contender(name))
    plan = shard(name, steps=40, schedule=schedule_name)
    return Coefficients(optimizer, [Lane(rate, 0) for rate in rates], plan, torch.float64, torch.device("cpu"))


@pytest.mark.parametrize("name", ["momentum", "adagrad", "adam", "adamw"])
@pytest.mark.parametrize("schedule_name", ["constant", "cosine"])
def test_they_are_the_rules_own_at_every_step_and_rate(name, schedule_name):
    rates = [1e-3, 1e-1, 1e-3]
    item = catalogue.entry(name)
    for t, c in enumerate(coefficients(name, rates, schedule_name).steps(5, 9), start=6):
        for lane, rate in enumerate(rates):
            h = at_rate(item.rule, catalogue.settings_of(item), rate * schedule(schedule_name)(t, 40))
            for key, expected in item.rule.coefficients(h, t).items():
                value = getattr(c, key)
                assert (value if isinstance(value, float) else value[lane, 0].item()) == expected


def test_only_what_differs_between_lanes_is_a_tensor():
    c = next(coefficients("adam", [1e-3, 1e-2]).steps(0, 1))
    assert isinstance(c.root, float)
    assert c.step.shape == (2, 1)
    assert all(isinstance(value, float) for value in next(coefficients("adam", [1e-3, 1e-3]).steps(0, 1)))
