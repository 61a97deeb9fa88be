"""The playground as one HTML file that needs nothing else: no network, no neighbour file, a strict content policy."""

from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from steepest.messages import language, wordings
from steepest.optim import catalogue
from steepest.playground.landscapes import Landscape, landscapes, line_data
from steepest.playground.methods import METHODS, RATES, Method
from steepest.playground.pack import facts, pack, returning, room
from steepest.playground.paths import STEPS, Paths, train
from steepest.playground.stories import STORIES, Story
from steepest.records.files import write_bytes
from steepest.report import offline_page, spans, style
from steepest.report.bundle import bundle

STATIC = Path(__file__).with_name("static")


def write(path: Path) -> Path:
    """Train everything there is to see and write the page; takes some seconds."""
    write_bytes(path, page().encode())
    return path


def page() -> str:
    """The page, with every path in it: under 4 MB."""
    lands = landscapes()
    trained = train(METHODS, lands)
    paths, ends = pack(lands, trained)
    sheet, code = _sheet(), _script()
    return _environment().get_template("playground.html").render(
        language=language(),
        stories=STORIES,
        lands=lands,
        policy=offline_page.policy(sheet, code),
        stylesheet=Markup(sheet),
        script=Markup(code),
        script_words=Markup(offline_page.json_in_script(spans.script_words())),
        facts=Markup(offline_page.json_in_script(_facts(lands, trained, ends))),
        paths=paths,
    )  # fmt: skip


def _facts(lands: tuple[Landscape, ...], trained: list[Paths], ends: list[list[list[int]]]) -> dict[str, Any]:
    """All that the script knows besides the paths."""
    x, y = line_data()
    back = [[returning(land, w) for land, w in zip(lands, each.w, strict=True)] for each in trained]
    return {
        **facts(),
        "steps": STEPS,
        "rates": RATES,
        "lands": [_land(land) for land in lands],
        "methods": [
            {**_method(method), "ends": end, "back": lanes}
            for method, end, lanes in zip(METHODS, ends, back, strict=True)
        ],
        "stories": [_story(story) for story in STORIES],
        "points": [[round(float(a), 3), round(float(b), 3)] for a, b in zip(x, y, strict=True)],
        "dashes": [" ".join(map(str, dash)) for dash in style.DASHES],
    }  # fmt: skip


def _land(land: Landscape) -> dict[str, Any]:
    return {
        "name": land.name,
        "title": wordings(land.title),
        "about": wordings(land.about),
        "axes": land.axes,
        "window": land.window,
        "room": room(land),
        "starts": land.starts,
        "minima": land.minima,
        "shown": land.shown,
    }


def _story(story: Story) -> dict[str, Any]:
    said = {"title": story.title, "point": story.point, "text": story.text}
    return {**vars(story), **{key: wordings(text) for key, text in said.items()}, "runs": [*map(asdict, story.runs)]}


def _method(method: Method) -> dict[str, Any]:
    entry = catalogue.entry(method.name)
    assert entry.rule is not None
    look = style.FIXED[method.name]
    return {
        **asdict(method),
        "title": entry.title,
        "formula": formula(method),
        "state": entry.rule.state,
        "colour": look.colour,
        "dash": look.dash,
    }


def formula(method: Method) -> list[str]:
    """The catalogue's formula, a line for each line of the method's numbers."""
    return catalogue.entry(method.name).formula.replace(", g over a mini-batch", "").split(" ;  ")


@cache
def _sheet() -> str:
    return f"{style.stylesheet()}\n{_read('playground.css')}"


@cache
def _script() -> str:
    return bundle(STATIC / "page.js")


def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = offline_page.environment(STATIC)
    spans.speak(environment)
    return environment
