"""Types of columns: numbers, categories, dates, or nothing that a model can learn from. Notes state the assumptions."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from steepest.ingest.notes import cells_are, names, quoted
from steepest.messages import Message, enumerated, say

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "nil", "?", "-", "--", "#n/a", "missing", "<na>"})
"""Lower-case cells that count as missing."""
MIN_SHARE = 0.9
"""Minimum share of non-missing cells that must be numbers (or dates) for a column to have that type."""
MAX_CATEGORIES = 1000
"""Maximum number of categories; the rarest beyond it are merged into one."""
MAX_DISTINCT_SHARE = 0.5
"""Share of distinct texts in a column above which they are taken as row names and left out."""
LONG_TEXT_CHARACTERS = 40
"""Mean length above which texts are taken as sentences."""


@dataclass(frozen=True)
class Numbers:
    """A numeric feature; NaN where missing."""

    name: str
    values: np.ndarray  # [N], float64


@dataclass(frozen=True)
class Categories:
    """A categorical feature: `codes` are indices into `labels`."""

    name: str
    codes: np.ndarray  # [N], int64
    labels: list[str]


Feature = Numbers | Categories


@dataclass
class Reading:
    """The features of a table's columns, and notes on how they were read."""

    features: list[Feature] = field(default_factory=list)
    notes: list[Message] = field(default_factory=list)


def features(columns: Mapping[str, Sequence[str]], comma_separates: bool = True) -> Reading:
    """Features of a table's columns of cells, in order."""
    reading = Reading()
    left: dict[Message, list[str]] = {}
    for name, cells in columns.items():
        counts = Counter(cells)
        found, why = _feature(name, cells, counts, comma_separates, reading.notes)
        reading.features += found
        if why:
            left.setdefault(why, []).append(name)
        if formulas := sum(n for cell, n in counts.items() if cell.startswith("=")):
            reading.notes.append(
                say(
                    "{name}: {cells} a spreadsheet formula; read as text, never evaluated.",
                    name=quoted(name),
                    cells=cells_are(formulas),
                )
            )
    reading.notes += [say("Left out ({why}): {which}.", why=why, which=names(which)) for why, which in left.items()]
    return reading


def _feature(
    name: str, cells: Sequence[str], counts: Counter[str], comma_separates: bool, notes: list[Message]
) -> tuple[list[Feature], Message | None]:
    """The features of a column; or none and the reason."""
    values = {cell: n for cell, n in counts.items() if not is_missing(cell)}
    present = sum(values.values())
    if not values:
        return [], say("no values")
    if len(values) == 1 and present == len(cells):
        return [], say("constant")
    if (numbers := as_numbers(name, counts, comma_separates, notes)) is not None:
        column = np.array([numbers[cell] for cell in cells])
        if len(cells) > 2 and present == len(cells) and np.all(np.diff(column) == 1):
            return [], say("row numbers")
        if missing := int(np.isnan(column).sum()):
            notes.append(
                say(
                    "{name}: {missing:,} of {all:,} missing; filled with the median of each replicate's training "
                    "part, plus an indicator column.",
                    name=quoted(name),
                    missing=missing,
                    all=len(cells),
                )
            )
        return [Numbers(name, column)], None
    if (dates := _as_dates(values)) is not None:
        written, parse = dates
        notes.append(
            say(
                "{name}: dates as {written}; read as days since the first date and position in the year and week.",
                name=quoted(name),
                written=written,
            )
        )
        return _date_features(name, cells, parse), None
    if len(values) > max(MAX_DISTINCT_SHARE * present, 20):
        length = sum(len(cell) * n for cell, n in values.items()) / present
        if length >= LONG_TEXT_CHARACTERS:
            return [], say("texts; use --text to train on one of them")
        return [], say("row names: too many different texts")
    return [_categories(name, cells, values, notes)], None


def is_missing(cell: str) -> bool:
    return cell.lower() in MISSING


# ---- numbers ---------------------------------------------------------------------------------------------------------

PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:(?:,\d{3})+|(?:[ \u00a0\u202f'’]\d{3})+)(\.\d*)?")
OF_THOUSANDS = re.compile(r"[, \u00a0\u202f'’]")
DECIMAL_COMMA = re.compile(r"[+-]?\d{1,3}(\.\d{3})*,\d+|[+-]?\d+,\d+")
ACCOUNTING_NEGATIVE = re.compile(r"\([^()]+\)")
"""Accounting notation for negative numbers: (1,234)."""
CURRENCY_AND_PERCENT = "$€£¥\uffe5% "


def as_numbers(
    name: str, counts: Mapping[str, int], comma_separates: bool, notes: list[Message]
) -> dict[str, float] | None:
    """Cell → number, NaN where missing; None if too few cells are numbers.

    Numbers with leading zeros, such as 00501, are codes and not amounts.
    """
    cells = [cell for cell in counts if not is_missing(cell)]
    with_comma = [cell.strip(CURRENCY_AND_PERCENT) for cell in cells if "," in cell]
    decimal = (
        not comma_separates
        and bool(with_comma)
        and all(DECIMAL_COMMA.fullmatch(cell) for cell in with_comma)
        and any(len(cell.rpartition(",")[2]) != 3 or cell.lstrip("+-").startswith("0,") for cell in with_comma)
    )
    if any(len(cell) > 1 and cell[0] == "0" and cell.isdigit() for cell in cells):
        return None
    table = {cell: math.nan if is_missing(cell) else _number(cell, decimal) for cell in counts}
    strange = [cell for cell in cells if math.isnan(table[cell])]
    present, wrong = (sum(counts[cell] for cell in group) for group in (cells, strange))
    if not cells or present - wrong < MIN_SHARE * present:
        return None
    if decimal:
        notes.append(say("{name}: the comma is read as the decimal point.", name=quoted(name)))
    if any(cell.strip(CURRENCY_AND_PERCENT) != cell and not math.isnan(table[cell]) for cell in cells):
        notes.append(say("{name}: currency and percent signs are removed.", name=quoted(name)))
    if strange:
        notes.append(
            say(
                "{name}: {cells} not a number ({some}); read as missing.",
                name=quoted(name),
                cells=cells_are(wrong),
                some=enumerated([quoted(cell[:20]) for cell in strange[:3]]),
            )
        )
    return table


def _number(cell: str, decimal_comma: bool) -> float:
    """The number in a cell, NaN if it has none; plainly written numbers, the most frequent case, match at once."""
    if not PLAIN.fullmatch(cell):
        cell = _plainly(cell.strip(CURRENCY_AND_PERCENT), decimal_comma)
    value = float(cell) if PLAIN.fullmatch(cell) else math.nan
    return value if abs(value) < 1e30 else math.nan  # float32 is what models train in


def _plainly(cell: str, decimal_comma: bool) -> str:
    """A number in plain notation."""
    if decimal_comma and "," in cell:
        cell = cell.replace(".", "").replace(",", ".")
    elif THOUSANDS.fullmatch(cell):
        cell = OF_THOUSANDS.sub("", cell)
    elif ACCOUNTING_NEGATIVE.fullmatch(cell):
        cell = "-" + cell[1:-1].strip(CURRENCY_AND_PERCENT).replace(",", "")
    return cell


# ---- dates -----------------------------------------------------------------------------------------------------------

FORMATS = {
    say("year-month-day"): ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y\u5e74%m\u6708%d\u65e5"),
    say("month/day/year"): ("%m/%d/%Y", "%m-%d-%Y"),
    say("day/month/year"): ("%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y"),
    say("hour:minute"): ("%H:%M", "%H:%M:%S"),
    say("day month year"): ("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y"),
}
"""Date formats by their names. Where all dates of a column fit two formats, the first is used; a note names it."""

Parse = Callable[[str], datetime | None]


def _as_dates(values: Mapping[str, int]) -> tuple[Message, Parse] | None:
    """The name of the date format and its parser; None if the cells are not dates."""
    sample = [*values]
    if not all(re.search(r"\d.*[-/.\u5e74 :].*\d", cell) for cell in sample[:20]):
        return None
    tries: list[tuple[Message, Parse]] = [(next(iter(FORMATS)), _iso)]
    tries += [(words, _reader(form)) for words, forms in FORMATS.items() for form in forms]
    for words, parse in tries:
        if all(parse(cell) for cell in sample[:5]):
            right = sum(n for cell, n in values.items() if parse(cell))
            if right >= MIN_SHARE * sum(values.values()):
                return words, parse
    return None


def _iso(cell: str) -> datetime | None:
    try:
        return datetime.fromisoformat(cell[:26]).replace(tzinfo=None)  # without nanoseconds, which it cannot parse
    except ValueError:
        return None


def _reader(form: str) -> Parse:
    def read(cell: str) -> datetime | None:
        for tail in ("", " %H:%M", " %H:%M:%S"):
            try:
                return datetime.strptime(cell, form + tail)
            except ValueError:
                continue
        return None

    return read


def _date_features(name: str, cells: Sequence[str], parse: Parse) -> list[Feature]:
    """Days since the first date; sine and cosine of the position in the year, the week and, with times, the day."""
    known = {cell: None if is_missing(cell) else parse(cell) for cell in set(cells)}
    first = min(moment for moment in known.values() if moment is not None)
    blank = (math.nan,) * 4
    quantities = {
        cell: blank
        if moment is None
        else (
            (moment - first).total_seconds() / 86400,
            (moment.timetuple().tm_yday - 1) / 365.25,
            moment.weekday() / 7,
            (moment.hour * 60 + moment.minute) / 1440,
        )
        for cell, moment in known.items()
    }
    table = np.array([quantities[cell] for cell in cells])  # [N, 4]
    found: list[Feature] = [Numbers(f"{name}, days", table[:, 0])]
    for column, cycle in ((1, "year"), (2, "week"), (3, "day")):
        if np.nanmax(table[:, column]) > 0:
            angle = 2 * np.pi * table[:, column]
            found += [Numbers(f"{name}, {cycle} sin", np.sin(angle)), Numbers(f"{name}, {cycle} cos", np.cos(angle))]
    return found


# ---- categories ------------------------------------------------------------------------------------------------------


def _categories(name: str, cells: Sequence[str], values: Mapping[str, int], notes: list[Message]) -> Categories:
    """The most frequent texts as categories; missing cells are a further category."""
    ranked = sorted(values, key=lambda cell: (-values[cell], cell))
    labels, others = ranked[:MAX_CATEGORIES], len(ranked) - MAX_CATEGORIES
    number = {cell: i for i, cell in enumerate(labels)}
    if others > 0:
        notes.append(
            say(
                "{name}: {all} categories; the {others} rarest are merged into one.",
                name=quoted(name),
                all=len(ranked),
                others=others,
            )
        )
        number |= dict.fromkeys(ranked[MAX_CATEGORIES:], len(labels))
        labels = [*labels, "others"]
    if missing := sum(1 for cell in cells if is_missing(cell)):
        notes.append(
            say(
                "{name}: {missing:,} of {all:,} missing; a separate category.",
                name=quoted(name),
                missing=missing,
                all=len(cells),
            )
        )
    codes = np.array([number.get(cell, len(labels)) for cell in cells], dtype=np.int64)
    return Categories(name, codes, [*labels, "missing"] if missing else labels)
