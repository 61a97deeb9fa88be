"""Reads CSV and Parquet files to cells of text by column, in any encoding, with any separator, with damaged rows.

CSV is read with the standard library, so that `columns` interprets every cell and states it in a note. On 18 files,
charset-normalizer decoded the same texts, but pandas rejected ragged rows, read a comment line as the header and 00501
as 501, and left dates, amounts in dollars and numbers with one stray word as texts, without a note. Parquet needs
pyarrow, a large dependency, and is therefore an extra.
"""

import csv
import gc
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from steepest.errors import BadTask
from steepest.ingest.notes import names as listed_names
from steepest.ingest.packed_cells import BETWEEN, PackedCells
from steepest.messages import Message, counted, say, verbatim

SEPARATORS = {",": say("commas"), ";": say("semicolons"), "\t": say("tabs"), "|": say("bars")}
HEAD_CHARACTERS = 2**20
"""Length of the beginning in which comments, column names and the separator are looked for."""
CHUNK_ROWS = 20_000
"""Rows that are read and packed at a time."""
SPACES = (" ", "\t", "\r", "\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x1f")
"""ASCII characters that `strip` removes."""
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

    columns: dict[str, PackedCells]
    notes: list[Message] = field(default_factory=list)
    row_hashes: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))  # [rows], equal for equal rows
    comma_separates: bool = True
    """Whether commas separate cells; if not, a comma may be a decimal point."""

    @property
    def rows(self) -> int:
        return len(self.row_hashes)


@contextmanager
def uncollected() -> Iterator[None]:
    """Without Python's search for cycles, which would go through millions of cells again and again: a quarter of the
    time of a large table."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@uncollected()
def read(path: Path, content: bytes) -> Sheet:
    """The table in a file's bytes. Raises BadTask if there is none."""
    return _parquet(path, content) if path.suffix.lower() in (".parquet", ".pq") else _csv(path, content)


# ---- CSV -------------------------------------------------------------------------------------------------------------


def _csv(path: Path, content: bytes) -> Sheet:
    codec, encoding = encoding_of(path, content)
    text = io.TextIOWrapper(io.BytesIO(content), codec, "replace", newline="")
    head = text.read(HEAD_CHARACTERS)
    if not head.strip():
        raise BadTask(f"{path} is empty. A table needs a line of column names and one line per example.")
    notes: list[Message] = []
    start = _end_of_preamble(head, notes)
    begun = head[start:]
    separator = _separator((len(head) == HEAD_CHARACTERS and begun.rpartition("\n")[0]) or begun)
    text.seek(0)
    text.read(start)
    reader = csv.reader(text, delimiter=separator)
    notes.append(
        say("Read as {encoding}, separated by {separator}.", encoding=encoding, separator=SEPARATORS[separator])
    )
    try:
        header = [cell.strip() for cell in next((row for row in reader if not _is_blank(row)), [])]
        body = _body(reader, len(header))
    except csv.Error as error:
        raise BadTask(f"{path}, line {reader.line_num}: {error}. Save the table again as CSV (UTF-8).") from None
    if not body.seen:
        raise BadTask(f"{path} has column names but no rows below them. Add one row per example.")
    if all(_is_number(cell) for cell in header):
        raise BadTask(
            f"The first line of {path} contains only numbers ({', '.join(header[:4])} …). Add a line of column names "
            "above it, so that --target can name one."
        )
    if body.ragged:
        found = say(
            "{ragged:,} of {all:,} rows have more or fewer cells than the {header} column names, the first in row "
            "{place}",
            ragged=body.ragged,
            all=body.seen,
            header=len(header),
            place=body.first_ragged,
        )
        if body.ragged > MAX_RAGGED_SHARE * body.seen:
            raise BadTask(
                f"{found}: {path} is damaged. Quote cells that contain a separator or a line break, and save it again."
            )
        notes.append(say("{found}; left out.", found=found))
    names = _names(header, notes)
    hashes = np.concatenate(body.hashes)
    columns = {name: PackedCells(chunks, len(hashes)) for name, chunks in zip(names, body.chunks, strict=True)}
    return Sheet(columns, notes, hashes, separator == ",")


@dataclass
class _Body:
    """The rows below the column names, packed by column as they are read."""

    chunks: list[list[bytes]]
    hashes: list[np.ndarray] = field(default_factory=list)
    seen: int = 0
    ragged: int = 0
    first_ragged: int = 0


