"""Trials on several processes: the curves of one process, or a sentence. Real processes, over loopback."""

import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from clusters.listeners import CONNECTED, LISTENING, listening
from engine.small import digits, shard
from study import toy
from torch import nn
from torch.nn import functional as F

import steepest
from steepest.engine import parallel, ranks, solo
from steepest.engine.object_registry import ObjectRegistry
from steepest.errors import BadSetting, BadTask, TrialFailed
from steepest.optim.parameter_groups import KEY
from steepest.records.contender import TORCH_IN_MEMORY
from steepest.records.trials import Lane, Parallel
from steepest.study.planner import plan_run

CURVES = ("train_loss", "valid_loss", "valid_metric", "test_loss", "test_metric")
STEPS = 6


def plan(optimizer="adam", kind="", **changes):
    """Batches of 17, which no number of processes divides."""
    made = shard(optimizer, steps=STEPS)
    lanes = (Lane(0.01, seed=0), Lane(0.003, seed=3))
    defaults = {"lanes": lanes, "batch_size": 17, "dtype": "float64", "engine": "solo", "evaluate_at": (2, STEPS)}
    return replace(made, parallel=kind, **(defaults | changes))


def largest_difference(task, shard, registry=None):
    """Of all curves, relative."""
    given = (registry,) if registry else ()
    alone = solo.train(task, replace(shard, parallel=""), *given)
    together = parallel.train(task, shard, *given)
    assert alone.outcome == together.outcome
    pairs = [(getattr(alone, name), getattr(together, name)) for name in CURVES]
    return max(float(np.max(np.abs(a - b) / np.abs(a).clip(1e-300))) for a, b in pairs)


def task_of(model, loss=F.cross_entropy, size=120, **changes):
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(size, 6)).astype("float32"), draw.integers(0, 3, size)
    return steepest.Task(model=model, loss=loss, data=(x, y), metric="loss", batch_size=17, **changes)


def mlp(*more):
    return nn.Sequential(nn.Linear(6, 9), nn.Tanh(), *more, nn.Linear(9, 3))


@pytest.mark.parametrize(
    ("optimizer", "kind"),
    [
        ("adam", "ddp:2"),
        ("prodigy", "ddp:3"),
        ("mars", "ddp:2"),
        ("muon", "ddp:3"),
        ("lamb", "fsdp2:2"),
        ("muon+clip-norm", "fsdp2:2"),
        ("adam+ema", "fsdp2:3"),
    ],
)
def test_curves_are_those_of_one_process(optimizer, kind):
    assert largest_difference(digits(), plan(optimizer, kind)) < 1e-12


def test_any_loss_is_that_of_the_whole_batch_and_dropout_draws_for_it():
    """A mean that weighs examples unequally, and leaves some out, is no mean of the processes' means."""
    weights = torch.tensor([0.1, 1.0, 3.0])

    def loss(outputs, targets):
        targets = torch.where(outputs.detach()[:, 0] > 0.3, -100, targets)
        return F.cross_entropy(outputs, targets, weights.to(outputs.dtype))

    task = task_of(lambda: mlp(nn.Dropout(0.4)), loss)
    assert largest_difference(task, plan(kind="ddp:3")) < 1e-12


class Forgetful(nn.Module):
    """With a parameter that is never used, one that few batches use, and sparse gradients."""

    def __init__(self):
        super().__init__()
        self.never, self.seldom = nn.Parameter(torch.ones(3)), nn.Linear(6, 3)
        self.rows, self.always = nn.Embedding(5, 3, sparse=True), nn.Linear(6, 3)

    def forward(self, x):
        found = self.always(x) + self.rows(x[:, 0].abs().long().clamp(max=4))
        return found + self.seldom(x) if x[0, 0] > 0 else found


def test_parameters_that_a_share_does_not_use_get_what_the_others_found():
    with pytest.raises(BadTask, match="depend on which others are with them"):
        parallel.train(task_of(Forgetful), plan("sgd", "ddp:2"))

    class Fair(Forgetful):
        def forward(self, x):
            used = x[:, 0] > 0.5
            found = self.always(x) + self.rows(x[:, 0].abs().long().clamp(max=4))
            return found.index_add(0, used.nonzero()[:, 0], self.seldom(x[used])) if used.any() else found

    assert largest_difference(task_of(Fair), plan("sgd", "ddp:3")) < 1e-12


@pytest.mark.parametrize(
    ("task", "why"),
    [
        (task_of(lambda: mlp(nn.BatchNorm1d(9))), "has BatchNorm"),
        (task_of(lambda: mlp(nn.AlphaDropout(0.5))), "random draws other than dropout"),
    ],
)
def test_what_a_share_cannot_give_is_refused(task, why):
    with pytest.raises(BadTask, match=why):
        parallel.train(task, plan(kind="ddp:2"))


