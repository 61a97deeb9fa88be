"""The gradients of all lanes of a fleet: by one traced program for all lanes, or by a generated one lane after lane."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from steepest.codegen.elementwise_loop import NotCompiled
from steepest.codegen.toolchain import unavailable_reason
from steepest.engine.compiled.batch_runner import LaneRunner, StepData
from steepest.engine.compiled.program import GradientProgram
from steepest.engine.data import Batch, Feed
from steepest.engine.graph import Program
from steepest.engine.programs import Extras, Programs
from steepest.engine.updates import KernelUpdates
from steepest.optim.rule import Tensors


class Gradients(Protocol):
    """Computes the gradients of all lanes, step after step."""

    is_random: bool
    """Whether a step draws from the global generator, which must be seeded before it."""

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
    """A generated program runs one lane after another, and many steps of a lane at a time, updates included."""

    is_random = False  # each seed draws for itself

    def __init__(self, programs: Programs, extras: Extras, feed: Feed) -> None:
        """Raises NotCompiled."""
        if reason := unavailable_reason():
            raise NotCompiled(reason)
        self.feed, self.stacked = feed, len(extras.stacked)
        self.gradient_program: GradientProgram = programs.gradient_program(extras, feed.batch_size)

    def batches(self, start: int, stop: int) -> Iterator[tuple[StepData, int]]:
        for step_data in self._step_data(start, stop):
            for k in range(step_data.steps):
                yield step_data, k

    def apply(self, flat: Tensor, tensors: Sequence[Tensor], batch: tuple[StepData, int]) -> tuple[Tensor, Tensor]:
        step_data, k = batch
        if k == 0:
            self._runner = self._lanes(step_data, flat, tensors, range(len(flat)))
        gradients = torch.empty_like(flat)
        self._runner.step(flat, gradients)
        return gradients, torch.from_numpy(self._runner.losses[:, k])

    def train(
        self,
        start: int,
        stop: int,
        flat: Tensor,
        tensors: Sequence[Tensor],
        state: Tensors,
        updates: KernelUpdates,
        rows: Sequence[int],
    ) -> np.ndarray:
        """Steps t = start + 1 … stop of these rows, in place: their batch losses [stop − start, R], NaN elsewhere."""
        losses = []
        for step_data in self._step_data(start, stop):
            kernel, c = updates.together(start, start + step_data.steps)
            c = np.ascontiguousarray(c.transpose(1, 0, 2))  # [distinct rates, steps, n]
            lanes = self._lanes(step_data, flat, tensors, rows)
            losses.append(lanes.train(flat, state, kernel.address(flat.dtype), c, updates.coefficients.of_lane))
            start += step_data.steps
        return np.concatenate(losses)

    def _lanes(self, step_data: StepData, flat: Tensor, tensors: Sequence[Tensor], rows: Sequence[int]) -> LaneRunner:
        return LaneRunner(self.gradient_program, step_data, flat, tensors, self.stacked, self.feed.seed_of_lane, rows)

    def _step_data(self, start: int, stop: int) -> Iterator[StepData]:
        """The data of all seeds for the steps t = start + 1 … stop, in pieces of limited size."""
        drawn, orders = self.gradient_program.random_ops, self.feed.orders
        at_once = drawn.steps_at_once(len(orders))
        for _, examples in self.feed.examples(start, stop):
            for pieces in zip(*(each.pieces(at_once) for each in examples), strict=True):
                end = start + len(pieces[0].places)
                yield StepData(pieces, [drawn.draw(order.seed, start, end) for order in orders])
                start = end


def gradients(
    compile: bool, programs: Programs, extras: Extras, feed: Feed, flat: Tensor, tensors: Sequence[Tensor]
) -> tuple[Gradients, str]:
    """How a fleet computes its gradients; and why they are not compiled although asked for, "" if they are."""
    refused = ""
    if compile:
        try:
            return LaneByLane(programs, extras, feed), ""
        except NotCompiled as error:
            refused = str(error)
    return AllAtOnce(programs, extras, feed, flat, tensors), refused
