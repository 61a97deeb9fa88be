"""Folders of this user's own for what is kept between processes: compiled code, and notes that decide what runs.

A folder that others own or can write to, or that is a link, may hold what they have put there: it is not used, and one
in the folder for temporary files is taken instead.
"""

import os
import stat
import tempfile
from functools import lru_cache
from pathlib import Path

from steepest.records.files import cache_folder


def private_folder(name: str) -> Path:
    """The folder `name` of the cache, which only this user can enter; elsewhere if the cache cannot be used for it."""
    return _private_folder(cache_folder(), name)


def compiled_note(job: str) -> Path:
    """Exists once this machine has done the compile job with this id, which then costs next to nothing."""
    return private_folder("compiled") / f"{job}.json"


def time_note(name: str) -> Path:
    """Where this machine keeps the last measurement of a step."""
    return private_folder("times") / f"{name}.json"


@lru_cache(maxsize=64)
def _private_folder(cache: Path, name: str) -> Path:
    for base in (cache, Path(tempfile.gettempdir()) / f"steepest-{os.geteuid()}"):
        try:
            base.parent.mkdir(parents=True, exist_ok=True)
            if _is_own(base) and _is_own(base / name) and os.access(base / name, os.W_OK):
                return base / name
        except OSError:
            continue
    return Path(tempfile.mkdtemp(prefix=f"steepest-{name}-"))


def _is_own(folder: Path) -> bool:
    """Whether a folder, made if it is missing, is a real one of this user's that nobody else can write to. From then on
    nobody else can read it either."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        return False
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return True
