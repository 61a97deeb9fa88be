"""Schedules: factors of the rate, against torch's schedulers where those exist."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from steepest.errors import UnknownName
from steepest.optim.schedules import SCHEDULES, schedule

horizons = st.integers(1, 5000)


@pytest.mark.parametrize(
    ("name", "scheduler"),
    [
        ("constant", lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: 1.0)),
        ("cosine", lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)),
        ("linear", lambda optimizer: torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=40)),
    ],
)
def test_a_schedule_is_torch_s_of_that_name(name: str, scheduler: object) -> None:
    w = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)
    theirs = scheduler(optimizer)  # type: ignore[operator]
    for t in range(1, 41):
        assert schedule(name)(t, 40) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize("name", SCHEDULES)
@settings(deadline=None)
@given(horizon=horizons)
def test_every_schedule_reaches_the_full_rate_and_never_leaves_0_to_1(name: str, horizon: int) -> None:
    factors = [schedule(name)(t, horizon) for t in range(1, horizon + 2)]
    assert max(factors) == 1.0
    assert min(factors[:horizon]) > 0, "a step within the horizon must not be wasted"
    assert min(factors) >= 0


@pytest.mark.parametrize("name", ["linear", "cosine"])
@settings(deadline=None)
@given(horizon=horizons)
def test_a_decay_falls_from_1_to_0_and_stays_there(name: str, horizon: int) -> None:
    factors = [schedule(name)(t, horizon) for t in range(1, horizon + 5)]
    assert factors[0] == 1.0
    assert factors == sorted(factors, reverse=True)
    assert factors[horizon:] == [pytest.approx(0, abs=1e-15)] * 4


def test_a_warm_up_takes_a_twentieth_of_the_horizon_and_the_decay_the_rest() -> None:
    factor = schedule("warmup-linear")
    assert [factor(t, 100) for t in range(1, 7)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    assert [factor(t, 100) for t in (7, 53, 100, 101)] == pytest.approx([94 / 95, 48 / 95, 1 / 95, 0])


def test_an_unknown_schedule_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(UnknownName, match=r"There is no schedule 'cosin'\. Did you mean cosine, warmup-cosine"):
        schedule("cosin")
