"""Train, validation and test parts as index arrays into one pool: drawn by seed, stratified, with scaling measured on
the training part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from steepest.records import rng
from steepest.tasks.arrays import PARTS, Pool


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


def drawn_parts(pool: Pool) -> tuple[str, ...]:
    """The parts that a seed draws from the examples given as `train`; `train` alone means that nothing is drawn."""
    return ("train", *(name for name in PARTS if name not in pool.ranges))


def part_sizes(pool: Pool, split: Sequence[float]) -> dict[str, int]:
    """Examples in each part, the same for every seed; `train` is divided between the parts drawn from it."""
    names = drawn_parts(pool)
    shares = np.array([split[PARTS.index(name)] for name in names])
    edges = np.round(np.cumsum([0, *shares]) / shares.sum() * len(pool.ranges["train"])).astype(int)
    sizes = {name: len(positions) for name, positions in pool.ranges.items()}
    return sizes | {name: int(size) for name, size in zip(names, np.diff(edges), strict=True)}


def draw_parts(pool: Pool, sizes: Mapping[str, int], seed: int) -> dict[str, np.ndarray]:
    """Positions of each part in the pool for this seed, stratified by class."""
    parts = {name: np.asarray(positions, dtype=np.int64) for name, positions in pool.ranges.items()}
    names = drawn_parts(pool)
    if len(names) == 1:
        return parts
    labels = pool.targets[parts["train"]]
    has_classes = labels.ndim == 1 and not labels.is_floating_point()
    strata = labels.numpy() if has_classes else np.zeros(len(labels), dtype=np.int64)
    drawn = cut(strata, [sizes[name] for name in names], rng.generator(seed, "split"))
    return parts | {name: parts["train"][places] for name, places in zip(names, drawn, strict=True)}


def cut(labels: np.ndarray, counts: Sequence[int], draw: np.random.Generator) -> list[np.ndarray]:
    """Positions 0 … n−1 divided at random into parts of these sizes, stratified by class.

    After a shuffle, each example has the relative position (rank + ½) / size within its class. Parts are cut from the
    order of these positions, so that each has its share of every class to within one example. With a single label this
    is a plain random split. Positions are sorted.
    """
    shuffled = draw.permutation(len(labels))
    _, codes, sizes = np.unique(labels[shuffled], return_inverse=True, return_counts=True)
    by_class = np.argsort(codes, kind="stable")
    rank = np.empty(len(labels))
    rank[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    order = shuffled[np.argsort((rank + 0.5) / sizes[codes], kind="stable")]
    return [np.sort(part) for part in np.split(order, np.cumsum(counts)[:-1])]


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each feature over the examples [n, *features]; constant features get 1."""
    mean = x.double().mean(0)
    deviation = x.double().std(0, correction=0)
    constant = x.amax(0) == x.amin(0)
    return mean.float(), torch.where(constant, 1.0, deviation).float()
