"""Whoever only asks for help, or reads a finished study, does not wait for torch."""

import os
import subprocess
import sys

import pytest

PROBE = "import sys\n{code}\nprint(sorted(m for m in ('torch', 'sklearn', 'scipy', 'numpy') if m in sys.modules))"


def loaded_after(code: str) -> str:
    run = subprocess.run([sys.executable, "-c", PROBE.format(code=code)], capture_output=True, text=True, check=True)
    return run.stdout.strip().splitlines()[-1]


def test_import_steepest_loads_nothing_heavy():
    assert loaded_after("import steepest") == "[]"


def test_help_loads_nothing_heavy():
    assert loaded_after("from steepest.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass") == "[]"


@pytest.mark.parametrize("module", ["study.run", "verdict.decide", "report.view", "report.text", "report.html"])
def test_a_finished_study_is_read_without_torch(module):
    assert "torch" not in loaded_after(f"import steepest.{module}")


@pytest.mark.parametrize("module", ["run_study", "study_results", "lookup", "own_task"])
def test_a_command_starts_before_torch_is_loaded(module):
    """`run` starts its workers first, which import torch while this process reads what was asked."""
    assert loaded_after(f"import steepest.cli.{module}") in ("[]", "['numpy']")


def processor_seconds(*arguments: str) -> float:
    """Of a process: other tests share the machine, and wall time would measure those."""
    child = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize("arguments", [["-c", "import steepest"], ["-m", "steepest", "--help"]], ids=" ".join)
def test_answers_in_three_tenths_of_a_second(arguments):
    """The best of several; on a slow machine, within 25 starts of a Python that does nothing."""
    for _ in range(7):
        if processor_seconds(*arguments) < max(0.3, 25 * processor_seconds("-c", "")):
            return
    raise AssertionError(f"steepest {arguments} was slow seven times in a row")
