"""Translatable messages. Only this module and `locale`, which reads the translations, deal with languages.

All text in the code is English. `say("{who} needs {n:,} steps", who="adam", n=1200)` returns a `Message`: an English
template and its parts, a plain value that can be passed on, compared and stored. `str(message)` is always English, so
files and keys do not depend on the user's language. `shown(message)` is the text in the current language, and
`tr("Show all")` is short for `shown(say("Show all"))`.

The current language is a context variable, so functions need no language argument. Entry points (the command line,
`study.text(language=…)`, a request to the server) set it with `with speaking("zh"):`. The default is the language in
STEEPEST_LANG. A new thread starts with the default; `asyncio.to_thread` copies the current language.

Each language is one file, `locale/<code>.po`: a gettext catalogue keyed by the English templates. It is read when the
first text in that language is rendered. English needs no file. STEEPEST_LOCALE may list folders with more catalogues.
"""

from __future__ import annotations

import math
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from string import Formatter
from typing import Any, TypeVar, cast

from steepest.locale.translations import ENGLISH, Language, catalogue, languages

VARIABLE = "STEEPEST_LANG"
"""Environment variable with the default language."""
NUMBER = "n"
"""Name of the part that selects singular or plural."""


@dataclass(frozen=True)
class Message:
    """An English template and its parts. Without parts, the template is shown unchanged."""

    template: str
    parts: Mapping[str, Part] = field(default_factory=dict)
    plural: str = ""
    """English template for `n` other than 1. Empty if nothing is counted."""
    context: str = ""
    """Distinguishes the message from the same English words with another meaning."""
    given: Mapping[Language, str] = field(default_factory=dict)
    """Language → text, for messages that came with their own translations. These take precedence over the catalogue."""

    def __str__(self) -> str:
        return self.render(ENGLISH)

    def __hash__(self) -> int:
        return hash((self.template, self.plural, self.context))

    def __bool__(self) -> bool:
        """Whether the text is not empty."""
        return bool(self.template)

    def render(self, language: Language) -> str:
        """The text in a language, or in English if the translation is missing."""
        if language in self.given:
            return self.given[language]
        counts = self.parts[NUMBER] if self.plural else None
        number = counts if isinstance(counts, int | float) else None
        known = catalogue(language) if language != ENGLISH and self.template else None
        template = known.template(self.template, self.context, number) if known else ""
        if not template:
            template = self.template if number is None or number == 1 else self.plural
        pieces = _pieces(template, self.parts, language)
        return _joined(pieces) if known and known.is_wide else "".join(pieces)

    def mapped(self, change: Callable[[str], str]) -> Message:
        """A copy with `change` applied to every string part, or to the template of a message without parts."""
        parts = {
            name: part.mapped(change) if isinstance(part, Message) else change(part) if isinstance(part, str) else part
            for name, part in self.parts.items()
        }
        given = {language: change(words) for language, words in self.given.items()}
        return Message(self.template if parts else change(self.template), parts, self.plural, self.context, given)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values from which `from_json` rebuilds the message. `dataclasses.asdict` gives the same values."""
        parts = {name: part.to_json() if isinstance(part, Message) else part for name, part in self.parts.items()}
        rest = {"parts": parts, "plural": self.plural, "context": self.context, "given": dict(self.given)}
        return {"template": self.template, **{key: value for key, value in rest.items() if value}}

    @classmethod
    def from_json(cls, value: object) -> Message:
        """The message from `to_json`. Also reads the older formats of studies: a string, or one text per language.

        Raises ValueError for anything else, and for a message that cannot be rendered: studies come from strangers.
        """
        try:
            message = cls._from_json(value)
            for template in (message.template, message.plural):
                _check_template(template, message.parts)
        except RecursionError:
            raise ValueError("a message is nested too deeply") from None
        return message

    @classmethod
    def _from_json(cls, value: object) -> Message:
        if isinstance(value, str):
            return cls(value)
        fields = _object(value)
        if ENGLISH in fields:
            texts = {key: _text(words) for key, words in fields.items()}
            return cls(texts.pop(ENGLISH), given=texts)
        parts: dict[str, Part] = {}
        for name, part in _object(fields.get("parts", {})).items():
            if isinstance(part, dict):
                parts[name] = cls.from_json(cast(object, part))
            elif isinstance(part, str | int | float):
                parts[name] = part
            else:
                raise ValueError("a part of a message is neither text nor number")
        given = {key: _text(words) for key, words in _object(fields.get("given", {})).items()}
        plural, context = (_text(fields.get(key, "")) for key in ("plural", "context"))
        return cls(_text(fields.get("template")), parts, plural, context, given)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """How pydantic reads and writes messages: as above. The schema is plain data, so pydantic is not loaded."""
        read = {"type": "no-info", "function": lambda value: value if isinstance(value, cls) else cls.from_json(value)}
        write = {"type": "function-plain", "function": cls.to_json}
        return {"type": "function-plain", "function": read, "serialization": write}


Part = Message | str | float
"""Value of a placeholder. A `Message` is rendered in the language of the message that contains it."""
NOTHING = Message("")
Words = TypeVar("Words", bound=str)


# ---- making messages -------------------------------------------------------------------------------------------------


def say(template: str, /, **parts: Part) -> Message:
    """A message from a `str.format` template.

    >>> str(say("{who} takes {n:,} steps", who="adam", n=1200))
    'adam takes 1,200 steps'
    """
    return Message(template, parts)


def counted(n: float, one: str, many: str, /, **parts: Part) -> Message:
    """A message about a number `{n}`, with its singular and plural templates.

    >>> str(counted(1560, "{n:,} trial", "{n:,} trials"))
    '1,560 trials'
    """
    return Message(one, {NUMBER: n, **parts}, plural=many)


def meant(context: str, template: str, /, **parts: Part) -> Message:
    """A message whose English words have another meaning elsewhere. Translators see the context."""
    return Message(template, parts, context=context)


def term(words: str) -> Message:
    """A message from a variable, such as a cell of a table. Without a translation, it is shown unchanged."""
    return Message(words)


def mark(words: Words) -> Words:
    """Returns `words` unchanged, and marks them as translatable. `term` translates them later."""
    return words


def verbatim(words: str) -> Message:
    """A text that is the same in every language, such as a file name."""
    return Message("{item}", {"item": words}) if words else NOTHING


def enumerated(items: Sequence[Part], template: str = mark("{item}, {items}")) -> Message:
    """Items joined by the template, such as "{clause}; {clauses}".

    >>> str(enumerated(["adam", "sgd", "lion"]))
    'adam, sgd, lion'
    """
    if len(items) < 2:
        return NOTHING if not items else first if isinstance(first := items[0], Message) else verbatim(str(first))
    half = len(items) // 2
    names = [name for _, name, _, _ in Formatter().parse(template) if name]
    halves = enumerated(items[:half], template), enumerated(items[half:], template)
    return Message(template, dict(zip(names, halves, strict=True)))


def listed(items: Sequence[Part]) -> Message:
    """Items as a list in a sentence: "a", "a and b", "a, b and c"."""
    if len(items) < 2:
        return enumerated(items)
    return say("{items} and {last}", items=enumerated(items[:-1]), last=items[-1])


def significant(value: float, digits: int = 3) -> str:
    """`value` to this number of significant digits, without an exponent where that stays readable."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    value = float(f"{value:.{digits - 1}e}")  # first, so that 9.999 has the size of 10
    size = math.floor(math.log10(abs(value)))
    if not -6 < size < 9:
        return f"{value:.{digits - 1}e}"
    places = digits - 1 - size
    return f"{value:.{places}f}" if places > 0 else f"{round(value, places):,.0f}"


