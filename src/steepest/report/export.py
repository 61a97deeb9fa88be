"""A study for other programs: every trial and the ranking as CSV, the view as JSON, the ranking as LaTeX.

The trials are raw, at full precision; the others hold what is shown: shares in %, six digits. Names are hostile until
escaped.
"""

import csv
import io
import json as encoder
import math
import re
from collections.abc import Callable, Iterable

from steepest.errors import UnknownName
from steepest.messages import NOTHING, Message, counted, say, shown, tr
from steepest.records.study_record import StudyRecord
from steepest.report.plain import plain
from steepest.report.rounding import one_line
from steepest.report.schema import EstimateView, Figure, TaskView, View
from steepest.report.trial_table import trial_columns


def export(form: str, study: StudyRecord, view: View) -> str:
    """The study in one of FORMS. Raises UnknownName for another."""
    if form not in FORMS:
        raise UnknownName.among("export format", form, FORMS)
    if form == "csv":
        return trials_csv(study)
    return latex(view) if form == "latex" else _OF_VIEW[form](view)


def trials_csv(study: StudyRecord) -> str:
    """One row per trial, failed ones included, with the columns of `types.Result`; a cell without a value is empty."""
    columns = trial_columns(study.results)
    return _csv(columns, zip(*columns.values(), strict=True))


def ranking_csv(view: View) -> str:
    """One row per task and contender, in order of place; metrics in the unit that their row names."""
    columns = (
        *("task", "metric", "unit", "place", "contender", "status", "mean", "mean_low", "mean_high", "replicates"),
        *("failed_replicates", "deviation", "behind_best", "behind_best_low", "behind_best_high", "p_best"),
        *("first_place", "last_place", "rate", "safe_low", "safe_high", "untuned", "trials", "failed_trials"),
        *("milliseconds_per_step", "state_bytes_per_parameter", "baseline"),
    )
    rows = [
        [
            *(task["name"], task["metric"], task["unit"], s["place"], view["contenders"][s["contender"]]["name"]),
            *(s["status"], *_three(s["quality"]), s["replicates"], s["failed_replicates"], s["deviation"]),
            *(*_three(s["behind_best"]), s["p_best"]["value"], *(s["places"] or (None, None)), s["rate"]),
            *(*(s["safe_rates"] or (None, None)), s["untuned"], s["trials"], s["failed_trials"]),
            *(s["milliseconds"], s["state_bytes"], "yes" if s["contender"] == task["baseline"] else ""),
        ]
        for task in view["tasks"]
        for s in task["standings"]
    ]
    return _csv(columns, rows)


def json(view: View) -> str:
    """The view as JSON text; NaN is refused, for it is not JSON."""
    return encoder.dumps(plain(view), allow_nan=False, ensure_ascii=False, indent=1) + "\n"


LONG = 60
"""The longest name in a table that is set: a cell does not break, and XeLaTeX takes minutes for a word of 10 kB."""


def latex(view: View) -> str:
    """One booktabs table per task; which packages it needs, more in some languages, its first line says. Bold marks the
    best and what ties with it."""
    tables = "\n".join(_latex_task(view, task) for task in view["tasks"])
    needs = ", ".join(rf"\usepackage{{{package}}}" for package in tr("booktabs").split(", "))
    engine = tr("; for names in other scripts, XeLaTeX or LuaLaTeX with a suitable font")
    return f"% {needs}{'' if tables.isascii() else engine}\n{tables}"


def _latex_task(view: View, task: TaskView) -> str:
    head, caption = _head(task), _caption(view, task)
    lines = [
        *(r"\begin{table}", r"  \centering", r"  \begin{tabular}{rlrrrr}", r"    \toprule"),
        f"    {' & '.join(head)} \\\\",
        r"    \midrule",
    ]
    for s in task["standings"]:
        name = escape_latex(one_line(view["contenders"][s["contender"]]["name"], LONG))
        mean = s["quality"]["text"] if s["quality"] else "–"
        if s["status"] in ("best", "tie"):
            name, mean = rf"\textbf{{{name}}}", rf"\textbf{{{mean}}}"
        quality = f"{mean} {s['quality']['interval']}".rstrip() if s["quality"] else "–"
        behind = f"{s['behind_best']['text']} {s['behind_best']['interval']}".rstrip() if s["behind_best"] else "–"
        cells = [str(s["place"]), name, _minus(quality), _minus(behind), _minus(s["p_best"]["text"]), s["rate_text"]]
        lines.append(f"    {' & '.join(cells)} \\\\".replace("–", "--"))
    lines += [r"    \bottomrule", r"  \end{tabular}", rf"  \caption{{{caption}}}", r"\end{table}", ""]
    return "\n".join(lines)


def _head(task: TaskView) -> list[str]:
    unit = say(" ({unit})", unit=task["unit"]) if task["unit"] else NOTHING
    quality = tr("test {metric}{unit}", metric=one_line(shown(task["metric"]), LONG), unit=unit)
    return ["", tr("optimizer"), escape_latex(quality), tr("behind the best"), "$p$", tr("rate")]


def _caption(view: View, task: TaskView) -> str:
    said = tr(
        "{title}: mean test {metric} over {seeds}, each tuned separately, with {level} % "
        "intervals; differences from {best} (positive: worse), p adjusted by Holm. Bold: "
        "the best and those tied with it.",
        title=one_line(shown(task["title"]), LONG),
        metric=one_line(shown(task["metric"]), LONG),
        seeds=_seeds(view),
        level=f"{100 * view['study']['confidence']:g}",
        best=_best(view, task) or say("none"),
    )
    return escape_latex(said)


def _seeds(view: View) -> Message:
    return counted(view["reproduce"]["seeds"], "{n:,} seed", "{n:,} seeds")


def _best(view: View, task: TaskView) -> str:
    """Its name; none where nobody got through a training."""
    known = [s["contender"] for s in task["standings"] if s["quality"]]
    return one_line(view["contenders"][task["best"]]["name"], LONG) if task["best"] in known else ""


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "−": "$-$",
    "²": "$^2$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def escape_latex(text: str) -> str:
    """Text as LaTeX shows it: no character keeps a meaning of its own, and no two of them become another together."""
    escaped = "".join(_LATEX.get(character, character) for character in text)
    return re.sub(r"(?<=-)(?=-)|(?<=')(?=')|(?<=,)(?=,)|(?<=[`?!])(?=`)", "{}", escaped)


def _minus(text: str) -> str:
    """A number of the view with LaTeX's signs."""
    return text.replace("−", "$-$").replace("+", "$+$").replace("<", "$<$")


def _csv(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer)  # ends lines as RFC 4180 says, and quotes cells that hold a CR or an LF
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return buffer.getvalue()


def _cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula: text that starts like one gets a leading apostrophe."""
    if isinstance(value, str):
        text = value.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair cannot be encoded
        return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _three(estimate: EstimateView | None) -> tuple[Figure, ...]:
    return (None, None, None) if estimate is None else (estimate["value"], estimate["low"], estimate["high"])


_OF_VIEW: dict[str, Callable[[View], str]] = {"ranking-csv": ranking_csv, "json": json}
FORMS = ("csv", *_OF_VIEW, "latex")
