"""The command line: parse, call, print. Whatever is slow to load is loaded by the command that needs it."""

from __future__ import annotations

import json as jsonlib
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Group, Parameter

from steepest import __version__
from steepest.cli import diagnose, watch
from steepest.cli.study_options import MACHINE, STUDY, Choose, Workers
from steepest.cli.watch import study_folder as _folder
from steepest.design.options import Choices
from steepest.errors import BadInput, BadSetting, DataUnavailable, Interrupted, SteepestError, UnknownName
from steepest.messages import languages, shown, speaking, tr

app = App(
    name="steepest",
    help="Which optimizer, with which learning rate, for your model on your data, and how sure are we?",
    version=__version__,
    help_format="plaintext",
    result_action="return_value",
)
data = App(name="data", help="The data sets behind the built-in tasks: list, fetch, show.")
app.command(data)
diagnose.register(app)
watch.register(app)

OUTPUT = Group("Where it goes", sort_key=3)
TABLE = Group("A table of results from elsewhere", sort_key=4)
OWN = Group("A file of your own, without code", sort_key=0)

Json = Annotated[bool, Parameter(name="--json", negative="", group=OUTPUT, help="Print JSON instead of words.")]
Suite = Annotated[
    str | None, Parameter(group=STUDY, help="A set of built-in tasks with a name, such as smoke or core.")
]
DataFile = Annotated[
    Path | None,
    Parameter(
        name="--data",
        group=OWN,
        help="A table (.csv, .tsv, .parquet), arrays (.npz: x and y), or a folder with a folder of pictures a class.",
    ),
]
Target = Annotated[str | None, Parameter(group=OWN, help="The column of the table that is to be told.")]
TextColumn = Annotated[str | None, Parameter(name="--text", group=OWN, help="A column of texts to tell it from.")]
Kind = Annotated[str | None, Parameter(group=OWN, help="classification or regression, where the guess is wrong.")]
Size = Annotated[int | None, Parameter(group=OWN, help="Pixels a side that pictures are brought to (32).")]
Reference = Annotated[
    str | None, Parameter(group=STUDY, help="The optimizer that all others are compared with, beside the best.")
]
Out = Annotated[Path | None, Parameter(name=["--out"], group=OUTPUT, help="The study folder (runs/<task>-<time>).")]
Overwrite = Annotated[bool, Parameter(group=OUTPUT, negative="", help="Replace the study in that folder.")]
Quiet = Annotated[bool, Parameter(name=["--quiet", "-q"], group=OUTPUT, negative="", help="No progress.")]
OpenPage = Annotated[bool, Parameter(name=["--open"], group=OUTPUT, negative="", help="Watch it live in a browser.")]
StudyFolder = Annotated[Path | None, Parameter(help="A study folder; the newest one in runs/ if left out.")]
Margin = Annotated[
    float | None, Parameter(group=STUDY, help="Differences below this are ties, in the metric's own units (0.0025).")
]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and leave with its exit code: 0, 1 for a failure, 2 for bad input, 130 when interrupted."""
    try:
        app.meta(arguments, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        _leave(f"{' '.join(str(error).split())} See steepest --help.", BadInput.exit_code)
    except SteepestError as error:
        _leave(str(error), error.exit_code)
    except KeyboardInterrupt:
        _leave("Interrupted.", Interrupted.exit_code)
    except BrokenPipeError:  # `steepest optimizers | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    lang: Annotated[str | None, Parameter(group=OUTPUT, help="The language of what is printed, such as zh.")] = None,
) -> None:
    if lang is not None and lang not in languages():
        raise UnknownName.among("language", lang, languages())
    with speaking(lang):
        app(tokens, exit_on_error=False, print_error=False)


def _leave(message: str, code: int) -> None:
    from steepest.report.rounding import one_line

    print("steepest: " + "\n".join(map(one_line, message.split("\n"))), file=sys.stderr)
    raise SystemExit(code)


def _print_json(value: Any) -> None:
    print(jsonlib.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=shown))


# ---- studies ---------------------------------------------------------------------------------------------------------


@app.command
def run(
    *tasks: Annotated[str, Parameter(group=STUDY)],
    suite: Suite = None,
    data: DataFile = None,
    target: Target = None,
    text: TextColumn = None,
    kind: Kind = None,
    size: Size = None,
    options: Choose = None,
    reference: Reference = None,
    out: Out = None,
    overwrite: Overwrite = False,
    margin: Margin = None,
    open_page: OpenPage = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train, compare, and give a verdict. Without arguments: the digits task and the methods of the textbooks.

    Parameters
    ----------
    tasks
        Names of `steepest tasks`, or Python files that define `task`.
    """
    began = monotonic()
    choices = replace(options or Choices(), reference=reference)
    with _workers_ahead(choices.workers), _page_beside(open_page, out):
        from steepest import api

        study = api.compare_by(
            (*tasks, *api.suite(suite), *_own(data, target, text, kind, size, json)) or ("digits",),
            choices,
            out=out,
            overwrite=overwrite,
            command=_command_line(),
            quiet=quiet,
            began=began,
        )
        _conclude(study, margin, json)


