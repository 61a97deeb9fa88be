"""`study.json` on disk: beside it lie a copy of it, and the SHA-256 of what it holds and of what it held before.

They are written in the order sums, copy, spec. Killed in between, the spec is the older of the two that the sums name.
A spec that is neither is damaged, and its copy, which the sums name as well, shows where and takes its place.
"""

import json
import re
from contextlib import suppress
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from shlex import quote
from typing import Any, cast

from steepest.errors import StudyFolderError
from steepest.records.bounded import read_file
from steepest.records.files import parse_json, write_bytes
from steepest.records.record import is_json_object

SPEC = "study.json"
FORMAT = 2
"""Of study.json. A higher one was written by a newer version, and is refused."""
COPY = "study.json.copy"
SUMS = "study.json.sha256"
FILES_OF_SPEC = (SPEC, COPY, SUMS)
_SHOWN = 60
"""Characters of a damaged value that a message shows."""


def write_spec(folder: Path, spec: object) -> None:
    """Put a new spec in place of the old one. Raises OSError."""
    content = (json.dumps(spec, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()
    _write_sums(folder, content, _bytes(folder / SPEC))
    write_bytes(folder / COPY, content)
    write_bytes(folder / SPEC, content)


def seal_spec(folder: Path) -> None:
    """Give a sound spec the copy and the sums that it should have: older versions wrote none. Raises OSError."""
    content = _bytes(folder / SPEC)
    if content is not None and (_bytes(folder / COPY) != content or _digest(content) not in _sums(folder)):
        _write_sums(folder, content, content)
        write_bytes(folder / COPY, content)


def stored_spec(folder: Path) -> Any:
    """What `study.json` holds, as JSON, checked against its sum. Raises StudyFolderError where it is missing, cannot be
    read or is not what was written."""
    path = folder / SPEC
    try:
        content = read_file(path)
    except OSError as error:
        raise StudyFolderError(f"{path} cannot be read: {error.strerror or error}.") from None
    copy, sums = _bytes(folder / COPY), _sums(folder)
    try:
        stored, trouble = parse_json(content), ""
    except ValueError as error:
        stored, trouble = None, str(error)
    is_known = not sums or _digest(content) in sums or content == copy
    if (is_known and not trouble) or is_newer(stored):
        return stored
    if is_known:
        raise StudyFolderError(f"{path} cannot be read: {trouble}. {remedy(folder)}")
    raise StudyFolderError(f"{path} is damaged{_place(content, copy, sums)}. {remedy(folder)}")


def is_newer(stored: object) -> bool:
    """Whether a newer version wrote this `study.json`."""
    match stored:
        case {"format": int(version)}:
            return version > FORMAT
        case _:
            return False


def remedy(folder: Path) -> str:
    """How to go on where `study.json` is damaged."""
    copy = _bytes(folder / COPY)
    if copy is not None and _digest(copy) in _sums(folder) and _bytes(folder / SPEC) != copy:
        return f"Restore it from its copy: cp {quote(str(folder / COPY))} {quote(str(folder / SPEC))}"
    return "Restore the file, or start another study."


# ---- the place of a damage -------------------------------------------------------------------------------------------


def _place(content: bytes, copy: bytes | None, sums: tuple[str, ...]) -> str:
    """Where a damaged spec differs from its copy, as a clause; "" where the copy is not to be trusted either."""
    if copy is None or _digest(copy) not in sums:
        return ": it does not have its checksum"
    with suppress(ValueError):
        if (path := _first_difference(parse_json(content), parse_json(copy))) is not None:
            where, found, written = path
            return f" at {where or 'the whole'}: {_shown(found)} was {_shown(written)}"
    lines = zip_longest(content.split(b"\n"), copy.split(b"\n"))
    number, line = next((i, found or b"") for i, (found, written) in enumerate(lines, 1) if found != written)
    return f" at line {number}: {_shown(line.decode('utf-8', 'replace').strip())}"


_NOTHING = object()


def _first_difference(found: Any, written: Any, where: str = "") -> tuple[str, object, object] | None:
    """(path, what is there, what was written) where two JSON values first differ; None where they are equal."""
    mine, theirs = _parts(found), _parts(written)
    if mine is None or theirs is None or type(found) is not type(written):
        same = type(found) is type(written) and repr(found) == repr(written)
        return None if same else (where, found, written)
    for key in (*mine, *theirs):
        inside = f"{where}.{key}" if where else key
        if (path := _first_difference(mine.get(key, _NOTHING), theirs.get(key, _NOTHING), inside)) is not None:
            return path
    return None


def _parts(value: Any) -> dict[str, Any] | None:
    """What an object or a list holds, by its key or place; None for anything else."""
    if is_json_object(value):
        return value
    if isinstance(value, list):
        return {str(i): each for i, each in enumerate(cast(list[Any], value))}
    return None


def _shown(value: object) -> str:
    if value is _NOTHING:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value)
    text = re.sub(r"[^\x20-\x7e]", "?", text)
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + " …")


# ---- files -----------------------------------------------------------------------------------------------------------


def _write_sums(folder: Path, now: bytes, before: bytes | None) -> None:
    lines = dict.fromkeys(_digest(content) for content in (now, before) if content is not None)
    write_bytes(folder / SUMS, "".join(f"{digest}  {SPEC}\n" for digest in lines).encode())


def _sums(folder: Path) -> tuple[str, ...]:
    """The SHA-256 that the spec may have; none where there is no such file."""
    content = _bytes(folder / SUMS)
    return () if content is None else tuple(re.findall(r"[0-9a-f]{64}", content.decode("ascii", "replace"))) or ("",)


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def _bytes(path: Path) -> bytes | None:
    try:
        return read_file(path)
    except OSError:
        return None
