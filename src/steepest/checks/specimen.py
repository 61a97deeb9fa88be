"""What the checks of a task look at: the task, and a model with its outputs on a few examples, made once for all."""

from functools import cached_property

import torch
from torch import Tensor, nn

from steepest.tasks.splits import Splits
from steepest.tasks.task import Task

SAMPLE_EXAMPLES = 64


class Specimen:
    """A task that has passed `steepest.tasks.check.check`, seed 0. Nothing is made before it is asked for."""

    def __init__(self, task: Task) -> None:
        self.task = task

    @cached_property
    def splits(self) -> Splits:
        return self.task.splits(0)

    @cached_property
    def sample(self) -> tuple[tuple[Tensor, ...], Tensor]:
        """The inputs and targets of up to 64 training examples."""
        return self.task.batch(self.splits, self.splits.train[:SAMPLE_EXAMPLES])

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self.sample[0]

    @property
    def targets(self) -> Tensor:
        return self.sample[1]

    @cached_property
    def model(self) -> nn.Module:
        """An untrained model in eval mode. A check that changes it or its mode builds its own."""
        return self.task.build_model(0).eval()

    @cached_property
    def outputs(self) -> Tensor:
        """The model's outputs for the sample, in eval mode and without gradient."""
        with torch.no_grad():
            return self.model(*self.inputs)
