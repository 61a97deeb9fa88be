"""Where numbers lie in memory: strided views of named buffers, with the meaning that shape, strides and offset have in
torch. Apart, since every other module of this folder speaks of memory in these terms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["real", "integer", "truth"]
CPP_TYPES: dict[Kind, str] = {"real": "T", "integer": "integer", "truth": "bool"}
"""The C++ type of each kind of number."""


def kind_of(dtype: torch.dtype) -> Kind:
    """The kind of a torch dtype."""
    return "real" if dtype.is_floating_point else "truth" if dtype is torch.bool else "integer"


@dataclass(frozen=True)
class StridedView:
    """A strided array in a buffer. Offset and strides count numbers, not bytes."""

    buffer: str
    kind: Kind
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @classmethod
    def contiguous(cls, buffer: str, kind: Kind, shape: Sequence[int], offset: int = 0) -> StridedView:
        """A view without gaps, the last axis varying fastest."""
        strides = [prod(shape[i + 1 :]) for i in range(len(shape))]
        return cls(buffer, kind, tuple(shape), tuple(strides), offset)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def is_contiguous(self) -> bool:
        """Whether the numbers lie without gaps, the last axis varying fastest."""
        return self.significant_strides == StridedView.contiguous("", self.kind, self.shape).significant_strides

    @property
    def significant_strides(self) -> tuple[int, ...]:
        """The strides of all axes longer than 1; the others have no effect."""
        return tuple(s for s, n in zip(self.strides, self.shape, strict=True) if n > 1)

    def expanded(self, shape: Sequence[int]) -> StridedView:
        """The same numbers, repeated along new axes and axes of length 1, as `torch.Tensor.expand` does."""
        new = len(shape) - len(self.shape)
        own = [0 if n == 1 else s for s, n in zip(self.strides, self.shape, strict=True)]
        return replace(self, shape=tuple(shape), strides=(*([0] * new), *own))

    def apply(self, op: Callable[..., Tensor], *arguments: object, **named: object) -> StridedView:
        """The result of a view operation of torch. Raises RuntimeError if it would have to copy."""
        return self._like(op(self._on_meta(), *arguments, **named))

    def split(self, op: Callable[..., Sequence[Tensor]], *arguments: object, **named: object) -> list[StridedView]:
        """The results of a view operation with several, such as `torch.split`."""
        return [self._like(part) for part in op(self._on_meta(), *arguments, **named)]

    def _on_meta(self) -> Tensor:
        """A tensor of this layout that has no memory."""
        end = self.offset + 1 + sum(s * (n - 1) for s, n in zip(self.strides, self.shape, strict=True))
        whole = torch.empty(max(end, 1), device="meta")
        return torch.as_strided(whole, self.shape, self.strides, self.offset)

    def _like(self, tensor: Tensor) -> StridedView:
        return replace(self, shape=tuple(tensor.shape), strides=tensor.stride(), offset=int(tensor.storage_offset()))