def paragraph(sentences: Iterable[Message]) -> Message:
    """Sentences joined to a paragraph. Empty ones are left out."""
    return enumerated([each for each in sentences if each], "{sentence} {sentences}")


# ---- the current language --------------------------------------------------------------------------------------------

_in_force: ContextVar[Language | None] = ContextVar("language", default=None)


def language() -> Language:
    """The current language."""
    return _in_force.get() or preferred()


def preferred() -> Language:
    """The language in STEEPEST_LANG, or English if it is not set or unknown."""
    wanted = os.environ.get(VARIABLE, ENGLISH)
    return wanted if wanted in languages() else ENGLISH


@contextmanager
def speaking(language: Language | None) -> Iterator[None]:
    """Context manager that sets the current language. None changes nothing."""
    before = _in_force.set(language or _in_force.get())
    try:
        yield
    finally:
        _in_force.reset(before)


def shown(part: Part) -> str:
    """The text in the current language."""
    return part.render(language()) if isinstance(part, Message) else str(part)


def tr(template: str, /, **parts: Part) -> str:
    """The text of a template in the current language."""
    return shown(Message(template, parts))


def wordings(part: Part) -> dict[Language, str]:
    """Language → text, for a page on which the reader can switch the language."""
    return {code: part.render(code) if isinstance(part, Message) else str(part) for code in languages()}


