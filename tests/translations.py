"""Keeps the catalogues of translations in step with the English templates of the code.

    python tests/translations.py check                what is missing, left over, or has other parts than its English
    python tests/translations.py update               after English was reworded: re-key entries, order, add what is new
    python tests/translations.py rename OLD NEW       re-key one entry by hand, where `update` cannot know

The Chinese of a reworded sentence stays as it was, under the new English: change it in the catalogue where it must say
something else. `update` pairs old and new by their place in a file and by their parts, and prints each pair.

Templates are literals, in Python, in the templates of pages and in scripts alike: the first argument of `say` and `tr`,
and the two after the number of `counted` (in scripts: `plural`). The words of tables such as the catalogue of
optimizers are read off them.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from string import Formatter

from filelock import FileLock
from jinja2 import Environment
from jinja2.ext import extract_from_ast

from steepest.articles.hypotheses import HYPOTHESES
from steepest.builtin import task_table as tasks
from steepest.datasets.published import DATASETS
from steepest.locale.translations import Entry, read
from steepest.optim import catalogue as optimizers
from steepest.optim.rule import describe_hyperparameters
from steepest.optim.wrappers import WRAPPERS

PACKAGE = Path(__file__).parents[1] / "src" / "steepest"
LOCALE = PACKAGE / "locale"
AT = {"say": 0, "tr": 0, "mark": 0, "counted": 1, "plural": 1, "meant": 1, "enumerated": 1}
"""Function → the argument that is a template."""
Key = tuple[str, str]
"""Context and English template."""


# ---- what the code says ----------------------------------------------------------------------------------------------


def templates() -> dict[Key, Entry]:
    """Every template of the package with the files that say it, in the order of files and lines."""
    found: dict[Key, Entry] = {}
    for path in sorted(PACKAGE.rglob("*")):
        finder = FINDERS.get(path.suffix)
        if finder is not None:
            source = path.relative_to(PACKAGE).as_posix()
            for entry in [*finder(path.read_text(encoding="utf-8")), *of_tables(source)]:
                key = (entry.context, entry.template)
                known = found.setdefault(key, entry)
                if known.plural != entry.plural:
                    raise ValueError(
                        f"{source}: {entry.template!r} has two plurals: {known.plural!r}, {entry.plural!r}"
                    )
                if source not in known.sources:
                    known.sources = (*known.sources, source)
    return found


def in_python(text: str) -> Iterator[Entry]:
    for node in sorted(ast.walk(ast.parse(text)), key=lambda node: getattr(node, "lineno", 0)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in AT:
            arguments = [list(_literals(argument)) for argument in node.args]
            yield from _entries(node.func.id, arguments)


def _literals(node: ast.expr) -> Iterator[str]:
    """What a template may be: a literal, or one of two."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*_literals(node.body), *_literals(node.orelse))


def in_pages(text: str) -> Iterator[Entry]:
    for _, name, said in extract_from_ast(Environment().parse(text), tuple(AT)):
        arguments = said if isinstance(said, tuple) else (said,)
        yield from _entries(name, [[argument] if argument is not None else [] for argument in arguments])


_CALL = re.compile(r"(?<![\w.])(say|plural|meant)\(")
_STRING = re.compile(r'\s*("(?:[^"\\]|\\.)*"),?')


def in_scripts(text: str) -> Iterator[Entry]:
    for call in _CALL.finditer(text):
        begin, arguments = call.end(), []
        if call[1] == "plural":  # the number comes first
            begin, arguments = text.index(",", begin) + 1, [[]]
        while string := _STRING.match(text, begin):
            arguments.append([json.loads(string[1])])
            begin = string.end()
        yield from _entries(call[1], arguments)


def _entries(function: str, arguments: list[list[str]]) -> Iterator[Entry]:
    templates = arguments[AT[function]] if len(arguments) > AT[function] else []
    plural = arguments[2][0] if function in ("counted", "plural") and len(arguments) > 2 and arguments[2] else ""
    context = arguments[0][0] if function == "meant" and templates else ""
    yield from (Entry(template, plural, context) for template in templates if template)


