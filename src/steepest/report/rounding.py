"""Numbers as people read them: rounded to what their uncertainty allows, with units, and never NaN."""

import math
import sys
import unicodedata
from collections.abc import Iterable

LARGEST = sys.float_info.max


def significant(value: float | None, digits: int = 4) -> float | None:
    """The value to `digits` significant digits; None unless it is finite, since JSON has only finite numbers."""
    return None if value is None or not math.isfinite(value) else rounded(value, digits)


def rounded(value: float, digits: int) -> float:
    """The same of a value known to be finite; one beyond the largest float is held there."""
    short = float(f"{max(-LARGEST, min(LARGEST, value)):.{digits}g}")
    return short if math.isfinite(short) else value  # the largest floats round to infinity


def decimals_for(half_widths: Iterable[float]) -> int:
    """Decimals that show a typical uncertainty in one or two digits: 0.31 → 1, 0.14 → 2, 0.004 → 3; if unknown 2."""
    known = sorted(width for width in half_widths if math.isfinite(width) and width > 0)
    if not known:
        return 2
    return min(6, max(0, math.ceil(math.log10(2 / known[len(known) // 2]))))


def fixed(value: float | None, decimals: int, sign: bool = False) -> str:
    """A number with this many decimals and a true minus sign; "–" for none. A rounded zero has no sign."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{abs(value):.{decimals}f}" if abs(value) < 1e7 else f"{abs(value):.2e}"
    if not text.strip("0."):
        return text
    return ("−" if value < 0 else "+" if sign else "") + text


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most `most` round numbers, 1, 2, 2.5 or 5 times a power of ten apart, inside the range."""
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(m * power for m in (1, 2, 2.5, 5, 10, 20) if (high - low) / (m * power) <= most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{k * step:.12g}") for k in range(first, last + 1)]


def p_value(p: float | None) -> str:
    if p is None or not math.isfinite(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"


def one_line(text: str, longest: int = 0) -> str:
    """Text that can neither move a terminal's cursor nor turn the direction of what follows it.

    Control and formatting characters (escape sequences, bidirectional overrides, line ends) become visible escapes;
    what is longer than `longest` characters is cut with an ellipsis.
    """
    visible = "".join(map(_visible, text[: longest + 1] if longest else text))
    return visible[: longest - 1] + "…" if longest and len(visible) > longest else visible


def isolated(text: str) -> str:
    """Text beside which figures keep their order in a terminal: right-to-left letters are set apart, invisibly."""
    return f"\u2068{text}\u2069" if any(unicodedata.bidirectional(c) in ("R", "AL") for c in text) else text


def _visible(character: str) -> str:
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in "\u200c\u200d":
        return f"\\u{ord(character):04x}"
    return character
