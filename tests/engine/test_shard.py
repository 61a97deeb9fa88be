"""A job in, files out: the same job gives the same bytes, and the caller's process stays as it was."""

import random
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from engine.small import digits, shard
from torch import nn

from steepest.engine.shard import ObjectRegistry, run_job
from steepest.errors import BadInput, BadSetting, BadTask, UnknownName
from steepest.optim.catalogue import contender
from steepest.records.contender import Contender
from steepest.records.files import read_json, read_trace
from steepest.records.job_records import CompileJob, DescribeJob, TimeJob, TrainJob
from steepest.records.outcomes import Outcome
from steepest.records.task_facts import TaskRef
from steepest.study.jobs import read_compilation, read_facts

REGISTRY = ObjectRegistry(tasks={"test": digits()}, optimizers={"SGD": torch.optim.SGD})
HERE = TaskRef("mine", "memory", "test")


def train(plan, **changes):
    return TrainJob(replace(plan, id="one", **changes))


@pytest.mark.parametrize("engine", ["fleet", "solo"])
def test_the_same_job_gives_the_same_bytes(engine, tmp_path):
    model = lambda: nn.Sequential(nn.Linear(64, 8), nn.Dropout(0.2), nn.Linear(8, 10))  # noqa: E731
    job = train(shard("adam", rates=(1e-3, 1e30)), engine=engine)
    for folder in ("first", "second"):
        torch.manual_seed(hash(folder))
        run_job(job, tmp_path / folder, ObjectRegistry(tasks={"test": digits(model)}))
    first, second = ((tmp_path / folder / "curves" / "one.npz").read_bytes() for folder in ("first", "second"))
    assert first == second
    trace = read_trace(tmp_path / "first" / "curves" / "one.npz")
    assert trace.outcome == (Outcome.OK, Outcome.OK, Outcome.DIVERGED, Outcome.DIVERGED)
    assert trace.valid_metric.shape == (4, 2)


def test_a_task_is_described_under_the_name_that_the_study_gives_it(tmp_path):
    run_job(DescribeJob("d", HERE), tmp_path, REGISTRY)
    facts = read_facts(tmp_path / "facts" / "d.json")
    assert (facts.name, facts.metric, facts.n_train, str(facts.fleet_obstacle)) == ("mine", "accuracy", 180, "")


def test_a_task_that_cannot_be_a_fleet_is_described_with_the_reason(tmp_path):
    class Branching(nn.Linear):
        def forward(self, x):
            h = super().forward(x)
            return h if h.sum() > 0 else -h

    registry = ObjectRegistry(tasks={"test": digits(lambda: Branching(64, 10))})
    run_job(DescribeJob("d", HERE), tmp_path, registry)
    assert "an if on one" in str(read_facts(tmp_path / "facts" / "d.json").fleet_obstacle)


def test_a_built_in_task_is_found_by_its_name(tmp_path):
    run_job(DescribeJob("d", TaskRef("line", "catalogue", "line")), tmp_path)
    assert read_json(tmp_path / "facts" / "d.json")["parameters"] == 2


def test_steps_are_timed(tmp_path):
    contender = Contender("SGD", "torch:SGD", centre=1e-2)
    run_job(TimeJob("t", HERE, contender, 16, dtype="float32", device="cpu"), tmp_path, REGISTRY)
    time = read_json(tmp_path / "facts" / "t.json")
    assert time["task"] == "mine"
    assert 0 < time["milliseconds"] < 1000


def test_progress_rises_to_one(tmp_path):
    for engine in ("fleet", "solo"):
        told: list[float] = []
        run_job(train(shard("sgd"), engine=engine), tmp_path, REGISTRY, told.append)
        assert told == sorted(told)
        assert told[-1] == 1.0


def test_the_callers_process_stays_as_it_was(tmp_path):
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)
    expected = torch.rand(1).item(), random.random(), np.random.random()
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)
    torch.set_num_threads(2)
    try:
        run_job(train(shard("sgd"), engine="solo"), tmp_path, REGISTRY)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert (torch.rand(1).item(), random.random(), np.random.random()) == expected
    assert sys.float_info.min / 2 > 0  # numbers too small for full precision are there again


def test_moments_that_fade_away_become_zero():
    """They would otherwise stick at the smallest numbers there are, where a square root is slow."""
    seen = []

    class Watching(torch.optim.SGD):
        def step(self, closure=None):
            seen.append((torch.full((20,), 1.2e-38) * 0.5).sum().item())
            return super().step(closure)

    registry = ObjectRegistry(tasks=REGISTRY.tasks, optimizers={"Watching": Watching})
    contender = Contender("Watching", "torch:Watching", centre=1e-2)
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        run_job(train(shard(), contender=contender, engine="solo"), Path(folder), registry)
    assert set(seen) == {0.0}


@pytest.mark.parametrize(
    ("job", "error", "message"),
    [
        (DescribeJob("x", TaskRef("a", "memory", "gone")), BadTask, "'gone'"),
        (DescribeJob("x", TaskRef("a", "catalogue", "digit")), UnknownName, "digits"),
        (train(shard(), device="abacus"), BadSetting, "abacus"),
        (train(shard(), contender=Contender("x", "adma", 1e-3)), UnknownName, "adam"),
        (train(shard(), contender=Contender("x", "torch:SGD", 1e-3)), BadInput, "one model at a time"),
    ],
)
def test_bad_input_is_reported_in_one_sentence(job, error, message, tmp_path):
    with pytest.raises(error, match=message):
        run_job(job, tmp_path, REGISTRY)
    assert not list(tmp_path.rglob("*.npz"))


@pytest.mark.compile
def test_what_is_compiled_counts_though_its_note_cannot_be_written(tmp_path, monkeypatch):
    """The disk of the cache may be full; the study's is not."""
    (tmp_path / "full").write_text("no folder")
    monkeypatch.setattr("steepest.engine.shard.compiled_note", lambda job: tmp_path / "full" / f"{job}.json")
    task = TaskRef("line", "catalogue", "line")
    job = CompileJob("c", task, contender("sgd"), 32, "float32", "cpu", lanes=2, compiled=("update",))
    run_job(job, tmp_path, ObjectRegistry())
    assert read_compilation(tmp_path / "facts" / "c.json").refused == ()
