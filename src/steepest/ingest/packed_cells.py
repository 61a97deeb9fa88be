"""Columns of cells of text, packed: a million cells take the bytes of their text and not an object each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from typing import overload

import numpy as np

BETWEEN = "\0"
"""Separates the cells of a packed column; a cell that contains it loses it."""


class PackedCells(Sequence[str]):
    """The cells of a column. `texts` unpacks them all at once; `with_rows` keeps some rows without unpacking."""

    def __init__(self, chunks: Sequence[bytes], rows: int, kept: np.ndarray | None = None) -> None:
        self.chunks = chunks
        self.all_rows = rows
        self.kept = kept  # [all_rows], bool
        self._rows = rows if kept is None else int(kept.sum())

    @classmethod
    def of(cls, cells: Sequence[str]) -> PackedCells:
        return cells if isinstance(cells, cls) else cls([packed(cells)] if len(cells) else [], len(cells))

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts())

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        return self.texts()[place]

    def texts(self) -> list[str]:
        """All cells."""
        if not self.chunks:
            return []
        cells = self.blob().decode().split(BETWEEN)
        return cells if self.kept is None else [*compress(cells, self.kept.tolist())]

    def first(self, count: int) -> list[str]:
        """The first cells, of about this number of rows."""
        if self.kept is not None:
            return self.texts()[:count]
        return self.chunks[0].decode().split(BETWEEN)[:count] if self.chunks else []

    def blob(self) -> bytes:
        """The cells of all rows, also of those that were left out, with zero bytes between them."""
        return b"\0".join(self.chunks)

    def with_rows(self, kept: np.ndarray) -> PackedCells:
        """The cells of these rows, a mask over the present ones."""
        if self.kept is None:
            return PackedCells(self.chunks, self.all_rows, kept)
        whole = self.kept.copy()
        whole[self.kept] = kept
        return PackedCells(self.chunks, self.all_rows, whole)


def packed(cells: Iterable[str]) -> bytes:
    """One chunk of cells."""
    return BETWEEN.join(cells).encode("utf-8", "replace")