def test_fsdp2_refuses_what_it_cannot_shard():
    with pytest.raises(BadTask, match="sparse gradients"):
        parallel.train(task_of(Forgetful), plan("sgd", "fsdp2:2"))
    with pytest.raises(BadSetting, match="two gradients in a step"):
        parallel.train(digits(), plan("mars", "fsdp2:2"))


def test_an_optimizer_of_torch_is_sharded_too():
    registry = ObjectRegistry(optimizers={"own": torch.optim.AdamW})
    own = plan(kind="fsdp2:2")
    own = replace(own, contender=replace(own.contender, rule=f"{TORCH_IN_MEMORY}own", settings={}))
    assert largest_difference(digits(), own, registry) < 1e-12


def test_groups_of_parameters_are_sharded_too():
    plain = plan("adamw", "fsdp2:2")
    settings = {**plain.contender.settings, KEY: "vectors.weight_decay=0:vectors.lr_scale=3"}
    own = replace(plain, contender=replace(plain.contender, settings=settings))
    assert largest_difference(digits(), own) < 1e-12
    alone = [solo.train(digits(), replace(each, parallel="")).valid_loss for each in (own, plain)]
    assert not np.array_equal(*alone)


def dies(rank, marks, times):
    """A model whose process `rank` is killed in its first step, `times` times."""

    class Dying(nn.Linear):
        def forward(self, input):
            if self.training and torch.distributed.is_initialized() and torch.distributed.get_rank() == rank:
                with marks.open("a") as file:
                    file.write("x")
                if marks.stat().st_size <= times:
                    os.kill(os.getpid(), signal.SIGKILL)
            return super().forward(input)

    return task_of(lambda: Dying(6, 3))


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_has_the_trials_begin_again(rank, tmp_path, capfd):
    assert largest_difference(dies(rank, tmp_path / "marks", 1), plan(kind="ddp:2")) < 1e-12
    assert "A process of a trial ended (SIGKILL); its trials begin again." in capfd.readouterr().err


def test_processes_that_are_killed_every_time_end_the_trial(tmp_path):
    with pytest.raises(TrialFailed, match=r"ended \(SIGKILL\), 4 times in a row"):
        parallel.train(dies(1, tmp_path / "marks", 99), plan(kind="ddp:2"))
    assert (tmp_path / "marks").stat().st_size == 1 + ranks.RETRIES


def test_an_error_in_one_process_is_the_trials_error():
    def fails():
        if torch.distributed.get_rank() == 1:
            raise ValueError("only here")
        return ranks.agreed(1.0)

    with pytest.raises(RuntimeError, match="ValueError: only here"):
        ranks.together(2, fails)
    assert ranks.together(3, lambda: ranks.shares(10)) == [3, 3, 4]


LOOPBACK = ("0100007F:", "00000000000000000000000001000000:", "0000000000000000FFFF00000100007F:")
"""127.0.0.1 and ::1, as /proc/net writes them."""


def test_processes_of_a_trial_talk_over_loopback_alone():
    found = ranks.together(2, lambda: (ranks.agreed(1.0), listening(os.getpid(), (LISTENING, CONNECTED)))[1])
    assert found and all(address.startswith(LOOPBACK) for address in found)


def test_progress_is_heard(tmp_path):
    heard = []

    def work():
        ranks.report(0.5)
        while not (tmp_path / "heard").exists():
            time.sleep(0.01)

    def hear(done):
        heard.append(done)
        (tmp_path / "heard").touch()

    ranks.together(2, work, hear)
    assert heard[0] == 0.5


def test_a_study_trains_its_trials_so(tmp_path):
    options = {"optimizers": "sgd,adam", "rates": [0.01, 0.1], "seeds": 2, "dtype": "float64", "quiet": True}
    task = task_of(mlp, epochs=2)

    def scores(name, **how):
        study = steepest.compare(task, out=tmp_path / name, workers=1, **options, **how)
        return {(each.contender, each.rate, each.seed): each.valid_metric for each in study.record.results}

    alone, together = scores("one", engine="solo"), scores("two", parallel="ddp:2")
    assert len(alone) >= 8
    assert together == pytest.approx(alone, rel=1e-9)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"parallel": "ddp"}, "Use ddp:N or fsdp2:N"),
        ({"parallel": "ddp:999"}, "at most 64"),
        ({"parallel": "ddp:2", "engine": "fleet"}, "one trial at a time"),
        ({"parallel": "ddp:2", "device": "meta"}, "the device cpu of Linux only"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_trained(options, why, tmp_path):
    with pytest.raises(BadSetting, match=why):
        steepest.compare("digits-linear", out=tmp_path / "study", quiet=True, optimizers="sgd", **options)


def test_a_batch_has_an_example_for_each_process():
    asked = toy.spec(engine="solo", parallel="ddp:3").check()
    with pytest.raises(BadSetting, match="a batch of 2 cannot be shared by 3 processes"):
        plan_run(asked, asked.protocol, asked.contenders[0], toy.FACTS, 10, 2)


def test_words_are_parsed():
    assert Parallel.parse("") is None
    assert Parallel.parse("ddp:2") == ("ddp", 2)
