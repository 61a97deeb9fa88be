"""Where one rule must become another, or a number that can be worked out by hand."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import problem
from reference.drive import IN_FLEETS, ROUNDED_BY_PLACE, drop_in_path, fleet_path
from torch import Tensor

from steepest.adapters.torch import build
from steepest.optim.elementwise import (
    ASGD,
    SGD,
    Adam,
    AdamW,
    Adan,
    AdEMAMix,
    AveragedMomentum,
    Lion,
    Momentum,
    NAdam,
    NAdamW,
    Nesterov,
    RAdam,
    RAdamW,
    RMSProp,
    RMSPropMomentum,
    SignSGD,
    Signum,
)
from steepest.optim.rule import Rule, hyperparameters


def path(rule: type[Rule], dtype: torch.dtype = torch.float64, **changed: Any) -> Tensor:
    return drop_in_path(rule, {**hyperparameters(rule), "lr": 0.03125, **changed}, dtype)


@pytest.mark.parametrize(
    ("general", "special"),
    [
        (path(Momentum, momentum=0.0, weight_decay=0.1), path(SGD, weight_decay=0.1)),
        (path(Nesterov, momentum=0.0, weight_decay=0.1), path(SGD, weight_decay=0.1)),
        (path(AveragedMomentum, b1=0.0), path(SGD)),
        (path(RMSPropMomentum, momentum=0.0, rate_at="buffer", b2=0.9), path(RMSProp, b2=0.9)),
        (path(AdamW, weight_decay=0.0), path(Adam)),
    ],
    ids=[
        "heavy-ball without momentum",
        "Nesterov without momentum",
        "average of one",
        "RMSProp",
        "AdamW without decay",
    ],
)
def test_a_rule_with_a_part_switched_off_is_the_simpler_rule_bit_for_bit(general: Tensor, special: Tensor) -> None:
    assert torch.equal(general, special)


def test_averaged_momentum_is_heavy_ball_at_a_tenth_of_the_rate() -> None:
    """From v = 0, Σ(1−β)βᵏg is 1−β times Σβᵏg, whatever the rates do."""
    assert problem.deviation(path(AveragedMomentum, lr=0.3, b1=0.9), path(Momentum, lr=0.03, momentum=0.9)) < 1e-13


def test_dampening_is_not_the_averaged_form_since_torch_does_not_damp_the_first_gradient() -> None:
    assert problem.deviation(path(Momentum, dampening=0.9), path(AveragedMomentum, b1=0.9)) > 0.1


@pytest.mark.parametrize("rule", [Momentum, Nesterov, RMSPropMomentum])
def test_where_the_rate_enters_matters_only_while_it_changes(rule: type[Rule], monkeypatch: pytest.MonkeyPatch) -> None:
    assert problem.deviation(path(rule, rate_at="buffer"), path(rule, rate_at="step")) > 0.1
    monkeypatch.setattr(problem, "DECAY", 1.0)
    assert problem.deviation(path(rule, rate_at="buffer"), path(rule, rate_at="step")) < 1e-12


def test_newer_rules_come_down_to_known_ones() -> None:
    """AdEMAMix without its slow average, Adan without the change of the gradient, Signum without memory, Lion with one
    β, NAdam and RAdam without decay."""
    mixed = path(AdEMAMix, alpha=0.0, weight_decay=0.1)
    assert problem.deviation(mixed, path(AdamW, weight_decay=0.1)) < 1e-12
    assert torch.equal(path(Signum, b1=0.0, weight_decay=0.1), path(SignSGD, weight_decay=0.1))
    assert problem.deviation(path(Lion, b1=0.7, b2=0.7), path(Signum, b1=0.7)) < 1e-12
    assert problem.deviation(path(ASGD, slope=0.0), path(SGD)) > 0.1  # its rate is that of the step before
    assert problem.deviation(path(Adan, b1=0.9, b2=0.0, b3=0.99), path(Adam, b1=0.9, b2=0.99)) < 1e-12
    assert torch.equal(path(NAdamW, weight_decay=0.0), path(NAdam))
    assert torch.equal(path(RAdamW, weight_decay=0.0), path(RAdam))


def test_asgd_keeps_the_mean_of_the_weights_from_its_start_on() -> None:
    w = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = build("asgd", [w], lr=0.1, start=2.0)
    seen = []
    for g in (1.0, -2.0, 3.0, 0.5, 1.5):
        w.grad = torch.tensor([g], dtype=torch.float64)
        optimizer.step()
        seen.append(w.item())
    assert optimizer.state[w]["x"].item() == pytest.approx(sum(seen[3:]) / 2, rel=1e-12)


def test_adam_without_memory_of_the_gradient_is_rmsprop_without_its_bias() -> None:
    w, v, expected = problem.START, 0.0, []
    for t, eta in enumerate(problem.rates(0.03125), start=1):
        g = problem.gradient(t, w)
        v = 0.99 * v + 0.01 * g**2
        w = w - eta * g / (np.sqrt(v / (1 - 0.99**t)) + 1e-8)
        expected.append(w)
    assert problem.deviation(path(Adam, b1=0.0, b2=0.99), expected) < problem.TOLERANCE
    uncorrected = path(Adam, b1=0.0, b2=0.99, correction="none")
    assert problem.deviation(uncorrected, path(RMSProp, b2=0.99)) < problem.TOLERANCE


def test_rmsprop_without_memory_steps_by_the_sign() -> None:
    steps = np.diff(path(RMSProp, b2=0.0, eps=0.0).numpy(), axis=0, prepend=problem.START[None])
    assert np.allclose(np.abs(steps), np.array(problem.rates(0.03125))[:, None], rtol=1e-10)


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("sgd", 0.1 * 2),
        ("momentum", 0.1 * 2),
        ("momentum-averaged", 0.1 * 0.1 * 2),
        ("nesterov", 0.1 * (2 + 0.9 * 2)),
        ("adagrad", 0.1),
        ("adagrad-printed", 0.1),
        ("rmsprop", 0.1 / math.sqrt(0.01)),
        ("rmsprop-printed", 0.1 / math.sqrt(0.1)),
        ("adam", 0.1),
        ("adam-printed", 0.1 * 0.1 / math.sqrt(0.1) / math.sqrt(0.001)),  # ten times Adam's
        ("adamw", 0.1 + 0.1 * 0.01 * 5),
    ],
)
def test_the_first_step_can_be_worked_out_by_hand(name: str, step: float) -> None:
    """w = 5, g = 2, η = 0.1."""
    w = torch.tensor([5.0], dtype=torch.float64, requires_grad=True)
    w.grad = torch.tensor([2.0], dtype=torch.float64)
    build(name, [w], lr=0.1).step()
    assert w.item() == pytest.approx(5 - step, rel=1e-7)


@pytest.mark.parametrize("name", ["adagrad", "rmsprop", "rmsprop-momentum", "adam", "adam-printed"])
@settings(deadline=None)
@given(power=st.integers(-20, 20), gradients=st.lists(st.floats(0.01, 100), min_size=1, max_size=6))
def test_adaptive_rules_do_not_see_the_unit_of_the_loss(name: str, power: int, gradients: list[float]) -> None:
    """Without ε, gradients times 2ᵏ give the same bits, since powers of two are exact."""

    def end(unit: float) -> Tensor:
        w = torch.ones(1, requires_grad=True)
        optimizer = build(name, [w], lr=0.1, eps=0.0)
        for g in gradients:
            w.grad = torch.tensor([g]) * unit
            optimizer.step()
        return w.detach()

    assert torch.equal(end(2.0**power), end(1.0))


NUMBERS = {"lr": st.floats(1e-6, 10), "eps": st.floats(1e-12, 1), "momentum": st.floats(0, 0.99)}


@pytest.mark.parametrize("rule", [rule for rule in IN_FLEETS if rule.scope != "matrix"], ids=lambda rule: rule.__name__)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_replica_is_the_drop_in_optimizer_bit_for_bit_for_any_settings(rule: type[Rule], data: st.DataObject) -> None:
    def drawn(item: Any) -> Any:
        if not isinstance(item.default, float):
            return item.default
        low = max(item.metadata["low"], item.metadata["above"] + 1e-3, 0.0)
        high = min(low + 0.999, item.metadata["below"] - 1e-3)
        return data.draw(NUMBERS.get(item.name, st.floats(low, high)), item.name)

    replicas = [{item.name: drawn(item) for item in fields(rule)} for _ in range(2)]  # type: ignore[arg-type]
    fleet = fleet_path(rule, replicas, torch.float32)
    for index, chosen in enumerate(replicas):
        alone = drop_in_path(rule, chosen, torch.float32)
        until = int(alone.isfinite().all(dim=1).cumprod(0).sum())  # beyond, a sum may be ∞ or ∞ − ∞ by its order
        if rule.__name__ in ROUNDED_BY_PLACE:
            torch.testing.assert_close(fleet[:until, index], alone[:until], rtol=1e-4, atol=1e-4)
        else:
            assert torch.equal(fleet[:until, index], alone[:until])
