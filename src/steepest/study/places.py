"""Nothing in a study folder may lead out of it: what is not a file or folder of its own is refused before anything is
opened, for reading or writing. Folders are copied between people, and a link may point at any file of theirs.
"""

import os
from pathlib import Path

from steepest.errors import StudyFolderError

FOLDERS = ("curves", "facts", "logs")
"""Made for every study."""
SLURM = "slurm"
"""What travels between the coordinator and the agents of Slurm."""
_WITHIN = frozenset((*FOLDERS, SLURM, "probes"))
_FILES = ("study.json", "study.db", "study.lock", "nodes.json")
"""What the names of our own files begin with."""


def check_places(folder: Path) -> None:
    """Raise StudyFolderError at a link, a pipe or a device in a study folder, or where a file stands for a folder.

    Files of other names are not ours, and may be anything: only their names are looked at.
    """
    for entry in _entries(folder):
        if entry.name in _WITHIN:
            if entry.is_symlink() or not entry.is_dir(follow_symlinks=False):
                raise _refused(entry, "folder")
            for inner in _entries(Path(entry.path)):
                if not inner.is_file(follow_symlinks=False):
                    raise _refused(inner, "file")
        elif entry.name.startswith(_FILES) and not entry.is_file(follow_symlinks=False):
            raise _refused(entry, "file")


def is_plain_name(name: str) -> bool:
    """Whether a name that a database holds is one of a file, and not a path to somewhere else."""
    return bool(name) and "/" not in name and "\0" not in name and not name.startswith(".")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return [*found]
    except (FileNotFoundError, NotADirectoryError):
        return []  # there is no study then, which is for the reader to say
    except OSError as error:
        raise StudyFolderError(f"{folder} cannot be read: {error.strerror or error}.") from None


def _refused(entry: os.DirEntry[str], kind: str) -> StudyFolderError:
    if entry.is_symlink():
        return StudyFolderError(
            f"{entry.path} is a link. Nothing in a study folder may lead out of it: "
            f"put the {kind} itself in its place, or delete the link."
        )
    return StudyFolderError(f"{entry.path} is not a {kind}. Delete it; what is missing is made again by resume.")
