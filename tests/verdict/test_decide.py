"""The policy: who is best, who ties, who is behind, who cannot be judged, and what a standing tells."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from verdict.factory import DIGITS, HOUSING, LINE, SEVEN, Shape, study_of, synthetic_study

from steepest.errors import BadSetting
from steepest.records.outcomes import Outcome
from steepest.records.record import field_names
from steepest.records.step_times import StepTime
from steepest.verdict.decide import decide
from steepest.verdict.results import Standing

GOOD = [0.95, 0.96, 0.97, 0.96, 0.95]
BAD = [0.86, 0.85, 0.86, 0.87, 0.85]
NEAR = [0.955, 0.95, 0.96, 0.965, 0.94]


def judge(table, task=DIGITS, **options):
    """The task's verdict for contender → values at one rate."""
    tables = {name: {0.01: values} if isinstance(values, list) else values for name, values in table.items()}
    keys = ("confidence", "margin", "traces")
    study = study_of(tables, task=task, **{k: v for k, v in options.items() if k not in keys})
    return decide(study, **{k: v for k, v in options.items() if k in keys}).tasks[0]


def statuses(verdict):
    return {item.contender: item.status for item in verdict.standings}


# ---- who is what ----


def test_a_clear_difference_leaves_one_best():
    assert statuses(judge({"sgd": BAD, "adam": GOOD})) == {"adam": "best", "sgd": "behind"}


def test_an_interval_that_holds_0_is_a_tie():
    verdict = judge({"sgd": NEAR, "adam": GOOD})
    assert statuses(verdict) == {"adam": "best", "sgd": "tie"}
    assert verdict.ties == ("sgd",)


def test_a_settled_difference_below_the_practical_margin_is_a_tie():
    slightly = [x - 0.02 for x in GOOD]
    assert statuses(judge({"sgd": slightly, "adam": GOOD}, margin=0.01))["sgd"] == "behind"
    assert statuses(judge({"sgd": slightly, "adam": GOOD}, margin=0.03))["sgd"] == "tie"


def test_where_less_is_better_the_smallest_mean_is_best():
    verdict = judge({"sgd": [0.1, 0.11, 0.12, 0.1, 0.1], "adam": [0.5, 0.51, 0.52, 0.5, 0.5]}, task=LINE)
    assert statuses(verdict) == {"sgd": "best", "adam": "behind"}
    gap = verdict.standings[1].behind_best
    assert gap is not None
    assert gap.value == pytest.approx(0.4)  # worse is positive, whatever the direction


def test_two_identical_constant_contenders_tie():
    assert statuses(judge({"sgd": [0.9] * 5, "adam": [0.9] * 5})) == {"sgd": "best", "adam": "tie"}


@pytest.mark.parametrize("count", [1, 2, 4])
def test_below_5_replicates_nothing_is_judged(count):
    verdict = judge({"sgd": BAD[:count], "adam": GOOD[:count]})
    assert statuses(verdict) == {"adam": "unsure", "sgd": "unsure"}
    assert (verdict.best, verdict.ties) == ("adam", ())
    assert verdict.standings[1].p_best is None


def test_a_contender_with_too_few_sound_replicates_comes_after_those_who_can_be_judged():
    verdict = judge({"lucky": [0.99, 0.99, None, None, None], "adam": GOOD, "sgd": BAD})
    assert statuses(verdict) == {"adam": "best", "sgd": "behind", "lucky": "unsure"}


def test_a_contender_without_a_sound_replicate_has_failed_and_is_last():
    verdict = judge({"wild": [None] * 5, "adam": GOOD, "sgd": BAD})
    last = verdict.standings[-1]
    assert (last.contender, last.status, last.quality, last.places) == ("wild", "failed", None, None)
    assert (last.failed_replicates, last.failed_trials, last.rate) == (5, 5, None)


def test_a_failed_replicate_is_counted_apart_and_never_averaged_in():
    verdict = judge({"adam": [*GOOD, None], "sgd": [*BAD, 0.86]})
    best = verdict.standings[0]
    assert (best.replicates, best.failed_replicates) == (5, 1)
    assert best.quality is not None
    assert best.quality.value == pytest.approx(np.mean(GOOD))
    assert best.values[5] is None


