"""What people read, in any language: the only module that knows languages, with `locale`, which reads their files.

The code says everything in English. `say("{who} needs {n:,} steps", who="adam", n=1200)` is a `Message`: an English
template and its parts, a plain value that can be passed on, compared and stored. `str()` of it is English whatever the
reader speaks, so that no file and no key ever depends on a reader's language. `shown(message)` is the same in the
language in force, and `tr("Show all")` is `shown(say("Show all"))`.

The language in force is a context variable, so that no function needs to take a language: whoever stands at the border
(the command line, `study.text(language=…)`, a request to the server) says `with speaking("zh"):`, and what is rendered
within is in Chinese. Before anybody has said so, it is the one that STEEPEST_LANG names. A thread starts anew, and has
to be told; `asyncio.to_thread` hands it on.

A language is one file: `locale/<code>.po`, a gettext catalogue keyed by the English templates. It is read when the
first text in that language is rendered; English needs none. STEEPEST_LOCALE may name folders with more of them.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from string import Formatter
from typing import Any, TypeVar

from steepest.locale.translations import ENGLISH, Language, catalogue, languages

VARIABLE = "STEEPEST_LANG"
"""The variable of the environment that names the language to begin with."""
NUMBER = "n"
"""The part that decides between singular and plural."""


@dataclass(frozen=True)
class Message:
    """An English template and what fills it; without parts, the template is shown as it stands."""

    template: str
    parts: Mapping[str, Part] = field(default_factory=dict)
    plural: str = ""
    """The English template where `n` is not 1; empty where there is nothing to count."""
    context: str = ""
    """What tells it from the same English words with another meaning."""
    given: Mapping[Language, str] = field(default_factory=dict)
    """Wordings that came with it, from whoever wrote it in more than one language; no catalogue is asked for those."""

    def __str__(self) -> str:
        return self.render(ENGLISH)

    def __hash__(self) -> int:
        return hash((self.template, self.plural, self.context))

    def __bool__(self) -> bool:
        """Whether there are any words."""
        return bool(self.template)

    def render(self, language: Language) -> str:
        """The words in a language; in English where its catalogue lacks them."""
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
        """The same with every name in it changed: all strings among the parts, and a whole text without parts."""
        parts = {
            name: part.mapped(change) if isinstance(part, Message) else change(part) if isinstance(part, str) else part
            for name, part in self.parts.items()
        }
        given = {language: change(words) for language, words in self.given.items()}
        return Message(self.template if parts else change(self.template), parts, self.plural, self.context, given)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, from which it can be shown in any language later; `dataclasses.asdict` gives such, too."""
        parts = {name: part.to_json() if isinstance(part, Message) else part for name, part in self.parts.items()}
        rest = {"parts": parts, "plural": self.plural, "context": self.context, "given": dict(self.given)}
        return {"template": self.template, **{key: value for key, value in rest.items() if value}}

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | str) -> Message:
        """What `to_json` made; or a text alone, or a wording in every language, as studies once stored them."""
        if isinstance(value, str):
            return cls(value)
        if ENGLISH in value:
            return cls(value[ENGLISH], given={key: words for key, words in value.items() if key != ENGLISH})
        parts = {
            name: cls.from_json(part) if isinstance(part, Mapping) else part
            for name, part in value.get("parts", {}).items()
        }
        rest = {key: value[key] for key in ("plural", "context", "given") if key in value}
        return cls(value["template"], parts, **rest)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """How pydantic reads and writes it: as above. A schema is plain data, so that pydantic need not be loaded."""
        read = {"type": "no-info", "function": lambda value: value if isinstance(value, cls) else cls.from_json(value)}
        write = {"type": "function-plain", "function": cls.to_json}
        return {"type": "function-plain", "function": read, "serialization": write}


Part = Message | str | float
"""What fills a gap in a sentence; a `Message` does so in the language of the whole."""
NOTHING = Message("")
Words = TypeVar("Words", bound=str)


# ---- making messages -------------------------------------------------------------------------------------------------


def say(template: str, /, **parts: Part) -> Message:
    """A sentence, from a `str.format` template.

    >>> str(say("{who} takes {n:,} steps", who="adam", n=1200))
    'adam takes 1,200 steps'
    """
    return Message(template, parts)


