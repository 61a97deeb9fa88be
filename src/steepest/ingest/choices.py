"""How a column is to be read: given with --column, decided from its cells, written to a file and read back.

A choice is written as words: "category", "number:de", "date:%d.%m.%y", "drop", "missing:-200". The same words stand in
the option, in Python's `columns=` and in the file, so what was decided for one table can be edited and used again.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast, get_args

from steepest.errors import BadInput, BadSetting
from steepest.ingest.date_formats import ORDERS, by_directives
from steepest.ingest.number_formats import STYLES
from steepest.records.bounded import read_stream
from steepest.records.limits import MAX_NOTES_BYTES

ColumnKind = Literal["", "number", "date", "time", "duration", "range", "category", "drop"]
KINDS: tuple[ColumnKind, ...] = get_args(ColumnKind)[1:]
ALL_COLUMNS = "*"
FORM = (
    "number, number:de, number:en, date, date:dmy, date:%d.%m.%y, time, duration, range, category, drop or "
    "missing:VALUE"
)
GIVEN = re.compile(rf"(?P<column>.+)=(?P<words>(?:{'|'.join(KINDS)}|missing)(?::.*)?)", re.DOTALL)


@dataclass(frozen=True)
class Choice:
    """How a column is read; an empty kind is decided from the cells."""

    kind: ColumnKind = ""
    detail: str = ""
    """Of numbers "de" or "en"; of dates an order of day, month and year, or directives of strptime."""
    missing: tuple[str, ...] = ()
    """Cells that count as missing, beside those that always do."""

    def words(self) -> tuple[str, ...]:
        """As in options and files."""
        kind = (f"{self.kind}:{self.detail}" if self.detail else self.kind,) if self.kind else ()
        return (*kind, *(f"missing:{cell}" for cell in self.missing))

    def with_more(self, other: Choice) -> Choice:
        """With what another choice adds; its kind prevails."""
        missing = tuple(dict.fromkeys([*self.missing, *other.missing]))
        return replace(other if other.kind else self, missing=missing)


def chosen(column: str, words: str) -> Choice:
    """The choice in words, for this column. Raises BadSetting."""
    kind, _, detail = words.partition(":")
    detail = detail.strip()
    if kind == "missing" and detail:
        return Choice(missing=(detail,))
    if kind not in KINDS:
        raise BadSetting(f"--column {column}={words}: unknown way to read a column. Use {FORM}.")
    if detail and kind == "number":
        if (style := STYLES.get(detail.lower())) is None:
            raise BadSetting(
                f"--column {column}={words}: unknown style. Use number:en for 1,234.5 or number:de for 1.234,5."
            )
        detail = style
    elif detail and kind == "date" and detail not in ORDERS:
        try:
            by_directives(detail)
        except (ValueError, re.error) as error:
            raise BadSetting(
                f"--column {column}={words}: {str(error).rstrip('.')}. Use dmy, mdy or ymd, or directives of strptime, "
                "such as %d.%m.%y."
            ) from None
    elif detail and kind != "date":
        raise BadSetting(f"--column {column}={words}: {kind} takes nothing after a colon. Use {FORM}.")
    return Choice(cast(ColumnKind, kind), detail)


def from_options(given: str | Iterable[str]) -> dict[str, Choice]:
    """Column → choice, of options such as age=category. Raises BadSetting."""
    found: dict[str, Choice] = {}
    for option in [given] if isinstance(given, str) else given:
        if (match := GIVEN.fullmatch(option)) is None:
            raise BadSetting(f"--column {option}: cannot be read. Write COLUMN={FORM}.")
        choice = chosen(match["column"], match["words"])
        found[match["column"]] = found.get(match["column"], Choice()).with_more(choice)
    return found


def from_mapping(given: Mapping[str, str | Sequence[str]]) -> dict[str, Choice]:
    """Column → choice, of {"age": "category", "NOx": ["number:de", "missing:-200"]}. Raises BadSetting."""
    found: dict[str, Choice] = {}
    for column, words in given.items():
        choice = Choice()
        for each in [words] if isinstance(words, str) else words:
            choice = choice.with_more(chosen(column, str(each)))
        found[column] = choice
    return found


# ---- the file --------------------------------------------------------------------------------------------------------


def read_file(path: Path) -> dict[str, Choice]:
    """The choices of a file that `written` wrote, or that a person did. Raises BadInput."""
    try:
        content = tomllib.loads(read_stream(path.expanduser(), MAX_NOTES_BYTES).decode("utf-8-sig"))
    except FileNotFoundError:
        raise BadInput(f"There is no file {path}. Write one with --columns-out {path}.") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, RecursionError) as error:  # also of numbers with thousands of digits
        raise BadInput(f"{path} is not valid TOML: {error}.") from None
    columns = content.get("columns")
    if not isinstance(columns, dict):
        raise BadInput(f'{path} has no table [columns]. Write lines such as "age" = "category" below [columns].')
    for column, words in columns.items():
        if not isinstance(words, str) and not (
            isinstance(words, list) and all(isinstance(each, str) for each in words)
        ):
            raise BadInput(f'{path}: {column!r} is {words!r}. Write a text, such as "category", or a list of texts.')
    return from_mapping(columns)


def written(choices: Mapping[str, Choice], table: str) -> str:
    """A file of choices, in TOML."""
    lines = [
        f"# How steepest reads the columns of {json.dumps(table, ensure_ascii=False)}. Use it with --columns.",
        "[columns]",
    ]
    for column, choice in choices.items():
        words = [_quoted(each) for each in choice.words()]
        value = words[0] if len(words) == 1 else f"[{', '.join(words)}]"
        lines.append(f"{_quoted(column)} = {value}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A basic string of TOML, whose escapes are those of JSON, but for the letter of deletion."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
