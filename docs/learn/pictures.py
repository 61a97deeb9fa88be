"""The pictures of docs/learn: paths of the playground, trained by the project's own rules. `make docs` draws them anew.

Above, level lines of a landscape and the paths on it; below, a figure over the steps. A test draws them again and
compares numbers, so that a picture shows what the rules do today.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from contourpy import contour_generator  # comes with matplotlib

from steepest.playground.landscapes import Landscape, landscapes
from steepest.playground.methods import METHODS, RATES
from steepest.playground.paths import LANES, Paths, train
from steepest.report.svg import COLOURS

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Walk:
    """One path: a method of the playground, one of its rates, and settings other than the usual ones."""

    label: str
    method: str
    rate: float
    settings: Mapping[str, float] = field(default_factory=dict)
    noise: bool = False


@dataclass(frozen=True)
class Picture:
    """Some paths on one landscape, and what is drawn below them."""

    land: str
    walks: tuple[Walk, ...]
    start: int = 0
    steps: int = 150
    below: Literal["loss", "effective step"] = "loss"


PICTURES = {
    "gradient-descent": Picture(
        "line", (Walk("η = 0.03", "sgd", 0.03), Walk("η = 0.1", "sgd", 0.1), Walk("η = 0.3", "sgd", 0.3)), steps=60
    ),
    "sgd": Picture(
        "line",
        (Walk("all 100 examples a step", "sgd", 0.3), Walk("10 examples a step", "sgd", 0.3, noise=True)),
        start=1,
    ),
    "learning-rate": Picture(
        "bowl",
        (Walk("η = 0.01", "sgd", 0.01), Walk("η = 0.1", "sgd", 0.1), Walk("η = 0.3", "sgd", 0.3)),
        start=1,
        steps=60,
    ),
    "momentum": Picture(
        "bowl",
        (
            Walk("SGD", "sgd", 0.01),
            Walk("momentum, μ = 0.9", "momentum", 0.01),
            Walk("momentum, μ = 0.99", "momentum", 0.01, {"momentum": 0.99}),
        ),
    ),
    "adagrad": Picture("sparse", (Walk("SGD, η = 0.03", "sgd", 0.03), Walk("AdaGrad, η = 0.3", "adagrad", 0.3))),
    "rmsprop": Picture(
        "valley",
        (
            Walk("AdaGrad, η = 0.3", "adagrad", 0.3, noise=True),
            Walk("RMSProp, η = 0.1, β = 0.9", "rmsprop", 0.1, {"b2": 0.9}, noise=True),
        ),
        below="effective step",
    ),
    "adam": Picture(
        "plateau",
        (
            Walk("SGD, η = 1", "sgd", 1.0),
            Walk("momentum, η = 1", "momentum", 1.0),
            Walk("RMSProp, η = 0.1", "rmsprop", 0.1),
            Walk("Adam, η = 0.1", "adam", 0.1),
        ),
    ),
    "onwards": Picture(
        "bowl",
        (
            Walk("momentum, η = 0.01", "momentum", 0.01),
            Walk("Nesterov, η = 0.01", "nesterov", 0.01),
            Walk("Lion, η = 0.03", "lion", 0.03),
        ),
        start=1,
    ),
}

WIDTH = 560
LEFT, RIGHT = 52, 12
MAP = (12, 312)
"""Top and bottom of the landscape,"""
CURVE = (400, 540)
"""and of the figure below it."""
HEIGHT = 584
FRAME = ' fill="none" stroke="#999"'
FLOOR = 1e-6
"""A loss below is drawn here: its axis is logarithmic."""


def drawn(name: str) -> str:
    """The SVG of one picture."""
    picture = PICTURES[name]
    land = next(each for each in landscapes() if each.name == picture.land)
    traces = [_trace(picture, land, walk) for walk in picture.walks]
    title = f"{name}: {', '.join(walk.label for walk in picture.walks)}"
    parts = [*_map(land, traces), *_legend(picture.walks), *_curve(picture, land, traces)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" font-size="16" font-family="system-ui, sans-serif" fill="#222"><title>{escape(title)}</title>\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


@dataclass(frozen=True)
class _Trace:
    w: np.ndarray  # [T + 1, 2]
    below: np.ndarray  # [T + 1] the loss, or [T] the effective step


def _trace(picture: Picture, land: Landscape, walk: Walk) -> _Trace:
    method = next(each for each in METHODS if each.name == walk.method)
    paths: Paths = train([method], [land])[0]
    chosen = {knob.name: knob.usual for knob in method.knobs} | dict(walk.settings)
    lane = LANES.index((RATES.index(walk.rate), picture.start, int(walk.noise)))
    k = method.variants().index(chosen) * len(LANES) + lane
    below = paths.loss[0, k] if picture.below == "loss" else paths.effective[0, k, :, land.shown]
    return _Trace(paths.w[0, k, : picture.steps + 1], below[: picture.steps + 1])


class _Scale:
    """From values to pixels."""

    def __init__(self, values: tuple[float, float], pixels: tuple[float, float]) -> None:
        self.low, self.high, self.first, self.last = *values, *pixels

    def __call__(self, value: float) -> float:
        far = 3 * (self.high - self.low)  # what has flown away is cut off by the frame
        value = min(max(value, self.low - far), self.high + far)
        return self.first + (self.last - self.first) * (value - self.low) / (self.high - self.low)


def _map(land: Landscape, traces: Sequence[_Trace]) -> Iterable[str]:
    left, right, low, high = land.window
    across, up = _Scale((left, right), (LEFT, WIDTH - RIGHT)), _Scale((low, high), (MAP[1], MAP[0]))
    yield f'<clipPath id="map">{_box(MAP)}</clipPath>'
    yield '<g clip-path="url(#map)">'
    for line in _levels(land):
        yield _line([(across(x), up(y)) for x, y in line], "#d4d4d4", 1)
    for x, y in land.minima:
        yield f'<path d="M{across(x) - 6:.1f} {up(y):.1f}h12m-6 -6v12" stroke="#222" stroke-width="2"/>'
    for i, trace in enumerate(traces):
        spots = [(across(x), up(y)) for x, y in trace.w[: _gone(land, trace.w)]]
        yield _line(spots, COLOURS[i], 1.6)
        dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in spots if LEFT < x < WIDTH and 0 < y < MAP[1] + 8)
        yield f'<path d="{dots}" stroke="{COLOURS[i]}" stroke-width="4" stroke-linecap="round"/>'
    x, y = traces[0].w[0]
    yield f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="6" fill="#fff" stroke="#222" stroke-width="2"/>'
    yield "</g>"
    yield _box(MAP, FRAME)
    for value in _ticks(left, right):
        yield _text(across(value), MAP[1] + 18, _number(value), "middle")
    for value in _ticks(low, high):
        yield _text(LEFT - 6, up(value) + 5, _number(value), "end")
    yield _text(WIDTH - RIGHT - 8, MAP[1] - 8, land.axes[0], "end", "italic")
    yield _text(LEFT + 8, MAP[0] + 18, land.axes[1], "start", "italic")


def _gone(land: Landscape, w: np.ndarray) -> int:
    """How many points to draw: up to the second one outside the window, if a path flies away."""
    left, right, low, high = land.window
    inside = (w > (left, low)).all(-1) & (w < (right, high)).all(-1)
    outside = np.flatnonzero(~inside)
    return len(w) if len(outside) < 2 or (np.isfinite(w).all() and inside[-1]) else int(outside[1]) + 1


def _levels(land: Landscape) -> Iterable[np.ndarray]:
    """Level lines, each [points, 2]; their heights grow by the same factor."""
    left, right, low, high = land.window
    x, y = np.linspace(left, right, 61), np.linspace(low, high, 46)
    grid = torch.from_numpy(np.stack(np.meshgrid(x, y), -1).reshape(-1, 2))
    z = land.loss(grid, 0).reshape(len(y), len(x)).numpy()
    least = float(land.loss(torch.tensor(land.minima[:1], dtype=torch.float64), 0))
    above = z - least
    cut = contour_generator(x, y, above)
    for level in np.geomspace(above.max() / 300, above.max() * 0.8, 11):
        yield from cut.lines(float(level))


def _legend(walks: Sequence[Walk]) -> Iterable[str]:
    for i, walk in enumerate(walks):
        x, row = LEFT + 250 * (i % 2), MAP[1] + 42 + 18 * (i // 2)
        yield f'<rect x="{x}" y="{row - 8}" width="14" height="5" fill="{COLOURS[i]}"/>'
        yield _text(x + 20, row, walk.label)


def _curve(picture: Picture, land: Landscape, traces: Sequence[_Trace]) -> Iterable[str]:
    first = 0 if picture.below == "loss" else 1
    series = [np.log10(np.clip(np.where(np.isfinite(t.below), t.below, np.nan), FLOOR, 1e6)) for t in traces]
    start = max(float(s[0]) for s in series)
    highest = (
        start + (2.0 if max(s[-1] for s in series) > start else 0.3)
        if picture.below == "loss"
        else max(float(np.nanmax(s)) for s in series) + 0.1
    )
    lowest = min(float(np.nanmin(s)) for s in series) - 0.1
    across, up = _Scale((0, picture.steps), (LEFT, WIDTH - RIGHT)), _Scale((lowest, highest), (CURVE[1], CURVE[0]))
    yield f'<clipPath id="curve">{_box(CURVE)}</clipPath>'
    decades = range(int(np.ceil(lowest)), int(np.floor(highest)) + 1)
    for k in decades[:: max(1, len(decades) // 4)]:
        yield _line([(LEFT, up(k)), (WIDTH - RIGHT, up(k))], "#e5e5e5", 1)
        yield _text(LEFT - 6, up(k) + 5, _number(10.0**k) if -3 < k < 4 else f"1e{k}".replace("-", "−"), "end")
    yield '<g clip-path="url(#curve)">'
    for i, s in enumerate(series):
        yield _line([(across(t + first), up(v)) for t, v in enumerate(s) if np.isfinite(v)], COLOURS[i], 1.6)
    yield "</g>"
    yield _box(CURVE, FRAME)
    for value in _ticks(0, picture.steps):
        yield _text(across(value), CURVE[1] + 18, _number(value), "middle")
    what = "loss above its minimum" if picture.below == "loss" else f"effective step |Δ{land.axes[land.shown]}| / |g|"
    yield _text(LEFT, CURVE[0] - 6, what)
    yield _text((LEFT + WIDTH - RIGHT) / 2, CURVE[1] + 38, "step", "middle")


def _box(rows: tuple[int, int], style: str = "") -> str:
    return f'<rect x="{LEFT}" y="{rows[0]}" width="{WIDTH - LEFT - RIGHT}" height="{rows[1] - rows[0]}"{style}/>'


def _ticks(low: float, high: float) -> list[float]:
    """Four to eight round values."""
    step = next(s for k in range(-3, 6) for s in (10.0**k, 2 * 10.0**k, 5 * 10.0**k) if (high - low) / s <= 8)
    return [step * k for k in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _text(x: float, y: float, words: str, anchor: str = "start", style: str = "normal") -> str:
    slant = f' font-style="{style}"' if style != "normal" else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{slant}>{escape(words)}</text>'


def _line(points: Sequence[tuple[float, float]], colour: str, width: float) -> str:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


if __name__ == "__main__":
    for name in PICTURES:
        (FOLDER / f"{name}.svg").write_text(drawn(name), encoding="utf-8")
