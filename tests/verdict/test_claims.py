"""The sentences: a frozen golden study word for word, and what every sentence must be whatever the study."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from verdict.factory import DIGITS, HOUSING, LINE, SEVEN, Shape, study_of, synthetic_study

from steepest.messages import term
from steepest.records.outcomes import Outcome
from steepest.records.step_times import StepTime
from steepest.verdict.decide import decide
from steepest.verdict.words.claims import MAX_HEADLINE_WORDS

GOLDEN = {
    "momentum": {
        0.001: [0.10, 0.11, 0.12, 0.10, 0.11],
        0.01: [0.958, 0.962, 0.955, 0.960, 0.965],
        0.03: [0.949, 0.951, 0.946, 0.950, 0.952],
        0.1: [None, None, None, 0.81, None],
    },
    "adam": {
        0.0001: [0.55, 0.52, 0.56, 0.53, 0.54],
        0.001: [0.961, 0.959, 0.966, 0.964, 0.962],
        0.003: [0.958, 0.956, 0.964, 0.961, 0.960],
        0.01: [0.931, 0.925, 0.929, 0.936, 0.930],
    },
    "sgd": {
        0.01: [0.87, 0.88, 0.86, 0.87, 0.88],
        0.1: [0.921, 0.930, 0.926, 0.919, 0.928],
        1.0: [0.941, 0.938, 0.936, 0.944, 0.940],
    },
}
TIMES = (
    StepTime("digits", "momentum", 0.40, 4.0),
    StepTime("digits", "adam", 0.50, 8.0),
    StepTime("digits", "sgd", 0.35, 0.0),
)


def sentences(verdict):
    claims = [claim for task in verdict.tasks for claim in task.claims]
    return [claim.sentence for claim in (*claims, *verdict.claims)]


def test_the_golden_verdict_word_for_word():
    """golden.txt was read as a newcomer would before it was frozen: read it again before it is changed."""
    assert str(decide(study_of(GOLDEN, times=TIMES))) + "\n" == (Path(__file__).parent / "golden.txt").read_text()


def test_the_manual_quotes_the_golden_headline():
    manual = (Path(__file__).parents[2] / "docs" / "verdict.md").read_text(encoding="utf-8")
    quoted = " ".join(line.removeprefix("> ") for line in manual.splitlines() if line.startswith("> "))
    assert quoted == decide(study_of(GOLDEN, times=TIMES)).headline


# ---- what the headline says in each case ----

GOOD = [0.95, 0.96, 0.97, 0.96, 0.95]
BAD = [0.86, 0.85, 0.86, 0.87, 0.85]
NEAR = [0.955, 0.95, 0.96, 0.965, 0.94]


def headline(table, task=DIGITS, margin=None, **changes):
    return decide(study_of({k: {0.01: v} for k, v in table.items()}, task=task, **changes), margin=margin).headline


def test_a_clear_winner_is_named_with_its_lead():
    text = headline({"sgd": BAD, "adam": GOOD})
    assert "use adam with learning rate 0.01. It reaches 95.8 % accuracy" in text
    assert "Next best: sgd, behind by 10.0 points (95 % interval 8.2 to 11.8)." in text


def test_if_all_tie_the_advice_is_to_keep_the_present_optimizer():
    text = headline({"sgd": NEAR, "adam": GOOD})
    assert "a tie; keep the optimizer that you already use." in text
    assert "Not significantly different from adam: sgd." in text
    assert "If you start fresh, use adam" in text


def test_a_tie_by_the_margin_is_not_called_insignificant():
    text = headline({"sgd": [x - 0.02 for x in GOOD], "adam": GOOD}, margin=0.03)
    assert "Practically equivalent to adam: sgd." in text
    assert "significant" not in text


def test_many_ties_are_counted_rather_than_listed():
    text = headline(dict.fromkeys("abcdefg", NEAR))
    assert "Not significantly different from a: b, c, d and 3 others." in text


def test_too_few_seeds_are_reported_first():
    text = headline({"sgd": BAD[:3], "adam": GOOD[:3]})
    assert "too few seeds for a verdict. adam has 3; at least 5 are needed." in text
    assert "Keep the optimizer that you use" in text


def test_one_contender_alone_is_compared_with_nobody():
    text = headline({"adam": GOOD})
    assert "use adam" in text
    assert not re.search("behind|tie|difference", text)


def test_where_nothing_works_nothing_is_recommended():
    text = headline({"sgd": [None] * 5, "adam": [None] * 5})
    assert "no recommendation" in text
    assert "learning rate 0" not in text


def test_a_study_that_has_just_begun_says_so():
    study = study_of({"adam": {0.1: GOOD, 0.01: GOOD}}, finished=False)
    one_each = [row for row in study.results if (row.seed, row.rate) in {(0, 0.1), (1, 0.01)}]
    verdict = decide(study_of({"adam": {}}, results=tuple(one_each), finished=False, trials_planned=10))
    assert "no results yet" in verdict.headline
    assert "2 of 10 training runs are finished. These results may still change." in str(verdict)


def test_the_best_that_failed_on_some_seeds_carries_its_warning():
    text = headline({"adam": [*GOOD, None, None], "sgd": [*BAD, 0.8, 0.8]})
    assert "use adam with learning rate 0.01." in text
    assert "adam failed on 2 of 7 seeds (95 % interval 3.7 % to 71 %), at every learning rate." in text


def test_the_best_at_the_edge_carries_its_warning():
    table = {"adam": {0.01: BAD, 0.1: GOOD}, "sgd": {0.01: BAD}}
    assert "The best learning rate of adam, 0.1, is the largest that was tried." in decide(study_of(table)).headline


def test_a_reference_far_behind_is_in_the_details():
    table = {"sgd": [0.5, 0.51, 0.52, 0.5, 0.5], "adam": GOOD, "rmsprop": BAD}
    assert "Next best: rmsprop, behind by 10.0 points" in headline(table, reference="sgd")
    verdict = decide(study_of({name: {0.01: values} for name, values in table.items()}, reference="sgd"))
    assert any("sgd (the reference), by 45.2 points" in each for each in sentences(verdict))


def test_a_contender_that_cannot_be_judged_is_in_the_headline_where_it_is_the_only_other():
    text = headline({"adam": GOOD, "sgd": [0.9, None, None, None, None]})
    assert "Not judged yet: sgd has 1 seed; at least 5 are needed" in text


def test_an_optimizer_that_needs_a_precise_rate_is_called_sensitive():
    values = {0.001: [0.2] * 5, 0.01: GOOD, 0.1: [0.3] * 5}
    assert "adam is sensitive to its learning rate: only from" in decide(study_of({"adam": values})).headline
    cliffs = {0.001: [None] * 5, 0.01: GOOD, 0.1: [None] * 5}
    assert "only at 0.01 is validation accuracy shown" in decide(study_of({"adam": cliffs})).headline


def test_an_optimizer_without_memory_is_called_so_below_the_answer():
    times = (StepTime("digits", "adam", 0.5, 8.0), StepTime("digits", "sgd", 0.4, 0.0))
    verdict = decide(study_of({"sgd": {0.01: NEAR}, "adam": {0.01: GOOD}}, times=times))
    said = "Less memory: sgd keeps no state; adam keeps 8 bytes per parameter."
    assert said in sentences(verdict)
    assert said not in verdict.headline


def test_an_accident_is_not_blamed_on_the_rate():
    table = {"adam": {0.01: GOOD, 0.1: [None] * 5}}
    text = str(decide(study_of(table, outcome=Outcome.OOM)))
    assert "Of 10 runs of adam, 5 ran out of memory. The learning rate is not the cause." in text
    assert "diverge" not in text


def test_several_tasks_below_six_name_no_winner():
    verdict = decide(synthetic_study(SEVEN[:3], tasks=(DIGITS, HOUSING))[0])
    assert "With fewer than 6 tasks, no overall winner is named." in verdict.headline
    assert verdict.tasks[1].headline in str(verdict)


def test_what_the_planner_gave_up_is_reported():
    fewer = term("Fewer rates were tried: 5 instead of 9.")
    verdict = decide(study_of({"adam": {0.1: GOOD}}, given_up=(fewer,)))
    assert "Fewer rates were tried: 5 instead of 9." in sentences(verdict)


def test_rates_of_ones_own_are_not_called_equal_in_number():
    study = study_of({"adam": {0.1: GOOD}})
    assert "with the same number of learning rates" in str(decide(study))
    (contender,) = study.contenders
    own = type(contender)("adam", "adam", 1e-2, rates=(0.1,))
    assert "the same number of learning rates" not in str(decide(study_of({"adam": {0.1: GOOD}}, contenders=(own,))))


# ---- what every sentence must be ----

STUDIES = [
    {"tasks": (DIGITS, HOUSING, LINE)},
    {"tasks": (DIGITS,), "seeds": 5},
    {"tasks": (HOUSING,), "shapes": SEVEN[:2], "seeds": 3},
    {"tasks": (LINE,), "shapes": SEVEN[:1], "seeds": 1},
]
JARGON = re.compile(
    r"\b(replicate|contender|trial|Holm|Welch|Student|bootstrap|p-value|p value|CI|null"
    r"|hypothesis|nan|inf|None|pooled|Bonferroni|shard|lane)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("options", STUDIES, ids=["three tasks", "5 seeds", "3 seeds", "alone"])
def test_every_sentence_is_plain_english_with_its_evidence(options):
    study, traces = synthetic_study(**options)
    verdict = decide(study, traces=traces)
    for claim in [*verdict.claims, *(claim for task in verdict.tasks for claim in task.claims)]:
        assert not JARGON.search(claim.sentence), claim.sentence
        assert claim.sentence[0].isupper() or claim.part == "headline"
        assert claim.sentence.endswith(".")
        assert not re.search(r"  |\.\.|,,|\( |\d{7}", claim.sentence), claim.sentence
        assert claim.evidence
        for key in claim.evidence:
            assert re.match(r"(study$|(task|standing|pair):)", key)


@pytest.mark.parametrize("options", STUDIES, ids=["three tasks", "5 seeds", "3 seeds", "alone"])
def test_a_headline_is_short_enough_to_be_read(options):
    study, traces = synthetic_study(**options)
    verdict = decide(study, traces=traces)
    for text in [verdict.headline, *(task.headline for task in verdict.tasks)]:
        assert 0 < len(text.split()) <= MAX_HEADLINE_WORDS


def test_no_sentence_appears_twice():
    for options in STUDIES:
        study, traces = synthetic_study(**options)
        for task in decide(study, traces=traces).tasks:
            said = [claim.sentence for claim in task.claims]
            assert len(said) == len(set(said))


# ---- time ----

TWO = [Shape("slow", 0.97, 1e-2, speed=4, milliseconds=0.1), Shape("quick", 0.97, 1e-2, speed=12, milliseconds=1.0)]


def time_to_target(shapes, timed=True):
    study, traces = synthetic_study(shapes, reference="slow")
    verdict = decide(study if timed else replace(study, times=()), traces=traces).tasks[0]
    return next((claim for claim in verdict.claims if "'s improvement)" in claim.sentence), None)


def test_who_needs_fewer_steps_is_not_quicker_if_each_of_them_takes_ten_times_as_long():
    by_time, by_steps = time_to_target(TWO), time_to_target(TWO, timed=False)
    assert by_time is not None
    assert by_steps is not None
    assert re.search(r"(slow is fastest with|slow is faster with) \d+ ms \(\d+ steps\)", by_time.sentence)
    assert re.search(r"(quick is fastest with|quick is faster with) \d+ steps", by_steps.sentence)


def test_steps_of_different_batches_are_not_compared():
    quick = replace(TWO[1], batch_size=1)
    claim = time_to_target([TWO[0], quick], timed=False)
    assert claim is not None
    assert not ("slow" in claim.numbers and "quick" in claim.numbers)