@app.command
def plan(
    *tasks: Annotated[str, Parameter(group=STUDY)],
    suite: Suite = None,
    data: DataFile = None,
    target: Target = None,
    text: TextColumn = None,
    kind: Kind = None,
    size: Size = None,
    options: Choose = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """What a run would do, what it would cost, and the smallest difference it could resolve. Trains nothing.

    Parameters
    ----------
    tasks
        Names of `steepest tasks`, or Python files that define `task`.
    """
    choices = options or Choices()
    with _workers_ahead(choices.workers):
        from steepest import api
        from steepest.cli import listings

        forecast = api.plan_by(
            (*tasks, *api.suite(suite), *_own(data, target, text, kind, size, json)) or ("digits",),
            choices,
            command=_command_line(),
            quiet=quiet,
        )
    _print_json(listings.plan_json(forecast)) if json else print(listings.plan(forecast))


@app.command
def resume(folder: StudyFolder = None, *, workers: Workers = None, quiet: Quiet = False, json: Json = False) -> None:
    """Go on with a study that was interrupted or killed: nothing finished is run again."""
    with _workers_ahead(workers):
        from steepest import api

        _conclude(api.resume(_folder(folder), workers=workers, quiet=quiet), None, json)


@app.command
def verdict(
    folder: StudyFolder = None,
    *,
    csv: Annotated[
        Path | None,
        Parameter(group=TABLE, help="A table of results from anywhere: optimizer, value; task, seed, rate, valid."),
    ] = None,
    metric: Annotated[str, Parameter(group=TABLE, help="What the table's values are, such as accuracy.")] = "value",
    higher_is_better: Annotated[
        bool | None, Parameter(group=TABLE, negative="--lower-is-better", help="Unless the metric's name tells.")
    ] = None,
    margin: Margin = None,
    json: Json = False,
) -> None:
    """What a study concludes, in words: also while it is still running. Or what a table of other results does."""
    from steepest.reader import StudyReader, judge_table

    if csv is not None:
        if folder is not None:
            raise BadSetting("A verdict is on a study folder or on a table: leave out one of the two.")
        found, words = judge_table(csv, metric, higher_is_better, margin)
        _print_json(found.to_json()) if json else print(words)
        return
    study = StudyReader(_folder(folder), margin=margin)
    _print_json(study.verdict.to_json()) if json else print(study.text())


@app.command
def report(folder: StudyFolder = None, *, out: Out = None, json: Json = False) -> None:
    """Write the report: one HTML file that opens without a network, in both languages."""
    from steepest.reader import StudyReader

    path = StudyReader(_folder(folder)).write_report(out)
    _print_json({"report": str(path)}) if json else print(path)


@app.command
def serve(
    place: Annotated[Path | None, Parameter(help="A study folder, or a folder of studies; runs/ if left out.")] = None,
    *,
    port: Annotated[int, Parameter(group=MACHINE, help="0 takes any that is free.")] = 0,
    open_page: Annotated[bool, Parameter(name="--open", group=OUTPUT, help="Open a browser, if there is one.")] = True,
) -> None:
    """Show studies in a browser, also while they run. Only this machine can look, with the link that is printed."""
    from steepest.serving.serve import serve

    serve(Path("runs") if place is None else place, port, open_page)


@app.command
def export(
    folder: StudyFolder = None,
    *,
    format: Annotated[
        Literal["csv", "ranking-csv", "json", "latex", "parquet", "tensorboard"],
        Parameter(name=["--format", "--to"], group=OUTPUT),
    ] = "csv",
    out: Annotated[
        Path | None, Parameter(group=OUTPUT, help="A file, or a folder for tensorboard; standard output if left out.")
    ] = None,
) -> None:
    """Give the study away: every trial as CSV, Parquet or TensorBoard events, the ranking, or all that is shown."""
    from steepest.reader import StudyReader

    study = StudyReader(_folder(folder))
    if out is not None:
        print(study.write_export(format, out))
        return
    if format in ("parquet", "tensorboard"):
        raise BadSetting(f"{format} is not text for a terminal: name where it goes with --out.")
    content = study.export(format)
    print(content, end="" if content.endswith("\n") else "\n")


@app.command
def use(
    folder: StudyFolder = None,
    *,
    task: Annotated[str | None, Parameter(help="The task, where a study has several.")] = None,
    optimizer: Annotated[str | None, Parameter(help="Another contender than the best.")] = None,
    framework: Annotated[
        Literal["torch", "keras", "optax"], Parameter(help="Where it is to train; what differs there is said.")
    ] = "torch",
    json: Json = False,
) -> None:
    """Print the code that builds the winner, tuned, for your own training."""
    from steepest import api

    advice = api.open_study(_folder(folder)).advice(task, optimizer, framework)
    _print_json(advice.to_json()) if json else print(advice.code)


# ---- what there is ---------------------------------------------------------------------------------------------------


@app.command
def show(name: str, *, json: Json = False) -> None:
    """All about one optimizer (formula, defaults, source, how frameworks differ), one task, or the setting of a study.

    Parameters
    ----------
    name
        A name of `steepest optimizers` or of `steepest tasks`, or a study folder.
    """
    if "/" in name or (len(name) < 60 and Path(name).is_dir()):
        from steepest.reader import StudyReader
        from steepest.report import study_setup

        found = study_setup.setting(StudyReader(_folder(Path(name))).view)
        _print_json(found) if json else print(study_setup.text(found))
        return
    from steepest import api
    from steepest.cli import listings

    kind, page = api.describe(name)
    if json:
        _print_json(page)
    else:
        print(listings.optimizer(page) if kind == "optimizer" else listings.task(page))


@app.command
def optimizers(*, json: Json = False) -> None:
    """List the optimizers."""
    from steepest import api
    from steepest.cli import listings

    rows = api.optimizers()
    _print_json(rows) if json else print(listings.optimizers(rows))


@app.command
def tasks(*, json: Json = False) -> None:
    """List the built-in tasks by kind, and the suites."""
    from steepest import api
    from steepest.cli import listings

    rows = api.tasks()
    _print_json(rows) if json else print(listings.tasks(rows))


@app.command
def init(path: Path = Path("my_task.py")) -> None:
    """Write a commented task file that runs as it is, to put your own model and data into.

    Parameters
    ----------
    path
        Where to; nothing is overwritten.
    """
    from steepest.ingest import load

    load.begin(path)
    print(tr("{path} is written. Try it: {command}", path=str(path), command=f"steepest check {path}"))


@app.command
def check(
    task: str = "my_task.py",
    *,
    data: DataFile = None,
    target: Target = None,
    text: TextColumn = None,
    kind: Kind = None,
    size: Size = None,
    json: Json = False,
) -> None:
    """Say in seconds whether a task trains, and which engine it gets and why.

    Parameters
    ----------
    task
        A Python file that defines `task`, or a name of `steepest tasks`.
    """
    from steepest import api
    from steepest.cli import listings

    page = api.check(*(_own(data, target, text, kind, size, json) or (task,)))
    _print_json(page) if json else print(listings.check(page))


@data.command(name="list")
def data_list(*, json: Json = False) -> None:
    """List the data sets, with their licence and whether they are here."""
    from steepest.cli import listings
    from steepest.datasets import sources

    rows = [sources.show(name) for name in sources.datasets()]
    _print_json(rows) if json else print(listings.datasets(rows))


@data.command(name="fetch")
def data_fetch(*names: str, json: Json = False) -> None:
    """Fetch data sets into the cache: those named, or all. One that cannot be had does not keep the others away."""
    from steepest.datasets import sources

    wanted = [sources.show(name)["name"] for name in names] or [*sources.datasets()]
    missing = []
    for name in wanted:
        try:
            sources.fetch(name)
        except DataUnavailable as error:
            missing.append(str(error))
            continue
        if not json:
            print(tr("{name}: here", name=name))
    if json:
        _print_json([sources.show(name) for name in wanted])
    if missing:
        raise DataUnavailable(" ".join(missing))


@data.command(name="show")
def data_show(name: str, *, json: Json = False) -> None:
    """Where a data set comes from, its licence, its size, and whether it is here."""
    from steepest.cli import listings
    from steepest.datasets import sources

    page = sources.show(name)
    _print_json(page) if json else print(listings.dataset(page))


@app.command
def doctor(*, json: Json = False) -> None:
    """What this machine offers: versions, cores, memory, compiler, data; and what is missing for what."""
    from steepest.cli import listings
    from steepest.cli.doctor import examine

    findings = examine()
    _print_json(findings) if json else print(listings.doctor(findings))


# ---- helpers ---------------------------------------------------------------------------------------------------------


def _conclude(study: Any, margin: float | None, json: bool) -> None:
    """The end of a run: the report written, the verdict printed."""
    study = study.with_margin(margin)
    path = study.write_report()
    if json:
        _print_json(study.verdict.to_json() | {"folder": str(study.folder), "report": str(path)})
    else:
        print(study.text())
        print("\n" + tr("Report: {path}", path=path))
        print(tr("Code to paste: {command}", command=f"steepest use {study.folder}"))


def _workers_ahead(workers: int | None) -> AbstractContextManager[None]:
    """The worker processes of a study, which import torch while this one does."""
    from steepest.study.environment import cores
    from steepest.study.executors import prestarted_workers

    return prestarted_workers(min(workers or cores(), cores()))


def _page_beside(wanted: bool, folder: Path | None) -> AbstractContextManager[None]:
    """The live page of the study that is about to begin, if it is wanted."""
    if not wanted:
        return nullcontext()
    from steepest.serving.background import page

    return page(folder)


def _own(
    data: Path | None,
    target: str | None,
    text: str | None,
    kind: str | None,
    size: int | None,
    json: bool,
) -> tuple[Any, ...]:
    """The task made of a file, after all that was assumed for it is told: on standard error where JSON is wanted."""
    if data is None:
        if given := [name for name, x in (("target", target), ("text", text), ("kind", kind), ("size", size)) if x]:
            raise BadSetting(f"--{given[0]} says something about a file: name it with --data.")
        return ()
    from steepest.ingest import from_file

    ref = from_file.reference(data, target=target, text=text, kind=kind, size=size)
    from steepest.report.rounding import one_line

    lines = (f"{one_line(str(data))}:", *(f"  {one_line(shown(note))}" for note in from_file.told(ref)), "")
    print("\n".join(lines), file=sys.stderr if json else sys.stdout, flush=True)
    return (ref,)


def _command_line() -> str:
    """The command as typed, for the report's `how to reproduce`; without the folder, which is new each time."""
    import shlex

    words = sys.argv[1:]
    kept = [
        word
        for i, word in enumerate(words)
        if word not in ("--out", "--overwrite", "--quiet", "-q", "--json", "--open")
        and not word.startswith("--out=")
        and (i == 0 or words[i - 1] != "--out")
    ]
    return shlex.join(["steepest", *kept])
