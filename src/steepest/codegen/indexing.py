"""What is looked up, or put, where numbers that the step computes point to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx

from steepest.codegen.elementwise_loop import NotCompiled
from steepest.codegen.loops import filled, literal
from steepest.codegen.lowerings import copy_of
from steepest.codegen.strided_view import Place
from steepest.codegen.translate import Translation, dense, form

aten = torch.ops.aten


# ---- rows of tables --------------------------------------------------------------------------------------------------


@form(aten.embedding)
def _rows(t: Translation, node: Any, table: Any, index: Any, *_: Any, **__: Any) -> Place:
    return _gathered_rows(t, node, t.place(table), t.place(index))


def _gathered_rows(t: Translation, node: Any, table: Place, index: Place) -> Place:
    target = t.dense(node)
    table, index = dense(t, table), dense(t, index)
    width = table.size // table.shape[0]
    body = (
        f"for (integer i = 0; i < {index.size}; ++i)\n"
        f"for (integer j = 0; j < {width}; ++j) y0[i * {width} + j] = x0[x1[i] * {width} + j];"
    )
    t.writer.call(body, [target], [table, index])
    return target


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


# ---- any axes --------------------------------------------------------------------------------------------------------


@form(aten.index)
def _indexed(t: Translation, node: Any, table: Any, indices: Sequence[Any]) -> Place:
    aim, target = _Aim(t, t.place(table), indices), t.new(node)
    t.writer.call(aim.loops(target, "y0[{own}] = x0[{other}];", first=1), [target], [aim.whole, *aim.indices])
    return target


@form(aten.index_put, aten._unsafe_index_put)
def _put_at(
    t: Translation, node: Any, whole: Any, indices: Sequence[Any], values: Any, accumulate: bool = False
) -> Place:
    masks = [t.place(x) for x in indices if x is not None and x.meta["val"].dtype is torch.bool]
    if masks and (len(indices) > 1 or accumulate or values.meta["val"].numel() > 1):
        raise NotCompiled("there is a form in C++ only for a mask behind which one number is put")
    target = copy_of(t, node, whole)
    if masks:
        behind = masks[0].seen(aten.view.default, [*masks[0].shape, *[1] * (len(target.shape) - len(masks[0].shape))])
        value, where = (place.expanded(target.shape) for place in (t.place(values), behind))
        own, mask, one = (_terms(place, "i{}".format) for place in (target, where, value))
        body = _nest(target.shape) + f"if (x1[{mask}]) y0[{own}] = x0[{one}];"
        t.writer.call(body, [target], [value, where])
        return target
    aim = _Aim(t, target, indices)
    source = t.place(values).expanded(aim.shape)
    line = f"y0[{{other}}] {'+=' if accumulate else '='} x0[{{own}}];"
    t.writer.call(aim.loops(source, line, first=1), [target], [source, *aim.indices])
    return target


class _Aim:
    """The numbers of an array that several indices point to, some axes perhaps taken whole."""

    def __init__(self, t: Translation, whole: Place, indices: Sequence[Any]) -> None:
        self.whole = whole
        found = {axis: t.place(x) for axis, x in enumerate(indices) if x is not None}
        if any(place.kind != "integer" for place in found.values()):
            raise NotCompiled("there is no form in C++ for a mask as index")
        shape = torch.broadcast_shapes(*(place.shape for place in found.values()))
        self.indices = [place.expanded(shape) for place in found.values()]
        self.axes = [*found]
        together = self.axes == [*range(self.axes[0], self.axes[-1] + 1)]
        self.begin = self.axes[0] if together else 0  # where the axes of the indices stand in the result
        others = [n for axis, n in enumerate(whole.shape) if axis not in found]
        self.shape = (*others[: self.begin], *shape, *others[self.begin :])
        self.depth = len(shape)

    def loops(self, own: Place, line: str, first: int) -> str:
        """Loops over the result, in which `own` lies; the indices are x{first}, x{first + 1}, …"""
        free = iter([a for a in range(len(self.shape)) if not self.begin <= a < self.begin + self.depth])
        terms = []
        for axis, (length, stride) in enumerate(zip(self.whole.shape, self.whole.strides, strict=True)):
            if axis in self.axes:
                i = self.axes.index(axis)
                at = _terms(self.indices[i], lambda a: f"i{a + self.begin}")
                terms.append(f"within(x{first + i}[{at}], {length}) * {stride}")
            else:
                terms.append(f"i{next(free)} * {stride}")
        return _nest(self.shape) + line.format(own=_terms(own, "i{}".format), other=" + ".join(terms) or "0")


# ---- along one axis --------------------------------------------------------------------------------------------------


@form(aten.gather)
def _picked(t: Translation, node: Any, source: Any, dim: int, index: Any, **_: Any) -> Place:
    place, at, target = t.place(source), t.place(index), t.new(node)
    t.writer.call(_along(target, place, at, dim % len(at.shape), "y0[{own}] = x0[{other}];"), [target], [place, at])
    return target


@form(aten.scatter)
def _put(t: Translation, node: Any, whole: Any, dim: int, index: Any, value: Any, **_: Any) -> Place:
    target, at = copy_of(t, node, whole), t.place(index)
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
    where = _terms(at, "i{}".format)
    pointed = _terms(other, lambda a: f"{index}[{where}]" if a == dim else f"i{a}")
    return _nest(at.shape) + line.format(own=_terms(own, "i{}".format), other=pointed)


def _nest(shape: Sequence[int]) -> str:
    return "".join(f"for (integer i{a} = 0; i{a} < {n}; ++i{a})\n" for a, n in enumerate(shape))


def _terms(place: Place, index: Callable[[int], str]) -> str:
    """Which number of a place is meant, from what the index along each axis is called."""
    return " + ".join(f"{index(a)} * {s}" for a, s in enumerate(place.strides)) or "0"
