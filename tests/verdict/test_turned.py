"""What further dials were worth: the guard, the gain, importance and the setting to use."""

from dataclasses import replace

import numpy as np
import pytest

from steepest.records.contender import Contender
from steepest.records.dial import Dial, packed
from steepest.records.outcomes import Outcome, Result
from steepest.verdict.judge.replicates import entrant, guard_of, validation_noise
from steepest.verdict.judge.turned import columns_of, explained, recommended, space_of

RATES = (1e-4, 1e-3, 1e-2)
DIALS = (Dial("b2", "log", 0.9, 0.999, complement=True, default=0.999), Dial("decay", "log", 1e-4, 1.0, zero=True))
CONTENDER = Contender("adam", "adam", 1e-3, search="sobol", dials=DIALS)


def row(rate: float, seed: int, valid: float, test: float, dials: str = "") -> Result:
    stage = "search" if dials else "grid"
    outcome = Outcome.OK if np.isfinite(valid) else Outcome.DIVERGED
    known = {"valid_loss": -valid, "valid_metric": valid, "test_loss": 1.0, "test_metric": test}
    values = known if outcome is Outcome.OK else dict.fromkeys(known)
    return Result("t", "adam", rate, seed, stage, 8, 9, outcome, 9, 0.0, shard="s", lane=0, dials=dials, **values)


def valid(each: Result) -> float:
    assert each.valid_metric is not None
    return each.valid_metric


def turns(each: Result | None) -> bool:
    return each is not None and bool(each.dials)


def rows(lead: float, seeds: int = 6, noise: float = 0.01) -> list[Result]:
    """Rates whose validation is noisy, and settings of which b2 near 0.95 is better by `lead`."""
    draw = np.random.default_rng(0)
    found = []
    for seed in range(seeds):
        level = draw.normal(0.8, 0.1)
        found += [row(rate, seed, level + draw.normal(0, noise), level) for rate in RATES]
        for b2 in draw.uniform(0.9, 0.999, 12):
            good = lead * (1 - abs(b2 - 0.95) / 0.05)
            found.append(row(1e-3, seed, level + good + draw.normal(0, noise), level + good, packed({"b2": float(b2)})))
    return found


def test_another_setting_is_picked_only_where_it_is_ahead_by_more_than_noise():
    guarded = entrant("adam", rows(lead=0.0, seeds=40), True)
    assert all(len(each.others) == 12 and len(each.trials) == 3 for each in guarded.replicates)
    moved = [each for each in guarded.replicates if turns(each.pick)]
    free = [each for each in guarded.replicates if turns(each.unguarded)]
    assert len(moved) < len(free)
    assert all(turns(each.pick) for each in entrant("adam", rows(lead=0.2), True).replicates)
    assert not any(turns(each.rate_pick) for each in entrant("adam", rows(lead=0.2), True).replicates)


def test_where_the_loss_says_more_than_the_metric_both_must_be_better():
    def odd(each: Result) -> float:
        return (7 * len(each.dials) + 13 * each.seed + round(5e4 * each.rate)) % 97 / 97

    informative = [replace(each, valid_loss=odd(each)) for each in rows(0.0)]
    item = entrant("adam", informative, True)
    assert guard_of(item.trials, 1) == 0.0
    for each in item.replicates:
        other, best = each.others[0], each.trials[0]
        assert (each.pick is other) == (valid(other) > valid(best) and odd(other) < odd(best))
    assert guard_of(entrant("adam", rows(0.0), True).trials, 1) > 0


def test_where_no_rate_trains_another_setting_may():
    failed = [row(rate, seed, float("nan"), 0.0) for seed in range(5) for rate in RATES]
    others = [row(1e-3, seed, 0.9, 0.9, '{"b2":0.9}') for seed in range(5)]
    assert all(turns(each.pick) for each in entrant("adam", [*failed, *others], True).replicates)


def test_the_noise_is_that_of_a_difference_within_a_replicate():
    draw = np.random.default_rng(1)
    table = [row(rate, seed, seed + draw.normal(0, 0.1), 0.0) for seed in range(400) for rate in RATES]
    assert validation_noise(table, 1) == pytest.approx(0.1 * np.sqrt(2), rel=0.1)
    assert validation_noise(table[:3], 1) == np.inf  # of one seed nothing is known


def test_lower_is_better_mirrors_it():
    higher = entrant("adam", rows(lead=0.2), True)
    mirrored = [
        replace(each, valid_metric=each.valid_loss, test_metric=-(each.test_metric or 0)) for each in rows(lead=0.2)
    ]
    lower = entrant("adam", mirrored, False)
    assert [each.pick and each.pick.dials for each in higher.replicates] == [
        each.pick and each.pick.dials for each in lower.replicates
    ]


def test_settings_count_once_all_replicates_have_them():
    found = rows(lead=0.2)
    assert all(each.others == () for each in entrant("adam", found[:-1], True).replicates)


def test_what_chance_explains_is_nothing_on_average():
    draw = np.random.default_rng(2)
    shares = []
    for _ in range(400):
        x, z, y = draw.random((3, 14))
        rate = columns_of(z, Dial("lr", "log", 1e-4, 1e-2))
        shares.append(explained(y + 3 * z, rate, columns_of(x, DIALS[0])))
    assert abs(np.mean(shares)) < 0.03


def test_what_matters_explains_most():
    draw = np.random.default_rng(3)
    x, z = draw.random((2, 40))
    noisy = x + draw.normal(0, 0.05, 40)
    shares = [explained(noisy, [], columns_of(each, DIALS[0])) for each in (x, z)]
    assert shares[0] is not None and shares[0] > 0.9
    assert shares[1] is not None and shares[1] < 0.3


def test_the_setting_to_use_is_smoothed_over_replicates():
    lucky = [row(1e-3, seed, 1.2 if seed == 0 else 0.6, 0, '{"b2":0.9}') for seed in range(6)]
    item = entrant("adam", [*rows(lead=0.2), *lucky], True)
    setting = recommended(space_of(CONTENDER, item), item)
    assert 0.93 < float(setting["b2"]) < 0.97  # not the one that was best by one lucky trial
    assert setting["lr"] == 1e-3
