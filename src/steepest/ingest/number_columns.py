"""A column of numbers: what its cells have in common beside the digits, and what is said about it."""

import math
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from steepest.ingest.notes import cells_are, cells_have, quoted, some_of
from steepest.ingest.number_formats import FAMILIES, Amount, Style, evidence, is_missing, meaning, taken_apart
from steepest.ingest.packed_cells import PackedCells
from steepest.messages import Message, enumerated, say
from steepest.records.task_warnings import TaskWarning, warning

MIN_SHARE = 0.9
"""Minimum share of non-missing cells that must be numbers (or dates) for a column to have that type."""
SAMPLE_CELLS = 200
"""Different cells that are looked at before all of a column are."""

DIGITS_AND_MARKS = b"0123456789.+-eE\0"
MISSING_WORDS = re.compile(rb"(?<=\0)(?:na|n/a|nan|null|none|#n/a|<na>|\?|--?|\.)(?=\0)", re.IGNORECASE)
OF_MISSING_WORDS = frozenset(b"naulNAULoOe/#<>?")
LEADING_ZERO = re.compile(rb"\x000\d+(?=\0)")
ONE_MEANING = re.compile(rb"\0[+-]?(?:\d*\.(?!\d{3}\0)|(?:0\d*|\d{4,})?\.)")
"""A number in which the point can only be the decimal point."""


@dataclass(frozen=True)
class NumberTable:
    """The numbers of a column's different cells, NaN where missing, and how they were read."""

    values: Mapping[str, float]
    style: Style | Literal[""]
    notes: tuple[Message, ...] = ()
    findings: tuple[TaskWarning, ...] = ()


# ---- numbers without any ornament ------------------------------------------------------------------------------------


def plain_numbers(cells: PackedCells) -> np.ndarray | None:
    """The numbers of a column whose cells are all empty or plain numbers, the most frequent case, without looking at
    each cell; None for any other column, and where `number_table` might read a cell in another way."""
    blob = b"\0" + cells.blob() + b"\0"
    rest = blob.translate(None, DIGITS_AND_MARKS)
    if rest and not set(rest) <= OF_MISSING_WORDS:
        return None
    if rest or blob.find(b"\0-\0") >= 0 or blob.find(b"\0.\0") >= 0 or blob.find(b"\0--\0") >= 0:
        blob = MISSING_WORDS.sub(b"", blob)
        if blob.translate(None, DIGITS_AND_MARKS):
            return None
    if LEADING_ZERO.search(blob) or (b"." in blob and not ONE_MEANING.search(blob)):
        return None
    values = _parsed(blob, cells.all_rows)
    if values is None or np.isnan(values).all() or np.nanmax(np.abs(values)) >= 1e30:
        return None
    return values if cells.kept is None else values[cells.kept]


def _parsed(blob: bytes, count: int) -> np.ndarray | None:
    """The numbers between the zero bytes, parsed by NumPy at once; None if a cell is not a number.

    NumPy reads on within a cell such as 1-2, so that it finds too many numbers, and stops at one such as 1e.
    """
    while b"\0\0" in blob:
        blob = blob.replace(b"\0\0", b"\0nan\0")
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            values = np.fromstring(blob.replace(b"\0", b" ").decode("ascii"), dtype=np.float64, sep=" ")
        except (ValueError, DeprecationWarning):
            return None
    return values if len(values) == count else None


def has_points(cells: PackedCells) -> bool:
    """Whether a column of plain numbers has one in which the point can only be the decimal point."""
    blob = cells.blob()
    return b"." in blob and ONE_MEANING.search(b"\0" + blob + b"\0") is not None


# ---- numbers as people write them ------------------------------------------------------------------------------------


