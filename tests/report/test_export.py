"""Files for other programs: complete, re-readable, and harmless in a spreadsheet or in LaTeX."""

import csv
import io
import json
import re
from dataclasses import replace

import pytest
from report.studies import HOSTILE, default_study, default_view, hostile_study, three_tasks

from steepest.errors import UnknownName
from steepest.records.outcomes import Result
from steepest.records.record import field_names
from steepest.report.export import FORMS, escape_latex, export, latex, ranking_csv, trials_csv
from steepest.report.plain import plain
from steepest.report.view import view


def rows(text):
    return list(csv.reader(io.StringIO(text, newline="")))


def test_every_trial_is_a_row_that_reads_back():
    study, _, _ = default_study()
    head, *body = rows(trials_csv(study))
    assert tuple(head) == field_names(Result)[:-1]  # no trial has dials
    assert len(body) == len(study.results) == 1560
    for row, result in zip(body, study.results, strict=True):
        told = dict(zip(head, row, strict=True))
        assert float(told["rate"]) == result.rate
        assert told["outcome"] == str(result.outcome)
        assert (told["test_metric"] == "") == (result.test_metric is None)
        assert told["test_metric"] == "" or float(told["test_metric"]) == result.test_metric


def test_the_ranking_has_a_row_per_task_and_contender():
    head, *body = rows(ranking_csv(three_tasks()))
    told = [dict(zip(head, row, strict=True)) for row in body]
    assert [row["task"] for row in told] == ["digits"] * 4 + ["housing"] * 4 + ["line"] * 4
    assert [row["place"] for row in told] == ["1", "2", "3", "4"] * 3
    assert [row["unit"] for row in told[::4]] == ["%", "", ""]
    assert 90 < float(told[0]["mean"]) < 100
    assert float(told[0]["mean_low"]) < float(told[0]["mean"]) < float(told[0]["mean_high"])


def test_the_view_is_exported_whole():
    assert json.loads(export("json", default_study()[0], default_view())) == plain(default_view())


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_text_that_can_be_written(form):
    study, verdict, traces = hostile_study()
    assert export(form, study, view(study, verdict, traces)).encode()


def test_an_unknown_form_is_named_with_the_known_ones():
    with pytest.raises(UnknownName, match="ranking-csv"):
        export("ranking", default_study()[0], default_view())


def test_no_cell_of_text_is_a_formula_and_negative_numbers_stay_numbers():
    study, verdict, traces = hostile_study()
    for text in (trials_csv(study), ranking_csv(view(study, verdict, traces))):
        head, *body = rows(text)
        cells = [cell for row in body for cell in row]
        assert "'=cmd|'/c calc'!A1" in cells
        assert "x" * 10_000 in cells
        assert HOSTILE[0] in cells
        for cell in cells:
            if cell[:1] in ("=", "+", "-", "@", "\t", "\r"):
                float(cell)
    assert any(float(row[head.index("behind_best_low")] or 0) < 0 for row in body)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_any_text_that_could_start_a_formula_gets_an_apostrophe(start):
    study, _, _ = default_study()
    evil = replace(study, results=(replace(study.results[0], contender=f"{start}1+1"),))
    assert rows(trials_csv(evil))[1][1] == f"'{start}1+1"


def test_the_latex_table_is_one_booktabs_table_per_task():
    text = latex(three_tasks())
    for word in (r"\begin{table}", r"\toprule", r"\midrule", r"\bottomrule", r"\end{table}", r"\caption{"):
        assert text.count(word) == 3, word
    table = text[: text.index(r"\end{tabular}")]
    body = table[table.index(r"\midrule") : table.index(r"\bottomrule")].strip().split("\n")[1:]
    assert len(body) == 4
    assert all(len(re.findall(r"(?<!\\)&", line)) == 5 and line.endswith(r"\\") for line in body)
    assert r"test accuracy (\%)" in text
    assert "R$^2$" in text
    assert "−" not in text


def test_latex_shows_hostile_names_and_runs_none_of_them():
    escaped = escape_latex(HOSTILE[7])
    assert escaped == (
        r"\textless{}/script\textgreater{}\textless{}!-{}- \{\{ 7*7 \}\} \&amp; "
        r"\textbackslash{}input\{x\} \$1\textasciicircum{}2\_3\% \#\textasciitilde{}"
    )
    _, text = latex(view(*hostile_study())).split("\n", 1)  # what the table needs is a comment
    assert escaped[:40] in text
    assert "x" * 61 not in text
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    assert set(re.findall(r"\\[a-zA-Z]+", text)) <= {
        *(rf"\{word}" for word in ("begin", "end", "centering", "toprule", "midrule", "bottomrule", "caption")),
        *(rf"\text{word}" for word in ("bf", "backslash", "less", "greater", "bar", "asciicircum", "asciitilde")),
    }  # fmt: skip
