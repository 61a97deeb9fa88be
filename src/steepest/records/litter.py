"""What killed processes leave behind: temporary files and folders, whose names hold the number of their process. The
next process that writes there removes them, but never those of one that lives.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time

OLD_SECONDS = 600.0
"""Younger ones may belong to a process that lives on another machine or in another container, where nothing says so."""
_FILE = re.compile(r"\..+\.(\d+)\.[0-9a-f]{8}\.tmp", re.DOTALL)
_FOLDER = re.compile(r"(?:\.making|steepest-(?:read|plan))-(\d+)-\w+")
_CLEARED: set[Path] = set()
"""Folders that this process has cleared: once is enough."""


def clear_litter(folder: Path, older_than: float = OLD_SECONDS) -> None:
    """Remove what dead processes have left in a folder. older_than: 0 where no other machine can be writing."""
    with suppress(OSError), os.scandir(folder) as found:
        for entry in found:
            with suppress(OSError):
                _clear(entry, older_than)


def clear_litter_once(folder: Path) -> None:
    """As `clear_litter`, at this process's first visit."""
    if folder not in _CLEARED:
        _CLEARED.add(folder)
        clear_litter(folder)


def _clear(entry: os.DirEntry[str], older_than: float) -> None:
    is_folder = entry.is_dir(follow_symlinks=False)
    named = (_FOLDER if is_folder else _FILE).fullmatch(entry.name)
    if named is None or is_running(int(named[1])):
        return
    about = entry.stat(follow_symlinks=False)
    if about.st_uid == os.geteuid() and time() - about.st_mtime >= older_than:
        shutil.rmtree(entry.path) if is_folder else Path(entry.path).unlink()


def is_running(process: int) -> bool:
    """Whether there is a process with this number on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # it is somebody else's
    return True


@contextmanager
def scratch(kind: str, place: Path | None = None) -> Generator[Path]:
    """A temporary folder, in `place` or among the temporary files. It is removed at the end; where this process is
    killed, by a later one."""
    place = Path(tempfile.gettempdir()) if place is None else place
    clear_litter_once(place)
    with tempfile.TemporaryDirectory(prefix=f"{kind}-{os.getpid()}-", dir=place) as made:
        yield Path(made)
