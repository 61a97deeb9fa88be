"""What a validation curve over the rate says: good ranges, the rate recommended, and who stalled."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from verdict.factory import DIGITS, LINE, study_of, synthetic_study

from steepest.records.outcomes import Outcome
from steepest.verdict.judge.rate_curves import (
    advise,
    good_rates,
    interval_around,
    lower_bounds,
    rate_curve,
    seed_levels,
    smooth,
    stall_level,
    start_level,
    within,
)
from steepest.verdict.judge.replicates import entrant


def entrant_of(values, task=DIGITS):
    return entrant("adam", study_of({"adam": values}, task=task).results, task.higher_is_better)


def curve_of(values, task=DIGITS):
    return rate_curve(entrant_of(values, task))


X = np.array([-3.0, -2.0, -1.0, 0.0])


def test_an_interval_ends_where_the_line_between_two_rates_crosses_the_level():
    assert interval_around(X, np.array([0.0, 0.8, 1.0, 0.5]), 0.9, at=2) == pytest.approx((-1.5, -0.8))


def test_an_interval_ends_at_the_last_rate_before_a_failing_one():
    assert interval_around(X, np.array([0.95, 1.0, 0.95, math.nan]), 0.9, at=1) == (-3.0, -1.0)


def test_an_interval_does_not_leap_over_a_gap():
    low, high = interval_around(X, np.array([1.0, 0.0, 1.0, 1.0]), 0.9, at=3)
    assert (low, high) == pytest.approx((-1.1, 0.0))


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_lower_level_is_kept_at_least_as_far(y, less, lesser):
    y = np.array(y)
    top = int(np.argmax(y))
    near = interval_around(X, y, y[top] - min(less, lesser), top)
    far = interval_around(X, y, y[top] - max(less, lesser), top)
    assert far[0] <= near[0] <= near[1] <= far[1]


def test_within_5_percent_is_lower_for_a_share_and_higher_for_a_loss():
    assert within(0.8, 0.05) == pytest.approx(0.76)
    assert -within(-0.8, 0.05) == pytest.approx(0.84)  # goodness of a loss is its negative
    assert within(0.0, 0.05) == 0


def test_smoothing_a_constant_leaves_it():
    assert smooth(X, np.full(4, 0.7), np.ones(4)) == pytest.approx(np.full(4, 0.7))


def test_a_hopeless_neighbour_weighs_no_more_than_the_median_rate():
    mild = smooth(X / 5, np.array([0.2, 0.8, 0.9, 0.85]), np.ones(4))
    wild = smooth(X / 5, np.array([-1e9, 0.8, 0.9, 0.85]), np.ones(4))
    assert np.all(wild[1:] == mild[1:])


def test_a_good_rate_among_poor_neighbours_loses_to_one_among_good_ones():
    means = (0.90, 0.905, 0.953, 0.91, 0.94, 0.945, 0.95, 0.945, 0.94)
    advice = advise(curve_of({10 ** (-2 + i / 6): [mean] * 5 for i, mean in enumerate(means)}))
    assert advice is not None
    assert advice.rate == pytest.approx(0.1)  # the seventh, not the third


def test_a_rate_at_which_one_trial_diverged_is_not_recommended_however_good_the_others_are():
    advice = advise(curve_of({0.001: [0.6] * 5, 0.01: [0.9] * 5, 0.1: [0.99, 0.99, 0.99, 0.99, None]}))
    assert advice is not None
    assert advice.rate == 0.01
    assert advice.safe_rates[1] == 0.01


def test_where_one_seed_fails_at_every_rate_the_rates_are_still_compared():
    advice = advise(curve_of({0.001: [0.6, None], 0.01: [0.9, None], 0.1: [None, None]}))
    assert advice is not None
    assert advice.rate == 0.01


def test_good_ranges_are_measured_in_decades():
    values = {10.0**x: [y] * 5 for x, y in ((-4, 0.0), (-3, 0.9), (-2, 1.0), (-1, 0.9), (0, 0.0))}
    advice = advise(curve_of(values))
    assert advice is not None
    assert (advice.decades_1pct, advice.decades_5pct) == pytest.approx((0.2, 1.0))
    assert advice.safe_rates == pytest.approx((10**-2.5, 10**-1.5))


def test_a_loss_is_good_where_it_is_small():
    values = {10.0**x: [y] * 5 for x, y in ((-3, 2.0), (-2, 1.0), (-1, 1.5))}
    advice = advise(curve_of(values, LINE))
    assert advice is not None
    assert advice.rate == 0.01
    assert advice.decades_5pct == pytest.approx(0.05 + 0.1)


def shown(values, task=DIGITS):
    """The range that is shown to be good, and the decades that it may have."""
    item = entrant_of(values, task)
    curve = rate_curve(item)
    found = good_rates(item, curve, advise(curve), np.random.default_rng(0))
    return found.rates, found.decades


def test_without_noise_the_range_shown_to_be_good_is_the_measured_one():
    values = {10.0**x: [y] * 5 for x, y in ((-4, 0.0), (-3, 0.9), (-2, 1.0), (-1, 0.9), (0, 0.0))}
    rates, decades = shown(values)
    assert rates == pytest.approx((10**-2.5, 10**-1.5))
    assert decades == pytest.approx((1.0, 1.0))


def test_a_bound_is_students_on_the_differences_by_seed():
    best, other = np.array([0.9, 0.92, 0.94, 0.9]), np.array([0.88, 0.92, 0.93, 0.86])
    table = np.stack([other, best], axis=1)
    bound = lower_bounds(table, table.mean(axis=0), top=1, towards=-1)
    half = 3.182446 * (other - best).std(ddof=1) / 2  # t of 97.5 % with 3 degrees of freedom
    assert bound == pytest.approx([other.mean() - 0.95 * best.mean() - half, 0.05 * best.mean()], rel=1e-4)


def test_a_rate_next_to_one_where_a_seed_hardly_learns_is_not_shown_to_be_good():
    """Of rates that all have the best mean, only those from whose neighbour no seed has failed."""
    values = {1e-4: [0.9, 0.3, 0.9, 0.9, 0.9], 1e-3: [0.9] * 5, 1e-2: [0.9] * 5, 1e-1: [0.9] * 5}
    (low, high), _ = shown(values)
    assert 1e-3 < low < 1e-2
    assert high == 1e-1


def test_of_one_seed_only_the_best_rate_is_named():
    assert shown({0.01: [0.8], 0.1: [0.9], 1.0: [0.89]}) == ((0.1, 0.1), (0.0, math.inf))


def test_more_noise_shows_fewer_good_rates():
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(5, 6))
    quiet, loud = (
        shown({10.0**x: list(0.9 - 0.01 * x**2 + sd * noise[i]) for i, x in enumerate((-2, -1, 0, 1, 2))})[0]
        for sd in (0.001, 0.02)
    )
    assert math.log10(loud[1] / loud[0]) < math.log10(quiet[1] / quiet[0])


def test_nothing_is_recommended_where_nothing_is_sound():
    assert advise(curve_of({0.1: [None] * 5, 0.01: [None] * 5})) is None


def test_with_curves_the_start_is_where_the_slowest_trials_begin():
    study, traces = synthetic_study()
    entrants = [
        entrant(c.name, [row for row in study.results if row.contender == c.name], True) for c in study.contenders
    ]
    start, level = start_level(entrants, traces), stall_level(entrants, traces)
    assert start == pytest.approx(0.1, abs=0.005)  # ten classes
    assert level == pytest.approx(0.1 + 0.1 * (0.98 - 0.1), abs=0.005)
    assert start_level(entrants, {}) is None


def test_without_curves_the_start_is_the_lowest_rate_if_that_is_far_enough_from_the_best():
    far = [entrant_of({0.001: [0.1] * 5, 0.01: [0.9] * 5})]
    near = [entrant_of({0.001: [0.6] * 5, 0.01: [0.9] * 5})]
    loss = [entrant_of({0.001: [2.0] * 5, 0.01: [0.5] * 5}, LINE)]
    assert stall_level(far, {}) == pytest.approx(0.1 + 0.1 * 0.8)
    assert stall_level(near, {}) is None
    assert stall_level(loss, {}) == pytest.approx(-2.0 + 0.1 * 1.5)


# ---- rates that seeds placed for themselves --------------------------------------------------------------------------

GRID = (1e-4, 1e-3, 1e-2)


def of_own_rates(levels, more):
    """Seeds of different levels on a grid whose middle is the best, and rates of their own: seed → rate → what it adds
    to the seed's level."""
    rows = study_of({"adam": {rate: [0.9 - 0.1 * (rate != 1e-3) + x for x in levels] for rate in GRID}}).results
    own = [
        replace(rows[0], rate=rate, seed=seed, stage="refine", valid_metric=levels[seed] + x, test_metric=0.9)
        for seed, rates in more.items()
        for rate, x in rates.items()
    ]
    return entrant("adam", [*rows, *own], higher_is_better=True)


