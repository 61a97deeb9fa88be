"""A view as one HTML file that needs nothing else: no network, no neighbour file, under a strict content policy.

Everything static is inlined, scripts by `bundle`; the data travel as JSON in a script tag that is data, not code. Names
go through Jinja's escaping or, in the script, through `textContent`; neither ever becomes markup. The server shows the
same page from another entry, which also follows a running study.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TypedDict

from jinja2 import Environment
from jinja2.environment import TemplateModule
from markupsafe import Markup
from scipy import special  # pyright: ignore[reportMissingTypeStubs]

from steepest.messages import language
from steepest.records.node_records import NodeState
from steepest.report import export, labels, offline_page, spans, style
from steepest.report.bundle import bundle
from steepest.report.plain import Json, plain
from steepest.report.schema import Block, RateDomain, View

STATIC = Path(__file__).with_name("static")
T_QUANTILES = 60
"""Degrees of freedom up to which the page has Student's quantile for its 95 % bands; beyond, it uses the last one."""
CHUNK = 32
"""Shards whose trials a page reads at a time, without a pause between them."""


class PageData(TypedDict):
    """What the scripts draw from."""

    view: Json
    trials: list[Mapping[str, Block]]
    """For each task, shard → trials."""
    files: dict[str, str]
    """Name → content, for other programs."""
    t975: list[float]


def html(
    view: View, trials: Sequence[Mapping[str, Block]] = (), live: int | None = None, nodes: Sequence[NodeState] = ()
) -> str:
    """The report: opens from a file, offline, in any browser of the last years; under 1 MB for the default study.

    trials: what `report.trials` makes of the same study; without it, the page has no single trials. It opens in the
    language in force; the reader can change it. live: the snapshot's version, where a server will tell of changes;
    such a page asks the server for its trials, so that it can show what the words are about first. nodes: the machines
    that train beside this one.
    """
    sheet, code = stylesheet(), script(live is not None)
    return (
        _environment()
        .get_template("page.html")
        .render(
            **_context(view),
            nodes=nodes,
            language=language(),
            live=live,
            policy=_policy(sheet, code, live is not None),
            stylesheet=Markup(sheet),
            script=Markup(code),
            script_words=Markup(offline_page.json_in_script(spans.script_words())),
            data=Markup(offline_page.json_in_script(data(view, [{} for _ in view["tasks"]]))),
            trials=Markup("" if live is not None else trial_lines(trials)),
        )
        .lstrip()
    )


def data(view: View, trials: Sequence[Mapping[str, Block]] = ()) -> PageData:
    """What the script draws from: the view, the trials of each task, and the tables for other programs."""
    return {
        "view": plain(view),
        "trials": list(trials),
        "files": {"ranking.csv": export.ranking_csv(view), "ranking.tex": export.latex(view)},
        "t975": _t_quantiles(),
    }


def trial_lines(trials: Sequence[Mapping[str, Block]]) -> str:
    """Trials in lines of JSON, [task, {shard: block}], so that a page can take them in bit by bit."""
    return "\n".join(
        offline_page.json_in_script([task, {shard: blocks[shard] for shard in [*blocks][first : first + CHUNK]}])
        for task, blocks in enumerate(trials)
        for first in range(0, len(blocks), CHUNK)
    )


def sections(view: View, nodes: Sequence[NodeState] = ()) -> dict[str, str]:
    """The parts of the page that the server renders again as a study goes on, by their `data-section`."""
    module = _environment().get_template("sections.html").make_module(_context(view))
    parts = {"notice": _render(module, "notice"), "reproduce": _render(module, "reproduce")}
    parts["nodes"] = _render(module, "nodes", nodes)
    if len(view["tasks"]) > 1:
        parts["overview"] = _render(module, "overview")
    for task in view["tasks"]:
        for name in ("verdict", "ranking", "detail", "settings"):
            parts[f"{name}-{task['index']}"] = _render(module, name, task)
    return parts


def studies(entries: Sequence[object], place: str) -> str:
    """The list of studies that a server shows. entries: `serving.library.Entry`."""
    template = _environment().get_template("studies.html")
    inlined = {"stylesheet": Markup(stylesheet()), "script": Markup(list_script())}
    return template.render(entries=entries, place=place, language=language(), **inlined)


@cache
def stylesheet() -> str:
    """All styles of the page: the plot library's, the colours of the optimizers, and the page's own."""
    return "\n".join(
        (_read("uplot.css"), style.stylesheet(), _read("page.css"), _read("tools.css"), spans.stylesheet())
    )


@cache
def script(live: bool = False) -> str:
    """All code of the page: the plot library with its licence, which is one global name, then our modules."""
    ours = bundle(STATIC / ("live_page.js" if live else "page.js"))
    return f"/*\n{_read('uplot.LICENSE')}*/\n{_read('uplot.js')}\n{ours}"


@cache
def list_script() -> str:
    """All code of the list of studies."""
    return bundle(STATIC / "list.js")


def make_ready() -> None:
    """Read and compile what every page needs, so that a server's first one does not wait for it."""
    live_policy()
    for name in ("page.html", "sections.html", "studies.html"):
        _environment().get_template(name)
    _t_quantiles()


@cache
def live_policy() -> str:
    """The content policy of the page of a study that a server shows, as a header."""
    return f"{_policy(stylesheet(), script(live=True), True)}; frame-ancestors 'none'"


@cache
def list_policy() -> str:
    """The same of the list of studies, which asks for nothing."""
    return f"{offline_page.policy(stylesheet(), list_script())}; frame-ancestors 'none'"


def _policy(sheet: str, code: str, live: bool) -> str:
    """Only this very script and this very stylesheet; nothing may be fetched, framed, submitted or re-based.

    The pictures that a reader saves are drawn from blobs of the page's own; a live page may ask its own server.
    """
    return offline_page.policy(sheet, code, "img-src blob:", *(["connect-src 'self'"] if live else []))


def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def _context(view: View) -> dict[str, object]:
    return {"view": view, "study": view["study"], "words": labels, "many": len(view["tasks"]) > 1}


def _render(module: TemplateModule, macro: str, *arguments: object) -> str:
    return str(getattr(module, macro)(*arguments)).strip()


@cache
def _t_quantiles() -> list[float]:
    return [round(float(special.stdtrit(n, 0.975)), 4) for n in range(1, T_QUANTILES + 1)]


@cache
def _environment() -> Environment:
    environment = offline_page.environment(STATIC)
    filters = {"percent": _percent, "unit": labels.with_unit, "moment": _moment}
    environment.filters.update(filters)  # pyright: ignore[reportUnknownMemberType]
    spans.speak(environment)
    return environment


def _percent(value: float, domain: RateDomain) -> float:
    """Where a value lies in a domain, in % from its left end; values outside lie at its ends."""
    share = (value - domain["low"]) / (domain["high"] - domain["low"])
    return round(100 * min(1.0, max(0.0, share)), 3)


def _moment(written: str) -> str:
    """A point in time as people read it, to the minute, where it is one that we wrote."""
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        return written
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at.tzinfo else written
