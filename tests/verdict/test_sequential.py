"""Looking more than once: levels that add up to what may be spent, verdicts that stay right when studies stop early."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm
from verdict.factory import DIGITS, Shape, study_of, synthetic_study

from benchmarks.simulation import looked_at
from steepest.records.study_record import StudyDesign
from steepest.verdict.decide import decide
from steepest.verdict.stats.sequential import FIXED, Look, levels, look_at, spent

LOOKS = (5, 7, 10, 14, 20)
alpha = st.floats(1e-8, 0.4)


def crossed(found, looks, studies=200_000):
    """The share of studies without a difference that cross a bound at any look, by simulation of their paths."""
    rng = np.random.default_rng(0)
    steps = np.diff([0, *looks])
    path = np.cumsum(rng.normal(size=(studies, len(looks))) * np.sqrt(steps), axis=1)
    z = np.abs(path) / np.sqrt(looks)
    return (z > norm.isf(np.array(found) / 2)).any(axis=1).mean()


def test_all_looks_together_spend_alpha():
    for looks in (LOOKS, (5, 7, 10, 14, 20, 28, 40), (5, 6)):
        for a in (0.05, 0.2):
            assert crossed(levels(a, looks), looks) == pytest.approx(a, abs=4 * math.sqrt(a / 200_000))


def test_the_first_look_spends_its_share_and_a_single_one_everything():
    assert levels(0.05, LOOKS)[0] == pytest.approx(spent(0.05, 0.25))
    assert levels(0.05, (10,)) == pytest.approx((0.05,))
    assert (FIXED.level(0.05), FIXED.p(0.3)) == (0.05, 0.3)


def test_two_looks_agree_with_the_exact_integral():
    """P(no crossing at 1, crossing at 2) by SciPy's bivariate normal, for levels as computed."""
    from scipy.stats import multivariate_normal

    found = levels(0.05, (10, 20))
    z = norm.isf(np.array(found) / 2)
    rho = math.sqrt(0.5)
    box = multivariate_normal([0, 0], [[1, rho], [rho, 1]])
    stays = box.cdf(z, lower_limit=-z)
    assert 1 - stays == pytest.approx(0.05, abs=1e-5)


@given(alpha, st.sampled_from(range(5)))
@settings(deadline=None)
def test_a_p_value_for_the_sequence_turns_a_level_back_into_its_alpha(a, index):
    look = Look(index, LOOKS)
    assert look.p(look.level(a)) == pytest.approx(a, rel=1e-6)
    assert look.level(a) <= a


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from(range(5)))
@settings(deadline=None)
def test_a_smaller_p_value_stays_the_smaller_one_and_no_look_makes_it_smaller(p, q, index):
    look = Look(index, LOOKS)
    low, high = sorted((p, q))
    assert look.p(low) <= look.p(high)
    assert p <= look.p(p) * (1 + 1e-9) <= 1 + 1e-9


@given(st.integers(2, 30))
@settings(max_examples=15, deadline=None)
def test_an_interval_holds_0_exactly_where_the_p_value_for_the_sequence_does_not_show_a_difference(seed):
    from steepest.verdict.judge.pairs import compare_all

    rng = np.random.default_rng(seed)
    samples = {name: dict(enumerate(rng.normal(shift, 1, 7))) for name, shift in (("a", 0), ("b", 1.5), ("c", 3))}
    pairs = compare_all(samples, 0.05, rng, Look(1, LOOKS)).pairs
    for pair in pairs.values():
        assert (pair.p < 0.05) == (not pair.estimate.low <= 0 <= pair.estimate.high)


def test_the_last_look_that_was_reached_counts():
    assert look_at(LOOKS, 5).index == 0
    assert look_at(LOOKS, 9).index == 1
    assert look_at(LOOKS, 20).index == 4
    assert look_at(LOOKS, 3).index == 0
    assert look_at((10,), 10) is FIXED


def test_looks_come_from_the_protocol():
    assert StudyDesign(seeds=20, until_sure=True).looks == LOOKS
    assert StudyDesign(seeds=12, until_sure=True).looks == (5, 7, 10, 12)
    assert StudyDesign(seeds=20).looks == (20,)


# ---- verdicts with stopping ----


def most(share, studies):
    return binom.ppf(0.999, studies, share) / studies


@pytest.mark.parametrize(("lags", "luck", "correlation"), [([0, 0], "normal", 0.0), ([0, 0], "skewed", 0.8)])
def test_an_optimizer_against_itself_rarely_wins_at_any_look(lags, luck, correlation):
    wrong, _, _ = looked_at(lags, LOOKS, 400, luck, correlation)
    assert wrong <= most(0.05, 400)


def test_five_equals_rarely_differ_significantly_at_any_look():
    assert looked_at([0] * 5, LOOKS, 250)[0] <= most(0.05, 250)


def test_plain_p_values_at_every_look_find_what_is_not_there():
    """Why looking costs levels."""
    assert looked_at([0, 0], LOOKS, 400, valid=False)[0] > most(0.05, 400)


def test_easy_questions_end_early():
    wrong, right, n = looked_at([0, 0.03], LOOKS, 100)
    assert (wrong, right) == (0, 1)
    assert n < 7


def test_a_verdict_counts_its_looks_and_widens_its_ranges():
    shapes = [Shape("good", 0.97, 1e-2), Shape("fair", 0.962, 1e-2)]
    study, _ = synthetic_study(shapes, seeds=7, reference="good")
    fixed = decide(study).tasks[0].standings[1]
    sure = decide(replace(study, protocol=StudyDesign(seeds=20, until_sure=True)))
    task = sure.tasks[0]
    looked = task.standings[1]
    assert looked.behind_best.high - looked.behind_best.low > fixed.behind_best.high - fixed.behind_best.low
    assert looked.quality.high - looked.quality.low > fixed.quality.high - fixed.quality.low
    assert looked.p_best > fixed.p_best
    assert task.looks == LOOKS
    assert "with checks after 5 and 7 seeds" in str(sure)
    assert "separately on each of 7 seeds" in str(sure)


GOOD, POOR = [0.95, 0.96, 0.97, 0.96, 0.95], [0.5, 0.51, 0.5, 0.52, 0.51]


def settled(**table):
    many = replace(DIGITS, n_test=100_000)  # so that only the seeds matter
    study = study_of({name: {0.1: values} for name, values in table.items()}, task=many)
    return decide(study).tasks[0].settled


def test_an_answer_is_settled_when_all_others_are_behind_or_shown_to_be_as_good():
    assert settled(a=GOOD, b=POOR)
    assert not settled(a=GOOD, b=[0.94, 0.97, 0.95, 0.96, 0.96])
    assert settled(a=[0.95, 0.9501, 0.95, 0.9502, 0.95], b=[0.9501, 0.95, 0.95, 0.9501, 0.9499])
    assert not settled(a=GOOD[:3], b=POOR[:3])
    assert settled(a=GOOD, b=[None] * 5)
    assert settled(a=GOOD)
