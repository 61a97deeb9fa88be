"""Whoever asks for Chinese is answered in Chinese: on every plain page, in a notebook, in LaTeX and under figures.

What stays as it is are names, formulas, code, the titles of papers, and where data come from.
"""

import re
from dataclasses import replace
from html import unescape
from io import StringIO

import numpy as np
import pytest
from report.studies import default_view, three_tasks, three_tasks_study
from rich.cells import cell_len
from rich.console import Console
from torch import nn
from verdict.factory import SEVEN, synthetic_study

from steepest.builtin import task_table as tasks
from steepest.checks.all_checks import warnings_about
from steepest.cli import listings
from steepest.cli.main import main
from steepest.datasets import sources
from steepest.engine.fleet_support import ERROR_MEANINGS, unsupported_reason
from steepest.locale.translations import catalogue as translations
from steepest.messages import Message, speaking
from steepest.optim import catalogue, choosing
from steepest.records.progress_record import Progress, ProgressRow
from steepest.report import captions, terminal
from steepest.report.export import latex
from steepest.report.notebook import notebook
from steepest.report.view import view
from steepest.report.wrapping import wrapped
from steepest.study.executors import Event
from steepest.study.progress import ProgressTracker
from steepest.tasks.task import Task
from steepest.verdict.decide import decide

IDEOGRAPH = "[\u4e00-\u9fff]"
SENTENCE = re.compile(r"\b(?!steepest )[A-Za-z][a-z]+(?: [a-z]{2,}){2,}\b")
"""Three words in a row that no name here has: English that was forgotten."""


def english_in(text):
    return [found[0] for found in SENTENCE.finditer(text)]


def page_of(entry):
    return in_chinese(listings.optimizer, catalogue.describe(entry) | {"code": "", "choice": choosing.choice_of(entry)})


def in_chinese(shown, *arguments):
    with speaking("zh"):
        return shown(*arguments)


# ---- the catalogues ----


def test_the_two_languages_have_the_same_figures():
    figure = re.compile(r"(?<![\w⁻{])[\d.,]*\d(?:e-\d+)?(?![\w}])")
    for entry in translations("zh").entries.values():
        of_table = entry.sources[0].startswith(("optim/", "builtin/"))
        if of_table and not entry.plural and not re.search("[十百千两三四五月]|10 万|一次", entry.translations[0]):
            told = [
                sorted(each.replace(",", "") for each in figure.findall(re.sub(r"\{[^}]*\}", "", text)))
                for text in (entry.template, *entry.translations)
            ]
            assert told[0] == told[1], entry


def test_the_page_of_every_optimizer_is_in_chinese():
    for entry in catalogue.CATALOGUE:
        assert not english_in(page_of(entry).split("出处：")[0]), entry.name


def test_wrapped_optimizers_are_described_in_chinese():
    page = page_of(catalogue.entry("adam+cautious+lookahead"))
    assert "Adam + 谨慎 + 前瞻" in page
    assert not english_in(page.split("出处：")[0])


def test_lists_and_pages_of_tasks_are_in_chinese():
    rows = [tasks.describe(entry) for entry in tasks.CATALOGUE]
    told = [
        in_chinese(listings.tasks, rows),
        in_chinese(listings.optimizers, [*map(catalogue.describe, catalogue.CATALOGUE)]),
    ]
    told += [re.sub("来源.*", "", in_chinese(listings.task, row)) for row in rows]
    for page in told:
        assert not english_in(page)


# ---- a study, wherever it is shown ----

STUDIES = {"twelve": default_view, "three tasks": three_tasks, "unfinished": lambda: unfinished()}


def unfinished():
    study, traces = synthetic_study(SEVEN[:3], seeds=3)
    study = replace(study, results=study.results[:-7], finished=False)
    return view(study, decide(study, traces=traces), traces)


@pytest.mark.parametrize("shown", STUDIES.values(), ids=STUDIES)
def test_a_notebook_and_a_table_for_a_paper_are_in_chinese(shown):
    for told in (in_chinese(notebook, shown()), in_chinese(latex, shown())):
        words = unescape(re.sub(r"<[^>]*>|\\[a-z]+", " ", told))
        assert not english_in(words.split("\n", 1)[-1])
        assert re.search(IDEOGRAPH, words)


def test_every_figure_says_in_both_languages_what_its_band_is():
    whole = three_tasks()
    for task in whole["tasks"]:
        found = [each(whole, task) for each in (captions.rates, captions.curves, captions.forest, captions.ranking)]
        found.append(captions.best_of_k(task))
        seeds = str(whole["reproduce"]["seeds"])
        for text in found[:-1]:
            assert seeds in str(text)
            assert seeds in text.render("zh")
        for words in (text.render("zh") for text in found):
            assert not english_in(words)
            assert re.search(IDEOGRAPH, words)
            assert all(cell_len(line) <= 100 for line in wrapped(words, 100).split("\n"))


