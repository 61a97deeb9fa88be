"""The chapter of the docs on the articles' claims, made from the folder that `steepest claims` left: what was claimed,
what was stated beforehand, what came out, with a picture, and what is known of the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from textwrap import fill
from typing import Any

from steepest.articles import second_fit
from steepest.articles.hypotheses import HYPOTHESES, Bound, NoMoreThan, Trial, judge
from steepest.articles.measures import Figure
from steepest.articles.studies import STUDIES
from steepest.errors import StudyFolderError
from steepest.reader import StudyReader
from steepest.report.svg import Bar, Line, curves, intervals
from steepest.verdict.words.numbers import significant

HEAD = """# Two articles tested

Made by `steepest claims` from the studies named at the end; nothing here is typed in by hand.

This project started from two texts: (A) a study that compares AdaGrad, RMSProp and Adam with fixed-rate SGD in words,
without figures, and (B) a tutorial that prints the formulas of seven methods. Before the studies below were run, each
claim was turned into a hypothesis with a measure, tasks and a bound, and it is judged by these alone. (The hypotheses
were written after an earlier run had been seen; the results below come from a second run with its own seeds.)

A claim is **supported** if every figure supports it with its whole 95 % interval, **not supported** if none does, and
**mixed** otherwise. A figure is "open" if its interval contains both answers. A *practical margin* is the difference
that matters on a task: a quarter of a point of accuracy or of R², and for an error a quarter per cent of the score of
the best constant prediction. Intervals are Student's over repeats, each with its own seeds. They are not adjusted for
the number of claims: of a hundred figures, five may be wrong. The tasks are small and the training is short, so the
results hold for tasks of this kind.
"""


def trials(folder: Path) -> list[Trial]:
    """Every claim on the data in a folder; "not measured" where a study is missing. StudyFolderError if all are."""
    studies: dict[str, StudyReader] = {}
    for planned in STUDIES:
        reader = StudyReader(folder / planned.key)
        try:
            if reader.record.finished:
                studies[planned.key] = reader
        except StudyFolderError:
            continue
    if not studies:
        raise StudyFolderError(f"{folder} has no finished study of the claims: make them with steepest claims.")
    return [judge(hypothesis, studies) for hypothesis in HYPOTHESES]


def write(folder: Path, page: Path, pictures: Path) -> None:
    """The chapter, with its pictures in a folder beside it."""
    pictures.mkdir(parents=True, exist_ok=True)
    found = trials(folder)
    for trial in found:
        if trial.figures:
            (pictures / f"{trial.hypothesis.key}.svg").write_text(picture(trial), encoding="utf-8")
    fits = second_fit.stored(folder)
    (pictures / "second-fit.svg").write_text(_fits_picture(fits), encoding="utf-8")
    parts = chapter(found, fits, folder, pictures.name)
    page.write_text("\n".join(_wrapped(part) for part in parts) + "\n", encoding="utf-8")


def _wrapped(part: str) -> str:
    """Paragraphs in lines of a readable length; tables, headings and pictures as they are."""
    lines = (line if line[:1] in "|#!<" else fill(line, 120, break_on_hyphens=False) for line in part.split("\n"))
    return "\n".join(lines)


def chapter(found: Sequence[Trial], fits: list[second_fit.Fits], folder: Path, pictures: str) -> Iterator[str]:
    yield HEAD
    words = Counter(trial.word for trial in found)
    counts = ", ".join(f"{count} {word}" for word, count in words.items())
    yield f"Of {len(found)} claims: {counts}.\n"
    yield "| claim | from | outcome |\n|---|---|---|"
    for trial in found:
        yield f"| [{trial.hypothesis.claim}](#{trial.hypothesis.key}) | {trial.hypothesis.source} | {trial.word} |"
    yield "| [The example's second fit shows that Adam is better.](#second-fit) | B | see there |\n"
    for trial in found:
        yield from _section(trial, pictures)
    yield from _second(fits, pictures)
    yield from _studies(folder)


def _section(trial: Trial, pictures: str) -> Iterator[str]:
    row = trial.hypothesis
    yield f'<a id="{row.key}"></a>\n\n## {row.claim}\n'
    yield f"**{trial.word.capitalize()}.** Hypothesis: {row.stated}\n"
    if not trial.figures:
        yield "No finished study measured it.\n"
        return
    yield f"| {row.unit} | mean | 95 % interval | repeats | supports it |\n|---|---|---|---|---|"
    for each, answer in zip(trial.figures, trial.answers, strict=True):
        yield f"| {each.of} | {_number(each.value)} | {_interval(each)} | {each.n} | {answer} |"
    yield f"\n![{row.unit}]({pictures}/{row.key}.svg)\n\n{row.reason}\n"


def _second(fits: list[second_fit.Fits], pictures: str) -> Iterator[str]:
    printed, fair = second_fit.figures(fits)
    ends = {name: median(getattr(each, name) for each in fits) for name in ("sgd", "adam", "after")}
    yield '<a id="second-fit"></a>\n\n## The example\'s second fit shows that Adam is better.\n'
    yield (
        "The tutorial fits a line with SGD(0.01) for 100 epochs, compiles the same model again with Adam(0.001), and "
        "fits again to show the difference. The second fit starts where the first one ended.\n"
    )
    yield f"**{'Not supported' if fair.low < 0 else 'Supported'}**, once both start alike. In mean squared error:\n"
    yield "| Adam's end before SGD's (above 0: Adam is better) | mean | 95 % interval | repeats |\n|---|---|---|---|"
    for each in (printed, fair):
        yield f"| {each.of} | {_number(each.value)} | {_interval(each)} | {each.n} |"
    yield (
        f"\n![training loss over epochs]({pictures}/second-fit.svg)\n\n"
        f"Median errors on fresh points: SGD {significant(ends['sgd'])}, Adam after SGD {significant(ends['after'])}, "
        f"Adam from the same start {significant(ends['adam'])}. The noise of the data alone gives 0.01. At its default "
        "rate, Adam moves each weight by about 0.001 per step, and 100 epochs of three or four steps are too few to "
        "reach the line from the initial weights. Neither rate was tuned; with tuned rates both fit the line "
        "(`steepest run line`).\n"
    )


def _studies(folder: Path) -> Iterator[str]:
    yield "## The studies\n\n`steepest claims` runs them again; `steepest claims --list` prints the hypotheses.\n"
    yield "| study | tasks | optimizers | repeats, seeds from | trials | for |\n|---|---|---|---|---|---|"
    for planned in STUDIES:
        try:
            record = StudyReader(folder / planned.key).record
        except StudyFolderError:
            continue
        tasks = ", ".join(task.name for task in record.tasks)
        names = ", ".join(each.name for each in record.contenders)
        seeds = f"{record.protocol.seeds}, {record.protocol.first_seed}"
        yield f"| {planned.key} | {tasks} | {names} | {seeds} | {len(record.results):,} | {planned.why} |"


# ---- pictures and figures --------------------------------------------------------------------------------------------


def picture(trial: Trial) -> str:
    """The figures with their intervals, and the bound dashed."""
    rule = trial.hypothesis.rule
    limits = (-rule.at, rule.at) if isinstance(rule, NoMoreThan) else (rule.at,) if isinstance(rule, Bound) else ()
    bars = [Bar(each.of, each.value, each.low, each.high) for each in trial.figures]
    return intervals(bars, trial.hypothesis.unit, limits)


def _fits_picture(fits: list[second_fit.Fits]) -> str:
    titles = {"sgd": "SGD(0.01)", "adam": "Adam, same start", "after": "Adam after SGD"}
    lines = []
    for name, words in titles.items():
        columns = list(zip(*(each.losses[name] for each in fits), strict=True))
        x = [float(epoch) for epoch in range(1, len(columns) + 1)]
        low, middle, high = ([fn(column) for column in columns] for fn in (min, median, max))
        lines.append(Line(words, x, middle, low, high))
    return curves(lines, "epoch", "mean training loss", log_y=True)


def _number(value: float) -> str:
    return significant(value).replace("-", "−")


def _interval(each: Figure) -> str:
    return f"{_number(each.low)} to {_number(each.high)}"


def to_json(found: Sequence[Trial], fits: list[second_fit.Fits]) -> dict[str, Any]:
    """Outcomes and figures, for a file that stays small."""

    def plain(each: Figure) -> Mapping[str, Any]:
        return {"of": each.of, "value": each.value, "low": each.low, "high": each.high, "n": each.n}

    rows = [
        {
            "key": trial.hypothesis.key,
            "claim": trial.hypothesis.claim,
            "outcome": trial.word,
            "figures": [{**plain(f), "answer": a} for f, a in zip(trial.figures, trial.answers, strict=True)],
        }
        for trial in found
    ]
    return {"claims": rows, "second fit": [plain(each) for each in second_fit.figures(fits)]}
