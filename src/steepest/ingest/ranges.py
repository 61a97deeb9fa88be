"""Ranges, such as 20-29, 65+ or under 18: categories if there are few of them, else numbers in their middle."""

import re
from collections.abc import Mapping

from steepest.ingest.number_columns import MIN_SHARE
from steepest.ingest.number_formats import taken_apart

BETWEEN = re.compile(
    r"(?P<low>.*?\d.*?)\s*(?:-|–|—|~|\bto\b|\bbis\b|\bà\b|\band\b|\.\.)\s*(?P<high>\D{0,4}\d.*)", re.IGNORECASE
)
OPEN = re.compile(
    r"(?P<before><|>|≤|≥|under|over|below|above|up to|more than|less than|unter|über|ab|bis|mehr als)?\s*"
    r"(?P<number>.*?\d[^+]*?)\s*(?P<after>\+|and over|and older|or more|und mehr|plus)?",
    re.IGNORECASE,
)

LONGEST = 100
"""Characters of a range at most: what a pattern with two open ends takes grows with the square of a cell's length."""


def midpoint(cell: str) -> float | None:
    """The middle of a range, or the end of an open one; None if the cell is not a range."""
    if len(cell) > LONGEST:
        return None
    if (found := BETWEEN.fullmatch(cell)) is not None:
        ends = taken_apart(found["low"].strip("[(")), taken_apart(found["high"].strip("])"))
        low, high = (None if end is None else end.value("en") for end in ends)
        return None if low is None or high is None or low > high else (low + high) / 2
    found = OPEN.fullmatch(cell)
    if found is None or not (found["before"] or found["after"]):
        return None
    end = taken_apart(found["number"])
    return None if end is None else end.value("en")


def midpoints(values: Mapping[str, int], is_chosen: bool = False) -> dict[str, float] | None:
    """Cell → middle, if enough cells are ranges."""
    table = {cell: middle for cell in values if (middle := midpoint(cell)) is not None}
    right = sum(values[cell] for cell in table)
    return table if table and (is_chosen or right >= MIN_SHARE * sum(values.values())) else None
