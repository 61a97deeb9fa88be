"""Tables in situations that people have reported: what is read, and what is reported about it."""

import math
import random
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from ingest.command import steepest

from steepest.errors import BadInput, BadSetting, BadTask
from steepest.ingest import choices, from_file, spreadsheets
from steepest.ingest.load import resolve
from steepest.ingest.parts_by import PartsBy
from steepest.ingest.table_task import Table, TableTask, read_table

Rows = Iterable[Iterable[object]]


def written(path: Path, header: str, rows: Rows, separator: str = ",") -> Path:
    lines = [header, *(separator.join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def table(path: Path, target: str, **columns: str) -> Table:
    sheet = spreadsheets.read(path, path.read_bytes())
    return read_table(sheet, target, None, choices.from_mapping(columns), PartsBy())


def task(path: Path, target: str, **options) -> TableTask:
    made = resolve(from_file.reference(path, target=target, **options))
    assert isinstance(made, TableTask)
    return made


def ids(made: TableTask) -> list[str]:
    return [found.id for found in made.found]


def german(number: int) -> str:
    return f"{number:,}".replace(",", ".")


def sales(path: Path) -> Path:
    """A German export: 1.234 is a thousand, and below a thousand there is no point."""
    draw = random.Random(1)
    rows = []
    for _ in range(300):
        customers, area = draw.randrange(200, 4000), draw.randrange(80, 900)
        rows.append([draw.choice("ABCD"), german(customers), area, german(int(customers * 31.7 + area * 12))])
    return written(path / "sales.csv", "Filiale;Kunden;Flaeche;Umsatz", rows, ";")


def air(path: Path) -> Path:
    """Semicolons, decimal commas, times as 18.00.00, empty last columns and rows, and -200 for no value."""
    draw, when = random.Random(5), datetime(2004, 3, 10, 18)
    rows: list[list[str]] = []
    for i in range(400):
        base = 3 + 2 * math.sin(i / 24 * 6.28) + draw.gauss(0, 0.3)
        amounts = [
            -200 if draw.random() < 0.15 else round(v, 1)
            for v in (base * 0.3, base * 40 + draw.gauss(0, 20), base * 2.1 + draw.gauss(0, 1))
        ]
        cells = [str(value).replace(".", ",") for value in amounts]
        rows.append([when.strftime("%d/%m/%Y"), when.strftime("%H.%M.%S"), *cells, "", ""])
        when += timedelta(hours=1)
    return written(path / "air.csv", "Date;Time;CO;NOx;C6H6;;", [*rows, *[[""] * 7] * 30], ";")


def columns_of_all_kinds(path: Path) -> Path:
    draw = random.Random(6)
    rows = [
        [
            draw.choice(["18-24", "25-34", "35-44"]),
            f"{draw.randrange(24):02d}.{draw.randrange(60):02d}.00",
            f"{draw.randrange(1, 29)} {draw.choice(['Jan', 'Feb', 'Mar'])} 2021",
            f"{draw.randrange(1, 13)}:{draw.randrange(60):02d} PM",
            f"{draw.randrange(24):02d}:{draw.randrange(60):02d}:{draw.randrange(60):02d}",
            round(draw.gauss(0, 1), 3),
            draw.choice(["yes", "no"]),
        ]
        for _ in range(200)
    ]
    return written(path / "columns.csv", "age_group,clock,day,evening,elapsed,x,y", rows)


def kinds(found: Table) -> dict[str, str]:
    return {name: choice.kind for name, choice in found.choices.items()}


def test_thousands_of_a_german_export_are_thousands_in_the_target_too(tmp_path):
    found = table(sales(tmp_path), "Umsatz")
    customers, area = (feature.values for feature in found.reading.features if feature.name in ("Kunden", "Flaeche"))
    assert customers.min() >= 200 and customers.max() > 1000
    assert np.all(found.target.values[:, 0] == np.floor(customers * 31.7 + area * 12))
    assert ids(task(sales(tmp_path), "Umsatz")) == ["dotted-thousands", "dotted-thousands"]


def test_measurements_with_a_code_for_no_value_are_read_and_the_code_is_reported(tmp_path):
    path = air(tmp_path)
    found = table(path, "C6H6")
    assert kinds(found) == dict.fromkeys(("CO", "NOx", "C6H6"), "number") | {"Date": "date", "Time": "time"} | {
        "column 6": "drop",
        "column 7": "drop",
    }
    made = task(path, "C6H6")
    assert ids(made) == ["far-value"]
    assert all(f"'{name}': " in str(made.found[0].message) for name in ("CO", "NOx", "C6H6"))
    cured = task(path, "C6H6", columns={"*": "missing:-200"})
    assert ids(cured) == []
    assert sum(cured.sizes.values()) < sum(made.sizes.values())  # rows without a target


def test_dates_times_and_ranges_are_read_as_what_they_are(tmp_path):
    assert kinds(table(columns_of_all_kinds(tmp_path), "y")) == {
        "age_group": "category",
        "clock": "time",
        "day": "date",
        "evening": "time",
        "elapsed": "time",
        "x": "number",
        "y": "category",
    }


# ---- further tables --------------------------------------------------------------------------------------------------


def answers(count: int = 60) -> list[str]:
    draw = random.Random(0)
    return [draw.choice(["yes", "no"]) for _ in range(count)]


FURTHER: dict[str, tuple[Callable[[int], str], str, list[str]]] = {
    # what a cell looks like, how it is read, and what is reported
    "French amounts": (lambda i: f"{1 + i % 9} {i * 7 % 1000:03d},{i % 100:02d} €", "number", []),
    "bank statement": (lambda i: f"{'-' if i % 2 else ''}{1 + i % 9}.{i * 7 % 1000:03d},{i % 100:02d}", "number", []),
    "app sizes": (lambda i: f"{i % 40 + 1}.5{'M' if i % 4 else 'K'}", "number", []),
    "weights in two units": (
        lambda i: f"{60 + i} kg" if i % 2 else f"{(60 + i) * 2.2:.0f} lb",
        "number",
        ["mixed-units"],
    ),
    "shares": (lambda i: f"{i * 1.5:.1f}%", "number", []),
    "detection limits": (lambda i: "<0.5" if i % 7 == 0 else f"{i / 9:.2f}", "number", []),
    "birthdays": (lambda i: f"{i % 28 + 1:02d}.{i % 12 + 1:02d}.{(60 + i) % 100:02d}", "date", ["two-digit-years"]),
    "US dates": (lambda i: f"{i % 12 + 1}/{i % 28 + 1}/2021", "date", []),
    "web log": (lambda i: f"{i % 28 + 1:02d}/Jan/2021 10:{i:02d}:00", "date", []),
    "ISO with zone": (lambda i: f"2021-03-{i % 28 + 1:02d}T10:{i:02d}:00+01:00", "date", []),
    "month": (lambda i: f"{2015 + i // 12}-{i % 12 + 1:02d}", "date", []),
    "race times": (lambda i: f"{i // 30 + 2}:{i:02d}:07.{i % 10}", "time", []),
    "work hours": (lambda i: f"{20 + i}:30:00", "duration", []),
    "salary bands": (lambda i: f"${10 * (i % 6)}k - ${10 * (i % 6) + 9}k", "category", []),
    "postcodes": (lambda i: f"{i % 7 + 1000:05d}", "category", []),
    "blood pressure": (lambda i: f"{120 + i % 5}/{80 + i % 3}", "category", []),
    "truth": (lambda i: ["True", "False", ""][i % 3], "category", []),
    "survey codes": (lambda i: str(99 if i % 9 == 0 else 1 + i % 5), "number", ["far-value"]),
    "sensor": (lambda i: str(-999 if i % 8 == 0 else round(20 + math.sin(i), 2)), "number", ["far-value"]),
    "seasons": (lambda i: f"{2010 + i % 9}-{11 + i % 9}", "category", []),
    "football scores": (lambda i: f"{i % 4}-{i % 3}", "category", []),
    "versions": (lambda i: f"1.{i % 4}.{i % 3}", "category", []),
}


@pytest.mark.parametrize("name", FURTHER)
def test_columns_from_other_corners_are_read_and_reported(name, tmp_path):
    cell, kind, reported = FURTHER[name]
    draw = np.random.default_rng(0)
    rows = [[f'"{cell(i)}"', f"{draw.normal():.4f}", answer] for i, answer in enumerate(answers())]
    path = written(tmp_path / "t.csv", "what,x,answer", rows)
    assert kinds(table(path, "answer"))["what"] == kind
    assert ids(task(path, "answer")) == reported


def test_a_target_may_be_thousands_money_a_duration_or_have_gaps(tmp_path):
    draw = np.random.default_rng(0)
    rows = [[f"{draw.normal():.4f}", f"$1,{i:03d}", f"{i % 9}:{i:02d}:00", i if i % 5 else -9999] for i in range(60)]
    path = written(tmp_path / "t.csv", "x;money;took;y", rows, ";")
    assert table(path, "money").target.values[7, 0] == 1007
    assert table(path, "took", took="duration").target.values[7, 0] == 7 * 3600 + 7 * 60
    assert ids(task(path, "y")) == ["far-value"]
    assert len(table(path, "y", y="missing:-9999").target.values) == 48


# ---- choices on the command line and in files ------------------------------------------------------------------------


@pytest.mark.parametrize("make", [sales, air, columns_of_all_kinds])
def test_what_was_decided_is_written_and_read_back(make, tmp_path):
    path = make(tmp_path)
    target = path.read_text().splitlines()[0].rstrip(";").replace(";", ",").split(",")[-1]
    text = from_file.columns_file(from_file.reference(path, target=target))
    (tmp_path / "columns.toml").write_text(text, encoding="utf-8")
    again = from_file.reference(path, target=target, columns=tmp_path / "columns.toml")
    assert from_file.columns_file(again) == text
    first, second = task(path, target).splits(0), resolve(again).splits(0)
    assert all(a.equal(b) for a, b in zip(first.inputs, second.inputs, strict=True))
    assert first.targets.equal(second.targets)


def test_choices_survive_any_name(tmp_path):
    names = ['a "b"', "a=b", "täglich\tx", "#", "\\n", "x.y", "[columns]", "'", "\x7f"]
    given = {name: choices.chosen(name, "category") for name in names}
    given["two"] = choices.chosen("two", "number:de").with_more(choices.chosen("two", "missing:-9,5"))
    (tmp_path / "c.toml").write_text(choices.written(given, 't "1".csv'), encoding="utf-8")
    assert choices.read_file(tmp_path / "c.toml") == given
    assert choices.from_options(["a=b=category", "t=date:%H=%M"]) == {
        "a=b": choices.Choice("category"),
        "t": choices.Choice("date", "%H=%M"),
    }


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("age", "--column age: cannot be read. Write COLUMN=number"),
        ("age=numbers", "--column age=numbers: cannot be read"),
        ("age=number:xx", "unknown style. Use number:en for 1,234.5 or number:de for 1.234,5"),
        ("age=date:%Q", "directives of strptime"),
        ("age=category:5", "category takes nothing after a colon"),
        ("age=missing", "unknown way to read a column"),
    ],
)
def test_a_choice_that_cannot_be_read_gets_one_sentence(option, said):
    with pytest.raises(BadSetting) as caught:
        choices.from_options([option])
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("columns", "is not valid TOML"),
        ("[other]", "has no table [columns]"),
        ("[columns]\nage = 5", "'age' is 5. Write a text"),
        ('[columns]\nage = "numbers"', "unknown way to read a column"),
    ],
)
def test_a_file_of_choices_that_cannot_be_read_gets_one_sentence(text, said, tmp_path):
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(BadInput) as caught:
        choices.read_file(tmp_path / "c.toml")
    assert said in str(caught.value)


