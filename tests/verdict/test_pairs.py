"""All pairs as one family, and seed by seed only where that is shown to help."""

import numpy as np
import pytest
from scipy import stats as scipy_stats
from verdict.factory import study_of

from steepest.verdict.decide import decide
from steepest.verdict.judge.pairs import compare_all, fair_means

N = 8
LUCK = np.random.default_rng(0).normal(size=N)
OWN = np.random.default_rng(1).normal(size=(3, N))


def rng():
    return np.random.default_rng(0)


def by_seed(rows):
    return {"abc"[i]: dict(enumerate(map(float, row))) for i, row in enumerate(rows)}


ALIKE = by_seed(LUCK + 0.2 * OWN)
APART = by_seed(OWN)


def test_where_seeds_move_all_alike_the_differences_by_seed_are_tested():
    family = compare_all(ALIKE, 0.05, rng())
    assert family.paired
    assert family.correlation == pytest.approx(0.95, abs=0.05)
    a, b = (np.array(list(ALIKE[name].values())) for name in "ab")
    assert family.pairs["a", "b"].difference.p == pytest.approx(scipy_stats.ttest_rel(a, b).pvalue)


def test_where_it_does_not_welchs_test_keeps_its_freedom():
    family = compare_all(APART, 0.05, rng())
    assert not family.paired
    a, b = (np.array(list(APART[name].values())) for name in "ab")
    assert family.pairs["a", "b"].difference.p == pytest.approx(scipy_stats.ttest_ind(a, b, equal_var=False).pvalue)


def test_pairing_is_decided_for_the_whole_task_and_not_by_the_pair_it_would_suit():
    mixed = by_seed([LUCK + 0.1 * OWN[0], LUCK + 0.1 * OWN[1], OWN[2]])
    family = compare_all(mixed, 0.05, rng())
    lengths = {len(family.pairs[pair].other) for pair in family.pairs}
    zeros = [np.all(pair.other == 0) or np.all(pair.one == 0) for pair in family.pairs.values()]
    assert lengths == {N}
    assert all(zeros) == family.paired == any(zeros)


@pytest.mark.parametrize(("rows", "paired"), [(ALIKE, True), (APART, False)])
def test_of_two_contenders_the_clearer_comparison_counts_and_the_choice_has_its_price(rows, paired):
    two = {name: rows[name] for name in "ab"}
    family = compare_all(two, 0.05, rng())
    pair, (a, b) = family.pairs["a", "b"], (np.array(list(two[name].values())) for name in "ab")
    by_seed, apart = scipy_stats.ttest_rel(a, b).pvalue, scipy_stats.ttest_ind(a, b, equal_var=False).pvalue
    assert family.paired == paired == (by_seed < apart)
    assert family.price == pytest.approx(1.25 + 1.25 / N)
    assert pair.p == pytest.approx(min(1, family.price * min(by_seed, apart)))
    assert pair.level == pytest.approx(0.05 / family.price)


def test_the_choice_of_two_comparisons_costs_nothing_where_there_is_none():
    other_seeds = {"a": APART["a"], "b": {seed + 100: value for seed, value in APART["b"].items()}}
    assert [compare_all(samples, 0.05, rng()).price for samples in (APART, other_seeds)] == [1, 1]


def test_a_pair_is_the_same_seen_from_either_side():
    pairs = compare_all(ALIKE, 0.05, rng()).pairs
    here, there = pairs["a", "c"], pairs["c", "a"]
    assert (here.p, here.level, here.difference.value) == (there.p, there.level, -there.difference.value)
    assert here.estimate.low == pytest.approx(-there.estimate.high)


def test_contenders_with_different_seeds_are_paired_on_those_that_both_have():
    gaps = {name: dict(values) for name, values in ALIKE.items()}
    del gaps["a"][0]
    del gaps["b"][7]
    family = compare_all(gaps, 0.05, rng(), lost={"a": {0}, "b": {7}})
    assert family.paired
    assert [family.pairs[pair].n for pair in (("a", "b"), ("a", "c"), ("b", "c"))] == [N - 2, N - 1, N - 1]
    common = [gaps["a"][seed] - gaps["b"][seed] for seed in range(1, 7)]
    assert family.pairs["a", "b"].difference.value == pytest.approx(np.mean(common))


def test_without_pairing_the_seeds_that_one_lost_are_left_out_of_the_other():
    gaps = {**APART, "a": {seed: value for seed, value in APART["a"].items() if seed > 1}}
    lost = compare_all(gaps, 0.05, rng(), lost={"a": {0, 1}}).pairs["a", "b"]
    assert (len(lost.one), len(lost.other)) == (N - 2, N - 2)
    never_run = compare_all(gaps, 0.05, rng()).pairs["a", "b"]
    assert (len(never_run.one), len(never_run.other)) == (N - 2, N)


def test_a_mean_is_fair_to_a_contender_that_lacks_an_easy_seed():
    easiest = int(np.argmax(LUCK))
    gaps = {**ALIKE, "a": {seed: value for seed, value in ALIKE["a"].items() if seed != easiest}}
    whole, raw, fair = (fair_means(x, paired)["a"] for x, paired in ((ALIKE, True), (gaps, False), (gaps, True)))
    assert abs(fair - whole) < abs(raw - whole) / 2
    assert fair_means(gaps, True)["b"] == pytest.approx(np.mean(list(ALIKE["b"].values())))


def test_with_fewer_than_5_seeds_in_common_nothing_is_paired():
    few = {"a": {i: ALIKE["a"][i] for i in range(5)}, "b": {i: ALIKE["b"][i] for i in range(3, 8)}}
    family = compare_all(few, 0.05, rng())
    assert (family.paired, family.correlation) == (False, None)


@pytest.mark.parametrize("samples", [{}, {"a": ALIKE["a"]}])
def test_a_family_has_at_least_two_members(samples):
    assert compare_all(samples, 0.05, rng()).pairs == {}


def test_a_small_lead_that_every_seed_confirms_is_seen():
    """On its own each contender scatters by 3 points; the lead of 0.5 holds on every seed."""
    luck = 0.9 + 0.03 * LUCK
    table = {"adam": {0.01: list(luck + 0.005 + 0.001 * OWN[0])}, "sgd": {0.01: list(luck + 0.001 * OWN[1])}}
    verdict = decide(study_of(table)).tasks[0]
    assert verdict.paired
    assert verdict.standings[1].status == "behind"
    assert any("compared seed by seed" in claim.sentence for claim in verdict.claims)
    alone = [dict(zip(range(10, 10 + N), row, strict=True)) for row in (luck + 0.005, luck[::-1])]
    assert compare_all({"adam": alone[0], "sgd": alone[1]}, 0.05, rng()).pairs["adam", "sgd"].p > 0.05
