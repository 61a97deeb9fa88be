"""Write the answers that `tests/test_golden.py` compares with: python tests/golden/make.py

To be run by hand, when a text is meant to change; then `git diff tests/golden/expected` says what did.
"""

import io
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import chdir, redirect_stdout
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ |= {"NO_COLOR": "1", "CI": "1", "STEEPEST_REUSE": "0"}

from golden import questions

import steepest
from steepest.cli.main import main


def ask(words: Sequence[str], folder: Path) -> str:
    """What a command prints."""
    out = io.StringIO()
    with chdir(folder), redirect_stdout(out):
        main(words)
    return out.getvalue()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")


def answer(folder: Path) -> None:
    os.environ["STEEPEST_COMPILE"] = "0"
    studies = questions.opened(folder)
    for language in questions.LANGUAGES:
        for name, text in questions.texts(ask, folder, studies, language):
            write(questions.EXPECTED / language / name, text)
    for name, text in questions.data(folder, studies):
        write(questions.EXPECTED / "data" / name, text)
    del os.environ["STEEPEST_COMPILE"]


def finish(folder: Path) -> None:
    """The interrupted study, gone on with."""
    study = folder / "studies/interrupted"
    with chdir(folder):
        steepest.resume(study, workers=1, quiet=True, trust=True)
    shutil.rmtree(questions.RESUMED, ignore_errors=True)
    shutil.copytree(study / "curves", questions.RESUMED / "curves")
    for name, text in questions.of_resumed(ask, folder):
        write(questions.RESUMED / name, text)
    write(questions.EXPECTED / "machine.txt", questions.machine() + "\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch, questions.steady_clocks():
        there = questions.place(Path(scratch) / "golden")
        answer(there)
        finish(there)
