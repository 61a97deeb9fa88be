"""Fuzzers: each parser gets input that nobody would write, and either reads it or refuses it in one sentence.

Values are drawn by hypothesis, which shrinks what fails to the least that does. Files from strangers have no checksums
here, or right ones: their maker can write these, too.
"""

import json
import random
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as some
from hypothesis.strategies import SearchStrategy
from study.toy import shard, trace
from torture import subjects
from torture.lab import tried
from torture.tally import FAULTS, Outcome, Tally

from steepest.ingest import choices, from_file
from steepest.reader import StudyReader, judge_table
from steepest.records.files import read_trace
from steepest.records.outcomes import Trace
from steepest.records.record import field_names
from steepest.study.result_rows import check_trace

ODD_NUMBERS = (
    *("0", "-0", "1e999", "-1e-999", "nan", "NaN", "inf", "-Infinity", "0x10", "1_000", "٣", "²", "1e", ".", "1,5"),
    *("1.234.567,8", "5e-324", "١٫٥", "9" * 5000),
)
ODD_TEXTS = (
    *(
        "",
        " ",
        "\0",
        '"',
        "'",
        "=1+1",
        "\ufeff",
        "\u202e",
        "é",
        "日本",
        "\ud7ff",
        "2024-02-30",
        "31.12.99",
        "0000-00-00",
    ),
    *("99999-01-01", "24:60", "1h", "10-20", "NULL", "n/a", "true", "\x1f", "\x85", "a\nb", "x" * 3000),
)


