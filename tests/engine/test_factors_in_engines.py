"""Regularisation and augmentation: what an axis does to the training, alike in both engines."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from engine.small import digits, shard
from torch import nn
from torch.nn import functional as F

from steepest.builtin.models import BagOfWords, mlp
from steepest.engine import fleet, solo
from steepest.engine.fleet import Fleet
from steepest.engine.layout import Layout
from steepest.engine.solo import Trial
from steepest.errors import BadTask
from steepest.records.outcomes import Outcome
from steepest.tasks.arrays import PARTS
from steepest.tasks.task import Task
from steepest.tasks.with_factors import with_factors

STEPS = 12


def texts(**choices) -> Task:
    draw = np.random.default_rng(0)
    x = draw.integers(0, 50, (120, 9))
    return Task(
        model=lambda: BagOfWords(50, 8, 3), data=(x, x[:, 0] % 3), loss=F.cross_entropy, batch_size=16, **choices
    )


def amounts() -> Task:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(120, 6))
    y = x.sum(1, keepdims=True)
    return Task(model=lambda: mlp((6, 8, 1)), data=(x, y), loss=F.mse_loss, metric="r2", batch_size=16)


def losses(task: Task, **choices) -> np.ndarray:
    plan = shard(steps=STEPS, dtype="float64", seeds=(0,), rates=(1e-2,), **choices)
    trial = Trial(task, plan, plan.lanes[0])
    return np.array([trial.step(t) for t in range(1, STEPS + 1)])


CASES = [
    (digits, {"label-smoothing": 0.1}),
    (digits, {"augment": "shift"}),
    (digits, {"augment": "crop"}),
    (digits, {"augment": "flip"}),
    (digits, {"augment": "noise"}),
    (digits, {"augment": "mixup"}),
    (digits, {"augment": "shift+mixup", "label-smoothing": 0.2}),
    (amounts, {"augment": "mixup"}),
    (texts, {"word-dropout": 0.3}),
]


@pytest.mark.parametrize(("make", "axes"), CASES, ids=lambda value: str(value) if isinstance(value, dict) else "")
def test_a_fleet_moves_as_its_replicas_do_alone(make, axes):
    task = with_factors(make(), axes)
    plan = replace(shard(steps=STEPS, dtype="float64"))
    together = Fleet(task, plan, plan.lanes)
    found = together.train(0, STEPS)
    for i, lane in enumerate(plan.lanes):
        alone = Trial(task, plan, lane)
        np.testing.assert_allclose(found[:, i], [alone.step(t) for t in range(1, STEPS + 1)], rtol=0, atol=1e-9)
        torch.testing.assert_close(together.flat[i], Layout.of(alone.model).row(alone.model), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("make", "axes"), CASES, ids=lambda value: str(value) if isinstance(value, dict) else "")
def test_every_value_moves_the_training_and_none_moves_the_evaluation(make, axes):
    task = make()
    other = with_factors(task, axes)
    assert np.abs(losses(other) - losses(task)).max() > 1e-3
    splits = task.splits(0)
    for part in PARTS:
        for a, b in zip(*(each.batch(splits, getattr(splits, part))[0] for each in (task, other)), strict=True):
            assert torch.equal(a, b)
    assert other.loss is task.loss


def test_draws_differ_from_step_to_step_and_seed_to_seed_and_come_again():
    task = with_factors(digits(), {"augment": "noise"})
    splits, same = task.splits(0), np.tile(np.arange(16), (2, 1))
    (first,), _ = task.training_batch(splits, same, 0, 0)
    assert not torch.equal(first[:16], first[16:])
    (other,), _ = task.training_batch(splits, same[:1], 0, 1)
    assert torch.equal(first[16:], other)
    (fresh,), _ = task.training_batch(splits, same, 1, 0)
    assert not torch.equal(first, fresh)


def test_the_whole_training_part_is_augmented_again_at_every_step():
    task = with_factors(digits(examples=60, batch_size=16), {"augment": "noise"})
    plan = shard("sgd", steps=4, dtype="float64", batch_size=task.sizes["train"])
    together = Fleet(task, plan, plan.lanes).train(0, 4)
    alone = Trial(task, plan, plan.lanes[0])
    np.testing.assert_allclose(together[:, 0], [alone.step(t) for t in range(1, 5)], rtol=0, atol=1e-9)


def test_values_that_change_nothing_leave_the_task_itself():
    task = digits()
    assert with_factors(task, {"augment": "none", "label-smoothing": 0.0, "l2": 0.1, "early-stopping": 3.0}) is task
    assert with_factors(task, {"augment": "flip"}) is with_factors(task, {"augment": "flip"})


def test_dropout_is_set_where_it_is_and_put_behind_activations_where_it_is_not():
    with_layers = digits(lambda: nn.Sequential(nn.Linear(64, 8), nn.Dropout(0.5), nn.Linear(8, 10)))
    model = with_factors(with_layers, {"dropout": 0.2}).build_model(0)
    assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == [0.2]
    plain = digits()
    model, before = with_factors(plain, {"dropout": 0.2}).build_model(0), plain.build_model(0)
    assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == [0.2]
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before.parameters(), strict=True))
    by_argument = digits(lambda dropout=0.1: nn.Sequential(nn.Linear(64, 10), nn.Dropout(dropout)))
    model = with_factors(by_argument, {"dropout": 0.4}).build_model(0)
    assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == [0.4]
    assert not np.array_equal(losses(with_factors(plain, {"dropout": 0.5})), losses(plain))
    assert np.array_equal(losses(with_factors(plain, {"dropout": 0.0})), losses(plain))


def test_label_smoothing_is_torchs_own_and_mixup_blends_two_losses():
    task = digits()
    outputs, y = torch.randn(5, 10), torch.tensor([1, 2, 3, 4, 5])
    softer = with_factors(task, {"label-smoothing": 0.1}).training_loss(outputs, y)
    assert torch.equal(softer, F.cross_entropy(outputs, y, label_smoothing=0.1))
    mixed = with_factors(task, {"augment": "mixup"})
    (x,), targets = mixed.training_batch(task.splits(0), np.arange(16)[None], 0, 0)
    share, (plain,) = float(targets[0, 2]), task.batch(task.splits(0), np.arange(16))[0]
    other = next(i for i in range(16) if torch.allclose(x[0], share * plain[0] + (1 - share) * plain[i], atol=1e-6))
    assert targets[0, 1] == task.batch(task.splits(0), np.array([other]))[1]


@pytest.mark.parametrize(
    ("make", "axes", "said"),
    [
        (texts, {"augment": "shift"}, "has whole numbers"),
        (amounts, {"augment": "flip"}, "needs images"),
        (amounts, {"label-smoothing": 0.1}, "needs cross-entropy"),
        (digits, {"word-dropout": 0.1}, "needs texts"),
        (lambda: digits(lambda: nn.Linear(64, 10)), {"dropout": 0.1}, "no activation layer"),
    ],
)
def test_an_axis_that_a_task_does_not_have_is_an_error(make, axes, said):
    with pytest.raises(BadTask, match=said):
        with_factors(make(), axes)


# ---- early stopping --------------------------------------------------------------------------------------------------


def stopping(epochs: float, **choices):
    """Digits at a rate so large that validation soon gets no better."""
    plan = shard("sgd", rates=(0.3, 2.0), steps=120, evaluate_at=tuple(range(6, 121, 6)), **choices)
    return replace(plan, contender=replace(plan.contender, axes={"early-stopping": epochs}))


@pytest.mark.parametrize("engine", [fleet, solo], ids=["fleet", "solo"])
def test_early_stopping_keeps_the_weights_that_validation_liked_best(engine):
    task, plan = digits(), stopping(2.0)
    trace = engine.train(task, plan)
    free = engine.train(task, replace(plan, contender=replace(plan.contender, axes={})))
    patience = 2.0 * task.sizes["train"] / plan.batch_size
    stopped = 0
    for i, lane in enumerate(plan.lanes):
        curve = free.valid_metric[i]
        best, at = -np.inf, 0
        for e, step in enumerate(trace.evaluate_at):
            if curve[e] > best:
                best, at = curve[e], e
            if step - trace.evaluate_at[at] >= patience:
                break
        stopped += step < 120
        assert trace.outcome_step[i] == trace.evaluate_at[at]
        assert trace.valid_metric[i, -1] == best
        np.testing.assert_array_equal(trace.valid_metric[i, : e + (step < 120)], curve[: e + (step < 120)])
        short = replace(plan, lanes=(lane,), steps=int(trace.evaluate_at[at]), contender=shard("sgd").contender)
        short = replace(short, evaluate_at=(short.steps,))
        assert trace.test_metric[i] == pytest.approx(solo.train(task, short).test_metric[0], abs=1e-6)
    assert stopped  # or nothing was tried here


def test_early_stopping_is_alike_in_both_engines():
    task, plan = digits(), stopping(2.0, dtype="float64")
    a, b = fleet.train(task, plan), solo.train(task, plan)
    np.testing.assert_array_equal(a.outcome_step, b.outcome_step)
    np.testing.assert_allclose(a.test_loss, b.test_loss, atol=1e-9)
    np.testing.assert_allclose(a.valid_loss, b.valid_loss, atol=1e-9)


def test_a_trial_that_diverges_is_not_an_early_stop():
    task, plan = digits(), stopping(50.0)
    plan = replace(plan, lanes=(replace(plan.lanes[0], rate=1e9), *plan.lanes))
    trace = fleet.train(task, plan)
    assert trace.outcome[0] is Outcome.DIVERGED and np.isnan(trace.test_metric[0])
    assert trace.outcome[1] is Outcome.OK
