"""Words that the notes on a file have in common: what was found in it, and what was done with it, in both languages."""

from __future__ import annotations

from collections.abc import Sequence

from steepest.language import Text, enumerated

MOST_NAMES = 12
"""Names that are told one by one; of more, the first so many."""


def quoted(name: object) -> Text:
    """Somebody's name for a thing, between the quotes of each language; nothing in it can act on a terminal."""
    shown = repr(str(name))
    return Text(shown, f"“{shown[1:-1]}”")


def names(found: Sequence[object]) -> Text:
    """Several of them, and that there are more where there are many."""
    first: list[Text | str] = [quoted(name) for name in found[:MOST_NAMES]]
    return enumerated([*first, "…"] if len(found) > MOST_NAMES else first, ", ", "、")


def cells_are(count: int) -> Text:
    return Text("1 cell is" if count == 1 else f"{count:,} cells are", f"{count:,} 个单元格")