def test_the_command_line_takes_choices_and_writes_them(tmp_path, capsys):
    path, out = air(tmp_path), tmp_path / "out.toml"
    words = ("check", "--data", str(path), "--target", "C6H6", "--column", "*=missing:-200", "--column", "Time=drop")
    assert steepest(*words, "--columns-out", str(out)) == 0
    said = capsys.readouterr().out
    assert "far-value" not in said
    assert "Left out (as chosen): 'Time'." in said
    assert '"C6H6" = ["number:de", "missing:-200"]' in out.read_text(encoding="utf-8")
    assert '"Time" = "drop"' in out.read_text(encoding="utf-8")
    assert steepest("check", "--data", str(path), "--target", "C6H6", "--columns", str(out), "--column", "x=drop") == 2
    assert "There is no column 'x'." in capsys.readouterr().err


def test_choices_of_columns_need_a_table(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((30, 2)), y=np.arange(30.0))
    with pytest.raises(BadSetting, match="--column does not apply to"):
        from_file.reference(tmp_path / "a.npz", columns={"x": "drop"})
    with pytest.raises(BadSetting, match="--columns-out does not apply to"):
        from_file.columns_file(from_file.reference(tmp_path / "a.npz"))
    with pytest.raises(BadTask, match=r"is the target\. Read it as number, duration or category"):
        table(sales(tmp_path), "Umsatz", Umsatz="drop")


