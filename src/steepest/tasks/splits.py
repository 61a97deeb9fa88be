"""One seed's data: train, validation and test parts as index arrays into one pool, and the scaling measured on the
training part. `split_plan` draws the parts.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Scaling:
    """Affine scaling (x − shift) / scale, measured on one seed's training part. Each broadcasts over the examples."""

    input_shift: Tensor  # [*features], or [] where inputs are not scaled
    input_scale: Tensor  # [*features]
    target_shift: Tensor | None = None
    target_scale: Tensor | None = None


@dataclass(frozen=True)
class Splits:
    """One seed's data. `inputs` and `targets` are one shared object for all seeds of a task, never copies."""

    inputs: tuple[Tensor, ...]  # each [N, ...]: the arguments of the model
    targets: Tensor  # [N, ...]
    train: np.ndarray  # [n_train], int64 positions in the pool
    valid: np.ndarray  # [n_valid]
    test: np.ndarray  # [n_test]
    scaling: Scaling | None = None  # of inputs[0] and, where given, of the targets
    weights: np.ndarray | None = None  # [n_train], how often each example is drawn for training; None: all alike


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each feature over the examples [n, *features]; constant features get 1."""
    mean = x.double().mean(0)
    deviation = x.double().std(0, correction=0)
    constant = x.amax(0) == x.amin(0)
    return mean.float(), torch.where(constant, 1.0, deviation).float()
