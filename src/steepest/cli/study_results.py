"""Commands on a study that exists: its verdict, its report, its data, and the code of its winner."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

import steepest
from steepest.cli.shared import Json, StudyFolder, print_json, study_folder
from steepest.design.options import OUTPUT, Margin
from steepest.errors import BadSetting

TABLE = Group("A table of results from elsewhere", sort_key=4)


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
    if csv is not None:
        if folder is not None:
            raise BadSetting("A verdict is on a study folder or on a table: leave out one of the two.")
        found, words = steepest.reader.judge_table(csv, metric, higher_is_better, margin)
        print_json(found.to_json()) if json else print(words)
        return
    study = steepest.reader.StudyReader(study_folder(folder), margin=margin)
    print_json(study.verdict.to_json()) if json else print(study.text())


def report(
    folder: StudyFolder = None,
    *,
    out: Annotated[Path | None, Parameter(group=OUTPUT, help="The study folder (runs/<task>-<time>).")] = None,
    json: Json = False,
) -> None:
    path = steepest.reader.StudyReader(study_folder(folder)).write_report(out)
    print_json({"report": str(path)}) if json else print(path)


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
    study = steepest.reader.StudyReader(study_folder(folder))
    if out is not None:
        print(study.write_export(format, out))
        return
    if format in ("parquet", "tensorboard"):
        raise BadSetting(f"{format} is not text for a terminal: name where it goes with --out.")
    content = study.export(format)
    print(content, end="" if content.endswith("\n") else "\n")


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
    advice = steepest.open_study(study_folder(folder)).advice(task, optimizer, framework)
    print_json(advice.to_json()) if json else print(advice.code)
