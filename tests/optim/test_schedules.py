"""Schedules: factors of the rate, against torch's schedulers where those exist."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from steepest.errors import BadSetting, UnknownName
from steepest.optim.plateau import Plateau
from steepest.optim.schedules import SCHEDULES, as_torch, numbers_of, schedule

horizons = st.integers(1, 5000)


@pytest.mark.parametrize(
    ("name", "scheduler"),
    [
        ("constant", lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: 1.0)),
        ("cosine", lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)),
        ("linear", lambda optimizer: torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=40)),
        ("linear:end=0.25", lambda optimizer: torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.25, total_iters=40)),
        ("cosine:end=0.1", lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40, eta_min=0.1)),
        ("polynomial", lambda optimizer: torch.optim.lr_scheduler.PolynomialLR(optimizer, 40, power=2.0)),
        ("polynomial:power=0.5", lambda optimizer: torch.optim.lr_scheduler.PolynomialLR(optimizer, 40, power=0.5)),
        ("exponential", lambda optimizer: torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.01 ** (1 / 40))),
        ("step", lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 13, gamma=0.1)),
        ("step:factor=0.5:every=0.25", lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 10, gamma=0.5)),
        (
            "warm-restarts:cycles=4",
            lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 10),
        ),
        (
            "warm-restarts:cycles=2:growth=3",
            lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 10, T_mult=3),
        ),
        ("one-cycle", lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, 40, cycle_momentum=False)),
        (
            "one-cycle:rise=0.5:start=0.1:end=0.001",
            lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(
                optimizer, 1.0, 40, pct_start=0.5, div_factor=10, final_div_factor=100, cycle_momentum=False
            ),
        ),
    ],
)
def test_a_schedule_is_torch_s_of_that_name(name: str, scheduler: object) -> None:
    w = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)
    theirs = scheduler(optimizer)  # type: ignore[operator]
    for t in range(1, 41):
        assert schedule(name)(t, 40) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        if t < 40:  # OneCycleLR takes no step beyond its last
            optimizer.step()
            theirs.step()


@pytest.mark.parametrize("name", SCHEDULES)
@settings(deadline=None)
@given(horizon=horizons)
def test_every_schedule_reaches_the_full_rate_and_never_leaves_0_to_1(name: str, horizon: int) -> None:
    factors = [schedule(name)(t, horizon) for t in range(1, horizon + 2)]
    if name != "one-cycle":
        assert max(factors) == 1.0
    elif horizon >= 20:  # its top lies between two steps
        assert 0.9 < max(factors) <= 1.0
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
    with pytest.raises(UnknownName, match=r"Unknown schedule 'cosin'\. Did you mean cosine, warmup-cosine"):
        schedule("cosin")


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_number_of_a_schedule_acts(name: str) -> None:
    usual = [schedule(name)(t, 600) for t in range(1, 601)]
    for number, default in numbers_of(name).items():
        other = default + 1 if number in ("cycles", "growth", "power") else 0.9 * default or 0.1
        assert [schedule(f"{name}:{number}={other}")(t, 600) for t in range(1, 601)] != usual, number


def test_shapes_that_torch_has_not_can_be_worked_out_by_hand() -> None:
    stable = schedule("warmup-stable-decay")  # of 100 steps 5 rise and 20 fall
    assert [stable(t, 100) for t in (1, 5, 6, 80, 81, 91, 100, 101, 150)] == pytest.approx(
        [0.2, 1, 1, 1, 1, 0.5, 0.05, 0, 0]
    )
    root = schedule("inverse-sqrt:share=0.04")
    assert [root(t, 100) for t in (1, 4, 16, 64)] == pytest.approx([0.25, 1, 0.5, 0.25])
    assert [schedule("warmup-cosine:steps=4")(t, 100) for t in (1, 4, 5)] == [0.25, 1, 1]
    warm = schedule("warmup-step:share=0.1:factor=0.5:every=0.5")
    assert [warm(t, 100) for t in (5, 10, 11, 55, 56, 100)] == pytest.approx([0.5, 1, 1, 1, 0.5, 0.5])


def test_a_cooldown_has_the_shape_of_its_power() -> None:
    """1 − √y falls fast at first, a line evenly, 1 − y² late; before they fall, and at the end, all are the same."""
    root, line, late = (schedule(f"warmup-stable-decay:fall=0.4:power={power}") for power in (0.5, 1, 2))
    assert [f(61, 100) for f in (root, line, late)] == [1.0] * 3
    assert [f(71, 100) for f in (root, line, late)] == pytest.approx([1 - 0.25**0.5, 0.75, 1 - 0.25**2])
    assert [f(101, 100) for f in (root, line, late)] == [0.0] * 3


@pytest.mark.parametrize("words", ["cosine", "one-cycle", "warmup-polynomial:power=3"])
def test_a_schedule_can_be_taken_away_as_one_of_torch_s(words: str) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    scheduler = as_torch(words, optimizer, 30)
    assert isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler)
    for t in range(1, 31):
        assert optimizer.param_groups[0]["lr"] == 0.5 * schedule(words)(t, 30)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize(
    ("words", "error", "sentence"),
    [
        ("step:facto=0.5", UnknownName, r"Unknown setting of the schedule step 'facto'\. Did you mean factor"),
        ("step:factor=2", BadSetting, r"'step:factor=2': factor is 2; it must be a number from 0 to 1\."),
        ("step:factor=half", BadSetting, "factor is half; it must be a number from 0 to 1"),
        ("cosine:end", BadSetting, "end is empty; it must be a number from 0 to 1"),
    ],
)
def test_a_bad_number_of_a_schedule_is_refused_in_one_sentence(words: str, error: type, sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        schedule(words)


# ---- the one that listens --------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    losses=st.lists(st.floats(0.01, 1.0) | st.just(float("nan")), min_size=1, max_size=60),
    patience=st.integers(0, 5),
    factor=st.floats(0.1, 0.9),
    threshold=st.sampled_from([0.0, 1e-4, 0.2]),
    end=st.sampled_from([0.0, 0.3]),
)
def test_plateau_is_torch_s_where_evaluations_are_equally_far_apart(
    losses: list[float], patience: int, factor: float, threshold: float, end: float
) -> None:
    words = f"plateau:factor={factor!r}:patience={patience / 60!r}:threshold={threshold}:end={end}"
    ours = schedule(words)
    assert isinstance(ours, Plateau)
    theirs, taken = (torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0) for _ in range(2))
    own = torch.optim.lr_scheduler.ReduceLROnPlateau(
        theirs, factor=factor, patience=patience, threshold=threshold, min_lr=end, eps=0.0
    )
    scheduler = as_torch(words, taken, horizon=60)
    for k, loss in enumerate(losses, start=1):
        ours.hear(7 * k, 7 * 60, loss)
        for each in (own, scheduler):
            each.step(loss)
        assert ours(7 * k + 1, 7 * 60) == theirs.param_groups[0]["lr"] == taken.param_groups[0]["lr"]


def test_two_trials_do_not_listen_with_the_same_ears() -> None:
    assert schedule("plateau") is not schedule("plateau")
    assert numbers_of("plateau") == {"factor": 0.1, "patience": 0.1, "threshold": 1e-4, "end": 0.0}
    with pytest.raises(BadSetting, match="patience is 2; it must be a number from 0 to 1"):
        schedule("plateau:patience=2")


# ---- warm-up ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in SCHEDULES if f"warmup-{name}" in SCHEDULES])
def test_a_warm_up_goes_before_any_schedule_that_does_not_rise_by_itself(name: str) -> None:
    warm, plain = schedule(f"warmup-{name}:share=0.1"), schedule(name)
    assert [warm(t, 200) for t in (1, 10, 20)] == pytest.approx([0.05, 0.5, 1.0])
    assert [warm(20 + t, 200) for t in range(1, 200)] == [plain(t, 180) for t in range(1, 200)]


def test_every_schedule_has_a_warm_up() -> None:
    rising = {name for name in SCHEDULES if schedule(name)(1, 1000) < 1 and not name.startswith("warmup-")}
    assert rising == {"one-cycle", "inverse-sqrt"}  # and warmup-stable-decay, by its name
    falling = {name for name in SCHEDULES if not name.startswith("warmup-")} - rising
    assert all(f"warmup-{name}" in SCHEDULES for name in falling)
