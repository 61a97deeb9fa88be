"""Cells as people type them: understood, or a category, or asked; no traceback, and no other number in silence."""

import random
from datetime import date, timedelta

import numpy as np
import pytest
from unseen.tabled import in_order_of, made, write

ROWS = 160
draw = np.random.default_rng(0)
NOISE = draw.normal(size=ROWS).round(3)
WHOLE = draw.permutation(np.arange(200, 200 + 37 * ROWS, 37))  # 200 … 6,083, all different
SMALL = (WHOLE / 1000).round(3)


def hours(n: int) -> str:
    return f"{n // 60}h {n % 60:02d}m" if n >= 60 else f"{n}m"


def short(n: float) -> str:
    return f"{n / 1e6:.2f}M" if n >= 1e6 else f"{n / 1e3:.2f}K" if n >= 1e3 else f"{n:.0f}"


def rupees(n: int) -> str:
    head, tail = str(n)[:-3], str(n)[-3:]
    pairs = []
    while head:
        pairs.insert(0, head[-2:])
        head = head[:-2]
    return ",".join([*pairs, tail])


FULL_WIDTH = str.maketrans("0123456789.-", "０１２３４５６７８９．－")
MANY = WHOLE * 997  # up to some millions

CELLS: dict[str, tuple[list[str], np.ndarray]] = {
    "kilometres and metres": ([f"{n / 1000:.2f} km" if n > 1500 else f"{n} m" for n in WHOLE], WHOLE),
    "grams and kilograms": ([f"{n / 1000:g}kg" if n > 3000 else f"{n}g" for n in WHOLE], WHOLE),
    "followers": ([short(n) for n in MANY], np.array([float(f"{n:.3g}") for n in MANY])),
    "sizes of files": ([f"{n / 1000:.1f} MB" if n > 1000 else f"{n} KB" for n in WHOLE], WHOLE),
    "hours and minutes": ([hours(int(n)) for n in WHOLE], WHOLE),
    "minutes and seconds": ([f"{n // 60}:{n % 60:02d}" for n in WHOLE], WHOLE),
    "feet and inches": ([f"{n // 12}'{n % 12}\"" for n in WHOLE], WHOLE),
    "degrees": ([f"{n // 60}°{n % 60:02d}'N" for n in WHOLE], WHOLE),
    "minus signs": ([f"−{n / 10}" for n in WHOLE], -WHOLE),
    "full-width digits": ([str(n / 10).translate(FULL_WIDTH) for n in WHOLE], WHOLE),
    "rupees in lakhs": ([rupees(n) for n in MANY], MANY),
    "Swiss thousands": ([f"{n:,}".replace(",", "’") for n in MANY], MANY),
    "powers of ten": ([f"{n:.4E}" for n in SMALL], SMALL),
    "fractions": ([f"{n // 8} {n % 8}/8" if n % 8 else f"{n // 8}" for n in WHOLE], WHOLE),
    "per cent": ([f"{n / 100} %" for n in WHOLE], WHOLE),
    "dollars in brackets": (
        [f"(${n:,.2f})" if n < 3000 else f"${n:,.2f}" for n in WHOLE],
        np.where(WHOLE < 3000, -WHOLE, WHOLE),
    ),
    "plus signs": ([f"+{n}" for n in WHOLE], WHOLE),
    "a leading point": ([f".{n:04d}" for n in WHOLE], WHOLE),
    "a trailing point": ([f"{n}." for n in WHOLE], WHOLE),
    "yen in words": ([f"{n}円" for n in WHOLE], WHOLE),
}


@pytest.mark.parametrize("written", CELLS)
def test_amounts_are_read_right_or_become_categories_or_are_asked(tmp_path, written):
    """Logistics, kitchens, social media, sport, maps, banks of five countries: one way of writing amounts each."""
    cells, truth = CELLS[written]
    table = made(write(tmp_path, {"amount": cells, "other": NOISE, "y": np.where(NOISE > 0, "a", "b")}), "y")
    if table.refused or any("amount" in str(one.message) for one in table.warnings):
        table.says("amount")
        return
    assert table.task is not None
    lines = [line for line in table.remarks.splitlines() if "amount" in line]
    category = "1 categorical column" in table.remarks or any("categor" in line for line in lines)
    left_out = any("Left out" in line for line in lines)
    assert in_order_of(table.task, truth) or category or left_out, table.remarks


