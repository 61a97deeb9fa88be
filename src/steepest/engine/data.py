"""The examples of each step: the endless shuffled stream of a seed, and batches for all lanes of a fleet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from steepest.records import rng
from steepest.tasks.task import Splits, Task

Part = Literal["valid", "test"]
Batch = tuple[tuple[Tensor, ...], Tensor]
"""The arguments of the model, and the targets."""

PREFETCHED_NUMBERS = 2**18
"""Numbers fetched from the pool at a time, 1 MB of float32: few calls, and the batches stay in cache."""


MAX_SCALED_NUMBERS = 2**26
"""Scaled numbers kept in memory for all seeds of a fleet, 256 MB of float32; beyond that, batches are scaled singly."""


class Order:
    """One seed's stream: a permutation of its training part for epoch 0, another for epoch 1, and so on for ever.

    Step k = 0, 1, … of batch size B takes places kB … (k+1)B − 1 of the stream, over the ends of epochs if need be.
    So every batch size sees the same examples in the same order, and each example equally often.

    >>> Order(seed=0, examples=np.array([7, 8, 9])).batches(0, 3, size=2).shape
    (3, 2)
    """

    def __init__(self, seed: int, examples: np.ndarray, weights: np.ndarray | None = None) -> None:
        self.seed = seed
        self.examples = examples  # [n], int64: positions in the pool
        self.weights = None if weights is None else weights / weights.sum()  # [n]: n draws with replacement an epoch
        self._epochs: dict[int, np.ndarray] = {}

    def batches(self, start: int, stop: int, size: int) -> np.ndarray:
        """Positions in the pool for the steps k = start … stop − 1: [stop − start, size]."""
        n = len(self.examples)
        if size == n and self.weights is None:  # full batch: the order does not matter and is not drawn
            return np.tile(self.examples, (stop - start, 1))
        epochs = range(start * size // n, (stop * size - 1) // n + 1)
        self._epochs = {epoch: self._epoch(epoch) for epoch in epochs}  # the next call usually starts in the last one
        stream = np.concatenate(list(self._epochs.values()))
        begin = start * size - epochs[0] * n
        return stream[begin : begin + (stop - start) * size].reshape(stop - start, size)

    def places(self, positions: np.ndarray) -> np.ndarray:
        """The indices in the training part of these positions in the pool."""
        places = np.empty(self.examples.max() + 1, dtype=np.int64)
        places[self.examples] = np.arange(len(self.examples))
        return places[positions]

    def _epoch(self, epoch: int) -> np.ndarray:
        known = self._epochs.get(epoch)
        if known is None:
            draw, n = rng.generator(self.seed, "order", epoch), len(self.examples)
            places = draw.permutation(n) if self.weights is None else draw.choice(n, n, p=self.weights)
            known = self.examples[places]
        return known


def to_device(inputs: tuple[Tensor, ...], targets: Tensor, dtype: torch.dtype, device: torch.device) -> Batch:
    """A batch on the device, its floats in the precision asked for; whole numbers stay what they are."""

    def place(x: Tensor) -> Tensor:
        return x.to(device=device, dtype=dtype if x.is_floating_point() else x.dtype)

    return tuple(map(place, inputs)), place(targets)


@dataclass(frozen=True)
class Examples:
    """The examples of one seed: columns, targets last, and the rows that make up the batch of each step."""

    columns: list[Tensor]  # each [n, …], without gaps; whole numbers as int64
    places: np.ndarray  # [steps, B], int64

    def pieces(self, steps: int) -> Iterator[Examples]:
        """The same in pieces of at most `steps` steps."""
        for start in range(0, len(self.places), steps):
            yield Examples(self.columns, self.places[start : start + steps])


def contiguous_column(x: Tensor) -> Tensor:
    """A column without gaps, its whole numbers as int64."""
    return (x if x.is_floating_point() or x.dtype is torch.bool else x.long()).contiguous()


class Feed:
    """The batches of a fleet. Lanes of one seed see the same examples, which are fetched and scaled once."""

    def __init__(
        self,
        task: Task,
        splits: Sequence[Splits],  # [S]
        seeds: Sequence[int],  # [S], distinct
        of_lane: Tensor,  # [R], int64: which of the seeds a lane has
        batch_size: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.task, self.splits, self.of_lane = task, splits, of_lane
        self.seed_of_lane: list[int] = of_lane.tolist()
        self.batch_size, self.dtype, self.device = batch_size, dtype, device
        self.orders = [Order(seed, split.train, split.weights) for seed, split in zip(seeds, splits, strict=True)]
        self.is_shared = len(seeds) == 1
        """All lanes see the same batch, so that it is [B, …] instead of [R, B, …]."""
        self._whole: list[Tensor] | None = None
        self._parts: dict[int, list[Tensor]] = {}
        self._always: Batch | None = None
        is_full = all(batch_size == len(each.train) and each.weights is None for each in splits)
        if is_full and not task.changes_examples:
            self._always = self._of_lanes(*(column[0] for column in self._fetch(0, 1)))
        columns = (*splits[0].inputs, splits[0].targets)
        numbers = len(seeds) * batch_size * sum(column[0].numel() for column in columns)
        self.ahead = max(1, PREFETCHED_NUMBERS // numbers)
        """Steps fetched at a time."""

    def batches(self, start: int, stop: int) -> Iterator[Batch]:
        """Inputs and targets for the steps k = start … stop − 1: each [R, B, …], or [B, …] where they are shared."""
        if self._always is not None:
            for _ in range(start, stop):
                yield self._always
            return
        for columns in self._steps(start, stop):
            yield self._of_lanes(*columns)

    def examples(self, start: int, stop: int) -> Iterator[tuple[int, list[Examples]]]:
        """For programs that gather batches themselves: (number of steps, examples of each seed) in pieces, for steps
        k = start … stop − 1.
        """
        if self.task.changes_examples or self._pool_is_large():
            for begin in range(start, stop, self.ahead):
                count = min(self.ahead, stop - begin)
                columns = [x.flatten(0, 1) for x in self._fetch(begin, begin + count)]  # [steps · S, B, …]
                yield count, self._fetched(columns, count)
            return
        pools = [self._pool(i) for i in range(len(self.splits))]
        found = []
        for order, (columns, is_whole) in zip(self.orders, pools, strict=True):
            positions = order.batches(start, stop, self.batch_size)
            found.append(Examples(columns, positions if is_whole else order.places(positions)))
        yield stop - start, found

    def _fetched(self, columns: list[Tensor], steps: int) -> list[Examples]:
        """Batches [steps · S, B, …] as the examples of each seed."""
        seeds, size = len(self.splits), self.batch_size
        flat = [contiguous_column(x.flatten(0, 1)) for x in columns]  # [steps · S · B, …]
        within = np.arange(size)[None, :] + size * seeds * np.arange(steps)[:, None]  # [steps, B]
        return [Examples(flat, within + size * seed) for seed in range(seeds)]

    def _pool_is_large(self) -> bool:
        splits = self.splits[0]
        numbers = sum(x[0].numel() for x in (*splits.inputs, splits.targets))
        return splits.scaling is not None and numbers * len(splits.train) * len(self.splits) > MAX_SCALED_NUMBERS

    def _pool(self, seed: int) -> tuple[list[Tensor], bool]:
        """A seed's columns: (its scaled training part, False), or (the whole pool, True) if nothing is scaled."""
        splits = self.splits[seed]
        if splits.scaling is None and type(self.task).batch is Task.batch:
            if self._whole is None:
                inputs, targets = to_device(splits.inputs, splits.targets, self.dtype, self.device)
                self._whole = [contiguous_column(x) for x in (*inputs, targets)]
            return self._whole, True
        if seed not in self._parts:
            inputs, targets = to_device(*self.task.batch(splits, splits.train), self.dtype, self.device)
            self._parts[seed] = [contiguous_column(x) for x in (*inputs, targets)]
        return self._parts[seed], False

    def _steps(self, start: int, stop: int) -> Iterator[tuple[Tensor, ...]]:
        """The columns of the batches, targets last, for all seeds: each [S, B, …]."""
        for begin in range(start, stop, self.ahead):
            yield from zip(*self._fetch(begin, min(begin + self.ahead, stop)), strict=True)

    def _fetch(self, start: int, stop: int) -> list[Tensor]:
        """The columns of the batches, targets last, for all seeds: each [steps, S, B, …]."""
        of_seeds = []
        for splits, order in zip(self.splits, self.orders, strict=True):
            positions = order.batches(start, stop, self.batch_size)
            batch = self.task.training_batch(splits, positions, order.seed, start)
            inputs, targets = to_device(*batch, self.dtype, self.device)
            of_seeds.append([column.view(*positions.shape, *column.shape[1:]) for column in (*inputs, targets)])
        return [torch.stack(column, dim=1) for column in zip(*of_seeds, strict=True)]

    def _of_lanes(self, *columns: Tensor) -> Batch:
        """One step's columns [S, B, …] as the lanes see them."""
        *inputs, targets = (column[0] if self.is_shared else column[self.of_lane] for column in columns)
        return tuple(inputs), targets
