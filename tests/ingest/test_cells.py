"""Cells as people write them: each is read as what it means, or its column is one of categories; nothing escapes."""

import math
from datetime import date

import numpy as np
import pytest

from steepest.errors import BadTask
from steepest.ingest import columns, date_formats
from steepest.ingest.choices import Choice, chosen
from steepest.ingest.columns import Categories, Column, Numbers, far_findings, read_column
from steepest.ingest.date_columns import compact_days
from steepest.ingest.far_values import far_values
from steepest.ingest.number_columns import number_table, plain_numbers
from steepest.ingest.number_formats import evidence, meaning, taken_apart
from steepest.ingest.packed_cells import PackedCells
from steepest.ingest.ranges import midpoint


def read(*cells: str, of_table=None, words: str = "") -> Column:
    return read_column("x", cells, chosen("x", words) if words else Choice(), of_table)


def numbers(*cells: str, **how) -> list[float]:
    (feature,) = read(*cells, **how).features
    assert isinstance(feature, Numbers)
    return feature.values.tolist()


def ids(column: Column) -> list[str]:
    return [found.id for found in column.findings]


# ---- numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "english", "german"),
    [
        ("1.244,50", None, 1244.5),
        ("1,244.50", 1244.5, None),
        ("1.244", 1.244, 1244),
        ("1,244", 1244, 1.244),
        ("0.244", 0.244, None),
        ("1 234,5", None, 1234.5),
        ("12,34,567.8", 1234567.8, None),
        ("1'234.50", 1234.5, None),
        ("−5", -5, -5),
        ("1.244,50-", None, -1244.5),
        ("(5%)", -5, -5),
        ("1,5E+03", None, 1500),
        ("€ 3,5 Mio.", None, 3.5),
        ("<0.5", 0.5, None),
        ("5'11\"", 71, 71),
        ("R$ 1.200,50", None, 1200.5),
        ("20 °C", 20, 20),
    ],
)
def test_a_number_is_taken_apart_under_both_meanings_of_point_and_comma(cell, english, german):
    amount = taken_apart(cell)
    assert amount is not None
    assert (amount.english, amount.german) == (english, german)


@pytest.mark.parametrize("cell", ["--5", "20-29", "120/80", "12.03.2021", "4:30 PM", "1.2.3", "a5", "", "0x1F", "12*"])
def test_what_is_no_number_is_none(cell):
    assert taken_apart(cell) is None


@pytest.mark.parametrize(
    ("cells", "of_table", "expected"),
    [
        (("750", "1.244", "3.310"), None, [750, 1244, 3310]),  # a last zero, beside bare whole numbers
        (("750", "12", "380", "1.244"), None, [750, 12, 380, 1244]),
        (("750", "1.5", "1.244"), None, [750, 1.5, 1.244]),
        (("1.244", "2.317"), "de", [1244, 2317]),
        (("1.244", "2.317"), "en", [1.244, 2.317]),
        (("1.244", "1.244.000"), None, [1244, 1244000]),
        (("1,244", "750", "2,310"), None, [1244, 750, 2310]),
        (("12,5", "1.244"), None, [12.5, 1244]),
        (("€1.200", "€2.500"), None, [1200, 2500]),  # money has no three decimals
        (("1 244", "750"), None, [1244, 750]),
        (("1.2K", "3.4M", "950"), None, [1200, 3.4e6, 950]),
        (("12 %", "5 %"), None, [12, 5]),
    ],
)
def test_a_column_settles_what_point_and_comma_mean(cells, of_table, expected):
    assert numbers(*cells, of_table=of_table) == expected


def test_thousands_with_points_are_reported_and_can_be_overruled():
    cells = ("750", "1.244", "3.310")
    assert ids(read(*cells)) == ["dotted-thousands"]
    assert "--column 'x=number:en'" in str(read(*cells).findings[0].message)
    assert numbers(*cells, words="number:en") == [750, 1.244, 3.31]
    assert ids(read(*cells, words="number:en")) == []


def test_numbers_that_may_be_thousands_or_decimals_are_asked_about():
    assert ids(read("1.244", "2.317", "9.871")) == ["point-or-comma"]
    assert ids(read("1.244", "2.317", "9.871", of_table="en")) == []
    assert ids(read("1.244", "2.317", "9.8712")) == []
    assert ids(read("12.5", "7,25", "3.5", "4,75")) == ["mixed-number-formats"]
    assert numbers("12.5", "7,25", "3.5", "4,75") == [12.5, 7.25, 3.5, 4.75]


