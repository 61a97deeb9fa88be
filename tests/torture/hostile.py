"""Folders, tables, pictures, arrays and Parquet files that somebody has made to do harm. Each is looked at in a process
of its own, with little memory; nothing outside may change.
"""

import io
import os
import random
import shutil
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet
from study.older import turn_back
from study.test_hostile_folder import FILES, NAMES, hot_journal, name_super_journal, put_aside, state
from torture import subjects
from torture.damage import damaged
from torture.lab import Child, limited
from torture.tally import Outcome, Tally, worst

from steepest.ingest import from_file
from steepest.reader import StudyReader, judge_table
from steepest.serving.library import Library
from steepest.study.store import read

MEMORY = 2**30
"""Bytes that looking at any of these may take."""
SECONDS = 30.0
HUGE = 2**36
"""Bytes of a file that is mostly a hole."""


def hostile(tally: Tally, scratch: Path, dice: random.Random, share: float, flips: float) -> None:
    """This share of the hostile folders, all hostile files of data, and `flips` of 300 damaged ones of each kind."""
    _folders(tally, scratch, dice, share)
    for name, look, cases in (
        ("table", _table, _tables()),
        ("table of results", judge_table, _tables()),
        ("arrays", _data, _arrays()),
        ("parquet", _table, _parquets()),
        ("pictures", _data, _pictures()),
    ):
        place = scratch / "data"
        for what, make in cases:
            path = _fresh(place)
            look_ = partial(look, make(path))
            _try(tally, f"hostile {name}", place, look_, what, scratch / "outside")
    for name, look, make in (
        ("arrays", _data, partial(_plain_arrays)),
        ("parquet", _table, _plain_parquet),
        ("pictures", _data, _plain_pictures),
    ):
        place = scratch / "data"
        path = make(_fresh(place))
        file = path if path.is_file() else next(path.rglob("*.png"))
        whole = file.read_bytes()
        for what, content in damaged(whole, min(1.0, flips * 300 / (9 * len(whole))), dice):
            file.write_bytes(content)
            _try(tally, f"damaged {name}", place, partial(look, path), what, scratch / "outside")


def _fresh(place: Path) -> Path:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return place


def _try(tally: Tally, row: str, place: Path, look: Callable[[], object], what: str, outside: Path) -> None:
    before = state(outside) if outside.exists() else {}
    ending = Child(limited(look, MEMORY), place.with_suffix(".out")).end(SECONDS)
    is_untouched = before == (state(outside) if outside.exists() else {})
    outcome = worst([ending.outcome(), Outcome.IDENTICAL if is_untouched else Outcome.WRONG])
    tally.add(row, outcome, f"{what}: exit {ending.code}, {ending.said[-700:]}")


# ---- study folders ---------------------------------------------------------------------------------------------------


def _folders(tally: Tally, scratch: Path, dice: random.Random, share: float) -> None:
    study = subjects.tiny_study(scratch / "whole")
    (study / "logs" / "workers.log").write_text("a line\n", encoding="utf-8")
    for what, harm in _harms():
        for name, look in _LOOKS.items():
            if dice.random() >= share:
                continue
            folder, outside = subjects.copied(study, scratch / "study"), _fresh(scratch / "outside")
            (outside / "precious").write_text("years of work", encoding="utf-8")
            harm(folder, outside)
            _try(tally, f"hostile folder: {name}", folder, partial(look, folder), what, outside)


def _library(folder: Path) -> None:
    for entry in Library(folder.parent).entries():
        str(entry)


_LOOKS: dict[str, Callable[[Path], object]] = {
    "read": lambda folder: (read(folder), StudyReader(folder).text()),
    "report": lambda folder: StudyReader(folder).write_report(),
    "serve": _library,
    "resume": subjects.in_process,
}
Harm = Callable[[Path, Path], object]


