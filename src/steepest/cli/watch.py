"""Commands to look at: a running study in the terminal or a browser, and the playground."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from steepest.cli.shared import StudyFolder, study_folder
from steepest.design.options import MACHINE, OUTPUT
from steepest.errors import BadSetting, StudyFolderError
from steepest.report import watch_view
from steepest.serving import serve as server
from steepest.serving.follower import Follower


def watch(
    folder: StudyFolder = None,
    *,
    every: Annotated[float, Parameter(help="Seconds between two looks.")] = 2.0,
    once: Annotated[bool, Parameter(negative="", help="One look, and done.")] = False,
) -> None:
    if not every >= 0.1:
        raise BadSetting(f"--every is {every:g}; it must be at least 0.1 s, so that looking costs the study nothing.")
    watch_view.watch(Follower(study_folder(folder)), Console(highlight=False, markup=False), every, once)


def serve(
    place: Annotated[Path | None, Parameter(help="A study folder, or a folder of studies; runs/ if left out.")] = None,
    *,
    port: Annotated[int, Parameter(group=MACHINE, help="0 takes any that is free.")] = 0,
    open_page: Annotated[bool, Parameter(name="--open", group=OUTPUT, help="Open a browser, if there is one.")] = True,
) -> None:
    server.serve(Path("runs") if place is None else place, port, open_page)


def playground(
    *,
    output: Annotated[Path, Parameter(name=["--output", "--out"], help="The file.")] = Path("playground.html"),
    open_it: Annotated[bool, Parameter(name="--open", help="Show it in the browser.")] = True,
) -> None:
    from steepest.playground import page  # loads torch

    try:
        page.write(output)
    except OSError as error:
        raise StudyFolderError(f"{output} cannot be written: {error.strerror or error}.") from None
    print(output)
    if open_it:
        webbrowser.open(output.resolve().as_uri())
