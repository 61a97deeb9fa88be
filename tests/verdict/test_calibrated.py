"""A verdict must be right as often as it says: coverage and false wins, within binomial error of what is claimed.

The bounds are those that a sound method misses once in a thousand runs, and the seeds are fixed.
"""

import numpy as np
import pytest
from scipy.stats import binom
from verdict.factory import Shape, synthetic_study

from benchmarks.simulation import coverage, false_behind, found_behind
from benchmarks.two_at_once import p_values, tuned_pairs
from steepest.verdict.decide import decide
from steepest.verdict.judge.pairs import compare_all
from steepest.verdict.stats.sequential import Look

STUDIES = 2000


def at_most(share, studies):
    return binom.ppf(0.999, studies, share) / studies


@pytest.mark.parametrize("spread", [1.0, 3.0])
@pytest.mark.parametrize("n", [5, 10])
@pytest.mark.parametrize("luck", ["normal", "heavy tails"])
def test_welchs_interval_covers(luck, n, spread):
    assert 1 - coverage(luck, n, spread, STUDIES) <= at_most(0.05, STUDIES)


@pytest.mark.parametrize("n", [5, 10])
def test_welchs_interval_covers_skewed_scatter_where_both_are_skewed_alike(n):
    assert 1 - coverage("skewed", n, 1.0, STUDIES) <= at_most(0.05, STUDIES)


def test_skewed_scatter_of_unequal_spread_is_the_known_weak_spot():
    """Documented, not wished away: there Welch's interval misses about one time in ten, bootstrap-t less often."""
    assert 0.06 < 1 - coverage("skewed", 10, 3.0, STUDIES) < 0.11
    assert 1 - coverage("skewed", 10, 3.0, 400, "bootstrap-t") <= at_most(0.08, 400)


@pytest.mark.parametrize(
    ("luck", "n", "correlation"),
    [("normal", 5, 0.0), ("normal", 10, 0.0), ("normal", 10, 0.8), ("skewed", 5, 0.0), ("skewed", 10, 0.5)],
)
def test_an_optimizer_against_itself_rarely_wins(luck, n, correlation):
    assert false_behind([0, 0], n, 800, luck, correlation) <= at_most(0.05, 800)


def test_comparing_seed_by_seed_finds_what_the_means_alone_would_hide():
    """A true lag of two thirds of the scatter: luck in common is what makes it visible."""
    alone, together = (found_behind(0.004, 10, 200, correlation) for correlation in (0.0, 0.95))
    assert together > alone + 0.3


def test_among_five_equals_none_falls_behind_more_often_than_stated():
    """This is why all pairs are one family: held against the best alone, five equals look different too often."""
    assert false_behind([0] * 5, 10, 400) <= at_most(0.05, 400)
    assert false_behind([0] * 5, 10, 1500, family="with the best") > at_most(0.05, 1500)


def test_a_clone_of_the_best_among_five_ties_with_it():
    assert false_behind([0, 0, 0.05, 0.06, 0.1], 10, 400) <= at_most(0.05, 400)


def test_whole_studies_of_one_optimizer_under_two_names_end_in_a_tie():
    """Refinement and edge rule included: each contender searches by its own luck, each seed picks its own rate."""
    shape = Shape("", 0.96, 1e-2, shift=0.2, noise=0.01)
    twins = [Shape(name, shape.peak, shape.centre, shape.shift, shape.noise) for name in ("one", "other")]
    studies = 120
    wins = 0
    for luck in range(studies):
        study, _ = synthetic_study(twins, seeds=5, reference="one", luck=luck, evaluations=2)
        wins += decide(study, margin=0.0).tasks[0].ties == ()
    assert wins / studies <= at_most(0.05, studies)


@pytest.mark.parametrize("looks", [(5,), (12,), (5, 7, 10)])
def test_two_contenders_simulated_in_arrays_have_the_p_values_of_the_verdict(looks):
    draw = np.random.default_rng(3)
    x = tuned_pairs(draw, 6, looks[-1], "skewed", 0.3, 0.0)
    look = Look(len(looks) - 1, looks)
    for study, p in zip(x, p_values(x, look), strict=True):
        samples = {name: dict(enumerate(row)) for name, row in zip("ab", study, strict=True)}
        assert compare_all(samples, 0.05, draw, look).pairs["a", "b"].p == pytest.approx(min(1, look.p(p)))
