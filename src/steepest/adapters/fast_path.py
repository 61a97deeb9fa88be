"""A step like the last one, in one call: the same parameters and states, and gradients wherever they lie by now.

For a small network, to look at every tensor from Python takes longer than to move it. `repeat.cpp` looks from within.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Mapping
from ctypes import PyDLL, Structure, byref, c_int, c_longlong, c_void_p, py_object
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from steepest.codegen.elementwise_loop import NUMBER_TYPES, Kernel
from steepest.codegen.toolchain import NoCompiler, load
from steepest.optim.rule import Rule


class _Repeat(Structure):
    """The struct of that name in `repeat.cpp`."""

    _fields_ = (
        *((name, py_object) for name in ("listed", "states", "held", "names", "counts", "like")),
        ("places", c_void_p),
        ("tensors", c_longlong),
        ("offset", c_longlong),
    )


class Repeat:
    """A group of parameters of one type as a step has left it, all at the same step of an element-wise rule."""

    def __init__(
        self,
        library: Library,
        rule: type[Rule],
        params: Iterable[Tensor],
        states: Mapping[Tensor, Any],
        taken: Iterable[Tensor],
    ):
        """`taken`: those of the parameters that the step has moved; by now others may have a gradient. Raises KeyError
        where another thread has changed the states since."""
        self._library = library
        listed, those = tuple(params), set(map(id, taken))
        moved = [id(p) in those for p in listed]
        order = library.places(states)
        self._places = array("q", [order[id(p)] if is_moved else -1 for p, is_moved in zip(listed, moved, strict=True)])
        dicts = tuple(states[p] if is_moved else None for p, is_moved in zip(listed, moved, strict=True))
        held = tuple(tuple(state[name] for name in rule.state) if state else () for state in dicts)
        first = next(p for p, is_moved in zip(listed, moved, strict=True) if is_moved)
        counts = ("step", *rule.carry)
        self.counts: tuple[Any, ...] = tuple(states[first][name] for name in counts)
        """The step that was taken last, and the numbers that the rule carries after it."""
        self.dtype = first.dtype
        self._struct = _Repeat(
            *(listed, dicts, held, rule.state, counts, _ordinary(first.dtype)),
            *(self._places.buffer_info()[0], sum(moved), library.offset),
        )
        self._reference = byref(self._struct)
        self._kernel: tuple[Kernel | None, int] = (None, 0)

    def step(
        self, params: list[Tensor], states: Mapping[Tensor, Any], kernel: Kernel, c: Iterable[float], counts: tuple
    ) -> bool:
        """Take a step if all is as it was: with coefficients `c`, after which the counts are these. Else do nothing."""
        if kernel is not self._kernel[0]:
            self._kernel = (kernel, kernel.address(self.dtype))
        coefficients = array("d", c)
        done = self._library.repeat(
            *(self._reference, params, states, self.counts, counts),
            *(coefficients.buffer_info()[0], self._kernel[1], torch.get_num_threads()),
        )
        if done:
            self.counts = counts
        return bool(done)


@cache
def _ordinary(dtype: torch.dtype) -> Tensor:
    """What tensors of this type must be like: dense, in main memory, without a subclass's ways."""
    return torch.empty(0, dtype=dtype, device="cpu")


class Library:
    """`repeat.cpp`, compiled against the headers of this torch. Raises NoCompiler."""

    def __init__(self) -> None:
        home = Path(torch.__file__).parent
        abi = f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}"
        flags = ("-std=c++20", "-O2", f"-I{home / 'include'}", abi, f"-DTORCH={torch.__version__}")
        program = Path(__file__).with_suffix(".cpp").read_text(encoding="utf-8")
        loaded = load(program, flags, (str(home / "lib" / "libc10.so"),))
        library = PyDLL(loaded._name, handle=loaded._handle)  # what it does, it does with the interpreter locked
        self._run = library.run
        self._run.argtypes = [py_object, py_object, c_longlong, c_void_p, c_void_p, c_int]
        self.repeat = library.repeat
        self.repeat.argtypes = [c_void_p, *[py_object] * 4, c_void_p, c_void_p, c_int]
        self._places = library.places
        self._places.argtypes = [py_object, c_void_p, c_longlong]
        self._places.restype = c_longlong
        self._gradient = library.gradient_of
        self._gradient.argtypes = [py_object, c_longlong]
        self._gradient.restype = c_void_p
        self.offset = self._offset()

    def run(self, columns: tuple[tuple[Tensor, ...], ...], kernel: Kernel, c: Iterable[float]) -> bool:
        """Move tensors if they are fit for a kernel, else do nothing; returns whether they were.

        `columns` are the weights, all of type Tensor or Parameter, their gradients, and each state.
        """
        dtype = columns[0][0].dtype
        if dtype not in NUMBER_TYPES:
            return False
        coefficients = array("d", c)
        return bool(
            self._run(
                *(columns, _ordinary(dtype), self.offset, coefficients.buffer_info()[0]),
                *(kernel.address(dtype), torch.get_num_threads()),
            )
        )

    def places(self, states: Mapping[Any, Any]) -> dict[int, int]:
        """Where each entry of a dict stands in it, by the id of its key; some may be missing, or wrong, of a dict that
        another thread changes meanwhile."""
        keys = list(states)
        found = array("q", bytes(8 * (len(keys) + 1)))
        count = self._places(states, found.buffer_info()[0], len(keys))
        return dict(zip(map(id, keys), found[:count], strict=False))

    def _offset(self) -> int:
        """Where a tensor's object keeps the pointer to what it is: tried out, since no header here says it."""
        probes = {torch.zeros(1, requires_grad=True): torch.ones(1), torch.nn.Parameter(torch.zeros(1)): torch.ones(1)}
        for p, g in probes.items():
            p.grad = g
        for offset in range(16, Tensor.__basicsize__, 8):
            is_there = all(c_void_p.from_address(id(p) + offset).value == p._cdata for p in probes)
            if is_there and all(self._gradient(p, offset) == g.data_ptr() for p, g in probes.items()):
                return offset
        raise NoCompiler("tensors are not laid out as they are known to be")


@cache
def library() -> Library | None:
    """None where it cannot be made: without a compiler or torch's headers, or without Python's one lock."""
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return None
    try:
        return Library()
    except NoCompiler:
        return None
