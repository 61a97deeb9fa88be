"""The view: plain JSON, rounded, in the units that people read, with nothing dropped."""

import json
from dataclasses import replace

import numpy as np
import pytest
from report.studies import HOSTILE, default_study, default_view, hostile_study, judged, three_tasks
from verdict.factory import HOUSING, LINE, SEVEN, Shape, synthetic_study

from steepest.records.outcomes import Outcome
from steepest.records.study_record import StudyDesign
from steepest.report.plain import plain
from steepest.report.view import view


def strings(value):
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


def everything_failed():
    doomed = replace(SEVEN[0], cliff=-9.0)
    return synthetic_study((doomed, replace(doomed, name="adam")), seeds=3, reference="adam")


def half_done():
    study, traces = synthetic_study(SEVEN[:3], seeds=5)
    kept = study.results[: len(study.results) // 2]
    some = {shard: traces[shard] for shard in {result.shard for result in kept}}
    return replace(study, results=kept, finished=False), some


STUDIES = {
    "default": lambda: default_study()[::2],
    "one seed": lambda: synthetic_study(SEVEN[:3], seeds=1),
    "one rate": lambda: synthetic_study(SEVEN[:2], seeds=3, protocol=StudyDesign(seeds=3, rates=1, extra_rates=0)),
    "everything failed": everything_failed,
    "half done": half_done,
    "hostile": lambda: hostile_study()[::2],
}


@pytest.mark.parametrize("name", STUDIES)
def test_a_view_is_json_without_nan(name):
    study, traces = STUDIES[name]()
    shown = view(*judged(study, traces))
    assert json.loads(json.dumps(plain(shown), allow_nan=False)) == plain(shown)


def test_shares_are_shown_in_percent_and_bare_numbers_as_they_are():
    _, verdict, _ = default_study()
    shown, told = default_view()["tasks"][0]["standings"][0], verdict.tasks[0].standings[0]
    assert shown["quality"]["value"] == pytest.approx(100 * told.quality.value, rel=1e-5)
    assert shown["values"]["0"] == pytest.approx(100 * told.values[0], rel=1e-5)
    bare = view(*judged(*synthetic_study(SEVEN[:2], (HOUSING,), seeds=3)))["tasks"][0]["standings"][0]
    assert 0.9 < bare["quality"]["value"] < 1


def test_every_trial_is_counted_at_its_rate():
    study, _, _ = default_study()
    shown = default_view()
    for standing in shown["tasks"][0]["standings"]:
        name = shown["contenders"][standing["contender"]]["name"]
        trials = [result for result in study.results if result.contender == name]
        assert sum(point["n"] for point in standing["points"]) == len(trials) == standing["trials"] == 130
        failed = sum(result.outcome is not Outcome.OK for result in trials)
        assert sum(point["failed"] for point in standing["points"]) == failed
        assert sum(point["picked"] for point in standing["points"]) == 10


def test_curves_are_medians_over_the_seeds_of_the_recommended_rate():
    study, _, traces = default_study()
    shown = default_view()
    standing = shown["tasks"][0]["standings"][0]
    name = shown["contenders"][standing["contender"]]["name"]
    curves = standing["curves"]
    chosen = curves["rates"][curves["chosen"]]
    rows = [r for r in study.results if r.contender == name and r.rate == chosen["rate"]]
    values = np.stack([traces[r.shard].valid_metric[r.lane] for r in rows])
    assert values.shape == (10, len(curves["steps"]))
    assert chosen["valid_metric"] == pytest.approx(100 * np.median(values, axis=0), rel=1e-3)
    assert curves["band"]["valid_metric"]["low"] == pytest.approx(100 * np.quantile(values, 0.1, axis=0), rel=1e-3)


def test_curves_of_a_rate_that_diverges_end_as_failed_not_as_gaps():
    standing = default_view()["tasks"][0]["standings"][0]
    steepest = standing["curves"]["rates"][-1]
    assert steepest["failed"] == steepest["n"] == 10
    assert steepest["train_loss"][-1] is None
    assert steepest["train_loss"][0] is not None
    assert len(steepest["train_loss"]) == len(standing["curves"]["steps"])


def test_shards_without_a_trace_are_missing_from_the_curves_only():
    study, verdict, traces = default_study()
    lost = next(shard for shard in traces if "-adam-grid" in shard)
    shown = view(study, verdict, {shard: trace for shard, trace in traces.items() if shard != lost})
    index = [contender["name"] for contender in shown["contenders"]].index("adam")
    standing = next(s for s in shown["tasks"][0]["standings"] if s["contender"] == index)
    assert len(standing["points"]) == 13
    assert len(standing["curves"]["rates"]) == 4


def test_each_of_several_tasks_has_its_own_axes_and_units():
    tasks = three_tasks()["tasks"]
    assert [task["unit"] for task in tasks] == ["%", "", ""]
    assert [task["higher_is_better"] for task in tasks] == [True, True, False]
    assert len(three_tasks()["tallies"]) == 4


def test_the_forest_covers_close_contenders_and_leaves_a_hopeless_one_to_an_arrow():
    hopeless = Shape("sgd", 0.3, 1e-1)
    task = view(*judged(*synthetic_study((*SEVEN[1:6], hopeless))))["tasks"][0]
    inside = [task["forest"]["low"] < s["quality"]["value"] < task["forest"]["high"] for s in task["standings"]]
    assert inside == [True] * 5 + [False]


def test_samples_per_step_distinguish_contenders_of_other_batch_sizes():
    assert default_view()["tasks"][0]["mixed"]
    assert not three_tasks()["tasks"][0]["mixed"]


def test_no_string_of_a_view_can_steer_a_terminal_or_the_direction_of_text():
    shown = view(*hostile_study())
    found = list(strings(shown))
    assert any("<script>" in text for text in found), "markup is text, and stays"
    assert any("x" * 10_000 in text for text in found), "names are shown in full where there is room"
    for text in found:
        assert not set(text) & set("\x1b\x07\r\n\u202e\u202c\ud800"), text[:80]
    labels = [contender["label"] for contender in shown["contenders"]]
    assert len(labels) == len(HOSTILE)
    assert max(map(len, labels)) <= 28


def test_a_name_of_ten_thousand_letters_does_not_bury_a_sentence():
    shown = view(*hostile_study())
    sentences = [str(claim["sentence"]) for claim in [*shown["claims"], *shown["tasks"][0]["claims"]]]
    sentences.append(str(shown["tasks"][0]["headline"]))
    assert any("x" * 59 + "…" in sentence for sentence in sentences)
    assert max(map(len, sentences)) < 2_000


def test_a_loss_that_spans_decades_is_drawn_on_a_logarithmic_axis():
    axes = [task["axes"] for task in three_tasks()["tasks"]]
    assert [entry["sensitivity"]["all"]["least"] is not None for entry in axes] == [False, False, True]
    line = view(*judged(*synthetic_study((replace(SEVEN[0], peak=0.01, noise=1e-4),), (LINE,), seeds=3)))
    assert line["tasks"][0]["axes"]["sensitivity"]["all"]["log"]


def test_labels_under_the_ranking_leave_room_for_each_other():
    close = replace(LINE, margin=1e-7)
    shapes = [replace(shape, peak=0.0102 + 1e-5 * i, noise=1e-5) for i, shape in enumerate(SEVEN[:3])]
    forest = view(*judged(*synthetic_study(shapes, (close,), seeds=5)))["tasks"][0]["forest"]
    labels = [f"{tick:.{forest['decimals']}f}" for tick in forest["ticks"]]
    assert len(set(labels)) == len(labels) >= 2
    assert sum(map(len, labels)) <= 36
