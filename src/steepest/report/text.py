"""A view as text for the terminal: the verdict in words first, then the figures, at most 100 columns wide."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from rich.cells import cell_len, set_cell_size

from steepest.messages import NOTHING, counted, say, shown, tr
from steepest.report import labels
from steepest.report.rounding import isolated
from steepest.report.schema import ClaimView, StandingView, TaskView, View
from steepest.report.wrapping import wrapped

WIDTH = 100
OPTIMIZER = say("optimizer")
BOLD, DIM, GREEN, RED = "1", "2", "32", "31"
ADVISED = "→ "
"""Marks the row of what to use."""
MAX_LIMITS = 6
"""Remarks on the whole study that are shown without `full`."""
_EDGE = {"": "", "low": " ↓", "high": " ↑"}
Paint = Callable[[str, str], str]
"""Text and its ANSI style → text."""


def text(view: View, colour: bool = False, full: bool = True) -> str:
    """The verdict and its tables; `colour` adds ANSI styles and changes no character besides. full: also every other
    sentence; without it, what fits on a screen."""
    paint = _painted if colour else _plain
    page = _Page(view, paint, full)
    study = view["study"]
    blocks: list[str] = []
    if not study["finished"]:
        unfinished = say(
            "This study is not finished: {done:,} of {planned} done.",
            done=study["trials"],
            planned=counted(study["planned"], "{n:,} trial", "{n:,} trials"),
        )
        blocks.append(paint(shown(unfinished), RED))
    if len(view["tasks"]) > 1:
        blocks.append("\n".join(paint(line, BOLD) for line in fill(shown(view["headline"])).split("\n")))
        blocks.append(_tallies(page))
    for task in view["tasks"]:
        blocks += _task(page, task)
    if not view["tasks"]:
        blocks.append(tr("No trial has finished yet."))
    if not full:
        blocks.append(_limits(view["claims"]))
    else:
        blocks.append(_claims(page, view["claims"]))
        if view["reproduce"]["command"]:
            blocks.append(_reproduce(page))
    return "\n\n".join(block for block in blocks if block)


@dataclass(frozen=True)
class _Page:
    """The view, and how its words are to look."""

    view: View
    paint: Paint
    full: bool

    def answer(self, task: TaskView) -> str:
        """What to use, and below it a line for each thing to know about that."""
        if not task["answer"]:
            return ""
        says, *others = map(shown, task["answer"])
        first, _, rest = labels.first_sentence(says)
        lines = [fill(line, "  - ", "    ") for line in (rest, *others) if line]
        return "\n".join([*(self.paint(line, BOLD) for line in fill(first).split("\n")), *lines])


def wants_colour(stream: TextIO) -> bool:
    """Whether to colour what goes to `stream`: only a terminal, and not if NO_COLOR is set or the terminal is dumb."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


# ---- blocks ----------------------------------------------------------------------------------------------------------


def _task(page: _Page, task: TaskView) -> list[str]:
    blocks: list[str] = []
    if len(page.view["tasks"]) > 1:
        blocks.append(page.paint(f"{task['label']} {'─' * (WIDTH - 1 - cell_len(task['label']))}", BOLD))
    blocks.append(page.answer(task))
    blocks.append(_ranking(page, task))
    if page.full:
        blocks.append(_rates(page, task))
        blocks.append(_claims(page, task["claims"]))
    return blocks


def _ranking(page: _Page, task: TaskView) -> str:
    interval = tr("{level} %", level=f"{100 * page.view['study']['confidence']:g}")
    unit = say(", {unit}", unit=task["unit"]) if task["unit"] else NOTHING
    metric = tr("test {metric}{unit}", metric=task["metric"], unit=unit)
    head = ["#", shown(OPTIMIZER), tr("verdict"), metric, interval, tr("behind best"), interval]
    rated = not page.full and any(s["rate_text"] != "–" for s in task["standings"])
    head += [*((tr("rate"), tr("run time")) if rated else ()), *(("p",) if page.full else ())]
    rows: list[list[str]] = []
    for s in task["standings"]:
        quality, behind = s["quality"], s["behind_best"]
        cells = [
            (ADVISED if is_advised(task, s) else "") + str(s["place"]),
            page.view["contenders"][s["contender"]]["label"],
            labels.status(task, s),
            quality["text"] if quality else "–",
            quality["interval"] if quality else "",
            behind["text"] if behind else "–",
            behind["interval"] if behind else "",
        ]
        if rated:
            cells += [s["rate_text"] + _EDGE[s["untuned"]], shown(s["seconds_text"])]
        rows.append([*cells, s["p_best"]["text"]] if page.full else cells)
    styles = {"best": GREEN, "tie": GREEN, "behind": "", "unsure": DIM, "failed": RED}
    align = "r<<r<r<" + "rr" * rated + "r" * page.full
    if rated and not _names_differ(head, rows):  # they matter more than the time of a run, which --full has
        head, rows, align = head[:-1], [row[:-1] for row in rows], align[:-1]
    table = _table(head, rows, align, page.paint, [styles[s["status"]] for s in task["standings"]])
    return "\n".join(filter(None, (table, _edges(task) if rated else "")))


def is_advised(task: TaskView, standing: StandingView) -> bool:
    """Whether the row is marked: that of what to use, where the verdict advises anything."""
    is_first = standing["contender"] == task["advised"] and standing["status"] in ("best", "tie")
    return is_first and task["advises"]


def _edges(task: TaskView) -> str:
    """What the arrows behind rates mean, where there are any."""
    if not any(s["untuned"] for s in task["standings"]):
        return ""
    return tr("↑ ↓ untuned: best rate at the upper or lower edge of the search; a better one may lie beyond.")


