"""Numbers as people write them: with thousands, a decimal comma, a currency, a percent sign, a unit or a bound.

A cell is taken apart once (`taken_apart`); what its points and commas mean is decided for its whole column, with the
other columns of the table as a hint (`Evidence`), since "1.244" alone is either.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Style = Literal["en", "de"]
"""What point and comma mean: 1,234.5 or 1.234,5. Spaces and apostrophes separate thousands in both."""
ENGLISH_LIKE = ("en", "us", "uk", "ch", "in")
GERMAN_LIKE = ("de", "at", "fr", "it", "es", "nl", "pt", "pl", "ru", "sv", "da")
STYLES: dict[str, Style] = {}
STYLES |= dict.fromkeys(ENGLISH_LIKE, "en")
STYLES |= dict.fromkeys(GERMAN_LIKE, "de")
"""The styles by the languages and countries that write numbers so."""
MISSING = frozenset(
    {"", "na", "n/a", "n.a.", "nan", "null", "none", "nil", "?", "-", "--", "–", "—", ".", "..", "...", "…"}
    | {"#n/a", "#n/a n/a", "#na", "missing", "<na>", "nat", "(null)", "(none)", "#value!", "#ref!", "#div/0!", "#num!"}
    | {"#name?", "#null!", "k.a.", "k. a.", "keine angabe", "s/o", "n.d.", "0000-00-00", "0000-00-00 00:00:00"}
)
"""Lower-case cells that count as missing."""

PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
GAP = r"[ \u00a0\u202f\u2009'’]"
ENGLISH = re.compile(
    rf"(?:\d+|[1-9]\d{{0,2}}(?:,\d{{3}})+|\d{{1,3}}(?:{GAP}\d{{3}})+|\d{{1,2}}(?:,\d{{2}})+,\d{{3}})(?:\.\d*)?|\.\d+"
)
GERMAN = re.compile(rf"(?:\d+|[1-9]\d{{0,2}}(?:\.\d{{3}})+|\d{{1,3}}(?:{GAP}\d{{3}})+)(?:,\d*)?|,\d+")
FEET = re.compile(r"(\d)\s*['′’]\s*(\d{1,2}(?:\.\d+)?)\s*(?:[\"″”]|'')?")
"""5'11", in inches."""
CURRENCY = (
    r"(?:[A-Z]{1,3}\$|[$€£¥₹₽₩₺₪฿\uffe5\uffe1\uffe0]"
    r"|EUR|USD|GBP|CHF|JPY|CNY|RMB|INR|CAD|AUD|SEK|NOK|DKK|PLN|CZK|BRL|zł|kr\.?|Fr\.?|Rs\.?|\u5143|\u5186)"
)
WORD = r"[^\W\d_](?:[^\W\d_]|[°µ/^.\"']){0,11}[²³23]?"
UNIT = rf"(?:°\s?[CFK]?|/?{WORD}(?: {WORD})?|[%‰′″\"'])"
CELL = re.compile(
    rf"(?P<bound><=|>=|[<>≤≥~≈])?\s*(?P<sign>[+-])?\s*(?P<before>{CURRENCY})?\s*(?P<late>[+-])?"
    rf"(?P<body>[.,]?\d(?:[\d.,]|{GAP}(?=\d))*)(?P<exponent>[eE][+-]?\d+)?(?P<tail>-(?=$))?"
    rf"\s*(?P<after>{CURRENCY})?\s*(?P<unit>{UNIT})?\s*(?P<last>{CURRENCY})?(?P<end>-)?"
)
BRACKETED = re.compile(r"(?:" + CURRENCY + r"\s*)?\((?P<inside>[^()]+)\)")
"""Accounting notation for negative numbers: (1,234)."""

