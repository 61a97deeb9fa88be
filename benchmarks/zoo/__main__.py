"""Whether the engines agree on the models of the zoo: python -m benchmarks.zoo [--steps 50] [NAMES]

For each model, in double precision: the largest relative difference of the training losses of a fleet, and of a
compiled fleet, from those of each trial trained alone; what torch does inside the compiled program, since it has no C++
form; and what is not compiled at all, with the reason. The exit code is 1 if a difference is above 1e-9.
"""

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from benchmarks import zoo
from steepest import Task
from steepest.engine import solo
from steepest.engine.compiled.program import GradientProgram
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


def compared(name: str, steps: int) -> tuple[float, float, list[str], Counter[str]]:
    """(difference of the plain fleet, of the compiled one, refusals, calls of torch inside the program)."""
    task = zoo.task(name)
    contender, size = Contender("adam", "adam", 1e-3), task.batch_size
    shard = Shard("x", TaskRef(name, "memory", name), contender, LANES, size, steps, (steps,), dtype="float64")
    alone = losses_alone(task, shard)
    apart = []
    fleet = Fleet(task, shard, LANES)
    for compiled in ((), ("gradient", "update")):
        fleet = Fleet(task, replace(shard, compiled=compiled), LANES)
        losses = fleet.train(0, steps)
        apart.append(float(np.max(np.abs(losses - alone) / np.abs(alone))))
    program = getattr(fleet.gradients, "program", None)
    calls = program.torch_calls if isinstance(program, GradientProgram) else []
    return apart[0], apart[1], fleet.refused, Counter(calls)


def main(arguments: Sequence[str] | None = None) -> int:
    asked = argparse.ArgumentParser(prog="python -m benchmarks.zoo", description=__doc__)
    asked.add_argument("names", nargs="*", default=zoo.NAMES, help="models; default: all")
    asked.add_argument("--steps", type=int, default=50)
    given = asked.parse_args(arguments)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    is_right = True
    print(f"{'model':16} {'fleet':>8} {'compiled':>8}  remarks")
    for name in given.names:
        plain, compiled, refused, calls = compared(name, given.steps)
        is_right &= max(plain, compiled) <= TOLERANCE
        remarks = [*refused, *(f"{count} × {call} by torch" for call, count in calls.items())]
        print(f"{name:16} {plain:8.0e} {compiled:8.0e}  {'; '.join(remarks)}", flush=True)
    return not is_right


if __name__ == "__main__":
    sys.exit(main())