def number_table(
    name: str,
    counts: Mapping[str, int],
    of_table: Style | None = None,
    style: Style | None = None,
    *,
    with_units: bool = True,
    is_chosen: bool = False,
    unread: list[TaskWarning] | None = None,
) -> NumberTable | None:
    """The numbers of a column's cells; None if too few cells are numbers; `unread` collects what is found then.

    `style` is what point and comma mean where that is known, `of_table` what they mean in other columns. Numbers with
    leading zeros, such as 00501, are codes and not amounts, unless the user has chosen numbers.
    """
    cells = [cell for cell in counts if not is_missing(cell)]
    if not cells or not (is_chosen or _may_be_numbers(cells)):
        return None
    amounts = {cell: amount for cell in cells if (amount := taken_apart(cell)) is not None}
    present = sum(counts[cell] for cell in cells)
    if not amounts or (not is_chosen and any(_is_code(cell) for cell in cells)):
        return None
    units = _units(name, amounts, counts, present)
    if units.are_foreign and unread is not None:
        unread += units.findings
    if units.are_foreign or (not with_units and units.are_words):
        return None
    known = {cell: amount for cell, amount in amounts.items() if amount.unit not in units.foreign}
    strange = [cell for cell in cells if cell not in known]
    wrong = sum(counts[cell] for cell in strange)
    if not known or (not is_chosen and present - wrong < MIN_SHARE * present):
        return None
    found = evidence(known.values())
    read = meaning(found, of_table)
    meant = style or read.style
    values = dict.fromkeys(counts, math.nan)
    values |= {cell: amount.value(meant) * units.factor.get(amount.unit, 1.0) for cell, amount in known.items()}
    notes, findings = _about_style(name, meant, "" if style else read.doubt, known.values())
    notes += units.notes
    findings += units.findings
    if bounds := [cell for cell, amount in known.items() if amount.is_bound]:
        notes.append(
            say(
                "{name}: {cells} a bound ({some}); read as the number itself.",
                name=quoted(name),
                cells=cells_are(sum(counts[cell] for cell in bounds)),
                some=some_of(bounds),
            )
        )
    if strange:
        notes.append(
            say(
                "{name}: {cells} not a number ({some}); read as missing.",
                name=quoted(name),
                cells=cells_are(wrong),
                some=some_of(strange),
            )
        )
    says_something = found.points or found.commas or found.dotted or found.with_comma
    return NumberTable(values, meant if says_something else "", tuple(notes), tuple(findings))


def _may_be_numbers(cells: Sequence[str]) -> bool:
    """Whether most of the first cells are numbers, which spares reading a million texts."""
    some = cells[:SAMPLE_CELLS]
    return sum(taken_apart(cell) is not None for cell in some) >= len(some) / 2