def test_the_meaning_of_a_table_is_that_of_its_clear_columns():
    assert columns.table_style({"a": ["1,5", "2"], "b": ["1.244", "2.317"]}) == "de"
    assert columns.table_style({"a": ["1.5", "2"], "b": ["1.244", "2.317"]}) == "en"
    assert columns.table_style({"a": ["1.5"], "b": ["1,5"]}) is None
    assert columns.table_style({"a": ["x"], "b": ["1"]}) is None


def test_decimals_of_three_digits_are_not_taken_for_thousands():
    draw = np.random.default_rng(0)
    for scale in (1, 20, 300):
        cells = [f"{x:.3f}" for x in draw.uniform(1, scale + 1, 300)]
        amounts = [amount for cell in cells if (amount := taken_apart(cell))]
        assert not evidence(amounts).looks_grouped
        shortened = [str(float(cell)) for cell in cells]
        assert meaning(evidence([a for cell in shortened if (a := taken_apart(cell))]), None).style == "en"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["70 kg", "70000 g", "154.3 lb"] * 4, [70, 70, 70]),
        (["180 cm", "1.8 m"] * 5, [180, 180]),
        (["90 min", "1.5 h"] * 5, [90, 90]),
        (["500 MB", "1.5 GB"] * 5, [500, 1500]),
    ],
)
def test_units_of_one_kind_are_converted_and_reported(cells, expected):
    column = read(*cells)
    assert ids(column) == ["mixed-units"]
    assert column.features[0].values[: len(expected)] == pytest.approx(expected, rel=1e-3)


def test_one_unit_is_removed_and_a_stray_one_is_missing():
    assert numbers("180 cm", "175 cm", "169cm") == [180, 175, 169]
    assert ids(read("180 cm", "175 cm", "169cm")) == []
    assert ids(read("180 cm", "175", "169 cm")) == ["mixed-units"]
    column = read(*map(str, range(5, 50, 2)), "12 cm")
    assert math.isnan(column.features[0].values[-1])
    assert ids(read("$5", "€7", "$8")) == ["mixed-units"]


def test_units_that_have_nothing_in_common_are_categories():
    column = read(*["20 °C", "68 °F"] * 10)
    assert isinstance(column.features[0], Categories)
    assert ids(column) == ["mixed-units"]
    assert isinstance(read(*["5A", "12B", "7C"] * 10).features[0], Categories)


@pytest.mark.parametrize(
    "cells",
    [
        ["1", "2.5", "", "-3e2"],
        ["NA", "1.25", "?", "-", "7"],
        ["nan", "0.5", ".5", "5."],
        ["n/a", "null", "12345.678", "None"],
    ],
)
def test_plain_numbers_are_read_quickly_and_as_carefully(cells):
    quick = plain_numbers(PackedCells.of(cells))
    table = number_table("x", dict.fromkeys(cells, 1))
    assert quick is not None and table is not None
    np.testing.assert_array_equal(quick, [table.values[cell] for cell in cells])


@pytest.mark.parametrize(
    "cells", [["00501", "1"], ["1.244", "750"], ["1-2", "3"], ["1e", "2"], ["1e40", "2"], ["12 %"], ["", "NA"], ["1_0"]]
)
def test_what_needs_care_is_left_to_the_careful_reader(cells):
    assert plain_numbers(PackedCells.of(cells)) is None


def test_random_numbers_agree_between_the_two_readers():
    draw = np.random.default_rng(1)
    cells = [f"{x:.{d}g}" for x, d in zip(draw.normal(0, 100, 500), draw.integers(1, 12, 500), strict=True)]
    quick = plain_numbers(PackedCells.of([*cells, "", "NaN"]))
    table = number_table("x", dict.fromkeys([*cells, "", "NaN"], 1))
    assert quick is not None and table is not None
    np.testing.assert_array_equal(quick, [*(table.values[cell] for cell in cells), math.nan, math.nan])


