"""Reads CSV and Parquet files to cells of text by column, in any encoding, with any separator, with damaged rows.

CSV is read with the standard library, so that `columns` interprets every cell and states it in a note. On 18 files,
charset-normalizer decoded the same texts, but pandas rejected ragged rows, read a comment line as the header and 00501
as 501, and left dates, amounts in dollars and numbers with one stray word as texts, without a note. Parquet needs
pyarrow, a large dependency, and is therefore an extra.
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
from steepest.ingest.notes import names as listed_names
from steepest.messages import Message, counted, say, verbatim

SEPARATORS = {",": say("commas"), ";": say("semicolons"), "\t": say("tabs"), "|": say("bars")}
SAMPLE_LINES = 200
"""Lines from which the separator is detected."""
MAX_RAGGED_SHARE = 0.1
"""Share of rows with too many or too few cells above which a file is rejected."""
MIN_PAIRED_SHARE = 0.7
"""Share of bytes above 127 in runs of two or more above which a text is read as Chinese; accents are isolated bytes."""

csv.field_size_limit(2**30)  # a review may be long


@dataclass(frozen=True)
class Sheet:
    """Stripped cells of text by column, all of the same length. `notes` state how the file was read."""

    columns: dict[str, list[str]]
    notes: list[Message] = field(default_factory=list)
    comma_separates: bool = True
    """Whether commas separate cells; if not, a comma may be a decimal point."""

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values())))


def read(path: Path, content: bytes) -> Sheet:
    """The table in a file's bytes. Raises BadTask if there is none."""
    return _parquet(path, content) if path.suffix.lower() in (".parquet", ".pq") else _csv(path, content)


# ---- CSV -------------------------------------------------------------------------------------------------------------


def _csv(path: Path, content: bytes) -> Sheet:
    text, encoding = decode(path, content)
    if not text.strip():
        raise BadTask(f"{path} is empty. A table needs a line of column names and one line per example.")
    notes: list[Message] = []
    text = _without_preamble(text, notes)
    separator = _separator(text)
    lines = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator)]
    header, *rows = [row for row in lines if any(row)]
    notes = [
        *notes,
        say("Read as {encoding}, separated by {separator}.", encoding=encoding, separator=SEPARATORS[separator]),
    ]
    if not rows:
        raise BadTask(f"{path} has column names but no rows below them. Add one row per example.")
    if all(_is_number(cell) for cell in header):
        raise BadTask(
            f"The first line of {path} contains only numbers ({', '.join(header[:4])} …). Add a line of column names "
            "above it, so that --target can name one."
        )
    whole = [row for row in rows if len(row) == len(header)]
    if ragged := len(rows) - len(whole):
        place = next(i for i, row in enumerate(rows, start=2) if len(row) != len(header))
        found = say(
            "{ragged:,} of {all:,} rows have more or fewer cells than the {header} column names, the first in row "
            "{place}",
            ragged=ragged,
            all=len(rows),
            header=len(header),
            place=place,
        )
        if ragged > MAX_RAGGED_SHARE * len(rows):
            raise BadTask(
                f"{found}: {path} is damaged. Quote cells that contain a separator or a line break, and save it again."
            )
        notes.append(say("{found}; left out.", found=found))
    names = _names(header, notes)
    return Sheet(dict(zip(names, map(list, zip(*whole, strict=True)), strict=True)), notes, separator == ",")


def _without_preamble(text: str, notes: list[Message]) -> str:
    """The text from its column names on, without a `sep=;` line and comments above them."""
    found = re.match(r"(?:sep=.\r?\n|#[^\r\n]*\r?\n|\s*\r?\n)+", text)
    if found is None or not text[found.end() :].strip():
        return text
    if count := len(found[0].split("\n")) - 1:
        lines = counted(count, "{n} line", "{n} lines")
        notes.append(say("{lines} above the column names skipped.", lines=lines))
    return text[found.end() :]


def decode(path: Path, content: bytes) -> tuple[str, Message]:
    """Text and the name of its encoding: by its byte order mark; else UTF-8 if valid; else Chinese GB 18030 if most
    bytes above 127 occur in runs; else Western Windows-1252. Raises BadTask for a file that is not text."""
    if content[:4] == b"PK\x03\x04":
        raise BadTask(f"{path} is a workbook or another archive, not a text file. Save the sheet as CSV (UTF-8).")
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            called = encoding.upper().removesuffix("-SIG")
            return _decoded(path, content, encoding), say("{called} with a byte order mark", called=called)
    if b"\0" in content[:1000]:
        zeros = [content[:1000:2].count(0), content[1:1000:2].count(0)]
        if min(zeros) * 20 > max(zeros) or max(zeros) * 10 < len(content[:1000]):
            raise BadTask(f"{path} is not a text file: it contains zero bytes. Save it as CSV (UTF-8).")
        encoding = "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
        return _decoded(path, content, encoding), verbatim(encoding.upper())
    try:
        return content.decode("utf-8"), say("UTF-8")
    except UnicodeDecodeError:
        pass
    high = re.findall(rb"[\x80-\xff]+", content)
    if sum(len(run) for run in high if len(run) > 1) > MIN_PAIRED_SHARE * sum(map(len, high)):
        try:
            return content.decode("gb18030"), say("GB 18030 (Chinese)")
        except UnicodeDecodeError:
            pass
    western = say("Windows-1252 (Western European), since it is not valid UTF-8")
    return content.decode("cp1252", errors="replace"), western


def _decoded(path: Path, content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise BadTask(f"{path} is incomplete {encoding.upper()} text. Save it again as CSV (UTF-8).") from None


def _separator(text: str) -> str:
    """The separator that splits the first lines most evenly, into the most cells."""

    def evenness(separator: str) -> tuple[float, int]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        sizes = [len(row) for row, _ in zip(reader, range(SAMPLE_LINES), strict=False) if row]
        if not sizes or sizes[0] == 1:
            return 0.0, 1
        return sizes.count(sizes[0]) / len(sizes), sizes[0]

    return max(SEPARATORS, key=evenness)


def _names(header: list[str], notes: list[Message]) -> list[str]:
    """A unique name for each column: unnamed columns and repeated names are numbered."""
    named = [cell or f"column {i}" for i, cell in enumerate(header, start=1)]
    if twice := [name for name, count in Counter(named).items() if count > 1]:
        notes.append(
            say(
                "Several columns are named {which}; the later ones are renamed to {first} (2) and so on.",
                which=listed_names(twice),
                first=twice[0],
            )
        )
    seen: Counter[str] = Counter()
    names = []
    for name in named:
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


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
            f"{path} is a Parquet file, which needs pyarrow. Install it, pip install 'steepest[data]', or save the "
            "table as CSV."
        ) from None
    try:
        table: Any = parquet.read_table(io.BytesIO(content))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadTask(f"{path} cannot be read as Parquet: {str(error).splitlines()[0].rstrip('.')}.") from None
    notes = [say("Read as Parquet.")]
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
        notes.append(say("Left out (more than one value per cell): {which}.", which=listed_names(left)))
    if not columns or not table.num_rows:
        raise BadTask(f"{path} has no rows or no columns of plain values.")
    return Sheet(columns, notes)
