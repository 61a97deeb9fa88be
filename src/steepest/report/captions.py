"""What stands under a figure for a paper: what is drawn, over how many seeds, and what its bands are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len

from steepest.language import Text, counted, enumerated, say
from steepest.report.bilingual import two

Thing = Mapping[str, Any]

NOTHING = Text("", "")
OFF_SCALE = Text(" Arrow: off the scale.", "箭头：超出刻度。")


def rates(view: Thing, task: Thing) -> Text:
    failing = say(
        " Crosses at the {edge} edge: rates at which trials failed.", "{edge}边缘的叉号：有训练失败的学习率。",
        edge=Text("lower", "下") if task["higher_is_better"] else Text("upper", "上"),
    )  # fmt: skip
    return say(
        "{title}: mean validation {metric} at the horizon over the trials that reached it, at every rate searched "
        "({seeds} each); band: {level} % interval.{failing}",
        "{title}：每个试过的学习率（各{seeds}）下，跑完全程的训练的验证{metric}均值；色带：{level}% 区间。{failing}",
        failing=failing if any(point["failed"] for s in task["standings"] for point in s["points"]) else NOTHING,
        level=_level(view),
        **_common(view, task),
    )


def curves(view: Thing, task: Thing) -> Text:
    return say(
        "{title}: each optimizer at its recommended rate; line: median over {seeds}, a failed one counting as "
        "the worst; band: from 10 to 90 % of the seeds.",
        "{title}：各优化器取其推荐学习率；线：{seeds}的中位数，失败按最差计；色带：种子的 10% 到 90% 分位。",
        **_common(view, task),
    )


def forest(view: Thing, task: Thing, arrows: bool = True) -> Text:
    """`arrows`: whether any optimizer is off the scale; so in `ranking`."""
    return say(
        "{title}: mean difference of test {metric} to the best, {seeds}, each of which tuned the rate itself; "
        "positive is worse. Bar: interval by {test}, at the level at which Holm's procedure judged the pair; p is "
        "adjusted by Holm. Shaded: below the margin of {margin}, where differences count as ties.{arrows}",
        "{title}：测试{metric}与最好者之差的均值，{seeds}，每个种子自己调学习率；正值表示更差。"
        "横线：{test}给出的区间，水平取 Holm 步骤判定该对时所用者；p 值经 Holm 校正。"
        "灰带：小于实际意义界限 {margin}，视为不相上下。{arrows}",
        arrows=OFF_SCALE if arrows else NOTHING,
        test=Text("the paired t-test", "配对 t 检验") if task["paired"] else Text("Welch's t-test", "Welch t 检验"),
        margin=Text(task["margin_text"], task["margin_text_zh"]),
        **_common(view, task),
    )


def ranking(view: Thing, task: Thing, arrows: bool = True) -> Text:
    return say(
        "{title}: mean test {metric} of {replicates} (a replicate is one seed's whole tuning); bar: {level} % "
        "interval by Student's t; ticks: the single replicates.{arrows}",
        "{title}：{replicates}（一次重复是一个种子的整套调参）的平均测试{metric}；横线：Student t 的 {level}% 区间；"
        "短竖线：各次重复。{arrows}",
        arrows=OFF_SCALE if arrows else NOTHING,
        replicates=counted(view["reproduce"]["seeds"], "replicate", "次重复"),
        level=_level(view),
        **_common(view, task),
    )


def best_of_k(task: Thing) -> Text:
    return say(
        "{title}: expected test {metric} when k of the searched rates, drawn at random, are tried and the best on "
        "validation is taken. What is left out had failures among the draws.",
        "{title}：从试过的学习率中随机抽 k 个、取验证集上最好的一个时，测试{metric}的期望值。"
        "缺失处表示抽到的训练中有失败。",
        title=two(task, "title"),
        metric=two(task, "metric"),
    )


def probes(figures: Sequence[Thing]) -> Text:
    """Every quantity in a sentence of its own, and how many trials were looked into."""
    trials = max((n for each in figures for line in each["series"] for n in line["n"]), default=0)
    told = enumerated(
        [
            say("{title}: {caption}", "{title}：{caption}", title=two(f, "title"), caption=two(f, "caption"))
            for f in figures
        ],
        " ",
        "",
    )
    return say(
        "Line: median of {n} an optimizer, at its recommended rate; band: from the least to the most. {told}",
        "线：每个优化器取其推荐学习率的{n}的中位数；色带：从最小到最大。{told}",
        n=counted(trials, "trial", "次训练"),
        told=told,
    )


def wrapped(words: str, wide: int) -> str:
    """Lines of at most so many half-width cells, broken at spaces and after ideographs."""
    lines, line = [], ""
    for piece in _pieces(words.replace(" %", "\u00a0%")):
        if line and cell_len(line + piece.rstrip()) > wide:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    return "\n".join([*lines, line.rstrip()])


def _pieces(words: str) -> list[str]:
    """Words with the space after them, and single ideographs with the marks that must not begin a line."""
    pieces: list[str] = []
    for character in words:
        joins = bool(pieces) and not pieces[-1].endswith(" ") and (
            character in " ，。；：、）" or (cell_len(character) < 2 and cell_len(pieces[-1][-1]) < 2)
        )  # fmt: skip
        if joins:
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces


def _common(view: Thing, task: Thing) -> dict[str, Any]:
    return {
        "title": two(task, "title"),
        "metric": two(task, "metric"),
        "seeds": counted(view["reproduce"]["seeds"], "seed", "个种子"),
    }


def _level(view: Thing) -> str:
    return f"{100 * view['study']['confidence']:g}"