def test_rows_that_end_in_separators_are_whole(tmp_path):
    path = written(tmp_path / "t.csv", "x;answer", [[i / 7, answer, "", ""] for i, answer in enumerate(answers())], ";")
    assert len(table(path, "answer").target.values) == 60


def test_dates_keep_their_days(tmp_path):
    days = [date(2020, 2, 27) + timedelta(days=i) for i in range(60)]
    rows = [[day.strftime("%d.%m.%Y"), day.isoformat(), answer] for day, answer in zip(days, answers(), strict=True)]
    found = table(written(tmp_path / "t.csv", "a,b,answer", rows), "answer")
    assert found.reading.columns["a"].scale.tolist() == [day.toordinal() for day in days]
    assert found.reading.columns["b"].scale.tolist() == [day.toordinal() for day in days]


# ---- groups, time, folds ---------------------------------------------------------------------------------------------


def patients(path: Path) -> Path:
    """The diagnosis belongs to the patient; the measurements are noise."""
    draw, rows = random.Random(3), []
    for patient in range(40):
        sick = draw.choice(["ill", "healthy"])
        rows += [[f"P{patient:03d}", round(draw.gauss(75, 9), 5), i % 5, sick] for i in range(20)]
    return written(path / "patients.csv", "patient_id,pulse,fold,diagnosis", rows)