# ---- dates, times, durations -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    [
        *("2021-01-04", "2021/1/4", "2021.01.04", "4 Jan 2021", "4. Januar 2021", "Jan 4, 2021", "04-Jan-2021"),
        *(
            "Monday, 4 January 2021",
            "3rd of May 2020",
            "4 de enero de 2021",
            "4 janvier 2021",
            "2021\u5e741\u67084\u65e5",
        ),
        *("2021-W01-1", "2021-Q1", "Q1 2021", "Jan 2021", "2021-01-04T10:00:00Z", "Mon, 04 Jan 2021 10:00:00 GMT"),
        *("Thu Jan  4 10:00:00 2021", "04.01.2021 18:05", "14:30 04/01/2021", "1/4/2021 4:30 PM"),
    ],
)
def test_dates_of_many_forms_are_understood(cell):
    days = date_formats.by_order("dmy")(cell)
    assert days is not None
    assert date.fromordinal(int(days)).year in (2020, 2021)


@pytest.mark.parametrize(
    ("cell", "hours"),
    [
        *(("4:30 PM", 16.5), ("4 pm", 16), ("12:05 am", 5 / 60), ("18.30.00", 18.5), ("23:59:60", 24), ("24:00", 24)),
        *(("18h30", 18.5), ("18 Uhr", 18), ("7:05", 7 + 5 / 60), ("12:00 p.m.", 12)),
    ],
)
def test_times_of_many_forms_are_understood(cell, hours):
    days = date_formats.by_order("clock")(cell)
    assert days is not None
    assert days * 24 == pytest.approx(hours)


@pytest.mark.parametrize("cell", ["20-29", "18-24", "10-12", "65+", "2019-20", "12", "1/2", "25:00", "13/13/2021"])
def test_ranges_and_fractions_are_no_dates(cell):
    found = date_formats.moment(cell)
    assert found is None or not found.is_any


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        *(("125:30:00", 451800), ("2 days 03:00:00", 183600), ("1 h 30 m", 5400), ("PT1H30M", 5400)),
        *(("01:30.5", 90.5), ("3d 4h", 273600), ("45 s", 45)),
    ],
)
def test_durations_are_seconds(cell, seconds):
    assert date_formats.duration(cell) == seconds


def test_a_column_of_durations_beyond_a_day_is_no_clock():
    column = read("23:30:00", "25:10:00", "101:00:00", "02:15:30")
    assert column.choice.kind == "duration"
    assert numbers("23:30:00", "25:10:00") == [84600, 90600]
    assert read("04:32:10", "23:15:00", "11:00:59").choice.kind == "time"


@pytest.mark.parametrize(
    ("cells", "order", "found"),
    [
        (("13/01/2021", "02/03/2021"), "dmy", []),
        (("01/13/2021", "02/03/2021"), "mdy", []),
        (("05/04/2021", "02/03/2021"), "mdy", ["day-or-month"]),
        (("05.04.2021", "02.03.2021"), "dmy", []),
        (("31.12.99", "01.02.05"), "dmy", ["two-digit-years"]),
        (("21-01-31", "21-02-28"), "ymd", ["two-digit-years", "day-or-month"]),
        (("01/02/2021", "02/02/2021", "03/02/2021"), "dmy", ["day-or-month"]),  # sorted only so
    ],
)
def test_the_order_of_day_and_month_is_that_of_the_column_and_doubts_are_reported(cells, order, found):
    column = read(*cells)
    assert (column.choice.kind, column.choice.detail) == ("date", order)
    assert ids(column) == found


def test_dates_of_several_forms_may_stand_in_one_column():
    column = read("2021-01-04", "5 Jan 2021", "Jan 6, 2021", "07.01.2021")
    assert column.features[0].values.tolist() == [0, 1, 2, 3]


def test_numbers_that_are_all_dates_are_dates():
    cells = ["20210104", "20210105", "20210228", "20210301", "20211231", ""]
    assert read(*cells).choice == Choice("date", "%Y%m%d")
    assert numbers(*cells, words="number")[0] == 20210104
    assert compact_days(np.array([20210104.0, 20210132.0] * 5)) is None
    assert compact_days(np.arange(19990000.0, 19990100.0)) is None


def test_a_format_of_ones_own_is_used():
    column = read("03*04*21", "05*06*21", words="date:%d*%m*%y")
    assert column.scale is not None
    assert date.fromordinal(int(column.scale[0])) == date(2021, 4, 3)


# ---- ranges, categories, and what is chosen --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "middle"),
    [("20-29", 24.5), ("65+", 65), ("under 18", 18), ("1,000 - 1,999", 1499.5), ("$50k–$75k", 62500), ("5 bis 9", 7)],
)
def test_ranges_have_a_middle(cell, middle):
    assert midpoint(cell) == middle


