"""Parts that the notes on a file share: quoted names, lists of names, counts of cells."""

from collections.abc import Sequence

from steepest.messages import Message, counted, enumerated, say

MAX_NAMES = 12
"""Maximum number of names in a list; the rest is abbreviated by an ellipsis."""


def quoted(name: object) -> Message:
    """A user's name for something, in the quotation marks of each language; control characters are escaped."""
    shown = repr(str(name))
    return say('"{name}"' if shown[0] == '"' else "'{name}'", name=shown[1:-1])


def names(found: Sequence[object]) -> Message:
    """Several quoted names, abbreviated after the first `MAX_NAMES`."""
    first: list[Message | str] = [quoted(name) for name in found[:MAX_NAMES]]
    return enumerated([*first, "…"] if len(found) > MAX_NAMES else first)


def cells_are(count: int) -> Message:
    return counted(count, "{n:,} cell is", "{n:,} cells are")


def cells_have(count: int) -> Message:
    return counted(count, "{n:,} cell has", "{n:,} cells have")


def some_of(found: Sequence[object], most: int = 3) -> Message:
    """The first few of them in quotation marks."""
    return enumerated([quoted(str(each)[:20]) for each in found[:most]])
