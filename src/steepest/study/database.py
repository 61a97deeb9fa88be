"""`study.db`: one row a trial, in SQLite. An index of the curves, so a damaged one is made again from them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path
from typing import Any
from urllib.parse import quote

from steepest.errors import StudyFolderError
from steepest.messages import Message
from steepest.records.outcomes import Outcome, Result
from steepest.records.record import field_names

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
)
"""What turns a database of version i into one of version i + 1; `PRAGMA user_version` counts them. Only ever append."""

_COLUMNS = field_names(Result)
_OUTCOME = _COLUMNS.index("outcome")


def writer(path: Path) -> sqlite3.Connection:
    """A connection whose commits survive a power cut. Every page is checked: a torn file shows up here, not later."""
    database = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = DELETE")  # WAL loses data to a bug in SQLite before 3.51.3
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA foreign_keys = ON")
        version = _checked_version(database, path, may_be_new=True)
        for i, script in enumerate(MIGRATIONS[version:], start=version + 1):
            database.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {i}; COMMIT;")
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def reader(path: Path) -> Generator[sqlite3.Connection]:
    """A connection that cannot write, and sees one moment of the study however long it looks."""
    database = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=30, isolation_level=None
    )
    try:
        database.execute("BEGIN")
        _checked_version(database, path, may_be_new=False)
        yield database
    finally:
        database.close()


def needs_rollback(path: Path) -> bool:
    """Whether a writer was killed in the middle of a transaction, which readers cannot undo."""
    database = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=30)
    try:
        database.execute("PRAGMA schema_version")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK:
            return True
        raise
    finally:
        database.close()
    return False


def _checked_version(database: sqlite3.Connection, path: Path, may_be_new: bool) -> int:
    """The version of a database that is whole; raises DatabaseError if it is not, StudyFolderError if it is newer."""
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise newer(path.parent)
    if version < (0 if may_be_new else 1):
        raise sqlite3.DatabaseError("it has no tables")
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    if path.stat().st_size != pages * database.execute("PRAGMA page_size").fetchone()[0]:
        raise sqlite3.DatabaseError("it is cut short")  # SQLite reads a last page that is short as if it ended in zeros
    verdict = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(" ".join(verdict.split()))
    return version


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file itself is at fault, and not the disk, its rights or another process."""
    return not isinstance(error, sqlite3.OperationalError)


@contextmanager
def transaction(database: sqlite3.Connection) -> Generator[None]:
    """All or nothing."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def put_rows(database: sqlite3.Connection, rows: tuple[Result, ...]) -> None:
    """Keep rows, in place of those of the same trials."""
    database.executemany(
        f"INSERT OR REPLACE INTO result ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})",
        [astuple(row) for row in rows],
    )


def get_rows(database: sqlite3.Connection, shard: str | None = None) -> tuple[Result, ...]:
    """The rows of one shard by lane, or all of them."""
    where, values = ("WHERE shard = ? ORDER BY lane", (shard,)) if shard else ("", ())
    found = database.execute(f"SELECT {', '.join(_COLUMNS)} FROM result {where}", values)
    return tuple(map(_result, found))


def get_remarks(database: sqlite3.Connection) -> list[Message]:
    """What was noted on how the study was run; nothing in a database that is older than such notes.

    A reader changes nothing, so it finds them where the version that wrote them put them.
    """
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    query = _NOTES[version - 1]
    return [Message.from_json(json.loads(found)) for (found,) in database.execute(query)] if query else []


_NOTES: tuple[str, ...] = (
    "",
    "SELECT json_object('en', en, 'zh', zh) FROM remark ORDER BY rowid",
    "SELECT message FROM note ORDER BY rowid",
)
"""Where notes are, by version."""


def _result(row: Sequence[Any]) -> Result:
    values = list(row)
    values[_OUTCOME] = Outcome(values[_OUTCOME])
    return Result(*values)


def newer(folder: Path) -> StudyFolderError:
    return StudyFolderError(
        f"{folder} was made by a newer version of steepest. Read it with that version or a later one."
    )
