"""Files that somebody else has named or made, read within limits: no pipe that nobody writes to, no device that never
ends and no file larger than memory can hold up the reader.
"""

import errno
import io
import os
import select
import stat
from pathlib import Path
from time import monotonic

from steepest.records.limits import MAX_STUDY_BYTES

WAIT_SECONDS = 5.0
"""For the next bytes of a pipe."""
_PART = 2**20


def read_file(path: Path, most: int | None = MAX_STUDY_BYTES) -> bytes:
    """The bytes of a regular file. most: None for as many as this machine has memory. Raises OSError."""
    with _opened(path) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device; save its content as a file first")
        if found.st_size > (most := (machine_memory() or 2**40) if most is None else most):
            raise OSError(errno.EFBIG, f"it has more than {_size(most)}")
        return file.readall()


def read_stream(path: Path, most: int) -> bytes:
    """The bytes of a file, a pipe or a terminal, which must come without long pauses. Raises OSError."""
    with _opened(path) as file:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return read_file(path, most)
        parts: list[bytes] = []
        left, began = most, monotonic()
        while select.select([file], [], [], max(0.0, WAIT_SECONDS - (monotonic() - began)))[0]:
            if not (part := os.read(file.fileno(), _PART)):
                return b"".join(parts)
            parts.append(part)
            left, began = left - len(part), monotonic()
            if left < 0:
                raise OSError(errno.EFBIG, f"it has more than {_size(most)}")
    raise OSError(errno.ETIMEDOUT, f"nothing came for {WAIT_SECONDS:g} s")


def _opened(path: Path) -> io.FileIO:
    """Opening must not wait for the other end of a pipe."""
    line = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        return io.FileIO(line)
    except OSError:  # a folder
        os.close(line)
        raise


def machine_memory() -> int:
    """Bytes of this machine's memory; 0 where unknown."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0


def _size(count: int) -> str:
    """
    >>> _size(2**26), _size(3 * 2**30)
    ('64 MB', '3 GB')
    """
    return f"{count / 2**30:.3g} GB" if count >= 2**30 else f"{count / 2**20:.3g} MB"
