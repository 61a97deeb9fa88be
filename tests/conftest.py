"""What holds for all tests: optimizers run their rules uncompiled, except in tests that are marked `compile`.

So the bits that are compared with torch's are those of the rules as they are written, on any machine. And no test
leaves behind that numbers too small for full precision count as zero, as engines and benchmarks have it. What many
tests need stands here too: the command line.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from proofs import flaw, proof, pytest_addoption, pytest_runtest_logreport, pytest_sessionfinish  # noqa: F401

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads wait busily, and several workers share the cores
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # JAX runs each program only a few times
os.environ["STEEPEST_REUSE"] = "0"  # no test takes trials from studies of the user, or leaves its own to them
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m browser`, or `-m "oracles or proof"`, a file that names none of these marks is not even imported."""
    marks = config.option.markexpr.split(" or ")
    if collection_path.suffix != ".py" or not all(mark.isidentifier() for mark in marks):
        return None
    text = collection_path.read_text(encoding="utf-8")
    return None if any(f"mark.{mark}" in text for mark in marks) else True


@pytest.fixture(autouse=True)
def uncompiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("compile") is None:
        monkeypatch.setenv("STEEPEST_COMPILE", "0")


@pytest.fixture(autouse=True)
def small_numbers_stay() -> Iterator[None]:
    yield
    if sys.float_info.min / 2 == 0.0:
        import torch

        torch.set_flush_denormal(False)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As in a worker: several threads slow small models down, and round differently."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Said(NamedTuple):
    """What a command has printed."""

    out: str
    err: str


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """typed("show", "adam", cwd=folder, code=0): a command and its exit code, in this process: a process of its own
    would spend most of its time on imports, and is for tests of just that."""
    from steepest.cli.main import main

    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("CI", "1")

    def run(*words: str, cwd: Path | None = None, code: int = 0) -> Said:
        if cwd is not None:
            monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["steepest", *words])
        ended = 0
        try:
            main(words)
        except SystemExit as left:
            ended = int(left.code or 0)
        said = Said(*capfd.readouterr())
        assert ended == code, f"{words}: exit {ended}\n{said.out[-2000:]}\n{said.err[-4000:]}"
        return said

    return run
