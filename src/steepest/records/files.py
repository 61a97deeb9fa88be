"""Files that are whole or absent: write to a temporary name, fsync, rename, fsync the folder. No pickle anywhere.

Apart from `engine` and `study`, since one writes what the other reads and they must not import each other.
"""

import io
import json
import os
import secrets
import struct
import zipfile
import zlib
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from steepest.errors import StudyFolderError
from steepest.records.bounded import read_file
from steepest.records.example_outcomes import from_arrays, to_arrays
from steepest.records.litter import clear_litter_once
from steepest.records.outcomes import Outcome, Trace
from steepest.records.probe_trace import ProbeTrace
from steepest.records.record import field_names, is_json_object

_SUM = "sha256"
_OUTCOMES = {str(outcome): outcome for outcome in Outcome}
_ARRAYS = ("evaluate_at", "train_loss", "valid_loss", "valid_metric", "outcome_step", "test_loss", "test_metric")


def cache_folder() -> Path:
    """The folder of what any study may use again: $STEEPEST_CACHE, or steepest/ in $XDG_CACHE_HOME or ~/.cache."""
    if own := os.environ.get("STEEPEST_CACHE"):
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "steepest"


def write_bytes(path: Path, content: bytes, make_folder: bool = True) -> None:
    """Put `content` at `path` so that a reader sees the old file or the new one, even after a power cut."""
    if make_folder:
        path.parent.mkdir(parents=True, exist_ok=True)
    clear_litter_once(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_json(path: Path, value: Any) -> None:
    """As `write_bytes`; NaN and infinities are refused, since they are not JSON."""
    write_bytes(path, (json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Raises StudyFolderError if the file is missing or is not JSON."""
    try:
        return parse_json(read_file(path))
    except FileNotFoundError:
        raise StudyFolderError(f"{path} is missing.") from None
    except (OSError, ValueError) as error:
        raise StudyFolderError(f"{path} cannot be read: {error}.") from None


def write_checked(path: Path, value: Mapping[str, Any]) -> None:
    """An object as JSON that holds the SHA-256 of its own content."""
    write_json(path, {**value, _SUM: _sum_of(value)})


def read_checked(path: Path) -> Any:
    """The object that `write_checked` wrote, or one without a sum, as older versions wrote it. Raises StudyFolderError
    if the file is missing, is not JSON or does not have its sum."""
    stored = read_json(path)
    if is_json_object(stored) and (expected := stored.pop(_SUM, None)) is not None and expected != _sum_of(stored):
        raise StudyFolderError(f"{path} is damaged: it does not have its checksum.")
    return stored


def _sum_of(value: Mapping[str, Any]) -> str:
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def parse_json(content: bytes) -> Any:
    """The value that UTF-8 text holds. Raises ValueError for anything else, such as NaN, which is not JSON."""
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def file_digest(path: Path) -> str:
    """SHA-256 of a file as hexadecimal digits; "" if there is no such file."""
    try:
        return sha256(read_file(path)).hexdigest()
    except OSError:
        return ""


def write_trace(path: Path, trace: Trace) -> None:
    """The curves of one shard as .npz; the same trace always gives the same bytes."""
    buffer = io.BytesIO()
    arrays = {name: getattr(trace, name) for name in _ARRAYS}
    arrays |= {} if trace.examples is None else to_arrays(trace.examples)
    np.savez(buffer, outcome=np.array([str(outcome) for outcome in trace.outcome]), **arrays)
    write_bytes(path, buffer.getvalue())


def read_trace(path: Path) -> Trace:
    """Raises StudyFolderError if the file is missing, torn or of another shape."""
    return read_trace_and_digest(path)[0]


def read_trace_and_digest(path: Path) -> tuple[Trace, str]:
    """The curves, and the SHA-256 of the bytes that they were read from; raises as `read_trace` does."""
    try:
        content = read_file(path)
        trace = parse_trace(content)
        return trace, sha256(content).hexdigest()
    except FileNotFoundError:
        raise StudyFolderError(f"{path} is missing.") from None
    except Exception as error:  # zipfile, zlib and NumPy each raise their own kinds on a damaged file
        reason = " ".join(str(error).split())
        raise StudyFolderError(f"{path} is damaged: {reason}.") from None


def parse_trace(content: bytes) -> Trace:
    """The curves that `write_trace` wrote. Raises ValueError, and what zipfile and NumPy raise on damaged bytes."""
    stored = _read_arrays(content)
    outcome = tuple(map(_OUTCOMES.__getitem__, stored["outcome"].tolist()))
    examples = from_arrays(stored)
    trace = Trace(outcome=outcome, **{name: stored[name] for name in _ARRAYS}, examples=examples)
    if examples is not None:
        examples.check([each is Outcome.OK for each in outcome], trace.test_metric)
    if not _fits(trace):
        raise ValueError("its arrays do not belong together")
    return trace


def _fits(trace: Trace) -> bool:
    """Whether all arrays are of the same lanes and evaluations, and numbers are of their kinds."""
    lanes, evaluations = (len(trace.outcome),), trace.evaluate_at.shape
    curves = (trace.train_loss, trace.valid_loss, trace.valid_metric)
    ends = (trace.test_loss, trace.test_metric)
    return (
        len(evaluations) == 1
        and evaluations[0] > 0
        and all(each.shape == lanes + evaluations for each in curves)
        and all(each.shape == lanes for each in (*ends, trace.outcome_step))
        and all(each.dtype.kind == "f" for each in (*curves, *ends))
        and all(each.dtype.kind == "i" for each in (trace.evaluate_at, trace.outcome_step))
    )


def _read_arrays(content: bytes) -> dict[str, np.ndarray]:
    """What an .npz file holds. A study has hundreds of them, with few different headers: NumPy's own reader
    parses each header again, which takes longer than reading the numbers."""
    found: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            if entry.compress_type != zipfile.ZIP_STORED:
                raise ValueError("it is compressed")  # and could grow without limit
            raw = _stored(content, entry) or archive.read(entry)
            start = 10 + int.from_bytes(raw[8:10], "little")  # magic, version, length of the header, header
            shape, in_columns, dtype = _header(raw[:start])
            values = np.frombuffer(raw, dtype, offset=start)
            found[entry.filename.removesuffix(".npy")] = values.reshape(shape, order="F" if in_columns else "C").copy()
    return found


def _stored(content: bytes, entry: zipfile.ZipInfo) -> bytes | None:
    """The bytes of an entry; None if it is unusual: the library then reads it, or raises."""
    names, extras = struct.unpack_from("<HH", content, entry.header_offset + 26)
    start = entry.header_offset + 30 + names + extras
    raw = content[start : start + entry.file_size]
    return raw if zlib.crc32(raw) == entry.CRC else None


@lru_cache(maxsize=1024)
def _header(raw: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether columns come first, and type of an array in NumPy's format, version 1.0; never a pickled one."""
    stream = io.BytesIO(raw)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array is of another format")
    shape, in_columns, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject:
        raise ValueError("an array holds objects")
    return shape, in_columns, dtype


def write_probes(path: Path, probes: ProbeTrace) -> None:
    """A probe trace as .npz; the same trace always gives the same bytes."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: np.asarray(getattr(probes, name)) for name in field_names(ProbeTrace)}
    np.savez(buffer, **arrays)
    write_bytes(path, buffer.getvalue())


def read_probes(path: Path) -> ProbeTrace:
    """Raises StudyFolderError if the file is missing, torn or of another shape."""
    try:
        content = io.BytesIO(read_file(path))
        with np.load(content, allow_pickle=False) as stored:
            found: dict[str, Any] = {name: stored[name] for name in field_names(ProbeTrace)}
    except FileNotFoundError:
        raise StudyFolderError(f"{path} is missing.") from None
    except Exception as error:  # as in read_trace
        reason = " ".join(str(error).split())
        raise StudyFolderError(f"{path} is damaged: {reason}.") from None
    found |= {name: tuple(map(str, found[name])) for name in ("layers", "states")}
    found |= {name: str(found[name]) for name in ("task", "contender")}
    found |= {name: int(found[name]) for name in ("batch_size", "steps")}
    return ProbeTrace(**found)