def _harms() -> Iterator[tuple[str, Harm]]:
    """What is done to a folder; the second argument is a place outside."""
    yield "a journal that names another file", _super_journal
    for name in NAMES:
        yield f"{name} is a link", partial(_link, name)
        yield f"{name} is a pipe", partial(_pipe, name)
        yield f"{name} is a folder", partial(_folder, name)
    for name in ("study.json.sha256", "curves", "facts", "probes", "report.html", *FILES):
        yield f"{name} is huge", partial(_huge, name)
    yield "report.html is a link", partial(_link, "report.html")
    for sql in _SQL:
        yield sql, partial(_sql, sql)
    for text in _SPECS:
        yield f"study.json is {text[:40]!r}", partial(_spec, text)
    yield "a bomb for curves", partial(_bomb, zipfile.ZIP_DEFLATED)
    yield "curves that say they are huge", _claims
    yield "curves with a pickle", _pickle


def _super_journal(folder: Path, outside: Path) -> None:
    hot_journal(folder)
    name_super_journal(folder, outside / "precious")


def _path(folder: Path, name: str) -> Path:
    """A file of this name, or one in the folder of this name."""
    path = folder / name
    if name.startswith("curves/"):
        path = next((folder / "curves").iterdir())
    path.parent.mkdir(exist_ok=True)
    return path


def _link(name: str, folder: Path, outside: Path) -> None:
    path = _path(folder, name)
    path.symlink_to(put_aside(path, outside / "aside"))


def _gone(path: Path) -> Path:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return path


def _pipe(name: str, folder: Path, outside: Path) -> None:
    os.mkfifo(_gone(_path(folder, name)))


def _folder(name: str, folder: Path, outside: Path) -> None:
    _gone(_path(folder, name)).mkdir()


def _huge(name: str, folder: Path, outside: Path) -> None:
    path = _path(folder, name)
    if name in ("curves", "facts", "probes"):
        path.mkdir(exist_ok=True)
        path = next(path.iterdir(), path / ("x.npz" if name != "facts" else "x.json"))
    with path.open("ab") as file:
        file.truncate(HUGE)


_SQL = (
    "CREATE VIEW x AS SELECT 1",
    "CREATE TRIGGER t AFTER INSERT ON sitting BEGIN DELETE FROM result; END",
    "DROP TABLE finish; CREATE VIEW finish AS "
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS finished FROM n",
    "UPDATE result SET shard = '../../outside/precious'",
    "UPDATE result SET contender = char(27) || '[2J'",
    "UPDATE result SET rate = -rate",
    "UPDATE result SET valid_metric = 1e308 * 10",
    "UPDATE sitting SET seconds = 'x'",
    "UPDATE shard SET sha256 = zeroblob(100000000)",
    "DROP TABLE seal",
    "PRAGMA user_version = 3",
    "PRAGMA user_version = -1",
    "PRAGMA user_version = 99",
    "PRAGMA journal_mode = WAL; INSERT INTO finish VALUES ('x')",
)


def _sql(sql: str, folder: Path, outside: Path) -> None:
    with closing(sqlite3.connect(folder / "study.db")) as database:
        database.executescript(sql)


_SPECS = (
    "", "{}", "[]", "null", "1", "NaN", '{"format": 99}', '{"format": 1}', '{"format": 1e999}', "[" * 100_000,
    '{"format": 2, "name": ' + "9" * 5000 + "}", '{"a": ' * 2000 + "1" + "}" * 2000, "\ufeff{}", "x" * 10_000_000,
)  # fmt: skip


def _spec(text: str, folder: Path, outside: Path) -> None:
    for path in folder.glob("study.json*"):
        path.unlink()
    (folder / "study.json").write_text(text, encoding="utf-8")


def _curves_with(content: bytes, folder: Path) -> None:
    """Curves whose maker has put their hash into an old database, which has no checksum of its own."""
    path = next((folder / "curves").iterdir())
    path.write_bytes(content)
    with closing(sqlite3.connect(folder / "study.db", isolation_level=None)) as database:
        database.execute("UPDATE shard SET sha256 = ? WHERE id = ?", (sha256(content).hexdigest(), path.stem))
    turn_back(folder / "study.db", 3)


