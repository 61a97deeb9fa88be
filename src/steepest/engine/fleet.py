"""R replicas trained as one tensor program: their parameters lie in one buffer [R, P], their gradients in another.

A step is two pure functions of tensors: the gradients of all lanes, and the update of all lanes. Every lane has its own
rate and seed. A lane that diverges is frozen and changes no bit of the others.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, pairwise

import numpy as np
import torch
from torch import Tensor

from steepest.engine.coefficients import Coefficients, GroupedCoefficients
from steepest.engine.data import Feed, Part, to_device
from steepest.engine.example_recorder import ExampleRecorder
from steepest.engine.gradients import LaneByLane, gradients
from steepest.engine.halving import train_with_rungs
from steepest.engine.lane_settings import schedule_of, settings_of
from steepest.engine.layout import replicas
from steepest.engine.object_registry import EMPTY_REGISTRY, ConfiguredRule, ObjectRegistry
from steepest.engine.programs import Extras, programs
from steepest.engine.random_sources import seed_torch, step_seed
from steepest.engine.stopping import StoppingCurves, curves_of
from steepest.engine.task_roles import for_task
from steepest.engine.updates import KernelUpdates, updates
from steepest.errors import BadInput
from steepest.optim.catalogue import fleet_obstacle
from steepest.optim.drivers import fresh_fleet
from steepest.optim.rule import at_rate
from steepest.optim.schedules import schedule
from steepest.records.fleet_sizes import lanes_per_fleet
from steepest.records.outcomes import Trace
from steepest.records.trials import Lane, Shard
from steepest.tasks.splits import Splits
from steepest.tasks.task import Task

Record = Callable[[int, Splits, Tensor, Tensor], None]
"""Hears what a row of a fleet gave for a part of the data: row, its seed's data, outputs [n, …], targets."""
CHECK_INTERVAL_STEPS = 64
"""Steps between checks for divergence; until then a diverged lane does no harm."""
EVALUATION_NUMBERS = 2**18
"""Input numbers, over all lanes of a seed, that an evaluation passes through the model at a time."""


def train(
    task: Task,
    shard: Shard,
    registry: ObjectRegistry = EMPTY_REGISTRY,
    progress: Callable[[float], None] = lambda done: None,
) -> Trace:
    """Train the trials of a shard, as many at a time as is fastest."""

    def start_group(part: Sequence[int]) -> FleetGroup:
        return FleetGroup(Fleet(task, shard, [shard.lanes[place] for place in part], registry))

    return train_with_rungs(cohorts(task, shard), start_group, shard, task.quality.higher_is_better, progress)


def cohorts(task: Task, shard: Shard) -> list[list[list[int]]]:
    """Splits the lanes of a shard into cohorts of fleets. The fleets of a cohort share seeds and are trained together,
    rung by rung, so that rates can be stopped within a seed. Without rungs each fleet is a cohort.
    """
    parts = split_into_fleets(task, shard, shard.lanes)
    seeds = [{shard.lanes[place].seed for place in part} for part in parts]
    if not shard.rungs or sum(map(len, seeds)) == len(set().union(*seeds)):
        return [[part] for part in parts]
    found = []
    for seed in sorted(set().union(*seeds)):
        mine = [place for place, lane in enumerate(shard.lanes) if lane.seed == seed]
        cut = split_into_fleets(task, shard, [shard.lanes[place] for place in mine])
        found.append([[mine[i] for i in part] for part in cut])
    return found


