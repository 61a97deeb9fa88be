"""Plain text for whatever is not about a study: catalogues, single entries, plans and the doctor's findings."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from steepest.messages import (
    ENGLISH,
    NOTHING,
    Message,
    counted,
    enumerated,
    language,
    mark,
    meant,
    paragraph,
    say,
    shown,
    term,
    tr,
)
from steepest.report.rounding import one_line

if TYPE_CHECKING:  # pydantic and numpy, which no --help needs
    from steepest.study.spec import Plan

Page = Mapping[str, Any]
WIDTH, LONG = 100, 28
"""Columns of a page, and characters of the longest name that is shown in full in a table."""


def optimizer(page: Page) -> str:
    """All about one optimizer: formula, hyperparameters, source, and how frameworks differ."""
    paper, batch = page["paper"], page["batch_size"]
    rows = [
        (row["symbol"], row["name"], _setting(row["value"]), shown(row["allowed"]), shown(row["meaning"]))
        for row in page["hyperparameters"]
    ]
    centre, default = _number(page["rate"]["centre"]), _number(page["rate"]["default"])
    examples = say("all examples") if batch == "full" else say("{batch} example(s)", batch=batch)
    parts = [
        f"{shown(page['title'])}  ({page['name']})",
        _wrap(shown(page["summary"])),
        _indent("\n".join(map(shown, page["formula"]))),
        tr("Hyperparameters") + "\n" + _table(("", tr("name"), tr("value"), tr("allowed"), tr("meaning")), rows),
        _wrap(
            tr(
                "Search: rates over four decades around {centre}; the library's own rate is {default}.",
                centre=centre,
                default=default,
            )
        ),
        _wrap(_memory(page["state"], page["scope"])),
        _wrap(tr("Batch: {examples} a step.", examples=examples)) if batch else "",
        tr("Elsewhere") + "\n" + _departures(page["departures"]) if page["departures"] else "",
        tr("Code to paste") + "\n" + _indent(page["code"]),
        _wrap(tr("Source: {authors}, “{title}”, {year}.", **paper)),
    ]
    return "\n\n".join(part for part in parts if part)


def _memory(state: Sequence[str], scope: str) -> str:
    """What an optimizer keeps between steps. A rule that looks further than an element may keep sums, too."""
    names = enumerated(state)
    if not state:
        return tr("Memory: nothing besides weight and gradient.")
    if scope != "element":
        return tr(
            "Memory: {names}, besides weight and gradient; how much follows from the shapes of the parameters.",
            names=names,
        )
    return shown(
        counted(
            len(state),
            "Memory: {n} number a parameter besides weight and gradient ({names}).",
            "Memory: {n} numbers a parameter besides weight and gradient ({names}).",
            names=names,
        )
    )


def _departures(departures: Iterable[Page]) -> str:
    lines = []
    for item in departures:
        settings = item["settings"]
        remedy = " ".join(f"{key}={_setting(value)}" for key, value in settings.items()) if settings else ""
        here = say(" Here: {remedy}", remedy=remedy) if remedy else NOTHING
        framework = term(item["framework"])
        lines.append("  " + tr("{framework}: {how}.{here}", framework=framework, how=item["how"], here=here))
    return "\n".join(wrapped(line, WIDTH, "    ") for line in lines)


FRAMEWORKS = (mark("PyTorch"), mark("Keras"), mark("Optax"), mark("the article"))


def optimizers(rows: Sequence[Page]) -> str:
    table = _table(
        (tr("name"), tr("what it is"), tr("what it does")),
        [(row["name"], shown(row["title"]), shown(row["summary"])) for row in rows],
        wrap_last=True,
    )
    more = tr("Formula, defaults, source and more about one:")
    return f"{table}\n\n{more} steepest show {rows[0]['name']}{_here()}"


def _here() -> str:
    """How a command is told to answer in this language."""
    return "" if language() == ENGLISH else f" --lang {language()}"


def task(page: Page) -> str:
    """All about one built-in task."""
    lines = [f"{shown(page['title'])}  ({page['name']})", _wrap(shown(page["summary"]))]
    facts = {key: value for key, value in page.items() if key not in ("title", "name", "summary")}
    rows = [(shown(_FACTS[key]), _number(value)) for key, value in facts.items()]
    return "\n\n".join([*lines, _table(("", ""), [row for row in rows if row[1]], head=False)])


KINDS = (mark("images"), mark("tables"), mark("texts"), mark("series"), mark("analytic"))
_FACTS = {
    "kind": say("kind"),
    "data": say("data"),
    "source": say("source"),
    "batch_size": say("batch_size"),
    "epochs": say("epochs"),
    "horizon": say("horizon"),
    "target": meant("a level to reach", "target"),
    "suites": say("suites"),
}
"""What the catalogue says about a task."""


def tasks(rows: Sequence[Page]) -> str:
    """The built-in tasks, kind by kind, and the suites."""
    cells = [(row["name"], shown(row["title"]), _number(row["target"])) for row in rows]
    lines = _table((tr("name"), tr("what it is"), tr("level to reach")), cells).splitlines()
    by_kind = [lines[0]]
    for kind in dict.fromkeys(str(row["kind"]) for row in rows):
        own = [line for line, row in zip(lines[1:], rows, strict=True) if str(row["kind"]) == kind]
        by_kind += ["", shown(term(kind)), *own]
    names = {suite: [row["name"] for row in rows if suite in row["suites"]] for row in rows for suite in row["suites"]}
    suites = _table(
        (tr("suite"), tr("its tasks")), [(suite, ", ".join(names[suite])) for suite in names], wrap_last=True
    )
    more = tr(
        "All about one: steepest show {first}{here}. A suite: steepest run --suite smoke.\n"
        "Your own: a Python file that defines `task`; see docs/own-task.md.",
        first=rows[0]["name"],
        here=_here(),
    )
    return "\n".join(by_kind) + f"\n\n{suites}\n\n{more}"


def datasets(rows: Sequence[Page]) -> str:
    """Two lines for each: what it is, and on whose terms."""
    cells = [(row["name"], _number(row["here"]), _number(row["megabytes"]), shown(row["title"])) for row in rows]
    titles = (tr("name"), tr("here"), "MB", tr("what it is"))
    head, *lines = _table(titles, cells).splitlines()
    indent = width_of(head[: head.index(titles[-1])])
    both = zip(lines, (textwrap.indent(row["licence"], " " * indent) for row in rows), strict=True)
    return "\n".join([head, *(line for pair in both for line in pair)])


def dataset(page: Page) -> str:
    rows = [(shown(_OF_DATA[key]), _number(value)) for key, value in page.items() if value not in ("", None)]
    return _table(("", ""), rows, head=False)


_OF_DATA = {
    "name": say("name"),
    "title": say("title"),
    "examples": say("examples"),
    "shape": say("shape"),
    "target": say("target"),
    "licence": say("licence"),
    "notice": say("notice"),
    "package": say("package"),
    "instead": say("instead"),
    "member": say("member"),
    "megabytes": say("megabytes"),
    "needs": say("needs"),
    "here": say("here"),
    "where": say("where"),
}
"""What there is to know of a data set."""


def check(page: Page) -> str:
    """Whether a task trains, and how."""
    before, after = page["valid_loss_before"], page["valid_loss_after"]
    sound = after is not None and before is not None and after < before
    metric = term(page["metric"])
    drawn = enumerated([*map(term, page["drawn_by_the_seed"])])
    parts = " / ".join(map(str, page["parts"].values()))
    steps = tr("{steps:,} steps of {batch_size}", steps=page["steps"], batch_size=page["batch_size"])
    tie = tr("differences of {metric} below {margin:.2g}", metric=metric, margin=page["margin"])
    rows = [
        (tr("examples"), tr("{parts} to train, to choose and to judge by", parts=parts)),
        (tr("set by the seed"), shown(drawn)),
        (tr("model"), tr("{parameters:,} trainable parameters", parameters=page["parameters"])),
        (tr("a trial"), steps),
        (tr("tie"), tie),
        (tr("tried"), _tried(page, metric)),
        (tr("engine"), _engine(page)),
        *((tr("mind") if i == 0 else "", shown(caution)) for i, caution in enumerate(page["cautions"])),
    ]
    end = (
        tr("It trains.")
        if sound
        else tr("It runs, but the loss did not fall: look at the data, the loss, or the scale of the inputs.")
    )
    title = one_line(shown(term(page["title"])), WIDTH)
    return f"{title}\n\n{_table(('', ''), rows, head=False, wrap_last=True)}\n\n{end}"


def _tried(page: Page, metric: Message) -> str:
    """What came of the steps that were tried."""
    return tr(
        "{steps} steps of Adam at {rate}: validation loss {before} → {after}, {metric} {quality}; {time} ms a step.",
        steps=page["steps_tried"],
        rate=_number(page["rate_tried"]),
        before=_short(page["valid_loss_before"]),
        after=_short(page["valid_loss_after"]),
        metric=metric,
        quality=_short(page["valid_metric_after"]),
        time=f"{float(format(page['milliseconds_a_step'], '.2g')):,g}",
    )


def _engine(page: Page) -> str:
    """How trials are trained, and why."""
    if page["obstacle"]:
        return tr("One trial at a time (engine solo), since {reason}.", reason=page["obstacle"])
    return tr(
        "Many trials at once (engine fleet), for every optimizer of `steepest optimizers`{others}.",
        others=say(" but {names}", names=enumerated(page["alone"])) if page["alone"] else NOTHING,
    )


def _short(value: float | None) -> Message | str:
    return say("not finite") if value is None else f"{value:.4g}"


def plan(forecast: Plan) -> str:
    """What a run would do, and for how long."""
    protocol, bounded = forecast.protocol, forecast.protocol.until_sure
    contenders, on = len({run.contender for run in forecast.runs}), len(forecast.facts)
    rows = [
        (
            *(one_line(name, LONG) for name in (run.task, run.contender)),
            *map(str, (run.engine, run.batch_size, run.steps)),
        )
        for run in forecast.runs
    ]
    extra, time = protocol.extra_rates, _duration(forecast.seconds)
    words = [
        say(
            "{trials:,} trials: {rates} rates in the grid{more}, each on {seeds} seeds, for {contenders} contenders on "
            "{tasks}.",
            trials=forecast.trials,
            rates=protocol.rates,
            more=say(" and {extra} more around the best", extra=extra) if extra else NOTHING,
            seeds=say("at most {seeds}", seeds=protocol.seeds) if bounded else protocol.seeds,
            contenders=contenders,
            tasks=counted(on, "{n} task", "{n} tasks"),
        ),
        say("It would take at most about {time}.", time=time)
        if bounded
        else say("It would take about {time}.", time=time),
        *forecast.given_up,
    ]
    for fact in forecast.facts:
        if fact.fleet_obstacle:
            name, reason = one_line(fact.name, LONG), fact.fleet_obstacle.mapped(one_line)
            words.append(say("{name} is trained one trial at a time, since {reason}.", name=name, reason=reason))
    if forecast.resolution is not None:
        words.append(
            say(
                "The smallest difference that it can tell from luck is {difference:.2g} times the scatter (standard "
                "deviation) of an optimizer's replicates.",
                difference=forecast.resolution,
            )
        )
    head = (tr("task"), tr("contender"), tr("engine"), tr("batch"), tr("steps"))
    return _table(head, rows) + "\n\n" + _wrap(shown(paragraph(words)))


def plan_json(forecast: Plan) -> dict[str, Any]:
    """The same for programs, with what is said in words in the language in force."""
    facts = [{**asdict(fact), "notes": fact.notes, "fleet_obstacle": fact.fleet_obstacle} for fact in forecast.facts]
    return forecast.model_dump(mode="json") | {"given_up": forecast.given_up, "facts": facts}


def doctor(findings: Page) -> str:
    versions, hardware = (
        [(shown(term(key)), shown(term(value))) for key, value in findings[part].items()]
        for part in ("versions", "hardware")
    )
    checks = [("ok" if row["ok"] else "--", shown(row["what"]), shown(row["finding"])) for row in findings["checks"]]
    parts = [
        _table(("", tr("versions")), versions),
        _table(("", tr("machine")), hardware),
        _table(("", tr("what"), tr("finding")), checks),
    ]
    return "\n\n".join(parts)


OF_MACHINE = (
    *(mark("processor"), mark("cores"), mark("memory"), mark("system")),
    *(mark("none"), mark("unknown"), mark("not installed")),
)
"""What the environment is described with."""


# ---- helpers ---------------------------------------------------------------------------------------------------------


def _table(head_row: Sequence[str], rows: Sequence[Sequence[str]], head: bool = True, wrap_last: bool = False) -> str:
    """Aligned columns, two spaces apart; the last column may wrap at the page's width."""
    cells = [list(map(str, row)) for row in rows]
    widths = [max(width_of(row[i]) for row in [list(head_row), *cells]) for i in range(len(head_row))]
    offset = sum(widths[:-1]) + 2 * (len(widths) - 1) + 2
    lines = []
    for row in [list(head_row), *cells] if head else cells:
        line = "  " + "  ".join(
            cell + " " * (width - width_of(cell)) for cell, width in zip(row[:-1], widths[:-1], strict=True)
        )
        last = wrapped(row[-1], max(20, WIDTH - offset)).split("\n") if wrap_last else [row[-1]]
        lines.append(f"{line}  {last[0] if last else ''}".rstrip())
        lines += [" " * offset + rest for rest in last[1:]]
    return "\n".join(lines)