def test_a_study_in_which_everything_failed_still_has_a_verdict():
    verdict = decide(study_of({"adam": {0.1: [None] * 5}, "sgd": {0.1: [None] * 5}}))
    assert set(statuses(verdict.tasks[0]).values()) == {"failed"}
    json.dumps(verdict.to_json(), allow_nan=False)


def test_a_study_that_has_only_begun_calls_nobody_failed():
    study = study_of({"adam": {0.1: GOOD, 0.01: GOOD}, "sgd": {0.1: BAD, 0.01: BAD}}, finished=False)
    first = tuple(row for row in study.results if row.contender == "adam" and (row.seed, row.rate) == (0, 0.1))
    second = tuple(row for row in study.results if row.contender == "sgd" and row.seed < 2)
    verdict = decide(replace(study, results=second + first)).tasks[0]
    assert statuses(verdict) == {"sgd": "unsure", "adam": "unsure"}


def test_a_study_without_results_has_a_verdict_without_tasks():
    verdict = decide(study_of({"adam": {}}, finished=False))
    assert verdict.tasks == ()
    assert "Nothing has been trained" in verdict.headline


def test_a_reference_that_does_not_take_part_is_compared_with_nobody():
    verdict = judge({"adam": GOOD, "sgd": BAD}, reference="momentum")
    assert all(item.behind_reference is None for item in verdict.standings)


@pytest.mark.parametrize(("confidence", "margin"), [(0.3, None), (1.0, None), (0.95, -1.0), (0.95, math.nan)])
def test_a_senseless_confidence_or_margin_is_refused(confidence, margin):
    with pytest.raises(BadSetting):
        decide(study_of({"adam": {0.1: GOOD}}), confidence=confidence, margin=margin)


# ---- numbers ----


def test_the_difference_is_welchs_and_its_p_is_holms_over_all_pairs():
    table = {"a": GOOD, "b": NEAR, "c": [0.86, 0.87, 0.85, 0.85, 0.86]}
    verdict = judge(table, task=replace(DIGITS, n_test=100_000))
    assert not verdict.paired
    ab, ac, bc = (scipy_stats.ttest_ind(table[x], table[y], equal_var=False).pvalue for x, y in ("ab", "ac", "bc"))
    assert ac < bc < ab
    by_name = {item.contender: item for item in verdict.standings}
    assert by_name["c"].p_best == pytest.approx(3 * ac)  # the smallest of three
    assert by_name["b"].p_best == pytest.approx(ab)  # the largest
    assert by_name["b"].behind_reference == by_name["b"].behind_best


@given(st.lists(st.lists(st.floats(0, 1), min_size=5, max_size=7), min_size=2, max_size=4), st.floats(0.8, 0.99))
@settings(max_examples=60, deadline=None)
def test_a_status_follows_from_its_interval(columns, confidence):
    table = {f"c{i}": [round(x, 3) for x in column] for i, column in enumerate(columns)}
    for item in judge(table, margin=0.0, confidence=confidence).standings[1:]:
        assert item.behind_best is not None
        assert (item.status == "behind") == (item.behind_best.low > 0)
        if len({len(column) for column in columns}) == 1:  # else compared on common seeds, and ranked by all
            assert item.behind_best.value >= 0


@given(st.permutations(range(4)))
@settings(max_examples=10, deadline=None)
def test_names_and_order_do_not_matter(order):
    columns = [GOOD, BAD, NEAR, [0.9, 0.91, 0.92, 0.93, 0.9]]
    here = judge({f"c{i}": columns[i] for i in range(4)}).standings
    there = judge({f"other{i}": columns[i] for i in order}).standings
    assert [item.contender[-1] for item in there] == [item.contender[-1] for item in here]
    for one, other in zip(here, there, strict=True):
        assert (one.status, one.quality, one.rate) == (other.status, other.quality, other.rate)
        assert one.p_best == pytest.approx(other.p_best)
        assert one.places == other.places


