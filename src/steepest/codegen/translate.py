"""Translates a graph of torch operations to C++, node by node: pointwise operations are gathered into loops, views cost
nothing, and every other operation has a lowering. Apart from `lowerings` and its kin, which register themselves here.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch._ops import OpOverloadPacket
from torch.fx.node import Argument, map_aggregate

from steepest.codegen.elementwise_loop import NotCompiled
from steepest.codegen.emitter import Emitter, is_narrow
from steepest.codegen.loops import Loop, emit_copy, emit_fill, literal
from steepest.codegen.pointwise import POINTWISE_OPS, expression
from steepest.codegen.strided_view import Kind, StridedView, kind_of
from steepest.codegen.torch_calls import TorchCall

aten = torch.ops.aten
ROW_MULTIPLE = 16
"""The rows of a packed matrix are padded to a multiple of this many numbers, which fill a vector of any type."""
MAX_LOOP_READS = 24
"""Arrays that one loop may read."""
VIEW_OPS = {
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
FILL_OPS: dict[OpOverloadPacket, float] = {aten.full_like: 0, aten.zeros_like: 0, aten.ones_like: 1}
"""Operations that fill an array of a given shape with one number; `full_like` takes the number as an argument."""
COPY_OPS = {aten.clone, aten.contiguous, aten.lift_fresh_copy}
"""Copies, which need no code: nothing is changed once it is written."""

Value = StridedView | Sequence[StridedView | None] | None
"""Where the value of a node lies; several for a node with several outputs; None where nothing needs it."""


def packet_of(node: fx.Node) -> OpOverloadPacket | None:
    """The operation that a node calls, regardless of its overload."""
    return getattr(node.target, "overloadpacket", None)


class Translation:
    """Translates one graph into the text of an Emitter."""

    def __init__(
        self,
        graph: fx.Graph,
        arguments: Mapping[fx.Node, StridedView],
        targets: Mapping[fx.Node, StridedView],
        may_call_torch: bool = False,
    ) -> None:
        """`arguments` says where the inputs lie, `targets` where to write the results. Raises NotCompiled for an
        operation without a C++ form, unless the program `may_call_torch` to do it.
        """
        self._may_call_torch = may_call_torch
        self.emitter = Emitter()
        self.constants: list[Tensor] = []
        """Arrays that do not depend on the arguments: buffers k0, k1, …"""
        self.torch_calls: list[TorchCall] = []
        """What torch does, by its number in the program: each call once, however often it is made."""
        self._numbers: dict[str, int] = {}
        self.overwritten: set[str] = set()
        """Buffers of arguments that already hold their final values."""
        self._values: dict[fx.Node, Value | _Constant] = dict(arguments)
        self._loops: list[Loop] = []
        self._loop_of: dict[fx.Node, Loop] = {}
        self._products: dict[fx.Node, tuple[StridedView, StridedView]] = {}  # not yet emitted: an addition may follow
        self._packed: dict[StridedView, StridedView] = {}
        self._targets = _producers(targets)
        for node in graph.nodes:
            if node.op == "call_function":
                self._translate(node)
            elif node.op == "get_attr":
                module = graph.owning_module
                self._values[node] = _Constant(operator.attrgetter(str(node.target))(module).detach())
        for node, view in targets.items():
            self.store(node, view)

    # ---- values ------------------------------------------------------------------------------------------------------

    def view_of(self, node: fx.Node) -> StridedView:
        """Where the value of a node lies; first emits the loop or product that computes it."""
        if node in self._loop_of:
            self._emit_loop(self._loop_of[node])
        if node in self._products:
            self.emit_product(node, *self._products.pop(node))
        value = self._values[node]
        if isinstance(value, _Constant):
            value = self._values[node] = self.constant_view(value.tensor)
        if not isinstance(value, StridedView):
            raise NotCompiled(f"{node.target} does not return exactly one array")
        return value

    def constant(self, node: fx.Node) -> Tensor | None:
        """The value of a node, if it does not depend on the arguments."""
        value = self._values.get(node)
        return value.tensor if isinstance(value, _Constant) else None

    def new(self, node: fx.Node) -> StridedView:
        """Where to write the value of a node: its target if it is a result of the graph, else a new buffer."""
        value: Tensor = node.meta["val"]
        return self._targets.get(node) or self.emitter.new(kind_of(value.dtype), value.shape)

    def new_contiguous(self, node: fx.Node) -> StridedView:
        """As `new`, but a new buffer is contiguous in any case."""
        value: Tensor = node.meta["val"]
        return self._targets.get(node) or self.emitter.new_contiguous(kind_of(value.dtype), value.shape)

    def constant_view(self, tensor: Tensor) -> StridedView:
        """Where an array that does not depend on the arguments lies; one that holds a single number costs nothing."""
        kind = kind_of(tensor.dtype)
        number = _uniform_value(tensor)
        if number is not None:
            view = self.emitter.new(kind, ())
            emit_fill(self.emitter, view, literal(number, kind))
            return view.expanded(tensor.shape)
        self.constants.append(tensor.contiguous() if kind != "integer" else tensor.long().contiguous())
        return StridedView.contiguous(f"k{len(self.constants) - 1}", kind, tensor.shape)

    def store(self, node: fx.Node, target: StridedView) -> None:
        """Write the value of a node to `target`, unless it lies there already."""
        value = self._values.get(node)
        number = _uniform_value(value.tensor) if isinstance(value, _Constant) else None
        if number is not None:
            emit_fill(self.emitter, target, literal(number, target.kind))
        elif (view := self.view_of(node)) != target and not (
            view.buffer == target.buffer and view.offset == target.offset
        ):
            emit_copy(self.emitter, view, target)

    # ---- nodes -------------------------------------------------------------------------------------------------------

    def _translate(self, node: fx.Node) -> None:
        packet, inputs = packet_of(node), node.all_input_nodes
        if node.target is operator.getitem:
            whole, index = node.args
            self._values[node] = self._values[whole][index]  # type: ignore[index]
            return
        if all(isinstance(self._values.get(x), _Constant) for x in inputs):
            self._values[node] = _Constant(self._evaluated(node))
        elif packet in FILL_OPS:
            value: Tensor = node.meta["val"]
            number: Any = node.args[1] if packet is aten.full_like else FILL_OPS[packet]
            self._values[node] = _Constant(torch.full((), number, dtype=value.dtype).expand(value.shape))
        elif packet in VIEW_OPS:
            self._values[node] = self._viewed(node)
        elif packet in COPY_OPS:
            self._values[node] = self.view_of(inputs[0])
        else:
            try:
                self._lower(node)
            except (AttributeError, IndexError, KeyError, NotCompiled, RuntimeError, TypeError, ValueError) as reason:
                self._values[node] = self._by_torch(node, reason)

    def _lower(self, node: fx.Node) -> None:
        """Raises NotCompiled, or what a lowering raises for arguments that it does not know."""
        packet = packet_of(node)
        if packet is aten.add and self._fuse_add(node):
            return
        if packet in POINTWISE_OPS:
            self._add_to_loop(node)
        elif packet in LOWERINGS:
            self._values[node] = LOWERINGS[packet](self, node, *node.args, **node.kwargs)
        else:
            raise NotCompiled(f"{node.target} has no C++ lowering")

    def _by_torch(self, node: fx.Node, reason: Exception) -> Value:
        """Have torch do an operation that has no C++ form, on contiguous arrays. Raises the reason where it cannot."""
        if not self._may_call_torch:
            raise reason
        try:
            call = TorchCall(node)
        except NotCompiled:
            raise reason from None
        read = [contiguous(self, self.view_of(x)) for x in call.inputs]
        made = [x and self.emitter.new_contiguous(kind_of(x[1]), x[0]) for x in call.results]
        written = [x for x in made if x is not None]
        names = [*(f"y{i}" for i in range(len(written))), *(f"x{i}" for i in range(len(read)))]
        addresses = ", ".join(f"(void *){name}" for name in names)
        number = self._numbers.setdefault(str(call), len(self.torch_calls))
        if number == len(self.torch_calls):
            self.torch_calls.append(call)
        self.emitter.call(
            f"// {call}\nvoid *at[] = {{{addresses}}};\nif (by_torch({number}, at)) throw integer({number});",
            written,
            read,
        )
        return made[0] if isinstance(node.meta["val"], Tensor) else made

    def _evaluated(self, node: fx.Node) -> Tensor:
        """The value of a node whose inputs are all constants."""

        def value(x: Argument) -> Argument:
            known = self._values[x] if isinstance(x, fx.Node) else None
            return known.tensor if isinstance(known, _Constant) else x

        arguments: Any = map_aggregate(node.args, value)
        keywords: Any = map_aggregate(dict(node.kwargs), value)
        result = node.target(*arguments, **keywords)  # type: ignore[operator]
        if not isinstance(result, Tensor):
            raise NotCompiled(f"{node.target} returns more than one constant")
        return result

    def _viewed(self, node: fx.Node) -> StridedView | list[StridedView]:
        view = self.view_of(node.args[0])  # type: ignore[arg-type]
        try:
            return _apply(node, view)
        except RuntimeError:  # strides do not allow the view
            return _apply(node, contiguous(self, view))

    # ---- pointwise operations ----------------------------------------------------------------------------------------

    def _add_to_loop(self, node: fx.Node) -> None:
        """Add a pointwise operation to a loop that is not emitted yet, or to a new one."""
        shape = tuple(node.meta["val"].shape)
        inputs = node.all_input_nodes
        mine = [self._loop_of[x] for x in inputs if x in self._loop_of]
        fitting = [loop for loop in (*mine, *reversed(self._loops)) if loop.shape == shape]
        loop = next((x for x in fitting if len(x.reads) + len(inputs) <= MAX_LOOP_READS), None) or Loop(shape)
        named: dict[fx.Node, tuple[str, Kind]] = {}
        for x in inputs:
            if self._loop_of.get(x) is loop:
                named[x] = loop.nodes[x]
                continue
            value = self._values.get(x)
            number = _uniform_value(value.tensor) if isinstance(value, _Constant) else None
            if number is not None:
                kind = kind_of(x.meta["val"].dtype)
                named[x] = literal(number, kind), kind
            else:
                view = self.view_of(x)
                named[x] = loop.read(view), view.kind
        found = expression(node, named)
        if found is None:
            raise NotCompiled(f"{node.target} has no C++ lowering for these arguments")
        text, kind = found
        loop.add(node, kind, text)
        self._loop_of[node] = loop
        if loop not in self._loops:
            self._loops.append(loop)

    def flush_readers(self, buffer: str) -> None:
        """Emit all loops that read this buffer, before it is overwritten."""
        for loop in [*self._loops]:
            if any(view.buffer == buffer for view in loop.reads):
                self._emit_loop(loop)

    def _emit_loop(self, loop: Loop) -> None:
        self._loops.remove(loop)
        wanted = {
            node: self._targets.get(node) for node in loop.nodes if any(user not in loop.nodes for user in node.users)
        }
        for node in loop.nodes:
            del self._loop_of[node]
        self._values.update(loop.emit(self.emitter, wanted))

    # ---- products ----------------------------------------------------------------------------------------------------

    def product(self, node: fx.Node, a: fx.Node, b: fx.Node) -> StridedView | None:
        """[…, M, K] · […, K, N]: emitted now, or together with the addition that follows."""
        views = self.view_of(a), self.view_of(b)
        users = [*node.users]
        if len(users) == 1 and packet_of(users[0]) is aten.add:
            self._products[node] = views
            return None
        return self.emit_product(node, *views)

    def _fuse_add(self, node: fx.Node) -> bool:
        """Emit product + array as one call, if a node adds an array to a product of the same shape."""
        if len(node.args) != 2 or node.kwargs:
            return False
        shape = tuple(node.meta["val"].shape)
        for one, other in (node.args, node.args[::-1]):
            if not isinstance(one, fx.Node) or not isinstance(other, fx.Node):
                return False
            if one in self._products and other is not one:
                if any(tuple(x.meta["val"].shape) != shape for x in (one, other)):
                    continue
                views = self._products.pop(one)
                self.emit_product(node, *views, start=self.view_of(other))
                return True
        return False

    def emit_product(
        self, node: fx.Node, a: StridedView, b: StridedView, start: StridedView | None = None
    ) -> StridedView:
        """Emit start + a · b."""
        result = target = self._values[node] = self.new(node)
        if start is not None:
            start = start.expanded(target.shape)
        if is_narrow(target.shape) and target.strides[-1] != 1:  # compute the transpose: its rows fill vectors
            a, b, target = (view.apply(aten.transpose.int, -1, -2) for view in (b, a, target))
            start = None if start is None else start.apply(aten.transpose.int, -1, -2)
        *_, m, k = a.shape
        n = b.shape[-1]
        b = self._with_padded_rows(b)
        if start is not None and start.strides[-1] != 1 and n > 1:
            emit_copy(self.emitter, start, target)
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
        self.emitter.call(body, [target], arrays[1:])
        return result

    def _with_padded_rows(self, b: StridedView) -> StridedView:
        """The matrix […, K, N] with contiguous rows that may be read a vector beyond their ends."""
        n = b.shape[-1]
        if (b.strides[-1] == 1 or n == 1) and (self.emitter.owns(b) or n % ROW_MULTIPLE == 0):
            return b
        if b not in self._packed:
            *batch, k, _ = b.shape
            width = -(-n // ROW_MULTIPLE) * ROW_MULTIPLE
            shape = (*batch, k, width)
            target = self.emitter.new_contiguous(b.kind, shape)
            to = "y0" + "".join(f" + i{j} * {target.strides[j]}" for j in range(len(batch)))
            from_ = "x0" + "".join(f" + i{j} * {b.strides[j]}" for j in range(len(batch)))
            call = f"pack<T>({k}, {n}, {from_}, {b.strides[-2]}, {b.strides[-1]}, {to}, {width});"
            body = "".join(f"for (integer i{j} = 0; i{j} < {size}; ++i{j})\n" for j, size in enumerate(batch)) + call
            self.emitter.call(body, [target], [b])
            self._packed[b] = StridedView(target.buffer, b.kind, b.shape, target.strides)
        return self._packed[b]


class _Constant:
    """A value that does not depend on the arguments."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def _uniform_value(tensor: Tensor) -> float | int | bool | None:
    """The number that all elements of an array equal, if there is one."""
    if tensor.numel() == 0:
        return None
    first = tensor.flatten()[0]
    return first.item() if bool((tensor == first).all()) else None


