"""The fast path: a step with the same parameters and states as the last one, in a single call into C++.

For a small network, checking every tensor from Python takes longer than updating it. `fast_path.cpp` checks from C++.
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


class _FastPathStruct(Structure):
    """The struct of that name in `fast_path.cpp`."""

    _fields_ = (
        *((name, py_object) for name in ("listed", "states", "held", "names", "counts", "like")),
        ("places", c_void_p),
        ("tensors", c_longlong),
        ("offset", c_longlong),
    )


class FastPath:
    """A group of parameters of one dtype after a step, all at the same step of an element-wise rule."""

    def __init__(
        self,
        library: Library,
        rule: type[Rule],
        params: Iterable[Tensor],
        states: Mapping[Tensor, Any],
        taken: Iterable[Tensor],
    ):
        """`taken`: the parameters that the step updated; others may have a gradient by now. Raises KeyError if another
        thread has changed the states since.
        """
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
        """The number of the last step, and the rule's carry after it."""
        self.dtype = first.dtype
        self._struct = _FastPathStruct(
            *(listed, dicts, held, rule.state, counts, _ordinary(first.dtype)),
            *(self._places.buffer_info()[0], sum(moved), library.offset),
        )
        self._reference = byref(self._struct)
        self._kernel: tuple[Kernel | None, int] = (None, 0)

    def step(
        self, params: list[Tensor], states: Mapping[Tensor, Any], kernel: Kernel, c: Iterable[float], counts: tuple
    ) -> bool:
        """Take a step with coefficients `c`, after which the counts are `counts`, if nothing else has changed since the
        last one. Returns whether it did.
        """
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
    """A reference tensor of this dtype: dense, in main memory, no subclass."""
    return torch.empty(0, dtype=dtype, device="cpu")


class Library:
    """`fast_path.cpp`, compiled against the headers of this torch. Raises NoCompiler."""

    def __init__(self) -> None:
        home = Path(torch.__file__).parent
        abi = f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}"
        flags = ("-std=c++20", "-O2", f"-I{home / 'include'}", abi, f"-DTORCH={torch.__version__}")
        program = Path(__file__).with_suffix(".cpp").read_text(encoding="utf-8")
        loaded = load(program, flags, (str(home / "lib" / "libc10.so"),))
        library = PyDLL(loaded._name, handle=loaded._handle)  # PyDLL: the interpreter stays locked during calls
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
        """Update tensors if a kernel can take them, else do nothing; returns whether it did.

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
        """The position of each entry in a dict, by the id of its key; incomplete or wrong if another thread changes the
        dict meanwhile.
        """
        keys = list(states)
        found = array("q", bytes(8 * (len(keys) + 1)))
        count = self._places(states, found.buffer_info()[0], len(keys))
        return dict(zip(map(id, keys), found[:count], strict=False))

    def _offset(self) -> int:
        """The offset in a Python tensor of the pointer to its C++ tensor, found by trying: no header gives it."""
        probes = {torch.zeros(1, requires_grad=True): torch.ones(1), torch.nn.Parameter(torch.zeros(1)): torch.ones(1)}
        for p, g in probes.items():
            p.grad = g
        for offset in range(16, Tensor.__basicsize__, 8):
            is_there = all(c_void_p.from_address(id(p) + offset).value == p._cdata for p in probes)
            if is_there and all(self._gradient(p, offset) == g.data_ptr() for p, g in probes.items()):
                return offset
        raise NoCompiler("tensors do not have the expected memory layout")


@cache
def library() -> Library | None:
    """The compiled library; None without a compiler, without torch's headers, or in a free-threaded Python."""
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return None
    try:
        return Library()
    except NoCompiler:
        return None
