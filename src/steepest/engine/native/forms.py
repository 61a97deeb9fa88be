"""What is no loop over numbers one by one: products, sums along axes, parts of arrays, rows that are looked up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx

from steepest.engine.native.loops import copied, filled, literal, reduced
from steepest.engine.native.places import Place
from steepest.engine.native.translate import Translation, dense, form
from steepest.optim.kernel import NotCompiled

aten = torch.ops.aten


@form(aten.mm, aten.bmm)
def _product(t: Translation, node: Any, a: Any, b: Any) -> Any:
    return t.product(node, a, b)


@form(aten.addmm, aten.baddbmm)
def _product_and_start(t: Translation, node: Any, start: Any, a: Any, b: Any, **factors: Any) -> Place:
    if any(value != 1 for value in factors.values()):
        raise NotCompiled("there is no form in C++ for addmm with factors")
    return t.multiply(node, t.place(a), t.place(b), t.place(start))


@form(aten.sum, aten.mean, aten.amax, aten.amin, aten.any)
def _reduction(t: Translation, node: Any, source: Any, dims: Any = None, *rest: Any, **_: Any) -> Place:
    place = t.place(source)
    dims = [dims] if isinstance(dims, int) else dims
    axes = sorted(d % len(place.shape) for d in dims) if dims else [*range(len(place.shape))]
    target = t.new(node)
    name = node.target.overloadpacket.__name__
    count = 1
    if name == "mean":
        for axis in axes:
            count *= place.shape[axis]
    keeps = len(target.shape) == len(place.shape)
    flat = target.seen(aten.squeeze.dims, axes) if keeps and axes else target
    reduced(t.writer, "sum" if name == "mean" else name, place, axes, flat, count)
    return target


@form(aten.cat)
def _joined(t: Translation, node: Any, parts: Sequence[Any], dim: int = 0) -> Place:
    target, begin = t.new(node), 0
    dim %= len(target.shape)
    for part in parts:
        place = t.place(part)
        length = part.meta["val"].shape[dim]
        copied(t.writer, place, target.seen(aten.slice.Tensor, dim, begin, begin + length))
        begin += length
    return target


@form(aten.copy_)
def _changed(t: Translation, node: Any, target: Any, source: Any, *_: Any) -> Place:
    """An argument is changed, once all is done that asks for what it was."""
    place = t.place(target)
    t.finish(place.buffer)
    t.leave(source, place)
    return place


@form(aten.constant_pad_nd)
def _padded(t: Translation, node: Any, source: Any, pads: Sequence[int], value: float = 0.0) -> Place:
    place, target = t.place(source), t.new(node)
    filled(t.writer, target, literal(value, target.kind))
    inside = target
    for i in range(len(pads) // 2):  # pairs (before, after), those of the last axis first
        axis, before, after = len(place.shape) - 1 - i, *pads[2 * i : 2 * i + 2]
        if before < 0:
            place = place.seen(aten.slice.Tensor, axis, -before, None)
        if after < 0:
            place = place.seen(aten.slice.Tensor, axis, 0, after)
        inside = inside.seen(aten.slice.Tensor, axis, max(before, 0), max(before, 0) + place.shape[axis])
    copied(t.writer, place, inside)
    return target


@form(aten.max, aten.min)
def _extreme(t: Translation, node: Any, source: Any, dim: int, keepdim: bool = False) -> list[Place]:
    """The largest (or smallest) along an axis, and the first place where it is."""
    place, sign = t.place(source), ">" if node.target.overloadpacket is aten.max else "<"
    dim %= len(place.shape)
    values, at = (
        t.writer.new(kind, value.shape) for kind, value in zip(("real", "integer"), node.meta["val"], strict=True)
    )
    flat = [x.seen(aten.squeeze.dim, dim) if keepdim else x for x in (values, at)]
    kept = [a for a in range(len(place.shape)) if a != dim]
    loops = "".join(f"for (integer i{a} = 0; i{a} < {place.shape[a]}; ++i{a}) " for a in kept)
    x = " + ".join(f"i{a} * {place.strides[a]}" for a in kept) or "0"
    y, n = (" + ".join(f"i{a} * {s}" for a, s in zip(kept, each.strides, strict=True)) or "0" for each in flat)
    body = (
        f"{loops}{{\nT best = x0[{x}];\ninteger first = 0;\nfor (integer j = 1; j < {place.shape[dim]}; ++j)\n"
        f"if (x0[{x} + j * {place.strides[dim]}] {sign} best) best = x0[{x} + j * {place.strides[dim]}], first = j;\n"
        f"y0[{y}] = best;\ny1[{n}] = first;\n}}"
    )
    t.writer.call(body, flat, [place])
    return [values, at]


@form(aten._embedding_bag)
def _bags(
    t: Translation,
    node: Any,
    table: Any,
    index: Any,
    offsets: Any,
    by_count: bool = False,
    mode: int = 0,
    sparse: bool = False,
    weights: Any = None,
    last: bool = False,
    padding: int = -1,
) -> list[Place | None]:
    """Sums, or means, of as many rows each; those of the padding do not count."""
    starts, count = t.constant(offsets), index.meta["val"].numel()
    size = count // len(starts) if starts is not None else 0
    if starts is None or weights is not None or mode > 1 or starts.tolist() != [*range(0, count, size)]:
        raise NotCompiled("there is a form in C++ only for bags of one size, summed or averaged")
    target = t.writer.dense("real", node.meta["val"][0].shape)
    bags, width = target.shape
    row = f"#pragma omp simd\nfor (integer j = 0; j < {width}; ++j) y0[i * {width} + j]"
    body = (
        f"for (integer i = 0; i < {bags}; ++i) {{\ninteger met = 0;\n{row} = 0;\n"
        f"for (integer k = 0; k < {size}; ++k) {{\nconst integer at = x1[i * {size} + k];\n"
        f"if (at == {padding}) continue;\n++met;\n{row} += x0[at * {width} + j];\n}}\n"
        + (f"if (met > 1)\n{row} /= met;\n" if mode == 1 else "")
        + "}"
    )
    t.writer.call(body, [target], [dense(t, t.place(table)), dense(t, t.place(index))])
    return [target, None, None, None]


@form(aten._embedding_bag_backward)
def _bags_backward(
    t: Translation,
    node: Any,
    gradient: Any,
    index: Any,
    offsets: Any,
    _bag: Any,
    _size: Any,
    _most: Any,
    count: int,
    by_count: bool,
    mode: int,
    sparse: bool = False,
    weights: Any = None,
    padding: int = -1,
) -> Place:
    if by_count or sparse:
        raise NotCompiled("there is no form in C++ for bags with sparse gradients, or such as are scaled by frequency")
    above, at, target = dense(t, t.place(gradient)), dense(t, t.place(index)), t.dense(node)
    filled(t.writer, target, "0")
    bags, width = above.shape
    size = at.size // bags
    body = (
        f"for (integer i = 0; i < {bags}; ++i) {{\ninteger met = 0;\n"
        f"for (integer k = 0; k < {size}; ++k) met += x1[i * {size} + k] != {padding};\n"
        f"const T share = {'T(1) / (met > 1 ? met : 1)' if mode == 1 else 'T(1)'};\n"
        f"for (integer k = 0; k < {size}; ++k) {{\nconst integer at = x1[i * {size} + k];\n"
        f"if (at != {padding})\n#pragma omp simd\nfor (integer j = 0; j < {width}; ++j)\n"
        f"y0[at * {width} + j] += x0[i * {width} + j] * share;\n}}\n}}"
    )
    t.writer.call(body, [target], [above, at])
    return target


def _copy(t: Translation, node: Any, source: Any) -> Place:
    """A new array with the numbers of `source`, to be changed."""
    target = t.new(node)
    t.leave(source, target)
    return target


@form(aten.slice_scatter, aten.select_scatter)
def _with_part(t: Translation, node: Any, whole: Any, part: Any, *where: Any, **named: Any) -> Place:
    target = _copy(t, node, whole)
    view = aten.slice.Tensor if node.target.overloadpacket is aten.slice_scatter else aten.select.int
    copied(t.writer, t.place(part), target.seen(view, *where, **named))
    return target


@form(aten.embedding)
def _rows(t: Translation, node: Any, table: Any, index: Any, *_: Any, **__: Any) -> Place:
    return _gathered_rows(t, node, t.place(table), t.place(index))


@form(aten.index)
def _indexed(t: Translation, node: Any, table: Any, indices: Sequence[Any]) -> Place:
    if len(indices) != 1:
        raise NotCompiled("there is no form in C++ for several indices")
    return _gathered_rows(t, node, t.place(table), t.place(indices[0]))


def _gathered_rows(t: Translation, node: Any, table: Place, index: Place) -> Place:
    if index.kind != "integer":
        raise NotCompiled("there is no form in C++ for a mask as index")
    target = t.dense(node)
    table, index = dense(t, table), dense(t, index)
    width = table.size // table.shape[0]
    body = (
        f"for (integer i = 0; i < {index.size}; ++i)\n"
        f"for (integer j = 0; j < {width}; ++j) y0[i * {width} + j] = x0[x1[i] * {width} + j];"
    )
    t.writer.call(body, [target], [table, index])
    return target


@form(aten.index_put, aten._unsafe_index_put)
def _rows_added(
    t: Translation, node: Any, whole: Any, indices: Sequence[Any], values: Any, accumulate: bool = False
) -> Place:
    if len(indices) != 1 or not accumulate:
        raise NotCompiled("there is no form in C++ for setting what is at an index")
    target, index = t.dense(node), dense(t, t.place(indices[0]))
    t.leave(whole, target)
    width = target.size // target.shape[0]
    source = dense(t, t.place(values).expanded((*index.shape, *target.shape[1:])))
    body = (
        f"for (integer i = 0; i < {index.size}; ++i)\n"
        f"for (integer j = 0; j < {width}; ++j) y0[x1[i] * {width} + j] += x0[i * {width} + j];"
    )
    t.writer.call(body, [target], [source, index])
    return target


@form(aten.gather)
def _picked(t: Translation, node: Any, source: Any, dim: int, index: Any, **_: Any) -> Place:
    place, at, target = t.place(source), t.place(index), t.new(node)
    t.writer.call(_along(target, place, at, dim % len(at.shape), "y0[{own}] = x0[{other}];"), [target], [place, at])
    return target


@form(aten.scatter)
def _put(t: Translation, node: Any, whole: Any, dim: int, index: Any, value: Any, **_: Any) -> Place:
    target, at = _copy(t, node, whole), t.place(index)
    if isinstance(value, fx.Node):
        source = t.place(value).expanded(at.shape)
        body = _along(source, target, at, dim % len(at.shape), "y0[{other}] = x0[{own}];")
        t.writer.call(body, [target], [source, at])
    else:
        body = _along(
            at, target, at, dim % len(at.shape), f"y0[{{other}}] = {literal(value, target.kind)};", index="x0"
        )
        t.writer.call(body, [target], [at])
    return target


def _along(own: Place, other: Place, at: Place, dim: int, line: str, index: str = "x1") -> str:
    """Loops over all of an index: `own` lies beside it, and `other` is met where it points, along one axis."""
    loops = "".join(f"for (integer i{a} = 0; i{a} < {n}; ++i{a})\n" for a, n in enumerate(at.shape))

    def terms(place: Place, which: Callable[[int], str]) -> str:
        return " + ".join(f"{which(a)} * {s}" for a, s in enumerate(place.strides)) or "0"

    where = terms(at, lambda a: f"i{a}")
    pointed = terms(other, lambda a: f"{index}[{where}]" if a == dim else f"i{a}")
    return loops + line.format(own=terms(own, lambda a: f"i{a}"), other=pointed)