def _archive(arrays: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", how) as archive:
        for name, content in arrays.items():
            archive.writestr(f"{name}.npy", content)
    return stream.getvalue()


def _array(shape: tuple[int, ...], type_: str = "<f8", content: bytes = b"") -> bytes:
    """A file in NumPy's format that may say anything."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": type_, "fortran_order": False, "shape": shape})
    return stream.getvalue() + content


def _bomb(how: int, folder: Path, outside: Path) -> None:
    _curves_with(_archive({"train_loss": _array((2**28,), content=bytes(2**31))}, how), folder)


def _claims(folder: Path, outside: Path) -> None:
    _curves_with(_archive({"train_loss": _array((2**60, 2**60))}), folder)


def _pickle(folder: Path, outside: Path) -> None:
    _curves_with(_archive({"train_loss": _array((1,), "|O", b"cos\nsystem\n(S'touch /tmp/pwned'\ntR.")}), folder)


# ---- data of one's own -----------------------------------------------------------------------------------------------

Made = Callable[[Path], Path]


def _table(path: Path) -> object:
    return from_file.reading_notes(from_file.reference(path, target="y"))


def _data(path: Path) -> object:
    return from_file.reading_notes(from_file.reference(path))


def _file(name: str, content: bytes, place: Path) -> Path:
    (place / name).write_bytes(content)
    return place / name


def _tables() -> Iterator[tuple[str, Made]]:
    """CSV files."""
    good = "x,y\n" + "".join(f"{i},{i % 2}\n" for i in range(100))
    contents = {
        "empty": b"",
        "a mark of order only": b"\xff\xfe",
        "zero bytes": good.encode() + b"\0" * 1000,
        "an open quote": b'x,y\n"' + b"a,b\n" * 100_000,
        "quotes in quotes": b'x,y\n' + b'""""' * 10_000 + b",1\n",
        "5,000 digits": good.replace("7,1", "7" * 5000 + ",1").encode(),
        "1e999": good.replace("7,1", "1e999,1").encode(),
        "a cell of 20 MB": b"x,y\n" + b"a" * 20_000_000 + b",1\n",
        "100,000 columns": b"x," * 100_000 + b"y\n" + b"1," * 100_000 + b"1\n",
        "a line without an end": b"x,y" * 5_000_000,
        "half of UTF-16": good.encode("utf-16")[:-1],
        "half of UTF-8": good.encode() + b"\xe4\xb8",
        "columns of one name": b"y,y,y\n" + b"1,2,3\n" * 50,
        "no names": b",,\n" + b"1,2,3\n" * 50,
        "formulas": b'x,y\n' + b'"=cmd|\' /C calc\'!A0",1\n' * 50,
        "names that steer a terminal": b"\x1b[2J,y\n" + b"1,2\n" * 50,
        "returns only": good.replace("\n", "\r").encode(),
        "rubbish": random.Random(1).randbytes(100_000),
        "a PNG": b"\x89PNG\r\n\x1a\n" + random.Random(2).randbytes(1000),
    }  # fmt: skip
    for what, content in contents.items():
        yield what, partial(_file, "data.csv", content)
    yield "a pipe", lambda place: (os.mkfifo(place / "data.csv"), place / "data.csv")[1]
    yield "a folder", lambda place: ((place / "data.csv").mkdir(), place / "data.csv")[1]
    yield "a hole", lambda place: _hole(place / "data.csv")


