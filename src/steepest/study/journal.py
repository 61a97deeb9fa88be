"""A database whose writer was killed in the middle of a transaction. SQLite undoes the half of it by writing to the
folder, and deletes any file that the journal names as its super-journal: so this happens in a private copy.
"""

import os
import shutil
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from steepest.errors import StudyFolderError
from steepest.records.litter import scratch

_MAGIC = bytes.fromhex("d9d505f920a163d7")
"""Ends a journal that names a super-journal; see "Rollback Journal Format" in SQLite's documentation."""
_TRIES = 20


def journal_of(path: Path) -> Path:
    """Where SQLite keeps what a transaction has changed in the database at `path`."""
    return path.with_name(f"{path.name}-journal")


def check_journals(path: Path) -> None:
    """Raise StudyFolderError where opening the database at `path` could touch any other file."""
    for suffix in ("-wal", "-shm"):
        if path.with_name(path.name + suffix).exists():
            raise StudyFolderError(
                f"{path}{suffix} is not of this program, which keeps a rollback journal. Delete it; "
                f"{path.name} is checked against the curves by: steepest resume {path.parent}"
            )
    try:
        with journal_of(path).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - len(_MAGIC)))
            names_another = file.read() == _MAGIC
    except FileNotFoundError:
        return
    except OSError as error:
        raise StudyFolderError(f"{journal_of(path)} cannot be read: {error.strerror or error}.") from None
    if names_another:
        raise StudyFolderError(
            f"{journal_of(path)} names another file, which SQLite would delete: somebody may have made it to do harm. "
            f"Delete it and {path.name}; rows are made again from the curves by: steepest resume {path.parent}"
        )


def needs_rollback(database: sqlite3.Connection) -> bool:
    """Whether a writer was killed in the middle of a transaction, which a connection that cannot write cannot undo."""
    try:
        database.execute("PRAGMA schema_version")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK:
            return True
        raise
    return False


@contextmanager
def rolled_back(path: Path) -> Generator[Path]:
    """A private copy of the database at `path`, in which a half-written transaction is undone."""
    with scratch("steepest-read") as private:
        copy = private / path.name
        _copy(path, copy)
        check_journals(copy)
        database = sqlite3.connect(copy, isolation_level=None)
        try:
            database.execute("PRAGMA schema_version")  # the first look undoes it
        finally:
            database.close()
        yield copy


def _copy(path: Path, copy: Path) -> None:
    """Copy database and journal as they were at one moment. Another process may be undoing the same transaction: as
    long as the journal stays, it restores the database however far that process has come."""
    for _ in range(_TRIES):
        before = _stamp(journal_of(path))
        if before is not None:
            shutil.copyfile(journal_of(path), journal_of(copy))
        shutil.copyfile(path, copy)
        if _stamp(journal_of(path)) == before:
            return
        journal_of(copy).unlink(missing_ok=True)
    raise StudyFolderError(f"{path} is being written at this moment. Try again.")


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