def _body(reader: Iterator[list[str]], width: int) -> _Body:
    body = _Body([[] for _ in range(width)])
    while lines := [*islice(reader, CHUNK_ROWS)]:
        rows = [row for row in lines if (row and row[0] and not row[0].isspace()) or not _is_blank(row)]
        if any(len(row) != width for row in rows):
            rows = [row[:width] if len(row) > width and _is_blank(row[width:]) else row for row in rows]
            places = [i for i, row in enumerate(rows, start=body.seen + 2) if len(row) != width]
            body.first_ragged = body.first_ragged or (places[0] if places else 0)
            body.ragged += len(places)
            whole = [row for row in rows if len(row) == width]
        else:
            whole = rows
        body.seen += len(rows)
        _pack(body, whole)
    return body


def _pack(body: _Body, rows: Sequence[Sequence[str]]) -> None:
    """Append rows to a body, their cells stripped."""
    if not rows:
        return
    changed = False
    columns = [*zip(*rows, strict=True)]
    for i, (chunks, cells) in enumerate(zip(body.chunks, columns, strict=True)):
        joined = BETWEEN.join(cells)
        if joined.count(BETWEEN) != len(cells) - 1 or not joined.isascii() or any(map(joined.__contains__, SPACES)):
            columns[i] = tuple(cell.replace(BETWEEN, "").strip() for cell in cells)
            changed, joined = True, BETWEEN.join(columns[i])
        chunks.append(joined.encode("utf-8", "replace"))
    stripped = zip(*columns, strict=True) if changed else map(tuple, rows)
    body.hashes.append(np.fromiter(map(hash, stripped), dtype=np.int64, count=len(rows)))


def _is_blank(row: Sequence[str]) -> bool:
    return not any(row) or not any(cell.strip() for cell in row)


def _end_of_preamble(head: str, notes: list[Message]) -> int:
    """Where the column names begin, below a `sep=;` line and comments."""
    found = re.match(r"(?:sep=.\r?\n|#[^\r\n]*\r?\n|\s*\r?\n)+", head)
    if found is None or not head[found.end() :].strip():
        return 0
    if count := len(found[0].split("\n")) - 1:
        lines = counted(count, "{n} line", "{n} lines")
        notes.append(say("{lines} above the column names skipped.", lines=lines))
    return found.end()


def encoding_of(path: Path, content: bytes) -> tuple[str, Message]:
    """The codec of a text and its name in words: by its byte order mark; else UTF-8 if valid; else Chinese GB 18030 if
    most bytes above 127 occur in runs; else Western Windows-1252. Raises BadTask for a file that is not text."""
    if content[:4] == b"PK\x03\x04":
        raise BadTask(f"{path} is a workbook or another archive, not a text file. Save the sheet as CSV (UTF-8).")
    for mark, codec in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            called = codec.upper().removesuffix("-SIG")
            return _decodes(path, content, codec), say("{called} with a byte order mark", called=called)
    if b"\0" in content[:1000]:
        zeros = [content[:1000:2].count(0), content[1:1000:2].count(0)]
        if min(zeros) * 20 > max(zeros) or max(zeros) * 10 < len(content[:1000]):
            raise BadTask(f"{path} is not a text file: it contains zero bytes. Save it as CSV (UTF-8).")
        codec = "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
        return _decodes(path, content, codec), verbatim(codec.upper())
    if _is_valid(content, "utf-8"):
        return "utf-8", say("UTF-8")
    high = re.findall(rb"[\x80-\xff]+", content)
    paired = sum(len(run) for run in high if len(run) > 1) > MIN_PAIRED_SHARE * sum(map(len, high))
    if paired and _is_valid(content, "gb18030"):
        return "gb18030", say("GB 18030 (Chinese)")
    return "cp1252", say("Windows-1252 (Western European), since it is not valid UTF-8")


def _is_valid(content: bytes, codec: str) -> bool:
    try:
        content.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _decodes(path: Path, content: bytes, codec: str) -> str:
    if not _is_valid(content, codec):
        raise BadTask(f"{path} is incomplete {codec.upper()} text. Save it again as CSV (UTF-8).")
    return codec


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
        columns[name] = [_printed(cell) for cell in cells]
    if left:
        notes.append(say("Left out (more than one value per cell): {which}.", which=listed_names(left)))
    if not columns or not table.num_rows:
        raise BadTask(f"{path} has no rows or no columns of plain values.")
    body = _Body([[] for _ in columns])
    _pack(body, [*zip(*columns.values(), strict=True)])
    return Sheet(
        {name: PackedCells(chunks, table.num_rows) for name, chunks in zip(columns, body.chunks, strict=True)},
        notes,
        np.concatenate(body.hashes),
    )


def _printed(cell: str | None) -> str:
    return "" if cell is None else cell
