"""Loops over arrays: what is done to each number alone, in one pass for all that can be done together; and sums."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import fx

from steepest.codegen.emitter import Writer
from steepest.codegen.strided_view import TYPES, Place


class Loop:
    """Operations on numbers one by one, all over the same shape, that will be done in one pass."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.nodes: dict[fx.Node, tuple[str, str]] = {}  # → what it is called, kind
        self._lines: list[str] = []
        self.reads: dict[Place, str] = {}

    def read(self, place: Place) -> str:
        """What a number of this place, expanded to the shape, is called."""
        return self.reads.setdefault(place.expanded(self.shape), f"r{len(self.reads)}")

    def add(self, node: fx.Node, kind: str, value: str) -> None:
        """`value` in terms of what is there already."""
        if kind == "truth":  # in its place: a variable of another size would keep the loop from vectors
            self.nodes[node] = (f"({value})", kind)
        else:
            name = f"v{len(self._lines)}"
            self._lines.append(f"const {TYPES[kind]} {name} = {value};")
            self.nodes[node] = (name, kind)

    def write(self, writer: Writer, results: dict[fx.Node, Place | None]) -> dict[fx.Node, Place]:
        """Write the loop, which stores these results, in places given or new ones."""
        order = _order(self.shape, [*(p for p in results.values() if p), *self.reads])
        strides = _dense(self.shape, order)
        places = {
            node: place or writer.new(self.nodes[node][1], self.shape, strides) for node, place in results.items()
        }
        everything = [*places.values(), *self.reads]
        body = [*self._lines]
        names = [f"y{i}" for i in range(len(places))] + [f"x{i}" for i in range(len(self.reads))]
        axes = _merged([(self.shape[a], [p.strides[a] for p in everything]) for a in order])
        index = [_index([s[i] for _, s in axes]) for i in range(len(everything))]
        fetched = [
            f"const {TYPES[p.kind]} {name} = {buffer}[{i}];"
            for (p, name), buffer, i in zip(self.reads.items(), names[len(places) :], index[len(places) :], strict=True)
        ]
        stored = [
            f"{buffer}[{i}] = {self.nodes[node][0]};" for node, buffer, i in zip(places, names, index, strict=False)
        ]
        lengths = [n for n, _ in axes]
        writer.call(_nest(lengths, [*fetched, *body, *stored]), [*places.values()], [*self.reads])
        return places


def copied(writer: Writer, source: Place, target: Place) -> None:
    """Move the numbers of one place to another of the same shape."""
    order = _order(source.shape, [target])
    axes = _merged([(source.shape[a], [target.strides[a], source.strides[a]]) for a in order])
    to, from_ = (_index([s[i] for _, s in axes]) for i in range(2))
    writer.call(_nest([n for n, _ in axes], [f"y0[{to}] = x0[{from_}];"]), [target], [source])


def filled(writer: Writer, target: Place, value: str) -> None:
    """Set all numbers of a place to one."""
    order = _order(target.shape, [target])
    axes = _merged([(target.shape[a], [target.strides[a]]) for a in order])
    index = _index([s[0] for _, s in axes])
    writer.call(_nest([n for n, _ in axes], [f"y0[{index}] = {value};"]), [target], [])


REDUCTIONS: dict[str, tuple[str, Callable[[str, str], str], str]] = {
    "sum": ("0", lambda a, x: f"{a} + {x}", "reduction(+:total)"),
    "amax": ("-T(__builtin_inf())", lambda a, x: f"larger<T>({a}, {x})", "reduction(max:total)"),
    "amin": ("T(__builtin_inf())", lambda a, x: f"smaller<T>({a}, {x})", "reduction(min:total)"),
    "any": ("false", lambda a, x: f"{a} | {x}", "reduction(|:total)"),
}
"""The first value, how one more number is taken in, and how vectors may do it."""


