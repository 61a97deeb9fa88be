"""The coefficients of an update for many steps and replicas at once: float64 on the host, cast at the end."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from steepest.engine.lane_settings import schedule_of, settings_of
from steepest.engine.object_registry import ConfiguredRule
from steepest.optim.drivers import FleetScalars
from steepest.optim.per_parameter import PerParameter
from steepest.optim.rule import Scalar, at_rate, coefficient_record
from steepest.optim.schedules import Schedule, schedule
from steepest.records.dial import Setting
from steepest.records.trials import Lane, Shard

Values = Mapping[str, Any]
"""Name of a coefficient → a number, or an array over rates."""


@dataclass
class _Alike:
    """Lanes with equal dials, which differ only in their rate."""

    settings: Mapping[str, Setting]
    factor: Schedule
    rates: np.ndarray  # [k], distinct
    places: np.ndarray  # [k]: of these rates among the distinct pairs of rate and dials
    carries: list[dict[str, float]]
    """One for each rate, after step `done`."""
    at_once: bool
    """All rates are taken as one array, unless the rule does not accept one."""


class Coefficients:
    """The coefficients that `rule.update` takes at each step, for R replicas that differ in their rate and dials.

    What is computed for one of several equal pairs of rate and dials ("distinct rates" below) holds for all of them.
    """

    def __init__(
        self,
        optimizer: ConfiguredRule,
        lanes: Sequence[Lane],  # [R]
        shard: Shard,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.rule, self.scale, self.horizon = optimizer.rule, optimizer.scale, shard.steps
        self.dtype, self.device = dtype, device
        distinct = sorted({(lane.dials, lane.rate) for lane in lanes})
        place = {pair: i for i, pair in enumerate(distinct)}
        self.of_lane = np.array([place[lane.dials, lane.rate] for lane in lanes])
        self.count = len(distinct)
        self._kinds: list[_Alike] = []
        for lane in {lane.dials: lane for lane in lanes}.values():
            rates = [rate for dials, rate in distinct if dials == lane.dials]
            self._kinds.append(
                _Alike(
                    settings=settings_of(optimizer, lane),
                    factor=schedule(schedule_of(shard, lane)),
                    rates=np.array(rates, dtype=np.float64),
                    places=np.array([place[lane.dials, rate] for rate in rates]),
                    carries=[],
                    at_once=not self.rule.carry,
                )
            )
        self._begin()

    def steps(self, start: int, stop: int) -> Iterator[FleetScalars]:
        """A record for each of the steps t = start + 1 … stop.

        A coefficient that is equal for all replicas is a Python float, since rules skip factors of 1 and terms of 0;
        one that differs is a tensor [R, 1]. Both give the same bits.
        """
        names, table = self.table(start, stop)
        columns = [self._column(table[..., i]) for i in range(len(names))]
        for values in zip(*columns, strict=True):
            yield self.record(names, values)

    def table(self, start: int, stop: int) -> tuple[list[str], np.ndarray]:
        """Names, and values [steps, distinct rates, names], for the steps t = start + 1 … stop."""
        if start != self.done:
            self._begin()
            for t in range(1, start + 1 if self.rule.carry else 1):
                self._at(t)
        rows = [self._at(t) for t in range(start + 1, stop + 1)]
        self.done = stop
        names = list(rows[0])
        values = np.empty((len(rows), self.count, len(names)))
        for i, row in enumerate(rows):
            for j, name in enumerate(names):
                values[i, :, j] = row[name]
        return names, values

    def record(self, names: Sequence[str], values: Sequence[Scalar]) -> FleetScalars:
        """What an update takes, from the names and the values of the coefficients of one step."""
        return coefficient_record(dict(zip(names, values, strict=True)))

    @property
    def key(self) -> tuple[object, ...]:
        """What distinguishes the records of groups of parameters; nothing without groups."""
        return ()

    def of_lanes(self, values: np.ndarray) -> torch.Tensor:
        """Values [steps, distinct rates, n] as a tensor [steps, n, R, 1]: each lane has those of its rate."""
        lanes = values.transpose(0, 2, 1)[:, :, self.of_lane, None]
        return torch.from_numpy(np.ascontiguousarray(lanes)).to(device=self.device, dtype=self.dtype)

    def _begin(self) -> None:
        self.done = 0
        for kind in self._kinds:
            kind.carries = [dict(self.rule.carry) for _ in kind.rates]

    def _at(self, t: int) -> Values:
        """The coefficients of step t, each a number or an array over distinct rates; advances the carries."""
        if len(self._kinds) == 1:
            return self._of_kind(self._kinds[0], t)
        found: dict[str, np.ndarray] = {}
        for kind in self._kinds:
            for name, value in self._of_kind(kind, t).items():
                found.setdefault(name, np.full(self.count, np.nan))[kind.places] = value
        return found

    def _of_kind(self, kind: _Alike, t: int) -> Values:
        """The same over the rates of these lanes."""
        factor, settings = kind.factor(t, self.horizon), kind.settings
        if kind.at_once:
            try:
                return self.rule.advance(at_rate(self.rule, settings, kind.rates * factor * self.scale), t, {})  # type: ignore[arg-type]
            except (TypeError, ValueError):  # a rule that compares its rate, say
                kind.at_once = False
        rows = [
            self.rule.advance(at_rate(self.rule, settings, rate * factor * self.scale), t, carry)
            for rate, carry in zip(kind.rates.tolist(), kind.carries, strict=True)
        ]
        return {name: [row[name] for row in rows] for name in rows[0]}

    def _column(self, values: np.ndarray) -> Sequence[float | torch.Tensor]:
        """One coefficient at each step, from its values [steps, distinct rates]."""
        if (values == values[:, :1]).all():
            return values[:, 0].tolist()
        lanes = torch.from_numpy(values[:, self.of_lane, None])  # [steps, R, 1]
        return lanes.to(device=self.device, dtype=self.dtype).unbind()


class GroupedCoefficients(Coefficients):
    """The same where groups of parameters have settings of their own: the coefficients of all groups side by side."""

    def __init__(
        self,
        groups: Sequence[ConfiguredRule],
        group_of: Sequence[int],  # of each parameter
        lanes: Sequence[Lane],
        shard: Shard,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.parts = [Coefficients(each, lanes, shard, dtype, device) for each in groups]
        self.group_of = tuple(group_of)
        super().__init__(groups[0], lanes, shard, dtype, device)

    def table(self, start: int, stop: int) -> tuple[list[str], np.ndarray]:
        tables = [part.table(start, stop) for part in self.parts]
        names = [f"{place}.{name}" for place, (own, _) in enumerate(tables) for name in own]
        return names, np.concatenate([values for _, values in tables], axis=2)

    def record(self, names: Sequence[str], values: Sequence[Scalar]) -> PerParameter:
        each: list[dict[str, Scalar]] = [{} for _ in self.parts]
        for name, value in zip(names, values, strict=True):
            place, _, own = name.partition(".")
            each[int(place)][own] = value
        return PerParameter(tuple(map(coefficient_record, each)), self.group_of)

    @property
    def key(self) -> tuple[object, ...]:
        return self.group_of
