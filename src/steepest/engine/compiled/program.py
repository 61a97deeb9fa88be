"""The training of lanes as one C++ program: batch, gradient and update of a lane, step after step, all in the nearest
cache; then the next lane. It is made from the same graph as any other engine's, and compiled in a second or two.
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import CDLL, c_longlong, c_void_p
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, fx

from steepest.codegen import convolutions, indexing, lowerings, pooling  # noqa: F401  what has forms there has them from here on
from steepest.codegen.elementwise_loop import TYPES as NUMBERS
from steepest.codegen.elementwise_loop import NotCompiled
from steepest.codegen.emitter import BYTES, KERNELS, LINE
from steepest.codegen.strided_view import TYPES, Place, kind_of
from steepest.codegen.toolchain import NoCompiler, load
from steepest.codegen.translate import Translation
from steepest.engine.compiled.random_ops import Luck
from steepest.engine.layout import Layout

FLAGS = ("-ffp-contract=fast", "-fno-signed-zeros", "-Wno-psabi")
FIXED = 4
"""Addresses that every lane has, before those of columns, extras, what is drawn and what is updated."""
LARGEST = 6000
"""Calls of a graph beyond which its C++ would take minutes to compile."""


@dataclass(frozen=True)
class Column:
    """One of the columns of a batch: its kind, the numbers of an example, and whether the gradient needs it."""

    kind: str
    width: int
    is_used: bool


class Native:
    """The program of one task and batch size in one precision."""

    def __init__(
        self,
        graph: fx.Graph,
        layout: Layout,
        extras: int,
        batch: Sequence[Tensor],  # inputs and targets, each [B, …]
        dtype: torch.dtype,
    ) -> None:
        """`graph`: (*parameters, *extras, *batch) → loss, *gradients. Raises NotCompiled."""
        if dtype not in NUMBERS:
            raise NotCompiled(f"there are programs for float32 and float64 on the CPU, not for {dtype}")
        if len(graph.nodes) > LARGEST:
            raise NotCompiled(f"a step has {len(graph.nodes):,} calls, more than are compiled")
        self.length, self.dtype, self.batch_size = sum(layout.sizes), dtype, len(batch[0])
        self.luck = Luck(graph, dtype)
        places: dict[fx.Node, Place] = {**self.luck.places}
        inputs = [node for node in graph.nodes if node.op == "placeholder" and node not in places]
        count = len(layout.shapes)
        offsets = np.cumsum([0, *layout.sizes]).tolist()
        for node, shape, offset in zip(inputs, layout.shapes.values(), offsets, strict=False):
            places[node] = Place.dense("w", "real", shape, offset)
        for i, node in enumerate(inputs[count : count + extras]):
            value = node.meta["val"]
            places[node] = Place.dense(f"e{i}", kind_of(value.dtype), value.shape)
        self.columns = []
        for i, node in enumerate(inputs[count + extras :]):
            value = node.meta["val"]
            place = places[node] = Place.dense(f"x{i}", kind_of(value.dtype), value.shape)
            self.columns.append(Column(place.kind, place.size // self.batch_size, bool(node.users)))
        loss, *gradients = next(node for node in graph.nodes if node.op == "output").args[0]
        targets: dict[fx.Node, Place] = {loss: Place.dense("loss", "real", ())}
        for node, shape, offset in zip(gradients, layout.shapes.values(), offsets, strict=False):
            if not isinstance(node, fx.Node) or node in targets:
                raise NotCompiled("two parameters share a gradient")
            targets[node] = Place.dense("g", "real", shape, offset)
        translation = Translation(graph, places, targets)
        calls, self.memory = translation.writer.calls()
        self.constants = [x.to(dtype) if x.is_floating_point() else x for x in translation.constants]
        self._arena: Tensor | None = None
        self.extras = [places[node].kind for node in inputs[count : count + extras]]
        self.text = self._text(translation.writer.functions(), calls)
        try:
            library: CDLL = load(self.text, FLAGS)
        except NoCompiler as error:
            raise NotCompiled(str(error)) from None
        self._train = library.train
        self._train.argtypes = [c_longlong, c_longlong, c_void_p, c_void_p, c_void_p, c_longlong, c_longlong, c_void_p]
        self._train.restype = None

    def _text(self, functions: str, calls: str) -> str:
        at = self.memory
        declared, gathered, lane = [], [], FIXED
        for i, column in enumerate(self.columns):
            type_ = TYPES[column.kind]
            if column.is_used:
                declared.append(f"{type_} *const x{i} = reinterpret_cast<{type_} *>(arena + {at});")
                gathered.append(
                    f"gather<{type_}>(x{i}, static_cast<const {type_} *>(lane[{lane}]), at, {column.width});"
                )
                at += -(-column.width * self.batch_size * BYTES // LINE) * LINE + 2 * LINE
            lane += 1
        for i, kind in enumerate(self.extras):
            declared.append(f"{TYPES[kind]} *const e{i} = static_cast<{TYPES[kind]} *>(lane[{lane}]);")
            lane += 1
        for draw in self.luck.draws:
            type_ = TYPES[draw.place.kind]
            declared.append(f"const {type_} *{draw.place.buffer} = static_cast<const {type_} *>(lane[{lane}]);")
            lane += 1
        for i, constant in enumerate(self.constants):
            type_ = TYPES[kind_of(constant.dtype)]
            declared.append(f"const {type_} *const k{i} = static_cast<const {type_} *>(constants[{i}]);")
        self.memory = at
        return _FILE.format(
            kernels=KERNELS.read_text(encoding="utf-8"),
            functions=functions,
            declared="\n    ".join(declared),
            gathered="\n        ".join(gathered),
            calls=calls,
            number=NUMBERS[self.dtype],
            batch=self.batch_size,
            first=lane,
            on="".join(f", {draw.place.buffer} += {draw.size}" for draw in self.luck.draws),
        )

    def train(
        self,
        steps: int,
        lanes: np.ndarray,  # [R, pointers], uint64: addresses, in the order of `_FILE`
        update: int = 0,
        coefficients: int = 0,
    ) -> None:
        """Train lanes for so many steps. `update` is the address of a rule's kernel, which takes so many coefficients;
        without it the gradient stays, and weights are as they were."""
        constants = np.array([x.data_ptr() for x in self.constants] or [0], dtype=np.uint64)
        if self._arena is None:
            self._arena = torch.empty(self.memory + LINE, dtype=torch.uint8)
        start = -(-self._arena.data_ptr() // LINE) * LINE
        self._train(
            len(lanes), steps, lanes.ctypes.data, constants.ctypes.data, update, lanes.shape[1], coefficients, start
        )


_FILE = """\
{kernels}
typedef {number} Number;
typedef void Update(long long, void **, const long long *, const double *, long long, int);

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
    char *arena) {{
    for (integer i = 0; i < n; ++i)
        work<Number>(
            steps, lanes + i * pointers, constants, reinterpret_cast<Update *>(update), coefficients, arena);
}}
"""
