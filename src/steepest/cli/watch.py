"""Commands that show something: a study in the terminal or a browser, and the playground."""

import webbrowser
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from steepest.cli.shared import StudyFolder, study_folder
from steepest.design.options import MACHINE, OUTPUT
from steepest.errors import BadSetting, StudyFolderError
from steepest.records.node_records import read_nodes
from steepest.report import watch_view
from steepest.serving import serve as server
from steepest.serving.follower import Follower


def watch(
    folder: StudyFolder = None,
    *,
    every: Annotated[float, Parameter(help="Seconds between updates.")] = 2.0,
    once: Annotated[bool, Parameter(negative="", help="Print the state once and exit.")] = False,
) -> None:
    if not every >= 0.1:
        raise BadSetting(f"--every is {every:g}; it must be at least 0.1 s, so that watching does not slow the study.")
    place = study_folder(folder)
    console = Console(highlight=False, markup=False)
    watch_view.watch(Follower(place), console, every, once, partial(read_nodes, place))


def serve(
    place: Annotated[Path | None, Parameter(help="Study folder, or a folder of studies. Default: runs/.")] = None,
    *,
    port: Annotated[int, Parameter(group=MACHINE, help="Port. 0: any free one.")] = 0,
    open_page: Annotated[
        bool, Parameter(name="--open", group=OUTPUT, help="Open a browser, if one is installed.")
    ] = True,
) -> None:
    server.serve(Path("runs") if place is None else place, port, open_page)


def playground(
    *,
    output: Annotated[Path, Parameter(name=["--output", "--out"], help="File to write.")] = Path("playground.html"),
    open_it: Annotated[bool, Parameter(name="--open", help="Open the page in a browser.")] = True,
) -> None:
    from steepest.playground import page  # loads torch

    try:
        page.write(output)
    except OSError as error:
        raise StudyFolderError(f"{output} cannot be written: {error.strerror or error}.") from None
    print(output)
    if open_it:
        webbrowser.open(output.resolve().as_uri())
