"""Words that the notes on a file have in common: what was found in it, and what was done with it."""

from __future__ import annotations

from collections.abc import Sequence

from steepest.messages import Message, counted, enumerated, say

MOST_NAMES = 12
"""Names that are told one by one; of more, the first so many."""


def quoted(name: object) -> Message:
    """Somebody's name for a thing, between the quotes of each language; nothing in it can act on a terminal."""
    shown = repr(str(name))
    return say('"{name}"' if shown[0] == '"' else "'{name}'", name=shown[1:-1])


def names(found: Sequence[object]) -> Message:
    """Several of them, and that there are more where there are many."""
    first: list[Message | str] = [quoted(name) for name in found[:MOST_NAMES]]
    return enumerated([*first, "…"] if len(found) > MOST_NAMES else first)


def cells_are(count: int) -> Message:
    return counted(count, "{n:,} cell is", "{n:,} cells are")
