"""The command line as people meet it: what it answers, and what it says to bad input."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest

from steepest import __version__
from steepest.engine.worker import import_all, serve
from steepest.study.executors import LocalProcesses

TASK = """
import torch
from sklearn.datasets import load_wine
from steepest import Task

x, y = load_wine(return_X_y=True)
{before}
task = Task(
    model=lambda: torch.nn.Linear(13, {outputs}),
    loss=torch.nn.functional.cross_entropy,
    data=({x}, y),
    {more}
    metric="accuracy",
    standardize=True,
    batch_size=32,
    epochs=4,
    name="wine",
)
{after}
"""
SMALL = ["--optimizers", "sgd,adam", "--seeds", "3", "--grid", "3", "--workers", "1", "--quiet"]


def task_file(folder: Path, before="", after="", outputs="3", x="x", more="") -> str:
    path = folder / "my_task.py"
    path.write_text(TASK.format(before=before, after=after, outputs=outputs, x=x, more=more))
    return str(path)


def process(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """A command as a shell runs it; `typed` spares most tests that."""
    run = subprocess.run(
        [sys.executable, "-m", "steepest", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "NO_COLOR": "1", "CI": "1"},
    )
    assert run.returncode == code, f"{arguments}: exit {run.returncode}\n{run.stdout[-2000:]}\n{run.stderr[-4000:]}"
    return run


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """A small finished study of a user's own file."""
    home = tmp_path_factory.mktemp("home")
    process("run", task_file(home), *SMALL, "--out", "study", cwd=home)
    return home / "study"


def test_version(tmp_path):
    assert process("--version", cwd=tmp_path).stdout.strip() == __version__


def test_a_users_file_gets_a_verdict_a_report_and_code(study, typed):
    home = study.parent
    assert (study / "report.html").stat().st_size > 10_000
    words = typed("verdict", "study", cwd=home).out
    assert "adam" in words
    assert "wine" in words
    verdict = json.loads(typed("verdict", "study", "--json", cwd=home).out)
    assert verdict["tasks"][0]["best"] in ("sgd", "adam")
    code = typed("use", "study", cwd=home).out
    assert "torch.optim." in code
    elsewhere = typed("use", "study", "--optimizer", "sgd", "--framework", "keras", cwd=home).out
    assert "keras.optimizers.SGD(learning_rate=" in elsewhere
    advice = json.loads(typed("use", "study", "--framework", "optax", "--json", cwd=home).out)
    assert advice["framework"] == "optax"
    assert "import optax" in advice["code"]
    rows = typed("export", "study", "--format", "csv", cwd=home).out.strip().splitlines()
    assert len(rows) == 1 + 2 * (3 + 4) * 3
    assert "\\toprule" in typed("export", "study", "--format", "latex", cwd=home).out


def test_resume_of_a_finished_study_changes_nothing(study, typed):
    before = typed("export", "study", "--format", "csv", cwd=study.parent).out
    typed("resume", "study", "--quiet", cwd=study.parent)
    assert typed("export", "study", "--format", "csv", cwd=study.parent).out == before


@pytest.mark.parametrize("command", ["optimizers", "tasks", "data list", "doctor", "show adam", "show digits"])
def test_every_command_that_prints_results_prints_them_as_json_too(command, typed, tmp_path):
    words = command.split()
    assert typed(*words, cwd=tmp_path).out.strip()
    assert json.loads(typed(*words, "--json", cwd=tmp_path).out)


def test_plan_costs_little_and_trains_nothing(typed, tmp_path):
    plan = json.loads(typed("plan", task_file(tmp_path), *SMALL, "--json", cwd=tmp_path).out)
    assert plan["trials"] == 2 * (3 + 4) * 3
    assert plan["seconds"] > 0
    assert not (tmp_path / "runs").exists()


# ---- bad input: one sentence, exit code 2, no traceback, nothing lost ----------------------------------------------


@pytest.fixture
def sentence(typed, tmp_path):
    """Runs a command that must fail with one sentence."""

    def run(*arguments: str, cwd: Path = tmp_path) -> str:
        said = typed(*arguments, cwd=cwd, code=2)
        assert said.out == ""
        lines = [line for line in said.err.strip().splitlines() if line]
        assert len(lines) == 1, said.err
        assert lines[0].startswith("steepest: ")
        return lines[0]

    return run


@pytest.fixture
def forked(monkeypatch):
    """Workers are copies of this process: fresh ones would import torch for every sentence."""
    import_all()
    monkeypatch.setattr("steepest.api.LocalProcesses", partial(LocalProcesses, serve=serve))
    monkeypatch.setattr("steepest.cli.run_study._started_workers", lambda *_: nullcontext())