def test_the_view_has_a_chinese_for_every_sentence():
    study, verdict, traces = three_tasks_study()

    def walk(thing, path=""):
        if isinstance(thing, dict):
            for key, value in thing.items():
                assert not isinstance(value, str) or not english_in(value) or path.endswith("reproduce"), (path, value)
                assert not isinstance(value, Message) or not english_in(value.render("zh")) or key == "source", value
                walk(value, f"{path}.{key}")
        elif isinstance(thing, list):
            for each in thing:
                walk(each, path)

    walk(view(study, verdict, traces))


# ---- on the command line ----


def test_the_environment_says_which_language_to_begin_with(monkeypatch, capsys):
    monkeypatch.setenv("STEEPEST_LANG", "zh")
    main(["show", "lion"])
    assert "超参数" in capsys.readouterr().out
    main(["show", "lion", "--lang", "en"])
    assert "Hyperparameters" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["plan", "line", "-o", "sgd,adam", "-q"], ["claims", "--list"], ["optimizers"]])
def test_a_command_answers_in_chinese(command, capsys):
    main([*command, "--lang", "zh"])
    told = capsys.readouterr().out
    assert len(re.findall(IDEOGRAPH, told)) > 50
    assert not english_in(told)


def test_progress_is_shown_in_chinese(typed, tmp_path):
    told = typed("run", "line", "-o", "sgd,adam", "--seeds", "3", "--grid", "3", "--lang", "zh", cwd=tmp_path).err
    lines = told.splitlines()
    assert lines[0] == "正在检查各任务…"
    assert "正在测量每个优化器一步的用时（line）…" in lines
    assert re.search(r"已完成：42 次训练中的 42 次（100%），(学习率过大 \d+ 次，)?(失败 \d+ 次，)?用时 ", lines[-1])
    assert not english_in(told)


def test_events_of_a_study_are_shown_in_chinese():
    ended = Message("A worker ended.", given={"zh": "一个工作进程终止。"})
    event = Event("retried", "digits-adam", message=ended)
    told = []
    tracker = ProgressTracker(told.append, 1)
    tracker.say(event.message)
    tracker.tell("timing", "digits")
    assert terminal.message(told[0]) == "A worker ended."
    assert in_chinese(terminal.message, told[0]) == "一个工作进程终止。"


def test_the_table_of_a_running_study_is_in_chinese():
    rows = tuple(ProgressRow("digits", "adam", stage, done=1, planned=9, failed=0) for stage in terminal.STAGES)
    shown = Console(file=StringIO(), width=100)
    shown.print(in_chinese(terminal.frame, Progress("training", 5, 45, 24.0, 97.0, rows), 30))
    told = shown.file.getvalue()
    assert "训练中：45 次训练中的 5 次（11%），用时 24 秒，约剩 97 秒" in told
    assert not re.search("[a-z]{3,}", told.replace("adam", ""))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("check line", "该任务可以训练。"),
        ("doctor", "个工作进程，各用一个线程"),
        ("data list", "手写数字，8 × 8 像素"),
        ("data show digits", "10 个类别"),
        ("data fetch digits", "digits：已可用"),
        ("init my_task.py", "my_task.py 已写好。"),
    ],
)
def test_commands_beside_studies_answer_in_chinese(command, words, typed, tmp_path):
    told = typed(*command.split(), "--lang", "zh", cwd=tmp_path).out
    assert words in told
    theirs = [found[key] for found in map(sources.show, sources.datasets()) for key in ("licence", "notice")]
    for theirs_alone in sorted(theirs, key=len, reverse=True):
        told = told.replace(theirs_alone, "")
    assert not english_in(re.sub(r"pip install.*|steepest data fetch \S+", "", told))


def test_why_a_task_is_not_a_fleet_and_its_warnings_are_shown_in_chinese():
    x = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32) * 1000
    task = Task(
        model=lambda: Counting(4, 2), data=(x, (x[:, 0] > 0).astype(int)), loss=nn.functional.cross_entropy, epochs=1
    )
    reason = unsupported_reason(task)
    assert str(reason) == "its model keeps state in the attribute 'calls', which all replicas would share"
    assert reason.render("zh") == "它的模型在属性“calls”中保存状态，所有副本会共用它"
    found = [each.message for each in warnings_about(task)]
    assert len(found) == 3
    assert not [caution for caution in found if english_in(caution.render("zh"))]
    assert not [meaning for meaning in ERROR_MEANINGS.values() if english_in(meaning.render("zh"))]


class Counting(nn.Linear):
    """Gives shares where scores are wanted, and counts its calls."""

    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x).softmax(1)
