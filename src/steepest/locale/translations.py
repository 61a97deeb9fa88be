"""The catalogues of translations: gettext's .po files beside this module, one for each language, read as they are.

Reading one takes a few milliseconds, so nothing is compiled, and no compiled file can be out of date. The variable
STEEPEST_LOCALE may name folders with more catalogues, such as the one in which a translator is at work.
"""

from __future__ import annotations

import gettext
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

Language = str
"""The code of a language: "en", or the name of a catalogue."""
ENGLISH = "en"
FOLDERS = "STEEPEST_LOCALE"
"""The variable of the environment that names folders with more catalogues."""


@dataclass
class Entry:
    """A template of a catalogue, as it stands in its file."""

    template: str
    plural: str = ""
    context: str = ""
    translations: tuple[str, ...] = ()
    """One; as many as the language has plural forms where there is a plural."""
    comments: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    """The files that say it."""


@dataclass(frozen=True)
class Catalogue:
    """The translations into one language."""

    entries: Mapping[tuple[str, str], Entry]
    """By context and English template."""
    header: Mapping[str, str]
    form: Callable[[int], int]
    """Number → which of the plural forms."""

    @property
    def name(self) -> str:
        """What the language calls itself."""
        return self.header["X-Name"]

    @property
    def forms(self) -> int:
        """How many plural forms it has."""
        return int(self.header["Plural-Forms"].partition("nplurals=")[2].partition(";")[0])

    @property
    def is_wide(self) -> bool:
        """Whether it is written in ideographs without spaces: then a space stands between them and Latin only."""
        return self.header.get("X-Wide-Script") == "yes"

    def template(self, template: str, context: str = "", number: float | None = None) -> str:
        """The translation; empty where there is none. number: what is counted, where the template has a plural."""
        entry = self.entries.get((context, template))
        if entry is None:
            return ""
        return entry.translations[0 if number is None else self.form(int(number))]


def languages() -> tuple[Language, ...]:
    """The codes of all languages, English first."""
    return (ENGLISH, *sorted({path.stem for folder in folders() for path in folder.glob("*.po")}))


def catalogue(language: Language) -> Catalogue:
    """The catalogue of a language other than English. Raises LookupError where there is none."""
    for folder in folders():
        path = folder / f"{language}.po"
        if path.is_file():
            return _catalogue(path)
    raise LookupError(f"There is no language {language!r}. Known: {', '.join(languages())}.")


def folders() -> list[Path]:
    """Where catalogues lie; the first that has a language counts."""
    more = os.environ.get(FOLDERS, "")
    return [*map(Path, filter(None, more.split(os.pathsep))), Path(__file__).parent]


@cache
def _catalogue(path: Path) -> Catalogue:
    head, *entries = read(path.read_text(encoding="utf-8"))
    header = dict(line.split(": ", 1) for line in head.translations[0].splitlines())
    plural = header["Plural-Forms"].partition("plural=")[2].rstrip(";")
    return Catalogue({(each.context, each.template): each for each in entries}, header, gettext.c2py(plural))


def read(content: str) -> Iterator[Entry]:
    """The entries of a file in their order; the first is its header, which has no template."""
    for block in re.split(r"\n\s*\n", content.strip()):
        found: dict[str, str] = {}
        comments: list[str] = []
        sources: list[str] = []
        key = ""
        for line in block.split("\n"):
            if line.startswith("#:"):
                sources += line[2:].split()
            elif line.startswith("#"):
                comments.append(line)
            else:
                word, _, rest = line.partition('"')
                key = word.strip() or key
                found[key] = found.get(key, "") + json.loads(f'"{rest}')
        translations = tuple(words for key, words in found.items() if key.startswith("msgstr"))
        template, plural, context = (found.get(key, "") for key in ("msgid", "msgid_plural", "msgctxt"))
        yield Entry(template, plural, context, translations, tuple(comments), tuple(sources))