FINDERS = {".py": in_python, ".html": in_pages, ".js": in_scripts}


def of_tables(source: str) -> Iterator[Entry]:
    """The words of the tables that a file holds."""
    yield from (Entry(words) for words in dict.fromkeys(_tables().get(source, ())) if words)


@cache
def _tables() -> dict[str, list[str]]:
    """File → the words of its table that people read."""
    found: dict[str, list[str]] = {
        "builtin/task_table.py": [
            words for entry in tasks.CATALOGUE for words in (entry.title, entry.summary, entry.made_of)
        ],
        "datasets/published.py": [words for row in DATASETS for words in (row.title, row.shape, row.target)],
        "articles/hypotheses.py": [words for each in HYPOTHESES for words in (each.claim, each.stated)],
    }
    for entry in optimizers.CATALOGUE:
        found.setdefault(_file(entry.rule), []).extend(
            (
                *(entry.title, entry.summary.removesuffix("."), *_with_words(entry.formula)),
                *(departure.how for departure in entry.departures),
                *(row["meaning"] for row in describe_hyperparameters(entry.rule)),
            )
        )
    for each in WRAPPERS.values():
        meanings = (row["meaning"] for row in describe_hyperparameters(each))
        found.setdefault(_file(each), []).extend((each.title, each.sentence, *_with_words(each.formula), *meanings))
    return found


def _file(kind: type) -> str:
    return kind.__module__.removeprefix("steepest.").replace(".", "/") + ".py"


def _with_words(formula: str) -> list[str]:
    return [line for line in formula.split(" ;  ") if WORDS.search(line)]


WORDS = re.compile(r"\b(at|first|over|from|or|else|of|for|where|with|in|starts|evaluated|within|every|no|not)\b")
"""What makes a formula one with words in it."""


# ---- what is wrong with a catalogue ----------------------------------------------------------------------------------


def faults(entries: Iterable[Entry], said: dict[Key, Entry], forms: int) -> list[str]:
    """One line for each: a missing or left-over translation, other parts than in English, a wrong number of plurals."""
    known = {(entry.context, entry.template): entry for entry in entries}
    lines = [
        f"missing: {template!r} ({' '.join(said[context, template].sources)})"
        for context, template in said.keys() - known.keys()
    ]
    lines += [f"left over: {template!r}" for context, template in known.keys() - said.keys()]
    for key in said.keys() & known.keys():
        lines += [f"{fault}: {key[1]!r}" for fault in _wrong(known[key], said[key], forms)]
    return sorted(lines)


def _wrong(entry: Entry, said: Entry, forms: int) -> Iterator[str]:
    if not all(entry.translations):
        yield "not translated"
    if entry.plural != said.plural:
        yield f"its plural is {said.plural!r} in the code, {entry.plural!r} in the catalogue"
    if len(entry.translations) != (forms if entry.plural else 1):
        yield f"{len(entry.translations)} plural forms instead of {forms if entry.plural else 1}"
    parts, translated = fields(said.template) | fields(said.plural), [*map(fields, entry.translations)]
    right = (
        set().union(*translated) == parts if entry.plural else translated == [parts]
    )  # "one of {all}" needs no number
    if all(entry.translations) and not right:
        yield f"parts {sorted(parts)} in English, {[*map(sorted, translated)]} translated"


