"""Trains lanes by one generated C++ program: batch, gradient and update of a lane, step after step, all within the
nearest cache; then the next lane. Compiling takes a second or two.
"""

from collections.abc import Sequence
from ctypes import CDLL, c_longlong, c_void_p
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, fx

from steepest.codegen import convolutions, indexing, lowerings, pooling  # noqa: F401  registers their lowerings
from steepest.codegen.elementwise_loop import NUMBER_TYPES, NotCompiled
from steepest.codegen.emitter import CACHE_LINE_BYTES, KERNELS_HEADER, buffer_bytes
from steepest.codegen.strided_view import CPP_TYPES, Kind, StridedView, kind_of
from steepest.codegen.toolchain import NoCompiler, load
from steepest.codegen.torch_calls import CALLBACK, Caller
from steepest.codegen.translate import Translation
from steepest.engine.compiled.random_ops import Drawn, RandomOps
from steepest.engine.layout import Layout

COMPILER_FLAGS = ("-ffp-contract=fast", "-fno-signed-zeros", "-Wno-psabi")
FIXED_POINTERS = 4
"""Addresses at the start of a lane's row, before those of columns, extras, random numbers and updated tensors."""
MAX_GRAPH_NODES = 6000
"""Nodes of a graph; the C++ of a larger one would take minutes to compile."""


@dataclass(frozen=True)
class Column:
    """One column of a batch: its kind, the numbers of an example, and whether the gradient needs it."""

    kind: Kind
    width: int
    is_used: bool


