"""What a study compared, and on what: its data and what was made of them, model, contenders and protocol. What came of
it is for `text` to tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len

from steepest.messages import Message, enumerated, say, shown, verbatim
from steepest.records.study_record import StudyRecord
from steepest.report.rounding import one_line
from steepest.report.text import fill

Row = tuple[Message, Sequence[Message]]
LONG, LONGEST = 60, 600
"""Characters of the study's name, and of an item."""
OF_TASK = (
    *("name", "title", "metric", "loss_name", "margin_text"),
    *("n_train", "n_valid", "n_test", "parameters", "luck", "source", "notes", "alone"),
)
OF_CONTENDER = ("name", "rule", "schedule", "batch_size", "rates", "settings", "settings_text")


def setting(view: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a view that was settled before anything was trained."""
    return {
        "study": {key: view["study"][key] for key in ("name", "created", "reference")},
        "tasks": [{key: task[key] for key in OF_TASK} for task in view["tasks"]],
        "contenders": [{key: each[key] for key in OF_CONTENDER} for each in view["contenders"]],
        "reproduce": view["reproduce"],
    }


def text(setting: Mapping[str, Any]) -> str:
    """The same for people to read."""
    rows = [row for task in setting["tasks"] for row in _task(task)]
    rows += [(say("contenders"), [_contender(each) for each in setting["contenders"]])]
    how = setting["reproduce"]
    rows.append((say("protocol"), [how["protocol"]]))
    rows.append((say("given up"), how["given_up"]))
    rows.append((say("command"), [verbatim(how["command"])]))
    width = max(cell_len(shown(label)) for label, _ in rows)
    lines = []
    for label, says in rows:
        for i, each in enumerate(says):  # no name buries what stands around it
            first = "" if i else shown(label)
            lines.append(
                fill(one_line(shown(each), LONGEST), first + " " * (width + 2 - cell_len(first)), " " * (width + 2))
            )
    return "\n".join([one_line(setting["study"]["name"], LONG), "", *lines])


def _task(task: Mapping[str, Any]) -> list[Row]:
    parts = say(
        "{train:,} examples to train on, {valid:,} to pick the rate by, {test:,} to judge by",
        train=task["n_train"],
        valid=task["n_valid"],
        test=task["n_test"],
    )
    model = say(
        "{n:,} parameters; loss: {loss}; metric: {metric}, of which {margin} make a difference",
        n=task["parameters"],
        loss=task["loss_name"],
        metric=task["metric"],
        margin=task["margin_text"],
    )
    return [
        (say("task"), [task["title"]]),
        (say("data"), [task["source"], parts]),
        (say("how it was made"), task["notes"]),
        (say("model"), [model]),
        (say("a seed draws"), [enumerated(task["luck"])]),
        (say("engine"), [_engine(task["alone"])]),
    ]


def _engine(obstacle: Message) -> Message:
    if not obstacle:
        return say("many trials at once, as far as an optimizer can")
    return say("one trial at a time, since {why}", why=obstacle)


def _contender(contender: Mapping[str, Any]) -> Message:
    name, settings = contender["name"], contender["settings_text"]
    return say("{name}: {settings}", name=name, settings=settings) if settings else verbatim(name)


def protocol(study: StudyRecord) -> Message:
    """How rates and seeds were chosen, in one or two sentences."""
    law = study.protocol
    grid = say(
        "{rates} rates over {decades:g} decades, then {extra} more around the best or beyond the edge",
        rates=law.rates,
        decades=law.decades,
        extra=law.extra_rates,
    )
    given = {contender.name: contender.rates for contender in study.contenders if contender.rates}
    own = enumerated([f"{rate:g}" for rate in sorted(set().union(*given.values()))])
    if len(given) == len(study.contenders):
        tried = say("the rates {own}", own=own)
    elif given:
        tried = say(
            "{grid}; {names}, for which they were given, {own}",
            grid=grid,
            names=enumerated([*given]),
            own=own,
        )
    else:
        tried = grid
    seeds = say(
        "At most {seeds} seeds, from {first}: they are added until the verdict is settled."
        if law.until_sure
        else "{seeds} seeds, from {first}.",
        seeds=law.seeds,
        first=law.first_seed,
    )
    return say(
        "Every seed tunes every optimizer itself: {tried}. It picks its rate on validation and reports that trial on "
        "test. {seeds}",
        tried=tried,
        seeds=seeds,
    )
