"""What is compiled gives what the plain loop gives, and where nothing can be compiled a fleet trains all the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from engine.small import digits, shard
from torch import nn

from steepest.builtin import task_table as tasks
from steepest.codegen import elementwise_loop, toolchain
from steepest.codegen.elementwise_loop import NotCompiled
from steepest.engine import fleet, solo
from steepest.engine.coefficients import Coefficients
from steepest.engine.fleet import Fleet
from steepest.engine.object_registry import EMPTY_REGISTRY, ConfiguredRule
from steepest.engine.random_sources import seed_step
from steepest.engine.updates import KernelUpdates, Updates
from steepest.optim.catalogue import CATALOGUE, fleet_obstacle
from steepest.optim.drivers import fresh_fleet
from steepest.optim.rule import at_rate
from steepest.records.contender import Contender
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane, Shard
from steepest.tasks.with_factors import with_factors

TOLERANCE = 1e-9


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STEEPEST_CACHE", str(tmp_path))
    remembered = (toolchain.load, toolchain.folder, elementwise_loop._kernel)
    for each in remembered:
        each.cache_clear()
    yield tmp_path / "kernels"
    for each in remembered:
        each.cache_clear()


def curves(trace):
    return np.stack([trace.train_loss, trace.valid_loss, trace.valid_metric])


@pytest.mark.compile
def test_a_compiled_fleet_is_what_its_trials_are_alone_and_one_program_serves_any_number_of_lanes(cache):
    task = digits()
    plan = shard("adam", seeds=(0, 1, 2), steps=100, dtype="float64", compiled=("gradient", "update"))
    trace = fleet.train(task, plan)
    np.testing.assert_allclose(curves(trace), curves(solo.train(task, plan)), rtol=TOLERANCE)
    made = {path.name for path in cache.glob("*.so")}
    assert len(made) == 2, "one for the gradients, one for the update"
    wider = replace(plan, lanes=tuple(Lane(1e-3, seed) for seed in range(5)), steps=3, evaluate_at=(3,))
    started = Fleet(task, wider, wider.lanes)
    assert started.refused == []
    assert {path.name for path in cache.glob("*.so")} == made


@pytest.mark.compile
def test_running_statistics_are_what_they_are_alone(cache):
    def network():
        # without a bias: batch norm leaves it no gradient but rounding, which Adam takes for a direction
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)
        )

    def images():
        task = digits(network)
        x, y = task.data  # type: ignore[misc]
        return replace(task, data=(np.asarray(x).reshape(-1, 1, 8, 8), y))

    plan = shard("adam", steps=30, dtype="float64", compiled=("gradient", "update"))
    assert Fleet(images(), plan, plan.lanes).refused == []
    np.testing.assert_allclose(curves(fleet.train(images(), plan)), curves(solo.train(images(), plan)), rtol=TOLERANCE)


IN_FLEETS = [item for item in CATALOGUE if not fleet_obstacle(item.rule, "constant")]
ELEMENTWISE = [item for item in IN_FLEETS if item.rule.scope == "element"]
NO_PROGRAM = {
    "shampoo-grafted": "its update cannot be traced",
    "shampoo": "its update cannot be traced",  # it looks whether its roots are due
    "soap": "its update cannot be traced",
    "muon-bfloat16": "differ from those of the rule",  # which rounds to eight bits at every call
}


def moved(item, shapes, compile: bool):
    """Where four lanes of three rates are after nine steps, with their state and what is evaluated."""
    rates = [1e-3, 1e-3, 2e-3, 1e-1]
    contender = Contender(item.name, item.name, centre=1e-3)
    plan = Shard("x", TaskRef("x", "memory", "x"), contender, tuple(Lane(r, 0) for r in rates), 8, 9, (9,))
    optimizer = EMPTY_REGISTRY.optimizer(contender)
    assert isinstance(optimizer, ConfiguredRule)
    numbers = sum(int(np.prod(shape)) for shape in shapes)
    gradients = torch.randn(9, len(rates), numbers, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    w = torch.ones(len(rates), numbers, dtype=torch.float64)
    state = fresh_fleet(item.rule, [[at_rate(item.rule, optimizer.settings, rate) for rate in rates]], shapes, w)
    coefficients = Coefficients(optimizer, plan.lanes, plan, w.dtype, w.device)
    updates = Updates(item.rule, shapes, coefficients)
    if compile:
        updates = KernelUpdates(item.rule, shapes, coefficients, w, state)
    with torch.no_grad():
        for g, c in zip(gradients, updates.steps(0, 9), strict=True):
            w, state = updates.apply(w, g.clone(), state, c)
    return w, *state, updates.evaluated(w, state)


@pytest.mark.compile
@pytest.mark.parametrize("item", ELEMENTWISE, ids=lambda x: x.name)
def test_the_kernel_of_a_rule_moves_every_lane_as_the_rule_does(item):
    for eager, compiled in zip(moved(item, [(37,)], False), moved(item, [(37,)], True), strict=True):
        torch.testing.assert_close(compiled, eager, rtol=1e-12, atol=1e-14)


@pytest.mark.compile
@pytest.mark.parametrize(
    "item",
    [
        pytest.param(item, marks=() if item.name in ("lars", "dog", "adafactor", *NO_PROGRAM) else pytest.mark.slow)
        for item in IN_FLEETS
        if item not in ELEMENTWISE
    ],
    ids=lambda x: x.name,
)
def test_a_rule_that_looks_at_more_than_an_element_has_a_program_for_its_model_or_says_why_not(item, monkeypatch):
    monkeypatch.delenv("STEEPEST_COMPILE", raising=False)
    shapes = [(5, 7), (7,), (3, 2, 2, 2), (3,)]
    if reason := NO_PROGRAM.get(item.name):
        with pytest.raises(NotCompiled, match=reason):
            moved(item, shapes, True)
        return
    for eager, compiled in zip(moved(item, shapes, False), moved(item, shapes, True), strict=True):
        torch.testing.assert_close(compiled, eager, rtol=1e-9, atol=1e-12)


@pytest.mark.compile
@pytest.mark.parametrize("optimizer", ["prodigy", "lamb", "muon"])
def test_such_a_rule_trains_in_the_loop_of_the_gradient(optimizer, monkeypatch):
    monkeypatch.delenv("STEEPEST_COMPILE", raising=False)
    plan = shard(optimizer, steps=100, dtype="float64", compiled=("gradient", "update"))
    started = Fleet(digits(), plan, plan.lanes)
    assert started.refused == []
    assert isinstance(started.updates, KernelUpdates)
    np.testing.assert_allclose(curves(fleet.train(digits(), plan)), curves(solo.train(digits(), plan)), rtol=TOLERANCE)


@pytest.mark.compile
def test_a_rule_without_a_program_is_updated_step_by_step_beside_compiled_gradients(monkeypatch):
    monkeypatch.delenv("STEEPEST_COMPILE", raising=False)
    task = digits(lambda: nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 10)))
    plan = shard("shampoo", steps=20, dtype="float64", compiled=("gradient", "update"))
    (refused,) = Fleet(task, plan, plan.lanes).refused
    assert refused.startswith("the update: its update cannot be traced")
    np.testing.assert_allclose(curves(fleet.train(task, plan)), curves(solo.train(task, plan)), rtol=TOLERANCE)


@pytest.mark.compile
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(item.name, marks=() if item.data in ("", "digits") else pytest.mark.data)
        for item in tasks.CATALOGUE
        if not item.name.endswith("-sparse")  # no fleet has sparse gradients
    ],
)
def test_every_built_in_task_trains_by_a_program_as_it_does_alone(name, monkeypatch):
    monkeypatch.delenv("STEEPEST_COMPILE", raising=False)
    task, centre = tasks.entry(name).build(), 1e-3
    lanes = tuple(Lane(rate, seed) for seed in (0, 1) for rate in (centre, 3 * centre))
    size = min(8, task.sizes["train"])
    plan = Shard("x", TaskRef(name, "memory", name), Contender("adam", "adam", centre), lanes, size, 12, (12,))
    plan = replace(plan, dtype="float64", compiled=("gradient", "update"))
    started = Fleet(task, plan, lanes)
    assert started.refused == []
    losses = started.train(0, 12)  # [12, R]
    for i, lane in enumerate(lanes):
        trial, alone = solo.Trial(task, plan, lane), []
        for t in range(1, 13):
            seed_step(lane.seed, t)
            alone.append(trial.step(t))
        np.testing.assert_allclose(losses[:, i], alone, rtol=TOLERANCE)


@pytest.mark.compile
def test_a_task_whose_batches_are_others_than_its_examples_is_compiled_for_those_batches(monkeypatch):
    monkeypatch.delenv("STEEPEST_COMPILE", raising=False)
    task = with_factors(digits(), {"augment": "mixup"})  # targets are (class, class, share), and not a class
    plan = shard("adam", seeds=(0, 1), steps=30, dtype="float64", compiled=("gradient", "update"))
    assert Fleet(task, plan, plan.lanes).refused == []
    np.testing.assert_allclose(curves(fleet.train(task, plan)), curves(solo.train(task, plan)), rtol=TOLERANCE)


def test_without_a_compiler_a_fleet_trains_as_it_would_have_and_says_why():
    plan = shard("adam", compiled=("gradient", "update"))
    started = Fleet(digits(), plan, plan.lanes)
    assert started.refused == [
        "the update: compilation is switched off by STEEPEST_COMPILE=0",
        "the gradient: compilation is switched off by STEEPEST_COMPILE=0",
    ]
    plain = fleet.train(digits(), replace(plan, compiled=()))
    assert np.array_equal(curves(fleet.train(digits(), plan)), curves(plain))


def test_without_a_compiler_the_message_names_what_to_install(monkeypatch):
    monkeypatch.delenv("STEEPEST_COMPILE")
    monkeypatch.setattr(toolchain, "compiler", lambda: None)
    assert str(toolchain.unavailable_reason()) == "there is no C++ compiler; install g++"
