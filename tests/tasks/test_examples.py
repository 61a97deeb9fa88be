"""The example scripts: what `python examples/line.py` prints is what the engine trains, and nothing else."""

import importlib.util
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from steepest.builtin import task_table
from steepest.engine.shard import run_job
from steepest.ingest.load import load_file
from steepest.optim.catalogue import contender
from steepest.records import rng
from steepest.records.files import read_trace
from steepest.records.job_records import TrainJob
from steepest.records.outcomes import Outcome
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane, Shard
from steepest.tasks.check import check

EXAMPLES = Path(__file__).parents[2] / "examples"
SEED = 3


@pytest.fixture(scope="module")
def line():
    spec = importlib.util.spec_from_file_location("line_example", EXAMPLES / "line.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def by_hand(make, seed: int = SEED, start: dict | None = None):
    """The same training written out in torch alone: the model's weights and the mean loss of each epoch."""
    task = task_table.entry("line").build()
    model, splits = task.build_model(seed), task.splits(seed)
    if start is not None:
        model.load_state_dict(start)
    optimizer, losses = make(model.parameters()), []
    order = np.concatenate([rng.generator(seed, "order", epoch).permutation(100) for epoch in range(101)])
    for step in range(312):
        batch = splits.train[order[32 * step : 32 * (step + 1)]]
        x, y = splits.inputs[0][batch], splits.targets[batch]
        loss = ((model(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    ends = [round(epoch * 100 / 32) for epoch in range(101)]
    return model, [np.mean(losses[a:b]) for a, b in pairwise(ends)]


PLAIN = {"sgd": lambda p: torch.optim.SGD(p, lr=0.01), "adam": lambda p: torch.optim.Adam(p, lr=0.001)}


@pytest.mark.parametrize("optimizer", PLAIN)
def test_the_line_is_trained_as_one_would_by_hand(optimizer, line):
    fitted = line.fit(optimizer, SEED)
    model, losses = by_hand(PLAIN[optimizer])
    assert (fitted.w, fitted.b) == (model.weight.item(), model.bias.item())
    assert np.allclose(fitted.loss, losses, rtol=1e-5)


def test_the_unfair_fit_goes_on_where_the_first_one_ended(line):
    first = line.fit("sgd", SEED)
    second = line.fit("adam", SEED, after=first)
    model, _ = by_hand(PLAIN["adam"], start=by_hand(PLAIN["sgd"])[0].state_dict())
    assert (second.w, second.b) == (model.weight.item(), model.bias.item())
    assert line.fit("sgd", SEED).w == first.w  # which it leaves as it was


@pytest.mark.parametrize("engine", ["solo", "fleet"])
@pytest.mark.parametrize("optimizer", PLAIN)
def test_script_and_engine_agree(optimizer, engine, line, tmp_path):
    """What `steepest run line` would store for this seed and rate: to the bit if solo, to rounding in a fleet."""
    shard = Shard(
        id="shard",
        task=TaskRef("line", "catalogue", "line"),
        contender=contender(optimizer),
        lanes=(Lane(0.05, 8), Lane(line.RATES[optimizer], SEED)),
        batch_size=32,
        steps=312,
        evaluate_at=(100, 312),
        engine=engine,
    )
    run_job(TrainJob(shard), tmp_path)
    trace = read_trace(tmp_path / "curves" / "shard.npz")
    assert trace.outcome[1] is Outcome.OK
    fitted = line.fit(optimizer, SEED)
    if engine == "solo":
        assert trace.test_metric[1] == fitted.mse
    else:
        assert trace.test_metric[1] == pytest.approx(fitted.mse, rel=1e-4)


def test_the_script_shows_both_comparisons_side_by_side():
    run = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / "line.py"), str(SEED)],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split() for line in run.stdout.splitlines() if line.strip().startswith("epoch")]
    assert [int(row[1]) for row in rows] == [1, 2, 5, 10, 20, 50, 100]
    first, last = (np.array(row[2:], dtype=float) for row in (rows[0], rows[-1]))
    assert first[0] > 50 * first[2]  # as printed, Adam starts where SGD arrived
    assert last[0] < last[1]  # from the same start, SGD is ahead of Adam
    assert "unfair" in run.stdout
    assert run.stderr == ""


def test_a_task_of_ones_own_takes_about_ten_lines_and_is_sound():
    path = EXAMPLES / "own_task.py"
    task = load_file(path)
    check(task)
    assert task.facts("own").n_train == 341
