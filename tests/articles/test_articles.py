"""Claims are judged by the hypotheses stated beforehand, and the chapter of the docs agrees with the stored figures."""

import json
import math
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steepest.articles import chapter, second_fit
from steepest.articles.hypotheses import HYPOTHESES, Bound, Hypothesis, JudgedClaim, NoMoreThan, NotBehind, judge
from steepest.articles.measures import Figure, figure, ratio
from steepest.articles.studies import AVERAGED, HEAVY_BALL, STUDIES
from steepest.errors import StudyFolderError
from steepest.report.svg import Bar, Line, curves, intervals

ROOT = Path(__file__).parents[2]
STORED = json.loads((ROOT / "benchmarks" / "results" / "articles.json").read_text(encoding="utf-8"))


def measured(low, high):
    return Figure("toy", (low + high) / 2, low, high, 10)


@pytest.mark.parametrize(
    ("rule", "interval", "answer"),
    [
        (Bound("above", 1.0), (1.5, 2.0), "yes"),
        (Bound("above", 1.0), (0.5, 2.0), "open"),
        (Bound("above", 1.0), (0.1, 0.9), "no"),
        (Bound("below", 1.0), (0.5, 0.9), "yes"),
        (Bound("below", 1.0), (0.5, 1.1), "open"),
        (Bound("below", 1.0), (1.1, 1.2), "no"),
        (NoMoreThan(4.0), (-3.0, 3.0), "yes"),
        (NoMoreThan(4.0), (-3.0, 5.0), "open"),
        (NoMoreThan(4.0), (5.0, 6.0), "no"),
        (NoMoreThan(4.0), (-6.0, -5.0), "no"),
        (NotBehind(4.0), (-1.0, 5.0), "open"),
        (NotBehind(4.0), (-1.0, 3.9), "yes"),
        (NotBehind(4.0), (0.1, 0.3), "yes"),
        (NotBehind(4.0), (2.0, 6.0), "no"),
    ],
)
def test_a_figure_supports_a_claim_only_with_its_whole_interval(rule, interval, answer):
    assert rule.answer(measured(*interval)) == answer


@given(st.floats(-5, 5), st.floats(0, 5), st.floats(0, 5), st.sampled_from([Bound("above", 1), NoMoreThan(2.0)]))
def test_a_wider_interval_never_turns_a_yes_into_a_no_or_a_no_into_a_yes(middle, reach, more, rule):
    narrow, wide = (Figure("toy", middle, middle - r, middle + r, 5) for r in (reach, reach + more))
    assert {rule.answer(narrow), rule.answer(wide)} != {"yes", "no"}


@pytest.mark.parametrize(
    ("answers", "word"),
    [
        (("yes", "yes"), "supported"),
        (("yes", "open"), "mixed"),
        (("open", "no"), "not supported"),
        ((), "not measured"),
    ],
)
def test_a_claim_is_supported_only_by_all_of_its_figures(answers, word):
    assert JudgedClaim(HYPOTHESES[0], (), answers).word == word


def test_a_missing_study_leaves_a_claim_unmeasured_and_an_empty_folder_is_an_error(tmp_path):
    assert all(judge(hypothesis, {}).word == "not measured" for hypothesis in HYPOTHESES)
    with pytest.raises(StudyFolderError, match="steepest claims"):
        chapter.judged_claims(tmp_path)


def test_the_table_of_claims_is_sound():
    keys = [hypothesis.key for hypothesis in HYPOTHESES]
    assert len(set(keys)) == len(keys) and all(isinstance(each, Hypothesis) for each in HYPOTHESES)
    assert math.isclose(sum(planned.share for planned in STUDIES), 1, abs_tol=0.05)
    assert np.allclose(np.array(AVERAGED) / np.array(HEAVY_BALL), 10, rtol=0.05)


def test_the_chapter_agrees_with_the_stored_figures():
    page = (ROOT / "docs" / "articles.md").read_text(encoding="utf-8")
    assert [row["key"] for row in STORED["claims"]] == [hypothesis.key for hypothesis in HYPOTHESES]
    for row, hypothesis in zip(STORED["claims"], HYPOTHESES, strict=True):
        found = [Figure(*(each[name] for name in ("of", "value", "low", "high", "n"))) for each in row["figures"]]
        judged = JudgedClaim(hypothesis, tuple(found), tuple(hypothesis.rule.answer(each) for each in found))
        assert [each["answer"] for each in row["figures"]] == list(judged.answers)
        assert row["outcome"] == judged.word
        assert f"| [{hypothesis.claim}](#{hypothesis.key}) | {hypothesis.source} | {judged.word} |" in page
        section = "\n".join(chapter._section(judged, "articles"))
        assert " ".join(section.split()) in " ".join(page.split())


def test_every_picture_of_the_chapter_is_there_and_well_formed():
    page = (ROOT / "docs" / "articles.md").read_text(encoding="utf-8")
    pictures = re.findall(r"\]\((articles/[\w-]+\.svg)\)", page)
    assert len(pictures) == len(HYPOTHESES) + 1
    for picture in pictures:
        ET.fromstring((ROOT / "docs" / picture).read_text(encoding="utf-8"))


def test_ratios_are_means_of_logarithms():
    found = ratio("toy", [math.log(2), math.log(8)])
    assert found.value == pytest.approx(4)
    assert figure("toy", [1.0, 2.0, 3.0]).value == 2.0


def test_the_second_fit_starts_where_the_first_one_ended():
    fits = second_fit.fits(0)
    assert fits.losses["after"][0] == pytest.approx(fits.losses["sgd"][-1], rel=0.3)
    assert fits.losses["adam"][0] > 10 * fits.losses["after"][0]
    assert fits.after < fits.sgd < fits.adam


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=6), st.booleans())
def test_a_chart_is_well_formed_for_any_figures(values, log):
    steps = [float(i) for i in range(len(values))]
    lines = [Line("a & <b>", steps, values), Line("flat", steps, [1.0] * len(values))]
    ET.fromstring(curves(lines, "step", "loss", log_y=log))
    bars = [Bar("<a>", value, -math.inf, value) for value in values if math.isfinite(value)] or [Bar("b", 0, 0, 0)]
    ET.fromstring(intervals(bars, "margins", (-1.0, 1.0)))