def _is_code(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == "0" and cell.isdigit()


def _about_style(
    name: str, style: Style, doubt: str, amounts: Iterable[Amount]
) -> tuple[list[Message], list[TaskWarning]]:
    """What was assumed about points and commas."""
    marked = [amount.body for amount in amounts if "." in amount.body or "," in amount.body]
    notes: list[Message] = []
    findings: list[TaskWarning] = []
    dotted = next((body for body in marked if "." in body and _is_grouped(body, ".")), "")
    if style == "de" and any("," in body for body in marked):
        notes.append(say("{name}: the comma is read as the decimal point.", name=quoted(name)))
    if doubt == "mixed":
        message = say(
            "{name}: in some numbers the point is the decimal point, in others the comma ({some}). Each is read as it "
            "must be; {first} is read as {value:,g}. Write all numbers in one way.",
            name=quoted(name),
            some=some_of([*_one_of_each(marked)]),
            first=quoted("1.234" if style == "de" else "1,234"),
            value=1234,
        )
        findings.append(warning("mixed-number-formats", message))
    elif style == "de" and dotted and not any("." in body and "," in body for body in marked):
        message = say(
            "{name}: points are read as separators of thousands: {cell} is {value:,.10g}. If they are decimal points, "
            "add --column {option}.",
            name=quoted(name),
            cell=quoted(dotted),
            value=taken_value(dotted, "de"),
            option=quoted(f"{name}=number:en"),
        )
        findings.append(warning("dotted-thousands", message))
    elif doubt == "asked":
        mark = "." if any("." in body for body in marked) else ","
        cell = next(body for body in marked if mark in body)
        other: Style = "de" if mark == "." else "en"
        message = say(
            "{name}: {cell} may be {value:,.10g} or {thousands:,.10g}; read as {read:,.10g}. To read it as "
            "{not_read:,.10g}, add --column {option}.",
            name=quoted(name),
            cell=quoted(cell),
            value=taken_value(cell, "en" if mark == "." else "de"),
            thousands=taken_value(cell, other),
            read=taken_value(cell, style),
            not_read=taken_value(cell, "de" if style == "en" else "en"),
            option=quoted(f"{name}=number:{'de' if style == 'en' else 'en'}"),
        )
        findings.append(warning("point-or-comma", message))
    return notes, findings


def taken_value(cell: str, style: Style) -> float:
    amount = taken_apart(cell)
    return math.nan if amount is None else amount.value(style)


def _is_grouped(body: str, mark: str) -> bool:
    first, *groups = body.partition(",")[0].split(mark) if mark == "." else body.split(mark)
    return bool(groups) and len(first) <= 3 and all(len(group) == 3 for group in groups)


def _one_of_each(bodies: Sequence[str]) -> Iterable[str]:
    """A number with a decimal point, and one with a decimal comma."""
    for mark, other in ((".", ","), (",", ".")):
        yield next((body for body in bodies if mark in body and other not in body and not _is_grouped(body, mark)), "")


# ---- units -----------------------------------------------------------------------------------------------------------


@dataclass
class _Units:
    """The units of a column: which are converted by a factor, and which make a cell no number of this column."""

    factor: dict[str, float] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    are_foreign: bool = False
    """Whether numbers have units that cannot be converted into each other, so that the column is none of numbers."""
    are_words: bool = False
    """Whether numbers are followed by words, and not only by signs."""
    notes: list[Message] = field(default_factory=list)
    findings: list[TaskWarning] = field(default_factory=list)


def _units(name: str, amounts: Mapping[str, Amount], counts: Mapping[str, int], present: int) -> _Units:
    of_unit: Counter[str] = Counter()
    currencies: Counter[str] = Counter()
    for cell, amount in amounts.items():
        of_unit[amount.unit] += counts[cell]
        currencies[amount.currency] += counts[cell]
    units = _Units()
    bare, written = of_unit.pop("", 0), [unit for unit, _ in of_unit.most_common()]
    units.are_words = bool(written) and sum(of_unit[u] for u in written if u[0].isalpha()) >= bare
    signs = [mark for mark in currencies if mark]
    if signs or (written and set(written) <= {"%", "‰"}):
        units.notes.append(say("{name}: currency and percent signs are removed.", name=quoted(name)))
    if len(signs) > 1:
        units.findings.append(_mixed(name, currencies, say("The amounts are not converted.")))
    if not written:
        return units
    family = next((group for group in FAMILIES if written[0].lower().rstrip(".") in group), None)
    main = written[0]
    alike = {u for u in written if u.lower().rstrip(".") == main.lower().rstrip(".")}
    others = [unit for unit in written if unit not in alike]
    if main not in ("%", "‰") and of_unit[main] < (1 - MIN_SHARE) * present and bare >= MIN_SHARE * present:
        units.foreign = set(written)
        return units
    if others and family is not None and all(u.lower().rstrip(".") in family for u in others):
        base = family[main.lower().rstrip(".")]
        units.factor = {unit: family[unit.lower().rstrip(".")] / base for unit in others}
        if any(not math.isclose(factor, 1.0) for factor in units.factor.values()):
            how = say("All are converted to {unit}.", unit=quoted(main))
            units.findings.append(_mixed(name, of_unit, how))
    elif others and sum(of_unit[u] for u in others) > (1 - MIN_SHARE) * present:
        units.are_foreign = True
        if family is not None or any(unit[0] in "°%" for unit in written):
            units.findings.append(_mixed(name, of_unit, say("They cannot be converted, so these are categories.")))
        return units
    else:
        units.foreign = set(others)
    if bare:
        how = say("All are read as {unit}.", unit=quoted(main))
        units.findings.append(_mixed(name, Counter({"": bare}) + of_unit, how))
    elif main not in ("%", "‰"):
        units.notes.append(say("{name}: the unit {unit} is removed.", name=quoted(name), unit=quoted(main)))
    return units


def _mixed(name: str, counts: Counter[str], how: Message) -> TaskWarning:
    shares = [
        say("{cells} {unit}", cells=cells_have(count), unit=quoted(unit) if unit else say("none"))
        for unit, count in counts.most_common(4)
    ]
    message = say(
        "{name}: mixed units: {shares}. {how} Use one unit in the file, or leave the column out: --column {option}.",
        name=quoted(name),
        shares=enumerated(shares),
        how=how,
        option=quoted(f"{name}=drop"),
    )
    return warning("mixed-units", message)
