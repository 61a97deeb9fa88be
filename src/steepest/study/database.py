"""`study.db`: one row a trial, in SQLite. An index of the curves, so a damaged one is made again from them.

A reader trusts nothing that it finds: the journal, the tables, every row and its checksum are looked at first.
"""

import json
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from steepest.errors import StudyFolderError
from steepest.messages import Message
from steepest.records.outcomes import Outcome, Result
from steepest.records.record import field_names
from steepest.study import seal
from steepest.study.journal import check_journals, needs_rollback, rolled_back
from steepest.study.row_checks import check_rows
from steepest.study.seal import Row, Seal

DATABASE = "study.db"

MIGRATIONS = (
    """
    CREATE TABLE sitting (id INTEGER PRIMARY KEY, started TEXT NOT NULL, seconds REAL NOT NULL DEFAULT 0);
    CREATE TABLE shard (id TEXT PRIMARY KEY, sha256 TEXT NOT NULL, seconds REAL NOT NULL, sitting INTEGER NOT NULL);
    CREATE TABLE result (
        task TEXT NOT NULL, contender TEXT NOT NULL, rate REAL NOT NULL, seed INTEGER NOT NULL, stage TEXT NOT NULL,
        batch_size INTEGER NOT NULL, steps INTEGER NOT NULL, outcome TEXT NOT NULL, outcome_step INTEGER NOT NULL,
        train_loss REAL, valid_loss REAL, valid_metric REAL, test_loss REAL, test_metric REAL,
        shard TEXT NOT NULL REFERENCES shard (id) ON DELETE CASCADE, lane INTEGER NOT NULL,
        PRIMARY KEY (task, contender, rate, seed)
    );
    CREATE TABLE finish (finished TEXT NOT NULL);
    """,
    "CREATE TABLE remark (en TEXT PRIMARY KEY, zh TEXT NOT NULL);",
    """
    CREATE TABLE note (message TEXT PRIMARY KEY);
    INSERT INTO note SELECT json_object('en', en, 'zh', zh) FROM remark ORDER BY rowid;
    DROP TABLE remark;
    """,
    "CREATE TABLE seal (sum TEXT NOT NULL);",
    """
    ALTER TABLE result RENAME TO older;
    CREATE TABLE result (
        task TEXT NOT NULL, contender TEXT NOT NULL, rate REAL NOT NULL, seed INTEGER NOT NULL, stage TEXT NOT NULL,
        batch_size INTEGER NOT NULL, steps INTEGER NOT NULL, outcome TEXT NOT NULL, outcome_step INTEGER NOT NULL,
        train_loss REAL, valid_loss REAL, valid_metric REAL, test_loss REAL, test_metric REAL,
        shard TEXT NOT NULL REFERENCES shard (id) ON DELETE CASCADE, lane INTEGER NOT NULL, dials TEXT NOT NULL,
        PRIMARY KEY (task, contender, rate, seed, dials)
    );
    INSERT INTO result SELECT *, '' FROM older ORDER BY rowid;
    DROP TABLE older;
    """,
)
"""What turns a database of version i into one of version i + 1; `PRAGMA user_version` counts them. Only ever append."""
SEALED = 4
"""The first version whose rows have a checksum."""
WITH_DIALS = 5
"""The first version in which a trial may have other dials than its rate."""

_COLUMNS = field_names(Result)
_NAMED = ", ".join(_COLUMNS)
_NAMED_BEFORE = ", ".join([*_COLUMNS[:-1], "''"])
"""The same in a version without dials."""
_values = attrgetter(*_COLUMNS)


@dataclass(frozen=True)
class Contents:
    """All that a database says."""

    results: tuple[Result, ...]
    digests: Mapping[str, str]
    """Shard → SHA-256 of the curves that its rows were made from."""
    seconds: float
    """Wall time of all sittings."""
    remarks: list[Message]
    finished: bool


