"""A view as one HTML file that needs nothing else: no network, no neighbour file, under a strict content policy.

Everything static is inlined; the view travels as JSON in a script tag that is data, not code. Names go through
Jinja's escaping or, in the script, through `textContent`; neither ever becomes markup.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from steepest.report import style, words

STATIC = Path(__file__).with_name("static")
SCRIPTS = ("base.js", "learning.js", "rates.js", "page.js")


def html(view: Mapping[str, Any]) -> str:
    """The report: opens from a file, offline, in any browser of the last years; under 1 MB for the default study."""
    sheet, code = stylesheet(), script()
    return (
        _environment()
        .get_template("page.html")
        .render(
            view=view,
            words=words,
            policy=_policy(sheet, code),
            stylesheet=Markup(sheet),
            script=Markup(code),
            data=Markup(json_in_script(view)),
        )
    )


@cache
def stylesheet() -> str:
    """All styles of the page: the plot library's, the colours of the optimizers, and the page's own."""
    return "\n".join((_read("uplot.css"), style.stylesheet(), _read("page.css")))


@cache
def script() -> str:
    """All code of the page: the plot library with its licence, then ours in one closed scope."""
    ours = "\n".join(_read(name) for name in SCRIPTS)
    return f'/*\n{_read("uplot.LICENSE")}*/\n{_read("uplot.js")}\n(() => {{\n"use strict";\n{ours}\n}})();\n'


def json_in_script(value: Any) -> str:
    """JSON that cannot end the script tag it stands in, nor open a comment there. Refuses NaN."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _policy(sheet: str, code: str) -> str:
    """Only this very script and this very stylesheet; nothing may be fetched, framed, submitted or re-based."""
    return (
        f"default-src 'none'; script-src {_hash(code)}; style-src {_hash(sheet)}; base-uri 'none'; form-action 'none'"
    )


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(STATIC),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = _percent
    environment.filters["count"] = words.count
    environment.filters["unit"] = words.with_unit
    return environment


def _percent(value: float, domain: Mapping[str, float]) -> float:
    """Where a value lies in a domain, in % from its left end; values outside lie at its ends."""
    share = (value - domain["low"]) / (domain["high"] - domain["low"])
    return round(100 * min(1.0, max(0.0, share)), 3)
