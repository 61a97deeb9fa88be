"""Repeated values far outside the rest of a column, such as -200 or 9999-12-31: often written for "no value"."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np

MIN_REPEATS = 3
MIN_OTHERS = 3
"""Minimum number of different values in the rest."""
GAP_OF_CODES = 0.5
"""Distance from the rest, in ranges of the rest, from which a number that looks like a code is reported."""
GAP_OF_DAYS = 0.3
"""The same for the first and last days of a year, and day 0 of spreadsheets."""
GAP = 3.0
"""The same for other numbers."""
CODE = re.compile(r"-?9{2,}|-?9{2,}0*|-[1-9]0{0,5}|-?1{3,}|-?8{2,}|-?7{2,}|-?32768|32767|65535|-2147483648|2147483647")
"""Numbers that people write for "no value"."""
DAY_ZERO = date(1899, 12, 30)


@dataclass(frozen=True)
class FarValue:
    """A repeated value, how often it is there, and the range of the others; in texts as cells have them."""

    value: float
    count: int
    text: str
    low: str
    high: str


def number_code(value: float) -> float | None:
    """For a number that people write for "no value": the gap from which it is far."""
    return GAP_OF_CODES if value.is_integer() and CODE.fullmatch(f"{value:.0f}") else None


def day_code(days: float) -> float | None:
    """The same for days, such as 9999-12-31 and 1900-01-01."""
    day = date.fromordinal(int(days))
    return GAP_OF_DAYS if (day.month, day.day) in ((1, 1), (12, 31)) or day == DAY_ZERO else None


def printed(value: float) -> str:
    """As people write it: -200, 9999, 0.5."""
    return f"{value:.0f}" if math.isfinite(value) and value == round(value) and abs(value) < 1e15 else f"{value:.6g}"


def far_values(
    values: np.ndarray, code: Callable[[float], float | None] = number_code, text: Callable[[float], str] = printed
) -> list[FarValue]:
    """The repeated values at either end of a column that lie far outside the rest; NaN is ignored.

    The range of the rest is that of its central 98 %, so that a long tail is not taken for a gap: a value is far if the
    gap to its nearest neighbour alone exceeds that range. A code is also far where it is the only negative value.
    """
    different, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    found: list[FarValue] = []
    while len(different) > MIN_OTHERS:
        far = next((far for end in (0, -1) if (far := _at_end(different, counts, end, code, text)) is not None), None)
        if far is None:
            break
        found.append(far)
        keep = different != far.value
        different, counts = different[keep], counts[keep]
    return found


def _at_end(
    different: np.ndarray,
    counts: np.ndarray,
    end: int,
    code: Callable[[float], float | None],
    text: Callable[[float], str],
) -> FarValue | None:
    """The smallest value (end 0) or the largest (end -1), if it is repeated and far."""
    value, count = float(different[end]), int(counts[end])
    rest, of_rest = (different[1:], counts[1:]) if end == 0 else (different[:-1], counts[:-1])
    if count < MIN_REPEATS:
        return None
    low, high = _central(rest, of_rest)
    gap = abs(value - float(rest[0 if end == 0 else -1]))
    of_code = code(value)
    spread = max(high - low, float(rest[-1] - rest[0]) if len(rest) <= 10 else 0.0)
    is_far = spread > 0 and gap > spread * (GAP if of_code is None else of_code)
    is_only_negative = of_code is not None and end == 0 and len(rest) >= 20 and value < 0 <= float(rest[0])
    if not is_far and not is_only_negative:
        return None
    return FarValue(value, count, text(value), text(float(rest[0])), text(float(rest[-1])))


def _central(values: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """The central 98 % of sorted values with counts."""
    places = np.cumsum(counts) / counts.sum()
    low, high = np.searchsorted(places, (0.01, 0.99))
    return float(values[low]), float(values[min(high, len(values) - 1)])
