"""Commands that look something up: an optimizer, a task, the setup of a study."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import steepest
from steepest.cli import listings
from steepest.cli.shared import Json, print_json
from steepest.report import study_setup


def show(
    name: Annotated[str, Parameter(help="Optimizer, built-in task or study folder.")], *, json: Json = False
) -> None:
    if "/" in name or (len(name) < 60 and Path(name).is_dir()):
        found = study_setup.setting(steepest.reader.StudyReader(Path(name)).view)
        print_json(found) if json else print(study_setup.text(found))
        return
    kind, page = steepest.api.describe(name)
    if json:
        print_json(page)
    else:
        print(listings.optimizer(page) if kind == "optimizer" else listings.task(page))


def optimizers(
    *,
    kind: Annotated[
        str | None,
        Parameter(
            help="Only one kind: descent, signs, adaptive, adam, layers, matrices, schedule-free, own-rate or "
            "second-gradient."
        ),
    ] = None,
    needs: Annotated[
        str | None,
        Parameter(help="Only those that need second-gradient, evaluation, roles or rate-1; none: none of these."),
    ] = None,
    state: Annotated[
        float | None, Parameter(help="Only those that keep at most this many numbers per parameter between steps.")
    ] = None,
    sort: Annotated[
        str | None, Parameter(help="Order: cost, kind, name, state or year. Default: rising complexity.")
    ] = None,
    json: Json = False,
) -> None:
    rows = steepest.api.optimizers(kind, needs, state, sort)
    print_json(rows) if json else print(listings.optimizers(rows))


def tasks(*, json: Json = False) -> None:
    rows = steepest.api.tasks()
    print_json(rows) if json else print(listings.tasks(rows))
