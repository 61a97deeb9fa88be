"""Replicates: which seeds count, what each picks, and what a failed one is."""

from dataclasses import replace

import pytest
from verdict.factory import study_of

from steepest.records.outcomes import Outcome
from steepest.verdict.judge.replicates import entrant


def rows_of(values, **options):
    return list(study_of({"adam": values}, **options).results)


def test_each_seed_picks_its_own_rate_on_validation_and_reports_its_test_value():
    valid = {0.1: [0.8, 0.5], 0.01: [0.7, 0.9]}
    test = {0.1: [0.6, 0.99], 0.01: [0.99, 0.4]}
    found = entrant("adam", rows_of(valid, test={"adam": test}), higher_is_better=True)
    assert [each.pick.rate for each in found.replicates if each.pick] == [0.1, 0.01]
    assert found.values.tolist() == [0.6, 0.4]


def test_where_less_is_better_the_smallest_is_picked():
    found = entrant("adam", rows_of({0.1: [0.8], 0.01: [0.7]}), higher_is_better=False)
    assert (found.values.tolist(), found.sign) == ([0.7], -1)


def test_a_diverged_trial_is_never_picked_and_a_seed_without_any_other_has_failed():
    found = entrant("adam", rows_of({0.1: [None, None], 0.01: [0.7, None]}), higher_is_better=True)
    assert [each.value for each in found.replicates] == [0.7, None]
    assert found.values.tolist() == [0.7]


def test_a_pick_without_a_finite_test_value_fails_its_replicate_rather_than_choosing_again():
    rows = rows_of({0.1: [0.9], 0.01: [0.7]})
    rows = [replace(row, test_metric=float("nan")) if row.rate == 0.1 else row for row in rows]
    assert entrant("adam", rows, higher_is_better=True).replicates[0].pick is None


def test_trials_come_in_order_of_preference_failures_last():
    found = entrant("adam", rows_of({0.1: [None], 0.01: [0.7], 0.03: [0.9], 0.001: [0.8]}), higher_is_better=True)
    assert [trial.rate for trial in found.replicates[0].trials] == [0.03, 0.001, 0.01, 0.1]


def test_a_seed_is_a_replicate_only_once_it_has_the_whole_grid():
    rows = rows_of({0.1: [0.8, 0.5], 0.01: [0.7, 0.9]})
    rows = [row for row in rows if (row.seed, row.rate) != (1, 0.01)]
    assert [each.seed for each in entrant("adam", rows, higher_is_better=True).replicates] == [0]


def test_a_later_rate_counts_once_every_replicate_has_run_it():
    rows = rows_of({0.1: [0.8, 0.5], 0.01: [0.7, 0.9], 0.02: [0.99, 0.99]})
    rows = [replace(row, stage="refine") if row.rate == 0.02 else row for row in rows]
    half_way = [row for row in rows if (row.seed, row.rate) != (1, 0.02)]
    assert entrant("adam", half_way, higher_is_better=True).values.tolist() == [0.8, 0.9]
    assert entrant("adam", rows, higher_is_better=True).values.tolist() == [0.99, 0.99]


def with_own_rates(more):
    """Two seeds with a grid of 0.1 and 0.01, and each with the rates of its own that `more` gives: rate → metric."""
    rows = rows_of({0.1: [0.8, 0.5], 0.01: [0.7, 0.9]})
    return rows + [
        replace(rows[0], rate=rate, seed=seed, stage="refine", valid_metric=value, test_metric=value)
        for seed, own in enumerate(more)
        for rate, value in own.items()
    ]


def test_a_seed_that_placed_its_own_rates_picks_among_them_once_all_seeds_have_equally_many():
    rows = with_own_rates([{0.05: 0.95}, {0.02: 0.97}])
    found = entrant("adam", rows, higher_is_better=True)
    assert [each.pick.rate for each in found.replicates] == [0.05, 0.02]
    assert found.own_rates
    half_way = entrant("adam", rows[:-1], higher_is_better=True)
    assert [each.pick.rate for each in half_way.replicates] == [0.1, 0.01]


def test_seeds_that_tried_the_same_rates_have_none_of_their_own():
    assert not entrant("adam", with_own_rates([{0.05: 0.9}, {0.05: 0.9}]), higher_is_better=True).own_rates


@pytest.mark.parametrize("outcome", [Outcome.OOM, Outcome.KILLED, Outcome.TIMEOUT, Outcome.NONFINITE])
def test_every_outcome_but_ok_is_a_failure(outcome):
    found = entrant("adam", rows_of({0.1: [None], 0.01: [0.7]}, outcome=outcome), higher_is_better=True)
    assert found.values.tolist() == [0.7]


def test_the_order_of_the_rows_does_not_matter():
    rows = rows_of({0.1: [0.8, 0.5, 0.7], 0.01: [0.7, 0.9, 0.7]})
    assert entrant("adam", rows, higher_is_better=True) == entrant("adam", rows[::-1], higher_is_better=True)
