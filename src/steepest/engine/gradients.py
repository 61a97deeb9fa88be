"""The gradients of all lanes of a fleet: in one traced program for all, or lane after lane in a generated one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from steepest.engine.data import Batch, Feed
from steepest.engine.graph import Program
from steepest.engine.native.lanes import trained
from steepest.engine.native.program import Native
from steepest.engine.programs import Extras, Programs
from steepest.engine.updates import KernelUpdates
from steepest.optim.apply import State
from steepest.optim.compiler import obstacle
from steepest.optim.kernel import NotCompiled


class Gradients(Protocol):
    """Gives the gradients of all lanes, step after step."""

    is_random: bool
    """Whether a step draws random numbers, as dropout does."""

    def batches(self, start: int, stop: int) -> Iterator[Any]:
        """What `apply` takes at each of the steps k = start … stop − 1."""
        ...

    def apply(self, flat: Tensor, tensors: Sequence[Tensor], batch: Any) -> tuple[Tensor, Tensor]:
        """Gradients [R, P] and losses [R] of the parameters `flat` [R, P], with the extras in order."""
        ...


class AllAtOnce:
    """One traced program takes all lanes, each with its own batch beside it."""

    def __init__(self, programs: Programs, extras: Extras, feed: Feed, flat: Tensor, tensors: Sequence[Tensor]) -> None:
        self.feed = feed
        inputs, targets = next(self.batches(0, 1))
        self.program: Program = programs.gradient(extras, feed.is_shared, flat, *tensors, *inputs, targets)
        self.is_random = self.program.is_random

    def batches(self, start: int, stop: int) -> Iterator[Batch]:
        return self.feed.batches(start, stop)

    def apply(self, flat: Tensor, tensors: Sequence[Tensor], batch: Batch) -> tuple[Tensor, Tensor]:
        inputs, targets = batch
        return self.program.call(flat, *tensors, *inputs, targets)


class LaneByLane:
    """A generated program takes one lane after the other, and can do many steps of it at a time, updates included."""

    def __init__(self, programs: Programs, extras: Extras, feed: Feed) -> None:
        """Raises NotCompiled."""
        if reason := obstacle():
            raise NotCompiled(reason)
        self.feed, self.stacked = feed, len(extras.stacked)
        self.native: Native = programs.native(extras, feed.batch_size)
        self.is_random = False

    def batches(self, start: int, stop: int) -> Iterator[Any]:
        for steps, examples in self.feed.examples(start, stop):
            for k in range(steps):
                yield [each.at(k) for each in examples]

    def apply(self, flat: Tensor, tensors: Sequence[Tensor], batch: Any) -> tuple[Tensor, Tensor]:
        gradients = torch.empty_like(flat)
        seeds = self.feed.seed_of_lane
        losses = trained(self.native, flat, tensors, self.stacked, seeds, batch, range(len(flat)), gradients)
        return gradients, torch.from_numpy(losses[0])

    def train(
        self,
        start: int,
        stop: int,
        flat: Tensor,
        tensors: Sequence[Tensor],
        state: State,
        updates: KernelUpdates,
        rows: Sequence[int],
    ) -> np.ndarray:
        """Steps t = start + 1 … stop of these rows, in place: their batch losses [stop − start, R], NaN elsewhere."""
        losses = []
        for steps, examples in self.feed.examples(start, stop):
            kernel, c = updates.together(start, start + steps)
            c = np.ascontiguousarray(c.transpose(1, 0, 2))  # [distinct rates, steps, n]
            update = (kernel.address(flat.dtype), state, c, updates.coefficients.of_lane)
            seeds = self.feed.seed_of_lane
            losses.append(trained(self.native, flat, tensors, self.stacked, seeds, examples, rows, None, update))
            start += steps
        return np.concatenate(losses)


def gradients(
    compile: bool, programs: Programs, extras: Extras, feed: Feed, flat: Tensor, tensors: Sequence[Tensor]
) -> tuple[Gradients, str]:
    """How a fleet gets its gradients; and why they are not compiled that were to be: "" where they are."""
    refused = ""
    if compile:
        try:
            return LaneByLane(programs, extras, feed), ""
        except NotCompiled as error:
            refused = str(error)
    return AllAtOnce(programs, extras, feed, flat, tensors), refused