@given(st.floats(0.001, 0.3))
@settings(max_examples=25, deadline=None)
def test_a_contender_that_gets_better_never_loses_its_standing(gain):
    rank = {"best": 0, "tie": 1, "behind": 2}
    before = {i.contender: i for i in judge({"a": GOOD, "b": NEAR, "c": BAD}, margin=0).standings}["c"]
    after = {i.contender: i for i in judge({"a": GOOD, "b": NEAR, "c": [x + gain for x in BAD]}, margin=0).standings}[
        "c"
    ]
    assert rank[after.status] <= rank[before.status]
    assert after.place <= before.place


def test_the_same_study_always_has_the_same_verdict():
    study, traces = synthetic_study()
    assert decide(study, traces=traces) == decide(study, traces=traces)


def test_seconds_are_those_of_one_run_alone():
    times = (StepTime("digits", "adam", 0.5, 8.0), StepTime("housing", "adam", 99.0, 8.0))
    standing = judge({"adam": GOOD, "sgd": BAD}, times=times).standings[0]
    assert (standing.milliseconds, standing.seconds) == (0.5, pytest.approx(0.5 * 480 / 1000))
    assert judge({"adam": GOOD}).standings[0].seconds is None


# ---- rates ----


def test_points_show_what_happened_at_each_rate():
    values = {0.0001: [0.1] * 5, 0.01: GOOD, 1.0: [0.5, None, None, None, None]}
    low, middle, high = judge({"adam": values}).standings[0].points
    assert (low.n, low.stalled, low.failed, low.picked) == (5, 5, 0, 0)
    assert (middle.stalled, middle.failed, middle.picked) == (0, 0, 5)
    assert (high.failed, high.picked) == (4, 0)
    assert middle.valid is not None
    assert middle.valid.value == pytest.approx(np.mean(GOOD))


def test_a_best_rate_at_the_end_of_what_was_searched_is_untuned():
    rising = {0.001: BAD, 0.01: NEAR, 0.1: [x + 0.02 for x in GOOD]}
    assert judge({"adam": rising}).standings[0].untuned == "high"
    assert judge({"adam": {**rising, 1.0: [None] * 5}}).standings[0].untuned == ""
    assert judge({"adam": rising}, finished=False).standings[0].untuned == ""
    assert judge({"adam": GOOD}).standings[0].untuned == ""


def test_the_picks_of_all_seeds_are_kept():
    values = {0.1: [0.8, 0.5, 0.9, 0.9, 0.9], 0.01: [0.7, 0.9, 0.8, 0.8, 0.8]}
    assert judge({"adam": values}).standings[0].picks == {0: 0.1, 1: 0.01, 2: 0.1, 3: 0.1, 4: 0.1}


def test_more_rates_tried_make_a_better_pick():
    values = {10.0**-k: [x - 0.1 * k for x in GOOD] for k in range(5)}
    best_of = judge({"adam": values}).standings[0].best_of
    assert list(best_of) == [1, 2, 3, 5]
    assert best_of[1] == pytest.approx(np.mean(GOOD) - 0.2)
    assert best_of[5] == pytest.approx(np.mean(GOOD))


# ---- curves ----


def test_time_to_target_needs_curves():
    study, traces = synthetic_study(SEVEN[:3])
    bare, full = decide(study).tasks[0], decide(study, traces=traces).tasks[0]
    assert bare.targets == {}
    assert all(item.steps_to_target == {} for item in bare.standings)
    assert list(full.targets) == ["95 %", "99 %"]
    start, end = 0.1, np.mean([row.valid_metric for row in picks_of(study, full, "momentum")])
    assert full.targets["95 %"] == pytest.approx(start + 0.95 * (end - start), abs=0.005)


def picks_of(study, verdict, contender):
    picks = next(item for item in verdict.standings if item.contender == contender).picks
    rows = [row for row in study.results if row.contender == contender]
    return [row for row in rows if picks.get(row.seed) == row.rate]