def test_a_rate_that_only_good_seeds_tried_is_no_better_for_that():
    item = of_own_rates([0.05, 0.05, -0.05, -0.05], {0: {2e-3: 0.89}, 1: {2e-3: 0.89}, 2: {5e-4: 0.8}, 3: {2e-4: 0.8}})
    curve = rate_curve(item)
    assert curve.rates.tolist() == [1e-4, 1e-3, 2e-3, 1e-2]  # 5e-4 and 2e-4 were tried once each
    assert curve.mean == pytest.approx([0.8, 0.9, 0.89, 0.8])
    assert advise(curve).peak == 1e-3


def test_rates_that_few_seeds_tried_are_not_recommended():
    item = of_own_rates([0.0] * 4, {0: {2e-3: 0.99}, 1: {5e-4: 0.8}, 2: {2e-4: 0.8}, 3: {3e-4: 0.8}})
    assert 2e-3 not in rate_curve(item).rates
    assert advise(rate_curve(item)).rate == 1e-3


def test_seed_levels_need_a_rate_at_which_every_seed_trained():
    item = of_own_rates([0.05, -0.05], {0: {2e-3: 0.8}, 1: {5e-4: 0.8}})
    assert seed_levels(item) == pytest.approx({0: 0.05, 1: -0.05})
    rows = [replace(row, outcome=Outcome.DIVERGED) if row.seed == 0 and row.rate != 2e-3 else row
            for row in item.trials]  # fmt: skip
    assert seed_levels(entrant("adam", rows, higher_is_better=True)) == {}
