"""What a study compared, and on what: its data and what was made of them, model, contenders and protocol. What came of
it is for `text` to tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len

from steepest.language import Language, Text, enumerated, say
from steepest.records.study_record import StudyRecord
from steepest.report.bilingual import two
from steepest.report.rounding import one_line
from steepest.report.text import fill

Row = tuple[Text, Sequence[Text]]
LONG, LONGEST = 60, 600
"""Characters of the study's name, and of an item."""
OF_TASK = (
    *("name", "title", "title_zh", "metric", "metric_zh", "loss_name", "loss_name_zh", "margin_text", "margin_text_zh"),
    *("n_train", "n_valid", "n_test", "parameters", "luck", "luck_zh", "source", "source_zh", "notes"),
    *("alone", "alone_zh"),
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


def text(setting: Mapping[str, Any], language: Language = "en") -> str:
    """The same for people to read."""
    rows = [row for task in setting["tasks"] for row in _task(task)]
    rows += [(Text("contenders", "参赛者"), [_contender(each) for each in setting["contenders"]])]
    how = setting["reproduce"]
    rows.append((Text("protocol", "规程"), [two(how, "protocol")]))
    rows.append((Text("given up", "舍弃"), [*map(Text, how["given_up"], how["given_up_zh"])]))
    rows.append((Text("command", "命令"), [Text(how["command"], how["command"])]))
    width = max(cell_len(label.of(language)) for label, _ in rows)
    lines = []
    for label, says in rows:
        for i, each in enumerate(says):  # no name buries what stands around it
            first = "" if i else label.of(language)
            lines.append(
                fill(
                    one_line(each.of(language), LONGEST), first + " " * (width + 2 - cell_len(first)), " " * (width + 2)
                )
            )
    return "\n".join([one_line(setting["study"]["name"], LONG), "", *lines])


def _task(task: Mapping[str, Any]) -> list[Row]:
    luck = [*map(Text, task["luck"], task["luck_zh"])]
    parts = say(
        "{train:,} examples to train on, {valid:,} to pick the rate by, {test:,} to judge by",
        "{train:,} 例用于训练，{valid:,} 例用于选学习率，{test:,} 例用于评判",
        train=task["n_train"],
        valid=task["n_valid"],
        test=task["n_test"],
    )
    model = say(
        "{n:,} parameters; loss: {loss}; metric: {metric}, of which {margin} make a difference",
        "{n:,} 个参数；损失：{loss}；指标：{metric}，相差 {margin} 才算有别",
        n=task["parameters"],
        loss=two(task, "loss_name"),
        metric=two(task, "metric"),
        margin=two(task, "margin_text"),
    )
    return [
        (Text("task", "任务"), [two(task, "title")]),
        (Text("data", "数据"), [two(task, "source"), parts]),
        (Text("how it was made", "任务的由来"), [two(note, "sentence") for note in task["notes"]]),
        (Text("model", "模型"), [model]),
        (Text("a seed draws", "随机种子决定"), [enumerated(luck, ", ", "、")]),
        (Text("engine", "引擎"), [_engine(two(task, "alone"))]),
    ]


def _engine(obstacle: Text) -> Text:
    if not obstacle:
        return Text("many trials at once, as far as an optimizer can", "多次训练同时进行（优化器允许时）")
    why = Text(obstacle.en.rstrip("."), obstacle.zh.rstrip(".。"))
    return say("one trial at a time, since {why}", "逐次训练，因为{why}", why=why)


def _contender(contender: Mapping[str, Any]) -> Text:
    name, settings = contender["name"], contender["settings_text"]
    return Text(f"{name}: {settings}", f"{name}：{settings}") if settings else Text(name, name)


def protocol(study: StudyRecord) -> Text:
    """How rates and seeds were chosen, in one or two sentences."""
    law = study.protocol
    grid = say(
        "{rates} rates over {decades:g} decades, then {extra} more around the best or beyond the edge",
        "在 {decades:g} 个数量级内取 {rates} 个学习率，再在最佳附近或边界之外加试 {extra} 个",
        rates=law.rates,
        decades=law.decades,
        extra=law.extra_rates,
    )
    given = {contender.name: contender.rates for contender in study.contenders if contender.rates}
    own = Text(*(mark.join(f"{rate:g}" for rate in sorted(set().union(*given.values()))) for mark in (", ", "、")))
    if len(given) == len(study.contenders):
        tried = say("the rates {own}", "学习率 {own}", own=own)
    elif given:
        tried = say(
            "{grid}; {names}, for which they were given, {own}",
            "{grid}；指定了学习率的 {names} 只试 {own}",
            grid=grid,
            names=enumerated([Text(name, name) for name in given], ", ", "、"),
            own=own,
        )
    else:
        tried = grid
    seeds = say(
        "At most {seeds} seeds, from {first}: they are added until the verdict is settled."
        if law.until_sure
        else "{seeds} seeds, from {first}.",
        "随机种子最多 {seeds} 个，从 {first} 开始，增加到结论确定为止。"
        if law.until_sure
        else "共 {seeds} 个随机种子，从 {first} 开始。",
        seeds=law.seeds,
        first=law.first_seed,
    )
    return say(
        "Every seed tunes every optimizer itself: {tried}. It picks its rate on validation and reports that trial on "
        "test. {seeds}",
        "每个随机种子都自行为每个优化器调参：{tried}；用验证集选定学习率，再报告该次训练的测试值。{seeds}",
        tried=tried,
        seeds=seeds,
    )
