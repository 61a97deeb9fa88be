"""The text of a C++ program: functions, each written once however often it is called; calls; and buffers, which share
memory where their lifetimes do not overlap.
"""

from collections.abc import Sequence
from pathlib import Path

from steepest.codegen.strided_view import CPP_TYPES, Kind, StridedView

KERNELS_HEADER = Path(__file__).with_name("kernels.h")
"""The C++ functions that every program begins with."""
CACHE_LINE_BYTES = 64
"""Every buffer starts at a multiple of this and is followed by as much again: the widest vector fills a cache line."""
MAX_NUMBER_BYTES = 8
"""Bytes of the widest number, a float64 or int64."""
VECTOR_NUMBERS = 16
"""Numbers in the widest vector register, 16 float32: shorter rows cannot use it."""


def is_narrow(shape: Sequence[int]) -> bool:
    """Whether the rows of an array are too short for vectors while its columns are long enough."""
    return len(shape) >= 2 and shape[-1] < VECTOR_NUMBERS <= shape[-2]


def buffer_bytes(numbers: int) -> int:
    """The bytes that a buffer takes in memory: whole cache lines, and room for vectors beyond its end."""
    return -(-numbers * MAX_NUMBER_BYTES // CACHE_LINE_BYTES) * CACHE_LINE_BYTES + 2 * CACHE_LINE_BYTES


class Emitter:
    """Collects functions, calls and buffers of one program."""

    def __init__(self) -> None:
        self._functions: dict[tuple[str, str], str] = {}  # parameters and body → name
        self._calls: list[tuple[str, list[StridedView]]] = []
        self._sizes: dict[str, int] = {}  # of own buffers, in numbers
        self._kinds: dict[str, Kind] = {}

    def new(self, kind: Kind, shape: Sequence[int], strides: Sequence[int] | None = None) -> StridedView:
        """A new buffer. Default strides: contiguous, with the last two axes swapped where rows are narrow."""
        name = f"b{len(self._sizes)}"
        view = StridedView.contiguous(name, kind, shape)
        if strides is None and is_narrow(shape):
            strides = (*view.strides[:-2], 1, shape[-2])
        self._sizes[name], self._kinds[name] = max(1, view.size), kind
        return view if strides is None else StridedView(name, kind, view.shape, tuple(strides))

    def new_contiguous(self, kind: Kind, shape: Sequence[int]) -> StridedView:
        """A new buffer, contiguous in any case."""
        return self.new(kind, shape, StridedView.contiguous("", kind, shape).strides)

    def owns(self, view: StridedView) -> bool:
        """Whether the view lies in a buffer of this program, so that memory just beyond its end may be read."""
        return view.buffer in self._sizes

    def call(self, body: str, written: Sequence[StridedView], read: Sequence[StridedView]) -> None:
        """Add a call of a function with this body, in which the views are y0, y1, … (written) and x0, x1, … (read)."""
        parameters = [f"{CPP_TYPES[y.kind]} *__restrict y{i}" for i, y in enumerate(written)]
        parameters += [f"const {CPP_TYPES[x.kind]} *__restrict x{i}" for i, x in enumerate(read)]
        key = ", ".join(parameters), body
        name = self._functions.setdefault(key, f"f{len(self._functions)}")
        self._calls.append((name, [*written, *read]))

    # ---- the finished text -------------------------------------------------------------------------------------------

    def functions(self) -> str:
        """The definitions of all functions."""
        parts = [
            f"template <typename T>\nstatic __attribute__((noinline)) void {name}({parameters}) {{\n{body}\n}}"
            for (parameters, body), name in self._functions.items()
        ]
        return "\n\n".join(parts)

    def calls(self) -> tuple[str, int]:
        """The calls in order, and the bytes that their buffers need at `arena`."""
        offsets, total = self._buffer_offsets()
        lines = [
            f"{type_} *const {name} = reinterpret_cast<{type_} *>(arena + {at});"
            for name, at in offsets.items()
            for type_ in [CPP_TYPES[self._kinds[name]]]
        ]
        for name, views in self._calls:
            lines.append(f"{name}<T>({', '.join(f'{p.buffer} + {p.offset}' for p in views)});")
        return "\n    ".join(lines), total

    def _buffer_offsets(self) -> tuple[dict[str, int], int]:
        """The byte offset of each buffer, the lowest that no buffer in use at the same time occupies; and the total."""
        first: dict[str, int] = {}
        last: dict[str, int] = {}
        for i, (_, views) in enumerate(self._calls):
            for view in views:
                if view.buffer in self._sizes:
                    first.setdefault(view.buffer, i)
                    last[view.buffer] = i
        offsets: dict[str, int] = {}
        live: list[tuple[int, int, int]] = []  # from, to, last use
        total = 0
        for name in sorted(first, key=first.__getitem__):
            live = sorted(entry for entry in live if entry[2] >= first[name])
            size = buffer_bytes(self._sizes[name])
            at = 0
            for begin, end, _ in live:
                if at + size <= begin:
                    break
                at = max(at, end)
            offsets[name] = at
            live.append((at, at + size, last[name]))
            total = max(total, at + size)
        return offsets, total
