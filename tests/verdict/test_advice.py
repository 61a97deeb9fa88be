"""Of the best and its ties, the best mean is advised, or one shown to be as good that saves minutes or memory."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from verdict.factory import DIGITS, Shape, study_of, synthetic_study

from steepest.verdict.decide import decide
from steepest.verdict.judge.advice import EQUAL_TIME_RATIO, MIN_BYTES_SAVED, MIN_SAVING, MIN_SECONDS, advised

SHAPES = [
    Shape("slow", 0.9712, 1e-2, noise=0.004),
    Shape("quick", 0.9710, 1e-2, noise=0.004),
    Shape("lean", 0.9708, 1e-2, noise=0.004),
    Shape("poor", 0.80, 1e-2, noise=0.004),
]


@pytest.fixture(scope="module")
def standings():
    study, _ = synthetic_study(SHAPES, reference="slow", evaluations=2)
    found = decide(study).tasks[0].standings
    assert [item.status for item in found] == ["best", "tie", "tie", "behind"]
    return found


WIDE = 1.0
"""A margin that every tie of these keeps."""


def advised_of(standings, margin=WIDE):
    return advised(standings, margin)


def costing(standings, seconds, state=(4.0, 4.0, 4.0, 4.0)):
    return tuple(
        replace(item, seconds=s, state_bytes_per_parameter=b)
        for item, s, b in zip(standings, seconds, state, strict=True)
    )


def test_a_tie_that_saves_a_fifth_of_minutes_is_advised_in_the_best_s_place(standings):
    first, second, third, _ = standings
    assert advised_of(costing(standings, (600, 120, 300, 60))).contender == second.contender
    assert advised_of(costing(standings, (600, 590, 470, 60))).contender == third.contender
    assert advised_of(costing(standings, (600, 590, 490, 60))).contender == first.contender


def test_seconds_are_not_worth_a_worse_mean(standings):
    """A run of 0.4 s, and one of 7 s, may be as slow as it likes: nobody waits for it."""
    assert advised_of(costing(standings, (0.4, 0.2, 0.2, 0.1))).contender == standings[0].contender
    assert advised_of(costing(standings, (7.4, 0.2, 0.5, 0.1))).contender == standings[0].contender


def test_of_equally_quick_ties_the_leanest_is_advised(standings):
    third = standings[2]
    assert advised_of(costing(standings, (600, 200, 210, 100), (8.0, 8.0, 0.0, 0.0))).contender == third.contender


def test_a_tie_that_needs_far_less_memory_is_advised_unless_it_is_slower(standings):
    lean = costing(standings, (5, 5, 5, 5), (8.0, 8.0, 0.0, 0.0))
    large = MIN_BYTES_SAVED // 8
    assert advised(lean, WIDE, large) is lean[2]
    assert advised(lean, WIDE, large - 1) is lean[0]
    slow = costing(standings, (5, 5, 10, 5), (8.0, 8.0, 0.0, 0.0))
    assert advised(slow, WIDE, large) is slow[0]


def test_of_eight_ties_the_one_with_the_worst_mean_is_never_advised_for_a_moment():
    """Five seeds, eight tied contenders, the last one 1.7 points behind and 0.2 s quicker."""
    shapes = [Shape(f"o{i}", 0.97 - 0.0024 * i, 1e-2, noise=0.02) for i in range(8)]
    study, _ = synthetic_study(shapes, reference="o0", evaluations=2, seeds=5)
    times = tuple(replace(each, milliseconds=0.3 if each.contender == "o7" else 0.7) for each in study.times)
    verdict = decide(replace(study, times=times)).tasks[0]
    assert len(verdict.ties) >= 5
    assert verdict.advised == verdict.best
    assert f"use {verdict.best} with learning rate" in verdict.headline


def test_what_was_not_timed_is_advised_by_its_mean(standings):
    assert advised_of(costing(standings, (None, None, None, None))) is not None
    assert advised_of(costing(standings, (None, 0.1, 0.1, 0.1))).contender == standings[0].contender


@given(st.lists(st.floats(0.01, 1000), min_size=4, max_size=4))
def test_for_any_costs_the_advised_one_is_in_front_and_not_slower_than_the_best(standings, seconds):
    items = costing(standings, seconds)
    chosen = advised_of(items)
    assert chosen.status in ("best", "tie")
    first = items[0].seconds or 0.0
    assert chosen is items[0] or first >= MIN_SECONDS
    assert chosen is items[0] or (chosen.seconds or 0.0) <= EQUAL_TIME_RATIO * (1 - MIN_SAVING) * first


def test_the_headline_says_why_it_is_not_the_best_mean():
    study, _ = synthetic_study(SHAPES, reference="slow", evaluations=2)
    first = decide(study).tasks[0].best
    times = tuple(replace(each, milliseconds=5e5 if each.contender == first else 5e3) for each in study.times)
    verdict = decide(replace(study, times=times), margin=0.01).tasks[0]
    assert verdict.best == first and verdict.advised != first
    assert f"{verdict.advised} with learning rate" in verdict.headline
    assert f"; {first}, which has the best mean, takes" in verdict.headline
    assert len(verdict.headline.split()) <= 190
    assert decide(study).tasks[0].advised == first


def test_a_tie_for_want_of_evidence_is_not_advised_because_it_is_quick(standings):
    """Its interval reaches further behind than the margin: it may be worse, and only the study is too small to see."""
    items = costing(standings, (740, 20, 50, 10))
    reach = max(items[1].behind_best.high, items[2].behind_best.high)
    assert advised_of(items, 1.01 * reach) is items[1]
    assert advised_of(items, 0.0) is items[0]
    ahead = replace(items[1], behind_best=replace(items[1].behind_best, value=-0.001))
    assert advised_of((items[0], ahead, *items[2:]), 0.0) is ahead


def failing(item, failed):
    return replace(item, failed_replicates=failed, replicates=10 - failed)


def test_none_that_fails_clearly_more_than_another_is_advised(standings):
    first, second, third, behind = (failing(item, 0) for item in standings)
    assert advised_of((failing(first, 4), second, third, behind)) is second
    assert advised_of((failing(first, 4), failing(second, 4), third, behind)) is third
    unclear = failing(first, 2)
    assert advised_of((unclear, second, third, behind)) is unclear
    alike = tuple(failing(item, 4) for item in standings)
    assert advised_of(alike) is alike[0]
    quick = costing((first, failing(second, 5), third, behind), (740, 20, 700, 10))
    assert advised_of(quick).contender == first.contender


# ---- what the advice may lose ----------------------------------------------------------------------------------------


def test_a_tie_for_lack_of_evidence_says_how_much_the_advised_one_may_lose():
    verdict = decide(study_of({"a": {0.1: [0.9, 0.94, 0.9, 0.92, 0.93]}, "b": {0.1: [0.91, 0.9, 0.92, 0.9, 0.92]}}))
    task = verdict.tasks[0]
    gap = next(item.behind_best for item in task.standings if item.contender == "b")
    assert task.advised == "a"
    assert task.may_lose == pytest.approx(-gap.low)
    assert "a may be up to 1.7 points worse than another" in task.headline


def test_the_best_of_all_may_lose_nothing_to_those_behind():
    task = decide(study_of({"a": {0.1: [0.9, 0.91, 0.9, 0.91, 0.9]}, "b": {0.1: [0.5, 0.51, 0.5, 0.51, 0.5]}})).tasks[0]
    assert task.may_lose == 0


def test_one_alone_is_compared_with_nobody():
    assert decide(study_of({"a": {0.1: [0.9] * 5}})).tasks[0].may_lose is None


def test_what_does_no_better_than_a_constant_prediction_is_said_to_and_has_no_good_rates():
    table = {"a": {0.01: [0.98] * 5, 0.1: [0.98] * 5}, "b": {0.01: [0.98] * 5, 0.1: [0.97] * 5}}
    known, unknown = (decide(study_of(table, task=replace(DIGITS, constant=level))).tasks[0] for level in (0.979, None))
    assert "not shown to do better than a constant prediction, which reaches 97.9 % accuracy" in known.headline
    assert known.standings[0].safe_rates is None
    assert not any("good rates reach" in claim.sentence for claim in known.claims)
    assert "constant" not in unknown.headline
    assert unknown.standings[0].safe_rates is not None


def test_what_beats_a_constant_prediction_says_nothing_of_it():
    table = {"a": {0.01: [0.9, 0.91, 0.9, 0.91, 0.9]}, "b": {0.01: [0.91] * 5}}
    assert "constant" not in decide(study_of(table, task=replace(DIGITS, constant=0.1))).tasks[0].headline
