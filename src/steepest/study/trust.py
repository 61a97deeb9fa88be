"""Whose code a study runs. A study names its task files and the files of its optimizers; opening one runs it with all
rights of the user.

Files that this user has run by name, with `run`, `plan` or `check`, are known: a note for each path and content is kept
in a private folder of the cache. Others run only if the user says so.
"""

from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from steepest.errors import BadTask
from steepest.records.files import file_digest, write_bytes
from steepest.records.private_cache import private_folder
from steepest.records.task_facts import TaskRef
from steepest.search.own_search import file_of
from steepest.study.spec import StudySpec


def code_of(spec: StudySpec) -> list[TaskRef]:
    """The files of the user's own that a study runs: of its tasks, its optimizers and its searches."""
    found = [task.ref for task in spec.tasks]
    for each in spec.contenders:
        if file := each.own_file:
            now = file_digest(file.path)
            digest = now if now and now.startswith(file.digest) else file.digest
            found.append(TaskRef(file.path.name, "file", str(file.path), digest))
    for name, version in spec.searches.items():
        if path := file_of(name):
            now, before = file_digest(path), version.rpartition(" ")[2]
            digest = now if now and now.startswith(before) else before
            found.append(TaskRef(path.name, "file", str(path), digest))
    return [ref for i, ref in enumerate(found) if ref not in found[:i]]


def remember(code: Iterable[TaskRef]) -> None:
    """Note that the user has run these files. Without a cache that can be written, nothing is noted."""
    for ref in code:
        if ref.source == "file" and ref.digest and not (note := _note(ref)).exists():
            with suppress(OSError):
                write_bytes(note, f"{_path(ref)}\n".encode("utf-8", "surrogateescape"))


def unknown_code(code: Iterable[TaskRef]) -> list[TaskRef]:
    """The files that this user has not run before. Raises BadTask for one that is not the file that the study was made
    with."""
    files = [ref for ref in code if ref.source == "file"]
    for ref in files:
        if not ref.digest:
            raise BadTask(f"The study names the task file {_path(ref)} without its SHA-256, so it is not run.")
        if not (found := file_digest(_path(ref))):
            raise BadTask(f"{_path(ref)} cannot be read. The study needs this file; put it back.")
        if found != ref.digest:
            raise BadTask(f"{_path(ref)} has changed since the study began. Restore it, or start a new study.")
    return [ref for ref in files if not _note(ref).exists()]


def sentence(code: Iterable[TaskRef]) -> str:
    """Which files would run."""
    files = ", ".join(f"{_path(ref)} (sha256 {ref.digest[:12]} …)" for ref in code)
    return f"This study runs code that you have not run before: {files}."


def check_trust(code: Iterable[TaskRef], trusted: bool) -> None:
    """Raise BadTask for code that is neither known nor trusted; remember what is trusted."""
    unknown = unknown_code(code)
    if unknown and not trusted:
        raise BadTask(f"{sentence(unknown)} Read it first; then run it with --trust (in Python: trust=True).")
    remember(unknown)


def _path(ref: TaskRef) -> Path:
    """Absolute, so that a relative one is judged by where it leads."""
    return Path(ref.locator).absolute()


def _note(ref: TaskRef) -> Path:
    where = f"{_path(ref)}\0{ref.digest}".encode("utf-8", "surrogateescape")
    return private_folder("trusted") / sha256(where).hexdigest()
