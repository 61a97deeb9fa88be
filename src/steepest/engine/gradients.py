"""The gradients of all lanes of a fleet: in one program for all, traced or compiled, or in one for lane after lane."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from steepest.engine.data import Batch, Feed
from steepest.engine.graph import Program
from steepest.engine.library import NotCompiled
from steepest.engine.programs import Extras, Programs


class AllAtOnce:
    """One program takes all lanes, each with its own batch beside it."""

    def __init__(self, programs: Programs, extras: Extras, feed: Feed, compile: bool = False) -> None:
        self.programs, self.extras, self.feed, self.compile = programs, extras, feed, compile

    def batches(self, start: int, stop: int) -> Iterator[Batch]:
        """What `apply` takes at each of the steps k = start … stop − 1."""
        return self.feed.batches(start, stop)

    def prepare(self, flat: Tensor, tensors: Sequence[Tensor], batch: Batch) -> Program:
        """The program for arguments like these; raises NotCompiled."""
        inputs, targets = batch
        arguments = (flat, *tensors, *inputs, targets)
        return self.programs.gradient(self.extras, self.feed.is_shared, *arguments, compile=self.compile)

    def apply(self, program: Program, flat: Tensor, tensors: Sequence[Tensor], batch: Batch) -> tuple[Tensor, Tensor]:
        """Gradients [R, P] and losses [R] of the parameters `flat` [R, P], with the extras in order."""
        inputs, targets = batch
        return program.call(flat, *tensors, *inputs, targets)


class LaneByLane(AllAtOnce):
    """A compiled program takes one lane after the other: for models whose kernels gain nothing from company."""

    def batches(self, start: int, stop: int) -> Iterator[Batch]:
        return self.feed.of_seeds(start, stop)

    def prepare(self, flat: Tensor, tensors: Sequence[Tensor], batch: Batch) -> Program:
        return self.programs.gradient_of_lane(self.extras, *self._of_lane(0, flat, tensors, batch))

    def apply(self, program: Program, flat: Tensor, tensors: Sequence[Tensor], batch: Batch) -> tuple[Tensor, Tensor]:
        results = [program.call(*self._of_lane(lane, flat, tensors, batch)) for lane in range(len(flat))]
        gradients, losses = zip(*results, strict=True)
        return torch.stack(gradients), torch.stack(losses)

    def _of_lane(self, lane: int, flat: Tensor, tensors: Sequence[Tensor], batch: Batch) -> tuple[Tensor, ...]:
        inputs, targets = batch
        count, seed = len(self.extras.stacked), self.feed.seed_of_lane[lane]
        own = (x[lane] for x in tensors[:count])
        return (flat[lane], *own, *tensors[count:], *(x[seed] for x in inputs), targets[seed])


def gradients(
    how: str | None, programs: Programs, extras: Extras, feed: Feed, flat: Tensor, tensors: Sequence[Tensor]
) -> tuple[AllAtOnce, Program, str]:
    """How a fleet gets its gradients, with the program; and why it is not `how` ("gradient", "lane"), if it is not."""
    refused = ""
    kinds: dict[str | None, type[AllAtOnce]] = {"lane": LaneByLane}
    if len(flat) > 1:  # a program for any number of lanes is not for a single one
        kinds["gradient"] = AllAtOnce
    if kind := kinds.get(how):
        chosen = kind(programs, extras, feed, compile=True)
        try:
            return chosen, chosen.prepare(flat, tensors, next(chosen.batches(0, 1))), ""
        except NotCompiled as error:
            refused = str(error)
    plain = AllAtOnce(programs, extras, feed)
    return plain, plain.prepare(flat, tensors, next(plain.batches(0, 1))), refused
