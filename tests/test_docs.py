"""The documentation is a contract: its commands exist and run, its programs run, its links lead somewhere.

What its pages say of formulas, errors and paths is compared with the code. `make site` checks links and anchors again.
"""

import importlib.util
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

from steepest import errors
from steepest.cli.main import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
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
    _, launched, _, _ = app.meta.parse_known_args(shlex.split(command)[1:])  # takes the options of every command
    _, bound, unused, _ = app.parse_known_args(launched.args)
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


FRONT = ROOT / "docs" / "index.md"


def test_every_page_has_one_place_in_the_navigation():
    trees = re.findall(r"^```\{toctree\}\n(?::[^\n]*\n)*\n(.*?)^```", FRONT.read_text(encoding="utf-8"), re.M | re.S)
    listed = [f"{name}.md" for tree in trees for name in tree.split()]
    pages = [page.relative_to(FRONT.parent).as_posix() for page in PAGES if page.is_relative_to(FRONT.parent)]
    assert sorted([*listed, FRONT.name]) == sorted(pages)


def test_the_readme_leads_to_the_documentation():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(docs/index.md)" in readme
    assert "(docs/start.md)" in readme


def test_every_error_is_documented_with_its_exit_code():
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SteepestError)
    ]
    page = (FRONT.parent / "errors.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \| (\d+) \|", page, re.M) == [
        (kind.__name__, f"{kind.exit_code}") for kind in kinds
    ]


def script(path: str):
    """A program of the folder docs, as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, FRONT.parent / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


LESSONS = {
    "gradient-descent": "gd", "sgd": "sgd", "momentum": "momentum", "adagrad": "adagrad", "rmsprop": "rmsprop",
    "adam": "adam", "onwards": "nesterov",
}  # fmt: skip
"""Pages of docs/learn, and the optimizer whose formula each shows and calculates by hand."""


@pytest.mark.parametrize(("page", "name"), LESSONS.items())
def test_a_lesson_has_the_formula_of_the_catalogue_and_its_numbers(page, name):
    generate = script("generate.py")
    entry = next(item for item in generate.CATALOGUE if item.name == name)
    text = (FRONT.parent / "learn" / f"{page}.md").read_text(encoding="utf-8")
    assert FENCE.search(text)[2].splitlines() == entry.formula.split(" ;  ")
    by_hand = text[text.index("**By hand.**") :].partition("\n\n")[0].replace("−", "-")
    assert f"w = {', '.join(f'{w:.6g}' for w in generate.worked(entry))}" in " ".join(by_hand.split())


PICTURES = script("learn/pictures.py")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def test_every_lesson_has_its_picture():
    lessons = {page.stem for page in PAGES if page.parent.name == "learn"}
    assert lessons == set(PICTURES.PICTURES)
    for name in lessons:
        assert f"({name}.svg)" in (FRONT.parent / "learn" / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PICTURES.PICTURES)
def test_a_picture_shows_the_paths_of_the_rules_as_they_are(name):
    kept, drawn = ((FRONT.parent / "learn" / f"{name}.svg").read_text(encoding="utf-8"), PICTURES.drawn(name))
    assert NUMBER.sub("", kept) == NUMBER.sub("", drawn), "run `make docs`"
    pairs = zip(NUMBER.findall(kept), NUMBER.findall(drawn), strict=True)
    assert max(abs(float(was) - float(now)) for was, now in pairs) < 0.5, "run `make docs`"  # pixels


OF_A_MODEL = "optimizers.md"
"""Holds lines to paste below a `model` of one's own, rather than programs."""
OF_FRAMEWORKS = "coming-from.md"
"""Holds programs that need other packages: tests/coming_from/test_page.py runs them."""
OF_A_STUDY = "study-folder.md"
"""Holds a program that reads the study of the commands."""


def test_a_rule_of_one_s_own_races_in_under_25_lines():
    (program,) = [body for page, body in blocks("python") if page == "adding-a-rule.md"]
    assert "steepest.compare(" in program
    assert len(program.splitlines()) < 25


@pytest.mark.docs
@pytest.mark.parametrize(
    ("page", "program"),
    [block for block in blocks("python") if block[0] not in (OF_A_MODEL, OF_A_STUDY, OF_FRAMEWORKS)],
    ids=lambda value: value.split("\n")[0],
)
def test_a_program_of_the_documentation_runs(page, program, tmp_path):
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=600
    )
    assert run.returncode == 0, f"{page}\n{program}\n{run.stderr[-3000:]}"


@pytest.mark.parametrize("lines", [body for page, body in blocks("python") if page == OF_A_MODEL])
def test_lines_to_paste_build_an_optimizer(lines):
    place = {"model": torch.nn.Linear(4, 3), "inputs": torch.zeros(2, 4)}
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