def test_bad_input_leaves_no_traceback_and_exit_code_2(tmp_path):
    """The same as a process, once."""
    run = process("run", "digist", cwd=tmp_path, code=2)
    assert run.stderr.startswith("steepest: Unknown task 'digist'")
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "digist"], ["digist", "digits"]),
        (["run", "digits", "--optimizers", "adma"], ["adma", "adam"]),
        (["run", "digits", "--optimizers", "adam:bta2=0.9"], ["bta2", "b2"]),
        (["run", "digits", "--optimizers", "adam:b2=1.5"], ["b2", "below 1"]),
        (["run", "digits", "--optimizers", "adam:lr=0.1"], ["rate", "--rates"]),
        (["run", "digits", "--optimizers", "adam:schedule=cosin"], ["schedule"]),
        (["run", "digits", "--optimizers", "adam:b2"], ["b2", "name=value"]),
        (["run", "digits", "--optimizers", "adam,adam"], ["adam", "twice"]),
        (["run", "digits", "--rates", "0"], ["0", "above 0"]),
        (["run", "digits", "--rates", "-0.1,0.1"], ["-0.1", "above 0"]),
        (["run", "digits", "--rates", "fast"], ["fast", "not a number"]),
        (["run", "digits", "--rates", "nan"], ["nan", "above 0"]),
        (["run", "digits", "--budget", "0"], ["budget", "0"]),
        (["run", "digits", "--budget", "soon"], ["soon", "5m"]),
        (["run", "digits", "--seeds", "0"], ["seed", "0"]),
        (["run", "digits", "--seeds", "many"], ["many"]),
        (["run", "digits", "--batch-size", "0"], ["0", "at least 1"]),
        (["run", "digits", "--batch-size", "half"], ["half", "full"]),
        (["run", "digits", "--schedule", "cosin"], ["cosin", "cosine"]),
        (["run", "digits", "--device", "tpu9"], ["tpu9"]),
        (["run", "digits", "--reference", "lion"], ["lion"]),
        (["run", "nowhere.py"], ["nowhere.py"]),
        (["rum"], ["rum", "run"]),
        (["run", "--optimisers", "adam"], ["--optimisers"]),
        (["verdict", "nowhere"], ["nowhere"]),
        (["verdict"], ["runs/"]),
        (["use", "--framework", "jax"], ["jax", "optax"]),
        (["show", "adem"], ["adem", "adam"]),
        (["data", "fetch", "mnits"], ["mnits"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_arguments_get_one_sentence(arguments, words, sentence, tmp_path):
    said = sentence(*arguments)
    for word in words:
        assert word in said, said
    assert not (tmp_path / "runs").exists(), "a study folder was left behind"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"after": "del task"}, ["task"]),
        ({"after": "task = 7"}, ["task", "int"]),
        ({"before": "raise RuntimeError('no luck today')"}, ["RuntimeError", "no luck today"]),
        ({"before": "def broken(:"}, ["my_task.py", "line"]),
        ({"outputs": "2"}, ["label"]),
        ({"before": "x[3, 4] = float('nan')"}, ["NaN"]),
        ({"x": "x[:-1]"}, ["177", "178"]),
        ({"more": "split=(0.9, 0.1, 0.0),"}, ["test"]),
        ({"more": "model_kind='big',"}, ["model_kind"]),
    ],
    ids=str,
)
def test_a_task_file_that_cannot_be_trained_gets_one_sentence(change, words, sentence, forked, tmp_path):
    said = sentence("run", task_file(tmp_path, **change), *SMALL, "--out", "study")
    for word in words:
        assert word in said, said
    assert not (tmp_path / "study").exists(), "a study folder was left behind"


def test_a_study_folder_that_exists_is_left_alone(study, sentence):
    home = study.parent
    before = {path: path.stat().st_mtime_ns for path in study.rglob("*")}
    said = sentence("run", str(home / "my_task.py"), *SMALL, "--out", "study", cwd=home)
    assert "holds a study already" in said
    assert {path: path.stat().st_mtime_ns for path in study.rglob("*")} == before


def test_a_folder_that_is_not_a_study_is_never_overwritten(sentence, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("years of work")
    file = task_file(tmp_path)
    sentence("run", file, *SMALL, "--out", "thesis", "--overwrite")
    assert (tmp_path / "thesis" / "chapter1.txt").read_text() == "years of work"


@pytest.mark.parametrize("damage", ["spec", "database", "newer"])
def test_a_damaged_or_newer_study_gets_one_sentence(study, damage, sentence, typed, tmp_path):
    copy = tmp_path / "study"
    shutil.copytree(study, copy)
    if damage == "spec":
        (copy / "study.json").write_text('{"name": "tor')
    elif damage == "database":
        (copy / "study.db").write_bytes(b"not a database" * 100)
    else:
        spec = json.loads((copy / "study.json").read_text())
        (copy / "study.json").write_text(json.dumps(spec | {"format": 99}))
    for command in ("verdict", "report", "export", "use"):
        assert "study" in sentence(command, "study")
    if damage == "database":  # made again from the curves, which are whole
        typed("resume", "study", "--quiet", cwd=tmp_path)
        rows = typed("export", "study", cwd=tmp_path).out
        assert rows == typed("export", "study", cwd=study.parent).out
    else:
        assert "study" in sentence("resume", "study")


@pytest.mark.skipif(os.name != "posix", reason="needs /proc")
def test_an_unwritable_folder_gets_one_sentence(sentence, tmp_path):
    said = sentence("run", task_file(tmp_path), *SMALL, "--out", "/proc/study")
    assert "/proc/study" in said


def test_an_option_that_takes_a_list_may_be_repeated() -> None:
    from steepest.cli.main import app

    words = ["plan", "digits", "-o", "adam", "-o", "sgd,lion", "--rates", "0.1", "--rates", "0.2"]
    _, bound, _ = app.parse_args(words, print_error=False, exit_on_error=False)
    (options,) = [value for value in bound.kwargs.values() if hasattr(value, "optimizers")]
    assert (options.optimizers, options.rates) == ("adam,sgd,lion", "0.1,0.2")
