"""A study as a notebook shows it: the verdict's paragraph and the ranking, as a small piece of HTML.

Names are hostile until escaped; styles are inline, for a notebook has its own stylesheet.
"""

from html import escape

from steepest.messages import NOTHING, counted, language, say, shown, tr
from steepest.report import labels
from steepest.report.schema import TaskView, View

NOTHING_YET = say("No trial has finished yet.")
_CELL = "padding:2px 10px;text-align:{}"


def notebook(view: View) -> str:
    """HTML without script, fit to stand in a cell's output."""
    study = view["study"]
    parts: list[str] = []
    if not study["finished"]:
        planned = counted(study["planned"], "{n:,} trial", "{n:,} trials")
        told = say(
            "Not finished: {done:,} of {planned} done.",
            done=study["trials"], planned=planned,
        )  # fmt: skip
        parts.append(f"<p><em>{escape(shown(told))}</em></p>")
    if len(view["tasks"]) > 1:
        parts.append(_paragraph(view))
    for task in view["tasks"]:
        parts += [_paragraph(task), _ranking(view, task)]
    if not view["tasks"]:
        parts.append(f"<p>{shown(NOTHING_YET)}</p>")
    return f'<div class="steepest" lang="{language()}">{"".join(parts)}</div>'


def _paragraph(thing: View | TaskView) -> str:
    if not thing["headline"]:
        return ""
    first, gap, rest = labels.first_sentence(shown(thing["headline"]))
    return f'<p style="max-width:72ch"><strong>{escape(first)}</strong>{gap}{escape(rest)}</p>'


def _ranking(view: View, task: TaskView) -> str:
    unit = say(", {unit}", unit=task["unit"]) if task["unit"] else NOTHING
    level = tr("{level} %", level=f"{100 * view['study']['confidence']:g}")
    quality = tr("test {metric}{unit}", metric=task["metric"], unit=unit)
    head = ["#", tr("optimizer"), tr("verdict"), quality, level, tr("behind best"), tr("rate")]
    rows = [_row(head, "th")]
    for s in task["standings"]:
        quality, behind = s["quality"], s["behind_best"]
        label = view["contenders"][s["contender"]]["label"]
        cells = [
            *(str(s["place"]), label, labels.status(task, s)),
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
