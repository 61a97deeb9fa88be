"""What holds for all tests: optimizers run their rules uncompiled, except in tests that are marked `compile`.

So the bits that are compared with torch's are those of the rules as they are written, on any machine. And no test
leaves behind that numbers too small for full precision count as zero, as engines and benchmarks have it.
"""

import sys
from collections.abc import Iterator

import pytest
from proofs import flaw, proof, pytest_addoption, pytest_runtest_logreport, pytest_sessionfinish  # noqa: F401


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
