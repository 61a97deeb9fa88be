"""A study as a notebook shows it: the verdict's paragraph and the ranking, as a small piece of HTML.

Names are hostile until escaped; styles are inline, for a notebook has its own stylesheet.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from steepest.language import Language, Text, counted, say
from steepest.report import labels

NOTHING_YET = Text("No trial has finished yet.", "还没有完成任何一次训练。")
_CELL = "padding:2px 10px;text-align:{}"


def notebook(view: Mapping[str, Any], language: Language = "en") -> str:
    """HTML without script, fit to stand in a cell's output."""
    study, parts = view["study"], []
    if not study["finished"]:
        planned = counted(study["planned"], "trial", "次训练")
        told = say(
            "Not finished: {done:,} of {planned} are in.", "尚未完成：{planned}已完成 {done:,} 次。",
            done=study["trials"], planned=planned,
        )  # fmt: skip
        parts.append(f"<p><em>{escape(told.of(language))}</em></p>")
    if len(view["tasks"]) > 1:
        parts.append(_paragraph(view, language))
    for task in view["tasks"]:
        parts += [_paragraph(task, language), _ranking(view, task, language)]
    if not view["tasks"]:
        parts.append(f"<p>{NOTHING_YET.of(language)}</p>")
    return f'<div class="steepest" lang="{language}">{"".join(parts)}</div>'


def _paragraph(thing: Mapping[str, Any], language: Language) -> str:
    sentences = thing["headline_zh" if language == "zh" else "headline"]
    if not sentences:
        return ""
    first, *rest = (escape(sentence) for sentence in sentences)
    gap = "" if language == "zh" else " "
    return f'<p style="max-width:72ch"><strong>{first}</strong>{gap}{gap.join(rest)}</p>'


def _ranking(view: Mapping[str, Any], task: Mapping[str, Any], language: Language) -> str:
    confidence, unit = f"{100 * view['study']['confidence']:g}", task["unit"]
    if language == "zh":
        metric = f"测试{task['metric_zh']}{f'（{unit}）' if unit else ''}"
        head = ["#", "优化器", "结论", metric, f"{confidence}% 区间", "落后最好者", "学习率"]
    else:
        metric = f"test {task['metric']}{f', {unit}' if unit else ''}"
        head = ["#", "optimizer", "verdict", metric, f"{confidence} %", "behind best", "rate"]
    rows = [_row(head, "th")]
    for s in task["standings"]:
        quality, behind = s["quality"], s["behind_best"]
        label = view["contenders"][s["contender"]]["label"]
        cells = [
            *(str(s["place"]), label, labels.STATUS[s["status"]][0].of(language)),
            *((quality["text"], quality["interval"] or "–") if quality else ("–", "")),
            *(behind["text"] if behind else "–", s["rate_text"]),
        ]
        rows.append(_row(cells, "td"))
    return f"<table>{''.join(rows)}</table>"


def _row(cells: list[str], tag: str) -> str:
    sides = ("right", "left", "left", "right", "right", "right", "right")
    both = zip(cells, sides, strict=True)
    return (
        "<tr>" + "".join(f'<{tag} style="{_CELL.format(side)}">{escape(cell)}</{tag}>' for cell, side in both) + "</tr>"
    )
