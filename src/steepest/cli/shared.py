"""What several commands share: flags, the study that is meant, tasks made of a file, and JSON."""

from __future__ import annotations

import json as jsonlib
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from steepest.design.options import OUTPUT
from steepest.errors import BadSetting, StudyFolderError
from steepest.messages import shown
from steepest.records.task_facts import TaskRef
from steepest.report.rounding import one_line

OWN = Group("A file of your own, without code", sort_key=0)

Json = Annotated[bool, Parameter(name="--json", negative="", group=OUTPUT, help="Print JSON instead of words.")]
StudyFolder = Annotated[Path | None, Parameter(help="A study folder; the newest one in runs/ if left out.")]


@dataclass(frozen=True, kw_only=True)
class OwnData:
    """A file that becomes a task without code, and what cannot be guessed of it."""

    data: Annotated[
        Path | None,
        Parameter(
            group=OWN,
            help="A table (.csv, .tsv, .parquet), arrays (.npz: x and y), or a folder with a folder of pictures a "
            "class.",
        ),
    ] = None
    target: Annotated[str | None, Parameter(group=OWN, help="The column of the table that is to be told.")] = None
    text: Annotated[str | None, Parameter(group=OWN, help="A column of texts to tell it from.")] = None
    kind: Annotated[
        str | None, Parameter(group=OWN, help="classification or regression, where the guess is wrong.")
    ] = None
    size: Annotated[int | None, Parameter(group=OWN, help="Pixels a side that pictures are brought to (32).")] = None


Own = Annotated[OwnData | None, Parameter(name="*")]
"""Each of these flags by its own name; None if none is given."""


def own_tasks(own: OwnData | None, json: bool) -> tuple[TaskRef, ...]:
    """The task made of a file, after all that was assumed for it is printed: on standard error where JSON is wanted."""
    if own is None:
        return ()
    _, *details = asdict(own).items()
    if own.data is None:
        given = next(name for name, value in details if value)
        raise BadSetting(f"--{given} says something about a file: name it with --data.")
    from steepest.ingest import from_file  # loads torch

    ref = from_file.reference(own.data, **dict(details))
    lines = (f"{one_line(str(own.data))}:", *(f"  {one_line(shown(note))}" for note in from_file.told(ref)), "")
    print("\n".join(lines), file=sys.stderr if json else sys.stdout, flush=True)
    return (ref,)


def study_folder(folder: Path | None) -> Path:
    """The folder given, or the newest study in runs/. Raises StudyFolderError where there is none."""
    if folder is not None:
        return folder
    found = sorted(Path("runs").glob("*/study.json"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise StudyFolderError("There is no study in runs/ yet. Name a study folder, or make one with steepest run.")
    return found[-1].parent


def print_json(value: Any) -> None:
    print(jsonlib.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=shown))
