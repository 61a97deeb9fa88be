"""Operations that torch does in the midst of a generated program, because they have no C++ form. Apart from the
translation, since they are also what a finished program calls while it runs.
"""

from collections.abc import Sequence
from ctypes import CFUNCTYPE, POINTER, c_char, c_int, c_longlong, c_void_p
from math import prod

import torch
from torch import Tensor, fx
from torch._ops import OpOverload
from torch.fx.node import Argument, map_aggregate

from steepest.codegen.elementwise_loop import NotCompiled
from steepest.codegen.strided_view import Kind, kind_of

MAX_KNOWN_ADDRESSES = 4096
"""Sets of addresses for which a call keeps its tensors: each lane has some of its own."""
CALLBACK = CFUNCTYPE(c_int, c_longlong, POINTER(c_void_p))
UNFIT_TAGS = {torch.Tag.dynamic_output_shape, torch.Tag.data_dependent_output, torch.Tag.nondeterministic_seeded}
"""Of operations whose shapes or numbers do not follow from shapes alone, so that one trace is not all steps."""


class TorchCall:
    """One operation on contiguous arrays at addresses that are known only when it runs."""

    def __init__(self, node: fx.Node) -> None:
        """Raises NotCompiled if the operation changes its arguments, or does not return arrays of fixed shapes."""
        function = node.target
        if not isinstance(function, OpOverload) or function._schema.is_mutable or UNFIT_TAGS & {*function.tags}:
            raise NotCompiled(f"{node.target} has no C++ lowering")
        value = node.meta["val"]
        results: Sequence[object] = [value] if isinstance(value, Tensor) else value
        if not isinstance(results, list | tuple) or not all(x is None or isinstance(x, Tensor) for x in results):
            raise NotCompiled(f"{node.target} does not return arrays")
        self.function = function
        self.results = [(tuple(x.shape), x.dtype) if isinstance(x, Tensor) else None for x in results]
        self.inputs = [*dict.fromkeys(node.all_input_nodes)]
        self._kinds = [(tuple(x.meta["val"].shape), x.meta["val"].dtype) for x in self.inputs]
        place = {x: _Input(i) for i, x in enumerate(self.inputs)}
        self._arguments: tuple[Argument, ...] = map_aggregate(node.args, lambda x: place.get(x, x))  # type: ignore
        self._named: dict[str, Argument] = map_aggregate(node.kwargs, lambda x: place.get(x, x))  # type: ignore
        self._known: dict[tuple[int, ...], list[Tensor]] = {}

    def __str__(self) -> str:
        """All that the call depends on, in a line: equal lines are equal calls."""
        return f"{self.function}{self._arguments}{self._named} of {self._kinds} gives {self.results}".replace("\n", " ")

    def run(self, addresses: Sequence[int], dtype: torch.dtype) -> None:
        """addresses: of the results that are not None, then of the inputs; real numbers there are of this dtype."""
        tensors = self._tensors(tuple(addresses), dtype)
        wanted = [x for x in self.results if x is not None]
        inputs = [x.to(kind) for x, (_, kind) in zip(tensors[len(wanted) :], self._kinds, strict=True)]

        def of(x: Argument) -> Argument:
            return inputs[x.index] if isinstance(x, _Input) else x  # type: ignore[return-value]

        with torch.no_grad():
            found = self.function(*map_aggregate(self._arguments, of), **map_aggregate(self._named, of))  # type: ignore
            found = [found] if isinstance(found, Tensor) else [x for x in found if x is not None]
            for target, (shape, _), result in zip(tensors, wanted, found, strict=False):
                if tuple(result.shape) != shape:
                    raise RuntimeError(f"{self.function} gave {tuple(result.shape)} where it gave {shape} before")
                target.copy_(result)

    def _tensors(self, addresses: tuple[int, ...], dtype: torch.dtype) -> list[Tensor]:
        """The arrays at these addresses: those of the results first."""
        if addresses not in self._known:
            if len(self._known) >= MAX_KNOWN_ADDRESSES:
                self._known.clear()
            kinds = [*(x for x in self.results if x is not None), *self._kinds]
            pairs = zip(addresses, kinds, strict=True)
            self._known[addresses] = [_at(address, shape, _stored(kind, dtype)) for address, (shape, kind) in pairs]
        return self._known[addresses]


class _Input:
    """Stands for an input of a call."""

    def __init__(self, index: int) -> None:
        self.index = index

    def __repr__(self) -> str:
        return f"x{self.index}"


class Caller:
    """What a program calls back: its calls by number. An error is kept, since it cannot cross the program."""

    def __init__(self, calls: Sequence[TorchCall], dtype: torch.dtype) -> None:
        self._calls, self._dtype = calls, dtype
        self._error: Exception | None = None
        self.callback = CALLBACK(self._run)

    def _run(self, number: int, addresses: "POINTER(c_void_p)") -> int:  # type: ignore[valid-type]
        """0, or 1 if the call failed: then the program ends."""
        call = self._calls[number]
        count = len(call.inputs) + sum(x is not None for x in call.results)
        try:
            call.run([addresses[i] or 0 for i in range(count)], self._dtype)
        except Exception as error:
            self._error = error
            return 1
        return 0

    def raise_error(self) -> None:
        """Raise what went wrong in a call since the last time."""
        error, self._error = self._error, None
        if error is not None:
            raise error


def _stored(dtype: torch.dtype, real: torch.dtype) -> torch.dtype:
    """How a program stores numbers of a dtype."""
    of_kind: dict[Kind, torch.dtype] = {"real": real, "integer": torch.int64, "truth": torch.bool}
    return of_kind[kind_of(dtype)]


def _at(address: int, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """The array [shape] at an address."""
    size = prod(shape)
    if size == 0:
        return torch.empty(shape, dtype=dtype)
    memory = (c_char * (size * dtype.itemsize)).from_address(address)
    return torch.frombuffer(memory, dtype=dtype, count=size).view(shape)
