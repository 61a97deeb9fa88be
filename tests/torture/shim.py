"""The shim between the processes of a study and the C library, shim.c: how it is compiled and told what to do.

A shim of Python's `os` would not see SQLite, which is C and writes most of a study's bytes; this one sees both.
"""

import mmap
import os
import shutil
import struct
import subprocess
import sys
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Self

SOURCE = Path(__file__).with_name("shim.c")
_FIELDS = struct.Struct("<7q1024s")
_CONTROL = "TORTURE_CONTROL"


class Calls(IntFlag):
    """Which calls count."""

    WRITE = 1
    SYNC = 2
    RENAME = 4
    REMOVE = 8
    MAKE = 16
    PROCESS = 32
    THREAD = 64
    FILES = WRITE | SYNC | RENAME | REMOVE | MAKE


class Action(IntEnum):
    """What happens at the n-th of them."""

    COUNT = 0
    KILL_BEFORE = 1
    KILL_AFTER = 2
    FAIL = 3


class Shim:
    """Says what the shim does in every process but this one."""

    def __init__(self, control: Path) -> None:
        with control.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _FIELDS.size)
        self.rest()

    @classmethod
    def here(cls) -> Self:
        """The one that is loaded. Raises KeyError where none is."""
        return cls(Path(os.environ[_CONTROL]))

    def arm(
        self,
        below: Path,
        calls: Calls,
        action: Action = Action.COUNT,
        nth: int = 0,
        error: int = 0,
        stays: bool = False,
    ) -> None:
        """From now on, count these calls for files below a folder (for any process and thread); act at the n-th, and,
        if it `stays`, at every later one."""
        self._shared[:] = _FIELDS.pack(0, nth, calls, action, error, stays, os.getpid(), os.fsencode(below))

    def rest(self) -> int:
        """Do nothing; how many calls there were."""
        (count, *_) = _FIELDS.unpack(self._shared[:])
        self._shared[:] = _FIELDS.pack(0, 0, 0, Action.COUNT, 0, False, os.getpid(), b"")
        return count


def with_shim(scratch: Path) -> None:
    """Start this program again with the shim loaded, unless it is. Does not return, then."""
    if _CONTROL in os.environ:
        return
    compiler = next(filter(None, map(shutil.which, ("gcc", "cc", "clang"))), None)
    if compiler is None:
        sys.exit("torture needs a C compiler: install gcc.")
    library, control = scratch / "shim.so", scratch / "control"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    control.write_bytes(bytes(_FIELDS.size))
    os.environ |= {_CONTROL: str(control), "LD_PRELOAD": str(library)}
    os.execv(sys.executable, [sys.executable, "-m", "torture.main", *sys.argv[1:]])
