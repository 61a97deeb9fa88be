"""A column of dates, times of the day or durations: in which order its numbers are, and what is said about it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from steepest.ingest.choices import Choice
from steepest.ingest.date_formats import Days, Moment, Order, by_directives, by_order, duration, iso, moment, orders
from steepest.ingest.far_values import FarValue, day_code, far_values
from steepest.ingest.notes import cells_are, quoted, some_of
from steepest.ingest.number_columns import MIN_SHARE, SAMPLE_CELLS
from steepest.ingest.number_formats import Style
from steepest.messages import Message, say
from steepest.records.task_warnings import TaskWarning, warning

WRITTEN: Mapping[str, Message] = {
    "ymd": say("year-month-day"),
    "mdy": say("month/day/year"),
    "dmy": say("day/month/year"),
    "": say("day month year"),
}
"""Orders in words; the last is that of dates with the name of the month."""
MIN_COMPACT = 5
"""Different whole numbers, such as 20210104, from which a column of them is one of dates."""


@dataclass(frozen=True)
class Dates:
    """The moments of a column in days; NaN where missing. Durations are in seconds."""

    days: np.ndarray  # [N]
    choice: Choice
    notes: tuple[Message, ...] = ()
    findings: tuple[TaskWarning, ...] = ()
    far: Sequence[FarValue] = ()


def read(
    name: str, cells: Sequence[str], values: Mapping[str, int], choice: Choice, of_table: Style | None
) -> Dates | None:
    """The dates, times or durations of a column; None if it has too few. `values` counts the cells that are not
    missing; `choice` may say what they are."""
    sample = [*values][:SAMPLE_CELLS]
    if choice.detail.startswith("%") or "%" in choice.detail:
        return _finished(name, cells, values, by_directives(choice.detail), choice, [_dates_note(name, choice.detail)])
    if not choice.kind:
        if sum(bool(re.search(r"\d", cell)) for cell in sample) < MIN_SHARE * len(sample):
            return None
        if sum(_is_moment(cell) or duration(cell) is not None for cell in sample) < len(sample) / 2:
            return None
    found = None if choice.kind == "duration" else _moments(name, cells, values, choice, of_table)
    if choice.kind in ("", "duration") and (found is None or found.choice.kind == "time"):
        as_durations = _finished(
            name,
            cells,
            values,
            duration,
            Choice("duration"),
            [say("{name}: durations; read as seconds.", name=quoted(name))],
        )
        if found is None or (as_durations and np.isnan(as_durations.days).sum() < np.isnan(found.days).sum()):
            return as_durations
    return found


def _is_moment(cell: str) -> bool:
    return iso(cell) is not None or moment(cell) is not None


def _moments(
    name: str, cells: Sequence[str], values: Mapping[str, int], choice: Choice, of_table: Style | None
) -> Dates | None:
    if choice.detail:
        order: Order = choice.detail  # type: ignore[assignment]
        return _finished(name, cells, values, by_order(order), choice, [_dates_note(name, WRITTEN[order])])
    known = {cell: days for cell in values if cell[4:5] in ("-", "W") and (days := iso(cell)) is not None}
    open_cells = {cell: found for cell in values if cell not in known and (found := moment(cell)) is not None}
    present, plain = sum(values.values()), sum(values[cell] for cell in known)

    def days_by(order: Order) -> Days:
        return lambda cell: open_cells[cell].days(order) if cell in open_cells else known.get(cell)

    possible: tuple[Order, ...] = orders((found, values[cell]) for cell, found in open_cells.items())
    if choice.kind in ("date", "time"):
        possible = tuple(order for order in possible if (order == "clock") == (choice.kind == "time"))
    elif plain:
        possible = tuple(order for order in possible if order != "clock")
    right: dict[Order, int] = {order: plain + _fitting(open_cells, values, order) for order in possible}
    best = max(right.values())
    if best < (MIN_SHARE * present if not choice.kind else 1):
        return None
    tied: list[Order] = [order for order in possible if right[order] == best]
    order = _preferred(tied, cells, open_cells, of_table)
    if order == "clock":
        note = say("{name}: times as hour:minute; read as their position in the day.", name=quoted(name))
        return _finished(name, cells, values, days_by(order), Choice("time"), [note])
    is_open = any(found.numbers is not None for found in open_cells.values())
    findings = _doubts(name, order, tied, open_cells)
    written = WRITTEN[order] if is_open else WRITTEN["ymd" if plain >= present / 2 else ""]
    made = Choice("date", order if is_open else "")
    return _finished(name, cells, values, days_by(order), made, [_dates_note(name, written)], findings)


def _fitting(open_cells: Mapping[str, Moment], values: Mapping[str, int], order: Order) -> int:
    return sum(values[cell] for cell, found in open_cells.items() if found.days(order) is not None)


def _preferred(
    tied: Sequence[Order], cells: Sequence[str], open_cells: Mapping[str, Moment], of_table: Style | None
) -> Order:
    """Of orders that fit as many cells: the one in which the rows are sorted; else the one whose years differ less than
    its days; with points, or where the table has decimal commas, day before month; else month before day."""
    dates: list[Order] = [order for order in tied if order != "clock"]
    if len(dates) < 2:
        return dates[0] if dates else tied[0]
    for order in dates:
        read = by_order(order)
        days = np.array([found for cell in cells[:SAMPLE_CELLS] if (found := read(cell)) is not None])
        steps = np.diff(days)
        if len(set(days)) > 2 and ((steps >= 0).all() or (steps <= 0).all()) and np.abs(steps).max() <= 3:
            return order
    if "ymd" in dates:  # years differ less than days
        triples = [found.numbers for found in open_cells.values() if found.numbers is not None]
        if len({first for first, _, _ in triples}) < len({last for _, _, last in triples}):
            return "ymd"
    pointed = sum(found.is_pointed for found in open_cells.values()) > len(open_cells) / 2
    wanted: Order = "dmy" if pointed or of_table == "de" else "mdy"
    return wanted if wanted in dates else dates[0]


def _doubts(name: str, order: Order, tied: Sequence[Order], open_cells: Mapping[str, Moment]) -> list[TaskWarning]:
    """Two-digit years, and days that may be months."""
    findings = []
    short = [cell for cell, found in open_cells.items() if found.short_year]
    if short:
        example = max(short, key=lambda cell: open_cells[cell].days(order) or 0.0)
        message = say(
            "{name}: years have two digits; 69 to 99 are read as 1969 to 1999, 00 to 68 as 2000 to 2068 ({cell} is "
            "{date}). Write years with four digits if that is wrong.",
            name=quoted(name),
            cell=quoted(example),
            date=_printed(open_cells[example].days(order)),
        )
        findings.append(warning("two-digit-years", message))
    other: Order | None = next((each for each in tied if each not in (order, "clock")), None)
    differing = [
        cell
        for cell, found in open_cells.items()
        if other is not None and not found.is_pointed and found.days(order) != found.days(other)
    ]
    if differing and other is not None:
        cell = differing[0]
        message = say(
            "{name}: day and month are ambiguous: {cell} is read as {date}, but may be {other}. If so, add "
            "--column {option}.",
            name=quoted(name),
            cell=quoted(cell),
            date=_printed(open_cells[cell].days(order)),
            other=_printed(open_cells[cell].days(other)),
            option=quoted(f"{name}=date:{other}"),
        )
        findings.append(warning("day-or-month", message))
    return findings


def _printed(days: float | None) -> str:
    return "?" if days is None else date.fromordinal(int(days)).isoformat()


def _dates_note(name: str, written: Message | str) -> Message:
    return say(
        "{name}: dates as {written}; read as days since the first date and position in the year and week.",
        name=quoted(name),
        written=written,
    )


def _finished(
    name: str,
    cells: Sequence[str],
    values: Mapping[str, int],
    days: Days,
    choice: Choice,
    notes: list[Message],
    findings: Sequence[TaskWarning] = (),
) -> Dates | None:
    """The column by a reader of its cells; None if too few cells can be read."""
    table = {cell: np.nan if (found := days(cell)) is None else found for cell in values}
    strange = [cell for cell, found in table.items() if np.isnan(found)]
    wrong, present = sum(values[cell] for cell in strange), sum(values.values())
    if wrong == present or present - wrong < MIN_SHARE * present:
        return None
    if strange:
        notes = [
            *notes,
            say(
                "{name}: {cells} not a date ({some}); read as missing.",
                name=quoted(name),
                cells=cells_are(wrong),
                some=some_of(strange),
            ),
        ]
    column = np.array([table.get(cell, np.nan) for cell in cells])
    far: Sequence[FarValue] = ()
    if choice.kind == "date":
        far = far_values(column, day_code, lambda days: next(cell for cell, found in table.items() if found == days))
    return Dates(column, choice, tuple(notes), tuple(findings), far)


# ---- dates such as 20210104 ------------------------------------------------------------------------------------------


def compact_days(values: np.ndarray) -> np.ndarray | None:
    """The days of whole numbers that all are dates such as 20210104; None for other numbers."""
    known = values[~np.isnan(values)]
    if not len(known) or known.min() < 19000101 or known.max() > 21001231 or (known != np.floor(known)).any():
        return None
    different = np.unique(known)
    if len(different) < MIN_COMPACT:
        return None
    table = {}
    for value in different:
        try:
            table[value] = date(int(value) // 10000, int(value) // 100 % 100, int(value) % 100).toordinal()
        except ValueError:
            return None
    places = np.searchsorted(different, np.nan_to_num(values, nan=different[0]))
    days = np.array([*table.values()], dtype=np.float64)[places]
    return np.where(np.isnan(values), np.nan, days)


def compact(name: str, days: np.ndarray) -> Dates:
    note = _dates_note(name, say("year, month and day in one number"))
    far = far_values(days, day_code, lambda day: date.fromordinal(int(day)).strftime("%Y%m%d"))
    return Dates(days, Choice("date", "%Y%m%d"), (note,), far=far)


# ---- features --------------------------------------------------------------------------------------------------------


def quantities(dates: Dates) -> Iterator[tuple[str, np.ndarray]]:
    """Days since the first date; sine and cosine of the position in the year, the week and, with times, the day."""
    yield "days", dates.days - np.nanmin(dates.days)
    whole = np.floor(dates.days)
    cycles = [("day", dates.days - whole)]
    if dates.choice.kind != "time":
        known = np.nan_to_num(whole, nan=1.0).astype(np.int64) - date(1970, 1, 1).toordinal()
        day = known.astype("datetime64[D]")
        of_year = (day - day.astype("datetime64[Y]")).astype(np.float64)
        gaps = np.isnan(dates.days)
        year, week = of_year / 365.25, (known + 3) % 7 / 7  # the first of January 1970 was a Thursday
        cycles = [("year", np.where(gaps, np.nan, year)), ("week", np.where(gaps, np.nan, week)), *cycles]
    for cycle, position in cycles:
        if np.nanmax(position) > 0:
            yield f"{cycle} sin", np.sin(2 * np.pi * position)
            yield f"{cycle} cos", np.cos(2 * np.pi * position)