def _hole(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(HUGE)
    return path


def _arrays() -> Iterator[tuple[str, Made]]:
    """Archives of NumPy's."""
    numbers = _array((50,), content=bytes(400))
    pairs = {
        "says it is huge": (_array((2**60,)), numbers),
        "negative": (_array((-5,)), numbers),
        "a pickle": (_array((1,), "|O", b"cos\nsystem\n(S'touch /tmp/pwned'\ntR."), numbers),
        "no dimension": (_array((), content=bytes(8)), _array((), content=bytes(8))),
        "one dimension": (numbers, numbers),
        "six dimensions": (_array((50, 1, 1, 1, 1, 1), content=bytes(400)), numbers),
        "no columns": (_array((50, 0)), numbers),
        "complex": (_array((50, 1), "<c16", bytes(800)), numbers),
        "dates": (_array((50, 1), "<M8[s]", bytes(400)), numbers),
        "texts": (_array((50, 1), "<U2", bytes(400)), _array((50,), "<U2", bytes(400))),
        "records": (_array((50, 1), "|V8", bytes(400)), _array((50,), "|V8", bytes(400))),
    }
    for what, (x, y) in pairs.items():
        yield what, partial(_file, "data.npz", _archive({"x": x, "y": y}))
    bomb = {"x": _array((2**28,), content=bytes(2**31)), "y": numbers}
    yield "a bomb", lambda place: _file("data.npz", _archive(bomb, zipfile.ZIP_DEFLATED), place)
    for what, content in {"not one": b"PK\3\4" + bytes(100), "empty": b"", "no arrays": _archive({})}.items():
        yield what, partial(_file, "data.npz", content)


def _plain_arrays(place: Path) -> Path:
    draw = np.random.default_rng(0)
    path = place / "data.npz"
    np.savez(path, x=draw.normal(size=(40, 2)), y=np.arange(40) % 2)
    return path


def _plain_parquet(place: Path) -> Path:
    path = place / "data.parquet"
    parquet.write_table(pa.table({"x": [float(i) for i in range(40)], "y": ["a", "b"] * 20}), path)
    return path


def _parquets() -> Iterator[tuple[str, Made]]:
    count, y = 40, [0, 1] * 20
    columns = {
        "lists": [[1, 2]] * count,
        "lists in structs": [{"a": [1, {"b": 2}["b"]]}] * count,
        "bytes": [b"\xff\0"] * count,
        "nothing": pa.nulls(count),
        "times": pa.array(range(count), pa.timestamp("ns")),
        "a date beyond": pa.array([2**62] * count, pa.timestamp("us")),
        "decimals": pa.array([10**30] * count, pa.decimal128(38)),
    }
    tables = {what: pa.table({"x": column, "y": y}) for what, column in columns.items()}
    tables |= {
        "no rows": pa.table({"x": pa.array([], pa.int64()), "y": pa.array([], pa.int64())}),
        "no columns": pa.table({}),
        "columns of one name": pa.Table.from_arrays([pa.array(y)] * 2, names=["y", "y"]),
        "a bomb": pa.table({"x": pa.array(["a" * 1000]).take(pa.array([0] * 1_000_000)), "y": y * 25_000}),
    }
    for what, table in tables.items():
        yield what, partial(_written, table)
    yield "rubbish", partial(_file, "data.parquet", b"PAR1" + random.Random(3).randbytes(1000) + b"PAR1")
    yield "empty", partial(_file, "data.parquet", b"")


def _written(table: pa.Table, place: Path) -> Path:
    parquet.write_table(table, place / "data.parquet", compression="zstd")
    return place / "data.parquet"


def _plain_pictures(place: Path) -> Path:
    draw = np.random.default_rng(0)
    for i in range(40):
        path = place / "pictures" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(path)
    return place / "pictures"


def _png(width: int, height: int) -> bytes:
    """A picture that is all of one colour, and packed into little."""
    stream = io.BytesIO()
    Image.new("1", (width, height)).save(stream, "PNG")
    return stream.getvalue()


def _pictures() -> Iterator[tuple[str, Made]]:
    """Folders of pictures with one that is odd."""
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>"
    contents = {
        "a.png": _png(30_000, 30_000), "b.png": _png(9_000, 9_000), "c.png": b"", "d.png": svg,
        "e.jpg": b"\xff\xd8\xff\xe0" + bytes(100), "f.gif": b"GIF89a" + b"\xff" * 100, "g.bmp": b"BM" + b"\x7f" * 60,
        "h.webp": b"RIFF" + b"\xff" * 60, "i.png": _png(1, 1), "j.png": b"%!PS\n(x) run\n",
    }  # fmt: skip
    for name, content in contents.items():
        yield name, partial(_with_odd, name, content)
    yield "a loop of links", _looped
    yield "a pipe", _piped


def _with_odd(name: str, content: bytes, place: Path) -> Path:
    folder = _plain_pictures(place)
    (folder / "a" / name).write_bytes(content)
    return folder


def _looped(place: Path) -> Path:
    folder = _plain_pictures(place)
    (folder / "a" / "again").symlink_to(folder)
    (folder / "a" / "self.png").symlink_to("self.png")
    return folder


def _piped(place: Path) -> Path:
    folder = _plain_pictures(place)
    os.mkfifo(folder / "a" / "pipe.png")
    return folder