# ---- connections -----------------------------------------------------------------------------------------------------


def writer(path: Path) -> sqlite3.Connection:
    """A connection whose commits survive a power cut. Every page and row is checked: damage shows up here, not later.
    Raises StudyFolderError for a journal that is not to be trusted."""
    check_journals(path)
    database = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        with _one_kind_of_error():
            database.execute("PRAGMA journal_mode = DELETE")  # WAL loses data to a bug in SQLite before 3.51.3
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA foreign_keys = ON")
            version = _checked_version(database, path, path.parent, may_be_new=True)
            if version:
                _checked_rows(database, version)
        for i, script in enumerate(MIGRATIONS[version:], start=version + 1):
            database.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {i};")
            if i == SEALED:
                seal.begin(database)
            database.execute("COMMIT")
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def reader(path: Path) -> Generator[sqlite3.Connection]:
    """A connection that cannot write, and sees one moment of the study however long it looks.

    It is not opened as immutable, since it must wait for a coordinator that commits; it changes no file all the same.
    """
    check_journals(path)
    with _one_kind_of_error(), ExitStack() as opened:
        database, here = opened.enter_context(closing(_read_only(path))), path
        if needs_rollback(database):
            here = opened.enter_context(rolled_back(path))
            database = opened.enter_context(closing(_read_only(here)))
        database.execute("BEGIN")
        _checked_version(database, here, path.parent, may_be_new=False)
        yield database


@contextmanager
def _one_kind_of_error() -> Generator[None]:
    """Python raises UnicodeDecodeError where SQLite's message about a damaged file quotes what is damaged."""
    try:
        yield
    except UnicodeDecodeError:
        raise sqlite3.DatabaseError("it holds text that is not UTF-8") from None


def _read_only(path: Path) -> sqlite3.Connection:
    where = f"file:{quote(os.fsencode(path.absolute()))}?mode=ro&readonly_shm=1"
    return sqlite3.connect(where, uri=True, timeout=30, isolation_level=None)


def _checked_version(database: sqlite3.Connection, path: Path, folder: Path, may_be_new: bool) -> int:
    """The version of a database that is whole; raises DatabaseError if it is not, StudyFolderError if it is newer."""
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise newer(folder)
    if version < (0 if may_be_new else 1):
        raise sqlite3.DatabaseError("it has no tables")
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    if path.stat().st_size != pages * database.execute("PRAGMA page_size").fetchone()[0]:
        raise sqlite3.DatabaseError("it is cut short")  # SQLite reads a last page that is short as if it ended in zeros
    if _tables(database) != _tables_of(version):  # a view or trigger of somebody else's could take for ever
        raise sqlite3.DatabaseError("its tables are not those of a study")
    # A reader reads tables from end to end; a writer also searches them by their indices, which the quick check skips.
    check = "integrity_check" if may_be_new else "quick_check"
    verdict = database.execute(f"PRAGMA {check}(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(" ".join(verdict.split()))
    return version


def _tables(database: sqlite3.Connection) -> frozenset[Row]:
    return frozenset(database.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))


@cache
def _tables_of(version: int) -> frozenset[Row]:
    """What a database of this version must have."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        for script in MIGRATIONS[:version]:
            model.executescript(script)
        return _tables(model)


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file itself is at fault, and not the disk, its rights or another process."""
    if not isinstance(error, sqlite3.OperationalError):
        return True
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) == sqlite3.SQLITE_ERROR  # text that is not UTF-8


@contextmanager
def changing(database: sqlite3.Connection) -> Generator[Seal]:
    """Changes of rows, with their checksum: all or nothing. Within `one_commit`, all of a part of it."""
    begin, undo, end = ("BEGIN IMMEDIATE", "ROLLBACK", "COMMIT")
    if database.in_transaction:
        begin, undo, end = "SAVEPOINT change", "ROLLBACK TO change", "RELEASE change"
    database.execute(begin)
    try:
        rows = Seal(database)
        yield rows
        rows.write()
    except BaseException:
        with suppress(sqlite3.Error):
            database.execute(undo)
        raise
    database.execute(end)


