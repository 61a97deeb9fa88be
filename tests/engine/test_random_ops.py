"""What a generated program's steps draw at random is what the plain loop draws, whatever the cut of the work."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from engine.small import digits, shard
from torch import Tensor, nn
from torch.nn import functional as F

from steepest.codegen.decompositions import graph_of
from steepest.engine import fleet, solo
from steepest.engine.compiled import dropout_masks, random_ops
from steepest.engine.compiled.random_ops import RandomOps
from steepest.engine.fleet import Fleet
from steepest.records.trials import Lane
from steepest.tasks.with_factors import with_factors

COMPILED = ("gradient", "update")


@pytest.fixture(autouse=True)
def may_compile(monkeypatch):
    monkeypatch.delenv("STEEPEST_COMPILE", raising=False)


def dropping() -> nn.Module:
    first = (nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.5))
    return nn.Sequential(*first, nn.Linear(32, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10))


class Drawing(nn.Module):
    """Draws in training in all ways that do not depend on what it computes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, 16), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return self.second(self.first(x))
        h = self.first(x + 0.1 * torch.randn_like(x))
        h = h * torch.rand(16).to(h) + 0.1 * torch.empty_like(h).exponential_()
        h = torch.where(torch.rand_like(h) < 0.2, h, 2 * h) + torch.randint(0, 3, (16,))
        h = F.alpha_dropout(h[torch.randperm(16)], 0.1, training=True)
        return self.second(F.dropout1d(h, 0.3)) + F.gumbel_softmax(h, dim=-1)[:, :10]


class Transformer(nn.Module):
    """Drops numbers that lie in another order in memory than their axes: batches come second inside of it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.2, batch_first=True)
        self.out = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.layer(x.unflatten(1, (8, 8))).flatten(1))


def curves(trace) -> np.ndarray:
    return np.stack([trace.train_loss, trace.valid_loss, trace.valid_metric])


def drawn(function, *example: Tensor, dtype: torch.dtype = torch.float32) -> RandomOps:
    """The luck of a step that computes this."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, about the switches of what it does not use
        return RandomOps(graph_of(function, example), dtype)


@pytest.mark.compile
@pytest.mark.parametrize("model", [dropping, Drawing, Transformer])
def test_a_lane_draws_the_random_numbers_that_its_trial_draws_alone(model):
    task = digits(model)
    plan = shard("adam", seeds=(0, 1), steps=100, dtype="float64", compiled=COMPILED)
    assert Fleet(task, plan, plan.lanes).refused == []
    np.testing.assert_allclose(curves(fleet.train(task, plan)), curves(solo.train(task, plan)), rtol=1e-9)


@pytest.mark.compile
def test_the_cut_of_the_work_changes_no_bit(monkeypatch):
    task = digits(dropping)
    lanes = tuple(Lane(rate, seed) for seed in (3, 1) for rate in (1e-3, 1e-2))
    plan = replace(shard("adam", steps=20, compiled=COMPILED), lanes=lanes, evaluate_at=(7, 20))

    def losses(**others) -> np.ndarray:
        return fleet.train(task, replace(plan, **others)).train_loss  # [R, evaluations]

    whole = losses()
    assert np.array_equal(losses(width=1), whole)
    assert np.array_equal(losses(lanes=lanes[2:]), whole[2:])
    monkeypatch.setattr(random_ops, "MAX_DRAWN_NUMBERS", 1)  # a step at a time
    assert np.array_equal(losses(), whole)


@pytest.mark.compile
def test_an_axis_of_dropout_is_compiled():
    plan = shard("sgd", steps=3, compiled=COMPILED)
    assert Fleet(with_factors(digits(), {"dropout": 0.5}), plan, plan.lanes).refused == []


def test_masks_keep_their_share_and_are_scaled_so_that_the_mean_stays():
    of_step = drawn(lambda x: F.dropout(x, 0.3, training=True), torch.ones(100, 100))
    (kept,) = of_step.draw(seed=0, start=0, stop=20)  # [steps, numbers], 0 or 1
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    assert float(kept.mean()) == pytest.approx(0.7, abs=0.005), "ten standard errors"


def test_masks_of_other_layers_steps_and_seeds_are_independent():
    def two_layers(x: Tensor) -> Tensor:
        return F.dropout(F.dropout(x, 0.5, training=True), 0.5, training=True)

    of_step = drawn(two_layers, torch.ones(100, 100))
    rows = [
        row for seed in (0, 1, 2) for layer in of_step.draw(seed, 0, 4) for row in layer
    ]  # 3 seeds, 2 layers, 4 steps
    correlations = torch.corrcoef(torch.stack(rows))
    assert float((correlations - torch.eye(len(rows))).abs().max()) < 0.05, "five standard errors"


def test_what_a_step_draws_depends_on_its_seed_and_number_alone():
    of_step = drawn(lambda x: x * torch.rand_like(x) + torch.randn(7), torch.ones(5, 7))
    whole = of_step.draw(seed=4, start=0, stop=6)
    torch.randn(3)  # the global generator moves on
    part = of_step.draw(seed=4, start=2, stop=5)
    assert len(whole) == 2
    assert all(torch.equal(a[2:5], b) for a, b in zip(whole, part, strict=True))


@pytest.mark.compile
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_masks_that_are_drawn_in_blocks_are_those_that_torch_draws(dtype, monkeypatch):
    def three_layers(x: Tensor) -> Tensor:
        for p in (0.1, 0.5, 0.999):
            x = F.dropout(x, p, training=True)
        return x

    of_step = drawn(three_layers, torch.ones(7, 89, dtype=dtype), dtype=dtype)
    if not dropout_masks.is_available():
        pytest.skip("torch draws its masks in another way here")
    ours = of_step.draw(seed=2, start=3, stop=9)
    monkeypatch.setattr(dropout_masks, "is_available", lambda: False)
    theirs = of_step.draw(seed=2, start=3, stop=9)
    assert all(torch.equal(a, b) and len(a) == 6 for a, b in zip(ours, theirs, strict=True))


def test_normal_and_uniform_numbers_have_their_mean_and_variance():
    of_step = drawn(lambda x: torch.randn_like(x) + torch.rand_like(x), torch.ones(100, 100))
    normal, uniform = of_step.draw(seed=0, start=0, stop=10)
    assert float(normal.mean()) == pytest.approx(0, abs=0.02)
    assert float(normal.var()) == pytest.approx(1, abs=0.03)
    assert float(uniform.mean()) == pytest.approx(0.5, abs=0.006)
    assert float(uniform.var()) == pytest.approx(1 / 12, abs=0.003)
