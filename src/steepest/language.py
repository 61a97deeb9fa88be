"""Sentences in two languages, written side by side: whoever changes the English sees the Chinese on the next line.

There is no catalogue of translations that could fall behind. `say` fills both wordings with the same figures, so that
they cannot tell different numbers.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any, Literal, get_args

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


VARIABLE = "STEEPEST_LANG"
"""The variable of the environment that says which language to begin with."""


def preferred() -> Language:
    """The language that STEEPEST_LANG names; English where it names none that is known."""
    return "zh" if os.environ.get(VARIABLE) == "zh" else "en"


@dataclass(frozen=True, slots=True)
class Text:
    """The same words in English and in Chinese. `str()` of it is the English."""

    en: str
    zh: str

    def __str__(self) -> str:
        return self.en

    def __bool__(self) -> bool:
        """Whether there are any words."""
        return bool(self.en)

    def of(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


Part = Text | str | float
"""What fills a gap in a sentence; a `Text` fills each wording with its own language."""


def say(english: str, chinese: str, /, **parts: Part) -> Text:
    """One sentence in both languages, from two `str.format` templates and the same parts for both.

    In Chinese, the space between ideographs and Latin letters or digits is set where a part meets its template, and
    left out where both are Chinese; nothing inside a part is touched, for parts are people's names for things.

    >>> say("{who} takes {n:,} steps", "{who}需要{n:,}步", who="adam", n=1200)
    Text(en='adam takes 1,200 steps', zh='adam 需要 1,200 步')
    """
    return Text("".join(_pieces(english, parts, "en")), _joined(_pieces(chinese, parts, "zh")))


def listed(items: Sequence[Part]) -> Text:
    """Items as people say them: "a", "a and b", "a, b and c"; “a 和 b”, “a、b 和 c”."""
    en, zh = [_in(item, "en") for item in items], [_in(item, "zh") for item in items]
    if len(items) < 2:
        return Text("".join(en), "".join(zh))
    return Text(f"{', '.join(en[:-1])} and {en[-1]}", _joined(["、".join(zh[:-1]), "和", zh[-1]]))


def enumerated(items: Sequence[Part], separator: str, chinese: str) -> Text:
    """Items between separators, such as "; " and “；”."""
    return Text(separator.join(_in(item, "en") for item in items), chinese.join(_in(item, "zh") for item in items))


def paragraph(sentences: Iterable[Text]) -> Text:
    """Whole sentences one after the other; Chinese ones need no space between them."""
    kept = list(sentences)
    return Text(" ".join(item.en for item in kept if item.en), "".join(item.zh for item in kept))


def counted(number: int, noun: str, chinese: str) -> Text:
    """A number with its noun: "1 seed", "1,560 trials"; “1,560 次训练” (chinese: the measure word and the noun)."""
    return Text(f"{number:,} {noun}" + ("" if number == 1 else "s"), f"{number:,} {chinese}")


def _in(part: Part, language: Language) -> str:
    return part.of(language) if isinstance(part, Text) else str(part)


def _pieces(template: str, parts: dict[str, Part], language: Language) -> list[str]:
    """The template's own words and, at odd places, what fills its gaps."""
    pieces: list[str] = []
    for words, name, form, _ in Formatter().parse(template):
        pieces.append(words)
        if name is not None:
            part: Any = parts[name]
            pieces.append(part.of(language) if isinstance(part, Text) else format(part, form or ""))
    return pieces


def _joined(pieces: Sequence[str]) -> str:
    whole = ""
    for piece in pieces:
        whole = (
            f"{whole.rstrip(' ')}{_seam(whole, piece)}{piece.lstrip(' ')}"
            if whole.strip() and piece.strip()
            else whole + piece
        )
    return whole


def _seam(left: str, right: str) -> str:
    """The space between two pieces of Chinese text: between scripts, and where both are Latin and it stood there."""
    a, b = left.rstrip(" ")[-1], right.lstrip(" ")[0]
    if (_is_wide(a) and _is_wide(b)) or _is_mark(a) or _is_mark(b):
        return ""
    if _is_wide(a) != _is_wide(b):
        return " " if _joins_words(b if _is_wide(a) else a) else ""
    return " " if left.endswith(" ") or right.startswith(" ") else ""


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def _is_mark(character: str) -> bool:
    """Full-width punctuation, which brings its own space."""
    return bool(re.match("[，。；：、！？（）“”《》…]", character))


def _joins_words(character: str) -> bool:
    return character.isalnum() or character in "%²)](["
