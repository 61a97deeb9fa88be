"""What the others are measured against: our own engine, one process of one thread a core."""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
import torch

from benchmarks.workloads import Workload, trials
from steepest.engine.fleet import CHECK_INTERVAL_STEPS, Fleet
from steepest.engine.solo import Trial
from steepest.optim.catalogue import contender
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Compiled, Shard


class Engine:
    """A fleet, or a trial of its own, as a worker runs it."""

    chunk = 1

    def __init__(self, workload: Workload, engine: str, lanes: int, compiled: tuple[Compiled, ...] = ()) -> None:
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)
        self.lanes, of_lanes = lanes, trials(lanes)
        shard = Shard(
            id="benchmark",
            task=TaskRef(workload.name, "memory", workload.name),
            contender=contender("adam"),
            lanes=of_lanes,
            batch_size=workload.batch_size,
            steps=sys.maxsize,  # timing never gets there
            evaluate_at=(sys.maxsize,),
            width=lanes,
            compiled=compiled,
        )
        self.step = Trial(workload.task, shard, of_lanes[0]).step if engine == "solo" else None
        self.fleet = Fleet(workload.task, shard, of_lanes) if engine == "fleet" else None
        if self.fleet and self.fleet.refused:
            print(f"{workload.name}: {'; '.join(self.fleet.refused)}", file=sys.stderr)

    def train(self, start: int, stop: int) -> np.ndarray:
        if self.step is not None:
            return np.array([[self.step(t)] for t in range(start + 1, stop + 1)])
        assert self.fleet is not None
        bounds = [*range(start, stop, CHECK_INTERVAL_STEPS), stop]  # as many steps at a time as in a study
        return np.concatenate([self.fleet.train(a, b) for a, b in pairwise(bounds)])


trainer = Engine
