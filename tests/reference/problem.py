"""A small made-up problem that shows an optimizer's mistakes: the ground on which rules, references and other
frameworks are compared.

Its gradient g(t, w) = (noise_t + h·(w − target))·scale depends on the step and on the weights: errors feed back. There
are three parameters of unequal, non-square shapes. One column has gradients a million times smaller, which brings out
where an ε stands; it starts at zero, so that its displacement keeps all its digits. The rate falls at every step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

SHAPES = ((7, 3), (5,), (2, 3, 4))
ROLES = ("hidden", "vector", "output")
"""Of the parameters, for the rules that treat them by role."""
STEPS = 14
DECAY = 0.75  # of the rate, per step: its powers are exact in float32 too
TOLERANCE = 1e-12

_rng = np.random.default_rng(20)
_sizes = [int(np.prod(shape)) for shape in SHAPES]
TINY = np.zeros(sum(_sizes), dtype=bool)  # [P], the last column of the first parameter
TINY[2:21:3] = True
START = np.where(TINY, 0.0, _rng.normal(size=TINY.size))  # [P]
_TARGET = _rng.normal(size=TINY.size)
_SCALE = np.where(TINY, 1e-6, 1.0)
_NOISE = _rng.normal(size=(STEPS, TINY.size))


def rates(lr: float) -> list[float]:
    """The rate of each step."""
    return [lr * DECAY**k for k in range(STEPS)]


def gradient(t: int, w: Any) -> Any:
    """The gradient of step t = 1, 2, … at w, an array [P] or a tensor [..., P]; the same bits in both."""

    def like_w(x: np.ndarray) -> Any:
        return torch.as_tensor(x).to(w.dtype) if isinstance(w, Tensor) else x

    return (like_w(_NOISE[t - 1]) + 0.3 * (w - like_w(_TARGET))) * like_w(_SCALE)


B = 9
"""Targets in a batch, for rules that draw them."""


def sampled_gradient(t: int, w: Any) -> Any:
    """A second, unlike gradient of step t at w, in the place of that of a loss whose targets are drawn."""
    return gradient(STEPS + 1 - t, 0.5 * w)


def split(flat: Tensor) -> list[Tensor]:
    """[P] → one tensor a parameter."""
    return [part.reshape(shape) for part, shape in zip(flat.split(_sizes), SHAPES, strict=True)]


def joined(parameters: list[Any]) -> Tensor:
    """One tensor a parameter → [P]."""
    return torch.cat([p.detach().reshape(-1) for p in parameters])


def deviation(path: Any, expected: Any) -> float:
    """Largest difference of two paths [T, P] over the largest distance moved; the tiny column is judged by itself."""
    path, expected = np.asarray(path), np.asarray(expected)
    moved = np.abs(expected - START)
    difference = np.abs(path - expected)
    return max(difference[:, part].max() / moved[:, part].max() for part in (TINY, ~TINY))
