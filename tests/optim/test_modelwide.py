"""Rules of the whole model and Schedule-Free ones: limits, where they evaluate, what groups of parameters may do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from reference import modelwide, problem
from reference.drive import drop_in_path
from torch import Tensor

from steepest.adapters.torch import as_torch, build
from steepest.errors import BadInput
from steepest.optim.adam import Adam
from steepest.optim.descent import SGD
from steepest.optim.modelwide import DoG, HypergradientAdam, HypergradientSGD, Prodigy
from steepest.optim.rule import Rule, hyperparameters
from steepest.optim.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD


def path(rule: type[Rule], **changed: Any) -> Tensor:
    return drop_in_path(rule, {**hyperparameters(rule), "lr": 0.03125, **changed}, torch.float64)


@pytest.mark.parametrize(("rule", "plain"), [(HypergradientSGD, SGD), (HypergradientAdam, Adam)])
def test_a_rate_that_does_not_learn_is_the_plain_rule(rule: type[Rule], plain: type[Rule]) -> None:
    assert problem.deviation(path(rule, hyper=0.0), path(plain)) <= problem.TOLERANCE


def test_prodigy_that_never_lets_its_guess_grow_is_adam_without_correction_at_that_rate() -> None:
    fixed = path(Prodigy, lr=1.0, d0=0.03, growth=1e-12, eps=1e-8)
    assert problem.deviation(fixed, path(Adam, lr=0.03, correction="none", eps=1e-8)) < 1e-12


def test_prodigy_finds_a_rate_within_an_order_of_magnitude_of_a_good_one() -> None:
    w = torch.full((20,), 3.0, requires_grad=True)
    optimizer = build("prodigy", [w])
    for _ in range(300):
        optimizer.zero_grad()
        w.abs().sum().backward()
        optimizer.step()
    assert w.abs().max() < 0.5


def test_dog_steps_by_the_distance_over_the_root_of_the_squared_gradients() -> None:
    w = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)  # |w| = 5
    w.grad = torch.tensor([0.0, 2.0], dtype=torch.float64)
    as_torch(DoG)([w], start=0.01, eps=0.0).step()
    assert w.tolist() == pytest.approx([3.0, 4.0 - 0.06])  # r = 0.01·(1 + 5), and g/|g|


# ---- Schedule-Free ---------------------------------------------------------------------------------------------------

FREE = [(ScheduleFreeSGD, modelwide.schedule_free_sgd), (ScheduleFreeAdamW, modelwide.schedule_free_adamw)]


@pytest.mark.parametrize("decay", [0.75, 1.25], ids=["falling", "rising"])
@pytest.mark.parametrize(("rule", "reference"), FREE)
def test_schedule_free_trains_at_y_and_evaluates_at_x(
    rule: type[Rule], reference: Any, decay: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problem, "DECAY", decay)
    settings: dict[str, Any] = {**hyperparameters(rule), "lr": 0.03125, "weight_decay": 0.1}
    averages: list[np.ndarray] = []
    others = {name: value for name, value in settings.items() if name != "lr"}
    expected = reference(problem.gradient, problem.START, problem.rates(0.03125), averages=averages, **others)
    parameters = [p.clone().requires_grad_() for p in problem.split(torch.tensor(problem.START))]
    optimizer = as_torch(rule)(parameters, **settings)
    at_y, at_x = [], []
    for t, eta in enumerate(problem.rates(0.03125), start=1):
        optimizer.param_groups[0]["lr"] = eta
        for p, g in zip(parameters, problem.split(problem.gradient(t, problem.joined(parameters))), strict=True):
            p.grad = g
        optimizer.step()
        at_y.append(problem.joined(parameters).numpy())
        with optimizer.evaluating():
            at_x.append(problem.joined(parameters).numpy())
    assert problem.deviation(at_y, expected) <= problem.TOLERANCE
    assert problem.deviation(at_x, averages) <= problem.TOLERANCE


@pytest.mark.parametrize("rule", [ScheduleFreeSGD, ScheduleFreeAdamW])
def test_the_power_of_the_rate_matters_while_rates_rise(rule: type[Rule], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problem, "DECAY", 1.25)
    assert problem.deviation(path(rule, rate_power=1.8), path(rule)) > 1e-3


def test_schedule_free_sgd_without_memory_is_nearly_sgd() -> None:
    """As β → 0 the gradient is taken at z, which is where SGD is."""
    assert problem.deviation(path(ScheduleFreeSGD, b1=1e-13), path(SGD)) < 1e-11


# ---- groups of parameters --------------------------------------------------------------------------------------------


def grouped(groups: list[dict[str, Any]], steps: int = 6) -> Tensor:
    optimizer = build("prodigy", groups, d0=0.1)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for t in range(1, steps + 1):
        for i, p in enumerate(parameters):
            p.grad = torch.sin(p.detach() * (i + 1) + t)
        optimizer.step()
    return torch.cat([p.detach().ravel() for p in parameters])


def two() -> tuple[Tensor, Tensor]:
    return torch.ones(3, 2).requires_grad_(), torch.full((4,), -1.0).requires_grad_()


def test_groups_share_the_one_guess_and_may_differ_in_rate_and_decay() -> None:
    a, b = two()
    together = grouped([{"params": [a, b]}])
    a, b = two()
    assert torch.equal(grouped([{"params": [a]}, {"params": [b]}]), together)
    a, b = two()
    differing = grouped([{"params": [a], "weight_decay": 0.1}, {"params": [b], "lr": 0.5}])
    assert not torch.allclose(differing, together)


def test_groups_that_would_need_a_guess_each_are_refused_in_one_sentence() -> None:
    a, b = two()
    with pytest.raises(BadInput, match="Prodigy has one d for all parameters"):
        grouped([{"params": [a]}, {"params": [b], "growth": 0.5}])


def test_parameters_of_two_types_are_refused_in_one_sentence() -> None:
    a, b = two()
    with pytest.raises(BadInput, match="they must have one dtype and be on one device"):
        grouped([{"params": [a, b.detach().double().requires_grad_()]}])


def test_a_parameter_without_gradient_stays_where_it_is_and_the_guess_is_the_others_own() -> None:
    def end(with_idle: bool) -> Tensor:
        a, b = two()
        optimizer = build("dog", [a, b] if with_idle else [a], start=0.1)
        for t in range(5):
            a.grad = torch.cos(a.detach() + t)
            optimizer.step()
        assert torch.equal(b, torch.full((4,), -1.0))
        return a.detach()

    assert torch.equal(end(True), end(False))
