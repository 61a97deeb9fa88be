"""Charts as SVG text, for pages that are files: curves with a band, and intervals beside names. No plot library."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 14, 40
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#555555", "#a3320b")
"""Okabe and Ito's, darkened where white behind them would drown them."""


@dataclass(frozen=True)
class Line:
    """A curve; points that are not finite, or not above 0 on a log axis, are left out."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


@dataclass(frozen=True)
class Bar:
    """A figure with its interval."""

    name: str
    value: float
    low: float
    high: float


def curves(
    lines: Sequence[Line],
    x_title: str,
    y_title: str,
    log_x: bool = False,
    log_y: bool = False,
    mark: float | None = None,
) -> str:
    """Curves with their bands; `mark` is a level drawn dashed across."""
    known = [
        p for line in lines for p in zip(line.x, line.y, strict=True) if _drawn(p[0], log_x) and _drawn(p[1], log_y)
    ]
    if not known:
        return _svg([_text(LEFT, HEIGHT / 2, "nothing to draw")], f"{y_title}, {x_title}")
    levels = [y for _, y in known] + ([mark] if mark is not None else [])
    across = _Axis([x for x, _ in known], (LEFT, WIDTH - RIGHT), log_x)
    up = _Axis(levels, (HEIGHT - BOTTOM, TOP), log_y)
    parts = [*_frame(across, up, x_title, y_title)]
    if mark is not None:
        parts.append(_path([(LEFT, up(mark)), (WIDTH - RIGHT, up(mark))], "#777", 'stroke-dasharray="5 4"'))
    for i, line in enumerate(lines):
        colour = COLOURS[i % len(COLOURS)]
        spots = [
            k for k, (x, y) in enumerate(zip(line.x, line.y, strict=True)) if _drawn(x, log_x) and _drawn(y, log_y)
        ]
        if line.low:
            ends = [
                (across(line.x[k]), up(_held(y[k], up)))
                for y, s in ((line.low, 1), (line.high, -1))
                for k in spots[::s]
            ]
            parts.append(f'<path d="M{_joined(ends)}Z" fill="{colour}" fill-opacity="0.15"/>')
        parts.append(_path([(across(line.x[k]), up(line.y[k])) for k in spots], colour))
        parts.append(f'<rect x="{WIDTH - RIGHT + 12}" y="{TOP + 18 * i}" width="12" height="4" fill="{colour}"/>')
        parts.append(_text(WIDTH - RIGHT + 30, TOP + 18 * i + 7, line.name))
    return _svg(parts, f"{y_title} over {x_title}: {', '.join(line.name for line in lines)}")


def intervals(bars: Sequence[Bar], x_title: str, limits: Sequence[float] = ()) -> str:
    """A row for each figure, its interval as a line; `limits` are drawn dashed, such as the practical margin."""
    shown = [z for bar in bars for z in (bar.low, bar.value, bar.high) if math.isfinite(z)] + [*limits, 0.0]
    left = LEFT / 2 + 6.2 * max(len(bar.name) for bar in bars)  # as wide as the longest name
    across = _Axis(shown, (left, WIDTH - 20), False)
    bottom = TOP + 26 * len(bars)
    parts: list[str] = []
    for z in (0.0, *limits):
        style = "" if z == 0 else 'stroke-dasharray="5 4"'
        parts.append(_path([(across(z), TOP - 6), (across(z), bottom)], "#777", style))
    for i, bar in enumerate(bars):
        y = TOP + 26 * i + 12
        ends = [(across(_held(z, across)), y) for z in (bar.low, bar.high)]
        parts += [_path(ends, COLOURS[0], 'stroke-width="3"'), _text(left - 10, y + 4, bar.name, "end")]
        parts.append(f'<circle cx="{across(_held(bar.value, across)):.1f}" cy="{y}" r="5" fill="{COLOURS[0]}"/>')
    parts += [_text(across(z), bottom + 16, _number(z), "middle") for z in across.ticks()]
    parts.append(_text(WIDTH / 2, bottom + 34, x_title, "middle"))
    return _svg(parts, x_title, bottom + 42)


class _Axis:
    """From values to pixels, straight or in logarithms."""

    def __init__(self, values: Iterable[float], ends: tuple[float, float], log: bool) -> None:
        self.to: Callable[[float], float] = math.log10 if log else float
        self.log, self.ends = log, ends
        scaled = [self.to(v) for v in values]
        pad = 0.04 * (max(scaled) - min(scaled)) or 0.5
        self.low, self.high = min(scaled) - pad, max(scaled) + pad

    def __call__(self, value: float) -> float:
        share = (self.to(value) - self.low) / (self.high - self.low)
        return self.ends[0] + share * (self.ends[1] - self.ends[0])

    def ticks(self) -> list[float]:
        """About five round values."""
        step = 10.0 ** math.floor(math.log10((self.high - self.low) / 4))
        step *= next(k for k in (1, 2, 5, 10) if (self.high - self.low) / (k * step) <= 6)
        if self.log:
            step = max(1.0, round(step))
        found = [step * k for k in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]
        return [10.0**z for z in found] if self.log else found


def _frame(across: _Axis, up: _Axis, x_title: str, y_title: str) -> Iterable[str]:
    floor = HEIGHT - BOTTOM
    yield _path([(LEFT, TOP), (LEFT, floor), (WIDTH - RIGHT, floor)], "#999")
    for z in across.ticks():
        yield _text(across(z), floor + 16, _number(z), "middle")
    for z in up.ticks():
        yield _path([(LEFT, up(z)), (WIDTH - RIGHT, up(z))], "#e5e5e5")
        yield _text(LEFT - 6, up(z) + 4, _number(z), "end")
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, x_title, "middle")
    middle = (TOP + floor) / 2
    yield f'<g transform="rotate(-90 14 {middle:.0f})">{_text(14, middle, y_title, "middle")}</g>'


def _drawn(value: float, log: bool) -> bool:
    return math.isfinite(value) and (value > 0 or not log)


def _held(value: float, axis: _Axis) -> float:
    """A value within the axis, so that an endless interval ends at its edge."""
    if axis.log:
        return min(max(value, 10**axis.low), 10**axis.high) if value > 0 else 10**axis.low
    return min(max(value, axis.low), axis.high)


def _number(value: float) -> str:
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e").replace("-", "−")


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _path(points: Sequence[tuple[float, float]], colour: str, style: str = "") -> str:
    width = "" if "stroke-width" in style else 'stroke-width="1.6" '
    return f'<path d="M{_joined(points)}" fill="none" stroke="{colour}" {width}{style}/>' if points else ""


def _joined(points: Iterable[tuple[float, float]]) -> str:
    return "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _svg(parts: Iterable[str], title: str, height: float = HEIGHT) -> str:
    body = "\n".join(part for part in parts if part)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" font-size="12" '
        f'font-family="system-ui, sans-serif" fill="#222"><title>{escape(title)}</title>\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )
