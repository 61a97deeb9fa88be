"""A sample of models composed at random: a fleet, a compiled fleet and the plain loop give the same losses."""

import pytest

from benchmarks.agreement import compared
from benchmarks.compositions import task


@pytest.mark.compile
@pytest.mark.parametrize("number", range(20))
def test_all_engines_agree(number, monkeypatch):
    monkeypatch.delenv("STEEPEST_COMPILE", raising=False)
    found = compared(f"composition {number}", task(number), steps=20)
    assert found.is_right, str(found)
    assert found.refused == []