def counted(n: float, one: str, many: str, /, **parts: Part) -> Message:
    """A sentence about a number, `{n}`, in its singular and its plural.

    >>> str(counted(1560, "{n:,} trial", "{n:,} trials"))
    '1,560 trials'
    """
    return Message(one, {NUMBER: n, **parts}, plural=many)


def meant(context: str, template: str, /, **parts: Part) -> Message:
    """A sentence or word whose English has another meaning elsewhere; translators are shown the context."""
    return Message(template, parts, context=context)


def term(words: str) -> Message:
    """Words that stand in a table: in another language where its catalogue knows them, else as they are."""
    return Message(words)


def mark(words: Words) -> Words:
    """Words of a table, as they are: what `term` shows later, marked for whoever collects what is to be translated."""
    return words


def verbatim(words: str) -> Message:
    """Somebody's name for a thing, or whatever else is the same in every language."""
    return Message("{item}", {"item": words}) if words else NOTHING


def enumerated(items: Sequence[Part], template: str = mark("{item}, {items}")) -> Message:
    """Items one after the other; the template joins two of them: "{clause}; {clauses}".

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
    """Items as people say them: "a", "a and b", "a, b and c"."""
    if len(items) < 2:
        return enumerated(items)
    return say("{items} and {last}", items=enumerated(items[:-1]), last=items[-1])


def paragraph(sentences: Iterable[Message]) -> Message:
    """Whole sentences one after the other."""
    return enumerated([each for each in sentences if each], "{sentence} {sentences}")


# ---- the language in force -------------------------------------------------------------------------------------------

_in_force: ContextVar[Language | None] = ContextVar("language", default=None)


def language() -> Language:
    """The language in force."""
    return _in_force.get() or preferred()


def preferred() -> Language:
    """The language that STEEPEST_LANG names; English where it names none that is known."""
    wanted = os.environ.get(VARIABLE, ENGLISH)
    return wanted if wanted in languages() else ENGLISH


@contextmanager
def speaking(language: Language | None) -> Iterator[None]:
    """Within, everything is shown in this language; None changes nothing."""
    before = _in_force.set(language or _in_force.get())
    try:
        yield
    finally:
        _in_force.reset(before)


def shown(part: Part) -> str:
    """The words in the language in force."""
    return part.render(language()) if isinstance(part, Message) else str(part)


def tr(template: str, /, **parts: Part) -> str:
    """A sentence in the language in force."""
    return shown(Message(template, parts))


def wordings(part: Part) -> dict[Language, str]:
    """The words in every language there is, for a page that can be turned from one to another."""
    return {code: part.render(code) if isinstance(part, Message) else str(part) for code in languages()}


# ---- putting pieces together -----------------------------------------------------------------------------------------


def _pieces(template: str, parts: Mapping[str, Part], language: Language) -> list[str]:
    """The template's own words and, at odd places, what fills its gaps."""
    if not parts:
        return [template]
    pieces: list[str] = []
    for words, name, form, _ in Formatter().parse(template):
        pieces.append(words)
        if name is not None:
            part = parts[name]
            pieces.append(part.render(language) if isinstance(part, Message) else format(part, form or ""))
    return pieces


def _joined(pieces: Sequence[str]) -> str:
    """Pieces of a text in ideographs; nothing inside a piece is touched, for parts are people's names for things."""
    whole = ""
    for piece in pieces:
        if whole.strip() and piece.strip():
            whole = f"{whole.rstrip(' ')}{_seam(whole, piece)}{piece.lstrip(' ')}"
        else:
            whole += piece
    return whole


def _seam(left: str, right: str) -> str:
    """The space between two pieces: between scripts, and where it stood, but not between ideographs or at a mark."""
    a, b, is_apart = left.rstrip(" ")[-1], right.lstrip(" ")[0], left.endswith(" ") or right.startswith(" ")
    if (_is_wide(a) and _is_wide(b)) or _is_mark(a) or _is_mark(b):
        return ""
    if _is_wide(a) != _is_wide(b):
        return " " if _joins_words(b if _is_wide(a) else a) or is_apart else ""
    return " " if is_apart else ""


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def _is_mark(character: str) -> bool:
    """Full-width punctuation, which brings its own space."""
    return character in _MARKS


_MARKS = "\uff0c\u3002\uff1b\uff1a\u3001\uff01\uff1f\uff08\uff09\u201c\u201d\u300a\u300b\u2026"


def _joins_words(character: str) -> bool:
    return character.isalnum() or character in "%²)](["
