"""The checksum of a database: the sum of a BLAKE2b of every row, modulo 2²⁵⁶, kept in a table of its own.

A sum can follow each change of a row without looking at the others, and does not depend on their order. A flipped bit
that changes, hides or invents a row changes it.
"""

import json
import math
import sqlite3
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import repeat
from typing import Any

Row = Sequence[Any]

_numbers = struct.Struct("<dqqqqdddddq").pack
_SIZE = 2**256


def _bytes_of_result(row: Row) -> bytes:
    """A row of results, of which there are many; `json` takes ten times as long. NULL is written as NaN, which SQLite
    cannot store."""
    task, contender, rate, seed, stage, batch, steps, outcome, end, a, b, c, d, e, shard, lane, dials = row
    if None in row:
        a, b, c, d, e = (math.nan if each is None else each for each in (a, b, c, d, e))
    words = f"{task}\0{contender}\0{stage}\0{outcome}\0{shard}".encode()
    if dials:  # so that rows without keep the checksum that they had before there were any
        words += f"\0{dials}".encode()
    return words + _numbers(rate, seed, batch, steps, end, a, b, c, d, e, lane)


def _bytes_of_any(row: Row) -> bytes:
    return json.dumps([*row], ensure_ascii=True, separators=(",", ":")).encode()


TABLES: Mapping[str, tuple[tuple[type[Any], ...], Callable[[Row], bytes]]] = {
    "sitting": ((int, str, float), _bytes_of_any),
    "shard": ((str, str, float, int), _bytes_of_any),
    "result": (
        (str, str, float, int, str, int, int, str, int, float, float, float, float, float, str, int, str),
        _bytes_of_result,
    ),
    "finish": ((str,), _bytes_of_any),
    "note": ((str,), _bytes_of_any),
}
"""Table → the types of its columns, and what of a row is hashed."""


def sum_of(table: str, rows: Iterable[Row]) -> int:
    """The sum of these rows. Raises DatabaseError where one cannot be of this table."""
    written, person = TABLES[table][1], table.encode()
    total = 0
    try:
        for row in rows:
            total += int.from_bytes(blake2b(written(row), digest_size=32, person=person).digest(), "big")
    except (struct.error, TypeError, ValueError) as error:
        raise sqlite3.DatabaseError(f"a row of {table} holds something else: {error}") from None
    return total % _SIZE


def check(database: sqlite3.Connection, results: Iterable[Row]) -> None:
    """Raise DatabaseError where the checksum is not that of the rows. The `results` have been read already."""
    found = database.execute("SELECT sum FROM seal").fetchall()
    total = sum_of("result", results)
    for table in TABLES:
        if table != "result":
            total += sum_of(table, database.execute(f"SELECT * FROM {table}"))
    if found != [(_text(total),)]:
        raise sqlite3.DatabaseError("its rows do not have their checksum")


class Seal:
    """Changes rows within a transaction, and the checksum with them."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._change = 0

    def add(self, table: str, rows: Iterable[Row]) -> None:
        """Insert rows; numbers are written as the types of their columns."""
        types = TABLES[table][0]
        exact = [tuple(map(_exact, types, row)) for row in rows]
        self._database.executemany(f"INSERT INTO {table} VALUES ({', '.join(repeat('?', len(types)))})", exact)
        self._change += sum_of(table, exact)

    def remove(self, table: str, where: str = "true", values: Row = ()) -> list[Row]:
        """Delete rows, and return them."""
        gone: list[Row] = self._database.execute(f"SELECT * FROM {table} WHERE {where}", values).fetchall()
        if gone:
            self._database.execute(f"DELETE FROM {table} WHERE {where}", values)
            self._change -= sum_of(table, gone)
        return gone

    def write(self) -> None:
        """Put the new checksum in place of the old one."""
        if self._change:
            (old,) = self._database.execute("SELECT sum FROM seal").fetchone()
            self._database.execute("UPDATE seal SET sum = ?", (_text(int(old, 16) + self._change),))


def begin(database: sqlite3.Connection) -> None:
    """The checksum of rows that have had none."""
    total = sum(sum_of(table, database.execute(f"SELECT * FROM {table}")) for table in TABLES)
    database.execute("INSERT INTO seal VALUES (?)", (_text(total),))


def _text(total: int) -> str:
    return f"{total % _SIZE:064x}"


def _exact(kind: type[Any], value: Any) -> Any:
    if value is None:
        return None
    return value + 0.0 if kind is float else kind(value)  # SQLite makes 0 of -0
