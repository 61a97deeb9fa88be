"""The chapter of the docs on the articles' claims, made from the folder of `steepest claims`. For each claim: the
hypothesis stated beforehand, the outcome with a picture, and the reason as far as it is known.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from textwrap import fill
from typing import Any

from steepest.articles import second_fit
from steepest.articles.hypotheses import HYPOTHESES, JudgedClaim, NoMoreThan, judge
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


def judged_claims(folder: Path) -> list[JudgedClaim]:
    """Every claim, judged on the studies in a folder; "not measured" if one is missing. StudyFolderError if all are."""
    studies: dict[str, StudyReader] = {}
    for planned in STUDIES:
        reader = StudyReader(folder / planned.key)
        try:
            if reader.record.finished:
                studies[planned.key] = reader
        except StudyFolderError:
            continue
    if not studies:
        raise StudyFolderError(f"{folder} has no finished study of the claims. Run them with `steepest claims`.")
    return [judge(hypothesis, studies) for hypothesis in HYPOTHESES]


def write(folder: Path, page: Path, pictures: Path) -> None:
    """Write the chapter to `page` and its pictures to the folder `pictures`."""
    pictures.mkdir(parents=True, exist_ok=True)
    found = judged_claims(folder)
    for judged in found:
        if judged.figures:
            (pictures / f"{judged.hypothesis.key}.svg").write_text(picture(judged), encoding="utf-8")
    fits = second_fit.stored(folder)
    (pictures / "second-fit.svg").write_text(_fits_picture(fits), encoding="utf-8")
    parts = chapter(found, fits, folder, pictures.name)
    page.write_text("\n".join(_wrapped(part) for part in parts) + "\n", encoding="utf-8")


def _wrapped(part: str) -> str:
    """Wrap paragraphs; leave tables, headings and pictures as they are."""
    lines = (line if line[:1] in "|#!<" else fill(line, 120, break_on_hyphens=False) for line in part.split("\n"))
    return "\n".join(lines)


def chapter(found: Sequence[JudgedClaim], fits: list[second_fit.Fits], folder: Path, pictures: str) -> Iterator[str]:
    yield HEAD
    words = Counter(judged.word for judged in found)
    counts = ", ".join(f"{count} {word}" for word, count in words.items())
    yield f"Of {len(found)} claims: {counts}.\n"
    yield "| claim | from | outcome |\n|---|---|---|"
    for judged in found:
        yield f"| [{judged.hypothesis.claim}](#{judged.hypothesis.key}) | {judged.hypothesis.source} | {judged.word} |"
    yield "| [The example's second fit shows that Adam is better.](#second-fit) | B | see there |\n"
    for judged in found:
        yield from _section(judged, pictures)
    yield from _second(fits, pictures)
    yield from _studies(folder)


def _section(judged: JudgedClaim, pictures: str) -> Iterator[str]:
    row = judged.hypothesis
    yield f'<a id="{row.key}"></a>\n\n## {row.claim}\n'
    yield f"**{judged.word.capitalize()}.** Hypothesis: {row.stated}\n"
    if not judged.figures:
        yield "No finished study measures it.\n"
        return
    yield f"| {row.unit} | mean | 95 % interval | repeats | supports it |\n|---|---|---|---|---|"
    for each, answer in zip(judged.figures, judged.answers, strict=True):
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
    outcome = "Not supported" if fair.low < 0 else "Supported"
    yield f"**{outcome}** when both start from the same weights. In mean squared error:\n"
    yield "| SGD's final error minus Adam's (above 0: Adam is better) | mean | 95 % interval | repeats |"
    yield "|---|---|---|---|"
    for each in (printed, fair):
        yield f"| {each.of} | {_number(each.value)} | {_interval(each)} | {each.n} |"
    yield (
        f"\n![training loss over epochs]({pictures}/second-fit.svg)\n\n"
        f"Median errors on new points: SGD {significant(ends['sgd'])}, Adam after SGD {significant(ends['after'])}, "
        f"Adam from the same start {significant(ends['adam'])}. The noise in the data alone causes 0.01. At its "
        "default rate, Adam moves each weight by about 0.001 per step, and 100 epochs of three or four steps are too "
        "few to reach the line from the initial weights. Neither rate was tuned; with tuned rates both fit the line "
        "(`steepest run line`).\n"
    )


def _studies(folder: Path) -> Iterator[str]:
    yield "## The studies\n\n`steepest claims` runs them again; `steepest claims --list` prints the hypotheses.\n"
    yield "| study | tasks | optimizers | repeats, seeds from | trials | purpose |\n|---|---|---|---|---|---|"
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


def picture(judged: JudgedClaim) -> str:
    """The figures with their intervals; the bound is a dashed line."""
    rule = judged.hypothesis.rule
    limits = (-rule.at, rule.at) if isinstance(rule, NoMoreThan) else (rule.at,)
    bars = [Bar(each.of, each.value, each.low, each.high) for each in judged.figures]
    return intervals(bars, judged.hypothesis.unit, limits)


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


def to_json(found: Sequence[JudgedClaim], fits: list[second_fit.Fits]) -> dict[str, Any]:
    """Outcomes and figures, without the data of the studies."""

    def plain(each: Figure) -> Mapping[str, Any]:
        return {"of": each.of, "value": each.value, "low": each.low, "high": each.high, "n": each.n}

    rows = [
        {
            "key": judged.hypothesis.key,
            "claim": judged.hypothesis.claim,
            "outcome": judged.word,
            "figures": [{**plain(f), "answer": a} for f, a in zip(judged.figures, judged.answers, strict=True)],
        }
        for judged in found
    ]
    return {"claims": rows, "second fit": [plain(each) for each in second_fit.figures(fits)]}
