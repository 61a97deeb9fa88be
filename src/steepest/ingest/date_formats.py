"""Dates, times of the day and durations as people write them, in a dozen languages, and mixed within a column.

A cell is taken apart by its own look. Only the order of day, month and two-digit year may be open; that is decided for
the whole column (`orders`), as which of the orders all of its cells can have.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Literal

Order = Literal["dmy", "mdy", "ymd", "clock"]
"""Of three numbers: day, month and year, or hour, minute and second."""
ORDERS: tuple[Order, ...] = ("mdy", "dmy", "ymd", "clock")
PIVOT = 69
"""Two-digit years from here on are 19xx, earlier ones 20xx, as POSIX and Python have it."""
SECONDS_A_DAY = 86400.0

MONTHS = (
    "january jan januar jänner jaenner janvier janv enero ene gennaio gen januari janeiro styczeń stycznia",
    "february feb februar feber février fevrier févr fevr febrero febbraio februari fevereiro fev luty lutego",
    "march mar märz maerz mär mrz mars marzo mrt maart março marco marzec marca",
    "april apr avril avr abril abr aprile kwiecień kwietnia",
    "may mai mayo maggio mag mei maj maio maja",
    "june jun juni juin junio giugno giu junho czerwiec czerwca",
    "july jul juli juillet juil julio luglio lug julho lipiec lipca",
    "august aug août aout agosto ago augustus augusti sierpień sierpnia",
    "september sep sept septembre septiembre settembre set setembro wrzesień września",
    "october oct oktober okt octobre octubre ottobre ott outubro out październik października",
    "november nov novembre noviembre novembro listopad listopada",
    "december dec dezember dez décembre decembre déc diciembre dic dicembre desember des dezembro grudzień grudnia",
)
MONTH_NUMBER = {word: number for number, words in enumerate(MONTHS, start=1) for word in words.split()}
WEEKDAYS = (
    r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?|montag|dienstag|mittwoch|donnerstag|freitag|"
    r"samstag|sonnabend|sonntag|mo|di|mi|do|fr|sa|so|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lun|mar|mer|"
    r"jeu|ven|sam|dim"
)
TIME = (
    r"(?P<hour>\d{1,2})(?:\s?(?:h|uhr)|(?P<mark>[:.hH])(?P<minute>\d{2})"
    r"(?:[:.](?P<second>\d{2})(?:[.,](?P<part>\d{1,9}))?)?(?:\s?uhr|\s?h)?)?(?:\s*(?P<half>[ap])\.?\s?m\.?)?"
)
NAMED_ZONE = r"\s*(?:z|utc|gmt|[a-z]{2,3}t)"
ZONE = rf"(?:{NAMED_ZONE}|\s*(?:utc|gmt)?[+-]\d{{1,2}}(?::?\d{{2}})?)?"
MONTH = r"(?P<name>[^\W\d_]{3,12})\.?"
DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th|\.|º|er)?"
YEAR = r"(?P<year>\d{4}|['’]?\d{2})"
DATES = (
    r"(?P<year>\d{4})(?P<sep>[-/. ])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})",
    r"(?P<a>\d{1,2})(?P<sep>[-/. ])(?P<b>\d{1,2})(?P=sep)(?P<c>\d{4}|\d{2})\.?",
    rf"{DAY}(?:[ /-]+|\s*(?:de|of)\s+)?{MONTH}(?:[ ,/-]+|\s+de[l]?\s+)?{YEAR}",
    rf"{MONTH}[ -]*{DAY}(?:,\s*|[ -]+){YEAR}",
    rf"(?P<year>\d{{4}})[ /-]{MONTH}[ /-]{DAY}",
    rf"{DAY}[ /-]*{MONTH}",
    rf"{MONTH}[ /-]*{YEAR}",
    rf"{MONTH}[ -]*{DAY}",
    r"(?P<year>\d{4})[-/](?P<month>\d{1,2})",
    r"(?P<month>\d{1,2})/(?P<year>\d{4})",
    r"(?P<year>\d{4})[-/ ]?q(?P<quarter>[1-4])|q(?P<quarter2>[1-4])[-/ ]?(?P<year2>\d{4})",
    r"(?P<year>\d{4})-?w(?P<week>\d{2})(?:-?(?P<weekday>[1-7]))?",
    r"(?P<year>\d{4})\s?\u5e74\s?(?P<month>\d{1,2})\s?\u6708(?:\s?(?P<day>\d{1,2})\s?\u65e5)?",
)
COMPACT = re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})")
"""20210104: a date only where a whole column has such numbers."""
JOINT = r"(?:\s*t\s*|,?\s+(?:at |um |à )?|\s+-\s+|_)"
BEFORE, AFTER = rf"(?:(?:{WEEKDAYS})\.?,?\s+)?", rf"(?:,?\s+(?:{WEEKDAYS})\.?)?"
FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        *(rf"{BEFORE}{day}(?:{JOINT}{TIME}{ZONE})?{AFTER}" for day in DATES),
        *(rf"{TIME},?\s+{BEFORE}{day}" for day in DATES[:4]),
        rf"{BEFORE}{MONTH}\s+{DAY},?\s+{TIME}(?:{NAMED_ZONE})?\s+{YEAR}",
    )
)
CLOCK = re.compile(rf"{TIME}(?:{NAMED_ZONE})?", re.IGNORECASE)
DURATIONS = (
    re.compile(
        r"(?P<sign>-)?(?:(?P<days>\d+)\s*(?:days?|d|tage?),?\s*)?(?P<hours>\d+):(?P<minutes>\d{2})(?::(?P<seconds>\d{2}(?:[.,]\d+)?))?"
    ),
    re.compile(
        r"(?P<sign>-)?(?:(?P<weeks>\d+)\s*(?:w|weeks?))?\s*(?:(?P<days>\d+)\s*(?:d|days?|tage?))?,?\s*"
        r"(?:(?P<hours>\d+)\s*(?:h|hrs?|hours?|std\.?))?,?\s*"
        r"(?:(?P<minutes>\d+)\s*(?:m|mins?|minutes?))?,?\s*(?:(?P<seconds>\d+(?:[.,]\d+)?)\s*(?:s|secs?|seconds?))?",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?P<sign>-)?P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
        r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
    ),
    re.compile(r"(?P<minutes>\d{1,3}):(?P<seconds>\d{2}[.,]\d+)"),
)
OF_DURATION = {"weeks": 604800.0, "days": SECONDS_A_DAY, "hours": 3600.0, "minutes": 60.0, "seconds": 1.0}


@dataclass(frozen=True, slots=True)
class Moment:
    """A cell taken apart. `numbers` are day, month and year in an order that is open, or a time, such as 18.00.00."""

    year: int = 0
    month: int = 1
    day: int = 1
    seconds: float = 0.0
    """Since midnight."""
    numbers: tuple[int, int, int] | None = None
    short_year: bool = False
    """Whether the year is written with two digits."""
    has_date: bool = True
    is_pointed: bool = False
    """Whether points separate day and month: then the day comes first."""

    def days(self, order: Order = "dmy") -> float | None:
        """Days since the first of January of the year 1, or None if there is no such day."""
        year, month, day = self.year, self.month, self.day
        if order == "clock":
            return self._clock()
        if self.numbers is not None:
            named = dict(zip(order, self.numbers, strict=True))
            year, month, day = named["y"], named["m"], named["d"]
            if order == "ymd" and not self.short_year:
                return None
        if self.short_year and year < 100:
            year += 1900 if year >= PIVOT else 2000
        if not self.has_date:
            return None
        try:
            return date(year, month, day).toordinal() + self.seconds / SECONDS_A_DAY
        except ValueError:
            return None

    def _clock(self) -> float | None:
        if not self.has_date:
            return self.seconds / SECONDS_A_DAY
        if self.numbers is None or not (self.is_pointed and self.short_year) or self.seconds:
            return None
        seconds = _clock(*self.numbers, None)
        return None if seconds is None else seconds / SECONDS_A_DAY

    @property
    def is_any(self) -> bool:
        """Whether there is such a moment under any order."""
        return any(self.days(order) is not None for order in ORDERS)


@lru_cache(maxsize=4096)
def moment(cell: str) -> Moment | None:
    """The date, the time of the day or both in a cell; None if it has neither."""
    for form in FORMS:
        if (found := form.fullmatch(cell)) is not None and (read := _moment(found)) is not None:
            return read
    if (found := CLOCK.fullmatch(cell)) is not None and (found["minute"] or found["half"] or not cell.isdigit()):
        seconds = _seconds(found)
        return None if seconds is None else Moment(seconds=seconds, has_date=False)
    return None


def _moment(found: re.Match[str]) -> Moment | None:
    part = {name: text for name, text in found.groupdict().items() if text is not None}
    seconds = _seconds(found) if "hour" in part else 0.0
    if seconds is None:
        return None
    if "a" in part:
        numbers = int(part["a"]), int(part["b"]), int(part["c"])
        short, is_pointed = len(part["c"]) == 2, part["sep"] == "."
        read = Moment(seconds=seconds, numbers=numbers, short_year=short, is_pointed=is_pointed)
        return read if read.is_any else None
    year = part.get("year") or part.get("year2") or "2000"  # a day without a year: 2000 has all days
    month, day = int(part.get("month", 1)), int(part.get("day", 1))
    if "name" in part:
        if (month := MONTH_NUMBER.get(part["name"].lower(), 0)) == 0:
            return None
    elif quarter := part.get("quarter") or part.get("quarter2"):
        month = 3 * int(quarter) - 2
    elif "week" in part:
        try:
            first = date.fromisocalendar(int(year), int(part["week"]), int(part.get("weekday", 1)))
        except ValueError:
            return None
        return Moment(first.year, first.month, first.day, seconds)
    year = year.lstrip("'’")
    read = Moment(int(year), month, day, seconds, short_year=len(year) == 2)
    return read if read.days() is not None else None


def _seconds(found: re.Match[str]) -> float | None:
    """Seconds since midnight; None for a time that no clock shows."""
    hour, minute, second = int(found["hour"]), int(found["minute"] or 0), int(found["second"] or 0)
    if half := found["half"]:
        if not 1 <= hour <= 12:
            return None if hour > 23 or half.lower() == "a" else _clock(hour, minute, second, found["part"])
        hour = hour % 12 + (12 if half.lower() == "p" else 0)
    return _clock(hour, minute, second, found["part"])


def _clock(hour: int, minute: int, second: int, part: str | None) -> float | None:
    if minute > 59 or second > 60 or hour > 24 or (hour == 24 and minute + second > 0):
        return None
    return hour * 3600.0 + minute * 60 + second + (float(f"0.{part}") if part else 0.0)


# ---- readers of a column ---------------------------------------------------------------------------------------------

Days = Callable[[str], float | None]
"""Cell → days since the year 1, or the part of a day for a time; None if it is neither."""


def iso(cell: str) -> float | None:
    """Quickly, the dates of ISO 8601."""
    try:
        found = datetime.fromisoformat(cell[:26])  # without nanoseconds, which it cannot parse
    except ValueError:
        return None
    time = found.hour * 3600 + found.minute * 60 + found.second + found.microsecond / 1e6
    return found.toordinal() + time / SECONDS_A_DAY


def by_order(order: Order) -> Days:
    def read(cell: str) -> float | None:
        if len(cell) >= 8 and cell[4:5] in "-W" and (quick := iso(cell)) is not None:
            return quick
        found = moment(cell)
        return None if found is None else found.days(order)

    return read


def compact(cell: str) -> float | None:
    """A date written as 20210104."""
    if (found := COMPACT.fullmatch(cell)) is None or not 1800 <= int(found["year"]) <= 2199:
        return None
    return Moment(int(found["year"]), int(found["month"]), int(found["day"])).days()


def by_directives(form: str) -> Days:
    """By directives of strptime, such as %d.%m.%y. Raises ValueError or re.error for directives that it refuses."""
    datetime.strptime(datetime(2000, 1, 1).strftime(form), form)
    has_date = bool(re.search(r"%[YymdjbBUWVGx]|%c", form))

    def read(cell: str) -> float | None:
        try:
            found = datetime.strptime(cell, form)
        except ValueError:
            return None
        time = found.hour * 3600 + found.minute * 60 + found.second + found.microsecond / 1e6
        return (found.toordinal() if has_date else 0) + time / SECONDS_A_DAY

    return read


def orders(moments: Iterable[tuple[Moment, int]]) -> tuple[Order, ...]:
    """All orders, the one that most of these cells can have first; `moments` are counted."""
    right: dict[Order, int] = dict.fromkeys(ORDERS, 0)
    for found, count in moments:
        for order in ORDERS:
            right[order] += count * (found.days(order) is not None)
    return tuple(sorted(ORDERS, key=lambda order: -right[order]))


def duration(cell: str) -> float | None:
    """Seconds; None if the cell is not a duration."""
    for form in DURATIONS:
        if (found := form.fullmatch(cell)) is not None:
            part = {name: text for name, text in found.groupdict().items() if text}
            sign = -1.0 if part.pop("sign", "") else 1.0
            if part:
                return sign * sum(float(text.replace(",", ".")) * OF_DURATION[name] for name, text in part.items())
    return None
