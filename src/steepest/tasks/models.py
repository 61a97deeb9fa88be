"""The small reference networks of the built-in tasks. Weights start as torch's layers draw them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """A multilayer perceptron with ReLU between its layers; `sizes` = (inputs, hidden …, outputs).

    mlp((64, 64, 10)):  x [B, 64] → Linear → ReLU → h [B, 64] → Linear → scores [B, 10]
    """
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def linear(inputs: int, outputs: int) -> nn.Linear:
    """One dense layer: x [B, inputs] → [B, outputs]. With cross-entropy: softmax regression, which is convex."""
    return nn.Linear(inputs, outputs)
