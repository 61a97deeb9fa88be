"""The real setups of the examples: they train as fleets, and as the loop does that a user would write in torch."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from steepest.design.contenders import enter
from steepest.engine import fleet, solo
from steepest.engine.data import to_device
from steepest.engine.shard import job_conditions
from steepest.ingest.own_objects import key_of, load_object
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane, Shard
from steepest.tasks.task import Task

EXAMPLES = Path(__file__).parents[2] / "examples"
STEPS = 12
RATES = (1e-3, 3e-3)


def example(name: str) -> tuple[Task, Shard]:
    """The task of an example, and a shard of its setup in float64."""
    setup, task = (load_object(key_of(EXAMPLES / f"{name}.py", each)) for each in ("SETUP", "task"))
    assert isinstance(task, Task)
    (contender,), _ = enter([setup])
    lanes = tuple(Lane(rate, 0) for rate in RATES)
    where = TaskRef(name, "memory", name)
    return task, Shard("x", where, contender, lanes, task.batch_size, STEPS, (STEPS,), dtype="float64")


def gpts_by_hand(model: nn.Module, rate: float):
    named = [*model.named_parameters()]
    groups = [
        {"params": [p for _, p in named if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for _, p in named if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95))
    warm = max(1, round(0.05 * STEPS))

    def factor(done: int) -> float:
        if done < warm:
            return (done + 1) / warm
        return (1 + math.cos(math.pi * (done - warm) / (STEPS - warm))) / 2

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor), 1.0


def fine_tuned_by_hand(model: nn.Module, rate: float):
    groups = []
    for name, p in model.named_parameters():
        scale = {"1": 0.25, "2": 0.5}.get(name[0], 1.0)
        groups.append({"params": [p], "lr": rate * scale, "weight_decay": 0.01 if p.ndim > 1 else 0.0})
    optimizer = torch.optim.AdamW(groups, lr=rate)

    def factor(done: int) -> float:
        return (done + 1) / 10 if done < 10 else 1 - (done - 10) / (STEPS - 10)

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor), None


@pytest.mark.parametrize(("name", "by_hand"), [("gpt", gpts_by_hand), ("finetune", fine_tuned_by_hand)])
def test_a_fleet_trains_as_the_loop_by_hand(name, by_hand):
    task, made = example(name)
    with job_conditions():
        lanes = fleet.Fleet(task, made, made.lanes)
        lanes.train(0, STEPS)
        for row, lane in enumerate(made.lanes):
            data = solo.Trial(task, made, lane)  # its batches only
            model = task.build_model(0, torch.float64).train()
            optimizer, scheduler, largest = by_hand(model, lane.rate)
            for t in range(STEPS):
                positions = data.order.batches(t, t + 1, made.batch_size)
                batch = task.training_batch(data.splits, positions, 0, t)
                inputs, targets = to_device(*batch, torch.float64, torch.device("cpu"))
                optimizer.zero_grad()
                task.training_loss(model(*inputs), targets).backward()
                if largest:
                    nn.utils.clip_grad_norm_(model.parameters(), largest)
                optimizer.step()
                scheduler.step()
            own = torch.cat([p.detach().flatten() for p in model.parameters() if p.requires_grad])
            torch.testing.assert_close(lanes.flat[row], own, rtol=0, atol=1e-9)


def test_the_residual_network_trains_as_a_fleet():
    task, made = example("resnet")
    assert made.contender.rule == "nesterov+ema"
    with job_conditions():
        lanes = fleet.Fleet(task, made, made.lanes)
        lanes.train(0, STEPS)
        for row, lane in enumerate(made.lanes):
            trial = solo.Trial(task, made, lane)
            for t in range(1, STEPS + 1):
                trial.step(t)
            own = torch.cat([p.detach().flatten() for p in trial.model.parameters()])
            torch.testing.assert_close(lanes.flat[row], own, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["gpt", "resnet", "finetune"])
def test_a_setup_is_short(name):
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) <= 45


def test_the_gpt_is_a_file_of_forty_lines():
    assert len((EXAMPLES / "gpt.py").read_text().splitlines()) <= 40
