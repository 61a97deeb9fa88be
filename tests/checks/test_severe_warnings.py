"""A severe warning stops a study before it trains, unless it is accepted; then the verdict repeats it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from verdict.factory import DIGITS, SEVEN, synthetic_study

from steepest import Task, api
from steepest.errors import SevereWarning, UnknownName
from steepest.messages import say
from steepest.records.task_warnings import KINDS, TaskWarning, in_words, stopping
from steepest.report.study_setup import setting
from steepest.report.study_setup import text as setup_text
from steepest.report.text import text
from steepest.report.view import view
from steepest.verdict.decide import decide
from steepest.verdict.words import warning_claims

SHARED = TaskWarning("unscaled-inputs", "severe", say("60 rows are in valid and in test."))
IDLE = TaskWarning("idle-parameters", "warning", say("A layer is idle."))
CAREFUL = {"optimizers": "sgd", "seeds": 1, "grid": 1, "workers": 1, "engine": "solo"}

FILE = """
import torch
from steepest import Task
from steepest.messages import say
from steepest.records.task_warnings import TaskWarning

x = torch.randn(60, 3)
found = [TaskWarning("unscaled-inputs", "severe", say("60 rows are in valid and in test."))]
task = Task(model=lambda: torch.nn.Linear(3, 2), data=(x, torch.arange(60) % 2),
            loss=torch.nn.functional.cross_entropy, batch_size=12, epochs=1, found=found)
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(FILE)
    return tmp_path


def test_run_trains_nothing_and_says_how_to_accept(own, typed):
    said = typed("run", "own.py", "-o", "sgd", "--seeds", "1", "--grid", "1", "-q", "--out", "there", cwd=own, code=2)
    assert "60 rows are in valid and in test. [unscaled-inputs]" in said.err
    assert "--accept unscaled-inputs" in said.err
    assert "Traceback" not in said.err
    assert not (own / "there").exists()


def test_an_accepted_warning_is_shown_before_training_and_in_the_verdict(own, typed):
    words = "run own.py -o sgd --seeds 1 --grid 1 --workers 1 --engine solo --out there --accept unscaled-inputs --json"
    said = typed(*words.split(), cwd=own)
    assert "own: 60 rows are in valid and in test. [accepted: unscaled-inputs]" in said.err
    (task,) = json.loads(said.out)["tasks"]
    assert "A severe warning was accepted: 60 rows are in valid and in test." in task["headline"]
    assert [(each["id"], each["accepted"]) for each in task["task"]["warnings"]] == [("unscaled-inputs", True)]
    assert json.loads((own / "there" / "study.json").read_text())["accept"] == ["unscaled-inputs"]


def test_check_says_what_stops_a_study_and_prints_json(own, typed):
    told = typed("check", "own.py", cwd=own).out
    assert "[severe: unscaled-inputs]" in told
    assert "A severe warning stops a study" in told
    assert told.index("Correct the task") < told.index("--accept unscaled-inputs")
    (found,) = json.loads(typed("check", "own.py", "--json", cwd=own).out)["warnings"]
    assert found == {
        "id": "unscaled-inputs",
        "severity": "severe",
        "message": "60 rows are in valid and in test.",
        "accepted": False,
    }
    assert "严重：unscaled-inputs" in typed("check", "own.py", "--lang", "zh", cwd=own).out


def test_what_a_task_accepts_itself_stops_nothing_and_a_plan_stops_as_a_run_does():
    x, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2
    import torch

    what = {"loss": torch.nn.functional.cross_entropy, "batch_size": 12, "epochs": 1, "found": [SHARED]}
    task = Task(model=lambda: torch.nn.Linear(3, 2), data=(x, y), **what)
    with pytest.raises(SevereWarning, match="60 rows"):
        api.plan(task, **CAREFUL, quiet=True)
    with pytest.raises(UnknownName, match="unscaled-inputs"):
        api.plan(task, **CAREFUL, quiet=True, accept=["unscaled-input"])
    (facts,) = api.plan(replace(task, accept=["unscaled-inputs"]), **CAREFUL, quiet=True).facts
    assert facts.warnings == (replace(SHARED, accepted=True),)


def test_each_warning_of_an_error_is_said_once():
    assert stopping([("a", SHARED), ("a", SHARED), ("b", IDLE)]).count("60 rows") == 1
    assert stopping([("b", IDLE)]) == ""


# ---- in the verdict and the report -----------------------------------------------------------------------------------


def verdict_of(*found):
    study, traces = synthetic_study(SEVEN[:3], tasks=[replace(DIGITS, warnings=found)], seeds=5)
    return study, traces, decide(study)


def test_a_severe_warning_is_in_the_first_paragraph_and_a_mild_one_below():
    _, _, verdict = verdict_of(replace(SHARED, accepted=True), IDLE)
    (task,) = verdict.tasks
    heads = [claim.sentence for claim in task.claims if claim.part == "headline"]
    assert heads[1] == "A severe warning was accepted: 60 rows are in valid and in test."
    assert [c.sentence for c in task.claims if c.part == "detail"][-1] == "Warning: A layer is idle."


def test_a_warning_about_what_results_mean_is_in_the_first_paragraph_until_it_is_accepted(monkeypatch):
    monkeypatch.setitem(KINDS, "idle-parameters", replace(KINDS["idle-parameters"], in_verdict=True))
    task = replace(DIGITS, warnings=(IDLE,))
    assert [claim.sentence for claim in warning_claims.of_the_results(task)] == ["A layer is idle."]
    accepted = replace(DIGITS, warnings=(replace(IDLE, accepted=True),))
    assert not [*warning_claims.of_the_results(accepted), *warning_claims.of_the_task(accepted)]


def test_the_report_and_the_setup_list_all_warnings():
    study, traces, verdict = verdict_of(replace(SHARED, accepted=True), IDLE)
    page = view(study, verdict, traces)
    assert page["tasks"][0]["warnings"] == [in_words(replace(SHARED, accepted=True)), in_words(IDLE)]
    assert "A layer is idle. [warning: idle-parameters]" in setup_text(setting(page))
    assert "A severe warning was accepted" in text(page)
