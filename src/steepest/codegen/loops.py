"""Loops over arrays in C++: pointwise operations fused into one pass, copies, fills and reductions."""

import math
from collections.abc import Callable, Sequence

from torch import fx

from steepest.codegen.emitter import Emitter
from steepest.codegen.strided_view import CPP_TYPES, Kind, StridedView


class Loop:
    """Pointwise operations over the same shape that will be emitted as one pass."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.nodes: dict[fx.Node, tuple[str, Kind]] = {}  # → C++ name or expression, kind
        self._lines: list[str] = []
        self.reads: dict[StridedView, str] = {}

    def read(self, view: StridedView) -> str:
        """The C++ name of the current number of a view, expanded to the loop's shape."""
        return self.reads.setdefault(view.expanded(self.shape), f"r{len(self.reads)}")

    def add(self, node: fx.Node, kind: Kind, value: str) -> None:
        """Add an operation: the C++ expression `value` in names that the loop already has."""
        if kind == "truth":  # inline: a variable of another size would keep the loop from being vectorized
            self.nodes[node] = (f"({value})", kind)
        else:
            name = f"v{len(self._lines)}"
            self._lines.append(f"const {CPP_TYPES[kind]} {name} = {value};")
            self.nodes[node] = (name, kind)

    def emit(self, emitter: Emitter, results: dict[fx.Node, StridedView | None]) -> dict[fx.Node, StridedView]:
        """Emit the loop. It stores these results, in the views given or in new buffers."""
        order = _axis_order(self.shape, [*(p for p in results.values() if p), *self.reads])
        strides = _contiguous_strides(self.shape, order)
        views = {node: view or emitter.new(self.nodes[node][1], self.shape, strides) for node, view in results.items()}
        everything = [*views.values(), *self.reads]
        body = [*self._lines]
        names = [f"y{i}" for i in range(len(views))] + [f"x{i}" for i in range(len(self.reads))]
        axes = _merged_axes([(self.shape[a], [p.strides[a] for p in everything]) for a in order])
        index = [_index([s[i] for _, s in axes]) for i in range(len(everything))]
        fetched = [
            f"const {CPP_TYPES[p.kind]} {name} = {buffer}[{i}];"
            for (p, name), buffer, i in zip(self.reads.items(), names[len(views) :], index[len(views) :], strict=True)
        ]
        stored = [
            f"{buffer}[{i}] = {self.nodes[node][0]};" for node, buffer, i in zip(views, names, index, strict=False)
        ]
        lengths = [n for n, _ in axes]
        emitter.call(_nested_loops(lengths, [*fetched, *body, *stored]), [*views.values()], [*self.reads])
        return views


def emit_copy(emitter: Emitter, source: StridedView, target: StridedView) -> None:
    """Copy the numbers of one view to another of the same shape."""
    order = _axis_order(source.shape, [target])
    axes = _merged_axes([(source.shape[a], [target.strides[a], source.strides[a]]) for a in order])
    to, from_ = (_index([s[i] for _, s in axes]) for i in range(2))
    emitter.call(_nested_loops([n for n, _ in axes], [f"y0[{to}] = x0[{from_}];"]), [target], [source])


def emit_fill(emitter: Emitter, target: StridedView, value: str) -> None:
    """Set all numbers of a view to the C++ expression `value`."""
    order = _axis_order(target.shape, [target])
    axes = _merged_axes([(target.shape[a], [target.strides[a]]) for a in order])
    index = _index([s[0] for _, s in axes])
    emitter.call(_nested_loops([n for n, _ in axes], [f"y0[{index}] = {value};"]), [target], [])


REDUCTIONS: dict[str, tuple[str, Callable[[str, str], str], str]] = {
    "sum": ("0", lambda a, x: f"{a} + {x}", "reduction(+:total)"),
    "amax": ("-T(__builtin_inf())", lambda a, x: f"larger<T>({a}, {x})", "reduction(max:total)"),
    "amin": ("T(__builtin_inf())", lambda a, x: f"smaller<T>({a}, {x})", "reduction(min:total)"),
    "any": ("false", lambda a, x: f"{a} | {x}", "reduction(|:total)"),
}
"""First value, how to include one more number, and OpenMP's clause for vectors."""


