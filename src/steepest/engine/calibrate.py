"""What a step costs: of one trial alone, which is what a verdict may speak of, and of whole fleets, for forecasts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import median
from time import perf_counter

from steepest.engine.fleet import Fleet, in_fleets
from steepest.engine.solo import Trial
from steepest.engine.workshop import EMPTY, Workshop
from steepest.tasks.task import Task
from steepest.types import Lane, Shard, StepTime

WARM_UP = 5
"""Steps that are not timed: the first ones build state, fill caches, and trace."""
LANES_OF_A_SEED = 9
"""As many lanes see the same batch as a grid has rates."""


def step_time(task: Task, shard: Shard, lanes: Iterable[int], workshop: Workshop = EMPTY) -> StepTime:
    """Time the steps of a shard's contender, at the centre of its grid, alone and in fleets of these numbers of lanes.

    The shard's own lanes do not matter. Evaluations are left out.
    """
    trial = Trial(task, shard, Lane(shard.contender.centre, seed=0), workshop)
    alone = _milliseconds(trial.step, most=200, seconds=0.5)
    parameters = sum(p.numel() for p in trial.model.parameters() if p.requires_grad)
    return StepTime(
        task=shard.task.name,
        contender=shard.contender.name,
        milliseconds=alone,
        state_bytes_per_parameter=trial.optimizer.state_bytes() / parameters,
        fleet_milliseconds={str(count): _of_fleets(task, shard, count, workshop) for count in lanes},
    )


def _of_fleets(task: Task, shard: Shard, count: int, workshop: Workshop) -> float:
    """Milliseconds of one step of so many lanes: those of one fleet, in proportion where they make several."""
    lanes = tuple(Lane(shard.contender.centre, seed=i // LANES_OF_A_SEED) for i in range(count))
    first = in_fleets(task, shard, lanes)[0]
    fleet = Fleet(task, shard, [lanes[place] for place in first], workshop)
    return _milliseconds(lambda t: fleet.train(t - 1, t), most=40, seconds=0.25) * count / len(first)


def _milliseconds(step: Callable[[int], object], most: int, seconds: float) -> float:
    """The median over `most` steps t = 1, 2, …, or over those (at least three) that fit into `seconds`."""
    taken: list[float] = []
    t, began = 0, perf_counter()
    while len(taken) < 3 or (len(taken) < most and perf_counter() - began < seconds):
        t += 1
        start = perf_counter()
        step(t)
        if t > WARM_UP:
            taken.append((perf_counter() - start) * 1e3)
        else:
            began = perf_counter()
    return median(taken)
