"""A study whose optimizer a file defines goes on without the program that started it, if the file is known."""

import pytest

import steepest
from steepest.api import code_to_trust
from steepest.errors import BadTask, Interrupted
from steepest.study import trust

SOURCE = """\
import torch


def Mine(params, lr=0.05):
    return torch.optim.SGD(params, lr=lr, momentum=0.5)
"""


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """An interrupted study of an optimizer of a file's, and the file."""
    monkeypatch.setenv("STEEPEST_CACHE", str(tmp_path / "cache"))
    trust.private_folder.__globals__["_private_folder"].cache_clear()
    file = tmp_path / "mine.py"
    file.write_text(SOURCE)
    with pytest.raises(Interrupted):
        study(f"{file}:Mine", tmp_path / "study", stop)
    yield tmp_path / "study", file
    trust.private_folder.__globals__["_private_folder"].cache_clear()


def study(optimizer, folder, listener=None):
    how = {"rates": [0.01, 0.1], "seeds": 2, "workers": 1, "engine": "solo", "quiet": True}
    return steepest.compare("line", optimizers=[optimizer, "sgd"], out=folder, listener=listener, **how)


def stop(progress):
    if progress.phase == "training":
        raise KeyboardInterrupt


def curves(folder):
    return {file.name: file.read_bytes() for file in (folder / "curves").iterdir()}


def test_it_is_resumed_to_the_same_bits(begun, tmp_path):
    folder, file = begun
    found = steepest.resume(folder, quiet=True)
    assert found.record.finished
    whole = study(f"{file}:Mine", tmp_path / "whole")
    assert whole.record.finished
    assert curves(folder) == curves(tmp_path / "whole")


def test_it_is_extended(begun):
    folder, _ = begun
    steepest.resume(folder, quiet=True)
    found = steepest.extend(folder, seeds=3, quiet=True)
    assert {row.seed for row in found.record.results if row.contender == "Mine"} == {0, 1, 2}


def test_a_file_that_was_never_run_here_is_not_run(begun, monkeypatch, tmp_path):
    folder, file = begun
    monkeypatch.setenv("STEEPEST_CACHE", str(tmp_path / "another cache"))
    trust.private_folder.__globals__["_private_folder"].cache_clear()
    assert str(file) in code_to_trust(folder)
    with pytest.raises(BadTask, match=r"mine\.py \(sha256 .*--trust"):
        steepest.resume(folder, quiet=True)
    assert steepest.resume(folder, quiet=True, trust=True).record.finished


@pytest.mark.parametrize("trusted", [False, True])
def test_a_file_that_has_changed_is_never_run(begun, trusted):
    folder, file = begun
    file.write_text(SOURCE.replace("0.5", "0.9") + "raise SystemExit('it ran')\n")
    with pytest.raises(BadTask, match="has changed since the study began"):
        steepest.resume(folder, quiet=True, trust=trusted)
    file.unlink()
    with pytest.raises(BadTask, match="cannot be read"):
        steepest.resume(folder, quiet=True, trust=trusted)
