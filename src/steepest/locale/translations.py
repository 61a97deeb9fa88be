"""Reads the translations: gettext .po files in this folder, one for each language.

Reading a file takes a few milliseconds, so the files are not compiled, and no compiled file can be out of date. The
environment variable STEEPEST_LOCALE may list folders with more catalogues, for example while a translator works on one.
"""

import gettext
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

Language = str
"""Code of a language: "en", or the stem of a catalogue's file name."""
ENGLISH = "en"
FOLDERS = "STEEPEST_LOCALE"
"""Environment variable with folders of more catalogues, separated as in PATH."""


@dataclass
class Entry:
    """One entry of a catalogue: a template and its translations."""

    template: str
    plural: str = ""
    context: str = ""
    translations: tuple[str, ...] = ()
    """One translation, or one for each plural form if the template has a plural."""
    comments: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    """Source files that contain the template."""


@dataclass(frozen=True)
class Catalogue:
    """The translations into one language."""

    entries: Mapping[tuple[str, str], Entry]
    """By context and English template."""
    header: Mapping[str, str]
    form: Callable[[int], int]
    """Number → index of the plural form."""

    @property
    def name(self) -> str:
        """Name of the language in the language itself."""
        return self.header["X-Name"]

    @property
    def forms(self) -> int:
        """Number of plural forms."""
        return int(self.header["Plural-Forms"].partition("nplurals=")[2].partition(";")[0])

    @property
    def is_wide(self) -> bool:
        """Whether the language is written in ideographs, with spaces only between ideographs and Latin letters."""
        return self.header.get("X-Wide-Script") == "yes"

    def template(self, template: str, context: str = "", number: float | None = None) -> str:
        """The translation, or "" if there is none. number: the count, for templates with a plural."""
        entry = self.entries.get((context, template))
        if entry is None:
            return ""
        return entry.translations[0 if number is None else self.form(int(number))]


def languages() -> tuple[Language, ...]:
    """The codes of all languages, English first."""
    return (ENGLISH, *sorted(_files(os.environ.get(FOLDERS, ""))))


def catalogue(language: Language) -> Catalogue:
    """The catalogue of a language other than English. Raises LookupError if it does not exist."""
    path = _files(os.environ.get(FOLDERS, "")).get(language)
    if path is None:
        raise LookupError(f"Unknown language {language!r}. Known: {', '.join(languages())}.")
    return _catalogue(path)


@cache
def _files(more: str) -> dict[Language, Path]:
    """Language → its catalogue, in our folder and in those that FOLDERS names. The first of several files counts."""
    folders = [*map(Path, filter(None, more.split(os.pathsep))), Path(__file__).parent]
    return {path.stem: path for folder in reversed(folders) for path in folder.glob("*.po")}


@cache
def _catalogue(path: Path) -> Catalogue:
    head, *entries = read(path.read_text(encoding="utf-8"))
    header = dict(line.split(": ", 1) for line in head.translations[0].splitlines())
    plural = header["Plural-Forms"].partition("plural=")[2].rstrip(";")
    return Catalogue({(each.context, each.template): each for each in entries}, header, gettext.c2py(plural))


def read(content: str) -> Iterator[Entry]:
    """The entries of a file in order. The first is the header; its template is empty."""
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