def width_of(text: str) -> int:
    """How wide a text is in a terminal: an ideograph takes two cells."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def wrapped(words: str, wide: int, indent: str = "") -> str:
    """Lines of at most so many cells. Chinese breaks after any character, but not before a closing mark."""
    if width_of(words) == len(words):
        return textwrap.fill(words, wide, subsequent_indent=indent)
    pieces: list[str] = re.findall(
        r"[^\S\n]*(?:[\u3000-\uffef]|[^\s\u3000-\uffef]+)[\uff0c\u3002\uff1b\uff1a\u3001\uff01\uff1f\uff09\u201d]*",
        words,
    )
    lines, line = [], ""
    for piece in pieces:
        if line and width_of(line + piece) > wide:
            lines.append(line)
            line = indent + piece.lstrip()
        else:
            line += piece
    return "\n".join([*lines, line])


def _wrap(words: str) -> str:
    return wrapped(words, WIDTH)


def _indent(words: str) -> str:
    return textwrap.indent(words.rstrip(), "    ")


def _setting(value: Any) -> str:
    """As it is typed."""
    return "yes" if value is True else "no" if value is False else _number(value)


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return tr("yes") if value else tr("no")
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(_number(item) for item in value)
    return "" if value is None else shown(value)


def _duration(seconds: float) -> Message:
    if seconds < 90:
        return say("{s} s", s=f"{seconds:.0f}")
    if seconds < 5400:
        return say("{min} min", min=f"{seconds / 60:.0f}")
    return say("{h} h", h=f"{seconds / 3600:.1f}")