def test_the_quicker_contender_arrives_sooner():
    shapes = [Shape("slow", 0.97, 1e-2, speed=4), Shape("quick", 0.97, 1e-2, speed=12), Shape("lame", 0.5, 1e-2)]
    study, traces = synthetic_study(shapes, reference="slow")
    steps = {i.contender: i.steps_to_target["95 %"] for i in decide(study, traces=traces).tasks[0].standings}
    assert steps["lame"] is None
    assert steps["quick"] is not None
    assert steps["slow"] is not None
    assert steps["quick"] < steps["slow"] < 480


def test_stalled_trials_show_in_the_points():
    study, traces = synthetic_study(SEVEN[:3])
    for item in decide(study, traces=traces).tasks[0].standings:
        assert item.points[0].stalled == item.points[0].n
        assert item.points[4].stalled == 0


# ---- the whole ----


def test_several_tasks_are_tallied():
    verdict = decide(synthetic_study(SEVEN[:4], tasks=(DIGITS, HOUSING, LINE))[0])
    assert [task.task.name for task in verdict.tasks] == ["digits", "housing", "line"]
    for tally in verdict.tallies:
        assert tally.best + tally.tie + tally.behind + tally.unsure + tally.failed == 3
    assert sum(tally.best for tally in verdict.tallies) == 3


def test_a_tie_for_lack_of_evidence_does_not_count_as_good():
    """`noisy` is never shown to be behind, nor to be as good as the best."""
    first = study_of({"a": {0.1: [0.9, 0.901, 0.9, 0.901, 0.9]}, "b": {0.1: [0.9, 0.9, 0.901, 0.9, 0.9]},
                      "noisy": {0.1: [0.7, 1.0, 0.6, 1.0, 0.95]}})  # fmt: skip
    second = replace(first, tasks=(HOUSING,), results=tuple(replace(row, task="housing") for row in first.results))
    both = replace(first, tasks=(DIGITS, HOUSING), results=first.results + second.results)
    found = {tally.contender: tally for tally in decide(both, margin=0.01).tallies}
    assert (found["a"].good, found["b"].good, found["noisy"].good) == (2, 2, 0)
    assert (found["b"].tie, found["noisy"].tie) == (2, 2)


def test_a_single_task_needs_no_tally():
    assert decide(synthetic_study(SEVEN[:2])[0]).tallies == ()


@pytest.mark.parametrize("seeds", [1, 5])
def test_a_verdict_is_json(seeds):
    study, traces = synthetic_study(SEVEN, seeds=seeds, tasks=(DIGITS, LINE))
    data = json.loads(json.dumps(decide(study, traces=traces).to_json(), allow_nan=False))
    assert set(data["tasks"][0]["standings"][0]) == set(field_names(Standing))
    assert data["tasks"][0]["headline"]
    if seeds == 1:
        assert data["tasks"][0]["standings"][0]["quality"]["low"] is None


def test_accidents_are_failures_too():
    verdict = judge({"adam": {0.01: GOOD, 0.1: [None] * 5}, "sgd": BAD}, outcome=Outcome.OOM)
    assert verdict.standings[0].failed_trials == 5


@given(st.lists(st.lists(st.one_of(st.none(), st.floats(0.5, 0.99)), min_size=8, max_size=8), min_size=2, max_size=2))
@settings(max_examples=40, deadline=None)
def test_of_two_the_best_is_never_behind_the_other_even_where_seeds_were_lost(columns):
    verdict = judge({"a": columns[0], "b": columns[1]})
    second = verdict.standings[1]
    if second.status in ("tie", "behind"):
        assert second.behind_best.value >= 0


def test_the_best_is_who_leads_on_the_seeds_of_both_not_who_kept_the_easy_ones():
    hard = [0.5, 0.52, 0.9, 0.91, 0.92, 0.93, 0.94, 0.95]
    skips = [None, None, *(x - 0.001 for x in hard[2:])]
    verdict = judge({"skips": skips, "all": hard})
    assert (verdict.best, verdict.standings[1].behind_best.value >= 0) == ("all", True)
