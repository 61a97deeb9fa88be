"""Rules and wrappers that take a second gradient in a step: limits, and what the drop-in asks of a closure."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from reference import problem, twice
from reference.drive import drop_in_path
from torch import Tensor, nn

from steepest.adapters.torch import build
from steepest.errors import BadInput, BadSetting
from steepest.optim.adam import AdamW
from steepest.optim.catalogue import contender, entry
from steepest.optim.descent import SGD
from steepest.optim.layerwise import MARSApprox
from steepest.optim.rule import Rule, hyperparameters
from steepest.optim.second_order import MARS, SophiaG, sampled
from steepest.optim.signs import Signum
from steepest.optim.wrappers import wrap

RATE = 0.03125


def path(rule: type[Rule], **changed: Any) -> Tensor:
    return drop_in_path(rule, {**hyperparameters(rule), "lr": RATE, **changed}, torch.float64)


# ---- against the papers and simpler rules ----------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [0.05, 2.0])
def test_sharpness_aware_descent_is_that_of_its_paper(radius: float) -> None:
    expected = twice.sharpness_aware_sgd(problem.gradient, problem.START, problem.rates(RATE), radius=radius)
    assert problem.deviation(path(wrap(SGD, "sam"), radius=radius), expected) <= problem.TOLERANCE


def test_other_wrappers_see_the_gradient_from_up_the_slope() -> None:
    def both(*names: str) -> Tensor:
        return path(wrap(SGD, *names), radius=2.0, max_norm=0.7)

    assert problem.deviation(both("sam", "clip-norm"), both("clip-norm", "sam")) <= problem.TOLERANCE
    steps = both("clip-norm", "sam").diff(dim=0).norm(dim=1) / torch.tensor(problem.rates(RATE)[1:])
    assert torch.allclose(steps, torch.full_like(steps, 0.7), rtol=1e-5)  # it is longer than that in every step


def test_sophia_that_does_not_look_at_the_curvature_steps_by_signs() -> None:
    plain = path(SophiaG, b1=0.9, gamma=0.0, eps=1e-30, weight_decay=0.1)
    assert problem.deviation(plain, path(Signum, b1=0.9, weight_decay=0.1)) <= problem.TOLERANCE


def test_mars_without_correction_is_adamw_on_gradients_of_length_one_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, Any] = {"gamma": 0.0, "weight_decay": 0.1, "applies_to": "all"}
    assert torch.equal(path(MARS, **settings), path(MARSApprox, **settings))
    whole = problem.gradient
    monkeypatch.setattr(problem, "gradient", lambda t, w: 0.01 * whole(t, w))
    for rule in (MARS, MARSApprox):
        assert problem.deviation(path(rule, **settings), path(AdamW, b1=0.95, b2=0.99, weight_decay=0.1)) <= 1e-12


def test_mars_moves_on_the_change_that_its_last_step_made_and_not_on_that_of_the_batch() -> None:
    """Where batches differ and weights do not count, exact MARS corrects nothing, and the approximate one does."""
    settings: dict[str, Any] = {"gamma": 0.5, "lr": 1e-9}
    still = path(MARS, **settings)
    assert problem.deviation(still, path(MARS, lr=1e-9, gamma=0.0)) < 1e-6
    assert problem.deviation(path(MARSApprox, **settings), path(MARSApprox, lr=1e-9, gamma=0.0)) > 0.1


# ---- names -----------------------------------------------------------------------------------------------------------


def test_two_second_gradients_in_one_step_are_refused() -> None:
    sentence = r"SharpnessAware cannot be put around MARS: each needs a second gradient of its own\."
    with pytest.raises(BadSetting, match=sentence):
        entry("mars+sam")


def test_a_contender_says_why_it_trains_alone() -> None:
    assert "second gradient" in contender("adam+sam+clip-norm").fleet_obstacle
    assert "second gradient" in contender("sophia-g").fleet_obstacle
    assert contender("adam+clip-norm").fleet_obstacle == ""


# ---- the drop-in -----------------------------------------------------------------------------------------------------


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Dropout(0.5), nn.Linear(5, 3)).double()


X = torch.linspace(-1, 1, 24, dtype=torch.float64).view(6, 4)
Y = torch.tensor([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize("name", ["sgd+sam", "mars", "sophia-g"])
def test_a_step_without_a_closure_is_refused_with_what_to_write(name: str) -> None:
    model = network()
    nn.functional.cross_entropy(model(X), Y).backward()
    with pytest.raises(BadInput, match=r"takes a second gradient in a step\. Call optimizer\.step\(closure\)"):
        build(name, model.parameters()).step()


def test_sophia_says_so_if_its_closure_takes_the_targets_as_they_are() -> None:
    model = network()
    optimizer = build("sophia-g", model.parameters())

    def closure() -> Tensor:
        loss = nn.functional.cross_entropy(model(X), Y)
        loss.backward()
        return loss

    with pytest.raises(BadInput, match=r"compute the loss with optimizer\.targets\(logits, targets\)"):
        optimizer.step(closure)


def test_both_gradients_of_a_step_see_the_same_dropout_and_the_next_step_another() -> None:
    model, seen = network(), []
    model[2].register_forward_hook(lambda module, inputs, output: seen.append((output == 0).tolist()))
    optimizer = build("sgd+sam", model.parameters(), lr=0.1)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(X), Y)
        loss.backward()
        return loss

    for _ in range(2):
        optimizer.step(closure)
    assert seen[0] == seen[1] != seen[2] == seen[3]


def test_a_closure_that_fails_leaves_weights_and_gradients_as_they_were() -> None:
    model = network()
    optimizer = build("sgd+sam", model.parameters(), lr=0.1)
    before = [p.detach().clone() for p in model.parameters()]
    calls = []

    def closure() -> Tensor:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("no more memory")
        loss = nn.functional.cross_entropy(model(X), Y)
        loss.backward()
        return loss

    with pytest.raises(RuntimeError, match="no more memory"):
        optimizer.step(closure)
    assert all(torch.equal(p, w) for p, w in zip(model.parameters(), before, strict=True))
    assert all(p.grad is not None for p in model.parameters())


def test_targets_are_drawn_as_often_as_they_are_predicted_and_ignored_ones_stay() -> None:
    logits = torch.tensor([0.0, 1.0, 2.0]).repeat(20_000, 1)
    drawn = sampled(logits, torch.zeros(20_000, dtype=torch.long), torch.Generator().manual_seed(1))
    assert torch.allclose(drawn.bincount() / 20_000, logits[0].softmax(0), atol=0.015)
    padded = torch.tensor([[0, -100], [-100, 2]])
    assert torch.equal(sampled(torch.zeros(2, 3, 2), padded) == -100, padded == -100)  # [B, K, L] and [B, L]
    with pytest.raises(BadInput, match="only from predictions that are logits"):
        sampled(torch.zeros(4), torch.zeros(4))
