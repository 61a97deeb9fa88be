"""Every scheduler of torch gives our optimizers the rates and the momentum that it gives torch's own."""

import inspect
import itertools
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from torch.optim.swa_utils import SWALR

import steepest

SCHEDULERS: list[Callable[[Optimizer], LRScheduler]] = [
    lambda given: LambdaLR(given, [lambda t: 0.9**t, lambda t: 1 / (1 + t)]),
    lambda given: MultiplicativeLR(given, lambda t: 0.95),
    lambda given: StepLR(given, 3, gamma=0.5),
    lambda given: MultiStepLR(given, [2, 5], gamma=0.3),
    lambda given: ConstantLR(given, factor=0.25, total_iters=4),
    lambda given: LinearLR(given, start_factor=0.1, total_iters=5),
    lambda given: ExponentialLR(given, 0.8),
    lambda given: PolynomialLR(given, total_iters=9, power=2.0),
    lambda given: CosineAnnealingLR(given, T_max=8, eta_min=1e-4),
    lambda given: CosineAnnealingWarmRestarts(given, T_0=3, T_mult=2),
    lambda given: CyclicLR(given, 0.01, 0.1, step_size_up=3, mode="triangular2"),
    lambda given: OneCycleLR(given, [0.1, 0.3], total_steps=12, three_phase=True),
    lambda given: ReduceLROnPlateau(given, patience=1, factor=0.5, cooldown=1),
    lambda given: SequentialLR(given, [LinearLR(given, 0.1, total_iters=4), CosineAnnealingLR(given, 8)], [4]),
    lambda given: ChainedScheduler([ConstantLR(given, 0.5, total_iters=3), ExponentialLR(given, 0.9)]),
    lambda given: SWALR(given, swa_lr=0.005, anneal_epochs=5),
]
OPTIMIZERS = [
    ("SGD", {"momentum": 0.9}),
    ("Adam", {"betas": (0.8, 0.99)}),
    ("AdamW", {}),
    ("NAdam", {}),
    ("RMSprop", {"momentum": 0.7}),
]
MOVED = ("lr", "momentum", "betas")
STEPS = 11


def course(
    kind: type[Optimizer], settings: dict[str, object], scheduler: Callable[[Optimizer], LRScheduler]
) -> list[list[tuple[object, ...]]]:
    """Rate, momentum and betas of both groups before every step; the saved scheduler goes on after half of them."""
    weights = [nn.Parameter(torch.ones(2)) for _ in range(2)]
    groups = [{"params": weights[:1]}, {"params": weights[1:], "lr": 0.02}]
    optimizer = kind(groups, lr=0.05, **settings)  # type: ignore[call-arg]
    schedule, found = scheduler(optimizer), []
    for t in range(STEPS):
        found.append([tuple(group[key] for key in MOVED if key in group) for group in optimizer.param_groups])
        for p in weights:
            p.grad = torch.ones(2)
        optimizer.step()
        if isinstance(schedule, ReduceLROnPlateau):
            schedule.step(1.0 if t < 4 else 2.0)  # type: ignore[arg-type]
        else:
            schedule.step()
        if t == STEPS // 2:
            optimizer.load_state_dict(optimizer.state_dict())
            schedule.load_state_dict(schedule.state_dict())
    return found


def made(scheduler: Callable[[Optimizer], LRScheduler]) -> str:
    weights = [nn.Parameter(torch.ones(2)) for _ in range(2)]
    return type(scheduler(torch.optim.SGD([{"params": [p]} for p in weights], lr=0.1, momentum=0.9))).__name__


def test_no_scheduler_of_torch_is_left_out() -> None:
    there = {
        name
        for name, kind in vars(lr_scheduler).items()
        if inspect.isclass(kind) and issubclass(kind, LRScheduler) and name not in ("LRScheduler", "_LRScheduler")
    }
    assert there | {"SWALR"} == set(map(made, SCHEDULERS))


@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=made)
@pytest.mark.parametrize(("name", "settings"), OPTIMIZERS, ids=[name for name, _ in OPTIMIZERS])
def test_rates_and_momentum_are_those_that_torch_gets(
    name: str, settings: dict[str, object], scheduler: Callable[[Optimizer], LRScheduler]
) -> None:
    found = course(getattr(steepest.optim, name), settings, scheduler)
    assert found == course(getattr(torch.optim, name), settings, scheduler)
    assert len(set(map(str, itertools.chain(*found)))) > 2  # something moved
