"""Where numbers lie in memory: strided views of named buffers, as torch would see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch

TYPES = {"real": "T", "integer": "integer", "truth": "bool"}
"""Kinds of numbers, and what they are in C++."""


def kind_of(dtype: torch.dtype) -> str:
    """The kind to which a type of torch belongs."""
    return "real" if dtype.is_floating_point else "truth" if dtype is torch.bool else "integer"


@dataclass(frozen=True)
class Place:
    """A strided array within a buffer; offset and strides count numbers, not bytes."""

    buffer: str
    kind: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @classmethod
    def dense(cls, buffer: str, kind: str, shape: Sequence[int], offset: int = 0) -> Place:
        """Row after row."""
        strides = [prod(shape[i + 1 :]) for i in range(len(shape))]
        return cls(buffer, kind, tuple(shape), tuple(strides), offset)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def is_dense(self) -> bool:
        """Whether the numbers lie row after row, without gaps."""
        return self.strides_that_count == Place.dense("", "", self.shape).strides_that_count

    @property
    def strides_that_count(self) -> tuple[int, ...]:
        """Those of the axes that are longer than 1."""
        return tuple(s for s, n in zip(self.strides, self.shape, strict=True) if n > 1)

    def expanded(self, shape: Sequence[int]) -> Place:
        """The same numbers, repeated along axes that are new or of length 1."""
        new = len(shape) - len(self.shape)
        own = [0 if n == 1 else s for s, n in zip(self.strides, self.shape, strict=True)]
        return replace(self, shape=tuple(shape), strides=(*([0] * new), *own))

    def seen(self, view: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """What a view operation of torch makes of this place: one place, or a list. Raises RuntimeError where the
        numbers would have to be moved.
        """
        end = self.offset + 1 + sum(s * (n - 1) for s, n in zip(self.strides, self.shape, strict=True))
        whole = torch.empty(max(end, 1), device="meta")
        found = view(torch.as_strided(whole, self.shape, self.strides, self.offset), *arguments, **named)
        if isinstance(found, torch.Tensor):
            return self._of(found)
        return [self._of(one) for one in found]

    def _of(self, tensor: torch.Tensor) -> Place:
        return replace(self, shape=tuple(tensor.shape), strides=tensor.stride(), offset=int(tensor.storage_offset()))
