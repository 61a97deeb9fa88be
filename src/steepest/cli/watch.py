"""Commands to look at: a running study in the terminal, and the playground. Beside `cli`, which registers them, so that
neither outgrows a reader.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from steepest.errors import BadSetting, StudyFolderError


def register(app: App) -> None:
    """Make these commands of the command line."""
    app.command(watch)
    app.command(playground)


def watch(
    folder: Annotated[Path | None, Parameter(help="A study folder; the newest one in runs/ if left out.")] = None,
    *,
    every: Annotated[float, Parameter(help="Seconds between two looks.")] = 2.0,
    once: Annotated[bool, Parameter(negative="", help="One look, and done.")] = False,
) -> None:
    """Watch a study in the terminal: how far it is, and every optimizer's curve, until it is finished."""
    from rich.console import Console

    from steepest.report import watch_view
    from steepest.serving.follower import Follower

    if not every >= 0.1:
        raise BadSetting(f"--every is {every:g}; it must be at least 0.1 s, so that looking costs the study nothing.")
    place = study_folder(folder)
    watch_view.watch(Follower(place), Console(highlight=False, markup=False), every, once)


def playground(
    *,
    output: Annotated[Path, Parameter(name=["--output", "--out"], help="The file.")] = Path("playground.html"),
    open_it: Annotated[bool, Parameter(name="--open", help="Show it in the browser.")] = True,
) -> None:
    """See the methods move: landscapes, rates, formulas and curves, as one page that needs no network."""
    from steepest.playground import page

    try:
        page.write(output)
    except OSError as error:
        raise StudyFolderError(f"{output} cannot be written: {error.strerror or error}.") from None
    print(output)
    if open_it:
        import webbrowser

        webbrowser.open(output.resolve().as_uri())


def study_folder(folder: Path | None) -> Path:
    """The folder given, or the newest study in runs/. Raises StudyFolderError where there is none."""
    if folder is not None:
        return folder
    found = sorted(Path("runs").glob("*/study.json"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise StudyFolderError("There is no study in runs/ yet. Name a study folder, or make one with steepest run.")
    return found[-1].parent
