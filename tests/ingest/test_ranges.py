"""Ranges in cells, such as 20-29."""

from steepest.ingest.ranges import midpoint


def test_a_cell_without_end_is_no_range_and_takes_no_time() -> None:
    assert midpoint("9" * 1_000_000) is None
    assert midpoint("20-29") == 24.5