def fields(template: str) -> set[str]:
    """The names of a template's parts. One in braces that are no template is a text without parts."""
    try:
        return {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError:
        return set()


# ---- changing a catalogue --------------------------------------------------------------------------------------------


def update(entries: list[Entry], said: dict[Key, Entry]) -> tuple[list[Entry], list[tuple[str, str]]]:
    """The entries of a catalogue for what is said now, in its order, and the pairs of old and new English.

    What is reworded keeps its translation; what is new has none yet; what is said no more is dropped.
    """
    known = {(entry.context, entry.template): entry for entry in entries}
    pairs = []
    for source in dict.fromkeys(source for entry in said.values() for source in entry.sources):
        old = [key for key, entry in known.items() if source in entry.sources[:1]]
        new = [key for key, entry in said.items() if source in entry.sources[:1]]
        for before, now in _reworded(old, new, known, said):
            known[now] = replace(known.pop(before), template=now[1], plural=said[now].plural)
            pairs.append((before[1], now[1]))
    kept = [replace(known.get(key, Entry("", translations=("",))), template=key[1], context=key[0], plural=entry.plural,
                    sources=entry.sources) for key, entry in said.items()]  # fmt: skip
    return kept, pairs


def _reworded(
    old: list[Key], new: list[Key], known: dict[Key, Entry], said: dict[Key, Entry]
) -> Iterator[tuple[Key, Key]]:
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone = [key for key in old[i:j] if key not in said] if tag != "equal" else []
        come = [key for key in new[k:m] if key not in known]
        for before in gone:
            alike = [key for key in come if _parts(key, said) == _parts(before, known)]
            if len(gone) == len(come):
                alike = [key for key in alike if come.index(key) == gone.index(before)] or alike
            if alike:
                now = max(alike, key=lambda key: SequenceMatcher(None, before[1], key[1]).ratio())
                yield before, now
                gone, come = [key for key in gone if key != before], [key for key in come if key != now]


def _parts(key: Key, entries: dict[Key, Entry]) -> tuple[bool, set[str]]:
    return bool(entries[key].plural), fields(key[1]) | fields(entries[key].plural)


def rename(entries: list[Entry], old: str, new: str) -> list[Entry]:
    """With an English template, singular or plural, written otherwise. Raises LookupError where there is none."""
    if all(old not in (entry.template, entry.plural) for entry in entries):
        raise LookupError(f"No entry has the template {old!r}.")
    return [
        replace(entry, template=new if entry.template == old else entry.template,
                plural=new if entry.plural and entry.plural == old else entry.plural)
        for entry in entries if entry.template != new or entry.translations[0]
    ]  # fmt: skip


def written(entries: Iterable[Entry]) -> str:
    """The text of a catalogue."""
    return "\n".join(map(_written, entries))


def _written(entry: Entry) -> str:
    lines = [*entry.comments]
    if entry.sources:
        lines.append(f"#: {' '.join(entry.sources)}")
    if entry.context:
        lines.append(f"msgctxt {_quoted(entry.context)}")
    lines.append(f"msgid {_quoted(entry.template)}")
    if entry.plural:
        lines.append(f"msgid_plural {_quoted(entry.plural)}")
        lines += [f"msgstr[{i}] {_quoted(words)}" for i, words in enumerate(entry.translations)]
    else:
        lines.append(f"msgstr {_quoted(entry.translations[0])}")
    return "\n".join(lines) + "\n"


def _quoted(words: str) -> str:
    """A string of a catalogue; one of several lines has a line for each."""
    lines = [json.dumps(line, ensure_ascii=False) for line in words.splitlines(keepends=True)] or ['""']
    return lines[0] if len(lines) == 1 else "\n".join(['""', *lines])


def main(arguments: list[str]) -> int:
    said, wrong = templates(), 0
    for path in sorted(LOCALE.glob("*.po")):
        with FileLock(Path(tempfile.gettempdir()) / f"steepest-{path.name}.lock"):
            head, *entries = read(path.read_text(encoding="utf-8"))
            match arguments:
                case ["update"]:
                    entries, pairs = update(entries, said)
                    for old, new in pairs:
                        print(f"{path.name}: {old!r}\n      → {new!r}")
                case ["rename", old, new]:
                    entries = rename(entries, old, new)
                case ["check"]:
                    pass
                case _:
                    print(__doc__)
                    return 2
            if arguments[0] != "check":
                fresh = path.with_suffix(".new")
                fresh.write_text(written([head, *entries]), encoding="utf-8")
                fresh.replace(path)
        found = faults(entries, said, forms(head))
        for line in found:
            print(f"{path.name}: {line}")
        wrong += len(found)
    return 1 if wrong else 0


def forms(head: Entry) -> int:
    """How many plural forms a catalogue says that its language has."""
    return int(head.translations[0].partition("nplurals=")[2].partition(";")[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
