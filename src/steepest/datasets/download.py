"""A file from the address of those who publish it: resumed where it broke off, and believed by its checksum alone.

The last of the ways to a data set, for machines on which no registry of packages can be reached. Loads no torch.
"""

from __future__ import annotations

import http.client
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from steepest.records.files import file_digest

TRIES = 4
"""How often a download is begun or resumed before it is given up."""
SILENCE = 30.0
"""Seconds without a byte after which a connection counts as broken."""
PATIENCE = 900.0
"""Seconds that all tries for a file may take together."""
PAUSE = 0.5
"""Seconds before the second try; it doubles before each that follows."""
PIECE = 2**18
"""Bytes that are read, and written, at a time."""
BUSY = {408, 425, 429, 500, 502, 503, 504}
"""Answers after which it is worth trying again."""


class Refused(Exception):
    """One way to the data that leads nowhere; the message says why, in half a sentence."""


class _Broken(Exception):
    """A try that ended early, and after which another makes sense; the message says how."""


@dataclass(frozen=True)
class WebFile:
    """One file of a publisher, known byte for byte before it is asked for."""

    name: str
    address: str
    sha256: str
    bytes: int

    @property
    def host(self) -> str:
        return urlsplit(self.address).hostname or ""


def fetched(file: WebFile, folder: Path, *, silence: float = SILENCE, patience: float = PATIENCE) -> Path:
    """The path of the file, whole and checked, in this folder, where whatever an earlier try left is made use of.

    `silence` are the seconds without a byte after which a connection is given up, `patience` those of all tries
    together. Raises Refused if the host does not have it, has another one, sends it too slowly, or cannot be reached.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{file.sha256[:12]}-{file.name}.part"
    deadline = time.monotonic() + patience
    said = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        begun = _size(part)
        try:
            if begun != file.bytes:
                _receive(file, part, silence, deadline)
        except _Broken as reason:
            said = str(reason)
            continue
        if file_digest(part) == file.sha256:
            return part
        part.unlink()
        if not begun:  # what was put together of two answers may be of two files; what came in one go is what it is
            raise Refused(
                f"{file.name} from {file.host} is damaged or altered: its SHA-256 is not the one that is known, and "
                "nothing was taken from it"
            )
    raise Refused(f"{file.host} did not give {file.name} in {TRIES} tries: {said}")


def _receive(file: WebFile, part: Path, silence: float, deadline: float) -> None:
    """Write what is still missing of a file to `part`. Raises _Broken or Refused; what had come by then is kept."""
    begun = _size(part)
    asked = Request(file.address, headers={"Accept-Encoding": "identity", "User-Agent": "steepest"})
    if begun:
        asked.add_header("Range", f"bytes={begun}-")
    try:
        with build_opener(_Careful).open(asked, timeout=silence) as answer:
            start = _start(answer, begun)
            _check_size(file, answer, start)
            with part.open("r+b" if start else "wb") as out:
                out.seek(start)
                out.truncate()
                _copy(file, answer, out, deadline)
    except HTTPError as error:
        error.close()
        if error.code == 416:  # there is nothing after what is here: it cannot be the beginning of this file
            part.unlink(missing_ok=True)
        if error.code == 416 or error.code in BUSY:
            raise _Broken(f"HTTP {error.code} {error.reason}") from None
        raise Refused(f"{file.host} said: HTTP {error.code} {str(error.reason).splitlines()[0]}") from None
    except URLError as error:
        raise _Broken(_in_words(error.reason, silence)) from None
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(_in_words(error, silence)) from None


def _copy(file: WebFile, answer: Any, out: IO[bytes], deadline: float) -> None:
    for piece in iter(lambda: answer.read1(PIECE), b""):
        out.write(piece)
        if out.tell() > file.bytes:
            out.truncate(0)
            raise Refused(f"{file.name} from {file.host} has no end after the {file.bytes} bytes that it should have")
        if time.monotonic() > deadline:
            raise Refused(f"{file.host} was too slow: {out.tell()} of {file.bytes} bytes came in time, and are kept")
    if out.tell() < file.bytes:
        raise _Broken(f"the connection broke off after {out.tell()} of {file.bytes} bytes")


def _start(answer: Any, begun: int) -> int:
    """The place in the file of the first byte of an answer: not every host can begin elsewhere than at 0."""
    if answer.status != 206:
        return 0
    told = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    if told is None or int(told[1]) != begun:
        raise _Broken("it sent another part of the file than was asked for")
    return begun


def _check_size(file: WebFile, answer: Any, start: int) -> None:
    announced = answer.headers.get("Content-Length", "")
    if announced.isdigit() and start + int(announced) != file.bytes:
        raise Refused(f"{file.name} from {file.host} has {start + int(announced)} bytes, and should have {file.bytes}")


def _in_words(reason: object, silence: float) -> str:
    if isinstance(reason, TimeoutError):
        return f"nothing came for {silence:g} s"
    said = getattr(reason, "strerror", None) or str(reason)
    return said.splitlines()[0] if said else type(reason).__name__


class _Careful(HTTPRedirectHandler):
    """Follows redirects to the web only, and none from a safe address to an unsafe one."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after not in ("http", "https") or (before, after) == ("https", "http"):
            raise Refused(f"{urlsplit(req.full_url).hostname} sends on to {newurl}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
