"""Lowerings of operations that are not pointwise: products, reductions, and writing to parts of arrays."""

from collections.abc import Sequence

import torch
from torch import fx

from steepest.codegen.elementwise_loop import NotCompiled
from steepest.codegen.loops import emit_copy, emit_fill, emit_reduction, literal
from steepest.codegen.strided_view import Kind, StridedView, kind_of
from steepest.codegen.translate import Translation, lowering, packet_of

aten = torch.ops.aten


@lowering(aten.mm, aten.bmm)
def _product(t: Translation, node: fx.Node, a: fx.Node, b: fx.Node) -> StridedView | None:
    return t.product(node, a, b)


@lowering(aten.addmm, aten.baddbmm)
def _product_and_start(
    t: Translation, node: fx.Node, start: fx.Node, a: fx.Node, b: fx.Node, **factors: float
) -> StridedView:
    if any(value != 1 for value in factors.values()):
        raise NotCompiled("addmm with alpha or beta has no C++ lowering")
    return t.emit_product(node, t.view_of(a), t.view_of(b), t.view_of(start))


@lowering(aten.sum, aten.mean, aten.amax, aten.amin, aten.any)
def _reduction(
    t: Translation, node: fx.Node, source: fx.Node, dims: int | Sequence[int] | None = None, *rest: object, **_: object
) -> StridedView:
    view = t.view_of(source)
    dims = [dims] if isinstance(dims, int) else dims
    axes = sorted(d % len(view.shape) for d in dims) if dims else [*range(len(view.shape))]
    target = t.new(node)
    name = str(packet_of(node)).removeprefix("aten.")
    count = 1
    if name == "mean":
        for axis in axes:
            count *= view.shape[axis]
    keeps = len(target.shape) == len(view.shape)
    flat = target.apply(aten.squeeze.dims, axes) if keeps and axes else target
    emit_reduction(t.emitter, "sum" if name == "mean" else name, view, axes, flat, count)
    return target


@lowering(aten.cat)
def _cat(t: Translation, node: fx.Node, parts: Sequence[fx.Node], dim: int = 0) -> StridedView:
    target, begin = t.new(node), 0
    dim %= len(target.shape)
    for part in parts:
        view = t.view_of(part)
        length = part.meta["val"].shape[dim]
        emit_copy(t.emitter, view, target.apply(aten.slice.Tensor, dim, begin, begin + length))
        begin += length
    return target


@lowering(aten.copy_)
def _copy_in_place(t: Translation, node: fx.Node, target: fx.Node, source: fx.Node, *_: object) -> StridedView:
    """Overwrite an argument, after every loop that reads its old value."""
    view = t.view_of(target)
    t.flush_readers(view.buffer)
    if t.view_of(source).buffer in t.overwritten - {view.buffer}:
        raise NotCompiled("an array is overwritten before its old value is read")
    t.store(source, view)
    t.overwritten.add(view.buffer)
    return view


@lowering(aten.copy)
def _copy(t: Translation, node: fx.Node, whole: fx.Node, source: fx.Node, *_: object) -> StridedView:
    """The numbers of `source` with the shape and type of `whole`."""
    value, view = node.meta["val"], t.view_of(source)
    if view.kind == kind_of(value.dtype):
        return view.expanded(value.shape)
    target = t.new(node)
    emit_copy(t.emitter, view.expanded(value.shape), target)
    return target


@lowering(aten.constant_pad_nd)
def _pad(t: Translation, node: fx.Node, source: fx.Node, pads: Sequence[int], value: float = 0.0) -> StridedView:
    view, target = t.view_of(source), t.new(node)
    emit_fill(t.emitter, target, literal(value, target.kind))
    inside = target
    for i in range(len(pads) // 2):  # pairs (before, after), the last axis first
        axis, before, after = len(view.shape) - 1 - i, *pads[2 * i : 2 * i + 2]
        if before < 0:
            view = view.apply(aten.slice.Tensor, axis, -before, None)
        if after < 0:
            view = view.apply(aten.slice.Tensor, axis, 0, after)
        inside = inside.apply(aten.slice.Tensor, axis, max(before, 0), max(before, 0) + view.shape[axis])
    emit_copy(t.emitter, view, inside)
    return target


@lowering(aten.max, aten.min)
def _max_or_min(t: Translation, node: fx.Node, source: fx.Node, dim: int, keepdim: bool = False) -> list[StridedView]:
    """The largest (or smallest) number along an axis, and the index of its first occurrence."""
    view, sign = t.view_of(source), ">" if packet_of(node) is aten.max else "<"
    dim %= len(view.shape)
    kinds: tuple[Kind, Kind] = ("real", "integer")
    values, at = (t.emitter.new(kind, value.shape) for kind, value in zip(kinds, node.meta["val"], strict=True))
    flat = [x.apply(aten.squeeze.dim, dim) if keepdim else x for x in (values, at)]
    constant_view = [a for a in range(len(view.shape)) if a != dim]
    loops = "".join(f"for (integer i{a} = 0; i{a} < {view.shape[a]}; ++i{a}) " for a in constant_view)
    x = " + ".join(f"i{a} * {view.strides[a]}" for a in constant_view) or "0"
    y, n = (" + ".join(f"i{a} * {s}" for a, s in zip(constant_view, each.strides, strict=True)) or "0" for each in flat)
    body = (
        f"{loops}{{\nT best = x0[{x}];\ninteger first = 0;\nfor (integer j = 1; j < {view.shape[dim]}; ++j)\n"
        f"if (x0[{x} + j * {view.strides[dim]}] {sign} best) best = x0[{x} + j * {view.strides[dim]}], first = j;\n"
        f"y0[{y}] = best;\ny1[{n}] = first;\n}}"
    )
    t.emitter.call(body, flat, [view])
    return [values, at]


def copy_of(t: Translation, node: fx.Node, source: fx.Node) -> StridedView:
    """A new array with the numbers of `source`, for the caller to change."""
    target = t.new(node)
    t.store(source, target)
    return target


@lowering(aten.slice_scatter, aten.select_scatter)
def _scatter_part(
    t: Translation, node: fx.Node, whole: fx.Node, part: fx.Node, *where: object, **named: object
) -> StridedView:
    target = copy_of(t, node, whole)
    op = aten.slice.Tensor if packet_of(node) is aten.slice_scatter else aten.select.int
    emit_copy(t.emitter, t.view_of(part), target.apply(op, *where, **named))
    return target
