"""Each method against SciPy where SciPy has it, against plain enumeration where the case is small, and its laws."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from steepest.verdict.stats.inference import (
    best_of_k,
    bootstrap_t,
    censored_median,
    correlation_over_seeds,
    first_crossing,
    holm,
    mean_interval,
    moments,
    power,
    replicates_needed,
    smallest_difference,
    welch,
)

value = st.floats(-100, 100).map(lambda x: round(x, 3))
p_value = st.floats(0, 1)


@st.composite
def samples(draw, least=2, most=12):
    """A sample with some spread, so that SciPy has an answer too."""
    x = draw(st.lists(value, min_size=least, max_size=most))
    x[0] = x[1] + 1 + abs(x[0])
    return np.array(x)


def rng(seed=0):
    return np.random.default_rng(seed)


# ---- one and two samples ----


@given(samples(), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_mean_has_students_interval(x, confidence):
    ours = mean_interval(x, confidence)
    theirs = scipy_stats.t.interval(confidence, len(x) - 1, loc=x.mean(), scale=scipy_stats.sem(x))
    assert (ours.low, ours.high) == pytest.approx(theirs, rel=1e-9, abs=1e-9)


@given(samples(), samples(), st.sampled_from([0.8, 0.95, 0.998]))
def test_welch_agrees_with_scipy(a, b, confidence):
    ours, theirs = welch(a, b), scipy_stats.ttest_ind(a, b, equal_var=False)
    interval = theirs.confidence_interval(confidence)
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-8, abs=1e-300)
    assert ours.freedom == pytest.approx(theirs.df, rel=1e-9)
    assert (ours.interval(confidence).low, ours.interval(confidence).high) == pytest.approx(
        (interval.low, interval.high), rel=1e-8, abs=1e-9
    )


@given(samples(), samples())
def test_welch_turns_its_sign_with_its_arguments(a, b):
    one, other = welch(a, b), welch(b, a)
    assert (one.value, one.p) == (-other.value, pytest.approx(other.p))


@given(samples(), samples(), st.sampled_from([-8.0, 0.5, 16.0]), st.sampled_from([1e-6, 1.0, 1e6]))
def test_welch_does_not_depend_on_the_units(a, b, shift, scale):
    here, there = welch(a, b), welch(scale * (a + shift), scale * (b + shift))
    assert there.p == pytest.approx(here.p, rel=1e-6, abs=1e-12)
    assert there.value == pytest.approx(scale * here.value, rel=1e-6, abs=1e-9 * scale)


def test_two_equal_constants_tie_and_two_different_ones_do_not():
    same, apart = welch(np.full(7, 0.1), np.full(10, 0.1)), welch(np.full(5, 0.2), np.full(5, 0.1))
    assert (same.value, same.p) == (0, 1)
    assert (same.interval(0.95).low, same.interval(0.95).high) == (0, 0)
    assert (apart.p, apart.interval(0.95).low) == (0, apart.value)


def test_a_constant_against_a_spread_sample_is_the_one_sample_test():
    x = np.array([0.1, 0.4, 0.2, 0.9, 0.3])
    assert welch(x, np.full(5, 0.3)).p == pytest.approx(scipy_stats.ttest_1samp(x, 0.3).pvalue)


def test_a_single_value_bounds_nothing():
    assert mean_interval(np.array([0.5]), 0.95).high == math.inf
    alone = welch(np.array([0.5]), np.array([0.1, 0.2, 0.3]))
    assert alone.p == 1
    assert alone.interval(0.95).low == -math.inf


def test_bootstrap_t_lies_near_students_interval_for_normal_scatter():
    a, b = rng(1).normal(1, 1, 40), rng(2).normal(0, 2, 60)
    t, bootstrap = welch(a, b).interval(0.95), bootstrap_t(a, b, 0.95, rng())
    assert (bootstrap.low, bootstrap.high) == pytest.approx((t.low, t.high), abs=0.1)


def test_bootstrap_t_leans_towards_the_long_tail():
    a, b = rng(3).exponential(1, 20), np.linspace(-0.1, 0.1, 20)
    t, bootstrap = welch(a, b).interval(0.95), bootstrap_t(a, b, 0.95, rng())
    assert bootstrap.high - t.high > 0.1
    assert bootstrap.low > t.low


def test_bootstrap_t_of_constant_samples_is_a_point():
    interval = bootstrap_t(np.full(5, 0.3), np.full(5, 0.1), 0.95, rng())
    assert interval.low == interval.high == pytest.approx(0.2)


@given(samples(least=3, most=6), samples(least=3, most=6))
@settings(max_examples=30)
def test_bootstrap_t_holds_its_own_difference(a, b):
    interval = bootstrap_t(a, b, 0.9, rng(), resamples=400)
    assert interval.low <= interval.value <= interval.high


# ---- many comparisons ----


def holm_by_closure(p):
    """Holm is the closed test of Bonferroni: a hypothesis falls if every intersection that holds it falls."""
    m = len(p)
    sets = [s for size in range(1, m + 1) for s in itertools.combinations(range(m), size)]
    return [min(1, max(len(s) * min(p[i] for i in s) for s in sets if j in s)) for j in range(m)]


@given(st.lists(p_value, min_size=1, max_size=5))
def test_holm_is_the_closed_test_of_bonferroni(p):
    assert holm(np.array(p), 0.05).p == pytest.approx(holm_by_closure(p))


@given(st.lists(p_value, min_size=1, max_size=8, unique=True), st.randoms())
def test_holm_does_not_depend_on_the_order(p, random):
    order = list(range(len(p)))
    random.shuffle(order)
    assert holm(np.array(p)[order], 0.05).p == pytest.approx(holm(np.array(p), 0.05).p[order])


@given(st.lists(p_value, min_size=1, max_size=8), st.integers(0, 7), st.floats(0, 1))
def test_stronger_evidence_never_weakens_a_verdict(p, which, factor):
    p = np.array(p)
    smaller = p.copy()
    smaller[which % len(p)] *= factor
    assert np.all(holm(smaller, 0.05).p <= holm(p, 0.05).p)


@given(st.lists(samples(least=2, most=6), min_size=2, max_size=5), st.sampled_from([0.05, 0.2]))
def test_an_interval_excludes_zero_exactly_where_holm_rejects(groups, alpha):
    pairs = [welch(a, b) for a, b in itertools.combinations(groups, 2)]
    adjusted = holm(np.array([pair.p for pair in pairs]), alpha)
    for pair, p, level in zip(pairs, adjusted.p, adjusted.level, strict=True):
        interval = pair.interval(1 - level)
        if abs(p - alpha) > 1e-9:
            assert (interval.low > 0 or interval.high < 0) == (p < alpha)


def test_correlation_over_seeds_is_the_mean_correlation_over_pairs():
    table = rng(4).normal(size=(4, 9)) + rng(5).normal(size=9)
    table[2] *= 1000  # one noisy row must not drown the others
    matrix = np.corrcoef(table)
    r, p = correlation_over_seeds(table, rng())
    assert r == pytest.approx(matrix[np.triu_indices(4, 1)].mean())
    assert p < 0.05


def test_the_p_of_correlation_over_seeds_agrees_with_every_permutation_there_is():
    table = np.array([[1.0, 2.0, 3.0, 4.5, 4.0], [2.0, 1.0, 5.0, 4.0, 7.0]])
    observed = np.corrcoef(table)[0, 1]
    every = [np.corrcoef(table[0], order)[0, 1] for order in itertools.permutations(table[1])]
    p = correlation_over_seeds(table, rng(), 20_000)[1]
    assert p == pytest.approx(np.mean(np.array(every) >= observed - 1e-12), abs=0.01)


def test_rows_without_spread_are_not_correlated():
    assert correlation_over_seeds(np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]]), rng()) == (0, 1)


# ---- how much a study can see ----


def test_power_is_the_share_of_studies_that_find_the_difference():
    generator = rng(5)
    a, b = generator.normal(1.2, 1.0, (4000, 8)), generator.normal(0, 1.0, (4000, 8))
    found = np.mean([welch(x, y).p < 0.05 for x, y in zip(a, b, strict=True)])
    assert power(1.2, (1.0, 1.0), 8, 0.05) == pytest.approx(found, abs=0.03)


def test_no_difference_is_found_at_the_level_of_the_test():
    assert power(0, (1.0, 2.0), 10, 0.01) == pytest.approx(0.01, rel=1e-3)


@given(st.floats(0.1, 4), st.integers(3, 60), st.sampled_from([0.05, 0.01]))
def test_power_is_the_noncentral_t_of_scipy_where_that_is_sound(difference, n, level):
    t, shift = scipy_stats.t.isf(level / 2, 2 * n - 2), difference / math.sqrt(2 / n)
    theirs = scipy_stats.nct.sf(t, 2 * n - 2, shift) + scipy_stats.nct.cdf(-t, 2 * n - 2, shift)
    assume(math.isfinite(theirs))
    assert power(difference, (1.0, 1.0), n, level) == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize("n", [2, 5, 10, 100])
@pytest.mark.parametrize("level", [0.05, 0.001])
def test_the_smallest_difference_is_the_one_found_4_times_in_5(n, level):
    d = smallest_difference((0.01, 0.02), n, level)
    assert power(d, (0.01, 0.02), n, level) == pytest.approx(0.8, abs=1e-3)


def test_the_replicates_needed_are_the_fewest():
    n = replicates_needed(0.01, (0.01, 0.02), 0.01)
    assert n is not None
    assert power(0.01, (0.01, 0.02), n, 0.01) >= 0.8 > power(0.01, (0.01, 0.02), n - 1, 0.01)


def test_a_hopeless_difference_says_so():
    assert replicates_needed(1e-6, (1.0, 1.0), 0.05) is None
    assert smallest_difference((1.0, 1.0), 1, 0.05) == math.inf


def test_without_spread_any_difference_shows():
    assert smallest_difference((0.0, 0.0), 5, 0.05) == 0
    assert replicates_needed(0.1, (0.0, 0.0), 0.05) == 2


# ---- tuning ----


def enumerate_best_of_k(values, k):
    """`values` in order of preference: every choice of k, the first one in it."""
    picks = [values[min(choice)] for choice in itertools.combinations(range(len(values)), k)]
    return None if any(math.isnan(pick) for pick in picks) else sum(picks) / len(picks)


@given(st.lists(st.floats(-10, 10), max_size=7), st.integers(0, 3))
def test_best_of_k_agrees_with_every_choice_of_k(sound, failed):
    values = [*sound, *[math.nan] * failed]
    expected = [enumerate_best_of_k(values, k) for k in range(1, len(values) + 1)]
    np.testing.assert_allclose(best_of_k(np.array(values)), np.array(expected, dtype=float), rtol=0, atol=1e-9)


def test_more_trials_never_hurt_where_validation_and_test_agree():
    values = np.sort(rng().normal(size=9))[::-1]
    expected = best_of_k(values)
    assert np.all(np.diff(expected) >= 0)
    assert expected[-1] == pytest.approx(values[0])


# ---- time to a target ----


def test_a_curve_crosses_between_its_evaluations():
    steps, curve = np.array([10, 20, 40]), np.array([0.2, 0.4, 0.8])
    assert first_crossing(steps, curve, 0.5) == pytest.approx(25)
    assert first_crossing(steps, curve, 0.4) == pytest.approx(20)
    assert first_crossing(steps, curve, 0.1) == 10
    assert first_crossing(steps, curve, 0.9) == math.inf


def test_a_curve_that_ended_early_reaches_nothing_afterwards():
    assert first_crossing(np.array([1, 2, 3]), np.array([0.1, math.nan, math.nan]), 0.5) == math.inf


def test_the_median_counts_those_who_never_arrive():
    assert censored_median([30, 10, math.inf]) == 30
    assert censored_median([10, 20, math.inf, math.inf]) == 20  # by step 20, half are there
    assert censored_median([10, math.inf, math.inf]) is None
    assert censored_median([]) is None


@given(st.lists(st.integers(1, 100), min_size=1, max_size=9), st.integers(0, 9))
def test_the_median_is_where_the_kaplan_meier_curve_falls_to_one_half(times, unfinished):
    data = scipy_stats.CensoredData(uncensored=times, right=[101] * unfinished)
    survival = scipy_stats.ecdf(data).sf
    fallen = survival.quantiles[survival.probabilities <= 0.5 + 1e-12]
    median = censored_median([*map(float, times), *[math.inf] * unfinished])
    assert median == (fallen[0] if len(fallen) and fallen[0] <= 100 else None)


def test_values_whose_squares_overflow_make_nothing_certain() -> None:
    mean, variance = moments(np.array([1e200, -3e200, 2e200]))
    assert math.isfinite(mean) and variance == math.inf
