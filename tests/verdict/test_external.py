"""Tables from elsewhere: what a verdict makes of published results, and of every kind of damage."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steepest.errors import BadInput, BadSetting, BadTable
from steepest.verdict.decide import decide
from steepest.verdict.external import normal_scores, rounding, study_of_table

PUBLISHED = Path(__file__).parent / "published" / "progress-indication.csv"
EXAMPLE = Path(__file__).parents[2] / "examples" / "tabular-optimizers.csv"


def judge(text, metric="accuracy", **options):
    return decide(study_of_table(text, metric=metric, **options))


def table(head="optimizer,seed,value", **columns):
    """One row a value: optimizer → values by seed."""
    return "\n".join([head, *(f"{name},{i},{x}" for name, values in columns.items() for i, x in enumerate(values))])


GOOD, POOR = [0.95, 0.96, 0.97, 0.96, 0.95], [0.90, 0.91, 0.90, 0.92, 0.91]


def published(path):
    return judge(path.read_text(), metric="error")


def status_of(task):
    return {item.contender: item.status for item in task.standings}


# ---- published results ----


def test_ten_optimizers_on_tables_come_in_the_papers_order_and_with_the_ties_it_does_not_mention():
    verdict = published(EXAMPLE)
    for task in verdict.tasks:
        printed = [item.quality.value for item in task.standings]
        assert printed == sorted(printed)
    california, house, sberbank, diamond = map(status_of, verdict.tasks)
    assert (california["Muon EMA"], house["Muon EMA"], sberbank["ScheduleFree"]) == ("best",) * 3
    assert {name for name, status in california.items() if status == "tie"} == {"ScheduleFree", "AdEMAMix", "AdamW EMA"}
    assert list(house.values()).count("tie") == 5
    assert diamond["SGD"] == california["SGD"] == "behind"
    assert sberbank["SGD"] == "tie"
    assert verdict.everywhere[0].contender == "ScheduleFree"
    assert verdict.everywhere[-1].contender == "SGD"


def test_forecasts_of_training_time_come_in_the_papers_order_with_most_leads_unproven():
    """The paper's means over all runs are 1.13, 0.60 and 0.48, and so is the mean of what was typed in."""
    verdict = published(PUBLISHED)
    assert len(verdict.tasks) == 24
    means = {
        name: np.mean(
            [item.quality.value for task in verdict.tasks for item in task.standings if item.contender == name]
        )
        for name in ("method 1", "method 2", "method 3")
    }
    assert [round(x, 2) for x in means.values()] == [1.13, 0.60, 0.48]
    assert [row.contender for row in verdict.everywhere] == ["method 3", "method 2", "method 1"]
    assert verdict.everywhere[0].regret.high < verdict.everywhere[1].regret.value
    alone = sum(not task.ties for task in verdict.tasks)
    assert alone == 4  # of 24 tests, those whose printed order is more than luck at the top


# ---- what a table may look like ----


def test_runs_and_their_summary_give_the_same_verdict_if_seeds_are_independent():
    a, b = 0.9 + 0.01 * normal_scores(8), 0.88 + 0.02 * normal_scores(8)
    runs = judge("optimizer,value\n" + "\n".join([*(f"a,{x}" for x in a), *(f"b,{x}" for x in b)]))
    cells = judge("optimizer,mean,sd,n\na,0.9,0.01,8\nb,0.88,0.02,8")
    one, other = (verdict.tasks[0].standings[1].behind_best for verdict in (runs, cells))
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_an_sd_that_was_rounded_to_nothing_is_not_taken_for_certainty():
    found = judge("optimizer,mean,sd,n\na,97.5,0.0,5\nb,97.4,0.0,5", metric="accuracy").tasks[0]
    gap = found.standings[1].behind_best
    assert gap.low < gap.value < gap.high
    assert rounding("0.0") == pytest.approx(0.05 / math.sqrt(3))


def test_accuracies_in_percent_are_read_as_shares_and_have_the_margin_of_shares():
    verdict = judge("optimizer,mean,sd,n\na,97.5,0.4,5\nb,97.4,0.4,5", metric="accuracy")
    assert verdict.tasks[0].standings[0].quality.value == pytest.approx(0.975)
    assert verdict.tasks[0].margin == 0.0025
    assert "read as percent" in str(verdict)


def test_the_headline_of_a_table_warns_of_settings_that_were_tuned_once():
    assert "tuned once, before these runs" in judge(table(a=GOOD, b=POOR)).headline


@given(st.integers(2, 40))
def test_normal_scores_have_the_mean_and_the_deviation_that_they_stand_for(n):
    z = normal_scores(n)
    assert z.mean() == pytest.approx(0, abs=1e-12)
    assert z.std(ddof=1) == pytest.approx(1)
    assert np.all(np.diff(z) > 0)


