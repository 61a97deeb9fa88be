"""Plain text for whatever is not about a study: catalogues, single entries, plans and the doctor's findings."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Page = Mapping[str, Any]
WIDTH = 100


def optimizer(page: Page) -> str:
    """All about one optimizer: formula, hyperparameters, source, and how frameworks differ."""
    paper = page["paper"]
    batch = page["batch_size"]
    rows = [
        (row["symbol"], row["name"], _number(row["value"]), row["allowed"], row["meaning"])
        for row in page["hyperparameters"]
    ]
    parts = [
        f"{page['title']}  ({page['name']})",
        _wrap(page["summary"]),
        _indent(page["formula"].replace(" ;  ", "\n")),
        "Hyperparameters\n" + _table(("", "name", "value", "allowed", "meaning"), rows),
        _wrap(
            f"Search: rates over four decades around {_number(page['rate']['centre'])}; "
            f"the library's own rate is {_number(page['rate']['default'])}."
        ),
        _wrap(_memory(page["state"], page["scope"])),
        _wrap(f"Batch: {'all examples' if batch == 'full' else f'{batch} example(s)'} a step.") if batch else "",
        "Elsewhere\n" + _departures(page["departures"]),
        "Code to paste\n" + _indent(page["code"]),
        _wrap(f"Source: {paper['authors']}, “{paper['title']}”, {paper['year']}."),
    ]
    return "\n\n".join(part for part in parts if part)


def _memory(state: Sequence[str], scope: str) -> str:
    """What an optimizer keeps between steps. A rule that looks further than an element may keep sums, too."""
    names = ", ".join(state)
    if not state:
        return "Memory: nothing besides weight and gradient."
    if scope != "element":
        return f"Memory: {names}, besides weight and gradient; how much follows from the shapes of the parameters."
    return (
        f"Memory: {len(state)} number{'s' if len(state) > 1 else ''} a parameter besides weight and gradient ({names})."
    )


def _departures(departures: Iterable[Page]) -> str:
    lines = []
    for item in departures:
        settings = item["settings"]
        remedy = " ".join(f"{key}={_number(value)}" for key, value in settings.items()) if settings else ""
        lines.append(f"  {item['framework']}: {item['how']}." + (f" Here: {remedy}" if remedy else ""))
    return "\n".join(textwrap.fill(line, WIDTH, subsequent_indent="    ") for line in lines)


def optimizers(rows: Sequence[Page]) -> str:
    table = _table(
        ("name", "what it is", "what it does"),
        [(row["name"], row["title"], row["summary"]) for row in rows],
        wrap_last=True,
    )
    return f"{table}\n\nFormula, defaults, source and more about one: steepest show {rows[0]['name']}"


def task(page: Page) -> str:
    """All about one built-in task."""
    lines = [f"{page['title']}  ({page['name']})", _wrap(page["summary"])]
    facts = [(key, _number(value)) for key, value in page.items() if key not in ("title", "name", "summary")]
    return "\n\n".join([*lines, _table(("", ""), [row for row in facts if row[1]], head=False)])


def tasks(rows: Sequence[Page]) -> str:
    """The built-in tasks, kind by kind, and the suites."""
    cells = [(row["name"], row["title"], _number(row["target"])) for row in rows]
    lines = _table(("name", "what it is", "level to reach"), cells).splitlines()
    by_kind = [f"{lines[0]}"]
    for kind in dict.fromkeys(row["kind"] for row in rows):
        by_kind += ["", f"{kind}", *(line for line, row in zip(lines[1:], rows, strict=True) if row["kind"] == kind)]
    names = {suite: [row["name"] for row in rows if suite in row["suites"]] for row in rows for suite in row["suites"]}
    suites = _table(("suite", "its tasks"), [(suite, ", ".join(names[suite])) for suite in names], wrap_last=True)
    return "\n".join(by_kind) + (
        f"\n\n{suites}\n\nAll about one: steepest show {rows[0]['name']}. A suite: steepest run --suite smoke."
        "\nYour own: a Python file that defines `task`; see docs/own-task.md."
    )


def datasets(rows: Sequence[Page]) -> str:
    """Two lines for each: what it is, and on whose terms."""
    cells = [(row["name"], _yes(row["here"]), _number(row["megabytes"]), row["title"]) for row in rows]
    head, *lines = _table(("name", "here", "MB", "what it is"), cells).splitlines()
    indent = head.index("what it is")
    both = zip(lines, (textwrap.indent(row["licence"], " " * indent) for row in rows), strict=True)
    return "\n".join([head, *(line for pair in both for line in pair)])


def dataset(page: Page) -> str:
    return _table(
        ("", ""), [(key, _number(value)) for key, value in page.items() if value not in ("", None)], head=False
    )


def check(page: Page) -> str:
    """Whether a task trains, and how."""
    before, after, quality = (page[f"valid_{key}"] for key in ("loss_before", "loss_after", "metric_after"))
    sound = after is not None and before is not None and after < before
    tried = (
        f"{page['steps_tried']} steps of Adam at {_number(page['rate_tried'])}: validation loss "
        f"{_short(before)} → {_short(after)}, {page['metric']} {_short(quality)}; "
        f"{page['milliseconds_a_step']:.2g} ms a step."
    )
    engine = (
        f"One trial at a time (engine solo), since {page['obstacle'].rstrip('.')}."
        if page["obstacle"]
        else "Many trials at once (engine fleet), for every optimizer of `steepest optimizers`."
    )
    rows = [
        ("examples", " / ".join(map(str, page["parts"].values())) + " to train, to choose and to judge by"),
        ("a seed draws", ", ".join(page["drawn_by_the_seed"])),
        ("model", f"{page['parameters']:,} trainable parameters"),
        ("a trial", f"{page['steps']:,} steps of {page['batch_size']}"),
        ("tie", f"differences of {page['metric']} below {page['margin']:.2g}"),
        ("tried", tried),
        ("engine", engine),
    ]
    end = (
        "It trains."
        if sound
        else "It runs, but the loss did not fall: look at the data, the loss, or the scale of the inputs."
    )
    return f"{page['title']}\n\n{_table(('', ''), rows, head=False, wrap_last=True)}\n\n{end}"


def _short(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.4g}"


def plan(forecast: Page) -> str:
    """What a run would do, and for how long."""
    protocol = forecast["protocol"]
    facts = {fact["name"]: fact for fact in forecast["facts"]}
    rows = [
        (run["task"], run["contender"], run["engine"], str(run["batch_size"]), str(run["steps"]))
        for run in forecast["runs"]
    ]
    words = [
        f"{forecast['trials']:,} trials: {protocol['rates']} rates in the grid"
        f"{' and ' + str(protocol['extra_rates']) + ' more around the best' if protocol['extra_rates'] else ''}, "
        f"each on {'at most ' if protocol['until_sure'] else ''}{protocol['seeds']} seeds, "
        f"for {len({run['contender'] for run in forecast['runs']})} contenders on "
        f"{len(facts)} task{'s' if len(facts) > 1 else ''}.",
        f"It would take {'at most ' if protocol['until_sure'] else ''}about {_duration(forecast['seconds'])}.",
        *(sentence for sentence in forecast["given_up"]),
    ]
    if forecast["resolution"] is not None:
        words.append(
            "The smallest difference that it can tell from luck is "
            f"{forecast['resolution']:.2g} times the scatter (standard deviation) of an optimizer's replicates."
        )
    return _table(("task", "contender", "engine", "batch", "steps"), rows) + "\n\n" + _wrap(" ".join(words))


def doctor(findings: Page) -> str:
    parts = [
        _table(("", "versions"), list(findings["versions"].items())),
        _table(("", "machine"), list(findings["hardware"].items())),
        _table(
            ("", "what", "finding"), [("ok" if c["ok"] else "--", c["what"], c["finding"]) for c in findings["checks"]]
        ),
    ]
    return "\n\n".join(parts)


# ---- helpers ---------------------------------------------------------------------------------------------------------


def _table(head_row: Sequence[str], rows: Sequence[Sequence[str]], head: bool = True, wrap_last: bool = False) -> str:
    """Aligned columns, two spaces apart; the last column may wrap at the page's width."""
    cells = [list(map(str, row)) for row in rows]
    widths = [max(len(row[i]) for row in [list(head_row), *cells]) for i in range(len(head_row))]
    offset = sum(widths[:-1]) + 2 * (len(widths) - 1) + 2
    lines = []
    for row in [list(head_row), *cells] if head else cells:
        line = "  " + "  ".join(cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True))
        last = textwrap.wrap(row[-1], max(20, WIDTH - offset)) if wrap_last else [row[-1]]
        lines.append(f"{line}  {last[0] if last else ''}".rstrip())
        lines += [" " * offset + rest for rest in last[1:]]
    return "\n".join(lines)


def _wrap(words: str) -> str:
    return textwrap.fill(words, WIDTH)


def _indent(words: str) -> str:
    return textwrap.indent(words.rstrip(), "    ")


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return _yes(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(_number(item) for item in value)
    return "" if value is None else str(value)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
