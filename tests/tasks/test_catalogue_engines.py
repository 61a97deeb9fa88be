"""Every built-in task at a short horizon: a fleet in float64 moves as each trial alone does, and the loss falls."""

import pytest
import torch

from steepest.engine.draws import kept, seed_step
from steepest.engine.fleet import Fleet
from steepest.engine.layout import Layout
from steepest.engine.solo import Trial
from steepest.optim.catalogue import contender
from steepest.tasks import catalogue
from steepest.types import Lane, Shard, TaskRef

BUNDLED = ("", "digits")
RANDOM = ("movie-textcnn", "reviews-zh")
"""With dropout, which a fleet draws otherwise than a trial alone."""
ENTRIES = [
    pytest.param(
        entry,
        marks=() if entry.data in BUNDLED else pytest.mark.network if entry.name == "housing" else pytest.mark.data,
        id=entry.name,
    )
    for entry in catalogue.CATALOGUE
]


@pytest.mark.slow
@pytest.mark.parametrize("entry", ENTRIES)
def test_a_fleet_of_a_built_in_task_moves_as_each_alone(entry):
    if entry.data in ("housing", "adult"):
        pytest.importorskip("pyarrow")
    task, steps = entry.build(), 100 if entry.data in BUNDLED else 5
    optimizer, rate = entry.known_good
    lanes = (Lane(rate, 0), Lane(rate / 3, 0), Lane(rate, 1))
    ref = TaskRef(entry.name, "catalogue", entry.name)
    shard = Shard("s", ref, contender(optimizer), lanes, task.batch_size, steps, evaluate_at=(steps,), dtype="float64")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with kept():
        fleet = Fleet(task, shard, lanes)
        losses = torch.from_numpy(fleet.train(0, steps)).T  # [R, steps]
        assert fleet.is_random == (entry.name in RANDOM)
        for lane, weights, of_fleet in zip(lanes, fleet.flat, losses, strict=True):
            trial, alone = Trial(task, shard, lane), []
            start = Layout.of(trial.model).row(trial.model)
            for t in range(1, steps + 1):
                seed_step(lane.seed, t)
                alone.append(trial.step(t))
            if fleet.is_random:
                continue
            end = Layout.of(trial.model).row(trial.model)
            assert (torch.tensor(alone, dtype=torch.float64) - of_fleet).abs().max() <= 1e-9 * max(
                1.0, max(map(abs, alone))
            )
            assert (end - weights).norm() <= 1e-9 * (end - start).norm()
    torch.set_num_threads(threads)
    assert torch.isfinite(losses).all()
    if steps == 100:
        assert (losses[:, -20:].mean(1) < losses[:, :20].mean(1)).all()
