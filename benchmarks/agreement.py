"""Whether the engines agree on a model, in double precision: for `benchmarks.zoo` and `benchmarks.compositions`."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from steepest import Task
from steepest.engine import solo
from steepest.engine.fleet import Fleet
from steepest.engine.random_sources import seed_step
from steepest.records.contender import Contender
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane, Shard

TOLERANCE = 1e-9
LANES = (Lane(1e-3, 0), Lane(3e-3, 0), Lane(1e-3, 1))


def losses_alone(task: Task, shard: Shard) -> np.ndarray:  # [steps, R]
    """The training losses of each trial in a plain loop."""
    found = np.empty((shard.steps, len(shard.lanes)))
    for i, lane in enumerate(shard.lanes):
        trial = solo.Trial(task, shard, lane)
        for t in range(1, shard.steps + 1):
            seed_step(lane.seed, t)
            found[t - 1, i] = trial.step(t)
    return found


@dataclass(frozen=True)
class Comparison:
    """The largest relative differences of losses from those of each trial alone, and what was not compiled."""

    plain: float | None  # None for a model that draws at random: in a plain fleet, all lanes draw together
    compiled: float
    refused: list[str]
    by_torch: Counter[str]

    @property
    def is_right(self) -> bool:
        return max(self.plain or 0.0, self.compiled) <= TOLERANCE

    def __str__(self) -> str:
        plain = "draws" if self.plain is None else f"{self.plain:.0e}"
        remarks = [*self.refused, *(f"{count} × {call} by torch" for call, count in self.by_torch.items())]
        return f"{plain:>8} {self.compiled:8.0e}  {'; '.join(remarks)}"


def compared(name: str, task: Task, steps: int) -> Comparison:
    contender, size = Contender("adam", "adam", 1e-3), task.batch_size
    shard = Shard("x", TaskRef(name, "memory", name), contender, LANES, size, steps, (steps,), dtype="float64")
    alone = losses_alone(task, shard)

    def apart(fleet: Fleet) -> float:
        return float(np.max(np.abs(fleet.train(0, steps) - alone) / np.abs(alone)))

    plain = Fleet(task, shard, LANES)
    fleet = Fleet(task, replace(shard, compiled=("gradient", "update")), LANES)
    program = getattr(fleet.gradients, "gradient_program", None)
    is_random = plain.gradients.is_random and bool(program and program.random_ops.ops)
    calls = Counter(program.torch_calls if program else [])
    return Comparison(None if is_random else apart(plain), apart(fleet), fleet.refused, calls)
