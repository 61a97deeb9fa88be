"""What tuning is worth, how much care the rate takes, and when a run gets where it should."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from verdict.factory import study_of, synthetic_study

from steepest.records.contender import Contender
from steepest.verdict.decide import decide
from steepest.verdict.stats.inference import area_under, median_interval, rank_intervals
from steepest.verdict.stats.tuning import asymmetry, at_rate, divergence_edge, tunability

FIVE = [0.95, 0.96, 0.97, 0.96, 0.95]
expected = st.lists(st.floats(0, 1), min_size=2, max_size=9).map(sorted).map(np.array)


def standing_of(values, default=None, **options):
    contender = Contender("adam", "adam", 1e-2, default_rate=default)
    return decide(study_of({"adam": values}, contenders=(contender,), **options)).tasks[0].standings[0]


# ---- tunability ----


@given(expected)
def test_who_tries_more_expects_more(curve):
    found = tunability(curve)
    assert curve[0] - 1e-12 <= found.early <= found.even + 1e-12 <= found.late + 2e-12 <= curve[-1] + 3e-12
    assert found.gain == pytest.approx(curve[-1] - curve[0])


@given(expected, st.floats(-2, 2))
def test_tunability_moves_with_the_level_and_its_gain_does_not(curve, shift):
    here, there = tunability(curve), tunability(curve + shift)
    assert there.early == pytest.approx(here.early + shift)
    assert there.gain == pytest.approx(here.gain, abs=1e-9)


def test_tunability_by_hand():
    found = tunability(np.array([0.0, 0.6, 0.9]))
    assert (found.early, found.even, found.late) == pytest.approx(((0 * 3 + 0.6 * 2 + 0.9) / 6, 0.5, (1.2 + 2.7) / 6))


def test_an_optimizer_that_needs_no_tuning_gains_nothing_by_it():
    found = standing_of({0.001: FIVE, 0.01: FIVE, 0.1: FIVE}).tunability
    assert found.gain == pytest.approx(0)
    assert found.early == pytest.approx(np.mean(FIVE))


def test_numbers_of_trials_that_may_all_fail_are_left_out():
    found = standing_of({0.001: FIVE, 0.01: FIVE, 0.1: [None] * 5, 1.0: [None] * 5}).tunability
    assert found.least == 3


# ---- the rate ----


def test_asymmetry_is_in_decades_and_turns_its_sign():
    assert asymmetry(1.0, 0.1, 1000.0) == pytest.approx(2)
    assert asymmetry(1.0, 0.001, 10.0) == pytest.approx(-2)
    assert asymmetry(1.0, 0.1, 10.0) == pytest.approx(0)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8))
def test_from_the_divergence_edge_on_every_rate_is_bad_and_the_one_below_is_not(diverged):
    rates = 10.0 ** np.arange(len(diverged))
    edge = divergence_edge(rates, np.array(diverged), np.full(len(diverged), 4))
    above = [bad for rate, bad in zip(rates, diverged, strict=True) if edge is not None and rate >= edge]
    assert all(bad >= 2 for bad in above)
    below = [bad for rate, bad in zip(rates, diverged, strict=True) if edge is None or rate < edge]
    assert not below or below[-1] < 2


def test_a_sensitive_rate_is_reported_with_its_edge():
    found = standing_of({0.001: [0.5] * 5, 0.01: FIVE, 0.1: FIVE, 1.0: [None] * 5}).sensitivity
    assert found.best == 0.01
    assert found.diverges == 1.0
    assert found.headroom == pytest.approx(2)
    assert found.asymmetry > 0.5


@given(st.floats(-3, 0))
def test_between_two_rates_a_value_lies_on_the_line_over_the_log_rate(x):
    rates = np.array([1e-3, 1e-2, 1e-1, 1.0])
    assert at_rate(rates, 2 * np.log10(rates) + 1, 10**x) == pytest.approx(2 * x + 1, abs=1e-6)


def test_beyond_what_was_tried_nothing_is_known_and_beside_a_failure_neither():
    rates, values = np.array([0.01, 0.1, 1.0]), np.array([1.0, 2.0, math.nan])
    assert at_rate(rates, values, 0.001) is None
    assert at_rate(rates, values, 0.1) == 2
    assert math.isnan(at_rate(rates, values, 0.3))
    assert math.isnan(at_rate(rates, values, 1.0))


def test_the_gap_to_the_usual_rate_is_taken_replicate_by_replicate():
    found = standing_of({0.001: [0.5, 0.5, 0.6, 0.5, 0.5], 0.01: FIVE}, default=0.001).untuned_gap
    assert found.gap.value == pytest.approx(np.mean(FIVE) - 0.52)
    assert (found.failed, found.interpolated) == (0, False)
    assert found.gap.low > 0


def test_a_usual_rate_that_blows_up_is_counted_and_not_averaged():
    values = {0.01: FIVE, 1.0: [None, None, 0.9, None, None]}
    found = standing_of(values, default=1.0).untuned_gap
    assert (found.failed, found.gap.n) == (4, 1)
    verdict = decide(study_of({"adam": values}, contenders=(Contender("adam", "adam", 1e-2, default_rate=1.0),)))
    assert "At its default learning rate 1, adam fails on 4 of 5 seeds." in str(verdict)


def test_a_usual_rate_outside_the_search_says_nothing():
    assert standing_of({0.01: FIVE, 0.1: FIVE}, default=10.0).untuned_gap is None
    assert standing_of({0.01: FIVE, 0.1: FIVE}).untuned_gap is None


# ---- places ----


@given(st.integers(2, 6), st.integers(0, 2**15 - 1), st.permutations(range(6)))
def test_places_hold_every_order_that_what_was_shown_allows(k, bits, order):
    """Any true order in which all that was shown is right puts every contender inside its interval."""
    true = [i for i in order if i < k]
    place = {contender: at for at, contender in enumerate(true, start=1)}
    better = np.array([[bool(bits >> (3 * i + j) & 1) and place[i] < place[j] for j in range(k)] for i in range(k)])
    for contender, (low, high) in enumerate(rank_intervals(better)):
        assert 1 <= low <= place[contender] <= high <= k


def test_places_of_a_clear_order_are_points_and_of_equals_are_everything():
    assert rank_intervals(np.triu(np.ones((3, 3), dtype=bool), 1)) == [(1, 1), (2, 2), (3, 3)]
    assert rank_intervals(np.zeros((3, 3), dtype=bool)) == [(1, 3)] * 3


def test_a_verdicts_places_agree_with_its_ties():
    study, _ = synthetic_study()
    for item in decide(study).tasks[0].standings:
        low, high = item.places
        assert low <= item.place <= high
        assert (low == 1) == (item.status in ("best", "tie"))


# ---- time ----


@given(st.lists(st.floats(0, 100), min_size=1, max_size=25), st.sampled_from([0.8, 0.95]))
def test_the_median_lies_between_the_order_statistics_that_scipy_gives(times, confidence):
    ours = median_interval(times, confidence)
    theirs = scipy_stats.quantile_test(times, p=0.5).confidence_interval(confidence)
    assert ours.low == (theirs.low if not math.isnan(theirs.low) else -math.inf)
    assert ours.high == (theirs.high if not math.isnan(theirs.high) else math.inf)
    assert ours.low <= ours.value <= ours.high


def test_five_values_bound_no_median_at_95_percent_and_six_do():
    assert median_interval([1, 2, 3, 4, 5], 0.95).high == math.inf
    assert median_interval([1, 2, 3, 4, 5, 6], 0.95).high == 6


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=9))
def test_the_area_of_a_course_lies_between_its_lowest_and_its_highest_point(curve):
    steps = np.arange(len(curve)) ** 2
    assert min(curve) - 1e-9 <= area_under(steps, np.array(curve)) <= max(curve) + 1e-9


def test_the_area_of_a_straight_line_is_its_middle():
    assert area_under(np.array([0, 3, 10]), np.array([0.0, 0.3, 1.0])) == pytest.approx(0.5)
    assert math.isnan(area_under(np.array([1, 2]), np.array([0.5, math.nan])))


def test_arrivals_keep_those_that_never_come():
    study, traces = synthetic_study()
    verdict = decide(study, traces=traces).tasks[0]
    for item in verdict.standings:
        for name, arrival in item.arrivals.items():
            never = sum(step is None for step in arrival.times.values())
            assert arrival.arrived == arrival.of - never
            assert (arrival.steps is None) == (2 * never > arrival.of)
            if arrival.steps:
                assert arrival.steps.value == item.steps_to_target[name]
                assert arrival.seconds.value == pytest.approx(arrival.steps.value * item.milliseconds / 1000)
    assert any(arrival.arrived < arrival.of for item in verdict.standings for arrival in item.arrivals.values())