def reduced(writer: Writer, kind: str, source: Place, axes: Sequence[int], target: Place, divisor: int = 1) -> None:
    """Sums (or maxima) over some axes: `target` has the shape of the others, in order. `divisor`: of the result."""
    begin, take, clause = REDUCTIONS[kind]
    order = sorted(range(len(source.shape)), key=lambda a: -source.strides[a])
    kept = [a for a in range(len(source.shape)) if a not in axes]
    to = dict(zip(kept, target.strides, strict=True))
    outer = _merged([(source.shape[a], [to[a], source.strides[a]]) for a in order if a not in axes])
    inner = _merged([(source.shape[a], [0, source.strides[a]]) for a in order if a in axes])
    ends = f" / {divisor}" if divisor != 1 else ""
    i = len(outer)
    y = _index([s[0] for _, s in outer])
    x = _index([s[1] for _, s in (*outer, *inner)])
    lengths = [n for n, _ in outer], [n for n, _ in inner]
    if not outer or (inner and inner[-1][1][1] == 1):
        lines = [
            f"{TYPES[target.kind]} total = {begin};",
            _nest(lengths[1], [f"total = {take('total', f'x0[{x}]')};"], i, clause),
        ]
        body = _nest(lengths[0], [*lines, f"y0[{y}] = total{ends};"], vectors=False)
    else:  # the innermost numbers belong to different sums
        sums = f"y0[{y}] = {take(f'y0[{y}]', f'x0[{x}]')};"
        body = "\n".join(
            (
                _nest(lengths[0], [f"y0[{y}] = {begin};"]),
                _nest(lengths[1], [_nest(lengths[0], [sums])], i, vectors=False),
                _nest(lengths[0], [f"y0[{y}] = y0[{y}]{ends};"]) if ends else "",
            )
        )
    writer.call(body, [target], [source])


# ---- text ------------------------------------------------------------------------------------------------------------


def literal(value: float | int | bool, kind: str) -> str:
    """A number in C++."""
    if kind == "real":
        value = float(value)
        text = (
            repr(value)
            if math.isfinite(value)
            else '__builtin_nan("")'
            if math.isnan(value)
            else ("__builtin_inf()" if value > 0 else "-__builtin_inf()")
        )
        return f"T({text})"
    return f"integer({int(value)})" if kind == "integer" else "true" if value else "false"


def _nest(lengths: Sequence[int], lines: Sequence[str], first: int = 0, clause: str = "", vectors: bool = True) -> str:
    """Loops one in the other around some lines, over the indices i{first}, i{first + 1}, …"""
    text = "\n".join(lines)
    for depth in reversed(range(len(lengths))):
        i = f"i{first + depth}"
        simd = f"#pragma omp simd {clause}\n" if vectors and depth == len(lengths) - 1 and lengths[depth] > 1 else ""
        text = f"{simd}for (integer {i} = 0; {i} < {lengths[depth]}; ++{i}) {{\n{text}\n}}"
    return text


def _index(strides: Sequence[int], first: int = 0) -> str:
    terms = [f"i{first + a}" if s == 1 else f"i{first + a} * {s}" for a, s in enumerate(strides) if s]
    return " + ".join(terms) or "0"


def _order(shape: tuple[int, ...], places: Sequence[Place]) -> list[int]:
    """The axes, the outermost first: as they lie in the first place that has them all."""
    for place in places:
        if all(s for s, n in zip(place.strides, shape, strict=True) if n > 1):
            return sorted(range(len(shape)), key=lambda a: -place.strides[a])
    return [*range(len(shape))]


def _dense(shape: tuple[int, ...], order: Sequence[int]) -> tuple[int, ...]:
    """Strides of an array without gaps whose axes lie in this order."""
    strides, step = [0] * len(shape), 1
    for axis in reversed(order):
        strides[axis] = step
        step *= shape[axis]
    return tuple(strides)


def _merged(axes: Sequence[tuple[int, list[int]]]) -> list[tuple[int, list[int]]]:
    """(length, strides of all places) of each axis; neighbours that can be one loop are joined, length 1 is none."""
    found: list[tuple[int, list[int]]] = []
    for n, strides in axes:
        if n == 1:
            continue
        if found and all(outer == n * inner for outer, inner in zip(found[-1][1], strides, strict=True)):
            found[-1] = found[-1][0] * n, strides
        else:
            found.append((n, strides))
    return found
