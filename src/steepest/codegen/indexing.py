"""Lowerings of reading and writing at computed indices: embeddings, advanced indexing, gather and scatter."""

from collections.abc import Callable, Sequence

import torch
from torch import fx

from steepest.codegen.elementwise_loop import NotCompiled
from steepest.codegen.loops import emit_fill, literal
from steepest.codegen.lowerings import copy_of
from steepest.codegen.strided_view import StridedView
from steepest.codegen.translate import Translation, contiguous, lowering

aten = torch.ops.aten


# ---- embeddings ------------------------------------------------------------------------------------------------------


@lowering(aten.embedding)
def _embedding(t: Translation, node: fx.Node, table: fx.Node, index: fx.Node, *_: object, **__: object) -> StridedView:
    return _emit_rows(t, node, t.view_of(table), t.view_of(index))


def _emit_rows(t: Translation, node: fx.Node, table: StridedView, index: StridedView) -> StridedView:
    target = t.new_contiguous(node)
    table, index = contiguous(t, table), contiguous(t, index)
    width = table.size // table.shape[0]
    body = (
        f"for (integer i = 0; i < {index.size}; ++i)\n"
        f"for (integer j = 0; j < {width}; ++j) y0[i * {width} + j] = x0[x1[i] * {width} + j];"
    )
    t.emitter.call(body, [target], [table, index])
    return target


@lowering(aten._embedding_bag)
def _embedding_bag(
    t: Translation,
    node: fx.Node,
    table: fx.Node,
    index: fx.Node,
    offsets: fx.Node,
    by_count: bool = False,
    mode: int = 0,
    sparse: bool = False,
    weights: fx.Node | None = None,
    last: bool = False,
    padding: int = -1,
) -> list[StridedView | None]:
    """Sums or means of equally many rows each, without the rows of the padding index."""
    starts, count = t.constant(offsets), index.meta["val"].numel()
    size = count // len(starts) if starts is not None else 0
    if starts is None or weights is not None or mode > 1 or starts.tolist() != [*range(0, count, size)]:
        raise NotCompiled("embedding bags have a C++ lowering only if all have one size and are summed or averaged")
    target = t.emitter.new_contiguous("real", node.meta["val"][0].shape)
    bags, width = target.shape
    row = f"#pragma omp simd\nfor (integer j = 0; j < {width}; ++j) y0[i * {width} + j]"
    body = (
        f"for (integer i = 0; i < {bags}; ++i) {{\ninteger met = 0;\n{row} = 0;\n"
        f"for (integer k = 0; k < {size}; ++k) {{\nconst integer at = x1[i * {size} + k];\n"
        f"if (at == {padding}) continue;\n++met;\n{row} += x0[at * {width} + j];\n}}\n"
        + (f"if (met > 1)\n{row} /= met;\n" if mode == 1 else "")
        + "}"
    )
    t.emitter.call(body, [target], [contiguous(t, t.view_of(table)), contiguous(t, t.view_of(index))])
    return [target, None, None, None]


@lowering(aten._embedding_bag_backward)
def _embedding_bag_backward(
    t: Translation,
    node: fx.Node,
    gradient: fx.Node,
    index: fx.Node,
    offsets: fx.Node,
    _bag: object,
    _size: object,
    _maximum: object,
    count: int,
    by_count: bool,
    mode: int,
    sparse: bool = False,
    weights: fx.Node | None = None,
    padding: int = -1,
) -> StridedView:
    if by_count or sparse:
        raise NotCompiled("embedding bags with sparse gradients or scaled by frequency have no C++ lowering")
    above, at, target = contiguous(t, t.view_of(gradient)), contiguous(t, t.view_of(index)), t.new_contiguous(node)
    emit_fill(t.emitter, target, "0")
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
    t.emitter.call(body, [target], [above, at])
    return target


# ---- advanced indexing -----------------------------------------------------------------------------------------------


@lowering(aten.index)
def _index(t: Translation, node: fx.Node, table: fx.Node, indices: Sequence[fx.Node | None]) -> StridedView:
    aim, target = _AdvancedIndex(t, t.view_of(table), indices), t.new(node)
    t.emitter.call(aim.loops(target, "y0[{own}] = x0[{other}];", first=1), [target], [aim.whole, *aim.indices])
    return target


@lowering(aten.index_put, aten._unsafe_index_put)
def _index_put(
    t: Translation,
    node: fx.Node,
    whole: fx.Node,
    indices: Sequence[fx.Node | None],
    values: fx.Node,
    accumulate: bool = False,
) -> StridedView:
    masks = [t.view_of(x) for x in indices if x is not None and x.meta["val"].dtype is torch.bool]
    if masks and (len(indices) > 1 or accumulate or values.meta["val"].numel() > 1):
        raise NotCompiled("an assignment to a mask has a C++ lowering only for a single number")
    target = copy_of(t, node, whole)
    if masks:
        behind = masks[0].apply(aten.view.default, [*masks[0].shape, *[1] * (len(target.shape) - len(masks[0].shape))])
        value, where = (view.expanded(target.shape) for view in (t.view_of(values), behind))
        own, mask, one = (_offset(view, "i{}".format) for view in (target, where, value))
        body = _loop_headers(target.shape) + f"if (x1[{mask}]) y0[{own}] = x0[{one}];"
        t.emitter.call(body, [target], [value, where])
        return target
    aim = _AdvancedIndex(t, target, indices)
    source = t.view_of(values).expanded(aim.shape)
    line = f"y0[{{other}}] {'+=' if accumulate else '='} x0[{{own}}];"
    t.emitter.call(aim.loops(source, line, first=1), [target], [source, *aim.indices])
    return target


