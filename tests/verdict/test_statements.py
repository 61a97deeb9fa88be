"""Statements of a verdict, each held against simulated studies whose truth is known: `benchmarks.statements` in small.

The bounds are those that a statement which keeps its promise misses once in a thousand runs, and the seeds are fixed.
"""

import json

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.statements import PAGE, RESULTS, STATEMENTS, of_real, page
from benchmarks.truths import claimed, differ, searched
from steepest.study.protocol import POOLED
from steepest.verdict.judge.placement import placement

SIZES = {
    "2 equals, normal noise": 150, "5 equals, skewed noise, 80 % of it shared by seed": 60,
    "13 equals, heavy tails noise": 8, "2 equals, looked at after 5, 7, 10, 14 and 20 seeds": 20,
    "equals near an end": 20, "equals beyond an end": 20, "equals near an end, until sure": 6, "few examples": 100,
    "loses hard seeds": 100, "called equal": 100, "leads clearly found": 60, "leads only just found": 60,
    "level among 13 equals": 4, "level among 7": 6, "level on new examples": 15,
    "level on new examples, 20 seeds": 10, "level on new rows": 20, "noticed 4 times in 5": 60, "fails alike": 500,
    "unseen failures": 500, "quick and worse": 3, "safe rates": 20, "safe rates, noisy": 20, "most forgiving": 4,
    "safe rates, seeds fail": 20, "loss of advice, 5 equals, 5 seeds": 6, "noisy alone": 3,
    "sensitive": 10, "median time": 200, "called fastest": 10, "regret of equals": 10, "supported": 100,
}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_a_statement_is_as_often_true_as_promised(name):
    each = STATEMENTS[name]
    hits, n = each.count(SIZES[name], np.random.default_rng(1))
    assert binom.ppf(0.001, n, each.low) <= hits <= binom.ppf(0.999, n, each.high)


def test_leads_that_are_only_just_found_look_larger_than_they_are():
    """A lag of half a standard deviation is found in one study of six, and then looks about twice as large."""
    just, sure = claimed(150, np.random.default_rng(2))
    assert just.count >= sure.count
    assert just.times > 1.9
    just, sure = claimed(30, np.random.default_rng(2), lag=3.0)
    assert sure.count > 5 * just.count
    assert sure.times == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("best", [-1.75, -2.75])
def test_placing_rates_by_all_seeds_calls_equals_different_near_an_end_or_finds_nothing_there(best):
    """Why every seed places its own: beyond an end, the shared placement makes half of all equals differ."""
    called, n = differ(30, np.random.default_rng(3), best=best, law=POOLED)
    assert called == 0 if best == -1.75 else called > 0.25 * n


def test_a_pooled_contender_whose_best_rate_lies_inside_is_as_certain_as_its_seeds_make_it():
    item = searched(np.random.default_rng(2), 10, best=0.2, law=POOLED)
    assert placement(item, range(10), np.random.default_rng(3)).variance == 0


def test_the_page_has_a_row_for_every_statement():
    rows = {name: each.row(0) if each.cost == 1 else EMPTY | {"about": each.about}
            for name, each in STATEMENTS.items()}  # fmt: skip
    written = page(rows)
    assert written.count("\n| ") - written.count("| statement |") == len(STATEMENTS)
    kept = [row["kept"] for row in rows.values()]
    assert f"{kept.count('yes')} of {len(kept)} are kept" in written


EMPTY = {"says": "s", "low": 0, "high": 0.05, "found": None, "n": 0, "from": 0.0, "to": 1.0, "kept": "open"}


def test_the_page_in_the_documentation_is_made_from_the_results():
    rows = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert rows.keys() <= STATEMENTS.keys()
    assert PAGE.read_text(encoding="utf-8") == page(rows, of_real())
