"""The plain loop against a loop written out by hand, with torch's own optimizers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from engine.small import digits, shard
from torch import nn
from torch.nn import functional as F

from steepest.engine import solo
from steepest.engine.object_registry import ObjectRegistry
from steepest.engine.solo import Trial
from steepest.errors import BadInput, BadSetting
from steepest.optim.elementwise import Momentum
from steepest.records import rng
from steepest.records.contender import Contender
from steepest.records.outcomes import Outcome
from steepest.records.trials import Lane


def by_hand(task, lane: Lane, make, batch_size: int, steps: int) -> tuple[list[float], list[torch.Tensor]]:
    """Losses and final weights of a loop as in any tutorial, over the stream of examples that every trial sees."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng.integer(lane.seed, "weights"))
        model = task.model()
    optimizer = make(model.parameters(), lr=lane.rate)
    splits = task.splits(lane.seed)
    n = len(splits.train)
    epochs = range(steps * batch_size // n + 1)
    stream = np.concatenate([splits.train[rng.generator(lane.seed, "order", e).permutation(n)] for e in epochs])
    losses = []
    for step in range(steps):
        index = torch.from_numpy(stream[step * batch_size : (step + 1) * batch_size])
        optimizer.zero_grad()
        loss = F.cross_entropy(model(splits.inputs[0][index]), splits.targets[index])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [p.detach() for p in model.parameters()]


@pytest.mark.parametrize(
    ("optimizer", "make"),
    [
        ("sgd", torch.optim.SGD),
        ("momentum", lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9)),
        ("adagrad", torch.optim.Adagrad),
        ("rmsprop", torch.optim.RMSprop),
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
    ],
)
def test_a_trial_is_the_loop_of_the_tutorials_to_the_last_bit(optimizer, make):
    task, plan = digits(), shard(optimizer, steps=25)
    lane = Lane(3e-3, seed=4)
    losses, weights = by_hand(task, lane, lambda p, lr: make(p, lr=lr), plan.batch_size, 25)
    trial = Trial(task, plan, lane)
    assert [trial.step(t) for t in range(1, 26)] == losses
    assert all(torch.equal(a, b) for a, b in zip(trial.model.parameters(), weights, strict=True))


def foreign(name: str, **settings) -> Contender:
    return Contender(name, f"torch:{name}", centre=1e-2, settings=settings, schedule="linear")


def own_rule(name: str, **settings) -> Contender:
    return Contender(name, f"rule:{name}", centre=1e-2, settings=settings, schedule="linear")


def test_any_torch_optimizer_trains_with_its_settings_and_under_a_schedule():
    task = digits()
    plan = replace(shard("momentum", schedule="linear"), engine="solo")
    own = solo.train(task, plan)
    theirs = solo.train(
        task, replace(plan, contender=foreign("SGD", momentum=0.9)), ObjectRegistry(optimizers={"SGD": torch.optim.SGD})
    )
    assert (own.train_loss == theirs.train_loss).all()
    assert own.outcome == theirs.outcome == (Outcome.OK,) * 4
    assert not (
        own.train_loss
        == solo.train(task, replace(plan, contender=replace(plan.contender, schedule="constant"))).train_loss
    ).all()


def test_a_rule_of_the_users_own_is_found_in_the_workshop():
    task = digits()
    plan = replace(shard("momentum", schedule="linear"), engine="solo")
    mine = solo.train(task, replace(plan, contender=own_rule("Mine")), ObjectRegistry(optimizers={"Mine": Momentum}))
    assert (mine.train_loss == solo.train(task, plan).train_loss).all()
    with pytest.raises(BadSetting, match="momentum"):
        Trial(
            task,
            replace(plan, contender=own_rule("Mine", momentum=-1)),
            plan.lanes[0],
            ObjectRegistry(optimizers={"Mine": Momentum}),
        )
    with pytest.raises(BadInput, match="Resume the study from that program"):
        Trial(task, replace(plan, contender=own_rule("Other")), plan.lanes[0])


def test_curves_hold_means_of_batch_losses_and_whole_parts():
    task = digits(standardize=True)
    plan = shard("sgd", rates=(1e-2,), seeds=(2,), steps=12, evaluate_at=(3, 4, 12))
    trace = solo.train(task, plan)
    trial = Trial(task, plan, plan.lanes[0])
    losses = [trial.step(t) for t in range(1, 13)]
    np.testing.assert_allclose(trace.train_loss[0], [np.mean(losses[:3]), losses[3], np.mean(losses[4:])], rtol=1e-12)
    x, y = task.batch(trial.splits, trial.splits.test)
    with torch.no_grad():
        scores = trial.model.eval()(*x)
    assert trace.test_loss[0] == pytest.approx(F.cross_entropy(scores, y).item(), rel=1e-6)
    assert trace.test_metric[0] == pytest.approx((scores.argmax(1) == y).float().mean().item(), rel=1e-6)


def test_a_part_that_is_evaluated_in_pieces_counts_as_one(monkeypatch):
    task, plan = digits(), shard("sgd")
    trial = Trial(task, plan, plan.lanes[0])
    whole = trial.evaluate("valid")
    monkeypatch.setattr(solo, "EVALUATION_EXAMPLES", 7)
    np.testing.assert_allclose(trial.evaluate("valid"), whole, rtol=1e-6)


def test_randomness_in_training_comes_from_the_seed_and_is_reproducible():
    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(64, 16), nn.Dropout(0.5), nn.Linear(16, 10))

    plan = shard("sgd", rates=(1e-3, 1e-3), seeds=(0, 1))
    once, again = (solo.train(digits(model), plan) for _ in range(2))
    assert (once.train_loss == again.train_loss).all()
    assert (once.train_loss[0] == once.train_loss[2]).all()  # the same seed and rate
    assert (once.train_loss[0] != once.train_loss[1]).all()


def test_a_model_that_breaks_in_mid_training_says_so():
    class Brittle(nn.Linear):
        calls = 0

        def forward(self, x):
            Brittle.calls += 1
            if Brittle.calls > 5:
                raise RuntimeError("the bridge is out")
            return super().forward(x)

    with pytest.raises(RuntimeError, match="the bridge is out"):
        solo.train(digits(lambda: Brittle(64, 10)), shard("sgd"))
