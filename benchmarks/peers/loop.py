"""Peer (a): a plain PyTorch training loop, one trial after another, with the fastest of torch's own Adams.

What it is spared, to its advantage: its data lie in memory, scaled; which examples a batch holds is known beforehand;
numbers too small for full precision count as zero, as they do in our engine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from benchmarks.workloads import Workload, stream, trials
from steepest.records.trials import Lane

ADAMS: dict[str, dict[str, Any]] = {
    "fused": {"fused": True},
    "foreach": {"foreach": True},
    "for-loop": {"foreach": False},
}


def trainer(workload: Workload, adam: str, threads: int) -> Loop:
    return Loop(workload, trials(1)[0], adam, threads)


class Loop:
    """One trial, trained as one would write it by hand."""

    lanes, chunk = 1, 1

    def __init__(self, workload: Workload, lane: Lane, adam: str, threads: int) -> None:
        self.threads = threads
        self.stream = stream(workload.name, lane.seed)
        self.model, self.loss = workload.task.build_model(lane.seed).train(), workload.task.loss
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=lane.rate, **ADAMS[adam])

    def train(self, start: int, stop: int) -> np.ndarray:
        torch.set_num_threads(self.threads)
        torch.set_flush_denormal(True)
        x, y = self.stream.inputs, self.stream.targets
        losses = []
        for batch in torch.from_numpy(self.stream.of_steps(start, stop)).unbind():
            self.optimizer.zero_grad()
            loss = self.loss(self.model(x[batch]), y[batch])
            loss.backward()
            self.optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses).numpy()[:, None]
