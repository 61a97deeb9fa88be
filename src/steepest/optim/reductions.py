"""Sums over a tensor or over all parameters of a model, also where a process holds only a part of each.

Rules use these instead of torch's own. Within `across`, the sums of all processes are added, so that a rule on shards
gives what it gives on whole tensors.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh


class Sums(Protocol):
    """How to complete the sums of the processes that share the parameters."""

    def of_model(self, x: Tensor) -> Tensor:
        """Σ over all parameters, of all processes: row [P] → [1]."""
        ...

    def of_tensors(self, x: Tensor) -> Tensor:
        """Σ over each parameter, of all processes, at every of its elements: row [P] → [P]."""
        ...


class Part(Protocol):
    """How a parameter is divided among processes, each of which holds a part."""

    @property
    def shape(self) -> torch.Size:
        """Of the whole parameter."""
        ...

    @property
    def rows(self) -> Sequence[int]:
        """How many rows of its first axis each process has, in order; () where it is divided otherwise."""
        ...

    @property
    def mesh(self) -> "DeviceMesh":
        """The processes."""
        ...

    def whole(self, part: Tensor, /) -> Tensor:
        """The whole tensor from the parts of all processes, which all call this."""
        ...

    def part(self, whole: Tensor, /) -> Tensor:
        """This process's part of a tensor that all processes have whole."""
        ...


_sums: ContextVar[Sums | None] = ContextVar("sums", default=None)


@contextmanager
def across(sums: Sums | None) -> Iterator[None]:
    """Within, sums include the parts of other processes; None means that this one has all."""
    before = _sums.set(sums)
    try:
        yield
    finally:
        _sums.reset(before)


def _current() -> Sums | None:
    return None if torch.compiler.is_compiling() else _sums.get()  # a compiled graph is one of whole tensors


def total(x: Tensor) -> Tensor:
    """Σ over the parameters of a model: [P] → [1], [R, P] → [R, 1]."""
    sums = _current()
    return x.sum(dim=-1, keepdim=True) if sums is None else sums.of_model(x)


def norm(x: Tensor) -> Tensor:
    """√Σx² over the parameters of a model, likewise."""
    sums = _current()
    return torch.linalg.vector_norm(x, dim=-1, keepdim=True) if sums is None else sums.of_model(x * x).sqrt()


def length(x: Tensor) -> Tensor:
    """√Σx² over one parameter tensor. Within `across`: over each of those that lie end to end in the row x [P]."""
    sums = _current()
    return torch.linalg.vector_norm(x) if sums is None else sums.of_tensors(x * x).sqrt()