def emit_reduction(
    emitter: Emitter, kind: str, source: StridedView, axes: Sequence[int], target: StridedView, divisor: int = 1
) -> None:
    """Reduce some axes. `target` has the shape of the others, in order. The result is divided by `divisor`."""
    begin, take, clause = REDUCTIONS[kind]
    order = sorted(range(len(source.shape)), key=lambda a: -source.strides[a])
    constant_view = [a for a in range(len(source.shape)) if a not in axes]
    to = dict(zip(constant_view, target.strides, strict=True))
    outer = _merged_axes([(source.shape[a], [to[a], source.strides[a]]) for a in order if a not in axes])
    inner = _merged_axes([(source.shape[a], [0, source.strides[a]]) for a in order if a in axes])
    ends = f" / {divisor}" if divisor != 1 else ""
    i = len(outer)
    y = _index([s[0] for _, s in outer])
    x = _index([s[1] for _, s in (*outer, *inner)])
    lengths = [n for n, _ in outer], [n for n, _ in inner]
    if not outer or (inner and inner[-1][1][1] == 1):
        lines = [
            f"{CPP_TYPES[target.kind]} total = {begin};",
            _nested_loops(lengths[1], [f"total = {take('total', f'x0[{x}]')};"], i, clause),
        ]
        body = _nested_loops(lengths[0], [*lines, f"y0[{y}] = total{ends};"], vectors=False)
    else:  # adjacent numbers belong to different sums
        sums = f"y0[{y}] = {take(f'y0[{y}]', f'x0[{x}]')};"
        body = "\n".join(
            (
                _nested_loops(lengths[0], [f"y0[{y}] = {begin};"]),
                _nested_loops(lengths[1], [_nested_loops(lengths[0], [sums])], i, vectors=False),
                _nested_loops(lengths[0], [f"y0[{y}] = y0[{y}]{ends};"]) if ends else "",
            )
        )
    emitter.call(body, [target], [source])


# ---- text ------------------------------------------------------------------------------------------------------------


def literal(value: float | int | bool, kind: Kind) -> str:
    """A number as a C++ expression."""
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


def _nested_loops(
    lengths: Sequence[int], lines: Sequence[str], first: int = 0, clause: str = "", vectors: bool = True
) -> str:
    """Nested loops around some lines, over the indices i{first}, i{first + 1}, …"""
    text = "\n".join(lines)
    for depth in reversed(range(len(lengths))):
        i = f"i{first + depth}"
        simd = f"#pragma omp simd {clause}\n" if vectors and depth == len(lengths) - 1 and lengths[depth] > 1 else ""
        text = f"{simd}for (integer {i} = 0; {i} < {lengths[depth]}; ++{i}) {{\n{text}\n}}"
    return text


def _index(strides: Sequence[int], first: int = 0) -> str:
    terms = [f"i{first + a}" if s == 1 else f"i{first + a} * {s}" for a, s in enumerate(strides) if s]
    return " + ".join(terms) or "0"


def _axis_order(shape: tuple[int, ...], views: Sequence[StridedView]) -> list[int]:
    """The axes, the outermost first, in the memory order of the first view that has them all."""
    for view in views:
        if all(s for s, n in zip(view.strides, shape, strict=True) if n > 1):
            return sorted(range(len(shape)), key=lambda a: -view.strides[a])
    return [*range(len(shape))]


def _contiguous_strides(shape: tuple[int, ...], order: Sequence[int]) -> tuple[int, ...]:
    """Strides of an array without gaps whose axes are nested in this order."""
    strides, step = [0] * len(shape), 1
    for axis in reversed(order):
        strides[axis] = step
        step *= shape[axis]
    return tuple(strides)


def _merged_axes(axes: Sequence[tuple[int, list[int]]]) -> list[tuple[int, list[int]]]:
    """(length, strides of all views) of each loop: axes of length 1 are dropped, contiguous neighbours are merged."""
    found: list[tuple[int, list[int]]] = []
    for n, strides in axes:
        if n == 1:
            continue
        if found and all(outer == n * inner for outer, inner in zip(found[-1][1], strides, strict=True)):
            found[-1] = found[-1][0] * n, strides
        else:
            found.append((n, strides))
    return found
