"""From the graph of one lane's gradient to C++: node after node, each by the form that fits it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from steepest.engine.native.loops import Loop, copied, filled, literal, reduced
from steepest.engine.native.places import Place, kind_of
from steepest.engine.native.pointwise import OPERATIONS, expression
from steepest.engine.native.writer import Writer, is_narrow
from steepest.optim.kernel import NotCompiled

aten = torch.ops.aten
PADDED = 16
"""Rows of a packed matrix are filled up to a multiple of so many numbers: at least a vector of any kind."""
READS = 24
"""Arrays that one loop reads at most."""
VIEWS = {
    aten.view,
    aten._unsafe_view,
    aten.reshape,
    aten.t,
    aten.transpose,
    aten.permute,
    aten.expand,
    aten.unsqueeze,
    aten.squeeze,
    aten.slice,
    aten.select,
    aten.split,
    aten.split_with_sizes,
    aten.unbind,
    aten.narrow,
    aten.diagonal,
    aten.detach,
    aten.alias,
}
SAME = {aten.clone, aten.contiguous, aten.lift_fresh_copy}
"""Copies, which are none here: nothing is ever changed once it is written."""


class Translation:
    """One graph on its way into a Writer."""

    def __init__(self, graph: fx.Graph, arguments: Mapping[fx.Node, Place], targets: Mapping[fx.Node, Place]) -> None:
        """`arguments` says where the inputs lie, `targets` where to leave the results."""
        self.writer = Writer()
        self.constants: list[Tensor] = []
        """What does not depend on the arguments, and is more than a number: buffers k0, k1, …"""
        self._values: dict[fx.Node, Any] = dict(arguments)  # Place, list of places, or _Constant
        self._loops: list[Loop] = []
        self._loop_of: dict[fx.Node, Loop] = {}
        self._products: dict[fx.Node, tuple[Place, Place]] = {}  # those that wait to be added to something
        self._packed: dict[Place, Place] = {}
        self._targets = _produced(targets)
        for node in graph.nodes:
            if node.op == "call_function":
                self._translate(node)
            elif node.op == "get_attr":
                module = graph.owning_module
                self._values[node] = _Constant(operator.attrgetter(str(node.target))(module).detach())
        for node, place in targets.items():
            self._leave(node, place)

    # ---- values ------------------------------------------------------------------------------------------------------

    def place(self, node: fx.Node) -> Place:
        """Where the value of a node lies, once all is written that it needs."""
        if node in self._loop_of:
            self._close(self._loop_of[node])
        if node in self._products:
            self._multiply(node, *self._products.pop(node))
        value = self._values[node]
        if isinstance(value, _Constant):
            value = self._values[node] = self._kept(value.tensor)
        return value

    def constant(self, node: fx.Node) -> Tensor | None:
        """The value of a node, if it does not depend on the arguments."""
        value = self._values.get(node)
        return value.tensor if isinstance(value, _Constant) else None

    def new(self, node: fx.Node) -> Place:
        """A place for the whole value of a node: the one where it is wanted, or a new one."""
        value: Tensor = node.meta["val"]
        return self._targets.get(node) or self.writer.new(kind_of(value.dtype), value.shape)

    def dense(self, node: fx.Node) -> Place:
        """The same, row after row."""
        value: Tensor = node.meta["val"]
        strides = Place.dense("", "", value.shape).strides
        return self._targets.get(node) or self.writer.new(kind_of(value.dtype), value.shape, strides)

    def _kept(self, tensor: Tensor) -> Place:
        kind = kind_of(tensor.dtype)
        number = _only_value(tensor)
        if number is not None:
            place = self.writer.new(kind, ())
            filled(self.writer, place, literal(number, kind))
            return place.expanded(tensor.shape)
        self.constants.append(tensor.contiguous() if kind != "integer" else tensor.long().contiguous())
        return Place.dense(f"k{len(self.constants) - 1}", kind, tensor.shape)

    def _leave(self, node: fx.Node, target: Place) -> None:
        value = self._values.get(node)
        number = _only_value(value.tensor) if isinstance(value, _Constant) else None
        if number is not None:
            filled(self.writer, target, literal(number, target.kind))
        elif (place := self.place(node)) != target and not (
            place.buffer == target.buffer and place.offset == target.offset
        ):
            copied(self.writer, place, target)

    # ---- nodes -------------------------------------------------------------------------------------------------------

    def _translate(self, node: fx.Node) -> None:
        if node.target is operator.getitem:
            self._values[node] = self._values[node.args[0]][node.args[1]]  # type: ignore[index]
            return
        packet = getattr(node.target, "overloadpacket", None)
        inputs = node.all_input_nodes
        if all(isinstance(self._values.get(x), _Constant) for x in inputs):
            self._values[node] = _Constant(self._evaluated(node))
        elif packet in (aten.full_like, aten.zeros_like, aten.ones_like):
            value = (
                {aten.zeros_like: 0, aten.ones_like: 1}.get(packet) if packet is not aten.full_like else node.args[1]
            )
            self._values[node] = _Constant(
                torch.full((), value, dtype=node.meta["val"].dtype).expand(node.meta["val"].shape)
            )  # type: ignore[arg-type]
        elif packet in VIEWS:
            self._values[node] = self._viewed(node)
        elif packet in SAME:
            self._values[node] = self.place(inputs[0])
        elif packet is aten.add and self._added(node):
            pass
        elif packet in OPERATIONS:
            self._join(node)
        elif packet in FORMS:
            self._values[node] = FORMS[packet](self, node, *node.args, **node.kwargs)
        else:
            raise NotCompiled(f"there is no form in C++ for {node.target}")

    def _evaluated(self, node: fx.Node) -> Tensor:
        def value(x: Any) -> Any:
            return self._values[x].tensor if isinstance(x, fx.Node) else x

        arguments, keywords = fx.node.map_aggregate(node.args, value), fx.node.map_aggregate(dict(node.kwargs), value)
        result = node.target(*arguments, **keywords)  # type: ignore[operator, misc]
        if not isinstance(result, Tensor):
            raise NotCompiled(f"{node.target} gives more than one constant")
        return result

    def _viewed(self, node: fx.Node) -> Any:
        source, *rest = node.args
        place = self.place(source)  # type: ignore[arg-type]
        try:
            return place.seen(node.target, *rest, **node.kwargs)  # type: ignore[arg-type]
        except RuntimeError:  # the numbers do not lie as the view would have them
            moved = self.writer.new(place.kind, place.shape, Place.dense("", "", place.shape).strides)
            copied(self.writer, place, moved)
            return moved.seen(node.target, *rest, **node.kwargs)  # type: ignore[arg-type]

    # ---- one by one --------------------------------------------------------------------------------------------------

    def _join(self, node: fx.Node) -> None:
        """Have an operation done in a loop that is open, or in a new one."""
        shape = tuple(node.meta["val"].shape)
        inputs = node.all_input_nodes
        mine = [self._loop_of[x] for x in inputs if x in self._loop_of]
        fitting = [loop for loop in (*mine, *reversed(self._loops)) if loop.shape == shape]
        loop = next((x for x in fitting if len(x._reads) + len(inputs) <= READS), None) or Loop(shape)
        named: dict[fx.Node, tuple[str, str]] = {}
        for x in inputs:
            if self._loop_of.get(x) is loop:
                named[x] = loop.nodes[x]
                continue
            value = self._values.get(x)
            number = _only_value(value.tensor) if isinstance(value, _Constant) else None
            if number is not None:
                kind = kind_of(value.tensor.dtype)  # type: ignore[union-attr]
                named[x] = literal(number, kind), kind
            else:
                place = self.place(x)
                named[x] = loop.read(place), place.kind
        found = expression(node, named)
        if found is None:
            raise NotCompiled(f"there is no form in C++ for {node.target} with such arguments")
        text, kind = found
        loop.add(node, kind, text)
        self._loop_of[node] = loop
        if loop not in self._loops:
            self._loops.append(loop)

    def finish(self, buffer: str) -> None:
        """Write all loops that read this buffer."""
        for loop in [*self._loops]:
            if any(place.buffer == buffer for place in loop._reads):
                self._close(loop)

    def _close(self, loop: Loop) -> None:
        self._loops.remove(loop)
        wanted = {
            node: self._targets.get(node) for node in loop.nodes if any(user not in loop.nodes for user in node.users)
        }
        for node in loop.nodes:
            del self._loop_of[node]
        self._values.update(loop.write(self.writer, wanted))

    # ---- products ----------------------------------------------------------------------------------------------------

    def product(self, node: fx.Node, a: fx.Node, b: fx.Node) -> Place | None:
        """[…, M, K] · […, K, N], now or when it is added to something."""
        places = self.place(a), self.place(b)
        users = [*node.users]
        if len(users) == 1 and getattr(users[0].target, "overloadpacket", None) is aten.add:
            self._products[node] = places
            return None
        self._multiply(node, *places)
        return self._values[node]

    def _added(self, node: fx.Node) -> bool:
        """Whether a sum is that of a product and an array of its shape: then it is the product's beginning."""
        if len(node.args) != 2 or node.kwargs or not all(isinstance(x, fx.Node) for x in node.args):
            return False
        for one, other in (node.args, node.args[::-1]):
            if one in self._products and other is not one and one.meta["val"].shape == node.meta["val"].shape:  # type: ignore
                if tuple(other.meta["val"].shape) != tuple(node.meta["val"].shape):  # type: ignore[union-attr]
                    continue
                places = self._products.pop(one)  # type: ignore[arg-type]
                self._multiply(node, *places, start=self.place(other))  # type: ignore[arg-type]
                return True
        return False

    def _multiply(self, node: fx.Node, a: Place, b: Place, start: Place | None = None) -> None:
        target = self.new(node)
        self._values[node] = target
        if start is not None:
            start = start.expanded(target.shape)
        if is_narrow(target.shape) and target.strides[-1] != 1:  # its columns are what vectors take
            a, b, target = (place.seen(aten.transpose.int, -1, -2) for place in (b, a, target))
            start = None if start is None else start.seen(aten.transpose.int, -1, -2)
        *_, m, k = a.shape
        n = b.shape[-1]
        b = self._with_dense_rows(b)
        if start is not None and start.strides[-1] != 1 and n > 1:
            copied(self.writer, start, target)
            start = target
        batch = target.shape[:-2]
        arrays = [target, a, b, *([start] if start is not None else [])]
        names = ["y0", "x0", "x1", "x2"]
        at = [
            name + "".join(f" + i{j} * {p.strides[j]}" for j in range(len(batch)) if p.strides[j])
            for name, p in zip(names, arrays, strict=False)
        ]
        begin = (f"x2{at[3][2:]}", start.strides[-2]) if start is not None else ("nullptr", 0)
        (am, ak), bk, cm = a.strides[-2:], b.strides[-2], target.strides[-2]
        if m == 1:
            cm = n
        call = f"product<T>({m}, {n}, {k}, {at[1]}, {am}, {ak}, {at[2]}, {bk}, {at[0]}, {cm}, {begin[0]}, {begin[1]});"
        body = "".join(f"for (integer i{j} = 0; i{j} < {size}; ++i{j})\n" for j, size in enumerate(batch)) + call
        self.writer.call(body, [target], arrays[1:])

    def _with_dense_rows(self, b: Place) -> Place:
        """A matrix […, K, N] whose rows lie without gaps, and may be read a little beyond their ends."""
        n = b.shape[-1]
        if (b.strides[-1] == 1 or n == 1) and (self.writer.is_own(b) or n % PADDED == 0):
            return b
        if b not in self._packed:
            *batch, k, _ = b.shape
            width = -(-n // PADDED) * PADDED
            shape = (*batch, k, width)
            target = self.writer.new(b.kind, shape, Place.dense("", "", shape).strides)
            to = "y0" + "".join(f" + i{j} * {target.strides[j]}" for j in range(len(batch)))
            from_ = "x0" + "".join(f" + i{j} * {b.strides[j]}" for j in range(len(batch)))
            call = f"pack<T>({k}, {n}, {from_}, {b.strides[-2]}, {b.strides[-1]}, {to}, {width});"
            body = "".join(f"for (integer i{j} = 0; i{j} < {size}; ++i{j})\n" for j, size in enumerate(batch)) + call
            self.writer.call(body, [target], [b])
            self._packed[b] = Place(target.buffer, b.kind, b.shape, target.strides)
        return self._packed[b]


class _Constant:
    """A value that does not depend on the arguments."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def _only_value(tensor: Tensor) -> float | int | bool | None:
    """The number that an array has everywhere, if there is one."""
    if tensor.numel() == 0:
        return None
    first = tensor.flatten()[0]
    return first.item() if bool((tensor == first).all()) else None


def _produced(targets: Mapping[fx.Node, Place]) -> dict[fx.Node, Place]:
    """For results that are views of something made just for them: where to make that, so that nothing is copied."""
    found = {}
    for node, place in targets.items():
        chain = []
        source = node
        while getattr(source.target, "overloadpacket", None) in VIEWS | SAME and len(source.users) == 1:
            chain.append(source)
            source = source.args[0]
        if len(source.users) != 1 or not isinstance(source.meta.get("val"), Tensor):
            continue
        made = Place.dense(place.buffer, place.kind, source.meta["val"].shape, place.offset)
        seen: Any = made
        try:
            for step in reversed(chain):
                if step.target.overloadpacket not in SAME:  # type: ignore[union-attr]
                    seen = seen.seen(step.target, *step.args[1:], **step.kwargs)  # type: ignore[arg-type]
        except RuntimeError:
            continue
        if (
            isinstance(seen, Place)
            and seen.strides_that_count == place.strides_that_count
            and seen.shape == place.shape
        ):
            found[source] = made
    return found


# ---- forms that are no loop over numbers one by one ------------------------------------------------------------------

Form = Callable[..., Any]
FORMS: dict[Any, Form] = {}


def form(*packets: Any) -> Callable[[Form], Form]:
    def register(function: Form) -> Form:
        FORMS.update(dict.fromkeys(packets, function))
        return function

    return register


@form(aten.mm, aten.bmm)
def _product(t: Translation, node: fx.Node, a: fx.Node, b: fx.Node) -> Any:
    return t.product(node, a, b)


@form(aten.addmm, aten.baddbmm)
def _product_and_start(t: Translation, node: fx.Node, start: fx.Node, a: fx.Node, b: fx.Node, **factors: Any) -> Place:
    if any(value != 1 for value in factors.values()):
        raise NotCompiled("there is no form in C++ for addmm with factors")
    t._multiply(node, t.place(a), t.place(b), t.place(start))
    return t._values[node]


@form(aten.sum, aten.mean, aten.amax, aten.amin, aten.any)
def _reduction(t: Translation, node: fx.Node, source: fx.Node, dims: Any = None, *rest: Any, **_: Any) -> Place:
    place = t.place(source)
    dims = [dims] if isinstance(dims, int) else dims
    axes = sorted(d % len(place.shape) for d in dims) if dims else [*range(len(place.shape))]
    target = t.new(node)
    name = node.target.overloadpacket.__name__  # type: ignore[union-attr]
    count = 1
    if name == "mean":
        for axis in axes:
            count *= place.shape[axis]
    keeps = len(target.shape) == len(place.shape)
    flat = target.seen(aten.squeeze.dims, axes) if keeps and axes else target
    reduced(t.writer, "sum" if name == "mean" else name, place, axes, flat, count)
    return target


@form(aten.cat)
def _joined(t: Translation, node: fx.Node, parts: Sequence[fx.Node], dim: int = 0) -> Place:
    target, begin = t.new(node), 0
    dim %= len(target.shape)
    for part in parts:
        place = t.place(part)
        length = part.meta["val"].shape[dim]
        copied(t.writer, place, target.seen(aten.slice.Tensor, dim, begin, begin + length))
        begin += length
    return target


@form(aten.copy_)
def _changed(t: Translation, node: fx.Node, target: fx.Node, source: fx.Node, *_: Any) -> Place:
    """An argument is changed, once all is done that asks for what it was."""
    place = t.place(target)
    t.finish(place.buffer)
    t._leave(source, place)
    return place


@form(aten.constant_pad_nd)
def _padded(t: Translation, node: fx.Node, source: fx.Node, pads: Sequence[int], value: float = 0.0) -> Place:
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
def _extreme(t: Translation, node: fx.Node, source: fx.Node, dim: int, keepdim: bool = False) -> list[Place]:
    """The largest (or smallest) along an axis, and the first place where it is."""
    place, sign = t.place(source), ">" if node.target.overloadpacket is aten.max else "<"  # type: ignore[union-attr]
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
    node: fx.Node,
    table: fx.Node,
    index: fx.Node,
    offsets: fx.Node,
    by_count: bool = False,
    mode: int = 0,
    sparse: bool = False,
    weights: Any = None,
    last: bool = False,
    padding: int = -1,
) -> list[Place | None]:
    """Sums, or means, of as many rows each."""
    starts, count = t.constant(offsets), index.meta["val"].numel()
    size = count // len(starts) if starts is not None else 0
    if starts is None or weights is not None or mode > 1 or padding >= 0 or starts.tolist() != [*range(0, count, size)]:
        raise NotCompiled("there is a form in C++ only for bags of one size, summed or averaged")
    target = t.writer.new("real", node.meta["val"][0].shape, Place.dense("", "", node.meta["val"][0].shape).strides)
    rows, at = _as_dense(t, t.place(table)), _as_dense(t, t.place(index))
    bags, width = target.shape
    body = (
        f"for (integer i = 0; i < {bags}; ++i) {{\n#pragma omp simd\nfor (integer j = 0; j < {width}; ++j) y0[i * {width} + j] = 0;\n"
        f"for (integer k = 0; k < {size}; ++k)\n#pragma omp simd\nfor (integer j = 0; j < {width}; ++j)\n"
        f"y0[i * {width} + j] += x0[x1[i * {size} + k] * {width} + j];\n"
    )
    if mode == 1:
        body += f"#pragma omp simd\nfor (integer j = 0; j < {width}; ++j) y0[i * {width} + j] /= {size};\n"
    t.writer.call(body + "}", [target], [rows, at])
    return [target, None, None, None]


@form(aten._embedding_bag_backward)
def _bags_backward(
    t: Translation,
    node: fx.Node,
    gradient: fx.Node,
    index: fx.Node,
    offsets: fx.Node,
    _bag: Any,
    _size: Any,
    _most: Any,
    count: int,
    by_count: bool,
    mode: int,
    *_: Any,
) -> Place:
    if by_count:
        raise NotCompiled("there is no form in C++ for gradients that are scaled by how often a row is met")
    above, at, target = _as_dense(t, t.place(gradient)), _as_dense(t, t.place(index)), t.dense(node)
    filled(t.writer, target, "0")
    bags, width = above.shape
    size = at.size // bags
    share = f" / {size}" if mode == 1 else ""
    body = (
        f"for (integer i = 0; i < {bags}; ++i)\nfor (integer k = 0; k < {size}; ++k)\n#pragma omp simd\n"
        f"for (integer j = 0; j < {width}; ++j) y0[x1[i * {size} + k] * {width} + j] += x0[i * {width} + j]{share};"
    )
    t.writer.call(body, [target], [above, at])
    return target


def _copy(t: Translation, node: fx.Node, source: fx.Node) -> Place:
    """A new array with the numbers of `source`, to be changed."""
    target = t.new(node)
    t._leave(source, target)
    return target


@form(aten.slice_scatter, aten.select_scatter)
def _with_part(t: Translation, node: fx.Node, whole: fx.Node, part: fx.Node, *where: Any, **named: Any) -> Place:
    target = _copy(t, node, whole)
    view = aten.slice.Tensor if node.target.overloadpacket is aten.slice_scatter else aten.select.int  # type: ignore
    copied(t.writer, t.place(part), target.seen(view, *where, **named))
    return target


@form(aten.embedding)
def _rows(t: Translation, node: fx.Node, table: fx.Node, index: fx.Node, *_: Any, **__: Any) -> Place:
    return _gathered_rows(t, node, t.place(table), t.place(index))


@form(aten.index)
def _indexed(t: Translation, node: fx.Node, table: fx.Node, indices: Sequence[Any]) -> Place:
    if len(indices) != 1:
        raise NotCompiled("there is no form in C++ for several indices")
    return _gathered_rows(t, node, t.place(table), t.place(indices[0]))


def _gathered_rows(t: Translation, node: fx.Node, table: Place, index: Place) -> Place:
    if index.kind != "integer":
        raise NotCompiled("there is no form in C++ for a mask as index")
    target = t.dense(node)
    table, index = _as_dense(t, table), _as_dense(t, index)
    width = table.size // table.shape[0]
    body = (
        f"for (integer i = 0; i < {index.size}; ++i)\n"
        f"for (integer j = 0; j < {width}; ++j) y0[i * {width} + j] = x0[x1[i] * {width} + j];"
    )
    t.writer.call(body, [target], [table, index])
    return target


@form(aten.index_put, aten._unsafe_index_put)
def _rows_added(
    t: Translation, node: fx.Node, whole: fx.Node, indices: Sequence[Any], values: fx.Node, accumulate: bool = False
) -> Place:
    if len(indices) != 1 or not accumulate:
        raise NotCompiled("there is no form in C++ for setting what is at an index")
    target, index = t.dense(node), _as_dense(t, t.place(indices[0]))
    t._leave(whole, target)
    width = target.size // target.shape[0]
    source = _as_dense(t, t.place(values).expanded((*index.shape, *target.shape[1:])))
    body = (
        f"for (integer i = 0; i < {index.size}; ++i)\n"
        f"for (integer j = 0; j < {width}; ++j) y0[x1[i] * {width} + j] += x0[i * {width} + j];"
    )
    t.writer.call(body, [target], [source, index])
    return target


@form(aten.gather)
def _picked(t: Translation, node: fx.Node, source: fx.Node, dim: int, index: fx.Node, **_: Any) -> Place:
    place, at, target = t.place(source), t.place(index), t.new(node)
    t.writer.call(_along(target, place, at, dim % len(at.shape), "y0[{own}] = x0[{other}];"), [target], [place, at])
    return target


@form(aten.scatter)
def _put(t: Translation, node: fx.Node, whole: fx.Node, dim: int, index: fx.Node, value: Any, **_: Any) -> Place:
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


def _as_dense(t: Translation, place: Place) -> Place:
    if place.is_dense:
        return place
    dense = t.writer.new(place.kind, place.shape, Place.dense("", "", place.shape).strides)
    copied(t.writer, place, dense)
    return dense