DOTTED = {
    "euros with cents": [f"{n:,}".replace(",", ".") + ",50" for n in MANY],
    "inhabitants": [f"{n:,}".replace(",", ".") for n in MANY],
    "francs": [f"{n:,}".replace(",", "\u202f") + ",5 €" for n in MANY],
    "Danish crowns": ["kr. " + f"{n:,}".replace(",", ".") + ",00" for n in MANY],
}


@pytest.mark.parametrize("written", DOTTED)
def test_thousands_as_in_continental_europe(tmp_path, written):
    """Semicolons between cells: a German budget, Italian towns, French rents, Danish wages."""
    path = write(
        tmp_path,
        {
            "amount": DOTTED[written],
            "other": [str(v).replace(".", ",") for v in NOISE],
            "y": np.where(NOISE > 0, "a", "b"),
        },
        ";",
    )
    table = made(path, "y")
    if not (table.refused or any("amount" in str(one.message) for one in table.warnings)):
        assert table.task is not None
        assert in_order_of(table.task, MANY), table.remarks


DAYS = [date(2019, 11, 3) + timedelta(days=int(k)) for k in draw.permutation(5 * ROWS)[:ROWS]]
ORDINALS = np.array([d.toordinal() for d in DAYS])


@pytest.mark.parametrize("form", ["%d/%m/%y", "%m-%d-%y", "%d.%m.%y", "%d-%b-%y"])
def test_years_of_two_digits_are_reported(tmp_path, form):
    """Old hospital exports: `03/04/21` is three dates; the reading is reported."""
    columns = {"admitted": [d.strftime(form) for d in DAYS], "other": NOISE, "y": np.where(NOISE > 0, "a", "b")}
    table = made(write(tmp_path, columns), "y")
    table.says("admitted")
    lines = [line for line in table.words.splitlines() if "admitted" in line]
    assert any(
        "two" in line or "2-digit" in line or "year" in line or "categor" in line or "number" in line for line in lines
    )


@pytest.mark.parametrize(
    "cells",
    [
        [f"{d.year}年{d.month}月{d.day}日" for d in DAYS],
        [f"{d.year}Q{(d.month + 2) // 3}" for d in DAYS],
        [d.strftime("%a, %d %b %Y 08:15:00 +0200") for d in DAYS],
        [d.strftime("%b %Y") for d in DAYS],
        [f"{d.isoformat()}T24:00:00Z" for d in DAYS],
        [*["30/02/2021", "31.04.2020"], *[d.strftime("%d/%m/%Y") for d in DAYS[2:]]],
        [*["0000-00-00"] * 9, *map(str, DAYS[9:])],
        [int(d.strftime("%Y%m%d")) for d in DAYS],
    ],
    ids=["Japanese", "quarters", "e-mail", "month and year", "24 o'clock", "30 February", "zeros of MySQL", "digits"],
)
def test_dates_of_all_kinds_never_raise(tmp_path, cells):
    """Dates of trades and countries, and dates that do not exist."""
    table = made(write(tmp_path, {"when": cells, "other": NOISE, "y": np.where(NOISE > 0, "a", "b")}), "y")
    assert table.task is not None or "when" in table.refused


NASTY = [
    "2.10.1", "10.0.0.12", "120/80", "<5", ">=100", "n/a", "?", "-", "--", "–", "#N/A", "#DIV/0!", "#REF!",
    "NULL", "None", "inf", "-inf", "NaN", "1e400", "1e-400", "0x1F", "1_000", "1,2,3", "1;2", "12:61",
    "25:00:00", "24.60.00", "99.99.9999", "31.12.", "12/2021", "2021-13-01", "0/0/0", "00:00:00.000", "P1DT2H",
    "3-1", "1-2-3", "1/2", "½", "²", "١٢٣", "Ⅷ", "٪", "=1+1", "@SUM(A1)", "'5", '"', "''", "\\", "(", ")", "[",
    "*", "+", "^$", "(?P<x>", "a{2", "€", "$", "%", "% 5", "5 %%", "1 2 3", " ", "\t", "\u00a0", "\u200b5",
    "\ufeff7", "𝟙𝟚", "true", "FALSE", "Y", "é" * 300, "5 km", "km 5", "1e", "e5", "--5", "+-3", "1.2.3,4",
    "1,234.5.6", "5..2", "1'2'3", "12h", "PM", "4:30 PM", "16:30 AM", "noon", "T", "Z", "+02:00",
]  # fmt: skip


