"""The built-in tasks that need no download, or one by pip alone, at a short horizon: a fleet in float64 moves as each
trial alone does, and the loss falls. Those whose data take more to fetch are in `test_networks`."""

import pytest
import torch

from steepest.builtin import task_table
from steepest.engine.fleet import Fleet
from steepest.engine.layout import Layout
from steepest.engine.random_sources import preserved_generators, seed_step
from steepest.engine.solo import Trial
from steepest.optim.catalogue import contender
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane, Shard

FETCHED = ("housing", "adult", "movielens")
ENTRIES = [
    *(pytest.param(entry, 100, id=entry.name) for entry in task_table.CATALOGUE if entry.data in ("", "digits")),
    *(pytest.param(task_table.entry(name), 12, id=name, marks=pytest.mark.network) for name in FETCHED),
]


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with preserved_generators():
        yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("entry", "steps"), ENTRIES)
def test_a_fleet_of_a_built_in_task_moves_as_each_alone(entry, steps):
    if entry.data in ("housing", "adult"):
        pytest.importorskip("pyarrow")
    task, (optimizer, rate) = entry.build(), entry.known_good
    lanes = (Lane(rate, 0), Lane(rate / 3, 0), Lane(rate, 1))
    ref = TaskRef(entry.name, "catalogue", entry.name)
    shard = Shard("s", ref, contender(optimizer), lanes, task.batch_size, steps, evaluate_at=(steps,), dtype="float64")
    fleet = Fleet(task, shard, lanes)
    losses = torch.from_numpy(fleet.train(0, steps)).T  # [R, steps]
    for lane, weights, of_fleet in zip(lanes, fleet.flat, losses, strict=True):
        trial, alone = Trial(task, shard, lane), []
        start = Layout.of(trial.model).row(trial.model)
        for t in range(1, steps + 1):
            seed_step(lane.seed, t)
            alone.append(trial.step(t))
        end = Layout.of(trial.model).row(trial.model)
        of_trial = torch.tensor(alone, dtype=torch.float64)
        assert (of_trial - of_fleet).abs().max() <= 1e-9 * max(1.0, float(of_trial.abs().max()))
        assert (end - weights).norm() <= 1e-9 * (end - start).norm()
    if entry.name not in FETCHED:
        assert (losses[:, -20:].mean(1) < losses[:, :20].mean(1)).all()
