"""The documentation, help texts, messages, docstrings and comments avoid the worst habits of their first version.

`HABITS` lists each expression with what to write instead. A room (a folder of the package, or one file beside them) or
a page in `NOT_YET` has not been revised. The lists are strict: a room or page without findings must be removed.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "steepest"

HABITS = {
    r"\btold\b": "reported, shown, printed, named; or an active sentence: `check` reports it",
    r"\b(tells|telling)\b": "reports, shows, states, explains",
    r"\b(luck|lucky|luckier|luckiest|unluckiest)\b": "random seed, new seed, random variation, chance",
    r"\bso many\b": "the number or its name: N lanes",
    r"\b(whoever|whatever|whichever)\b": "the user, the caller, any, regardless of",
    r"(?<!\bthere)(?<!\s) (is|are|was|were) no (?!longer\b|more\b|less\b|fewer\b)[a-z]+": "is not a …, does not …",
    r"\bhardly (what|meant)\b": "probably misconfigured",
    r"\b(to be had|cannot be had)\b": "available, unavailable, possible",
    r"\banew\b": "again, new",
    r"\b(stand|stands|stood) (beside|behind|under|there|here)\b": "is, appears, is shown",
    r"(?<![\d.,])\b1 (seeds|contenders|trials|tasks|rates|steps|lanes|workers|repeats|replicates|optimizers)\b": (
        "the singular; in messages, `counted(n, '{n} seed', '{n} seeds')`"
    ),
}
"""Regular expression → what to write instead."""

NOT_YET: set[str] = set()
"""Rooms that have not been revised."""

NOT_YET_PAGES: set[str] = set()
"""Pages that have not been revised, or that are generated from such rooms."""


def findings(text: str, first_line: int = 1) -> Iterator[tuple[int, str, str]]:
    """Line, expression, and what to write instead. A sentence may be broken over lines."""
    for pattern, instead in HABITS.items():
        for match in re.finditer(pattern.replace(" ", r"[\s#*]+"), text, re.IGNORECASE):
            yield first_line + text.count("\n", 0, match.start()), " ".join(match[0].split()), instead


# ---- pages -----------------------------------------------------------------------------------------------------------

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def prose(page: str) -> str:
    """A page without code and quoted output; its lines keep their numbers."""
    blank = lambda match: "\n" * match[0].count("\n")  # noqa: E731
    page = re.sub(r"^ *```.*?^ *```", blank, page, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`]*`|^>.*$", blank, page, flags=re.MULTILINE)


def of_pages() -> dict[str, list[str]]:
    """Findings by page."""
    return {
        (name := path.relative_to(ROOT).as_posix()): [
            f"{name}:{line}: {found!r}: write {instead}"
            for line, found, instead in findings(prose(path.read_text(encoding="utf-8")))
        ]
        for path in PAGES
    }


# ---- source ----------------------------------------------------------------------------------------------------------


def room(path: Path) -> str:
    """The folder of the package that a file lies in, or its name; for other files, the folder of the project."""
    parts = path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT).parts
    return parts[0]


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every string and every block of comments; of scripts and templates, all lines."""
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield 1, source
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not node.value.isidentifier():
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def of_rooms() -> dict[str, list[str]]:
    """Findings by room, that of the benchmarks and the examples included."""
    sources = [path for kind in ("py", "js", "html") for path in PACKAGE.rglob(f"*.{kind}") if path.stem != "uplot"]
    sources += [path for folder in ("benchmarks", "examples") for path in (ROOT / folder).rglob("*.py")]
    found: dict[str, list[str]] = {}
    for path in sorted(sources):
        found.setdefault(room(path), []).extend(
            f"{path.relative_to(ROOT)}:{line}: {expression!r}: write {instead}"
            for first, text in texts(path)
            for line, expression, instead in findings(text, first)
        )
    return found


FOUND = of_pages() | of_rooms()


@pytest.mark.parametrize("place", FOUND)
def test_prose_is_plain_english(place):
    listed = place in NOT_YET | NOT_YET_PAGES
    if listed:
        assert FOUND[place], f"{place} has no findings any more: remove it from NOT_YET or NOT_YET_PAGES."
    else:
        assert not FOUND[place], "\n" + "\n".join(FOUND[place])


def test_every_room_of_the_list_exists():
    assert not (NOT_YET | NOT_YET_PAGES) - FOUND.keys()


@pytest.mark.parametrize(
    "sentence",
    [
        "The column of the table that is to be told.",
        "Fresh luck for every study.",
        "1 seeds, for 1 contenders",
        "… is no kind of file that is read here.",
        "so\n    many lanes",
    ],
)
def test_a_bad_sentence_is_found(sentence):
    assert [*findings(sentence)]


@pytest.mark.parametrize(
    "sentence",
    ["There is no server.", "It is no longer used.", "21 seeds, 0.1 seeds", "The data can't tell adam from sgd."],
)
def test_a_good_sentence_is_left_alone(sentence):
    assert not [*findings(sentence)]
