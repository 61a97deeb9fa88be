"""From the graph of one lane's gradient to C++: node after node, each by the form that fits it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.node import map_aggregate

from steepest.codegen.elementwise_loop import NotCompiled
from steepest.codegen.emitter import Writer, is_narrow
from steepest.codegen.loops import Loop, copied, filled, literal
from steepest.codegen.pointwise import OPERATIONS, expression
from steepest.codegen.strided_view import Place, kind_of

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
LIKE: dict[Any, float] = {aten.full_like: 0, aten.zeros_like: 0, aten.ones_like: 1}
"""Arrays of one number, with the shape of another; the first says itself which."""
SAME = {aten.clone, aten.contiguous, aten.lift_fresh_copy}
"""Copies, which are none here: nothing is ever changed once it is written."""


class Translation:
    """One graph on its way into a Writer."""

    def __init__(self, graph: fx.Graph, arguments: Mapping[fx.Node, Place], targets: Mapping[fx.Node, Place]) -> None:
        """`arguments` says where the inputs lie, `targets` where to leave the results."""
        self.writer = Writer()
        self.constants: list[Tensor] = []
        """What does not depend on the arguments, and is more than a number: buffers k0, k1, …"""
        self.changed: set[str] = set()
        """Buffers of arguments that hold what they are to be left with."""
        self._values: dict[Any, Any] = dict(arguments)  # Place, list of places, or _Constant
        self._loops: list[Loop] = []
        self._loop_of: dict[Any, Loop] = {}
        self._products: dict[Any, tuple[Place, Place]] = {}  # those that wait to be added to something
        self._packed: dict[Place, Place] = {}
        self._targets = _produced(targets)
        for node in graph.nodes:
            if node.op == "call_function":
                self._translate(node)
            elif node.op == "get_attr":
                module = graph.owning_module
                self._values[node] = _Constant(operator.attrgetter(str(node.target))(module).detach())
        for node, place in targets.items():
            self.leave(node, place)

    # ---- values ------------------------------------------------------------------------------------------------------

    def place(self, node: Any) -> Place:
        """Where the value of a node lies, once all is written that it needs."""
        if node in self._loop_of:
            self._close(self._loop_of[node])
        if node in self._products:
            self.multiply(node, *self._products.pop(node))
        value = self._values[node]
        if isinstance(value, _Constant):
            value = self._values[node] = self.kept(value.tensor)
        return value

    def constant(self, node: Any) -> Tensor | None:
        """The value of a node, if it does not depend on the arguments."""
        value = self._values.get(node)
        return value.tensor if isinstance(value, _Constant) else None

    def new(self, node: Any) -> Place:
        """A place for the whole value of a node: the one where it is wanted, or a new one."""
        value: Tensor = node.meta["val"]
        return self._targets.get(node) or self.writer.new(kind_of(value.dtype), value.shape)

    def dense(self, node: Any) -> Place:
        """The same, row after row."""
        value: Tensor = node.meta["val"]
        return self._targets.get(node) or self.writer.dense(kind_of(value.dtype), value.shape)

    def kept(self, tensor: Tensor) -> Place:
        """Where an array lies that does not depend on the arguments."""
        kind = kind_of(tensor.dtype)
        number = _only_value(tensor)
        if number is not None:
            place = self.writer.new(kind, ())
            filled(self.writer, place, literal(number, kind))
            return place.expanded(tensor.shape)
        self.constants.append(tensor.contiguous() if kind != "integer" else tensor.long().contiguous())
        return Place.dense(f"k{len(self.constants) - 1}", kind, tensor.shape)

    def leave(self, node: Any, target: Place) -> None:
        """Have the value of a node at a place, wherever else it may be."""
        value = self._values.get(node)
        number = _only_value(value.tensor) if isinstance(value, _Constant) else None
        if number is not None:
            filled(self.writer, target, literal(number, target.kind))
        elif (place := self.place(node)) != target and not (
            place.buffer == target.buffer and place.offset == target.offset
        ):
            copied(self.writer, place, target)

    # ---- nodes -------------------------------------------------------------------------------------------------------

    def _translate(self, node: Any) -> None:
        if node.target is operator.getitem:
            self._values[node] = self._values[node.args[0]][node.args[1]]
            return
        packet = getattr(node.target, "overloadpacket", None)
        inputs = node.all_input_nodes
        if all(isinstance(self._values.get(x), _Constant) for x in inputs):
            self._values[node] = _Constant(self._evaluated(node))
        elif packet in LIKE:
            value: Tensor = node.meta["val"]
            number = node.args[1] if packet is aten.full_like else LIKE[packet]
            self._values[node] = _Constant(torch.full((), number, dtype=value.dtype).expand(value.shape))
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

    def _evaluated(self, node: Any) -> Tensor:
        def value(x: Any) -> Any:
            return self._values[x].tensor if isinstance(x, fx.Node) else x

        arguments, keywords = map_aggregate(node.args, value), map_aggregate(dict(node.kwargs), value)
        result = node.target(*arguments, **keywords)
        if not isinstance(result, Tensor):
            raise NotCompiled(f"{node.target} gives more than one constant")
        return result

    def _viewed(self, node: Any) -> Any:
        source, *rest = node.args
        place = self.place(source)
        try:
            return place.seen(node.target, *rest, **node.kwargs)
        except RuntimeError:  # the numbers do not lie as the view would have them
            moved = dense(self, place)
            return moved.seen(node.target, *rest, **node.kwargs)

    # ---- one by one --------------------------------------------------------------------------------------------------

    def _join(self, node: Any) -> None:
        """Have an operation done in a loop that is open, or in a new one."""
        shape = tuple(node.meta["val"].shape)
        inputs = node.all_input_nodes
        mine = [self._loop_of[x] for x in inputs if x in self._loop_of]
        fitting = [loop for loop in (*mine, *reversed(self._loops)) if loop.shape == shape]
        loop = next((x for x in fitting if len(x.reads) + len(inputs) <= READS), None) or Loop(shape)
        named: dict[fx.Node, tuple[str, str]] = {}
        for x in inputs:
            if self._loop_of.get(x) is loop:
                named[x] = loop.nodes[x]
                continue
            value = self._values.get(x)
            number = _only_value(value.tensor) if isinstance(value, _Constant) else None
            if number is not None:
                kind = kind_of(x.meta["val"].dtype)
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
            if any(place.buffer == buffer for place in loop.reads):
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

    def product(self, node: Any, a: Any, b: Any) -> Place | None:
        """[…, M, K] · […, K, N], now or when it is added to something."""
        places = self.place(a), self.place(b)
        users = [*node.users]
        if len(users) == 1 and getattr(users[0].target, "overloadpacket", None) is aten.add:
            self._products[node] = places
            return None
        return self.multiply(node, *places)

    def _added(self, node: Any) -> bool:
        """Whether a sum is that of a product and an array of its shape: then it is the product's beginning."""
        if len(node.args) != 2 or node.kwargs or not all(isinstance(x, fx.Node) for x in node.args):
            return False
        for one, other in (node.args, node.args[::-1]):
            if one in self._products and other is not one and one.meta["val"].shape == node.meta["val"].shape:
                if tuple(other.meta["val"].shape) != tuple(node.meta["val"].shape):
                    continue
                places = self._products.pop(one)
                self.multiply(node, *places, start=self.place(other))
                return True
        return False

    def multiply(self, node: Any, a: Place, b: Place, start: Place | None = None) -> Place:
        """Write the product, with what it is added to."""
        result = target = self._values[node] = self.new(node)
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
        return result

    def _with_dense_rows(self, b: Place) -> Place:
        """A matrix […, K, N] whose rows lie without gaps, and may be read a little beyond their ends."""
        n = b.shape[-1]
        if (b.strides[-1] == 1 or n == 1) and (self.writer.is_own(b) or n % PADDED == 0):
            return b
        if b not in self._packed:
            *batch, k, _ = b.shape
            width = -(-n // PADDED) * PADDED
            shape = (*batch, k, width)
            target = self.writer.dense(b.kind, shape)
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
        source: Any = node
        while getattr(source.target, "overloadpacket", None) in VIEWS | SAME and len(source.users) == 1:
            chain.append(source)
            source = source.args[0]
        if len(source.users) != 1 or not isinstance(source.meta.get("val"), Tensor):
            continue
        made = Place.dense(place.buffer, place.kind, source.meta["val"].shape, place.offset)
        seen: Any = made
        try:
            for step in reversed(chain):
                if step.target.overloadpacket not in SAME:
                    seen = seen.seen(step.target, *step.args[1:], **step.kwargs)
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
"""(translation, node, *arguments) → where the value lies, by operation; None where it waits to be added to another."""


def form(*packets: Any) -> Callable[[Form], Form]:
    """Make a function the form of these operations."""

    def register(function: Form) -> Form:
        FORMS.update(dict.fromkeys(packets, function))
        return function

    return register


def dense(t: Translation, place: Place) -> Place:
    """The same numbers without gaps."""
    if place.is_dense:
        return place
    moved = t.writer.dense(place.kind, place.shape)
    copied(t.writer, place, moved)
    return moved
