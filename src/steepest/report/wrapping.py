"""Wraps English and Chinese text at a width in terminal cells."""

import re
import textwrap

from rich.cells import cell_len


def wrapped(words: str, wide: int, first: str = "", rest: str = "") -> str:
    """Lines of at most `wide` cells, indented by `first` and then by `rest`.

    Chinese breaks between any two characters, but not before a closing mark. A severity and its id in brackets stay
    together.
    """
    return _filled(_ID.sub(rf"\1{_KEPT}\2", words), wide, first, rest).replace(_KEPT, " ")


def _filled(words: str, wide: int, first: str, rest: str) -> str:
    if not _IDEOGRAPH.search(words):
        return textwrap.fill(words, wide, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    lines: list[str] = []
    line = first
    for token in _TOKEN.findall(words):
        for piece in [token] if cell_len(token) < wide // 2 else token:  # no name is wider than a line
            if cell_len(line + piece.rstrip()) > wide:
                lines.append(line.rstrip())
                line = rest + piece.lstrip()
            else:
                line += piece
    return "\n".join([*lines, line.rstrip()])


_ID = re.compile(r"(\[\w+:) ([a-z-]+\])")
_KEPT = "\ue000"
"""Stands for a space at which no line ends."""
_IDEOGRAPH = re.compile("[\u4e00-\u9fff]")
_TOKEN = re.compile(
    r"[\uff08\u201c]*(?:[\u4e00-\u9fff]|[^\s\u4e00-\u9fff\uff0c\u3002\uff1b\uff1a\u3001\uff01\uff1f\uff08\uff09\u201c\u201d]+)?[\uff0c\u3002\uff1b\uff1a\u3001\uff01\uff1f\uff09\u201d]*\s*"
)
"""An ideograph, or a word without any, with the marks that must stay beside it and the space after it."""
