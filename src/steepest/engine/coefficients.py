"""The coefficients of an update for many steps and many replicas at once: float64 on the host, cast at the very end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from steepest.engine.workshop import Configured
from steepest.optim.rule import at_rate, coefficient_record
from steepest.optim.schedules import schedule
from steepest.types import Shard


class Coefficients:
    """What `rule.update` needs at each step, for R replicas that differ in their rate alone."""

    def __init__(
        self,
        optimizer: Configured,
        rates: Sequence[float],  # [R]
        shard: Shard,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.rule, self.settings = optimizer.rule, optimizer.settings
        self.factor, self.horizon = schedule(shard.contender.schedule), shard.steps
        self.dtype, self.device = dtype, device
        self.distinct, self.of_lane = np.unique(np.asarray(rates, dtype=np.float64), return_inverse=True)
        self._begin()

    def steps(self, start: int, stop: int) -> Iterator[Any]:
        """A record for each of the steps t = start + 1 … stop.

        A coefficient that is the same for all replicas is a Python float, since rules skip what a 0 or a 1 leaves as it
        is; one that differs is a tensor [R, 1]. Both give the same bits.
        """
        names, table = self._table(start, stop)
        columns = [self._column(table[..., i]) for i in range(len(names))]
        for values in zip(*columns, strict=True):
            yield coefficient_record(dict(zip(names, values, strict=True)))

    def _table(self, start: int, stop: int) -> tuple[list[str], np.ndarray]:
        """Names, and values [steps, distinct rates, names]."""
        if start != self.done:
            self._begin()
            for t in range(1, start + 1 if self.rule.carry else 1):
                self._at(t)
        rows = [self._at(t) for t in range(start + 1, stop + 1)]
        self.done = stop
        values = [[list(of_rate.values()) for of_rate in row] for row in rows]
        return list(rows[0][0]), np.array(values, dtype=np.float64)

    def _begin(self) -> None:
        self.done = 0
        self.carries = [dict(self.rule.carry) for _ in self.distinct]  # each as step `done` has left it

    def _at(self, t: int) -> list[Mapping[str, float]]:
        """The coefficients of step t for each of the distinct rates; moves their carries on."""
        factor = self.factor(t, self.horizon)
        return [
            self.rule.advance(at_rate(self.settings, rate * factor), t, carry)
            for rate, carry in zip(self.distinct.tolist(), self.carries, strict=True)
        ]

    def _column(self, values: np.ndarray) -> Sequence[float | torch.Tensor]:
        """One coefficient at each step, from its values [steps, distinct rates]."""
        if (values == values[:, :1]).all():
            return values[:, 0].tolist()
        lanes = torch.from_numpy(values[:, self.of_lane, None])  # [steps, R, 1]
        return lanes.to(device=self.device, dtype=self.dtype).unbind()
