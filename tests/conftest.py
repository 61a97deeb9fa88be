"""What holds for all tests: optimizers run their rules uncompiled, except in tests that are marked `compile`.

So the bits that are compared with torch's are those of the rules as they are written, on any machine.
"""

import pytest
from proofs import flaw, proof, pytest_addoption, pytest_runtest_logreport, pytest_sessionfinish  # noqa: F401


@pytest.fixture(autouse=True)
def uncompiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("compile") is None:
        monkeypatch.setenv("STEEPEST_COMPILE", "0")