def test_few_ranges_are_categories_and_many_are_numbers():
    few = read(*["18-24", "25-34", "65+"] * 5)
    assert isinstance(few.features[0], Categories)
    many = read(*(f"{10 * i}-{10 * i + 9}" for i in range(40)))
    assert (many.choice.kind, many.features[0].values[3]) == ("range", 34.5)
    assert numbers("18-24", "25-34", words="range") == [21, 29.5]


@pytest.mark.parametrize("cells", [["yes", "no"], ["TRUE", "FALSE"], ["M", "F", ""], ["120/80", "110/70"]])
def test_other_texts_are_categories(cells):
    (feature,) = read(*cells * 10).features
    assert isinstance(feature, Categories)


def test_a_choice_overrules_what_is_guessed():
    assert isinstance(read("1", "2", "7", words="category").features[0], Categories)
    assert read("1", "2", "7", words="drop").features == []
    assert numbers("00501", "00502", words="number") == [501, 502]
    assert math.isnan(numbers("5", "-200", "7.5", words="missing:-200")[1])
    assert math.isnan(numbers("5,5", "-200,0", "7", words="missing:-200")[1])
    assert read("red", "unknown", "red", "blue", words="missing:unknown").features[0].labels == [
        "red",
        "blue",
        "missing",
    ]
    with pytest.raises(BadTask, match="--column x=number: no cell of 'x' can be read so"):
        read("red", "blue", words="number")


@pytest.mark.parametrize("words", ["", "number", "date", "time", "duration", "range", "category"])
def test_nothing_that_a_reader_raises_escapes(words):
    draw = np.random.default_rng(2)
    letters = [*"0123456789.,:-/ %$€()eEhTZ+'\"<>aPMJan°"]
    for _ in range(60):
        cells = ["".join(draw.choice(letters, draw.integers(0, 9))) for _ in range(30)]
        try:
            read(*cells, words=words)
        except BadTask as error:
            assert "--column x=" in str(error)


def test_an_unforeseen_error_names_the_column_and_the_cell(monkeypatch):
    def broken(cell: str) -> None:
        if cell == "7 Foo":
            raise ZeroDivisionError("unforeseen")

    monkeypatch.setattr(columns, "moment", broken)
    monkeypatch.setattr(columns.date_columns, "moment", broken)
    with pytest.raises(BadTask, match=r"Column 'x': the cell '7 Foo' cannot be read \(ZeroDivisionError: unforeseen\)"):
        read("1 Foo", "7 Foo", "1 Foo", "9 Bar")


# ---- far values ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "low", "high"), [(-200, 0, 3), (-999, 10, 40), (9999, 0, 500), (99, 1, 7), (-1, 0, 900), (1e6, 0, 1)]
)
def test_a_repeated_value_far_outside_the_rest_is_found(value, low, high):
    draw = np.random.default_rng(3)
    rest = draw.integers(low, high + 1, 300) if high > 3 else draw.uniform(low, high, 300)
    (far,) = far_values(np.concatenate([rest, [value] * 20, [math.nan]]))
    assert (far.value, far.count) == (value, 20)


@pytest.mark.parametrize("kind", ["normal", "lognormal", "poisson", "zeros", "uniform", "binary", "pareto", "signs"])
def test_ordinary_columns_have_no_far_values(kind):
    for seed in range(20):
        draw = np.random.default_rng(seed)
        values = {
            "normal": lambda draw=draw: draw.normal(size=500).round(1),
            "lognormal": lambda draw=draw: draw.lognormal(0, 1.5, 500).round(),
            "poisson": lambda draw=draw: draw.poisson(2, 500),
            "zeros": lambda draw=draw: draw.exponential(size=500).round(1) * draw.integers(0, 2, 500),
            "uniform": lambda draw=draw: draw.integers(0, 100, 500),
            "binary": lambda draw=draw: draw.integers(0, 2, 500),
            "pareto": lambda draw=draw: draw.pareto(1.5, 500).round(),
            "signs": lambda draw=draw: draw.integers(-1, 2, 500),
        }[kind]()
        assert far_values(values.astype(float)) == []


def test_a_value_that_is_far_in_several_columns_is_reported_once():
    far = far_values(np.array([1.0, 2, 3, 4, *[-200] * 5]))
    (found,) = far_findings({"a": far, "b": far, "c": []})
    assert "'a': 5 times" in str(found.message)
    assert "--column '*=missing:-200'" in str(found.message)
