"""A study of somebody else's: `resume` and `why` say whose code they would run, and run it only if they may."""

import io
import shutil
import sys
from pathlib import Path

import pytest

from steepest.ingest import load

TASK = """
from pathlib import Path
Path({mark!r}).touch()
import torch
from steepest import Task
x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
task = Task(model=lambda: torch.nn.Linear(3, 1), loss=torch.nn.functional.mse_loss, data=(x, x.sum(1, keepdim=True)),
            metric="loss", batch_size=20, epochs=1, name="sum")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a study of a task file, and `ran`, which is there once the file has run."""
    from steepest.api import compare

    home = tmp_path_factory.mktemp("stranger")
    (home / "task.py").write_text(TASK.format(mark=str(home / "ran")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEEPEST_CACHE", str(home / "cache"))
        patch.setenv("STEEPEST_COMPILE", "0")
        compare(str(home / "task.py"), "sgd,adam", seeds=3, rates=[0.1], workers=1, quiet=True, out=home / "study")
    return home


@pytest.fixture
def home(made, tmp_path, monkeypatch) -> Path:
    """The same, for a user who has never run the file."""
    monkeypatch.setenv("STEEPEST_CACHE", str(tmp_path / "cache"))
    (made / "ran").unlink(missing_ok=True)
    load._run.cache_clear()
    load.names_in.cache_clear()
    monkeypatch.chdir(shutil.copytree(made / "study", tmp_path / "study").parent)
    return made


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("command", [["resume", "study", "--quiet"], ["why", "study", "--quiet", "--trials", "1"]])
def test_code_of_a_stranger_is_named_and_not_run(home, typed, command):
    said = typed(*command, code=2)
    assert f"{home / 'task.py'} (sha256 " in said.err
    assert "--trust" in said.err
    assert len(said.err.splitlines()) == 1
    assert not (home / "ran").exists()


@pytest.mark.parametrize("answer", ["\n", "n\n", "", "maybe\n"])
def test_on_a_terminal_it_asks_and_takes_no_for_an_answer(home, typed, monkeypatch, answer):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    said = typed("why", "study", "--quiet", code=2)
    assert f"{home / 'task.py'} (sha256 " in said.err
    assert said.err.endswith("steepest: Nothing was run.\n")
    assert not (home / "ran").exists()


@pytest.mark.parametrize("trusted", ["--trust", "yes"])
def test_code_that_is_trusted_runs_and_is_named(home, typed, monkeypatch, trusted):
    monkeypatch.setattr(sys, "stdin", Terminal("y\n") if trusted == "yes" else io.StringIO())
    said = typed("why", "study", "--quiet", "--trials", "1", *(["--trust"] if trusted == "--trust" else []))
    assert f"{home / 'task.py'} (sha256 " in said.err
    assert (home / "ran").exists()
    assert typed("resume", "study", "--quiet").err == "", "from now on it is known"


def test_code_that_has_changed_never_runs(home, typed, tmp_path):
    task, spec = tmp_path / "task.py", tmp_path / "study" / "study.json"
    task.write_text((home / "task.py").read_text() + "# changed\n")
    for name in ("study.json.copy", "study.json.sha256"):
        (tmp_path / "study" / name).unlink()
    spec.write_text(spec.read_text().replace(str(home / "task.py"), str(task)))
    said = typed("resume", "study", "--quiet", "--trust", code=2)
    assert f"{task} has changed since the study began" in said.err
    assert not (home / "ran").exists()


@pytest.mark.parametrize("command", ["verdict", "report", "export", "use", "show"])
def test_what_only_reads_runs_no_code_and_asks_nothing(home, typed, command):
    assert typed(command, "./study").err == ""
    assert not (home / "ran").exists()
