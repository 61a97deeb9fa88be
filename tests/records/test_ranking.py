"""Ranking by validation: what a replicate picks, and what is pooled best."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steepest.records.outcomes import Outcome
from steepest.records.ranking import Score, edge, has_failed, pick, pooled_best, survivors


def score(rate, metric, loss=1.0, seed=0, outcome=Outcome.OK):
    return Score(rate, seed, outcome, metric, loss)


def test_a_replicate_picks_the_best_validation_metric():
    trials = [score(0.1, 0.7), score(0.01, 0.9), score(0.001, 0.8)]
    assert pick(trials, higher_is_better=True).rate == 0.01
    assert pick(trials, higher_is_better=False).rate == 0.1


def test_ties_go_to_the_lower_loss_then_to_the_smaller_rate():
    assert pick([score(0.1, 0.9, 0.5), score(0.2, 0.9, 0.4)], True).rate == 0.2
    assert pick([score(0.2, 0.9, 0.4), score(0.1, 0.9, 0.4)], True).rate == 0.1
    assert pick([score(0.1, 0.9, math.nan), score(0.2, 0.9, 9.0)], True).rate == 0.2, "a loss that is none is no merit"


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.OK])
def test_a_failed_trial_is_never_picked_regardless_of_its_values(outcome):
    assert pick([score(0.1, 1.0, 0.0, outcome=outcome), score(0.2, 0.1)], True).rate == 0.2


@pytest.mark.parametrize("metric", [None, math.nan, math.inf, -math.inf])
def test_a_metric_that_is_not_a_number_is_never_picked(metric):
    assert pick([score(0.1, metric), score(0.2, 0.1)], True).rate == 0.2


def test_a_replicate_all_of_whose_trials_failed_has_no_pick():
    assert pick([score(0.1, None, None, outcome=Outcome.DIVERGED)], True) is None
    assert pick([], True) is None


def test_pooled_best_is_the_best_mean_over_seeds_not_the_best_trial():
    trials = [score(0.1, 1.0, seed=0), score(0.1, 0.2, seed=1), score(0.2, 0.7, seed=0), score(0.2, 0.7, seed=1)]
    assert pooled_best(trials, True) == 0.2
    assert pooled_best(trials, False) == 0.1


def test_a_failed_trial_counts_as_the_worst_sound_one_and_is_not_dropped():
    sound = [score(0.01, 0.80, seed=s) for s in range(3)] + [score(1e-5, 0.10, seed=s) for s in range(3)]
    risky = [score(0.1, 0.95, seed=0), score(0.1, 0.95, seed=1), score(0.1, None, seed=2, outcome=Outcome.DIVERGED)]
    assert pooled_best(sound + risky, True) == 0.01, "(0.95 + 0.95 + 0.10) / 3 < 0.80"
    assert pooled_best([*sound, *risky[:2]], True) == 0.1, "dropping the failure would turn the rank round"


def test_where_nothing_is_sound_the_smallest_rate_is_best_so_that_the_search_goes_down():
    trials = [score(rate, None, None, outcome=Outcome.DIVERGED) for rate in (0.1, 1.0, 10.0)]
    assert pooled_best(trials, True) == 0.1
    assert edge(trials, True) == "low"


def test_edge_names_the_side_and_a_single_rate_has_none():
    curve = {0.1: 0.7, 1.0: 0.9, 10.0: 0.8}
    assert edge([score(rate, metric) for rate, metric in curve.items()], True) == ""
    assert edge([score(rate, -rate) for rate in curve], True) == "low"
    assert edge([score(rate, rate) for rate in curve], True) == "high"
    assert edge([score(0.1, 0.5)], True) == ""


scores = st.lists(
    st.builds(
        Score,
        rate=st.sampled_from([1e-4, 1e-3, 1e-2, 1e-1]),
        seed=st.integers(0, 5),
        outcome=st.sampled_from([Outcome.OK, Outcome.OK, Outcome.DIVERGED]),
        valid_metric=st.one_of(st.none(), st.floats(-1e300, 1e300), st.sampled_from([0.5, math.nan, math.inf])),
        valid_loss=st.one_of(st.none(), st.floats(0, 1e308), st.sampled_from([math.nan, math.inf])),
    ),
    min_size=1,
    unique_by=lambda s: (s.rate, s.seed),
)


@given(scores, st.booleans(), st.randoms())
def test_no_order_of_the_trials_changes_a_rank(trials, higher, shuffler: random.Random):
    shuffled = shuffler.sample(trials, len(trials))
    assert pick(trials, higher) == pick(shuffled, higher)
    assert pooled_best(trials, higher) == pooled_best(shuffled, higher)
    assert edge(trials, higher) == edge(shuffled, higher)


@given(scores, st.booleans())
def test_turning_the_metric_round_turns_the_ranks_with_it(trials, higher):
    turned = [
        Score(s.rate, s.seed, s.outcome, None if s.valid_metric is None else -s.valid_metric, s.valid_loss)
        for s in trials
    ]
    here, there = pick(trials, higher), pick(turned, not higher)
    assert (here and here.rate) == (there and there.rate)
    assert pooled_best(trials, higher) == pooled_best(turned, not higher)


def test_a_stopped_trial_counts_as_the_worst_that_its_seed_went_on_with():
    """Two seeds: the rate that each went on with beats one that one of them stopped, however well the other did."""
    trials = [
        score(0.01, 0.90, seed=0), score(0.1, 0.80, seed=0), score(1.0, None, seed=0, outcome=Outcome.STOPPED),
        score(0.01, 0.85, seed=1), score(1.0, 0.86, seed=1), score(0.1, None, seed=1, outcome=Outcome.STOPPED),
    ]  # fmt: skip
    assert pooled_best(trials, True) == 0.01
    assert edge(trials, True) == "low", "of what was tried, stopped or not"
    assert pick([row for row in trials if row.seed == 1], True).rate == 1.0
    assert not any(map(has_failed, trials))


def test_a_rate_that_every_seed_stopped_ranks_below_all_that_ran_but_above_what_failed():
    ran = [score(0.01, 0.9), score(0.1, 0.8)]
    stopped, failed = score(1.0, None, outcome=Outcome.STOPPED), score(10.0, None, outcome=Outcome.DIVERGED)
    assert pooled_best([*ran, stopped, failed], True) == 0.01
    assert pooled_best([*ran[1:], stopped], True) == 0.1
    assert survivors([*ran, stopped, failed], 3, True) == ran