class GradientProgram:
    """The compiled gradient of one task, batch size and precision."""

    def __init__(
        self,
        graph: fx.Graph,
        layout: Layout,
        extras: int,
        batch: Sequence[Tensor],  # inputs and targets, each [B, …]
        dtype: torch.dtype,
        drawn: Sequence[Drawn] = (),
    ) -> None:
        """`graph`: (*parameters, *extras, *batch) → loss, *gradients; `drawn`: see `RandomOps`. Raises NotCompiled."""
        if dtype not in NUMBER_TYPES:
            raise NotCompiled(f"compiled programs support float32 and float64 on the CPU, not {dtype}")
        if len(graph.nodes) > MAX_GRAPH_NODES:
            raise NotCompiled(f"a step has {len(graph.nodes):,} calls; at most {MAX_GRAPH_NODES:,} are compiled")
        self.length, self.dtype, self.batch_size = sum(layout.sizes), dtype, len(batch[0])
        self.random_ops = RandomOps(graph, dtype, drawn)
        views: dict[fx.Node, StridedView] = {**self.random_ops.views}
        inputs = [node for node in graph.nodes if node.op == "placeholder" and node not in views]
        count = len(layout.shapes)
        offsets = np.cumsum([0, *layout.sizes]).tolist()
        for node, shape, offset in zip(inputs, layout.shapes.values(), offsets, strict=False):
            views[node] = StridedView.contiguous("w", "real", shape, offset)
        for i, node in enumerate(inputs[count : count + extras]):
            value = node.meta["val"]
            views[node] = StridedView.contiguous(f"e{i}", kind_of(value.dtype), value.shape)
        self.columns = []
        for i, node in enumerate(inputs[count + extras :]):
            value = node.meta["val"]
            view = views[node] = StridedView.contiguous(f"x{i}", kind_of(value.dtype), value.shape)
            self.columns.append(Column(view.kind, view.size // self.batch_size, bool(node.users)))
        loss, *gradients = next(node for node in graph.nodes if node.op == "output").args[0]
        targets: dict[fx.Node, StridedView] = {loss: StridedView.contiguous("loss", "real", ())}
        for node, shape, offset in zip(gradients, layout.shapes.values(), offsets, strict=False):
            if not isinstance(node, fx.Node) or node in targets:
                raise NotCompiled("two parameters share a gradient")
            targets[node] = StridedView.contiguous("g", "real", shape, offset)
        translation = Translation(graph, views, targets, may_call_torch=True)
        calls, self.memory = translation.emitter.calls()
        self._caller = Caller(translation.torch_calls, dtype)
        self.torch_calls = [str(call.function) for call in translation.torch_calls]
        """Operations that torch does inside the program, since they have no C++ form."""
        self.constants = [x.to(dtype) if x.is_floating_point() else x for x in translation.constants]
        self._arena: Tensor | None = None
        self.extras: list[Kind] = [views[node].kind for node in inputs[count : count + extras]]
        self.text = self._text(translation.emitter.functions(), calls)
        try:
            library: CDLL = load(self.text, COMPILER_FLAGS)
        except NoCompiler as error:
            raise NotCompiled(str(error)) from None
        self._train = library.train
        numbers, address = (c_longlong, c_longlong), c_void_p
        self._train.argtypes = [*numbers, address, address, address, *numbers, address, CALLBACK]
        self._train.restype = None

    def _text(self, functions: str, calls: str) -> str:
        at = self.memory
        declared, gathered, lane = [], [], FIXED_POINTERS
        for i, column in enumerate(self.columns):
            type_ = CPP_TYPES[column.kind]
            if column.is_used:
                declared.append(f"{type_} *const x{i} = reinterpret_cast<{type_} *>(arena + {at});")
                gathered.append(
                    f"gather<{type_}>(x{i}, static_cast<const {type_} *>(lane[{lane}]), at, {column.width});"
                )
                at += buffer_bytes(column.width * self.batch_size)
            lane += 1
        for i, kind in enumerate(self.extras):
            declared.append(f"{CPP_TYPES[kind]} *const e{i} = static_cast<{CPP_TYPES[kind]} *>(lane[{lane}]);")
            lane += 1
        for op in self.random_ops.ops:
            type_ = CPP_TYPES[op.view.kind]
            declared.append(f"const {type_} *{op.view.buffer} = static_cast<const {type_} *>(lane[{lane}]);")
            lane += 1
        for i, constant in enumerate(self.constants):
            type_ = CPP_TYPES[kind_of(constant.dtype)]
            declared.append(f"const {type_} *const k{i} = static_cast<const {type_} *>(constants[{i}]);")
        self.memory = at
        return _CPP_TEMPLATE.format(
            kernels=KERNELS_HEADER.read_text(encoding="utf-8"),
            functions=functions,
            declared="\n    ".join(declared),
            gathered="\n        ".join(gathered),
            calls=calls,
            number=NUMBER_TYPES[self.dtype],
            batch=self.batch_size,
            first=lane,
            on="".join(f", {op.view.buffer} += {op.size}" for op in self.random_ops.ops),
        )

    def train(
        self,
        steps: int,
        lanes: np.ndarray,  # [R, pointers], uint64: addresses, in the order of `_FILE`
        update: int = 0,
        coefficients: int = 0,
    ) -> None:
        """Train lanes for `steps` steps. `update` is the address of a rule's kernel, which takes `coefficients` numbers
        a step; without it only gradients are computed.
        """
        constants = np.array([x.data_ptr() for x in self.constants] or [0], dtype=np.uint64)
        if self._arena is None:
            self._arena = torch.empty(self.memory + CACHE_LINE_BYTES, dtype=torch.uint8)
        start = -(-self._arena.data_ptr() // CACHE_LINE_BYTES) * CACHE_LINE_BYTES
        self._train(
            len(lanes),
            steps,
            lanes.ctypes.data,
            constants.ctypes.data,
            update,
            lanes.shape[1],
            coefficients,
            start,
            self._caller.callback,
        )
        self._caller.raise_error()


_CPP_TEMPLATE = """\
{kernels}
typedef {number} Number;
typedef void Update(long long, void **, const long long *, const double *, long long, int);
typedef int ByTorch(long long, void **);
static ByTorch *by_torch;  // (number of the call, addresses of its results and inputs) → 0, or 1 if it failed

template <typename X> static void gather(X *to, const X *from, const integer *at, integer width) {{
    for (integer i = 0; i < {batch}; ++i) std::memcpy(to + i * width, from + at[i] * width, width * sizeof(X));
}}

{functions}

template <typename T>
static void work(
    integer steps, void **lane, void **constants, Update *update, integer coefficients, char *arena) {{
    {declared}
    const T *const w = static_cast<const T *>(lane[{first}]);
    T *const g = static_cast<T *>(lane[{first} + 1]);
    const integer *at = static_cast<const integer *>(lane[0]);
    T *loss = static_cast<T *>(lane[1]);
    const double *c = static_cast<const double *>(lane[2]);
    const long long length = *static_cast<const long long *>(lane[3]);
    for (integer step = 0; step < steps; ++step, at += {batch}, ++loss, c += coefficients{on}) {{
        {gathered}
        {calls}
        if (update && !std::isfinite(*loss)) {{  // what is finite no more stays so
            for (; step < steps; ++step) *loss++ = T(__builtin_nan(""));
            return;
        }}
        if (update) update(1, lane + {first}, &length, c, coefficients, 1);
    }}
}}

// lanes [n, pointers]: places in the pool [steps, B], losses [steps], coefficients [steps, n], length of w, the columns
// of the pool, the extras, what the steps draw, each [steps, numbers], and then what is updated: w, g and each state.
extern "C" void train(
    integer n, integer steps, void **lanes, void **constants, void *update, integer pointers, integer coefficients,
    char *arena, ByTorch *calls) {{
    by_torch = calls;
    try {{
        for (integer i = 0; i < n; ++i)
            work<Number>(
                steps, lanes + i * pointers, constants, reinterpret_cast<Update *>(update), coefficients, arena);
    }} catch (integer) {{
    }}  // who called knows why
}}
"""