def _rates(page: _Page, task: TaskView) -> str:
    head = [
        *(shown(OPTIMIZER), tr("rate"), tr("safe rates"), tr("failed"), tr("stalled"), tr("trials")),
        *(tr("ms/step"), tr("run time")),
    ]
    rows = [
        [
            page.view["contenders"][s["contender"]]["label"],
            s["rate_text"] + _EDGE[s["untuned"]],
            shown(s["safe_text"]),
            str(s["failed_trials"]),
            str(s["stalled_trials"]),
            str(s["trials"]),
            s["milliseconds_text"],
            shown(s["seconds_text"]),
        ]
        for s in task["standings"]
    ]
    if all(s["rate_text"] == "–" for s in task["standings"]):
        return ""
    table = _table(head, rows, "<r<rrrrr", _plain)
    return "\n".join(filter(None, (table, _edges(task))))


def _tallies(page: _Page) -> str:
    head = [shown(OPTIMIZER), *(shown(word) for word, _ in labels.STATUS.values())]
    rows = [
        [page.view["contenders"][tally["contender"]]["label"], *(str(tally[status]) for status in labels.STATUS)]
        for tally in page.view["tallies"]
    ]
    return _table(head, rows, "<" + "r" * len(labels.STATUS), page.paint) if rows else ""


def _claims(page: _Page, claims: Sequence[ClaimView]) -> str:
    """Each sentence as an item under the label of its kind, but for those that repeat the ranking just above."""
    lines: list[str] = []
    for label, sentences in labels.by_kind(claims):
        lines.append(tr("{title}:", title=label))
        lines += [fill(shown(sentence), "  - ", "    ") for sentence in sentences]
    return "\n".join(lines)


def _limits(claims: Sequence[ClaimView]) -> str:
    """What weakens the whole verdict, in a few lines."""
    weak = [shown(claim["sentence"]) for claim in claims if claim["kind"] == "weak"]
    lines = [fill(line, "  - ", "    ") for line in weak[:MAX_LIMITS]]
    if len(weak) > MAX_LIMITS:
        lines.append(tr("  - {n} more: see --full.", n=len(weak) - MAX_LIMITS))
    return "\n".join(lines)


def _reproduce(page: _Page) -> str:
    how = page.view["reproduce"]
    machine = ", ".join(f"{key} {value}" for key, value in [*how["versions"].items(), *how["hardware"].items()])
    lines = [fill(tr("Environment: {machine}.", machine=machine))] if machine else []
    return "\n".join([*lines, tr("To reproduce: {command}", command=page.paint(how["command"], BOLD))])


# ---- layout ----------------------------------------------------------------------------------------------------------


def _table(head: list[str], rows: list[list[str]], align: str, paint: Paint, styles: Sequence[str] = ()) -> str:
    """Columns as wide as their widest cell, measured in terminal cells; the names give way if that is too much."""
    widths = _widths(head, rows)
    named = next(i for i, cell in enumerate(head) if cell == shown(OPTIMIZER))
    if (excess := _excess(widths)) > 0:
        widths[named] = max(9, widths[named] - excess)
        rows = _told_apart(rows, named, widths[named])

    def line(row: list[str]) -> str:
        cells = [_cut(cell, width) for cell, width in zip(row, widths, strict=True)]
        gaps = [" " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True)]
        cells = map(isolated, cells)
        return "  ".join(c + g if a == "<" else g + c for c, g, a in zip(cells, gaps, align, strict=True)).rstrip()

    painted = [paint(line(row), style) for row, style in zip(rows, styles or [""] * len(rows), strict=True)]
    return "\n".join([paint(line(head), DIM), *painted])


def _widths(head: list[str], rows: list[list[str]]) -> list[int]:
    return [max(cell_len(row[i]) for row in [head, *rows]) for i in range(len(head))]


def _names_differ(head: list[str], rows: list[list[str]]) -> bool:
    """Whether names that differ still do once they are cut to what is left for them."""
    widths = _widths(head, rows)
    width, names = widths[1] - max(0, _excess(widths)), {row[1] for row in rows}
    return len({_cut(name, max(9, width)) for name in names}) == len(names)


def _excess(widths: Sequence[int]) -> int:
    """By how many terminal cells columns of these widths are too wide."""
    return sum(widths) + 2 * (len(widths) - 1) - WIDTH


def _cut(cell: str, width: int) -> str:
    return cell if cell_len(cell) <= width else set_cell_size(cell, width - 1).rstrip() + "…"


def _told_apart(rows: Sequence[list[str]], column: int, width: int) -> list[list[str]]:
    """The rows with names that stay different when they are cut: where their ends differ, the middle is left out."""
    count = Counter(_cut(row[column], width) for row in rows)
    found: list[list[str]] = []
    for row in rows:
        name = row[column]
        if count[_cut(name, width)] > 1 and cell_len(name) > width:
            end = name[::-1]
            tail = set_cell_size(end, width // 2).rstrip()[::-1]
            name = set_cell_size(name, width - 1 - cell_len(tail)).rstrip() + "…" + tail.lstrip()
        found.append([*row[:column], name, *row[column + 1 :]])
    return found


def fill(paragraph: str, first: str = "", rest: str = "") -> str:
    return wrapped(paragraph, WIDTH, first, rest)


def _painted(content: str, style: str) -> str:
    return "\n".join(f"\x1b[{style}m{line}\x1b[0m" if style else line for line in content.split("\n"))


def _plain(content: str, style: str) -> str:
    return content