def test_names_that_others_use_for_columns_are_understood():
    text = "Dataset;Method;LR;Run;Test;Validation\n" + "\n".join(
        f"wine;{name};{lr};{seed};{0.9 + 0.001 * seed};{0.9 - lr}"
        for name in "ab"
        for lr in (0.1, 0.2)
        for seed in range(5)
    )
    verdict = judge(text)
    assert verdict.tasks[0].task.name == "wine"
    assert set(verdict.tasks[0].standings[0].picks.values()) == {0.1}


def test_a_rate_is_picked_on_validation_and_the_verdict_says_where_there_is_none():
    rows = [f"a,{seed},{rate},{0.9 + rate * (seed % 2)}" for seed in range(6) for rate in (0.01, 0.02, 0.03)]
    verdict = judge("optimizer,seed,rate,value\n" + "\n".join(rows))
    assert "no column valid" in str(verdict)
    assert "with learning rate" in str(verdict)
    assert "learning rate" not in str(judge(table(a=GOOD, b=POOR))).split("What could change")[0]


def test_the_metrics_name_gives_the_direction_or_the_user_must():
    assert judge(table(a=GOOD, b=POOR)).tasks[0].best == "a"
    assert judge(table(a=GOOD, b=POOR), metric="loss").tasks[0].best == "b"
    assert judge(table(a=GOOD, b=POOR), metric="zeal", higher_is_better=False).tasks[0].best == "b"
    with pytest.raises(BadSetting, match="--lower-is-better"):
        judge(table(a=GOOD, b=POOR), metric="zeal")


def test_shares_are_shown_in_percent_and_percents_are_read():
    verdict = judge(table(a=["95%", "96 %", "97%", "96%", "95%"], b=POOR))
    assert "95.8 %" in str(verdict)


def test_a_tables_verdict_claims_nothing_about_how_its_repeats_came_about():
    words = str(judge(table(a=GOOD, b=POOR)))
    assert "was tuned" not in words
    assert "training runs" not in words
    assert "on test data" not in words
    assert "tuned once beforehand" in words


def test_a_failed_run_is_counted_and_not_averaged():
    verdict = judge(table(a=[*GOOD, "diverged", "nan", ""], b=[*POOR, 0.9, 0.9, 0.9]))
    best = verdict.tasks[0].standings[0]
    assert (best.contender, best.replicates, best.failed_replicates) == ("a", 5, 3)
    assert best.quality.value == pytest.approx(np.mean(GOOD))
    assert "a failed on 3 of 8 seeds (95 % interval 8.5 % to 76 %), at every learning rate." in str(verdict)


def test_correlated_seeds_are_compared_seed_by_seed_and_made_up_ones_never():
    rng = np.random.default_rng(0)
    luck = rng.normal(0, 0.01, 10)
    a, b = (0.9 + shift + luck + rng.normal(0, 0.0005, 10) for shift in (0.002, 0.0))
    assert judge(table(a=a, b=b)).tasks[0].paired
    without = "optimizer,value\n" + "\n".join([*(f"a,{x}" for x in a), *(f"b,{x}" for x in b)])
    assert not judge(without).tasks[0].paired


# ---- what weakens a verdict is said ----


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (table(a=GOOD, b=POOR[:3]), "different numbers of seeds, from 3 (b) to 5 (a)"),
        (table(a=GOOD[:2], b=POOR[:2]), "no optimizer has the 5 seeds"),
        (table(a=GOOD, b=[0.9] * 5), "All 5 seeds of b on the table have the same value"),
        ("task,optimizer,seed,value\nx,a,0,0.9\nx,b,0,0.8\ny,a,0,0.9", "On y, the table has no results of b"),
        ("optimizer,value,colour\na,0.9,red\na,0.8,blue", "Unused columns: colour"),
        ("optimizer,value\na,0.9\na,0.8", "no column seed"),
        ("optimizer,mean,sd,n\na,0.9,0.1,5\nb,0.8,0.1,5", "only means and standard deviations"),
        (
            "optimizer,seed,rate,value\n" + "\n".join(f"a,{s},{r},0.{s}{r}" for s in range(5) for r in (1, 2))
            + "\nb,0,1,0.5\nb,1,1,0.6",
            "different numbers of learning rates, from 1 (b) to 2 (a)",
        ),
        (
            "optimizer,seed,rate,value\n" + "\n".join(f"a,{s},{r},0.{s}{r}" for s in range(5) for r in (1, 2))
            + "\na,9,1,0.5",
            "did not run every learning rate with seed 9",
        ),
    ],
)  # fmt: skip
def test_a_sentence_says_what_weakens_the_verdict(text, words):
    assert words in str(judge(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("optimizer,value\n", "but no rows"),
        ("name,value\na,1", "no column optimizer"),
        ("optimizer,colour\na,1", "neither a column value"),
        ("optimizer,mean,sd\na,1,2", "n missing"),
        ("optimizer,value\na,high", "Line 2 of the table: the value 'high' is not a number"),
        ("optimizer;value\na;0,95", "decimal point"),
        ("optimizer,value\na,0,95", "has 3 cells, its head 2"),
        ("optimizer,value\n,0.95", "has no optimizer"),
        ("optimizer,seed,value\na,1,0.9\na,1,0.8", "Lines 2 and 3 of the table both hold a, seed 1"),
        ("optimizer,seed,value\na,1.5,0.9", "the seed '1.5' must be a whole number of at least 0"),
        ("optimizer,seed,rate,value\na,1,-1,0.9", "the rate '-1' must be a number above 0"),
        ("optimizer,mean,sd,n\na,0.9,-1,5", "the sd '-1' must be a number of at least 0"),
        ("optimizer,mean,sd,n\na,0.9,0.1,0", "the n '0' must be a whole number of at least 1"),
        ("optimizer,mean,sd,n\na,0.9,0.1,5\na,0.9,0.1,5", "both hold a"),
        ("optimizer,value,value\na,1,1", "Two columns"),
        ("optimizer,value\na,nan\nb,", "No run of the table has a result"),
    ],
)
def test_damage_is_reported_in_one_sentence(text, words):
    with pytest.raises(BadTable) as found:
        judge(text)
    assert words in str(found.value)
    assert "\n" not in str(found.value)


