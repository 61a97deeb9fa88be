"""Records what came of each test example, for the lanes that their seeds may pick."""

from functools import cached_property

import numpy as np
from torch import Tensor

from steepest.records.example_outcomes import Contributions, candidates
from steepest.tasks.per_example import contributions
from steepest.tasks.splits import Splits
from steepest.tasks.task import Task


class ExampleRecorder:
    """What came of the test examples of some lanes, each as it was when last recorded."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.found: dict[int, Contributions] = {}

    def record(self, lane: int, splits: Splits, outputs: Tensor, targets: Tensor) -> None:
        """From the outputs [n, …] of a lane for its seed's test part, and the targets."""
        self.found.pop(lane, None)
        each = contributions(self.task.quality, outputs, targets)
        if each is None or self.task.plan.kind == "time":
            return  # neighbours in time are alike and do not vary independently
        values, positions, pool, right = each.values.cpu().numpy(), splits.test, len(splits.targets), each.right
        tested = self.task.sizes["test"]
        if (keys := self._groups) is not None:  # whole groups are drawn: a group is what an example is elsewhere
            positions, of_example = np.unique(keys[positions], return_inverse=True)
            values = np.bincount(of_example, weights=values - values.mean()) * (len(positions) / len(values))
            pool, right, tested = int(keys.max()) + 1, False, self._groups_tested
        elif not right:
            values = values - values.mean()
        if not np.isfinite(values).all():
            return
        kept = candidates(pool, tested)
        order = np.argsort(positions)
        chosen = order[np.isin(positions[order], kept, assume_unique=True)]
        if len(chosen):
            mask = np.isin(kept, positions, assume_unique=True)
            self.found[lane] = Contributions(mask, values[chosen], len(positions), right)

    @cached_property
    def _groups(self) -> np.ndarray | None:
        plan = self.task.plan
        return plan.keys if plan.kind == "groups" and "test" in plan.names else None

    @cached_property
    def _groups_tested(self) -> int:
        """By seed 0: the same for every trial of the task."""
        keys = self._groups
        return 0 if keys is None else len(np.unique(keys[self.task.plan.draw(0)["test"]]))
