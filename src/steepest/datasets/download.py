"""Downloads a file from its publisher's address, resumes interrupted downloads and verifies size and SHA-256.

The last source of a data set, for machines that cannot reach a package registry. Loads no torch. pooch was considered:
it retries and verifies hashes, but its HTTP downloader neither resumes a partial file nor limits the total time of a
slow server, and follows redirects from HTTPS to HTTP; the tests in `tests/datasets/test_download.py` require all three.
"""

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

MAX_ATTEMPTS = 4
"""Attempts to start or resume a download before it fails."""
READ_TIMEOUT = 30.0
"""Seconds without data after which a connection counts as broken."""
TOTAL_TIMEOUT = 900.0
"""Seconds that all attempts to download a file may take together."""
RETRY_DELAY = 0.5
"""Seconds before the second attempt; the delay doubles before each further one."""
CHUNK_BYTES = 2**18
"""Bytes read and written at a time."""
RETRY_STATUSES = {408, 425, 429, 500, 502, 503, 504}
"""HTTP status codes after which a download is retried."""


class Unavailable(Exception):
    """A source does not provide the data; the message is a clause that states why."""


class _Interrupted(Exception):
    """An attempt failed in a way that may be temporary; the message states how."""


@dataclass(frozen=True)
class WebFile:
    """A file at its publisher's address, with its expected size and checksum."""

    name: str
    address: str
    sha256: str
    bytes: int

    @property
    def host(self) -> str:
        return urlsplit(self.address).hostname or ""


def download_file(
    file: WebFile, folder: Path, *, read_timeout: float = READ_TIMEOUT, total_timeout: float = TOTAL_TIMEOUT
) -> Path:
    """Download a file into the folder, verify it and return its path; resumes a partial file of an earlier attempt.

    `read_timeout` limits the seconds without data, `total_timeout` those of all attempts together. Raises Unavailable
    if the host cannot be reached, does not have the file, has a different one, or sends it too slowly.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{file.sha256[:12]}-{file.name}.part"
    deadline = time.monotonic() + total_timeout
    said = ""
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            time.sleep(RETRY_DELAY * 2 ** (attempt - 1))
        begun = _size(part)
        try:
            if begun != file.bytes:
                _receive(file, part, read_timeout, deadline)
        except _Interrupted as reason:
            said = str(reason)
            continue
        if file_digest(part) == file.sha256:
            return part
        part.unlink()
        if not begun:  # a resumed file may combine two versions and is retried; a whole one is not
            raise Unavailable(
                f"{file.name} from {file.host} is damaged or altered: its SHA-256 is not the expected one, so it was "
                "not used"
            )
    raise Unavailable(f"{file.host} did not send {file.name} in {MAX_ATTEMPTS} attempts: {said}")


def _receive(file: WebFile, part: Path, read_timeout: float, deadline: float) -> None:
    """Append the missing bytes of a file to `part`. Raises _Interrupted or Unavailable; received bytes are kept."""
    begun = _size(part)
    asked = Request(file.address, headers={"Accept-Encoding": "identity", "User-Agent": "steepest"})
    if begun:
        asked.add_header("Range", f"bytes={begun}-")
    try:
        with build_opener(_SafeRedirects).open(asked, timeout=read_timeout) as answer:
            start = _start(answer, begun)
            _check_size(file, answer, start)
            with part.open("r+b" if start else "wb") as out:
                out.seek(start)
                out.truncate()
                _copy(file, answer, out, deadline)
    except HTTPError as error:
        error.close()
        if error.code == 416:  # range not satisfiable: the partial file cannot be the start of this file
            part.unlink(missing_ok=True)
        if error.code == 416 or error.code in RETRY_STATUSES:
            raise _Interrupted(f"HTTP {error.code} {error.reason}") from None
        raise Unavailable(f"{file.host} answered HTTP {error.code} {str(error.reason).splitlines()[0]}") from None
    except URLError as error:
        raise _Interrupted(_reason(error.reason, read_timeout)) from None
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(_reason(error, read_timeout)) from None


def _copy(file: WebFile, answer: Any, out: IO[bytes], deadline: float) -> None:
    for piece in iter(lambda: answer.read1(CHUNK_BYTES), b""):
        out.write(piece)
        if out.tell() > file.bytes:
            out.truncate(0)
            raise Unavailable(f"{file.name} from {file.host} is larger than the expected {file.bytes} bytes")
        if time.monotonic() > deadline:
            raise Unavailable(
                f"{file.host} was too slow: {out.tell()} of {file.bytes} bytes arrived in time and are kept"
            )
    if out.tell() < file.bytes:
        raise _Interrupted(f"the connection closed after {out.tell()} of {file.bytes} bytes")


def _start(answer: Any, begun: int) -> int:
    """Offset of the first byte of a response: 0 where a host does not support ranges."""
    if answer.status != 206:
        return 0
    sent = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    if sent is None or int(sent[1]) != begun:
        raise _Interrupted("it sent a different part of the file than requested")
    return begun


def _check_size(file: WebFile, answer: Any, start: int) -> None:
    announced = answer.headers.get("Content-Length", "")
    if announced.isdigit() and start + int(announced) != file.bytes:
        raise Unavailable(f"{file.name} from {file.host} has {start + int(announced)} bytes, expected {file.bytes}")


def _reason(reason: object, read_timeout: float) -> str:
    if isinstance(reason, TimeoutError):
        return f"no data for {read_timeout:g} s"
    said = getattr(reason, "strerror", None) or str(reason)
    return said.splitlines()[0] if said else type(reason).__name__


class _SafeRedirects(HTTPRedirectHandler):
    """Follows redirects to HTTP and HTTPS only, and not from HTTPS to HTTP."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after not in ("http", "https") or (before, after) == ("https", "http"):
            raise Unavailable(f"{urlsplit(req.full_url).hostname} redirects to {newurl}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