# ---- joining pieces --------------------------------------------------------------------------------------------------


def _pieces(template: str, parts: Mapping[str, Part], language: Language) -> list[str]:
    """The template's own text at even positions and the rendered parts at odd positions."""
    if not parts:
        return [template]
    pieces: list[str] = []
    for words, name, form, _ in Formatter().parse(template):
        pieces.append(words)
        if name is not None:
            part = parts[name]
            pieces.append(part.render(language) if isinstance(part, Message) else format(part, form or ""))
    return pieces


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError("a message is not an object")
    return cast(dict[str, object], value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("the words of a message are not a text")
    return value


def _check_template(template: str, parts: Mapping[str, Part]) -> None:
    """Raise ValueError for a template that its parts do not fill, or one that asks for a width without bounds."""
    for _, name, form, _ in Formatter().parse(template) if parts else ():
        if name is not None:
            if name not in parts or not _FORM.fullmatch(form or ""):
                raise ValueError("a message does not have the parts that it names")
            if not isinstance(part := parts[name], Message):
                format(part, form or "")


_FORM = re.compile(r"[<>=^+ -]{0,2}[0-9]{0,2}[,_]?(\.[0-9]{1,2})?[a-zA-Z%]?")
"""How a part may be formatted."""


def _joined(pieces: Sequence[str]) -> str:
    """Joins the pieces of a text in ideographs. Only the spaces between pieces change, so names stay as they are."""
    whole = ""
    for piece in pieces:
        if whole.strip() and piece.strip():
            whole = f"{whole.rstrip(' ')}{_seam(whole, piece)}{piece.lstrip(' ')}"
        else:
            whole += piece
    return whole


def _seam(left: str, right: str) -> str:
    """The space between two pieces: one between two scripts or as given, none between ideographs or next to a mark."""
    a, b, is_apart = left.rstrip(" ")[-1], right.lstrip(" ")[0], left.endswith(" ") or right.startswith(" ")
    if (_is_wide(a) and _is_wide(b)) or _is_mark(a) or _is_mark(b):
        return ""
    if _is_wide(a) != _is_wide(b):
        return " " if _joins_words(b if _is_wide(a) else a) or is_apart else ""
    return " " if is_apart else ""


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def _is_mark(character: str) -> bool:
    """Whether it is full-width punctuation, which includes its own space."""
    return character in _MARKS


_MARKS = "\uff0c\u3002\uff1b\uff1a\u3001\uff01\uff1f\uff08\uff09\u201c\u201d\u300a\u300b\u2026"


def _joins_words(character: str) -> bool:
    return character.isalnum() or character in "%²)](["
