"""Sparse gradients in the plain loop: only the rows that a batch has met are touched, where the rule allows it."""

from functools import partial

import numpy as np
import pytest
import torch
from engine.small import shard
from torch import Tensor
from torch.nn import functional as F

from steepest.builtin.models import BagOfWords
from steepest.datasets import sources
from steepest.engine.solo import Trial
from steepest.optim import catalogue
from steepest.optim.rule import at_rate, coefficient_record, hyperparameters
from steepest.optim.sparse import move_rows, rests_at_zero
from steepest.tasks.task import Task

WORDS = 60
RESTING = ("gd", "sgd", "sgd-1", "sign-sgd", "adagrad", "adagrad-printed")


def bag(sparse: bool) -> Task:
    """Digits as bags of words: a pixel's place and whether it is dark; words 40 to 59 come up in none of them."""
    pixels, y = sources.load("digits")["x"][:200, 20:30], sources.load("digits")["y"][:200]
    words = 1 + 2 * np.arange(10) + (pixels > 7)
    return Task(partial(BagOfWords, WORDS, 6, 10, sparse=sparse), F.cross_entropy, data=(words, y))


def trial(optimizer: str, sparse: bool, rate: float = 1e-2) -> Trial:
    plan = shard(optimizer, rates=(rate,), seeds=(0,), dtype="float64")
    return Trial(bag(sparse), plan, plan.lanes[0])


def coefficients(name: str, **settings: float):
    rule = catalogue.entry(name).rule
    values = at_rate(rule, {**hyperparameters(rule), **catalogue.entry(name).settings, **settings}, 1e-2)
    return coefficient_record(rule.advance(values, 3, dict(rule.carry)))


@pytest.mark.parametrize("name", [*RESTING, "momentum", "rmsprop", "adam", "adamw", "lion", "lamb", "prodigy"])
def test_sparse_gradients_train_as_dense_ones_do(name):
    dense, sparse = trial(name, sparse=False), trial(name, sparse=True)
    losses = [(dense.step(t), sparse.step(t)) for t in range(1, 31)]
    assert [a for a, _ in losses] == pytest.approx([b for _, b in losses], rel=1e-9)
    for a, b in zip(dense.model.parameters(), sparse.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [entry.name for entry in catalogue.CATALOGUE if entry.rule.scope == "element"])
def test_a_rule_rests_where_a_gradient_is_zero_or_it_does_not(name):
    assert rests_at_zero(catalogue.entry(name).rule, coefficients(name)) == (name in RESTING)


def test_a_decay_leaves_no_row_in_peace():
    assert not rests_at_zero(catalogue.entry("sgd").rule, coefficients("sgd", weight_decay=0.1))
    assert not rests_at_zero(catalogue.entry("adagrad").rule, coefficients("adagrad", weight_decay=0.1))


@pytest.mark.parametrize(("name", "dense"), [("sgd", 0), ("adagrad", 0), ("momentum", 1), ("adam", 1)])
def test_no_dense_gradient_is_made_of_one_that_need_not_be_dense(name, dense, monkeypatch):
    made, to_dense = [], Tensor.to_dense

    def counted(g: Tensor) -> Tensor:
        made.append(g.layout)
        return to_dense(g)

    monkeypatch.setattr(Tensor, "to_dense", counted)
    trial(name, sparse=True).step(1)
    assert made.count(torch.sparse_coo) == dense


def test_rows_that_no_batch_has_met_are_not_touched():
    """Not even multiplied by one: a row that is no number stays as it is, and the others do not hear of it."""
    alone = trial("adagrad", sparse=True)
    table: Tensor = alone.model.mean.weight  # type: ignore[union-attr, assignment]
    with torch.no_grad():
        table[40:] = float("nan")
    before = table.detach().clone()
    losses = [alone.step(t) for t in range(1, 21)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert table[40:].isnan().all()
    met = (table[:40] != before[:40]).any(1)
    assert 15 < int(met.sum()) <= 20
    assert not met[21:].any()


def test_a_row_that_comes_up_twice_moves_by_the_sum_of_its_gradients():
    rule = catalogue.entry("sgd").rule
    w = torch.zeros(4, 2, dtype=torch.float64)
    values = torch.tensor([[1.0, 0.0], [5.0, 5.0], [2.0, 1.0]], dtype=torch.float64)
    g = torch.sparse_coo_tensor(torch.tensor([[2, 0, 2]]), values, (4, 2), check_invariants=True)
    move_rows(rule, w, g, (), coefficients("sgd"))
    torch.testing.assert_close(w, torch.tensor([[-0.05, -0.05], [0, 0], [-0.03, -0.01], [0, 0]], dtype=torch.float64))