MAGNITUDES = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "bn": 1e9, "mn": 1e6, "mio": 1e6, "mrd": 1e9, "tsd": 1e3}
MAGNITUDES |= {"thousand": 1e3, "million": 1e6, "billion": 1e9, "millionen": 1e6, "milliarden": 1e9, "tausend": 1e3}
MAGNITUDES |= {"lakh": 1e5, "crore": 1e7, "cr": 1e7, "\u5343": 1e3, "\u4e07": 1e4, "\u4ebf": 1e8, "\u5104": 1e8}
FAMILIES: tuple[dict[str, float], ...] = (
    {"mg": 1e-6, "g": 1e-3, "gr": 1e-3, "kg": 1.0, "kgs": 1.0, "t": 1e3, "lb": 0.45359237, "lbs": 0.45359237}
    | {"oz": 0.028349523125},
    {
        "mm": 1e-3,
        "cm": 1e-2,
        "dm": 0.1,
        "m": 1.0,
        "km": 1e3,
        "in": 0.0254,
        "ft": 0.3048,
        "mi": 1609.344,
        "miles": 1609.344,
    },
    {
        "ms": 1e-3,
        "s": 1.0,
        "sec": 1.0,
        "secs": 1.0,
        "min": 60.0,
        "mins": 60.0,
        "minutes": 60.0,
        "h": 3600.0,
        "hr": 3600.0,
    }
    | {"hrs": 3600.0, "hours": 3600.0, "hour": 3600.0, "d": 86400.0, "day": 86400.0, "days": 86400.0}
    | {"week": 604800.0, "weeks": 604800.0},
    {"b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 1024.0, "mib": 1024.0**2, "gib": 1024.0**3},
    {"ml": 1e-3, "cl": 1e-2, "dl": 0.1, "l": 1.0, "liter": 1.0, "litre": 1.0},
    {"wh": 1.0, "kwh": 1e3, "mwh": 1e6},
    {"w": 1.0, "kw": 1e3, "hp": 745.7, "ps": 735.49875},
    {"m²": 1.0, "m2": 1.0, "qm": 1.0, "sqm": 1.0, "sq ft": 0.09290304, "sqft": 0.09290304, "ha": 1e4, "km²": 1e6},
    {"km/h": 1.0, "kmh": 1.0, "kph": 1.0, "mph": 1.609344, "m/s": 3.6},
    {"%": 1.0, "percent": 1.0, "‰": 0.1},
    {"st": 1.0, "nd": 1.0, "rd": 1.0, "th": 1.0},
)
"""Units, in lower case, that can be converted into each other."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A number in a cell, under both meanings of point and comma; None where it is none under one of them."""

    english: float | None
    german: float | None
    unit: str = ""
    """As written: "kg", "%"."""
    currency: str = ""
    magnitude: float = 1.0
    is_bound: bool = False
    """Whether the cell is a bound, such as <0.5."""
    body: str = ""

    def value(self, style: Style) -> float:
        first, second = (self.english, self.german) if style == "en" else (self.german, self.english)
        found = first if first is not None else second
        assert found is not None
        return found * self.magnitude


def is_missing(cell: str) -> bool:
    return cell.lower() in MISSING


def taken_apart(cell: str) -> Amount | None:
    """The parts of a cell that contains one number; None if it contains anything else."""
    if PLAIN.fullmatch(cell):
        if "." not in cell:
            value = _sound(float(cell))
            return None if value is None else Amount(value, value, body=cell.lstrip("+-"))
        body = cell.lstrip("+-")
        german = _sound(float(cell.replace(".", ""))) if GERMAN.fullmatch(body) else None
        english = _sound(float(cell))
        return None if english is None else Amount(english, german, body=body)
    cell = cell.replace("\u2212", "-")
    if feet := FEET.fullmatch(cell):
        inches = 12 * float(feet[1]) + float(feet[2])
        return Amount(inches, inches, "in")
    negative = 1.0
    if bracketed := BRACKETED.fullmatch(cell):
        cell, negative = bracketed["inside"], -1.0
    found = CELL.fullmatch(cell)
    if found is None:
        return None
    body, exponent = found["body"].rstrip(" "), found["exponent"] or ""
    signs = [mark for mark in (found["sign"], found["late"], found["tail"], found["end"]) if mark]
    if len(signs) > 1:
        return None
    negative *= -1.0 if signs == ["-"] else 1.0
    english = _read(body, exponent, ENGLISH, ",", ".", negative)
    german = _read(body, exponent, GERMAN, ".", ",", negative)
    if english is None and german is None:
        return None
    unit, magnitude = found["unit"] or "", 1.0
    if scale := MAGNITUDES.get(unit) or MAGNITUDES.get(unit.lower().rstrip(".")):
        unit, magnitude = "", scale
    currencies = [mark for mark in (found["before"], found["after"], found["last"]) if mark]
    return Amount(english, german, unit, "".join(currencies[:1]), magnitude, bool(found["bound"]), body)


def _read(body: str, exponent: str, form: re.Pattern[str], thousands: str, point: str, sign: float) -> float | None:
    if not form.fullmatch(body):
        return None
    plain = re.sub(GAP, "", body.replace(thousands, "")).replace(point, ".")
    return _sound(sign * float(plain + exponent))


def _sound(value: float) -> float | None:
    """None for what float32, in which models train, cannot hold."""
    return value if abs(value) < 1e30 else None


# ---- point or comma --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Evidence:
    """What the cells of a column say about point and comma."""

    points: int = 0
    """Cells that are numbers only if the point is the decimal point."""
    commas: int = 0
    """Cells that are numbers only if the comma is."""
    dotted: int = 0
    """Cells such as 1.244, which are either."""
    with_comma: int = 0
    """Cells such as 1,244, which are either."""
    trailing_zeros: int = 0
    """Those of either kind that end in 0."""
    small: int = 0
    """Whole numbers below 1000, without any mark."""
    large: int = 0
    """Whole numbers from 1000, without any mark."""
    money: int = 0
    """Cells with a currency: amounts of money do not have three decimals."""

    @property
    def looks_grouped(self) -> bool:
        """Whether the mark separates thousands: all numbers below 1000 are whole and have none. Decimals of three
        digits do not occur together with bare whole numbers, unless their last zeros are left out."""
        marked = self.dotted + self.with_comma
        if marked and self.money >= marked and not self.points and not self.commas:
            return True
        if not marked or self.large or self.points or self.commas or not self.small:
            return False
        return self.trailing_zeros > 0 or (self.small >= 3 and self.small >= 0.02 * (marked + self.small))


def evidence(amounts: Iterable[Amount]) -> Evidence:
    """Counted over the different cells of a column."""
    points = commas = dotted = with_comma = zeros = small = large = money = 0
    for amount in amounts:
        body = amount.body
        money += bool(amount.currency)
        if body.isdigit():
            small, large = (small + 1, large) if len(body) < 4 else (small, large + 1)
        elif amount.german is None:
            points += 1
        elif amount.english is None:
            commas += 1
        elif "." in body or "," in body:
            zeros += body[-1] == "0"
            dotted, with_comma = (dotted + 1, with_comma) if "." in body else (dotted, with_comma + 1)
    return Evidence(points, commas, dotted, with_comma, zeros, small, large, money)


@dataclass(frozen=True)
class Meaning:
    """What point and comma mean in a column, and whether that had to be guessed."""

    style: Style
    doubt: Literal["", "mixed", "asked"] = ""


def meaning(found: Evidence, of_table: Style | None) -> Meaning:
    """By the cells that allow one meaning only; else by the look of thousands; else by the rest of the table."""
    if found.points and found.commas:
        return Meaning("en" if found.points >= found.commas else "de", "mixed")
    if found.points or found.commas:
        return Meaning("en" if found.points else "de")
    if found.looks_grouped and not (found.dotted and found.with_comma):
        return Meaning("de" if found.dotted else "en")
    is_open = bool(found.dotted or found.with_comma) and of_table is None
    return Meaning(of_table or "en", "asked" if is_open else "")
