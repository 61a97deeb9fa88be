"""The flat layout of a fleet: all parameters of all replicas in one buffer [R, P], each parameter a view [R, *shape].

All other tensors are kept apart: buffers that training changes (the running statistics of a batch norm) are stacked
[R, …] and updated in place; tensors that all replicas share are kept once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Named = dict[str, Tensor]


@dataclass(frozen=True)
class Layout:
    """The place of each trainable parameter in a row of P numbers: one after another, in the model's own order.

    Tied weights, which share storage under two names, appear once, under the first name.
    """

    shapes: Mapping[str, torch.Size]

    @classmethod
    def of(cls, model: nn.Module) -> Layout:
        return cls({name: p.shape for name, p in model.named_parameters() if p.requires_grad})

    @property
    def sizes(self) -> list[int]:
        return [math.prod(shape) for shape in self.shapes.values()]

    @property
    def parameters(self) -> int:
        """P, the length of a row."""
        return sum(self.sizes)

    def views(self, flat: Tensor) -> Named:
        """The parameters as views of `flat` [R, P]: each [R, *shape]."""
        columns = flat.split(self.sizes, dim=1)
        named = zip(self.shapes.items(), columns, strict=True)
        return {name: column.view(len(flat), *shape) for (name, shape), column in named}

    def flatten(self, named: Mapping[str, Tensor]) -> Tensor:
        """The inverse: tensors [R, *shape], such as gradients, as one new buffer [R, P]."""
        return torch.cat([named[name].reshape(len(named[name]), -1) for name in self.shapes], dim=1)

    def row(self, model: nn.Module) -> Tensor:
        """The trainable parameters of one model: [P]."""
        own = dict(model.named_parameters())
        return torch.cat([own[name].detach().flatten() for name in self.shapes])


@dataclass
class Replicas:
    """The tensors of R replicas at the start of training."""

    flat: Tensor  # [R, P]
    stacked: Named  # each [R, …]: frozen parameters and buffers that differ, or that training will change
    shared: Named  # frozen parameters and buffers that are, and stay, the same for all replicas


def replicas(models: Sequence[nn.Module], of_lane: Tensor, changing: frozenset[str]) -> Replicas:
    """Rows for R lanes from the models of a few seeds; `of_lane` [R] is the index of each lane's model.

    `changing` names the buffers that a forward pass in training changes: see `changing_buffers`.
    """
    layout = Layout.of(models[0])
    extras = [_extras(model, layout) for model in models]
    stacked, shared = {}, {}
    for name, first in extras[0].items():
        values = [extra[name] for extra in extras]
        if name in changing or any(not torch.equal(first, value) for value in values[1:]):
            stacked[name] = torch.stack(values)[of_lane]
        else:
            shared[name] = first.clone()
    return Replicas(torch.stack([layout.row(model) for model in models])[of_lane], stacked, shared)


def _extras(model: nn.Module, layout: Layout) -> Named:
    named = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {name: tensor.detach() for name, tensor in named.items() if name not in layout.shapes}


@torch.no_grad()
def changing_buffers(model: nn.Module, inputs: tuple[Tensor, ...]) -> frozenset[str]:
    """Names of the buffers that a forward pass in training mode changes; runs one, which changes `model`."""
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    if not before:
        return frozenset()
    model.train()(*inputs)
    return frozenset(name for name, buffer in model.named_buffers() if not torch.equal(buffer, before[name]))
