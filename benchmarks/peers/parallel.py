"""Peer (b): the plain loop, spread by joblib over all cores, one thread each: what an expert would do."""

from __future__ import annotations

from multiprocessing.util import Finalize
from typing import Any

import joblib
import numpy as np
from joblib.externals.loky import get_reusable_executor

from benchmarks.peers.loop import Loop
from benchmarks.workloads import WORKLOADS, Workload, trials
from steepest.records.trials import Lane


class Parallel:
    """As many trials at a time as there are cores. Processes are started once, and stay for later trials."""

    chunk = 1

    def __init__(self, workload: Workload, adam: str, processes: int) -> None:
        self.workload, self.adam, self.lanes = workload.name, adam, processes
        self.pool: Any = joblib.Parallel(n_jobs=processes, backend="loky", max_nbytes=None)
        Finalize(None, _end, exitpriority=1)

    def train(self, start: int, stop: int) -> np.ndarray:
        """Every call begins new trials, and trains them for as many steps."""
        jobs = [joblib.delayed(trial)(self.workload, lane, self.adam, stop - start) for lane in trials(self.lanes)]
        return np.concatenate(self.pool(jobs), axis=1)


def trial(workload: str, lane: Lane, adam: str, steps: int) -> np.ndarray:
    """Done in a process of the pool: losses [steps, 1]."""
    return Loop(WORKLOADS[workload], lane, adam, threads=1).train(0, steps)


def _end() -> None:
    """Take the processes along when this one ends, which a process of `multiprocessing` does without `atexit`."""
    whatever: Any = True  # the stubs take it for a word
    get_reusable_executor(reuse=whatever).shutdown(wait=True, kill_workers=True)


trainer = Parallel
