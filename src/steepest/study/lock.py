"""One coordinator at a time in a study folder, kept by the operating system: a lock dies with its process.

Written by hand, where the cache of data sets uses filelock: the locked file itself names its holder, which filelock
before version 4 erases at every attempt, and a forked worker must not keep the lock alive.
"""

import fcntl
import json
import os
import socket
from contextlib import suppress
from pathlib import Path
from shlex import quote

from steepest.errors import StudyFolderError
from steepest.study.environment import boot_id

NAME = "study.lock"

_HELD: set[int] = set()
"""Descriptors of the locks held here. A forked worker closes its copies, or it would keep a dead study locked."""


class FolderLock:
    """Holds the lock of a study folder until `release`; raises StudyFolderError where another process has it."""

    def __init__(self, folder: Path) -> None:
        self._path = path = folder / NAME
        self._line = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(self._line, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._line)
            raise StudyFolderError(
                f"{folder} is in use by {_holder(path)}. Wait until it has finished, or stop it with Ctrl-C first."
            ) from None
        _HELD.add(self._line)
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "boot": boot_id()}
        os.ftruncate(self._line, 0)
        os.pwrite(self._line, json.dumps(holder).encode(), 0)

    def check_place(self) -> None:
        """Raise StudyFolderError where the folder was moved or deleted since."""
        with suppress(OSError):
            if os.path.samestat(self._path.stat(follow_symlinks=False), os.fstat(self._line)):
                return
        folder, now = self._path.parent, _path_of(self._line)
        if now is None:
            raise StudyFolderError(f"{folder} was moved or deleted while the study was running, which has stopped.")
        raise StudyFolderError(
            f"{folder} was moved while the study was running, which has stopped. What is done is in {now.parent}. "
            f"Go on with: steepest resume {quote(str(now.parent))}"
        )

    def release(self) -> None:
        if self._line in _HELD:
            _HELD.discard(self._line)
            os.close(self._line)


def _holder(path: Path) -> str:
    """Who has the lock, as far as the file can tell: its holder may be about to write it."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        here = holder["host"] == socket.gethostname()
        return f"process {holder['pid']}" + ("" if here else f" on {holder['host']}")
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _path_of(line: int) -> Path | None:
    """Where an open file is now, if the system says so and it is there."""
    try:
        found = Path(f"/proc/self/fd/{line}").readlink()
    except OSError:
        return None
    return found if found.exists() else None


def _close_copies() -> None:
    while _HELD:
        os.close(_HELD.pop())


os.register_at_fork(after_in_child=_close_copies)
