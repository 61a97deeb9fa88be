"""The text of a program: functions that are written once however often they are called, calls, and buffers that share
memory where their times of use do not meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from steepest.codegen.strided_view import TYPES, Place

KERNELS = Path(__file__).with_name("kernels.h")
"""The functions in C++ that every program begins with."""
LINE = 64
"""Bytes of a vector and of a line of the cache: every buffer begins at a multiple, and has as many to spare."""
BYTES = 8
"""Of the largest number."""
NARROW = 16
"""Numbers in a vector, at least."""


def is_narrow(shape: Sequence[int]) -> bool:
    """Whether the rows of an array are too short for vectors, and its columns are not."""
    return len(shape) >= 2 and shape[-1] < NARROW <= shape[-2]


class Writer:
    """A program that is being written."""

    def __init__(self) -> None:
        self._functions: dict[tuple[str, str], str] = {}  # parameters and body → name
        self._calls: list[tuple[str, list[Place]]] = []
        self._sizes: dict[str, int] = {}  # of own buffers, in numbers
        self._kinds: dict[str, str] = {}

    def new(self, kind: str, shape: Sequence[int], strides: Sequence[int] | None = None) -> Place:
        """A buffer of its own; by default row after row, or column after column where rows are short and many."""
        name = f"b{len(self._sizes)}"
        place = Place.dense(name, kind, shape)
        if strides is None and is_narrow(shape):
            strides = (*place.strides[:-2], 1, shape[-2])
        self._sizes[name], self._kinds[name] = max(1, place.size), kind
        return place if strides is None else Place(name, kind, place.shape, tuple(strides))

    def dense(self, kind: str, shape: Sequence[int]) -> Place:
        """A buffer of its own, row after row in any case."""
        return self.new(kind, shape, Place.dense("", "", shape).strides)

    def is_own(self, place: Place) -> bool:
        """Whether memory beyond the end of the place may be read."""
        return place.buffer in self._sizes

    def call(self, body: str, written: Sequence[Place], read: Sequence[Place]) -> None:
        """A call of a function with this body, in which places are y0, y1, … (written) and x0, x1, … (read)."""
        parameters = [f"{TYPES[y.kind]} *__restrict y{i}" for i, y in enumerate(written)]
        parameters += [f"const {TYPES[x.kind]} *__restrict x{i}" for i, x in enumerate(read)]
        key = ", ".join(parameters), body
        name = self._functions.setdefault(key, f"f{len(self._functions)}")
        self._calls.append((name, [*written, *read]))

    # ---- the whole ---------------------------------------------------------------------------------------------------

    def functions(self) -> str:
        """All functions, one after the other."""
        parts = [
            f"template <typename T>\nstatic __attribute__((noinline)) void {name}({parameters}) {{\n{body}\n}}"
            for (parameters, body), name in self._functions.items()
        ]
        return "\n\n".join(parts)

    def calls(self) -> tuple[str, int]:
        """The calls in order, and the bytes of memory that they need at `arena`."""
        offsets, total = self._arranged()
        lines = [
            f"{TYPES[self._kinds[name]]} *const {name} = reinterpret_cast<{TYPES[self._kinds[name]]} *>(arena + {at});"
            for name, at in offsets.items()
        ]
        for name, places in self._calls:
            lines.append(f"{name}<T>({', '.join(f'{p.buffer} + {p.offset}' for p in places)});")
        return "\n    ".join(lines), total

    def _arranged(self) -> tuple[dict[str, int], int]:
        """Where each buffer begins, in bytes: the lowest place that nothing else needs at the same time."""
        first: dict[str, int] = {}
        last: dict[str, int] = {}
        for i, (_, places) in enumerate(self._calls):
            for place in places:
                if place.buffer in self._sizes:
                    first.setdefault(place.buffer, i)
                    last[place.buffer] = i
        offsets: dict[str, int] = {}
        live: list[tuple[int, int, int]] = []  # from, to, last use
        total = 0
        for name in sorted(first, key=first.__getitem__):
            live = sorted(entry for entry in live if entry[2] >= first[name])
            size = -(-self._sizes[name] * BYTES // LINE) * LINE + 2 * LINE
            at = 0
            for begin, end, _ in live:
                if at + size <= begin:
                    break
                at = max(at, end)
            offsets[name] = at
            live.append((at, at + size, last[name]))
            total = max(total, at + size)
        return offsets, total