@pytest.mark.parametrize("share", [1.0, 0.5, 0.05], ids=["all cells", "half", "one in twenty"])
@pytest.mark.parametrize("rest", ["numbers", "dates", "words", "nothing"])
def test_no_cell_ends_in_a_traceback(tmp_path, rest, share):
    """Spreadsheets of ten years: each odd cell in columns of numbers, dates, words and nothing."""
    others = {"numbers": "{}.5", "dates": "2021-03-{:02d}", "words": "w{}", "nothing": ""}[rest]
    pick = random.Random(f"{rest}{share}")
    columns: dict[str, list] = {}
    for k, cell in enumerate(NASTY):
        columns[f"c{k}"] = [cell if pick.random() < share else others.format(1 + i % 28) for i in range(60)]
    columns["y"] = ["a", "b"] * 30
    table = made(write(tmp_path, columns), "y", checked=False)
    assert table.task is not None or len(table.refused) > 20
    kind = NASTY[(len(rest) * 7) % len(NASTY)]
    for target in ("c0", "c8", "c23", "c30", f"c{NASTY.index(kind)}"):
        table = made(write(tmp_path, columns), target, checked=False)
        assert table.task is not None or len(table.refused) > 20


@pytest.mark.parametrize(
    ("name", "value", "spread"),
    [("age", 999, (50, 15)), ("income", -1, (50_000, 9_000)), ("wind", 9999.9, (6, 2)), ("score", -99, (70, 10))],
)
def test_a_number_that_means_nothing_known(tmp_path, name, value, spread):
    """A register, a survey, a weather station, a school: one number stands for a missing value in one row of nine."""
    rng = np.random.default_rng(len(name))
    cells = rng.normal(*spread, 300).clip(1, None).round(1)
    cells[rng.random(300) < 0.11] = value
    y = np.where(rng.normal(size=300) > 0, "a", "b")
    made(write(tmp_path, {name: cells, "other": rng.normal(size=300), "y": y}), "y").alarms(name, str(abs(value)))


def test_a_number_that_means_nothing_known_in_the_target(tmp_path):
    """A river's gauge: −9999 in the target when ice stops it; an R² over that is about ice."""
    rng = np.random.default_rng(3)
    level = rng.normal(2, 0.4, 400).round(2)
    level[rng.random(400) < 0.08] = -9999
    made(write(tmp_path, {"rain": rng.normal(size=400), "snow": rng.normal(size=400), "level": level}), "level").alarms(
        "level", "9999"
    )


FAR_DATES = {
    "no end": ("%Y-%m-%d", "9999-12-31"),
    "before all": ("%Y-%m-%d", "1900-01-01"),
    "year one": ("%Y-%m-%dT00:00:00", "0001-01-01T00:00:00"),
    "German": ("%d.%m.%Y", "31.12.2099"),
    "day 0 of spreadsheets": ("%m/%d/%Y", "12/30/1899"),
    "second 0": ("%Y-%m-%d 10:15", "1970-01-01 00:00"),
    "one number": ("%Y%m%d", "20991231"),
    "nines in one number": ("%Y%m%d", "99991231"),
}


@pytest.mark.parametrize("kind", FAR_DATES)
def test_a_far_date_for_no_date(tmp_path, kind):
    """Contracts without an end, unknown birthdays, a database's day zero: one date stands for none in a fifth."""
    form, far = FAR_DATES[kind]
    ends = [far if k % 5 == 0 else f"{d:{form}}" for k, d in enumerate(DAYS)]
    path = write(tmp_path, {"ends": ends, "other": NOISE, "y": np.where(NOISE > 0, "a", "b")})
    made(path, "y").alarms(f"{far} is repeated far", f"ends.*--column 'ends=missing:{far}'")
    cured = made(path, "y", columns={"ends": f"missing:{far}"})
    assert "far-value" not in [each.id for each in cured.warnings]
    assert cured.task.choices["ends"].kind == "date"


