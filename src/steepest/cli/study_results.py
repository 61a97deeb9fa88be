"""Commands on an existing study: its verdict, report, data, and code for the recommended optimizer."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

import steepest
from steepest.cli.shared import Full, Json, StudyFolder, print_json, study_folder
from steepest.design.options import OUTPUT, AskedQuestion, Margin
from steepest.errors import BadSetting

TABLE = Group("A table of your own results", sort_key=4)


def verdict(
    folder: StudyFolder = None,
    *,
    csv: Annotated[
        Path | None,
        Parameter(
            group=TABLE,
            help="CSV file of results, one row per run, such as the export of a tracker. Columns: optimizer, value; "
            "optional: task, seed, rate, valid. Other names are guessed, or given with the options below.",
        ),
    ] = None,
    optimizer: Annotated[str | None, Parameter(group=TABLE, help="Column of the optimizers.")] = None,
    value: Annotated[str | None, Parameter(group=TABLE, help="Column of the results to compare: test/acc.")] = None,
    rate: Annotated[str | None, Parameter(group=TABLE, help="Column of the learning rates: lr.")] = None,
    valid: Annotated[
        str | None, Parameter(group=TABLE, help="Column of the validation results, which pick the rate: val/acc.")
    ] = None,
    seed: Annotated[str | None, Parameter(group=TABLE, help="Column of the seeds.")] = None,
    task: Annotated[str | None, Parameter(group=TABLE, help="Column of the tasks.")] = None,
    metric: Annotated[
        str,
        Parameter(
            group=TABLE, help="Name of the metric in the table, such as accuracy. Default: from the name of the column."
        ),
    ] = "value",
    higher_is_better: Annotated[
        bool | None,
        Parameter(
            group=TABLE, negative="--lower-is-better", help="Direction of the metric, if its name does not show it."
        ),
    ] = None,
    margin: Margin = None,
    question: AskedQuestion = None,
    full: Full = False,
    json: Json = False,
) -> None:
    roles = {"optimizer": optimizer, "value": value, "rate": rate, "valid": valid, "seed": seed, "task": task}
    columns = {role: name for role, name in roles.items() if name is not None}
    if columns and csv is None:
        raise BadSetting(f"--{next(iter(columns))} names a column of a table: give one with --csv.")
    if csv is not None:
        if folder is not None:
            raise BadSetting("Give a study folder or a table (--csv), not both.")
        if question is not None:
            raise BadSetting(
                "--question needs a study folder: a table does not name the rows that its runs were tested on."
            )
        found, words = steepest.reader.judge_table(csv, metric, higher_is_better, margin, columns, full)
        print_json(found.to_json()) if json else print(words)
        return
    study = steepest.reader.StudyReader(study_folder(folder), margin, question)
    print_json(study.verdict.to_json()) if json else print(study.text(full=full))


def report(
    folder: StudyFolder = None,
    *,
    out: Annotated[
        Path | None, Parameter(group=OUTPUT, help="File to write. Default: report.html in the study folder.")
    ] = None,
    question: AskedQuestion = None,
    json: Json = False,
) -> None:
    path = steepest.reader.StudyReader(study_folder(folder), question=question).write_report(out)
    print_json({"report": str(path)}) if json else print(path)


def export(
    folder: StudyFolder = None,
    *,
    format: Annotated[
        Literal["csv", "ranking-csv", "json", "latex", "parquet", "tensorboard"],
        Parameter(name=["--format", "--to"], group=OUTPUT, help="Format of the output."),
    ] = "csv",
    out: Annotated[
        Path | None,
        Parameter(group=OUTPUT, help="File to write, or a folder for tensorboard. Default: standard output."),
    ] = None,
) -> None:
    study = steepest.reader.StudyReader(study_folder(folder))
    if out is not None:
        print(study.write_export(format, out))
        return
    if format in ("parquet", "tensorboard"):
        raise BadSetting(f"{format} cannot be printed on a terminal: give a file or folder with --out.")
    content = study.export(format)
    print(content, end="" if content.endswith("\n") else "\n")


def use(
    folder: StudyFolder = None,
    *,
    task: Annotated[str | None, Parameter(help="Task, if the study has several. Default: the first.")] = None,
    optimizer: Annotated[str | None, Parameter(help="Optimizer to build. Default: the recommended one.")] = None,
    framework: Annotated[
        Literal["torch", "lightning", "transformers", "keras", "optax"],
        Parameter(help="Framework to write code for. Differences are noted in the code."),
    ] = "torch",
    json: Json = False,
) -> None:
    advice = steepest.open_study(study_folder(folder)).advice(task, optimizer, framework)
    print_json(advice.to_json()) if json else print(advice.code)