class _AdvancedIndex:
    """The numbers of an array selected by index arrays on some axes; the other axes are taken whole."""

    def __init__(self, t: Translation, whole: StridedView, indices: Sequence[fx.Node | None]) -> None:
        self.whole = whole
        found = {axis: t.view_of(x) for axis, x in enumerate(indices) if x is not None}
        if any(view.kind != "integer" for view in found.values()):
            raise NotCompiled("a mask as index has no C++ lowering")
        shape = torch.broadcast_shapes(*(view.shape for view in found.values()))
        self.indices = [view.expanded(shape) for view in found.values()]
        self.axes = [*found]
        together = self.axes == [*range(self.axes[0], self.axes[-1] + 1)]
        self.begin = self.axes[0] if together else 0  # axis of the result where the index axes begin
        others = [n for axis, n in enumerate(whole.shape) if axis not in found]
        self.shape = (*others[: self.begin], *shape, *others[self.begin :])
        self.depth = len(shape)

    def loops(self, own: StridedView, line: str, first: int) -> str:
        """Loops over the result around `line`: {own} becomes the offset in `own`, a view of the result's shape, {other}
        the offset in `whole`. The indices are x{first}, x{first + 1}, …
        """
        free = iter([a for a in range(len(self.shape)) if not self.begin <= a < self.begin + self.depth])
        terms = []
        for axis, (length, stride) in enumerate(zip(self.whole.shape, self.whole.strides, strict=True)):
            if axis in self.axes:
                i = self.axes.index(axis)
                at = _offset(self.indices[i], lambda a: f"i{a + self.begin}")
                terms.append(f"within(x{first + i}[{at}], {length}) * {stride}")
            else:
                terms.append(f"i{next(free)} * {stride}")
        return _loop_headers(self.shape) + line.format(own=_offset(own, "i{}".format), other=" + ".join(terms) or "0")


# ---- gather and scatter along one axis -------------------------------------------------------------------------------


@lowering(aten.gather)
def _gather(t: Translation, node: fx.Node, source: fx.Node, dim: int, index: fx.Node, **_: object) -> StridedView:
    view, at, target = t.view_of(source), t.view_of(index), t.new(node)
    t.emitter.call(
        _loops_along(target, view, at, dim % len(at.shape), "y0[{own}] = x0[{other}];"), [target], [view, at]
    )
    return target


@lowering(aten.scatter)
def _scatter(
    t: Translation, node: fx.Node, whole: fx.Node, dim: int, index: fx.Node, value: fx.Node | float, **_: object
) -> StridedView:
    target, at = copy_of(t, node, whole), t.view_of(index)
    if isinstance(value, fx.Node):
        source = t.view_of(value).expanded(at.shape)
        body = _loops_along(source, target, at, dim % len(at.shape), "y0[{other}] = x0[{own}];")
        t.emitter.call(body, [target], [source, at])
    else:
        body = _loops_along(
            at, target, at, dim % len(at.shape), f"y0[{{other}}] = {literal(value, target.kind)};", index="x0"
        )
        t.emitter.call(body, [target], [at])
    return target


@lowering(aten.scatter_add)
def _scatter_add(
    t: Translation, node: fx.Node, whole: fx.Node, dim: int, index: fx.Node, value: fx.Node
) -> StridedView:
    target, at = copy_of(t, node, whole), t.view_of(index)
    source = t.view_of(value).expanded(at.shape)
    body = _loops_along(source, target, at, dim % len(at.shape), "y0[{other}] += x0[{own}];")
    t.emitter.call(body, [target], [source, at])
    return target


def _loops_along(own: StridedView, other: StridedView, at: StridedView, dim: int, line: str, index: str = "x1") -> str:
    """Loops over an index array `at` around `line`: {own} becomes the offset in `own` at the same position, {other} the
    offset in `other` at the position with axis `dim` replaced by the index.
    """
    where = _offset(at, "i{}".format)
    pointed = _offset(other, lambda a: f"{index}[{where}]" if a == dim else f"i{a}")
    return _loop_headers(at.shape) + line.format(own=_offset(own, "i{}".format), other=pointed)


def _loop_headers(shape: Sequence[int]) -> str:
    return "".join(f"for (integer i{a} = 0; i{a} < {n}; ++i{a})\n" for a, n in enumerate(shape))


def _offset(view: StridedView, index: Callable[[int], str]) -> str:
    """The C++ offset in a view; `index` names the loop variable of each axis."""
    return " + ".join(f"{index(a)} * {s}" for a, s in enumerate(view.strides)) or "0"
