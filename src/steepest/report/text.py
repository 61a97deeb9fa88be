"""A view as text for the terminal: the verdict in words first, then the figures, at most 100 columns wide."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from rich.cells import cell_len, set_cell_size

from steepest.report import words

WIDTH = 100
BOLD, DIM, GREEN, RED = "1", "2", "32", "31"


def text(view: Mapping[str, Any], colour: bool = False) -> str:
    """The verdict and its tables; `colour` adds ANSI styles and changes no character besides."""
    paint = _painted if colour else _plain
    study = view["study"]
    blocks: list[str] = []
    if not study["finished"]:
        done, planned = study["trials"], words.count(study["planned"], "trial")
        blocks.append(paint(f"This study is not finished: {done:,} of {planned} are in.", RED))
    if len(view["tasks"]) > 1:
        blocks.append(_wrapped(" ".join(view["headline"]), paint, BOLD))
        blocks.append(_tallies(view, paint))
    for task in view["tasks"]:
        blocks += _task(view, task, paint)
    if not view["tasks"]:
        blocks.append("No trial has finished yet.")
    blocks.append(_claims(view["claims"]))
    if view["reproduce"]["command"]:
        blocks.append(_reproduce(view, paint))
    return "\n\n".join(block for block in blocks if block)


def wants_colour(stream: TextIO) -> bool:
    """Whether to colour what goes to `stream`: only a terminal, and not if NO_COLOR is set or the terminal is dumb."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


# ---- blocks ----------------------------------------------------------------------------------------------------------


def _task(view: Mapping[str, Any], task: Mapping[str, Any], paint: Any) -> list[str]:
    blocks = []
    if len(view["tasks"]) > 1:
        blocks.append(paint(f"{task['label']} {'─' * (WIDTH - 1 - cell_len(task['label']))}", BOLD))
    blocks.append(_wrapped(" ".join(task["headline"]), paint, BOLD))
    blocks.append(_ranking(view, task, paint))
    blocks.append(_rates(view, task))
    blocks.append(_claims(task["claims"]))
    return blocks


def _ranking(view: Mapping[str, Any], task: Mapping[str, Any], paint: Any) -> str:
    interval = f"{100 * view['study']['confidence']:g} %"
    unit = f", {task['unit']}" if task["unit"] else ""
    head = ["#", "optimizer", "verdict", f"test {task['metric']}{unit}", interval, "behind best", interval, "p"]
    rows = []
    for s in task["standings"]:
        quality, behind = s["quality"], s["behind_best"]
        rows.append(
            [
                str(s["place"]),
                view["contenders"][s["contender"]]["label"],
                words.STATUS[s["status"]][0],
                quality["text"] if quality else "–",
                quality["interval"] if quality else "",
                behind["text"] if behind else "–",
                behind["interval"] if behind else "",
                s["p_best"]["text"],
            ]
        )
    styles = {"best": GREEN, "tie": GREEN, "behind": "", "unsure": DIM, "failed": RED}
    return _table(head, rows, "r<<r<r<r", paint, [styles[s["status"]] for s in task["standings"]])


def _rates(view: Mapping[str, Any], task: Mapping[str, Any]) -> str:
    head = ["optimizer", "use rate", "safe rates", "failed", "stalled", "of trials", "ms/step", "one run"]
    rows = [
        [
            view["contenders"][s["contender"]]["label"],
            s["rate_text"] + {"": "", "low": " ↓", "high": " ↑"}[s["untuned"]],
            s["safe_text"],
            str(s["failed_trials"]),
            str(s["stalled_trials"]),
            str(s["trials"]),
            s["milliseconds_text"],
            s["seconds_text"],
        ]
        for s in task["standings"]
    ]
    if all(s["rate_text"] == "–" for s in task["standings"]):
        return ""
    table = _table(head, rows, "<r<rrrrr", _plain)
    if any(s["untuned"] for s in task["standings"]):
        table += "\n↑ ↓ untuned: the best rate lies at that edge of what was searched, so a better one may lie beyond."
    return table


def _tallies(view: Mapping[str, Any], paint: Any) -> str:
    head = ["optimizer", *(word for word, _ in words.STATUS.values())]
    rows = [
        [view["contenders"][tally["contender"]]["label"], *(str(tally[status]) for status in words.STATUS)]
        for tally in view["tallies"]
    ]
    return _table(head, rows, "<" + "r" * len(words.STATUS), paint) if rows else ""


def _claims(claims: list[dict[str, Any]]) -> str:
    """Each sentence as an item under the label of its kind, but for those that repeat the ranking just above."""
    lines = []
    for label, sentences in words.by_kind(claims):
        lines.append(f"{label}:")
        lines += [_fill(sentence, "  - ", "    ") for sentence in sentences]
    return "\n".join(lines)


def _reproduce(view: Mapping[str, Any], paint: Any) -> str:
    how = view["reproduce"]
    machine = ", ".join(f"{key} {value}" for key, value in [*how["versions"].items(), *how["hardware"].items()])
    lines = [_fill(f"With {machine}.")] if machine else []
    return "\n".join([*lines, f"To run it again: {paint(how['command'], BOLD)}"])


# ---- layout ----------------------------------------------------------------------------------------------------------


def _table(head: list[str], rows: list[list[str]], align: str, paint: Any, styles: Sequence[str] = ()) -> str:
    """Columns as wide as their widest cell, measured in terminal cells; the names give way if that is too much."""
    widths = [max(cell_len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    named = head.index("optimizer")
    excess = sum(widths) + 2 * (len(widths) - 1) - WIDTH
    if excess > 0:
        widths[named] = max(9, widths[named] - excess)

    def line(row: list[str]) -> str:
        cells = [_cut(cell, width) for cell, width in zip(row, widths, strict=True)]
        gaps = [" " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True)]
        return "  ".join(c + g if a == "<" else g + c for c, g, a in zip(cells, gaps, align, strict=True)).rstrip()

    painted = [paint(line(row), style) for row, style in zip(rows, styles or [""] * len(rows), strict=True)]
    return "\n".join([paint(line(head), DIM), *painted])


def _cut(cell: str, width: int) -> str:
    return cell if cell_len(cell) <= width else set_cell_size(cell, width - 1).rstrip() + "…"


def _fill(paragraph: str, first: str = "", rest: str = "") -> str:
    return textwrap.fill(paragraph, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def _wrapped(paragraph: str, paint: Any, style: str) -> str:
    return _lines(textwrap.wrap(paragraph, WIDTH, break_on_hyphens=False), paint, style)


def _lines(lines: Iterable[str], paint: Any, style: str) -> str:
    return "\n".join(paint(line, style) for line in lines)


def _painted(content: str, style: str) -> str:
    return "\n".join(f"\x1b[{style}m{line}\x1b[0m" if style else line for line in content.split("\n"))


def _plain(content: str, style: str) -> str:
    return content
