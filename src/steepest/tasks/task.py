"""A task: a model, data in three parts, a loss, a metric, a batch size and a horizon. What a trial trains.

The engine asks a task for one thing per seed, its `Splits`: a pool of examples on which the three parts are index
arrays, and the scaling measured on that seed's training part. Everything else is shared by all replicas.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Metric:
    """A quality measured on a whole part of the data: `fn(outputs, targets) -> scalar tensor`, vmappable."""

    name: str
    fn: Callable[[Any, Tensor], Tensor]
    higher_is_better: bool = True
    unit: str = ""
    margin: float = 0.0
    """Practical margin, raw: smaller differences are ties."""


@dataclass(frozen=True)
class Scaling:
    """Affine scaling (x − shift) / scale, measured on one seed's training part. Each broadcasts over the examples."""

    input_shift: Tensor  # [*features]
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


@dataclass(frozen=True)
class Task:
    """What a trial trains. TODO(full docstring, constructor checks): see the contract."""

    model: Callable[[], nn.Module]
    loss: Callable[[Any, Tensor], Tensor]
    train: tuple[Any, ...] | None = None
    valid: tuple[Any, ...] | None = None
    test: tuple[Any, ...] | None = None
    data: tuple[Any, ...] | None = None
    split: Sequence[float] = (0.6, 0.2, 0.2)
    metric: str | Metric = "loss"
    batch_size: int = 64
    epochs: float = 20
    name: str = "task"
    title: str = ""
    standardize: bool = False

    def splits(self, seed: int) -> Splits:
        """The data as this seed sees them."""
        raise NotImplementedError

    def build_model(self, seed: int, dtype: torch.dtype = torch.float32) -> nn.Module:
        """The model with the initial weights of this seed; the caller's random state is left as it was."""
        raise NotImplementedError
