"""Three questions, each with its own intervals: these rows trained again, these rows split again, other rows."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom
from torch import from_numpy
from verdict import factory

from benchmarks.statements_examples import (
    KINDS,
    LINEAR,
    Kind,
    called_different,
    count_of,
    differences_covered,
    levels_covered,
    simulated,
)
from steepest.errors import UnknownName
from steepest.records.example_outcomes import Contributions, packed
from steepest.records.outcomes import Outcome, Trace
from steepest.tasks.metrics import NAMED
from steepest.tasks.per_example import contributions
from steepest.verdict.decide import decide
from steepest.verdict.judge.pairs import compare_all
from steepest.verdict.judge.questions import Asked
from steepest.verdict.stats.example_variance import example_effect, sign_test
from steepest.verdict.stats.shares import Examples

ALL = np.ones(36, dtype=bool)


# ---- numbers ---------------------------------------------------------------------------------------------------------


def test_the_effect_of_an_example_is_that_of_the_analysis_of_variance():
    rng = np.random.default_rng(1)
    n, m = 6, 400
    table = rng.normal(size=(n, 1)) + 2 * rng.normal(size=m) + rng.normal(size=(n, m))
    found = example_effect(table)
    assert found is not None
    row, column, mean = table.mean(1, keepdims=True), table.mean(0), table.mean()
    of_examples = n * float(np.sum((column - mean) ** 2)) / (m - 1)
    of_rest = float(np.sum((table - row - column + mean) ** 2)) / ((n - 1) * (m - 1))
    assert found.between == pytest.approx((of_examples - of_rest) / n, rel=1e-9)
    assert 0.7 * (m - 1) < found.freedom < 1.4 * (m - 1)


def test_examples_that_only_some_seeds_have_give_the_same_effect_on_average():
    rng, found = np.random.default_rng(2), []
    for _ in range(40):
        table = 2 * rng.normal(size=300) + rng.normal(size=(6, 300))
        table[rng.random(table.shape) < 0.7] = np.nan
        effect = example_effect(table)
        assert effect is not None
        found.append(effect.between)
    assert np.mean(found) == pytest.approx(4, rel=0.1)


def test_without_common_examples_nothing_is_known():
    assert example_effect(np.array([[1.0, 0.0, np.nan, np.nan], [np.nan, np.nan, 1.0, 0.0]])) is None


def test_the_sign_test_is_the_binomial_one():
    values = np.array([1] * 6 + [0] * 30)
    assert sign_test(values) == pytest.approx(2 * 0.5**6)
    assert sign_test(np.array([1, 1, 1, -1, 0])) == pytest.approx(2 * binom.cdf(1, 4, 0.5))
    assert sign_test(np.array([1, -1, 0])) == sign_test(np.zeros(3)) == 1.0


# ---- few examples ----------------------------------------------------------------------------------------------------


def pair_of(wrong_of_b: int, seeds: int = 5):
    """36 test examples on which every seed of "a" is right, and of "b" wrong on the same few."""
    right = np.ones(36)
    wrong = np.where(np.arange(36) < wrong_of_b, 0.0, 1.0)
    outcomes = {
        name: {seed: Contributions(ALL, values, 36, True) for seed in range(seeds)}
        for name, values in (("a", right), ("b", wrong))
    }
    samples = {name: {i: float(each.values.mean()) for i, each in mine.items()} for name, mine in outcomes.items()}
    asked, rng = Asked(outcomes=outcomes), np.random.default_rng(0)
    return compare_all(samples, 0.05, rng, examples=Examples(36), asked=asked).pairs["a", "b"]


@pytest.mark.parametrize(("wrong", "p"), [(0, 1.0), (1, 1.0), (3, 0.25), (5, 0.0625), (6, 0.03125), (12, 2 * 0.5**12)])
def test_where_seeds_agree_the_p_value_is_at_least_that_of_the_exact_test(wrong, p):
    pair = pair_of(wrong)
    assert p <= pair.p <= max(2.5 * p, 0.002)
    assert pair.estimate.low < pair.estimate.value < pair.estimate.high
    assert (pair.p < 0.05) == (pair.estimate.low > 0)


def test_one_example_of_36_is_no_certainty_on_either_question():
    pair = pair_of(1)
    for question, answer in pair.answers("trained-again").items():
        assert (answer is None) == (question == "split-again")
        assert answer is None or answer.low < 0 < answer.high


# ---- statements, simulated -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["accuracy, 300 shared test examples", "loss, 200 of 1,000 rows drawn by each seed"])
def test_intervals_hold_the_truth_of_other_rows(name):
    rng = np.random.default_rng(5)
    for count in (levels_covered, differences_covered):
        hits, n = count(KINDS[name], "new-rows")(30, rng)
        assert binom.ppf(0.001, n, 0.95) <= hits
    wrong, n = called_different(KINDS[name], "new-rows")(30, rng)
    assert wrong <= binom.ppf(0.999, n, 0.05)


def test_auroc_counts_its_examples_too():
    kind = replace(KINDS["AUROC, 300 shared test examples"], seeds=5)
    hits, n = levels_covered(kind, "new-rows")(20, np.random.default_rng(6))
    assert binom.ppf(0.001, n, 0.95) <= hits
    narrow, n = levels_covered(kind, "trained-again")(3, np.random.default_rng(6))
    assert (narrow, n) == (3, 3)


@pytest.mark.parametrize("metric", LINEAR)
def test_simulated_examples_contribute_what_those_of_a_trial_do(metric):
    rng = np.random.default_rng(2)
    y = rng.normal(size=41) if metric == "r2" else np.arange(41) % 3 == 0
    outputs = rng.normal(size=41) + (y if metric == "r2" else 1.5 * y - 0.7)
    found = contributions(NAMED[metric], from_numpy(outputs), from_numpy(y))
    assert found is not None
    assert LINEAR[metric](outputs, y) == pytest.approx(found.values.numpy())


def test_what_is_counted_at_once_is_what_is_counted_apart():
    kind = replace(KINDS["macro F1, 300 shared test examples"], examples=60, seeds=5)
    seed = int(np.random.default_rng(8).integers(1 << 30))
    at_once = count_of(kind, ("levels", "new-rows"))(6, np.random.default_rng(8))
    assert at_once == levels_covered(kind, "new-rows")(6, np.random.default_rng(seed))


def test_equals_that_differ_on_these_rows_are_found_different_there_and_not_elsewhere():
    kind = Kind(examples=150, own=1.0, seed=0.02, rest=0.1)
    found = {question: called_different(kind, question)(20, np.random.default_rng(7))[0] for question in
             ("trained-again", "new-rows")}  # fmt: skip
    assert found["trained-again"] > 9 and found["new-rows"] <= 4


def test_asked_of_these_rows_a_study_finds_what_it_found_without_examples():
    kind, rng = Kind(), np.random.default_rng(8)
    for _ in range(5):
        study = simulated(kind, rng)
        asked = study.pair("trained-again")
        plain = compare_all(study.samples, 0.05, np.random.default_rng(0)).pairs["a", "b"]
        assert asked.p == pytest.approx(plain.p, rel=0.05)


# ---- verdicts --------------------------------------------------------------------------------------------------------


SIZE = 400
EVERY = np.ones(SIZE, dtype=bool)


def study_on(luck: str = "order of the batches", outcomes: bool = True):
    """A study and its curves. On 12 of 400 test examples "b" is wrong and "a" is right, on 4 it is the other way round;
    seeds differ by an example."""
    rng, kept = np.random.default_rng(3), {"a": {}, "b": {}}
    for seed in range(6):
        for name, wrong in (("a", range(4)), ("b", range(10, 22))):
            right = np.ones(SIZE)
            right[[*wrong, int(rng.integers(100, SIZE))]] = 0
            kept[name][seed] = Contributions(EVERY, right, SIZE, True)
    table = {name: {0.01: [float(each.values.mean()) for each in mine.values()]} for name, mine in kept.items()}
    task = replace(factory.DIGITS, luck=(luck,), n_test=SIZE)
    study = factory.study_of(table, task)
    flat, steps = np.full((6, 3), 0.9), np.arange(1, 4)
    traces = {
        f"{task.name}-{name}": Trace(
            steps, flat, flat, flat, (Outcome.OK,) * 6, np.full(6, 3), flat[:, 0], np.array(table[name][0.01]),
            packed(mine) if outcomes else None,
        )
        for name, mine in kept.items()
    }  # fmt: skip
    return study, traces


def verdict(question=None, **choices):
    study, traces = study_on(**choices)
    return decide(study, traces=traces, question=question)


def cover(found) -> str:
    return next(claim.sentence for claim in found.claims if "A seed sets" in claim.sentence)


def test_the_widest_question_is_answered_where_the_examples_are_known():
    found = verdict()
    task = found.tasks[0]
    assert (task.question, task.best, task.ties) == ("new-rows", "a", ("b",))
    assert "Intervals cover new seeds and new rows of the same kind" in cover(found)
    expected = task.standings[0].expected
    assert expected is not None and expected.on_new_examples


def test_another_question_can_be_asked_and_has_its_own_answer():
    wide, narrow = verdict().tasks[0], verdict("trained-again").tasks[0]
    assert narrow.question == "trained-again" and narrow.standings[1].status == "behind"
    for name in ("levels", "behind_answers"):
        for one, other in zip(wide.standings, narrow.standings, strict=True):
            assert getattr(one, name).keys() == getattr(other, name).keys()
    answers = wide.standings[1].behind_answers
    assert answers["split-again"] is None and answers["new-rows"] == wide.standings[1].behind_best
    assert (
        answers["new-rows"].high - answers["new-rows"].low
        > answers["trained-again"].high - answers["trained-again"].low
    )
    levels = narrow.standings[0].levels
    assert levels["trained-again"] == narrow.standings[0].quality != levels["new-rows"]


def test_without_the_examples_a_verdict_is_what_it_was_and_says_so():
    study, _ = study_on()
    before = decide(study).tasks[0]
    without = verdict(outcomes=False)
    assert without.tasks[0].question == "trained-again"
    assert without.tasks[0].standings[1].behind_best == before.standings[1].behind_best
    assert "Intervals cover only the variation between seeds" in cover(without)


@pytest.mark.parametrize(
    ("asked", "choices", "says"),
    [
        (
            "new-rows",
            {"outcomes": False},
            "it is not known what came of each test example. Its intervals answer trained",
        ),
        ("split-again", {}, "its seeds all have the same test rows. Its intervals answer new-rows"),
        ("trained-again", {"luck": "train/validation/test split"}, "each of its seeds has other test rows. Its inter"),
    ],
)
def test_a_question_that_cannot_be_answered_is_said_to_be_so(asked, choices, says):
    assert any(says in claim.sentence for claim in verdict(asked, **choices).claims)


def test_more_seeds_do_not_settle_what_is_for_more_examples():
    detail = [claim.sentence for claim in verdict().tasks[0].claims]
    assert any("there are too few test examples, however many seeds are added" in each for each in detail)


def test_an_unknown_question_is_refused():
    with pytest.raises(UnknownName, match="Did you mean new-rows"):
        verdict("new rows")
