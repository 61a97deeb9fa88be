"""The setting of a study in words: what was made of its data, in both languages, in the page and in plain text."""

from dataclasses import replace

import pytest
from report.studies import default_study, hostile_study
from rich.cells import cell_len

from steepest.messages import Message, speaking
from steepest.records.contender import Contender
from steepest.report import study_setup
from steepest.report.html import html
from steepest.report.view import view
from steepest.study.profiling import with_axes

CHINESE = "3 行 <b> 没有目标值：舍去。"
NOTE = Message("3 rows <b> have no target: left out.", given={"zh": CHINESE})


def with_notes(study):
    record, verdict, traces = study
    tasks = [replace(each, task=replace(each.task, notes=(NOTE,))) for each in verdict.tasks]
    return view(record, replace(verdict, tasks=tuple(tasks)), traces)


def test_the_preparation_of_the_data_is_shown_in_both_languages():
    shown = with_notes(default_study())
    found = study_setup.setting(shown)
    assert str(NOTE) in study_setup.text(found)
    with speaking("zh"):
        assert CHINESE in study_setup.text(found)
    page = html(shown)
    assert "3 rows &lt;b&gt; have no target" in page
    assert "3 行 &lt;b&gt; 没有目标值" in page


@pytest.mark.parametrize("language", ["en", "zh"])
def test_hostile_names_stay_within_the_width_and_move_no_cursor(language):
    with speaking(language):
        lines = study_setup.text(study_setup.setting(view(*hostile_study()))).split("\n")
    assert all(cell_len(line) <= 100 or " " not in line.strip() for line in lines[1:])
    assert not any(ord(letter) < 32 for line in lines for letter in line)


def test_axes_add_to_what_a_seed_draws_and_take_from_it():
    facts = default_study()[0].tasks[0]
    adam = Contender("adam", "adam", 1e-3)
    assert with_axes(facts, [adam]) == facts
    augmented = with_axes(facts, [adam, replace(adam, axes={"augment": "flip", "dropout": 0.2})])
    assert augmented.luck == (
        *("initial weights", "order of the batches", "dropout", "augmentation"),
        "train/validation/test split",
    )
    assert with_axes(augmented, [replace(adam, axes={"dropout": 0.0})]).luck == (
        *facts.luck[:2],
        "augmentation",
        facts.luck[2],
    )


def test_the_protocol_lists_the_rates_tried_and_how_seeds_were_added():
    study = default_study()[0]
    assert "9 rates over 4 decades, then 4 more" in str(study_setup.protocol(study))
    first, *others = study.contenders
    fixed = replace(first, rates=(0.001, 0.1))
    assert str(study_setup.protocol(replace(study, contenders=(fixed,)))).startswith(
        "Every optimizer is tuned separately for each seed: the rates 0.001, 0.1. The rate"
    )
    mixed = study_setup.protocol(replace(study, contenders=(fixed, *others)))
    assert f"beyond the edge; for {first.name}, the given rates 0.001, 0.1. The rate" in str(mixed)
    assert f"{first.name} 用指定的学习率 0.001、0.1；取验证指标" in mixed.render("zh")
    sure = study_setup.protocol(replace(study, protocol=replace(study.protocol, seeds=28, until_sure=True)))
    assert str(sure).endswith("At most 28 seeds, starting at 0; seeds are added until the verdict is settled.")
    assert sure.render("zh").endswith("随机种子最多 28 个，从 0 开始，增加到结论确定为止。")
