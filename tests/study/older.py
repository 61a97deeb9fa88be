"""Databases as older versions wrote them."""

import sqlite3
from contextlib import closing
from pathlib import Path

from steepest.study.database import MIGRATIONS


def turn_back(path: Path, version: int) -> None:
    """Write a database again as this version had it: without the tables and columns that came later."""
    with closing(sqlite3.connect(path, isolation_level=None)) as now:
        rows = {name: now.execute(f"SELECT * FROM {name}").fetchall() for name in _tables(now)}
    path.unlink()
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        for script in MIGRATIONS[:version]:
            old.executescript(script)
        for name in _tables(old):
            columns = len(old.execute(f"PRAGMA table_info({name})").fetchall())
            old.executemany(
                f"INSERT INTO {name} VALUES ({', '.join('?' * columns)})", [row[:columns] for row in rows[name]]
            )
        old.execute(f"PRAGMA user_version = {version}")


def _tables(database: sqlite3.Connection) -> list[str]:
    return [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
