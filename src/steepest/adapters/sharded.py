"""Steps on parameters of which every process holds a part: DTensors, as FSDP2 and tensor parallelism make them, and the
parameters that ZeRO deals out.

A step works on the local parts. Element-wise rules need no more. Sums over a tensor or the model are completed by one
all-reduce (`ShardSums`). Rules that see whole tensors or matrices get them gathered, one at a time, and keep their
part.
"""

import sys
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from steepest.errors import BadInput
from steepest.optim.reductions import Sums

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup
    from torch.distributed.device_mesh import DeviceMesh
    from torch.distributed.tensor import DTensor


class Shard(NamedTuple):
    """How a parameter is laid out over the processes of a mesh."""

    mesh: "DeviceMesh"
    placements: tuple[Any, ...]
    shape: torch.Size
    """Of the whole parameter."""
    stride: tuple[int, ...]

    @property
    def rows(self) -> tuple[int, ...]:
        """How many rows of its first axis each process has, in order; () where it is divided otherwise."""
        if len(self.placements) != 1 or type(self.placements[0]).__name__ != "Shard" or self.placements[0].dim != 0:
            return ()
        count, ranks = self.shape[0], self.mesh.size()
        most = -(-count // ranks)  # as torch.chunk cuts
        return tuple(max(0, min(most, count - most * rank)) for rank in range(ranks))

    def as_dtensor(self, part: Tensor) -> "DTensor":
        """The DTensor of which every process holds its `part`, in the same memory."""
        from torch.distributed.tensor import DTensor

        return DTensor.from_local(
            part, self.mesh, self.placements, run_check=False, shape=self.shape, stride=self.stride
        )

    def whole(self, part: Tensor) -> Tensor:
        """The whole tensor from the `part` of every process, all of which must call this."""
        return self.as_dtensor(part).full_tensor()

    def part(self, whole: Tensor) -> Tensor:
        """This process's part of a tensor that all processes have whole."""
        from torch.distributed.tensor import DTensor, Replicate

        everywhere = DTensor.from_local(whole, self.mesh, [Replicate()] * self.mesh.ndim, run_check=False)
        return everywhere.redistribute(placements=self.placements).to_local()


def shard_of(p: Tensor) -> Shard | None:
    """The layout of a parameter, or None for one that this process has to itself. Raises BadInput for a parameter
    whose parts are summands.
    """
    if not is_sharded(p):
        return None
    layout: Any = p
    if any(placement.is_partial() for placement in layout.placements):
        raise BadInput(
            "A parameter is a DTensor whose parts must be added up (Partial), so no process can update its own. "
            "Place it as Shard or Replicate before the optimizer is made."
        )
    return Shard(layout.device_mesh, tuple(layout.placements), p.shape, p.stride())


def is_sharded(p: Tensor) -> Any:
    """Whether a tensor is a DTensor."""
    tensors = sys.modules.get("torch.distributed.tensor")  # where it was not imported, there are none
    return tensors is not None and isinstance(p, tensors.DTensor)


def local(x: Tensor, shard: Shard | None) -> Tensor:
    """This process's part of a parameter, gradient or state, in the same memory if it is laid out as its parameter."""
    if shard is None or not is_sharded(x):
        return x
    return (x if x.placements == shard.placements else x.redistribute(placements=shard.placements)).to_local()  # type: ignore[attr-defined]


class ShardSums:
    """Sums over tensors of which this process has parts, completed by the other processes of `groups`."""

    def __init__(self, parts: Sequence[Tensor], groups: Sequence["ProcessGroup"], copies: Sequence[int]) -> None:
        """`copies`: how many processes of the groups have the same part; it counts once."""
        self.sizes = [part.numel() for part in parts]
        self.groups = groups
        self.shares = [1 / n for n in copies]

    def of_model(self, x: Tensor) -> Tensor:
        """[P] → [1]"""
        return self._complete(self._sums(x).sum().view(1)).to(x.dtype)

    def of_tensors(self, x: Tensor) -> Tensor:
        """[P] → [P]"""
        return self._complete(self._sums(x)).to(x.dtype).repeat_interleave(self._counts)

    @cached_property
    def _counts(self) -> Tensor:
        return torch.tensor(self.sizes)

    def _sums(self, x: Tensor) -> Tensor:
        """The sum of each tensor, [T], in double precision: summands of other processes may have another type."""
        sums = torch.stack([part.sum(dtype=torch.float64) for part in x.split(self.sizes)])
        return sums * sums.new_tensor(self.shares)

    def _complete(self, sums: Tensor) -> Tensor:
        for group in self.groups:
            torch.distributed.all_reduce(sums, group=group)
        return sums


def sums_over(
    parts: Sequence[Tensor], shards: Sequence[Shard | None], group: "ProcessGroup | None" = None
) -> Sums | None:
    """How to complete sums over the parameters of a step; None if this process has all of them.

    group: the processes among which whole parameters are dealt out. Raises BadInput for parameters on several meshes.
    """
    if group is not None:
        return ShardSums(parts, [group], [1] * len(parts))
    meshes = [shard.mesh for shard in shards if shard is not None]
    if not meshes:
        return None
    if any(mesh != meshes[0] for mesh in meshes):
        raise BadInput(
            "The optimizer adds up over all parameters, but they lie on different device meshes. "
            "Shard them over one mesh, or use one optimizer for each mesh."
        )
    mesh = meshes[0]
    axes = [axis for axis in range(mesh.ndim) if any(shard is not None and _splits(shard, axis) for shard in shards)]
    copies = [1] * len(parts)
    for i, shard in enumerate(shards):
        for axis in axes:
            if shard is None or not _splits(shard, axis):
                copies[i] *= mesh.size(axis)
    return ShardSums(parts, [mesh.get_group(axis) for axis in axes], copies)


def _splits(shard: Shard, axis: int) -> bool:
    """Whether processes along an axis of the mesh have different parts."""
    return not shard.placements[axis].is_replicate()


def dealing_group() -> "ProcessGroup | None":
    """The processes of the ZeroRedundancyOptimizer that is calling, which deals parameters out; None without."""
    zero = sys.modules.get("torch.distributed.optim.zero_redundancy_optimizer")
    frame = None if zero is None else sys._getframe(1)
    while zero is not None and frame is not None:
        caller: Any = frame.f_locals.get("self")
        if isinstance(caller, zero.ZeroRedundancyOptimizer):
            return caller.process_group
        frame = frame.f_back
    return None