cell = st.one_of(
    st.sampled_from(["a", "b", "0.5", "1", "nan", "", "1e400", '"', "x,y", "-3", "7%"]), st.text(max_size=4)
)


@given(
    st.lists(
        st.sampled_from(["task", "optimizer", "seed", "rate", "value", "valid", "mean", "sd", "n", "?"]), max_size=6
    ),
    st.lists(st.lists(cell, max_size=6), max_size=6),
)
@settings(max_examples=150, deadline=None)
def test_any_table_ends_in_a_verdict_or_in_a_sentence(head, rows):
    text = "\n".join(",".join(each) for each in [head, *rows])
    try:
        verdict = judge(text)
    except BadInput as error:
        assert str(error)
    else:
        assert str(verdict)
        assert verdict.to_json()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("optimizer,seed,value\n" + "".join(f"o{i},0,1\n" for i in range(5000)), "5,000 optimizers on one task"),
        ("optimizer,seed,value\n" + "".join(f"a,{i},1\n" for i in range(1001)), "1,001 seeds of one optimizer"),
        ("optimizer,seed,rate,value\n" + "".join(f"a,0,{i + 1},1\n" for i in range(501)), "501 learning rates"),
        (
            "task,optimizer,seed,value\n" + "".join(f"t{i},a,0,1\n" for i in range(1001)),
            "1,001 optimizers on all tasks",
        ),
        ("optimizer,seed,value\n" + "a,0,1\n" * 200_001, "has 200,001 lines; at most 200,000"),
        ("optimizer,seed,value" + ",x" * 10**6, "1,000,003 columns; at most 1,000"),
        ("optimizer,mean,sd,n\na,1,1,100000000", "Line 2 of the table has n = 100,000,000; at most 1,000"),
        ("optimizer,seed,value\na," + "9" * 5000 + ",1", r"the seed '9{40}…' must be a whole number"),
        ("optimizer,seed,value\na,0," + "x" * 5000, r"the value 'x{40}…' is not a number"),
    ],
)
def test_a_table_that_would_keep_its_reader_waiting_is_refused(text, words):
    with pytest.raises(BadTable, match=words):
        judge(text)


def test_a_cell_that_the_reader_of_csv_refuses_is_one_sentence():
    usual = csv.field_size_limit(1000)
    try:
        with pytest.raises(BadTable, match="Line 2 of the table cannot be read: field larger than"):
            judge("optimizer,seed,value\na,0," + "9" * 2000)
    finally:
        csv.field_size_limit(usual)


def test_the_order_of_the_rows_and_the_names_do_not_matter():
    there = judge(table(a=GOOD, b=POOR, c=[0.93, 0.96, 0.95, 0.94, 0.95]))
    head, *rows = table(z=GOOD, y=POOR, x=[0.93, 0.96, 0.95, 0.94, 0.95]).splitlines()
    here = judge("\n".join([head, *rows[::-1]]))
    renamed = {"a": "z", "b": "y", "c": "x"}
    assert [renamed[item.contender] for item in there.tasks[0].standings] == [
        item.contender for item in here.tasks[0].standings
    ]
    for one, other in zip(there.tasks[0].standings, here.tasks[0].standings, strict=True):
        assert one.status == other.status
        assert (one.p_best or 1) == pytest.approx(other.p_best or 1, abs=1e-12)
        assert not math.isnan(one.quality.value)
