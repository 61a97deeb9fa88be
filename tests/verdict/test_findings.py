"""Findings: each fires where the data bear it out, and stays silent where they don't."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2
from verdict.factory import DIGITS, study_of

from steepest.records.outcomes import Outcome
from steepest.verdict.decide import decide
from steepest.verdict.judge.findings import Doubt, accident, at_edge, doubt, resolution, too_large, too_small
from steepest.verdict.judge.pairs import compare_all
from steepest.verdict.judge.replicates import entrant
from steepest.verdict.judge.standings import Evidence
from steepest.verdict.stats.inference import power

FIVE = [0.95, 0.96, 0.97, 0.96, 0.95]


def standing_of(values, **options):
    return decide(study_of({"adam": values}, **options)).tasks[0].standings[0]


def entrant_of(values, name="adam", **options):
    return entrant(name, study_of({name: values}, **options).results, higher_is_better=True)


def evidence_of(task, best, *others):
    family = compare_all({item.contender: item.goodness for item in (best, *others)}, 0.05, np.random.default_rng(0))
    return Evidence(
        task=task,
        best=best,
        reference=None,
        finished=True,
        confidence=0.95,
        coverage=0.95,
        margin=0.0,
        pairs=family.pairs,
        places={},
        stall_level=None,
        targets={},
        traces={},
    )


def test_an_edge_is_found_at_its_end_and_nowhere_else():
    assert at_edge(standing_of({0.01: FIVE, 0.1: [0.9] * 5, 1.0: [0.8] * 5})).side == "low"  # type: ignore[union-attr]
    assert at_edge(standing_of({0.01: [0.8] * 5, 0.1: FIVE, 1.0: [0.9] * 5})) is None


def too_large_of(values, **options):
    return too_large(standing_of(values, **options), entrant_of(values, **options))


def test_a_rate_is_too_large_from_where_most_trials_diverge_or_stall():
    found = too_large_of(
        {0.001: [0.1] * 5, 0.01: FIVE, 0.1: [0.9, None, None, None, 0.9], 1.0: [None, 0.1, 0.1, 0.1, 0.1]}
    )
    assert found is not None
    assert (found.rate, found.diverged, found.stalled, found.trials) == (0.1, 4, 4, 10)


@pytest.mark.parametrize(
    "values",
    [
        {0.01: FIVE, 0.1: FIVE},
        {0.01: FIVE, 0.1: [0.9, 0.9, 0.9, 0.9, None]},
        {0.01: [None] * 5, 0.1: FIVE},
        {0.01: [None] * 5, 0.1: [None] * 5},
    ],
    ids=["none diverged", "a few diverged", "not at the top", "all diverged, so the rate is not what explains it"],
)
def test_no_rate_is_too_large_where_none_is(values):
    assert too_large_of(values) is None


def test_running_out_of_memory_is_an_accident_at_any_rate():
    values = {0.01: FIVE, 0.1: [None] * 5}
    found = accident(entrant_of(values, outcome=Outcome.OOM))
    assert too_large_of(values, outcome=Outcome.OOM) is None
    assert found is not None
    assert (found.trials, dict(found.outcomes)) == (10, {Outcome.OOM: 5})
    assert accident(entrant_of({0.01: FIVE, 0.1: [None] * 5})) is None


def test_a_rate_is_too_small_up_to_where_most_trials_learned_almost_nothing():
    found = too_small(standing_of({0.001: [0.1] * 5, 0.01: [0.15] * 5, 0.1: FIVE}))
    assert found is not None
    assert (found.rate, found.stalled, found.trials) == (0.01, 10, 10)
    assert too_small(standing_of({0.001: [0.6] * 5, 0.1: FIVE})) is None


def test_the_resolution_is_what_the_test_sees_4_times_in_5():
    study = study_of({"adam": {0.1: FIVE}, "sgd": {0.1: [0.94, 0.96, 0.95, 0.96, 0.97]}, "slow": {0.1: [0.5] * 5}})
    verdict = decide(study).tasks[0]
    best, second = (entrant_of({0.1: list(item.values.values())}, item.contender) for item in verdict.standings[:2])
    found = resolution(verdict, evidence_of(verdict.task, best, second))
    assert found is not None
    deviations = (float(np.std(best.values, ddof=1)), float(np.std(second.values, ddof=1)))
    # The spread may be larger than it looks: with 90 % confidence, by √(ν/χ²).
    wide = math.sqrt(7.9 / chi2.ppf(0.1, 7.9))
    level = 0.05 / (1.25 + 1.25 / 5)  # of two contenders, the clearer one of two comparisons counts
    assert power(found.smallest, (wide * deviations[0], wide * deviations[1]), 5, level) == pytest.approx(0.8, abs=0.03)
    assert found.needed is None or found.needed > 5


def doubt_of(leader, other):
    many = replace(DIGITS, n_test=100_000)  # so that only the seeds matter
    study = study_of({"adam": {0.1: leader}, "sgd": {0.1: other}}, task=many)
    verdict = decide(study, margin=0.0).tasks[0]
    assert verdict.standings[1].status == "behind"
    best, item = entrant_of({0.1: leader}), entrant_of({0.1: other}, "sgd")
    return doubt(verdict.standings[1], evidence_of(verdict.task, best, item), np.random.default_rng(0))


def test_a_verdict_that_depends_on_normal_scatter_gets_a_warning():
    """Each sample has one value far out: Student's interval just clears 0, the bootstrap-t interval does not."""
    found = doubt_of([0.95, 0.951, 0.9505, 0.9508, 0.9493], [0.9482, 0.9487, 0.9489, 0.9485, 0.9502])
    assert isinstance(found, Doubt)
    assert found.bootstrap.low <= 0 < found.bootstrap.high


def test_a_wide_lead_is_not_doubted():
    assert doubt_of(FIVE, [0.5, 0.6, 0.5, 0.6, 0.5]) is None
