"""Commands for your own task: write its file, and check it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import steepest
from steepest.cli import listings
from steepest.cli.shared import Json, Own, own_tasks, print_json
from steepest.messages import tr


def init(
    path: Annotated[Path, Parameter(help="File to write. An existing file is never overwritten.")] = Path("my_task.py"),
) -> None:
    from steepest.ingest import load  # loads torch

    load.write_starter(path)
    print(tr("Wrote {path}. Try it: {command}", path=str(path), command=f"steepest check {path}"))


def check(
    task: Annotated[str, Parameter(help="Python file that defines `task`, or a built-in task.")] = "my_task.py",
    *,
    own: Own = None,
    json: Json = False,
) -> None:
    (checked,) = own_tasks(own, json) or (task,)
    page = steepest.api.check(checked)
    print_json(page) if json else print(listings.check(page))