@contextmanager
def one_commit(database: sqlite3.Connection) -> Generator[None]:
    """All changes within reach the disk together, also where an error ends it: each commit waits for the disk."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        if database.in_transaction:  # SQLite itself rolls back where the disk is full
            database.execute("COMMIT")


# ---- rows ------------------------------------------------------------------------------------------------------------


def contents(database: sqlite3.Connection) -> Contents:
    """Everything, checked. Raises DatabaseError where it is not what was written."""
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    found = _checked_rows(database, version)
    try:
        remarks = _remarks(database, version)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise sqlite3.DatabaseError(f"a note is none: {error}") from None
    return Contents(
        results=_results(found),
        digests=dict(database.execute("SELECT id, sha256 FROM shard")),
        seconds=database.execute("SELECT total(seconds) FROM sitting").fetchone()[0],
        remarks=remarks,
        finished=database.execute("SELECT count(*) FROM finish").fetchone()[0] > 0,
    )


def _checked_rows(database: sqlite3.Connection, version: int) -> list[Row]:
    """The rows of results, once they, and all others, have proved to be what was written."""
    found = database.execute(f"SELECT {_NAMED if version >= WITH_DIALS else _NAMED_BEFORE} FROM result").fetchall()
    check_rows(found)
    if version >= SEALED:
        seal.check(database, found)
    return found


def take_out(rows: Seal, shard: str) -> None:
    """Remove a shard and its rows."""
    rows.remove("result", "shard = ?", (shard,))
    rows.remove("shard", "id = ?", (shard,))


def put_rows(rows: Seal, results: tuple[Result, ...]) -> None:
    """Keep rows, in place of those of the same trials."""
    for each in results:
        trial = (each.task, each.contender, each.rate, each.seed, each.dials)
        rows.remove("result", "task = ? AND contender = ? AND rate = ? AND seed = ? AND dials = ?", trial)
    rows.add("result", map(_values, results))


def rows_of(database: sqlite3.Connection, shard: str) -> tuple[Result, ...]:
    """The rows of one shard by lane."""
    return _results(database.execute(f"SELECT {_NAMED} FROM result WHERE shard = ? ORDER BY lane", (shard,)).fetchall())


def _remarks(database: sqlite3.Connection, version: int) -> list[Message]:
    """What was noted on how the study was run; nothing in a database that is older than such notes.

    A reader changes nothing, so it finds them where the version that wrote them put them.
    """
    query = _NOTES[version - 1]
    return [Message.from_json(json.loads(found)) for (found,) in database.execute(query)] if query else []


_NOTES: tuple[str, ...] = (
    "",
    "SELECT json_object('en', en, 'zh', zh) FROM remark ORDER BY rowid",
    *(["SELECT message FROM note ORDER BY rowid"] * (len(MIGRATIONS) - 2)),
)
"""Where notes are, by version."""


_OUTCOMES = {str(outcome): outcome for outcome in Outcome}


def _results(rows: Sequence[Row]) -> tuple[Result, ...]:
    """Rows as records. All values of a field are set at once, since the constructor of a frozen record, which sets one
    after the other, takes a third of the time of reading a large study."""
    found = tuple(map(object.__new__, repeat(Result, len(rows))))
    for name, column in zip(_COLUMNS, zip(*rows, strict=True), strict=False):
        values = map(_OUTCOMES.__getitem__, column) if name == "outcome" else column
        put: Callable[[Result, Any], None] = Result.__dict__[name].__set__
        deque(map(put, found, values), maxlen=0)
    return found


def newer(folder: Path) -> StudyFolderError:
    return StudyFolderError(
        f"{folder} was made by a newer version of steepest. Read it with that version or a later one."
    )
