"""What several commands share: flags, the study folder, tasks made from a file, and JSON."""

from __future__ import annotations

import json as jsonlib
import sys
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from steepest.design.options import OUTPUT
from steepest.errors import BadSetting, StudyFolderError
from steepest.messages import Message, shown
from steepest.records.task_facts import TaskRef
from steepest.report.rounding import one_line

OWN = Group("Your own data file, without code", sort_key=0)

Json = Annotated[bool, Parameter(name="--json", negative="", group=OUTPUT, help="Print JSON instead of text.")]
StudyFolder = Annotated[Path | None, Parameter(help="Study folder. Default: the newest one in runs/.")]


@dataclass(frozen=True, kw_only=True)
class OwnData:
    """A file that becomes a task without code, and the options that cannot be guessed from it."""

    data: Annotated[
        Path | None,
        Parameter(
            group=OWN,
            help="Data file: a table (.csv, .tsv, .parquet), arrays (.npz with x and y), or a folder with one folder "
            "of pictures per class.",
        ),
    ] = None
    target: Annotated[str | None, Parameter(group=OWN, help="Column to predict.")] = None
    text: Annotated[str | None, Parameter(group=OWN, help="Text column to predict from.")] = None
    kind: Annotated[
        str | None, Parameter(group=OWN, help="classification or regression. Default: guessed from the target.")
    ] = None
    size: Annotated[
        int | None, Parameter(group=OWN, help="Side length in pixels to which pictures are resized. Default: 32.")
    ] = None


Own = Annotated[OwnData | None, Parameter(name="*")]
"""The flags above; None if none is given."""


def own_tasks(own: OwnData | None, json: bool) -> tuple[TaskRef, ...]:
    """The task made from a file. Prints what was assumed: on standard error if JSON is wanted."""
    if own is None:
        return ()
    _, *details = asdict(own).items()
    if own.data is None:
        given = next(name for name, value in details if value)
        raise BadSetting(f"--{given} needs a data file: give one with --data.")
    from steepest.ingest import from_file  # loads torch

    ref = from_file.reference(own.data, **dict(details))
    lines = (
        f"{one_line(str(own.data))}:",
        *(f"  {one_line(shown(note))}" for note in from_file.reading_notes(ref)),
        "",
    )
    print("\n".join(lines), file=sys.stderr if json else sys.stdout, flush=True)
    return (ref,)


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


def print_json(value: Any) -> None:
    print(jsonlib.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=_plain))


def _plain(value: Any) -> Any:
    """What JSON has no form for: records, and messages in the current language."""
    if is_dataclass(value) and not isinstance(value, Message):
        return {item.name: getattr(value, item.name) for item in fields(value)}
    return shown(value)