def _producers(targets: Mapping[fx.Node, StridedView]) -> dict[fx.Node, StridedView]:
    """Results that are views of another node's value, used nowhere else: where to write that value, so that nothing is
    copied.
    """
    found = {}
    for node, view in targets.items():
        chain, source = [], node
        while packet_of(source) in VIEW_OPS | COPY_OPS and len(source.users) == 1:
            chain.append(source)
            source = source.all_input_nodes[0]
        if len(source.users) != 1 or not isinstance(source.meta.get("val"), Tensor):
            continue
        made = StridedView.contiguous(view.buffer, view.kind, source.meta["val"].shape, view.offset)
        result: StridedView | list[StridedView] = made
        try:
            for step in reversed(chain):
                if packet_of(step) not in COPY_OPS and isinstance(result, StridedView):
                    result = _apply(step, result)
        except RuntimeError:
            continue
        if (
            isinstance(result, StridedView)
            and result.significant_strides == view.significant_strides
            and result.shape == view.shape
        ):
            found[source] = made
    return found


def _apply(node: fx.Node, view: StridedView) -> StridedView | list[StridedView]:
    """The result of the view operation that a node calls, on `view` in place of its first argument."""
    apply = view.apply if isinstance(node.meta["val"], Tensor) else view.split
    return apply(node.target, *node.args[1:], **node.kwargs)  # type: ignore[arg-type]


# ---- lowerings of all other operations -------------------------------------------------------------------------------

Lowering = Callable[..., Value]
LOWERINGS: dict[OpOverloadPacket, Lowering] = {}
"""(translation, node, *arguments) → where the value lies, by operation; None for a product that is not emitted yet."""


def lowering(*packets: OpOverloadPacket) -> Callable[[Lowering], Lowering]:
    """Register a function as the lowering of these operations."""

    def register(function: Lowering) -> Lowering:
        LOWERINGS.update(dict.fromkeys(packets, function))
        return function

    return register


def contiguous(t: Translation, view: StridedView) -> StridedView:
    """The same numbers without gaps: the view itself, or a copy."""
    if view.is_contiguous:
        return view
    moved = t.emitter.new_contiguous(view.kind, view.shape)
    emit_copy(t.emitter, view, moved)
    return moved
