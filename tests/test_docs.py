"""The documentation is a contract: its commands exist and run, its programs run, its links lead somewhere."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from steepest.cli.main import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (page.name, body)
        for page in PAGES
        for found, body in FENCE.findall(page.read_text(encoding="utf-8"))
        if found == language
    ]


def commands() -> list[tuple[str, str]]:
    """Every `$ steepest …` of the documentation once, with the page that it first stands on."""
    wanted = re.compile(r"\$ (?:\.venv/bin/)?(steepest .*?)(?:\s+#.*)?$")
    found: dict[str, str] = {}
    for page, body in blocks("console"):
        for line in body.splitlines():
            if match := wanted.match(line):
                found.setdefault(match[1], page)
    return [(page, command) for command, page in found.items()]


@pytest.mark.parametrize(("page", "command"), commands(), ids=lambda value: value)
def test_a_command_of_the_documentation_exists(page, command):
    _, bound, unused, _ = app.parse_known_args(shlex.split(command)[1:])
    assert not unused, f"{page}: {command}: {unused}"
    assert bound is not None


def subcommands() -> list[str]:
    return [name for name in app if not name.startswith("-")]


@pytest.mark.parametrize("name", subcommands())
def test_a_command_is_in_the_readme(name):
    assert re.search(rf"\b{name}\b", (ROOT / "README.md").read_text(encoding="utf-8"))


def test_links_between_pages_lead_somewhere():
    broken = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8"))
        if not target.startswith("http") and not (page.parent / target).exists()
    ]
    assert not broken


def test_every_page_is_reached_from_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if page.name != "README.md" and f"{page.name})" not in readme] == []


OF_A_MODEL = "optimizers.md"
"""Holds lines to paste below a `model` of one's own, rather than programs."""
OF_A_STUDY = "study-folder.md"
"""Holds a program that reads the study of the commands."""


def test_a_rule_of_one_s_own_races_in_under_25_lines():
    (program,) = [body for page, body in blocks("python") if page == "adding-a-rule.md"]
    assert "steepest.compare(" in program
    assert len(program.splitlines()) < 25


@pytest.mark.docs
@pytest.mark.parametrize(
    ("page", "program"),
    [block for block in blocks("python") if block[0] not in (OF_A_MODEL, OF_A_STUDY)],
    ids=lambda value: value.split("\n")[0],
)
def test_a_program_of_the_documentation_runs(page, program, tmp_path):
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=600
    )
    assert run.returncode == 0, f"{page}\n{program}\n{run.stderr[-3000:]}"


@pytest.mark.parametrize("lines", [body for page, body in blocks("python") if page == OF_A_MODEL])
def test_lines_to_paste_build_an_optimizer(lines):
    place = {"model": torch.nn.Linear(4, 3)}
    exec(lines, place)
    assert isinstance(place["optimizer"], torch.optim.Optimizer)


STUDY = Path("runs") / "digits"
"""What the pages call a study that their reader has made before."""


@pytest.fixture
def reader(typed, tmp_path, tmp_path_factory, monkeypatch) -> Path:
    """The folder of somebody who reads along, with the examples and with the pages' study, which is made but once."""
    every = tmp_path_factory.getbasetemp()
    every = every.parent if "PYTEST_XDIST_WORKER" in os.environ else every
    made = every / STUDY
    with FileLock(f"{made.parent}.lock"):
        if not (made / "report.html").exists():
            typed("run", "digits", "--optimizers", "sgd,adam", "--seeds", "5", "--quiet", "--out", str(made))
    shutil.copytree(made, tmp_path / STUDY)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.docs
@pytest.mark.parametrize("page", dict.fromkeys(page for page, _ in commands()))
def test_the_commands_of_a_page_run_in_order(page, reader, typed):
    """All of them, in one folder: a reader who types along meets no error."""
    for command in (command for at, command in commands() if at == page):
        typed(*shlex.split(command)[1:])


@pytest.mark.docs
@pytest.mark.parametrize("program", [body for page, body in blocks("python") if page == OF_A_STUDY])
def test_a_program_reads_a_study_from_outside(program, reader):
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