def split_into_fleets(task: Task, shard: Shard, lanes: Sequence[Lane]) -> list[list[int]]:
    """Splits lanes into fleets, as indices of `lanes`. Lanes of one seed are adjacent, and in one fleet if they fit."""
    places = sorted(range(len(lanes)), key=lambda place: lanes[place].seed)
    layout = programs(task, getattr(torch, shard.dtype), torch.device(shard.device)).layout
    width = shard.width or lanes_per_fleet(layout.parameters, shard.batch_size)
    seeds = [[*group] for _, group in groupby(places, key=lambda place: lanes[place].seed)]
    units = seeds if max(map(len, seeds)) <= width else [[place] for place in places]
    count = math.ceil(len(units) / (width // max(map(len, units))))
    bounds = [len(units) * i // count for i in range(count + 1)]
    return [[place for unit in units[start:end] for place in unit] for start, end in pairwise(bounds)]


class Fleet:
    """R trials trained in step: one task, one batch size, one optimizer; rates, dials and seeds differ."""

    @torch.no_grad()
    def __init__(
        self,
        task: Task,
        shard: Shard,
        lanes: Sequence[Lane],
        registry: ObjectRegistry = EMPTY_REGISTRY,
        traced: bool = True,
    ) -> None:
        """Lanes of one seed must be adjacent."""
        optimizer = registry.optimizer(shard.contender)
        if not isinstance(optimizer, ConfiguredRule):
            raise BadInput(
                f"{shard.contender.name} is not a rule of steepest and trains one model at a time. Use solo."
            )
        if obstacle := fleet_obstacle(optimizer.rule, shard.contender.schedule):
            raise BadInput(f"{shard.contender.name} {obstacle}: it trains one model at a time. Use solo.")
        optimizer = for_task(optimizer, task)
        self.task, self.shard, self.rule = task, shard, optimizer.rule
        self.dtype, self.device = getattr(torch, shard.dtype), torch.device(shard.device)
        self.programs = programs(task, self.dtype, self.device, traced)
        self.shapes = tuple(self.programs.layout.shapes.values())
        model = task.build_model(lanes[0].seed, self.dtype)
        self.groups, self.group_of = optimizer.for_parameters(model)
        """The rule with the settings of each group of parameters, and the group of each parameter."""
        seeds, of_lane = self._assign_lanes(lanes)
        models = [task.build_model(seed, self.dtype).to(self.device) for seed in seeds]
        start = replicas(models, of_lane, self.programs.changing)
        self.flat = start.flat  # [R, P]
        self.extras = Extras(tuple(start.stacked), tuple(start.shared))
        self.tensors = (*start.stacked.values(), *start.shared.values())
        first = [schedule(schedule_of(shard, lane))(1, shard.steps) for lane in lanes]
        starts = [
            [
                at_rate(each.rule, settings_of(each, lane), lane.rate * factor * each.scale)
                for lane, factor in zip(lanes, first, strict=True)
            ]
            for each in self.groups
        ]
        self.state = fresh_fleet(self.rule, starts, self.shapes, self.flat, self.group_of)  # each [R, Q]
        self._prepare()

    def _assign_lanes(self, lanes: Sequence[Lane]) -> tuple[list[int], Tensor]:
        """Set up batches and coefficients for these lanes; returns their seeds [S] and each lane's seed index [R]."""
        self.lanes = lanes
        places = [[*group] for _, group in groupby(range(len(lanes)), key=lambda place: lanes[place].seed)]
        self.rows = [slice(group[0], group[-1] + 1) for group in places]  # of each seed
        seeds = [lanes[group[0]].seed for group in places]
        self.splits = [self.task.splits(seed) for seed in seeds]
        of_lane = torch.tensor([i for i, group in enumerate(places) for _ in group], device=self.device)
        feed = (self.shard.batch_size, self.dtype, self.device)
        self.feed = Feed(self.task, self.splits, seeds, of_lane, *feed)
        now = (lanes, self.shard, self.dtype, self.device)
        is_one = len(self.groups) == 1
        self.coefficients = (
            Coefficients(self.groups[0], *now) if is_one else GroupedCoefficients(self.groups, self.group_of, *now)
        )
        return seeds, of_lane

    def _prepare(self) -> None:
        """Make the two functions of a step for the current lanes."""
        compiled = self.shard.compiled
        self.refused: list[str] = []
        """Reasons why a part that should be compiled is not."""
        buffers = (self.flat, self.state)
        self.updates, refused = updates(
            self.rule, self.shapes, self.coefficients, *buffers, compile="update" in compiled
        )
        if refused:
            self.refused.append(f"the update: {refused}")
        tensors = (self.flat, self.tensors)
        self.gradients, refused = gradients("gradient" in compiled, self.programs, self.extras, self.feed, *tensors)
        if refused:
            self.refused.append(f"the gradient: {refused}")
        self.frozen: Tensor | None = None  # int64: rows whose trial has ended
        self.active_rows = [*range(len(self.lanes))]
        """The rows still in training."""

    @torch.no_grad()
    def keep(self, places: Sequence[int]) -> None:
        """Keep only the rows with these indices; the others are dropped and cost nothing any more."""
        rows = torch.tensor(places, device=self.device)
        self.flat, self.state = self.flat[rows], tuple(x[rows] for x in self.state)
        own = len(self.extras.stacked)
        self.tensors = (*(x[rows] for x in self.tensors[:own]), *self.tensors[own:])
        self._assign_lanes([self.lanes[place] for place in places])
        self._prepare()

    @torch.no_grad()
    def train(self, start: int, stop: int) -> np.ndarray:
        """Steps t = start + 1 … stop; returns their batch losses [stop − start, R], each from before its update."""
        if isinstance(self.gradients, LaneByLane) and isinstance(self.updates, KernelUpdates):
            buffers = (self.flat, self.tensors, self.state)
            losses = self.gradients.train(start, stop, *buffers, self.updates, self.active_rows)
            if self.frozen is not None:
                self.flat.index_fill_(0, self.frozen, 0.0)
            return losses
        losses = []
        batches = self.gradients.batches(start, stop)
        for t, (batch, c) in enumerate(zip(batches, self.updates.steps(start, stop), strict=True), start + 1):
            if self.is_random:
                seed_torch(step_seed(self.lanes[0].seed, t))
            g, loss = self.gradients.apply(self.flat, self.tensors, batch)
            self.flat, self.state = self.updates.apply(self.flat, g, self.state, c)
            if self.frozen is not None:
                self.flat.index_fill_(0, self.frozen, 0.0)
            losses.append(loss)
        return torch.stack(losses).cpu().numpy()

    @property
    def is_random(self) -> bool:
        """Whether a step draws random numbers, as dropout does."""
        return self.gradients.is_random

    def freeze(self, ended: np.ndarray) -> None:
        """Fix the weights of these lanes [R] at zero from now on: finite, regardless of their state."""
        if ended.any():
            self.frozen = torch.from_numpy(np.flatnonzero(ended)).to(self.device)
            self.active_rows = np.flatnonzero(~ended).tolist()

    @torch.no_grad()
    def evaluate(
        self, part: Part, at_most: int | None = None, record: Record | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Loss and metric of every lane [R] on a part of its seed's data, or on its first examples.

        `record` hears the outputs [n, …] and targets of each row.
        """
        scores = []
        flat = self.updates.evaluated(self.flat, self.state)
        if self.frozen is not None and flat is not self.flat:
            flat = flat.index_fill(0, self.frozen, 0.0)
        for splits, rows in zip(self.splits, self.rows, strict=True):
            positions = getattr(splits, part)[:at_most]
            numbers = sum(column[0].numel() for column in splits.inputs) * (rows.stop - rows.start)
            count = math.ceil(len(positions) * numbers / EVALUATION_NUMBERS)
            outputs, targets = [], []
            for piece in np.array_split(positions, min(count, len(positions))):
                inputs, y = to_device(*self.task.batch(splits, piece), self.dtype, self.device)
                outputs.append(self._outputs(flat, rows, inputs))
                targets.append(y)
            whole = (torch.cat(outputs, dim=1), torch.cat(targets))
            scores.append(torch.stack(self.programs.scores(*whole).call(*whole)))
            if record is not None:
                for row, mine in enumerate(whole[0], start=rows.start):
                    record(row, splits, mine, whole[1])
        loss, metric = torch.cat(scores, dim=1).double().cpu().numpy()
        return loss, metric

    def _outputs(self, flat: Tensor, rows: slice, inputs: tuple[Tensor, ...]) -> Tensor:
        """Outputs [lanes of a seed, n, …] of inputs [n, …]."""
        count = len(self.extras.stacked)
        extras = (*(x[rows] for x in self.tensors[:count]), *self.tensors[count:])
        arguments = (flat[rows], *extras, *inputs)
        return self.programs.outputs(self.extras, *arguments).call(*arguments)


class FleetGroup:
    """A fleet in training, with the record of all lanes that it started with."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.lanes = fleet, fleet.lanes
        self.recorder = ExampleRecorder(fleet.task)
        self.curves = curves_of(fleet.task, fleet.shard, len(fleet.lanes), self._tested)
        self.places = np.arange(len(fleet.lanes))  # [rows of the fleet]: which lane of the record each is

    def until(self, last: int, report: Callable[[int], None]) -> None:
        """Train and evaluate up to step `last`, or until every lane has ended."""
        curves, fleet = self.curves, self.fleet
        for stop in fleet.shard.evaluate_at:
            if not curves.step < stop <= last:
                continue
            while curves.step < stop and curves.alive.any():
                losses = fleet.train(curves.step, min(curves.step + CHECK_INTERVAL_STEPS, stop))
                curves.trained(self._of_all(losses))
                fleet.freeze(~curves.alive[self.places])
            if not curves.alive.any():
                return
            curves.evaluated(*self._evaluated("valid"))
            report(stop)

    def stop(self, lanes: Sequence[int]) -> None:
        """Stop these lanes of the record. They leave the fleet, as do lanes that ended before."""
        self.curves.stopped(lanes)
        alive = np.flatnonzero(self.curves.alive[self.places])
        if 0 < len(alive) < len(self.places):
            self.places = self.places[alive]
            self.fleet.keep(alive.tolist())

    def finish(self) -> Trace:
        """The record, once the horizon is reached."""
        curves = self.curves
        if isinstance(curves, StoppingCurves) or not curves.alive.any():
            return curves.trace(*np.full((2, len(self.lanes)), np.nan))
        return curves.trace(*self._tested(curves.picked(self.lanes, self.fleet.task.quality.higher_is_better)))

    def _evaluated(self, part: Part, record: Record | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Loss and metric on a part of the data, of all lanes of the record."""
        loss, metric = self.fleet.evaluate(part, record=record)
        return self._of_all(loss), self._of_all(metric)

    def _tested(self, wanted: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
        """Loss and metric on the test part; for these lanes of the record, each example is recorded."""
        lanes = {*wanted}

        def record(row: int, splits: Splits, outputs: Tensor, targets: Tensor) -> None:
            if (lane := int(self.places[row])) in lanes:
                self.recorder.record(lane, splits, outputs, targets)

        return self._evaluated("test", record)

    def _of_all(self, values: np.ndarray) -> np.ndarray:
        """Values […, rows of the fleet] as values […, R] of all lanes, NaN for lanes that have left."""
        if len(self.places) == len(self.lanes):
            return values
        whole = np.full((*values.shape[:-1], len(self.lanes)), np.nan)
        whole[..., self.places] = values
        return whole
