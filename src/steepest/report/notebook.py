"""A study as a notebook shows it: the verdict's paragraph and the ranking, as a small piece of HTML.

Names are hostile until escaped; styles are inline, for a notebook has its own stylesheet.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from steepest.report import words

_CELL = "padding:2px 10px;text-align:{}"


def notebook(view: Mapping[str, Any]) -> str:
    """HTML without script, fit to stand in a cell's output."""
    parts = []
    if not view["study"]["finished"]:
        done, planned = view["study"]["trials"], words.count(view["study"]["planned"], "trial")
        parts.append(f"<p><em>Not finished: {done:,} of {escape(planned)} are in.</em></p>")
    if len(view["tasks"]) > 1:
        parts.append(_paragraph(view["headline"]))
    for task in view["tasks"]:
        parts += [_paragraph(task["headline"]), _ranking(view, task)]
    if not view["tasks"]:
        parts.append("<p>No trial has finished yet.</p>")
    return f'<div class="steepest">{"".join(parts)}</div>'


def _paragraph(sentences: list[str]) -> str:
    if not sentences:
        return ""
    first, *rest = (escape(sentence) for sentence in sentences)
    return f'<p style="max-width:72ch"><strong>{first}</strong> {" ".join(rest)}</p>'


def _ranking(view: Mapping[str, Any], task: Mapping[str, Any]) -> str:
    unit = f", {task['unit']}" if task["unit"] else ""
    interval = f"{100 * view['study']['confidence']:g} %"
    head = ["#", "optimizer", "verdict", f"test {task['metric']}{unit}", interval, "behind best", "rate"]
    rows = [_row(head, "th")]
    for s in task["standings"]:
        quality, behind = s["quality"], s["behind_best"]
        cells = [
            *(str(s["place"]), view["contenders"][s["contender"]]["label"], str(words.STATUS[s["status"]][0])),
            *((quality["text"], quality["interval"]) if quality else ("–", "")),
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
