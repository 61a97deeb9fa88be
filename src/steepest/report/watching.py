"""A study in the terminal, while it runs and after: how far it is, and each optimizer's curve at its best rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text as Styled

from steepest.language import Language, Text, counted, say
from steepest.report.rounding import isolated, one_line

BLOCKS = "▁▂▃▄▅▆▇█"
LONG = 60
"""The longest name of a study or task that is shown in full."""
WIDE = 28
"""Characters of a curve."""


def watch(
    read: Callable[[], Mapping[str, Any]], console: Console, every: float, language: Language = "en", once: bool = False
) -> None:
    """Show what `read` returns, a view, again and again until the study is finished; once where that is no terminal."""
    view = read()
    if once or view["study"]["finished"] or not console.is_terminal:
        console.print(screen(view, language))
        return
    with Live(screen(view, language), console=console, auto_refresh=False) as live:
        while not view["study"]["finished"]:
            time.sleep(every)
            view = read()
            live.update(screen(view, language), refresh=True)


def screen(view: Mapping[str, Any], language: Language = "en") -> Group:
    """One frame."""
    study = view["study"]
    done = say(
        "{done:,} of {planned}, {failed:,} failed, {time}",
        "{planned}已完成 {done:,} 次，失败 {failed:,} 次，用时 {time}",
        done=study["trials"],
        planned=counted(study["planned"], "trial", "次训练"),
        failed=study["failed"],
        time=Text(study["time"], study["time_zh"]),
    )
    bar = ProgressBar(total=max(1, study["planned"]), completed=study["trials"], width=60)
    colon = Text(": ", "：").of(language)
    head = Styled(f"{isolated(one_line(study['name'], LONG))}{colon}{done.of(language)}")
    return Group(head, bar, *(_table(view, task, language) for task in view["tasks"]))


def _table(view: Mapping[str, Any], task: Mapping[str, Any], language: Language) -> Table:
    title, metric = (one_line(task[f"{key}_zh" if language == "zh" else key], LONG) for key in ("title", "metric"))
    unit = say(", {unit}", "（{unit}）", unit=task["unit"]).of(language) if task["unit"] else ""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", title=Styled(title), title_justify="left")
    table.add_column(Text("optimizer", "优化器").of(language), no_wrap=True, max_width=24, overflow="ellipsis")
    table.add_column(Text("rate", "学习率").of(language), justify="right")
    table.add_column(say("validation {metric}", "验证{metric}", metric=metric).of(language) + unit, no_wrap=True)
    table.add_column(Text("now", "目前").of(language), justify="right")
    table.add_column(Text("test", "测试").of(language), justify="right")
    rows = [(s, _curve(s)) for s in task["standings"]]
    known = [value for _, curve in rows for value in curve if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    for s, curve in rows:
        last = next((value for value in reversed(curve) if value is not None), None)
        table.add_row(
            Styled(isolated(view["contenders"][s["contender"]]["label"])),
            Styled(s["rate_text"]),
            Styled(sparkline(curve, low, high), style="cyan"),
            Styled("–" if last is None else f"{last:.{task['decimals']}f}"),
            Styled(s["quality"]["text"] if s["quality"] else "–"),
        )
    return table


def _curve(standing: Mapping[str, Any]) -> Sequence[float | None]:
    """The median validation curve at the rate that is best so far."""
    drawn = standing["curves"]
    return [] if drawn["chosen"] is None else drawn["rates"][drawn["chosen"]]["valid_metric"]


def sparkline(values: Sequence[float | None], low: float, high: float, wide: int = WIDE) -> str:
    """A curve in one line of blocks, from `low` to `high`; a dot where there is no value, as after a divergence.

    >>> sparkline([0.0, 0.5, 1.0, None], 0.0, 1.0, 4)
    '▁▅█·'
    """
    if not values:
        return ""
    wide = min(wide, len(values))
    picked = [values[round(i * (len(values) - 1) / max(1, wide - 1))] for i in range(wide)]
    span = (high - low) or 1.0
    top = len(BLOCKS) - 1
    return "".join("·" if v is None else BLOCKS[round(min(1.0, max(0.0, (v - low) / span)) * top)] for v in picked)
