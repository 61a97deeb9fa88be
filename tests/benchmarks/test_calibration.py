"""What a calibration counts, on made-up studies in which the truth is known."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats
from verdict.factory import Shape, synthetic_study

from benchmarks import calibration_page
from benchmarks.calibration import (
    CLONE,
    Count,
    agreements,
    calibration,
    false_win,
    pairs_of,
    real_coverage,
    usual_false_wins,
    with_clone,
)
from steepest.records.study_record import StudyDesign

SHAPES = [Shape("good", 0.97, 1e-2, noise=0.005), Shape("poor", 0.93, 1e-2, noise=0.005)]


def study(luck, shapes=SHAPES, seeds=5):
    protocol = StudyDesign(seeds=seeds, first_seed=1000 + luck * seeds)
    return synthetic_study(shapes, reference=shapes[0].name, luck=luck, protocol=protocol, evaluations=2)[0]


@pytest.fixture(scope="module")
def studies():
    return [study(luck) for luck in range(12)]


def test_a_clone_brings_other_trials_under_the_same_seeds(studies):
    a, b = studies[:2]
    both = with_clone(a, b, "good", only=True)
    assert [each.name for each in both.contenders] == ["good", CLONE.format("good")]
    seeds = [{row.seed for row in both.results if row.contender == each.name} for each in both.contenders]
    assert seeds[0] == seeds[1] == set(range(1000, 1005))
    mine, again = ([row.test_metric for row in both.results if row.contender == each.name] for each in both.contenders)
    assert mine != again
    assert {each.name for each in with_clone(a, b, "good", only=False).contenders} == {"good", "poor", "good again"}


def test_a_clone_that_differs_from_its_twin_is_a_false_win(studies):
    a, b = studies[:2]
    assert false_win(with_clone(a, b, "good", only=True), "good") is False
    worse = replace(
        b,
        results=tuple(
            replace(row, test_metric=None if row.test_metric is None else row.test_metric - 0.2) for row in b.results
        ),
    )
    assert false_win(with_clone(a, worse, "good", only=True), "good") is True
    lost = replace(b, results=tuple(row for row in b.results if row.seed < 1007))
    assert false_win(with_clone(a, lost, "good", only=True), "good") is None


def test_claimed_wins_agree_with_the_truth_where_it_is_plain(studies):
    found = list(agreements(studies))
    assert found == [[True]] * 12
    upside_down = [replace(each, contenders=each.contenders[::-1]) for each in studies]
    assert list(agreements(upside_down)) == found


def test_a_win_that_all_other_studies_deny_is_counted_as_one(studies):
    swap = {"good": "poor", "poor": "good"}
    odd = replace(studies[0], results=tuple(replace(row, contender=swap[row.contender]) for row in studies[0].results))
    assert list(agreements([odd, *studies[1:]])).count([False]) == 1


def test_the_usual_protocol_takes_four_studies_a_time_and_fresh_seeds(studies):
    found = list(usual_false_wins(studies, "good", 1))
    assert len(found) == 3
    assert set(found) <= {True, False, None}
    fresh = [
        replace(each, results=tuple(replace(r, test_metric=(r.test_metric or 0) - i) for r in each.results))
        for i, each in enumerate(studies)
    ]
    assert list(usual_false_wins(fresh, "good", None)) == [True] * 3


def test_intervals_of_real_studies_cover_about_as_often_as_they_say(studies):
    found = list(real_coverage(studies, 5, 200, np.random.default_rng(0)))
    assert len(found) == 200
    assert 0.88 <= np.mean(found) <= 1


def test_figures_come_with_their_n_and_their_interval(studies):
    found = calibration({("digits", 5): studies}, draws=20)
    json.dumps(found, allow_nan=False)
    assert found["false_win_rate"]["n"] == 12
    assert 0 <= found["false_win_rate"]["low"] <= found["false_win_rate"]["rate"] <= found["false_win_rate"]["high"]
    assert found["agreement"] == {
        "rate": 1.0,
        "low": pytest.approx(0.7354, abs=1e-4),
        "high": 1.0,
        "n": 12,
        "effective": 12.0,
    }
    assert found["coverage"]["n"] == 20
    assert found["cells"][0]["usual"]["tuned on 1 seed"]["n"] == 6


def test_correlated_results_count_for_less():
    alone = Count(tuple((int(i < 5), 1) for i in range(100)))
    together = Count(tuple((5 * int(i < 1), 5) for i in range(20)))
    assert alone.to_json()["rate"] == together.to_json()["rate"] == 0.05
    assert alone.effective == pytest.approx(100, rel=0.02)
    assert together.effective == pytest.approx(20, rel=0.1)
    assert together.to_json()["high"] > alone.to_json()["high"] + 0.05


def test_independent_ones_have_the_interval_that_scipy_gives():
    ours = Count(tuple((int(i < 7), 1) for i in range(40)))
    theirs = scipy_stats.binomtest(7, round(ours.effective)).proportion_ci(0.95, "exact")
    found = Count(((7, 40), (7, 40))).to_json()
    assert found["effective"] == 80
    assert ours.to_json()["low"] == pytest.approx(theirs.low, abs=0.01)
    exact = scipy_stats.binomtest(14, 80).proportion_ci(0.95, "exact")
    assert (found["low"], found["high"]) == pytest.approx((exact.low, exact.high))


def test_nothing_run_is_nothing_claimed():
    assert Count(()).to_json()["rate"] is None
    assert list(pairs_of([study(0)])) == []
    assert calibration({("digits", 5): []})["agreement"]["rate"] is None


def test_the_documentation_reports_the_stored_results_and_nothing_else():
    text = calibration_page.PAGE.read_text(encoding="utf-8")
    found = json.loads(calibration_page.RESULTS.read_text(encoding="utf-8"))
    section = text.partition(calibration_page.BEGIN)[2].partition(calibration_page.END)[0]
    assert section.strip("\n") == calibration_page.page(found)
    for key in ("false_win_rate", "agreement", "coverage"):
        assert {"rate", "low", "high", "n"} <= found[key].keys()
    assert f"From {sum(cell['studies'] for cell in found['cells'])} studies" in section


def test_a_broken_promise_is_reported():
    rate = {"rate": 0.2, "low": 0.15, "high": 0.25, "n": 300, "effective": 100.0}
    good = {"rate": 0.95, "low": 0.94, "high": 0.96, "n": 300, "effective": 100.0}
    found = {
        "false_win_rate": rate | {"a clone among all": good | {"low": 0.01}},
        "agreement": good,
        "coverage": good | {"simulated": [{"welch": 0.9, "luck": "skewed", "noise": "1 : 3", "replicates": 5}]},
        "cells": [],
    }
    rows = [line for line in calibration_page.page(found).splitlines() if line.startswith("|")][2:]
    assert [row.rsplit("|", 2)[1].strip() for row in rows[:4]] == ["no", "open", "open", "yes"]
    assert "lowest coverage is 0.900" in calibration_page.page(found)
