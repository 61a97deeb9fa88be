"""Commands for your own task: write its file, and check it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, TextIO

from cyclopts import Parameter

import steepest
from steepest.cli import listings
from steepest.cli.shared import Json, Own, own_tasks, print_json
from steepest.messages import Message, say, shown, tr
from steepest.report.rounding import one_line


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
    with Doing(sys.stderr) as doing:
        if own and own.data:
            doing(say("Reading {file}", file=str(own.data)), stays=True)  # what was read follows on stdout
        else:
            doing(say("Loading {task}", task=task))
        (checked,) = own_tasks(own, json) or (task,)
        page = steepest.api.check(checked, doing)
    print_json(page) if json else print(listings.check(page))


class Doing:
    """What a command is doing: on a terminal in one line that is removed at the end, elsewhere in a line each."""

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream  # None where Python runs without a console
        self.replaces = stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"

    def __enter__(self) -> Doing:
        return self

    def __exit__(self, *_: object) -> None:
        if self.replaces:
            self._write("\r\x1b[K")

    def __call__(self, doing: Message, stays: bool = False) -> None:
        says = one_line(shown(doing), 70)
        self._write(f"\r\x1b[K{says} …" if self.replaces and not stays else f"{says} …\n")

    def _write(self, text: str) -> None:
        if self.stream is not None:
            self.stream.write(text)
            self.stream.flush()
