"""The trials of a study as a user would train them without `steepest`: `torch.optim`, a loop, some evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from steepest.builtin import task_table
from steepest.tasks.task import Task

FORMS: dict[str, dict[str, Any]] = {
    "fused": {"fused": True},
    "foreach": {"foreach": True},
    "for-loop": {"foreach": False},
}
TORCH: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "gd": (torch.optim.SGD, {}),
    "sgd": (torch.optim.SGD, {}),
    "sgd-1": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "momentum-averaged": (torch.optim.SGD, {"momentum": 0.9, "dampening": 0.1}),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "adagrad": (torch.optim.Adagrad, {}),
    "rmsprop": (torch.optim.RMSprop, {"alpha": 0.9}),
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
}
"""What torch has for the contenders of the default study; a printed form takes as long as the standard one."""


@dataclass(frozen=True)
class TrialByHand:
    """One trial of a built-in task."""

    task: str
    contender: str
    rate: float
    seed: int
    batch_size: int
    steps: int
    evaluate_at: Sequence[int]
    form: str = "for-loop"


def seconds(trial: TrialByHand) -> float:
    """Train it, on as many threads as torch is set to, and return the time it took."""
    torch.set_flush_denormal(True)
    task = _task(trial.task)
    splits = task.splits(trial.seed)
    x, y = task.batch(splits, splits.train)[0][0], task.batch(splits, splits.train)[1]
    valid, test = (_part(task, trial.seed, part) for part in ("valid", "test"))
    begin = perf_counter()
    model = task.build_model(trial.seed)
    optimizer = optimizer_of(trial, model)
    step, marks = 0, set(trial.evaluate_at)
    while step < trial.steps:
        for batch in torch.randperm(len(x)).split(trial.batch_size):
            if len(batch) < trial.batch_size or step == trial.steps:
                break
            optimizer.zero_grad()
            loss = task.loss(model(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
            step += 1
            if step in marks:
                _evaluate(task, model, *valid)
    _evaluate(task, model, *test)
    return perf_counter() - begin


def seconds_on_one_thread(trial: TrialByHand) -> float:
    """The same, as done by one of several processes."""
    torch.set_num_threads(1)
    return seconds(trial)


def optimizer_of(trial: TrialByHand, model: nn.Module) -> torch.optim.Optimizer:
    kind, arguments = TORCH[trial.contender.removesuffix("-printed")]
    make: Any = kind
    return make(model.parameters(), lr=trial.rate, **arguments, **FORMS[trial.form])


def fastest_form(trial: TrialByHand, steps: int = 200) -> str:
    """The form of torch's optimizer that is fastest in a short trial; not every optimizer has all of them."""
    short = replace(trial, steps=min(steps, trial.steps), evaluate_at=())
    found = {}
    for form in FORMS:
        try:
            found[form] = min(seconds(replace(short, form=form)) for _ in range(2))
        except (TypeError, RuntimeError):  # it has no such form
            continue
    return min(found, key=lambda form: found[form])


@lru_cache
def _task(name: str) -> Task:
    return task_table.entry(name).build()


@lru_cache
def _part(task: Task, seed: int, part: str) -> tuple[Tensor, Tensor]:
    splits = task.splits(seed)
    (x,), y = task.batch(splits, getattr(splits, part))
    return x, y


@torch.no_grad()
def _evaluate(task: Task, model: nn.Module, x: Tensor, y: Tensor) -> tuple[float, float]:
    outputs = model(x)
    return float(task.loss(outputs, y)), float(task.quality.fn(outputs, y))