def prices(path: Path) -> Path:
    """A random walk by day."""
    draw, price, rows = random.Random(2), 100.0, []
    for i in range(400):
        price += draw.gauss(0, 1)
        rows.append([date(2018, 1, 1) + timedelta(days=i), draw.randrange(1000, 9000), f"{price:.2f}"])
    return written(path / "price.csv", "date,volume,close", rows)


def parts(made: TableTask, seed: int = 0) -> list[np.ndarray]:
    splits = made.splits(seed)
    return [splits.train, splits.valid, splits.test]


def test_rows_of_a_group_stay_in_one_part_and_the_group_is_not_an_input(tmp_path):
    made = task(patients(tmp_path), "diagnosis", group="patient_id")
    assert [column.shape[1] for column in made.splits(0).inputs] == [2]
    for seed in range(3):
        patients_of = [set((part // 20).tolist()) for part in parts(made, seed)]
        assert not patients_of[0] & patients_of[1] and not (patients_of[0] | patients_of[1]) & patients_of[2]


def test_parts_by_time_are_the_last_rows(tmp_path):
    made = task(prices(tmp_path), "close", time="date")
    for seed in range(3):
        train, valid, test = parts(made, seed)
        assert train.max() < valid.min() and valid.max() < test.min()
    hidden = task(prices(tmp_path), "close", time="date", columns={"date": "date:ymd", "volume": "number"})
    assert hidden.sizes == made.sizes


def test_parts_by_fold_are_whole_folds(tmp_path):
    made = task(patients(tmp_path), "diagnosis", folds="fold")
    train, valid, test = ({int(i) % 20 % 5 for i in part} for part in parts(made))
    assert (len(train), len(valid), len(test)) == (3, 1, 1)
    assert made.splits(0).inputs[0].shape[1] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"group": "patient"}, "There is no column 'patient'"),
        ({"group": "patient_id", "time": "pulse"}, "--group and --time are both given"),
        ({"time": "patient_id"}, "--time patient_id: 'P000' is neither a date nor a number"),
        ({"split": "groups"}, "Unknown split 'groups'. Use --split random or --split stratified"),
        ({"time": "pulse", "split": "stratified"}, "A split by time cannot be stratified"),
        ({"group": "diagnosis"}, "'diagnosis' is the target; the parts cannot be made by it"),
    ],
)
def test_parts_that_cannot_be_made_get_one_sentence(options, said, tmp_path):
    with pytest.raises(BadInput) as caught:
        task(patients(tmp_path), "diagnosis", **options)
    assert said in str(caught.value)


