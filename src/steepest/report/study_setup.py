"""What a study compared: data, model, contenders and protocol. `text` shows the results."""

from collections.abc import Sequence
from typing import TypedDict

from rich.cells import cell_len

from steepest.messages import Message, counted, enumerated, say, shown, verbatim
from steepest.records.study_record import StudyRecord
from steepest.report.labels import seed_draws
from steepest.report.rounding import one_line
from steepest.report.schema import (
    ContenderSetting,
    ContenderView,
    ReproduceView,
    StudySetting,
    TaskSetting,
    TaskView,
    View,
)
from steepest.report.text import fill

Row = tuple[Message, Sequence[Message]]
LONG, LONGEST = 60, 600
"""Characters of the study's name, and of an item."""


class Setting(TypedDict):
    """The part of a view that was settled before anything was trained."""

    study: StudySetting
    tasks: list[TaskSetting]
    contenders: list[ContenderSetting]
    reproduce: ReproduceView


def setting(view: View) -> Setting:
    """The setting of a study, from its view."""
    study = view["study"]
    return {
        "study": {"name": study["name"], "created": study["created"], "reference": study["reference"]},
        "tasks": [_task_setting(task) for task in view["tasks"]],
        "contenders": [_contender_setting(contender) for contender in view["contenders"]],
        "reproduce": view["reproduce"],
    }


def _task_setting(task: TaskView) -> TaskSetting:
    return {
        "name": task["name"],
        "title": task["title"],
        "metric": task["metric"],
        "loss_name": task["loss_name"],
        "margin_text": task["margin_text"],
        "n_train": task["n_train"],
        "n_valid": task["n_valid"],
        "n_test": task["n_test"],
        "parameters": task["parameters"],
        "luck": task["luck"],
        "source": task["source"],
        "notes": task["notes"],
        "warnings": task["warnings"],
        "alone": task["alone"],
    }


def _contender_setting(contender: ContenderView) -> ContenderSetting:
    return {
        "name": contender["name"],
        "rule": contender["rule"],
        "schedule": contender["schedule"],
        "batch_size": contender["batch_size"],
        "rates": contender["rates"],
        "settings": contender["settings"],
        "settings_text": contender["settings_text"],
    }


def text(setting: Setting) -> str:
    """The same for people to read."""
    rows = [row for task in setting["tasks"] for row in _task(task)]
    rows += [(say("contenders"), [_contender(each) for each in setting["contenders"]])]
    how = setting["reproduce"]
    rows.append((say("protocol"), [how["protocol"]]))
    rows.append((say("left out"), how["given_up"]))
    rows.append((say("command"), [verbatim(how["command"])]))
    width = max(cell_len(shown(label)) for label, _ in rows)
    lines: list[str] = []
    for label, says in rows:
        for i, each in enumerate(says):  # no name buries what stands around it
            first = "" if i else shown(label)
            lines.append(
                fill(one_line(shown(each), LONGEST), first + " " * (width + 2 - cell_len(first)), " " * (width + 2))
            )
    return "\n".join([one_line(setting["study"]["name"], LONG), "", *lines])


def _task(task: TaskSetting) -> list[Row]:
    parts = say(
        "{train:,} training, {valid:,} validation and {test:,} test examples",
        train=task["n_train"],
        valid=task["n_valid"],
        test=task["n_test"],
    )
    model = say(
        "{n:,} parameters; loss: {loss}; metric: {metric}, practical margin {margin}",
        n=task["parameters"],
        loss=task["loss_name"],
        metric=task["metric"],
        margin=task["margin_text"],
    )
    return [
        (say("task"), [task["title"]]),
        (say("data"), [task["source"], parts]),
        (say("preparation"), task["notes"]),
        (say("warnings"), task["warnings"]),
        (say("model"), [model]),
        (say("set by the seed"), [seed_draws(task)]),
        (say("engine"), [_engine(task["alone"])]),
    ]


def _engine(obstacle: Message) -> Message:
    if not obstacle:
        return say("many trials at once, where the optimizer supports it")
    return say("one trial at a time, because {why}", why=obstacle)


def _contender(contender: ContenderSetting) -> Message:
    name, settings = contender["name"], contender["settings_text"]
    return say("{name}: {settings}", name=name, settings=settings) if settings else verbatim(name)


def protocol(study: StudyRecord) -> Message:
    """How rates and seeds were chosen, in one or two sentences."""
    law = study.protocol
    grid = say(
        "{rates} rates over {decades:g} decades, then {extra} more around the best rate or beyond the edge",
        rates=law.rates,
        decades=law.decades,
        extra=law.extra_rates,
    )
    given = {contender.name: contender.rates for contender in study.contenders if contender.rates}
    given.pop(study.baseline, None)
    own = enumerated([f"{rate:g}" for rate in sorted({rate for rates in given.values() for rate in rates})])
    if given and len(given) == len(study.contenders) - bool(study.baseline):
        tried = say("the rates {own}", own=own)
    elif given:
        tried = say("{grid}; for {names}, the given rates {own}", grid=grid, names=enumerated([*given]), own=own)
    else:
        tried = grid
    seeds = (
        say(
            "At most {seeds} seeds, starting at {first}; seeds are added until the verdict is settled.",
            seeds=law.seeds,
            first=law.first_seed,
        )
        if law.until_sure
        else counted(
            law.seeds, "{n} seed, starting at {first}.", "{n} seeds, starting at {first}.", first=law.first_seed
        )
    )
    if study.baseline:
        seeds = say("{seeds} {who} is trained as it is, once per seed.", seeds=seeds, who=study.baseline)
    return say(
        "Every optimizer is tuned separately for each seed: {tried}. The rate with the "
        "best validation metric is chosen, and the test metric of that trial is reported. "
        "{seeds}",
        tried=tried,
        seeds=seeds,
    )
