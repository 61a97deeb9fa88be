"""What is no loop over numbers one by one: products, sums along axes, parts of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from steepest.codegen.elementwise_loop import NotCompiled
from steepest.codegen.loops import copied, filled, literal, reduced
from steepest.codegen.strided_view import Place, kind_of
from steepest.codegen.translate import Translation, form

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
    if t.place(source).buffer in t.changed - {place.buffer}:
        raise NotCompiled("an array is changed before another takes what it was")
    t.leave(source, place)
    t.changed.add(place.buffer)
    return place


@form(aten.copy)
def _replaced(t: Translation, node: Any, whole: Any, source: Any, *_: Any) -> Place:
    """An array that has the numbers of another in the place of its own."""
    value, place = node.meta["val"], t.place(source)
    if place.kind == kind_of(value.dtype):
        return place.expanded(value.shape)
    target = t.new(node)
    copied(t.writer, place.expanded(value.shape), target)
    return target


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


def copy_of(t: Translation, node: Any, source: Any) -> Place:
    """A new array with the numbers of `source`, to be changed."""
    target = t.new(node)
    t.leave(source, target)
    return target


@form(aten.slice_scatter, aten.select_scatter)
def _with_part(t: Translation, node: Any, whole: Any, part: Any, *where: Any, **named: Any) -> Place:
    target = copy_of(t, node, whole)
    view = aten.slice.Tensor if node.target.overloadpacket is aten.slice_scatter else aten.select.int
    copied(t.writer, t.place(part), target.seen(view, *where, **named))
    return target
