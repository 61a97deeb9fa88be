"""What several commands share: flags, the study folder, tasks made from a file, and JSON."""

import json as jsonlib
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

import steepest
from steepest.design.options import OUTPUT, DataOptions
from steepest.errors import BadSetting, BadTask, StudyFolderError
from steepest.messages import Message, shown, tr
from steepest.records.files import write_bytes
from steepest.records.task_facts import TaskRef
from steepest.report.rounding import one_line

Json = Annotated[bool, Parameter(name="--json", negative="", group=OUTPUT, help="Print JSON instead of text.")]
Full = Annotated[
    bool,
    Parameter(name="--full", negative="", group=OUTPUT, help="Print every table and sentence, not just one screen."),
]
StudyFolder = Annotated[Path | None, Parameter(help="Study folder. Default: the newest one in runs/.")]
Own = Annotated[DataOptions | None, Parameter(name="*")]
"""The flags above; None if none is given."""


def own_tasks(own: DataOptions | None, json: bool) -> tuple[TaskRef, ...]:
    """The task made from a file. Prints what was assumed: on standard error if JSON is wanted."""
    if own is None:
        return ()
    details = {item.name: getattr(own, item.name) for item in fields(own)}
    if own.data is None:
        given = next(name for name, value in details.items() if value)
        raise BadSetting(f"--{given.replace('_', '-')} needs a data file: give one with --data.")
    from steepest.ingest import from_file  # loads torch

    for used in ("data", "column", "columns", "columns_out"):
        del details[used]
    columns = from_file.chosen_columns(own.columns, own.column)
    ref = from_file.reference(own.data, columns=columns, **details)
    if own.columns_out is not None:
        write_columns(own.columns_out.expanduser(), from_file.columns_file(ref))
    lines = (
        f"{one_line(str(own.data))}:",
        *(f"  {one_line(shown(note))}" for note in from_file.reading_notes(ref)),
        "",
    )
    print("\n".join(lines), file=sys.stderr if json else sys.stdout, flush=True)
    return (ref,)


def write_columns(path: Path, text: str) -> None:
    """Raises BadSetting for a path that cannot be written."""
    try:
        write_bytes(path, text.encode())
    except OSError as error:
        raise BadSetting(f"--columns-out: {path} cannot be written: {error.strerror or error}.") from None


def study_folder(folder: Path | None) -> Path:
    """The given folder, or the newest study in runs/. Raises StudyFolderError if there is none."""
    if folder is not None:
        return folder
    found = sorted(Path("runs").glob("*/study.json"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise StudyFolderError(
            "There is no study in runs/ yet. Give a study folder, or start a study with `steepest run`."
        )
    return found[-1].parent


def is_trusted(folder: Path, trust: bool) -> bool:
    """Whether a study may run its code: says which files these are where the user has not run them before, and asks on
    a terminal. Raises BadTask for files that are not those that the study was made with."""
    unknown = steepest.api.code_to_trust(folder)
    terminal = sys.stdin if sys.stdin is not None and sys.stdin.isatty() else None
    if not unknown or not (trust or terminal):
        return trust
    print(one_line(unknown, 2000), file=sys.stderr)
    if not trust and terminal:
        print(tr("Run it with all your rights? [y/N]"), end=" ", file=sys.stderr, flush=True)
        if terminal.readline().strip().lower() not in ("y", "yes"):
            raise BadTask("Nothing was run.")
    return True


def print_json(value: Any) -> None:
    print(jsonlib.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=_plain))


def _plain(value: Any) -> Any:
    """What JSON has no form for: records, and messages in the current language."""
    if is_dataclass(value) and not isinstance(value, Message):
        return {item.name: getattr(value, item.name) for item in fields(value)}
    return shown(value)