Draw = Callable[[SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Fuzzer:
    """A parser, and what it is fed."""

    input: SearchStrategy[Any]
    parse: Callable[[Path, Any], object]
    """In a folder that is its own."""


def cells() -> SearchStrategy[str]:
    return some.one_of(
        some.sampled_from(ODD_NUMBERS + ODD_TEXTS),
        some.integers(-(10**20), 10**20).map(str),
        some.floats().map(repr),
        some.dates().map(str),
        some.datetimes().map(str),
        some.text(max_size=8),
    )


# ---- tables of data --------------------------------------------------------------------------------------------------


@some.composite
def tables(draw: Draw) -> tuple[bytes, str, dict[str, Any]]:
    """A CSV file, the column to predict, and options."""
    separator, names = draw(some.sampled_from(",;\t|")), [f"c{i}" for i in range(draw(some.integers(2, 5)))]
    if draw(some.integers(0, 3)) == 0:
        names[0] = draw(cells())
    kinds = [draw(some.lists(cells(), min_size=1, max_size=3)) for _ in names]
    dice, odd = random.Random(draw(some.integers(0, 99))), draw(some.sampled_from([0.02, 0.2, 0.9]))
    rows = [
        [dice.choice(kind) if dice.random() < odd else f"{dice.gauss(0, 1):.3g}" for kind in kinds]
        for _ in range(draw(some.sampled_from([3, 40, 80])))
    ]
    rows = [names, *rows]
    if draw(some.booleans()):
        rows = [['"' + cell.replace('"', '""') + '"' for cell in row] for row in rows]
    text = draw(some.sampled_from(["\n", "\r\n", "\r"])).join(separator.join(row) for row in rows)
    content = text.encode(draw(some.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1", "gb18030"])), "replace")
    if draw(some.integers(0, 2)) == 0:
        content = draw(broken(content))
    return content, draw(some.sampled_from(names)), draw(table_options(names))


@some.composite
def table_options(draw: Draw, names: list[str]) -> dict[str, Any]:
    """Options for a table with these columns."""
    column, options = some.sampled_from(names), dict[str, Any]()
    for name, values in {"kind": ["classification", "regression"], "split": ["random", "stratified"]}.items():
        if draw(some.integers(0, 2)) == 0:
            options[name] = draw(some.sampled_from(values))
    match draw(some.integers(0, 7)):
        case 0:
            options = {"text": draw(column)}
        case 1:
            options[draw(some.sampled_from(["group", "time", "folds"]))] = draw(column)
    if draw(some.integers(0, 2)) == 0:
        words = [*choices.KINDS, "number:de", "date:dmy", "date:%d.%m.%y", "missing:0", "date:%"]
        options["columns"] = {draw(column): draw(some.sampled_from(words))}
    return options


@some.composite
def broken(draw: Draw, whole: bytes) -> bytes:
    """Some bytes changed, taken out, put in or cut off."""
    content = bytearray(whole)
    for _ in range(draw(some.integers(1, 4))):
        at = draw(some.integers(0, max(0, len(content) - 1)))
        match draw(some.sampled_from(["set", "cut", "take", "put", "twice"])):
            case "set" if content:
                content[at] = draw(some.integers(0, 255))
            case "cut":
                del content[at:]
            case "take":
                del content[at : at + draw(some.integers(1, 20))]
            case "put":
                content[at:at] = draw(some.binary(max_size=9))
            case _:
                content[at:at] = content[at : at + 30]
    return bytes(content)


def parse_table(folder: Path, given_: tuple[bytes, str, dict[str, Any]]) -> object:
    content, target, options = given_
    path = folder / "data.csv"
    path.write_bytes(content)
    return from_file.reading_notes(from_file.reference(path, target=target, **options))


# ---- tables of results -----------------------------------------------------------------------------------------------


@some.composite
def result_tables(draw: Draw) -> bytes:
    """A CSV file for `verdict --csv`."""
    whole = ["optimizer", "value", "task", "seed", "rate", "valid"]
    if draw(some.booleans()):
        whole = ["optimizer", "mean", "sd", "n"]
    names = [name for i, name in enumerate(whole) if i < 2 or draw(some.booleans())]
    odd = draw(some.dictionaries(some.integers(0, 80), cells(), max_size=3))
    rows: list[list[str]] = []
    for i, method in enumerate(draw(some.sampled_from([("sgd", "adam"), ("a", "b", "c")])) * 4):
        plain = {"optimizer": method, "task": "t", "seed": str(i // 3), "rate": "0.1", "n": "5", "sd": "0.01"}
        rows.append([odd.get(i * len(names) + j, plain.get(name, f"0.{80 + i}")) for j, name in enumerate(names)])
    content = "\n".join(",".join(row) for row in [names, *rows]).encode("utf-8", "replace")
    return draw(broken(content)) if draw(some.integers(0, 2)) == 0 else content


def parse_results(folder: Path, content: bytes) -> object:
    path = folder / "results.csv"
    path.write_bytes(content)
    return judge_table(path, "accuracy")[1]


# ---- specs -----------------------------------------------------------------------------------------------------------

_LEAVES = some.one_of(
    some.none(), some.booleans(), some.integers(-2, 3), some.integers(), some.floats(), some.sampled_from(ODD_TEXTS),
    some.text(max_size=5), some.sampled_from([10**18, -(10**30), 1e308, 5e-324, "../../x", "a/b", "toy", "inside"]),
)  # fmt: skip
VALUES = some.recursive(
    _LEAVES, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=4), inner, max_size=3)
)


def paths_of(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a JSON value can be changed."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, each in inner for path in paths_of(each, (*at, key)))]


def changed(value: Any, changes: list[tuple[int, str, Any]]) -> Any:
    """A JSON value with parts set, taken out or put in."""
    value = json.loads(json.dumps(value))
    for which, how, new in changes:
        places = paths_of(value)
        *path, last = places[which % len(places)] or ("",)
        part = value
        for key in path:
            part = part[key]
        with suppress(TypeError, KeyError, IndexError):
            if how == "take":
                del part[last]
            elif how == "put":
                part["more" if isinstance(part, dict) else 0] = new
            else:
                part[last] = new
    return value


_CHANGES = some.lists(
    some.tuples(some.integers(0, 400), some.sampled_from(["set", "set", "take", "put"]), VALUES), min_size=1, max_size=3
)


def parse_spec(folder: Path, changes: list[tuple[int, str, Any]]) -> object:
    """A study whose maker has written another spec, with the checksums that it should have."""
    study = folder / "study"
    if not study.exists():
        subjects.tiny_study(study)
        shutil.copy(study / "study.json", folder / "spec.json")
    stored = changed(json.loads((folder / "spec.json").read_text(encoding="utf-8")), changes)
    for path in study.glob("study.json*"):
        path.unlink()
    (study / "study.json").write_text(json.dumps(stored), encoding="utf-8")
    reader = StudyReader(study)
    return reader.text()


# ---- curves ----------------------------------------------------------------------------------------------------------

_TYPES = ("<f8", "<f4", "<i8", "<i2", "|u1", "<U5", "|S3", "|b1", "<c16", "<M8[s]", "|O", ">f8", "|V4")


@some.composite
def curves(draw: Draw) -> bytes:
    """An .npz of which some arrays are of another type or shape, or bytes are changed."""
    good = trace(shard())
    arrays: dict[str, Any] = {name: getattr(good, name) for name in field_names(Trace)}
    arrays["outcome"] = np.array([str(each) for each in good.outcome])
    for name in draw(some.lists(some.sampled_from([*arrays]), max_size=3)):
        match draw(some.sampled_from(["type", "shape", "values", "gone", "order"])):
            case "type":
                with suppress(ValueError, TypeError):
                    arrays[name] = np.zeros(np.shape(arrays.get(name)), draw(some.sampled_from(_TYPES)))
            case "shape":
                shape = draw(some.lists(some.integers(0, 4), max_size=4))
                arrays[name] = np.zeros(shape, np.asarray(arrays.get(name)).dtype)
            case "values":
                value = draw(some.sampled_from([np.nan, np.inf, -1, 10**12]))
                arrays[name] = np.full(np.shape(arrays.get(name)), value)
            case "order":
                arrays[name] = np.asfortranarray(arrays.get(name, 0))
            case _:
                arrays.pop(name, None)
    stream = BytesIO()
    (np.savez_compressed if draw(some.integers(0, 4)) == 0 else np.savez)(stream, **arrays)
    content = stream.getvalue()
    return draw(broken(content)) if draw(some.booleans()) else content


def parse_curves(folder: Path, content: bytes) -> object:
    path = folder / "curves.npz"
    path.write_bytes(content)
    found = read_trace(path)
    check_trace(shard(), found)
    return found


# ---- how columns are read --------------------------------------------------------------------------------------------

_KNOWN_WORDS = (
    *("number", "number:de", "number:xx", "date:%d.%m.%y", "date:%", "date:%Q", "date:(", "date:\\", "date:dmy"),
    *("missing:", "missing:-1", "category", "drop", "range:1", "time", "duration"),
)
_WORDS = some.one_of(
    some.sampled_from(_KNOWN_WORDS), some.text(max_size=6).map(lambda text: f"date:{text}"), some.text(max_size=6)
)


def column_files() -> SearchStrategy[bytes]:
    """A file for --columns."""
    value = some.one_of(_WORDS, some.lists(_WORDS, max_size=3), some.integers(), some.floats())
    lines = some.lists(some.tuples(some.text(max_size=5), value), max_size=4).map(
        lambda pairs: "[columns]\n" + "".join(f"{json.dumps(name)} = {json.dumps(value)}\n" for name, value in pairs)
    )
    whole = lines.map(lambda text: text.encode("utf-8", "replace"))
    return some.one_of(whole, whole.flatmap(broken), some.binary(max_size=40))


def parse_columns(folder: Path, content: bytes) -> object:
    path = folder / "columns.toml"
    path.write_bytes(content)
    found = choices.read_file(path)
    path.write_text(choices.written(found, "data.csv"), encoding="utf-8")
    assert choices.read_file(path) == found, "what is written is read back"
    return found


FUZZERS = {
    "data tables": Fuzzer(tables(), parse_table),
    "result tables": Fuzzer(result_tables(), parse_results),
    "specs": Fuzzer(_CHANGES, parse_spec),
    "curves": Fuzzer(curves(), parse_curves),
    "column files": Fuzzer(column_files(), parse_columns),
}


QUICK = tuple(name for name in FUZZERS if name != "result tables")
"""Those that take a moment with any input: a table of results may ask for millions of runs."""


def parsers(tally: Tally, scratch: Path, dice: random.Random, seconds: float, names: Iterable[str] = FUZZERS) -> None:
    """Every parser for some time."""
    for name in names:
        fuzzer = FUZZERS[name]
        until, heard = monotonic() + seconds, partial(tally.add, f"fuzzed: {name}")
        while monotonic() < until:
            fuzz(fuzzer, scratch, 200, dice.randrange(10**9), heard)


def fuzz(fuzzer: Fuzzer, scratch: Path, examples: int, number: int, heard: Callable[[Outcome, str], None]) -> None:
    """Feed a parser so many inputs; faults are shrunk, and heard."""
    scratch.mkdir(parents=True, exist_ok=True)
    faults: list[tuple[Outcome, str]] = []

    def feed(value: Any) -> None:
        outcome, said = tried(lambda: fuzzer.parse(scratch, value))
        if outcome in FAULTS:
            faults.append((outcome, f"{said} of {value!r:.1500}"))
            raise AssertionError
        heard(outcome, said)

    quiet = settings(
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=[*HealthCheck],
        phases=[Phase.generate, Phase.shrink],
    )
    with suppress(AssertionError, ExceptionGroup):
        seed(number)(quiet(given(fuzzer.input)(feed)))()
    if faults:
        heard(*faults[-1])