def test_dates_that_lie_far_apart_for_good_reasons(tmp_path):
    """Birthdays over 70 years, two seasons of excavations, the first of January as a usual start."""
    rng = np.random.default_rng(8)
    columns = {
        "born": [str(date(1930, 1, 1) + timedelta(days=int(d))) for d in rng.integers(0, 25_000, ROWS)],
        "dug": [str(date(1990 + 25 * (d % 2), 6, 1) + timedelta(days=int(d))) for d in rng.integers(0, 60, ROWS)],
        "began": [str(date(2000 + int(k), 1, 1)) for k in rng.integers(0, 20, ROWS)],
        "y": np.where(NOISE > 0, "a", "b"),
    }
    assert "far-value" not in [each.id for each in made(write(tmp_path, columns), "y").warnings]


@pytest.mark.parametrize(
    "cells",
    [
        np.where(draw.random(300) < 0.6, 0, draw.gamma(2, 8, 300)).round(1),
        draw.normal(22, 9, 300).clip(5, 50).round(1),
        draw.lognormal(3, 1.5, 300).round(2),
        np.append(draw.normal(40, 10, 299), 4000.0).round(1),
        draw.choice([4.99, 9.99, 19.99, 49.99], 300),
        draw.integers(0, 2, 300) * 100 + draw.normal(5, 1, 300).round(2),
    ],
    ids=["rain", "capped prices", "incomes", "one outlier", "shop prices", "two kinds of lamps"],
)
def test_numbers_that_repeat_or_lie_far_off_for_good_reasons(tmp_path, cells):
    """Rain, capped prices, incomes, one outlier, shop prices, two modes: nothing that stops a run."""
    rng = np.random.default_rng(5)
    y = np.where(cells + rng.normal(0, cells.std() + 1e-9, 300) > np.median(cells), "a", "b")
    table = made(write(tmp_path, {"v": cells, "other": rng.normal(size=300), "y": y}), "y")
    assert not table.refused
    assert not table.severe


@pytest.mark.parametrize(
    "header",
    [
        ["a", "a", "y"],
        ["", "b", "y"],
        [" a ", "b", "y"],
        ["a\nb", "c", "y"],
        ['say "a"', "b;c", "y"],
        ["=cmd|' /C calc'!A0", "{}", "y"],
        ["%s", "{0}", "y"],
        ["名前", "年齢", "y"],
    ],
    ids=["twice", "no name", "spaces", "two lines", "quotes", "a formula", "a template", "Japanese"],
)
def test_names_of_columns_as_people_write_them(tmp_path, header):
    """Headers of spreadsheets: repeated, empty, over two lines, with signs that programs read."""
    path = tmp_path / "t.csv"
    rows = [f"{v},{w},{'a' if v + w > 0 else 'b'}" for v, w in zip(NOISE, NOISE[::-1], strict=True)]
    quoted = ['"' + name.replace('"', '""') + '"' for name in header]
    path.write_text("\n".join([",".join(quoted), *rows]) + "\n", encoding="utf-8")
    table = made(path, "y")
    assert table.task is not None or len(table.refused) > 20


def test_a_column_is_what_the_user_says_it_is(tmp_path, typed):
    """Post codes and years of age: `--column zip=category` overrides, and a wrong word lists the right ones."""
    codes = draw.choice([10115, 80331, 20095, 50667, 70173], ROWS)
    path = write(tmp_path, {"zip": codes, "other": NOISE, "y": np.where(NOISE > 0, "a", "b")})
    said = typed("check", "--data", str(path), "--target", "y", "--column", "zip=category").out
    assert "1 categorical column, 5 categories" in said
    wrong = typed("check", "--data", str(path), "--target", "y", "--column", "zip=colour", code=2).err
    assert "colour" in wrong
    assert "category" in wrong
    unknown = typed("check", "--data", str(path), "--target", "y", "--column", "zap=category", code=2).err
    assert "zap" in unknown
    assert "zip" in unknown


def test_an_amount_that_is_overruled_to_be_a_number(tmp_path, typed):
    """Words in a column of numbers: `--column` asks for numbers where there are none, and the sentence names a cell."""
    path = write(
        tmp_path,
        {"grade": draw.choice(["good", "fair", "poor"], ROWS), "other": NOISE, "y": np.where(NOISE > 0, "a", "b")},
    )
    wrong = typed("check", "--data", str(path), "--target", "y", "--column", "grade=number", code=2).err
    assert "grade" in wrong
