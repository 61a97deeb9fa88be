"""Every program of docs/coming-from.md runs, each in a process of its own."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "coming-from.md"
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
OTHERS = ("pytorch_lightning", "transformers")


def run(program, folder):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{program}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.mark.docs
@pytest.mark.parametrize("program", [each for each in PROGRAMS if not any(name in each for name in OTHERS)])
def test_a_program_runs(program, tmp_path):
    if "import keras" in program and find_spec("keras") is None:
        pytest.skip("Keras is not installed: pip install 'steepest[keras]'")
    out = run(program, tmp_path)
    if "print(steepest.setup_of((optimizer" in program:
        assert f"`{out.strip()}`" in PAGE.read_text(encoding="utf-8")


@pytest.mark.frameworks
@pytest.mark.parametrize("name", OTHERS)
def test_a_program_of_another_framework_runs(name, tmp_path):
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed: make test-frameworks")
    (program,) = [each for each in PROGRAMS if name in each]
    out = run(program, tmp_path)
    assert {"pytorch_lightning": "def configure_optimizers", "transformers": "optimizers = (optimizer"}[name] in out
