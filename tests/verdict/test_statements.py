"""Statements of a verdict, each held against simulated studies whose truth is known: `benchmarks.statements` in small.

The bounds are those that a statement which keeps its promise misses once in a thousand runs, and the seeds are fixed.
"""

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.statements import STATEMENTS, claimed, searched
from steepest.verdict.judge.placement import placement

SIZES = {
    "equals near an end": 20, "equals near an end, until sure": 15, "level among 13 equals": 4, "level among 7": 6,
    "level on new examples": 15, "level on new examples, 20 seeds": 10, "level on new rows": 20,
    "noticed 4 times in 5": 60, "safe rates": 8, "safe rates, noisy": 8, "most forgiving": 4, "sensitive": 10,
    "regret of equals": 20, "supported": 100,
}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_a_statement_is_as_often_true_as_promised(name):
    each = STATEMENTS[name]
    hits, n = each.count(SIZES[name], np.random.default_rng(1))
    assert binom.ppf(0.001, n, each.low) <= hits <= binom.ppf(0.999, n, each.high)


def test_leads_that_are_only_just_found_are_said_to_be():
    """A lag of half a standard deviation is found in one study of six, and then looks far larger."""
    (_, just), (_, sure) = claimed(30, np.random.default_rng(2))
    assert just >= sure
    (_, just), (_, sure) = claimed(12, np.random.default_rng(2), lag=3.0)
    assert sure > 5 * just


def test_a_contender_whose_best_rate_lies_inside_is_as_certain_as_its_seeds_make_it():
    item = searched(np.random.default_rng(2), 10, best=0.2)
    assert placement(item, range(10), np.random.default_rng(3)).variance == 0
