"""The text output of commands that list or describe something: catalogues, single entries, plans, `doctor`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

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
from steepest.records.task_warnings import TaskWarning, in_words
from steepest.report.rounding import one_line
from steepest.report.wrapping import wrapped

if TYPE_CHECKING:  # pydantic and numpy, which no --help needs
    from steepest.study.spec import Plan

Page = Mapping[str, Any]
WIDTH, LONG = 100, 28
"""Width of the output, and maximum length of a name in a table, in characters."""


def optimizer(page: Page) -> str:
    """Details of an optimizer: formula, hyperparameters, source, and differences between frameworks."""
    paper, batch = page["paper"], page["batch_size"]
    rows = [
        (row["symbol"], row["name"], _setting(row["value"]), shown(row["allowed"]), shown(row["meaning"]))
        for row in page["hyperparameters"]
    ]
    centre, default = _number(page["rate"]["centre"]), _number(page["rate"]["default"])
    examples = say("all examples") if batch == "full" else counted(batch or 0, "{n} example", "{n} examples")
    parts = [
        f"{shown(page['title'])}  ({page['name']})",
        _wrap(shown(page["summary"])),
        _indent("\n".join(map(shown, page["formula"]))),
        tr("Hyperparameters") + "\n" + _table(("", tr("name"), tr("value"), tr("allowed"), tr("meaning")), rows),
        _wrap(
            tr(
                "Learning rate: the search covers four decades around {centre}; the default is {default}.",
                centre=centre,
                default=default,
            )
        ),
        _wrap(_memory(page["state"], page["scope"])),
        tr("To choose") + "\n" + choice(page),
        _wrap(tr("Batch size: {examples} per step.", examples=examples)) if batch else "",
        tr("Other implementations") + "\n" + _departures(page["departures"]) if page["departures"] else "",
        tr("Code to paste") + "\n" + _indent(page["code"]),
        _wrap(tr("Source: {authors}, “{title}”, {year}.", **paper)),
    ]
    return "\n\n".join(part for part in parts if part)


def choice(page: Page) -> str:
    """What an optimizer needs and costs, and what comparisons found."""
    own = page["choice"]
    costs = [f"{cost:.2g} ({parameters:,})" for parameters, cost in own["cost_by_parameters"].items()]
    lines = [
        *(tr("Needs {what}.", what=what) for what in own["needs_in_words"]),
        tr("Keeps {formula} numbers for a matrix [m, n].", formula=own["state_formula"]),
        tr("A step takes {work}.", work=own["work"]),
        tr("It {treatment}.", treatment=own["treatment"]),
    ]
    if costs:
        each = enumerated(costs)
        lines.append(tr("Its duration relative to Adam's, with the parameters of the model: {each}.", each=each))
    if own["own_schedule"]:
        lines.append(tr("Its authors' schedule: {schedule}.", schedule=own["own_schedule"]))
    if own["tune"]:
        lines.append(tr("Worth tuning beside the rate: {names}.", names=enumerated(own["tune"])))
    lines += [*(tr("Measured elsewhere: {finding}.", finding=finding) for finding in own["findings"])]
    return "\n".join(wrapped(f"  {line}", WIDTH, rest="    ") for line in lines)


def _memory(state: Sequence[str], scope: str) -> str:
    """What an optimizer stores between steps. Rules that are not element-wise may store sums."""
    names = enumerated(state)
    if not state:
        return tr("Memory: no additional numbers per parameter.")
    if scope != "element":
        return tr("Memory: {names}. Their size depends on the shapes of the parameters.", names=names)
    return shown(
        counted(
            len(state),
            "Memory: {n} additional number per parameter ({names}).",
            "Memory: {n} additional numbers per parameter ({names}).",
            names=names,
        )
    )


def _departures(departures: Iterable[Page]) -> str:
    lines = []
    for item in departures:
        settings = item["settings"]
        remedy = " ".join(f"{key}={_setting(value)}" for key, value in settings.items()) if settings else ""
        here = say(" Settings here: {remedy}", remedy=remedy) if remedy else NOTHING
        framework = term(item["framework"])
        lines.append("  " + tr("{framework}: {how}.{here}", framework=framework, how=item["how"], here=here))
    return "\n".join(wrapped(line, WIDTH, rest="    ") for line in lines)


FRAMEWORKS = (mark("PyTorch"), mark("Keras"), mark("Optax"), mark("the authors' code"), mark("the article"))


def optimizers(rows: Sequence[Page]) -> str:
    """The optimizers of the catalogue, or some of them."""
    if not rows:
        return tr("No optimizer is like that. `steepest optimizers` lists all.")
    table = _table(
        (tr("name"), tr("state"), tr("cost"), tr("needs"), tr("description")),
        [
            (row["name"], f"{row['numbers_kept']:.2g}", _cost(row["costs"]), ", ".join(row["needs"]), _described(row))
            for row in rows
        ],
        wrap_last=True,
    )
    note = tr(
        "State: numbers kept per parameter. Cost: duration of a step relative to Adam's, without the gradients. Both "
        "are of a network of 203,530 parameters."
    )
    more = tr("Details of one optimizer:")
    return f"{table}\n\n{_wrap(note)}\n{more} steepest show {rows[0]['name']}{_here()}"


def _cost(costs: Mapping[str, float]) -> str:
    return f"{costs['medium']:.1f}" if "medium" in costs else "–"


def _described(row: Page) -> str:
    return shown(say("{title}: {summary}", title=row["title"], summary=row["summary"]))


def _here() -> str:
    """The option with which a command answers in the current language."""
    return "" if language() == ENGLISH else f" --lang {language()}"


def task(page: Page) -> str:
    """Details of a built-in task."""
    lines = [f"{shown(page['title'])}  ({page['name']})", _wrap(shown(page["summary"]))]
    facts = {key: value for key, value in page.items() if key not in ("title", "name", "summary")}
    rows = [(shown(_FACTS[key]), _number(value)) for key, value in facts.items()]
    return "\n\n".join([*lines, _table(("", ""), [row for row in rows if row[1]], head=False)])


KINDS = (mark("images"), mark("tables"), mark("texts"), mark("series"), mark("analytic"))
_FACTS = {
    "kind": say("kind"),
    "data": say("data"),
    "source": say("source"),
    "batch_size": say("batch size"),
    "epochs": say("epochs"),
    "horizon": say("horizon"),
    "target": meant("a level to reach", "target"),
    "suites": say("suites"),
}
"""Field of a task in the catalogue → its label."""


def tasks(rows: Sequence[Page]) -> str:
    """The built-in tasks by kind, and the suites."""
    cells = [(row["name"], shown(row["title"]), _number(row["target"])) for row in rows]
    lines = _table((tr("name"), tr("description"), shown(_FACTS["target"])), cells).splitlines()
    by_kind = [lines[0]]
    for kind in dict.fromkeys(str(row["kind"]) for row in rows):
        own = [line for line, row in zip(lines[1:], rows, strict=True) if str(row["kind"]) == kind]
        by_kind += ["", shown(term(kind)), *own]
    names = {suite: [row["name"] for row in rows if suite in row["suites"]] for row in rows for suite in row["suites"]}
    suites = _table((tr("suite"), tr("tasks")), [(suite, ", ".join(names[suite])) for suite in names], wrap_last=True)
    more = tr(
        "Details of one task: steepest show {first}{here}. Run a suite: steepest run --suite smoke.\n"
        "Your own task: a Python file that defines `task`; see docs/own-task.md.",
        first=rows[0]["name"],
        here=_here(),
    )
    return "\n".join(by_kind) + f"\n\n{suites}\n\n{more}"


def datasets(rows: Sequence[Page]) -> str:
    """Two lines for each data set: description and licence."""
    cells = [(row["name"], _number(row["here"]), _number(row["megabytes"]), shown(row["title"])) for row in rows]
    titles = (tr("name"), tr("available"), "MB", tr("description"))
    head, *lines = _table(titles, cells).splitlines()
    indent = cell_len(head[: head.index(titles[-1])])
    both = zip(lines, (textwrap.indent(row["licence"], " " * indent) for row in rows), strict=True)
    return "\n".join([head, *(line for pair in both for line in pair)])


def dataset(page: Page) -> str:
    """Details of a data set."""
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
    "instead": say("alternative"),
    "member": say("member"),
    "megabytes": say("size in MB"),
    "needs": say("requires"),
    "here": say("available"),
    "where": say("location"),
}
"""Field of a data set → its label."""


def check(page: Page) -> str:
    """The results of checking a task."""
    before, after = page["valid_loss_before"], page["valid_loss_after"]
    sound = after is not None and before is not None and after < before
    metric = term(page["metric"])
    drawn = enumerated([*map(term, page["drawn_by_the_seed"])])
    parts = " / ".join(map(str, page["parts"].values()))
    steps = tr("{steps:,} steps, batch size {batch_size}", steps=page["steps"], batch_size=page["batch_size"])
    tie = tr("differences of {metric} below {margin}", metric=metric, margin=_two_digits(page["margin"]))
    rows = [
        (tr("examples"), tr("{parts} for training, validation and test", parts=parts)),
        (tr("set by the seed"), shown(drawn)),
        (tr("model"), tr("{parameters:,} trainable parameters", parameters=page["parameters"])),
        (tr("a trial"), steps),
        (tr("tie"), tie),
        (tr("test run"), _tried(page, metric)),
        (tr("engine"), _engine(page)),
        *((tr("warnings") if i == 0 else "", shown(in_words(each))) for i, each in enumerate(page["warnings"])),
    ]
    end = (
        tr("The task can be trained.")
        if sound
        else tr("The task runs, but the loss did not fall. Check the data, the loss and the scale of the inputs.")
    )
    if stops := [each for each in page["warnings"] if each.stops]:
        end = f"{end}\n{_wrap(shown(_about_severe(stops)))}"
    title = one_line(shown(term(page["title"])), WIDTH)
    return f"{title}\n\n{_table(('', ''), rows, head=False, wrap_last=True)}\n\n{end}"


def _about_severe(found: Sequence[TaskWarning]) -> Message:
    """What severe warnings stop, and what to do."""
    ids = [*dict.fromkeys(each.id for each in found)]
    return say(
        "A severe warning stops a study. Correct the task; or, if it is meant so, accept the warning: steepest run "
        "--accept {ids}, or Task(…, accept=[{python}]).",
        ids=",".join(ids),
        python=", ".join(f'"{id}"' for id in ids),
    )


def _tried(page: Page, metric: Message) -> str:
    """The result of the test run."""
    return tr(
        "{steps} steps of Adam with learning rate {rate}: validation loss {before} → {after}, {metric} {quality}; "
        "{time} ms per step.",
        steps=page["steps_tried"],
        rate=_number(page["rate_tried"]),
        before=_short(page["valid_loss_before"]),
        after=_short(page["valid_loss_after"]),
        metric=metric,
        quality=_short(page["valid_metric_after"]),
        time=_two_digits(page["milliseconds_a_step"]),
    )


def _engine(page: Page) -> str:
    """The engine that trains the trials, and the reason."""
    if page["engine"] is None:
        return tr("Not tried, to save time. `steepest plan` shows it.")
    if page["obstacle"]:
        return tr("One trial at a time (engine solo), because {reason}.", reason=page["obstacle"])
    return tr(
        "Many trials at once (engine fleet), for all optimizers of `steepest optimizers`{others}.",
        others=say(" except {names}", names=enumerated(page["alone"])) if page["alone"] else NOTHING,
    )


def _two_digits(value: float) -> str:
    """Without an exponent below a million, and without zeros that say nothing: 0.0025, 140."""
    return f"{float(format(value, '.2g')):,g}"


def _short(value: float | None) -> Message | str:
    return say("not finite") if value is None else f"{value:.4g}"


def plan(forecast: Plan) -> str:
    """What a run would train, and how long it would take."""
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
    seeds = counted(protocol.seeds, "{n} seed", "{n} seeds")
    words = [
        say(
            "{trials}: {contenders} on {tasks}, each with {rates} in the grid{more}, and {seeds}.",
            trials=counted(forecast.trials, "{n:,} trial", "{n:,} trials"),
            contenders=counted(contenders, "{n} contender", "{n} contenders"),
            tasks=counted(on, "{n} task", "{n} tasks"),
            rates=counted(protocol.rates, "{n} learning rate", "{n} learning rates"),
            more=say(", {extra} more around the best", extra=extra) if extra else NOTHING,
            seeds=say("at most {seeds}", seeds=seeds) if bounded else seeds,
        ),
        say("It would take at most about {time}.", time=time)
        if bounded
        else say("It would take about {time}.", time=time),
        *([protocol.few_seeds] if protocol.few_seeds else []),
        *forecast.given_up,
    ]
    for fact in forecast.facts:
        if fact.fleet_obstacle:
            name, reason = one_line(fact.name, LONG), fact.fleet_obstacle.mapped(one_line)
            words.append(say("{name} is trained one trial at a time, because {reason}.", name=name, reason=reason))
    if forecast.resolution is not None:
        words.append(
            say(
                "The smallest difference that it can detect is {difference:.2g} times the standard deviation between "
                "an optimizer's replicates.",
                difference=forecast.resolution,
            )
        )
    words += [
        say("{name}: {warning}", name=one_line(fact.name, LONG), warning=in_words(each))
        for fact in forecast.facts
        for each in fact.warnings
    ]
    head = (tr("task"), tr("contender"), tr("engine"), tr("batch size"), tr("steps"))
    return _table(head, rows) + "\n\n" + _wrap(shown(paragraph(words)))


def plan_json(forecast: Plan) -> dict[str, Any]:
    """The plan as JSON values, with its messages."""
    facts = [
        {**asdict(fact), "notes": fact.notes, "warnings": fact.warnings, "fleet_obstacle": fact.fleet_obstacle}
        for fact in forecast.facts
    ]
    return forecast.model_dump(mode="json") | {"given_up": forecast.given_up, "facts": facts}


def doctor(findings: Page) -> str:
    """Versions, machine and checks."""
    versions, hardware = (
        [(shown(term(key)), shown(term(value))) for key, value in findings[part].items()]
        for part in ("versions", "hardware")
    )
    checks = [("ok" if row["ok"] else "--", shown(row["what"]), shown(row["finding"])) for row in findings["checks"]]
    parts = [
        _table(("", tr("versions")), versions),
        _table(("", tr("machine")), hardware),
        _table(("", tr("check"), tr("result")), checks),
    ]
    return "\n\n".join(parts)


OF_MACHINE = (
    *(mark("processor"), mark("cores"), mark("memory"), mark("system")),
    *(mark("none"), mark("unknown"), mark("not installed")),
)
"""Words in the description of the machine."""


# ---- helpers ---------------------------------------------------------------------------------------------------------


def _table(head_row: Sequence[str], rows: Sequence[Sequence[str]], head: bool = True, wrap_last: bool = False) -> str:
    """Aligned columns, two spaces apart. wrap_last: wrap the last column at the width of the output."""
    cells = [list(map(str, row)) for row in rows]
    widths = [max(cell_len(row[i]) for row in [list(head_row), *cells]) for i in range(len(head_row))]
    offset = sum(widths[:-1]) + 2 * (len(widths) - 1) + 2
    lines = []
    for row in [list(head_row), *cells] if head else cells:
        line = "  " + "  ".join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row[:-1], widths[:-1], strict=True)
        )
        last = wrapped(row[-1], max(20, WIDTH - offset)).split("\n") if wrap_last else [row[-1]]
        lines.append(f"{line}  {last[0] if last else ''}".rstrip())
        lines += [" " * offset + rest for rest in last[1:]]
    return "\n".join(lines)


def _wrap(words: str) -> str:
    return wrapped(words, WIDTH)


def _indent(words: str) -> str:
    return textwrap.indent(words.rstrip(), "    ")


def _setting(value: Any) -> str:
    """A setting as users type it."""
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