def test_rows_without_a_group_are_refused(tmp_path):
    rows = [["" if i == 5 else i // 4, i / 7, answer] for i, answer in enumerate(answers())]
    with pytest.raises(BadTask, match="--group g: 1 row has no value there"):
        task(written(tmp_path / "t.csv", "g,x,answer", rows), "answer", group="g")


def hourly(path: Path) -> Path:
    """Demand by the hour, with the value of the hour before as a column."""
    draw, when, last = random.Random(4), datetime(2024, 1, 1), ""
    rows: list[list[object]] = []
    for i in range(400):
        demand = round(math.sin(i / 20) * 10 + i * 0.05 + draw.gauss(0, 1), 3)
        rows.append([when, last, round(draw.gauss(15, 5), 2), demand])
        when, last = when + timedelta(hours=1), str(demand)
    return written(path / "hourly.csv", "timestamp,lag1,temp,demand", rows)


def shifts(path: Path) -> Path:
    """Samples of which those of one class were taken in the morning."""
    draw = random.Random(8)
    rows = [
        [
            f"2024-03-{1 + i % 28:02d} {draw.randrange(6, 11) + 8 * (i % 3 == 0)}:{draw.randrange(60):02d}",
            draw.gauss(0, 1),
            "bad" if i % 3 == 0 else "good",
        ]
        for i in range(300)
    ]
    return written(path / "shifts.csv", "taken at,x,y", rows)


def pairs(path: Path) -> Path:
    """1,400 people with two rows each: more ids than categories that are kept apart."""
    draw = random.Random(9)
    sick = [draw.choice(["yes", "no"]) for _ in range(1400)]
    rows = [[f"u-{i % 1400:05d}", draw.gauss(0, 1), sick[i % 1400]] for i in range(2800)]
    return written(path / "pairs.csv", "who,x,y", rows)


def closed(path: Path) -> Path:
    """A column that is filled in for one class only."""
    draw = random.Random(10)
    rows = [[draw.gauss(0, 1), draw.randrange(99) if i % 3 else "", "left" if i % 3 else "here"] for i in range(300)]
    return written(path / "closed.csv", "x,closed on,y", rows)


@pytest.mark.parametrize(
    ("make", "target", "options", "found"),
    [
        (patients, "diagnosis", {}, [("groups-apart", "severe")]),
        (patients, "diagnosis", {"group": "patient_id"}, []),
        (prices, "close", {}, [("time-order", "warning")]),
        (prices, "close", {"time": "date"}, []),
        (prices, "close", {"split": "random"}, [("time-order", "note")]),
        (columns_of_all_kinds, "y", {}, []),
        (hourly, "demand", {}, [("time-order", "warning")]),
        (hourly, "demand", {"time": "timestamp"}, []),
        (shifts, "y", {}, [("target-leak", "warning")]),
        (pairs, "y", {}, [("groups-apart", "severe")]),
        (closed, "y", {}, [("target-leak", "severe")]),
    ],
)
def test_what_looks_like_groups_or_time_is_asked(make, target, options, found, tmp_path):
    reported = task(make(tmp_path), target, **options).found
    assert [(each.id, each.severity) for each in reported] == found
    if reported:
        assert any(
            option in str(reported[0].message)
            for option in (
                "--group patient_id",
                "--time date",
                "--time timestamp",
                "--group who",
                "--column 'closed on'=drop",
                "--column 'taken at'=drop",
            )
        )


def test_names_with_line_breaks_are_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text('"1\n999",b\n' + "1,2\n" * 30)
    with pytest.raises(BadTask) as refused:
        from_file.reading_notes(from_file.reference(path, target="c"))
    assert "\n" not in str(refused.value) and r"Columns: 1\n999, b." in str(refused.value)
