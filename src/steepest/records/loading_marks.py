"""Marks of compiled libraries that a process is loading. One that stays behind names the library that ended a process:
one may be intact and deadly all the same, if it was made for another processor. Workers leave marks, coordinators look.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from steepest.records.litter import is_running

_END = ".loading"


@contextmanager
def loading(library: Path) -> Generator[None]:
    """Marks a library while it is loaded; nothing is marked where the cache cannot be written."""
    mark = library.with_name(f".{library.name}.{os.getpid()}{_END}")
    with suppress(OSError):
        mark.touch(mode=0o600)
    try:
        yield
    finally:
        with suppress(OSError):
            mark.unlink()


def remove_deadly(folder: Path, process: int | None = None) -> bool:
    """Remove the libraries that ended a process (this one, or any that is gone) as it loaded them; whether there were
    any."""
    found = False
    for mark in folder.glob(f".*{_END}"):
        library, _, pid = mark.name.removeprefix(".").removesuffix(_END).rpartition(".")
        if pid == str(process) or (process is None and pid.isdigit() and not is_running(int(pid))):
            with suppress(OSError):
                (folder / library).unlink(missing_ok=True)
                mark.unlink(missing_ok=True)
                found = True
    return found
