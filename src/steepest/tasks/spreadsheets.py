"""From a CSV or Parquet file to cells of text by column, whatever its encoding, its separator and its damage.

CSV is read with what Python itself has: what a cell means is for `columns` to say, in words, and no library's guess
comes in between. Parquet needs pyarrow, which is large, and is therefore an extra.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from steepest.errors import BadTask

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
LOOKED_AT = 200
"""Lines that the separator is told from."""
RAGGED = 0.1
"""Share of rows with too many or too few cells beyond which a table is no table."""

csv.field_size_limit(2**30)  # a review may be long


@dataclass(frozen=True)
class Sheet:
    """Cells as text, by column, stripped; all columns have the same length. `notes` tell what was done in reading."""

    columns: dict[str, list[str]]
    notes: list[str] = field(default_factory=list)
    comma_separates: bool = True
    """Whether cells are divided by commas: where they are not, a comma may be a decimal point."""

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values())))


def read(path: Path, content: bytes) -> Sheet:
    """The sheet in a file's bytes; raises BadTask for one that holds none."""
    return _parquet(path, content) if path.suffix.lower() in (".parquet", ".pq") else _csv(path, content)


# ---- CSV -------------------------------------------------------------------------------------------------------------


def _csv(path: Path, content: bytes) -> Sheet:
    text, encoding = decode(path, content)
    if not text.strip():
        raise BadTask(f"{path} is empty: a table needs a line of column names and a line for each example.")
    separator = _separator(text)
    lines = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator)]
    header, *rows = [row for row in lines if any(row)]
    notes = [f"Read as {encoding}, cells divided by {SEPARATORS[separator]}."]
    if not rows:
        raise BadTask(f"{path} has column names and no rows below them: there is nothing to learn from.")
    if all(_is_number(cell) for cell in header):
        raise BadTask(
            f"The first line of {path} holds numbers only ({', '.join(header[:4])} …): put a line of column names "
            "above it, so that a target can be named."
        )
    whole = [row for row in rows if len(row) == len(header)]
    if ragged := len(rows) - len(whole):
        place = next(i for i, row in enumerate(rows, start=2) if len(row) != len(header))
        found = f"{ragged} of {len(rows)} rows have more or fewer cells than the {len(header)} column names"
        if ragged > RAGGED * len(rows):
            raise BadTask(
                f"{found}, the first in row {place}: {path} is no whole table. Quote cells that hold a separator or a "
                "line break, and save it again."
            )
        notes.append(f"{found}, the first in row {place}: left out.")
    names = _names(header, notes)
    return Sheet(dict(zip(names, map(list, zip(*whole, strict=True)), strict=True)), notes, separator == ",")


def decode(path: Path, content: bytes) -> tuple[str, str]:
    """Text and the name of its encoding: by its mark; UTF-8 where it is that; else Chinese GB 18030 or Western
    Windows-1252, told apart by whether bytes above 127 come in pairs. Raises BadTask for what is no text."""
    if content[:4] == b"PK\x03\x04":
        raise BadTask(f"{path} is a workbook or another archive, not a text table; save the sheet as CSV (UTF-8).")
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return _decoded(path, content, encoding), encoding.upper().removesuffix("-SIG") + " with a mark"
    if b"\0" in content[:1000]:
        zeros = [content[:1000:2].count(0), content[1:1000:2].count(0)]
        if min(zeros) * 20 > max(zeros) or max(zeros) * 10 < len(content[:1000]):
            raise BadTask(f"{path} holds bytes that no text has: it is no text table. Save it as CSV (UTF-8).")
        encoding = "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
        return _decoded(path, content, encoding), encoding.upper()
    try:
        return content.decode("utf-8"), "UTF-8"
    except UnicodeDecodeError:
        pass
    high = re.findall(rb"[\x80-\xff]+", content)
    if sum(len(run) % 2 == 0 for run in high) > 0.9 * len(high):
        try:
            return content.decode("gb18030"), "GB 18030 (Chinese)"
        except UnicodeDecodeError:
            pass
    return content.decode("cp1252", errors="replace"), "Windows-1252 (Western European), as it is no UTF-8"


def _decoded(path: Path, content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise BadTask(f"{path} begins like {encoding.upper()} and breaks off; save it again as CSV (UTF-8).") from None


def _separator(text: str) -> str:
    """What divides the first lines most evenly, into the most cells."""

    def evenness(separator: str) -> tuple[float, int]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        sizes = [len(row) for row, _ in zip(reader, range(LOOKED_AT), strict=False) if row]
        if not sizes or sizes[0] == 1:
            return 0.0, 1
        return sizes.count(sizes[0]) / len(sizes), sizes[0]

    return max(SEPARATORS, key=evenness)


def _names(header: list[str], notes: list[str]) -> list[str]:
    """A name for each column: what has none is numbered, and what is there twice, too."""
    named = [cell or f"column {i}" for i, cell in enumerate(header, start=1)]
    if twice := [name for name, count in Counter(named).items() if count > 1]:
        notes.append(f"Several columns are called {_list(twice)}: the later ones are {twice[0]} (2) and so on.")
    seen: Counter[str] = Counter()
    names = []
    for name in named:
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def _list(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


# ---- Parquet ---------------------------------------------------------------------------------------------------------


def _parquet(path: Path, content: bytes) -> Sheet:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise BadTask(
            f"{path} is a Parquet file, which needs pyarrow: pip install 'steepest[data]'. Or save it as CSV."
        ) from None
    try:
        table: Any = parquet.read_table(io.BytesIO(content))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadTask(f"{path} cannot be read as Parquet: {str(error).splitlines()[0].rstrip('.')}.") from None
    notes: list[str] = ["Read as Parquet."]
    columns, left = {}, []
    for name, column in zip(_names(list(table.column_names), notes), table.columns, strict=True):
        try:
            if pa.types.is_dictionary(column.type):
                column = column.cast(column.type.value_type)
            cells = column.cast(pa.string()).to_pylist()
        except (pa.ArrowException, ValueError):
            left.append(f"{name} ({column.type})")
            continue
        columns[name] = ["" if cell is None else cell.strip() for cell in cells]
    if left:
        notes.append(f"Columns that hold more than one value a cell are left out: {_list(left)}.")
    if not columns or not table.num_rows:
        raise BadTask(f"{path} has no rows, or no columns of plain values: there is nothing to learn from.")
    return Sheet(columns, notes)
