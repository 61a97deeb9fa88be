"""R replicas trained as one tensor program: their parameters lie in one buffer [R, P], their gradients in another.

A step is two pure functions of tensors: the gradients of all lanes, and the update of all lanes. Every lane has its own
rate, seed and fate: one that diverges is frozen, and changes no bit of its neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby, pairwise

import numpy as np
import torch
from torch import Tensor

from steepest import rng
from steepest.engine.coefficients import Coefficients
from steepest.engine.curves import Curves, joined
from steepest.engine.data import Feed, Part, placed
from steepest.engine.gradients import gradients
from steepest.engine.layout import replicas
from steepest.engine.programs import Extras, programs
from steepest.engine.updates import updates
from steepest.engine.workshop import EMPTY, Configured, Workshop
from steepest.errors import BadInput
from steepest.optim.apply import fresh_fleet
from steepest.optim.catalogue import fleet_obstacle
from steepest.optim.rule import at_rate
from steepest.tasks.task import Task
from steepest.types import Lane, Shard, Trace

WORK = 2**25
"""Parameters × examples, over all lanes, in one step of a fleet that is large enough."""
MOST = 128
"""Lanes in any fleet."""
CHECK = 64
"""Steps after which losses are looked at: a lane that has diverged harms nobody until then."""
AT_A_TIME = 2**18
"""Input numbers, over all lanes of a seed, that an evaluation puts through the model at a time."""


def train(
    task: Task, shard: Shard, workshop: Workshop = EMPTY, progress: Callable[[float], None] = lambda done: None
) -> Trace:
    """Train the trials of a shard, as many at a time as is fastest."""
    parts = in_fleets(task, shard, shard.lanes)
    traces = []
    for i, part in enumerate(parts):
        fleet = Fleet(task, shard, [shard.lanes[place] for place in part], workshop)
        traces.append(fleet.run(lambda done, i=i: progress((i + done) / len(parts))))
    return joined(traces, [place for part in parts for place in part])


def in_fleets(task: Task, shard: Shard, lanes: Sequence[Lane]) -> list[list[int]]:
    """How lanes are cut into fleets: their places among `lanes`, those of one seed side by side and, where a fleet has
    room for them all, together.
    """
    places = sorted(range(len(lanes)), key=lambda place: lanes[place].seed)
    layout = programs(task, getattr(torch, shard.dtype), torch.device(shard.device)).layout
    width = shard.width or lanes_per_fleet(layout.parameters, shard.batch_size)
    seeds = [[*group] for _, group in groupby(places, key=lambda place: lanes[place].seed)]
    units = seeds if max(map(len, seeds)) <= width else [[place] for place in places]
    count = math.ceil(len(units) / (width // max(map(len, units))))
    bounds = [len(units) * i // count for i in range(count + 1)]
    return [[place for unit in units[start:end] for place in unit] for start, end in pairwise(bounds)]


def lanes_per_fleet(parameters: int, batch_size: int) -> int:
    """Lanes beyond which a fleet gains nothing: the arithmetic of a step then outweighs the calling of its kernels.

    A function of sizes alone, since the cut decides the last bits of results, and a job must always give the same.
    Measured (docs/engine.md): more lanes cost memory, and hardly any time.
    """
    return max(1, min(MOST, WORK // (parameters * (batch_size + 4))))  # 4: what an update costs, in examples


class Fleet:
    """R trials that march in step: one task, one batch size, one optimizer up to its rate."""

    @torch.no_grad()
    def __init__(self, task: Task, shard: Shard, lanes: Sequence[Lane], workshop: Workshop = EMPTY) -> None:
        """Lanes of one seed must stand side by side."""
        optimizer = workshop.optimizer(shard.contender)
        if not isinstance(optimizer, Configured):
            raise BadInput(f"{shard.contender.name} is no rule of ours: it trains one model at a time. Use solo.")
        if obstacle := fleet_obstacle(optimizer.rule, shard.contender.schedule):
            raise BadInput(f"{shard.contender.name} {obstacle}: it trains one model at a time. Use solo.")
        self.task, self.shard, self.lanes, self.rule = task, shard, lanes, optimizer.rule
        self.dtype, self.device = getattr(torch, shard.dtype), torch.device(shard.device)
        self.programs = programs(task, self.dtype, self.device)
        rates = [lane.rate for lane in lanes]
        coefficients = Coefficients(optimizer, rates, shard, self.dtype, self.device)

        places = [[*group] for _, group in groupby(range(len(lanes)), key=lambda place: lanes[place].seed)]
        self.rows = [slice(group[0], group[-1] + 1) for group in places]  # of each seed
        seeds = [lanes[group[0]].seed for group in places]
        self.splits = [task.splits(seed) for seed in seeds]
        of_lane = torch.tensor([i for i, group in enumerate(places) for _ in group], device=self.device)
        may_share = "gradient" not in shard.compiled  # one library for all fleets, whatever their seeds
        feed = (shard.batch_size, self.dtype, self.device, may_share)
        self.feed = Feed(task, self.splits, seeds, of_lane, *feed)

        models = [task.build_model(seed, self.dtype).to(self.device) for seed in seeds]
        start = replicas(models, of_lane, self.programs.changing)
        self.flat = start.flat  # [R, P]
        self.extras = Extras(tuple(start.stacked), tuple(start.shared))
        self.tensors = (*start.stacked.values(), *start.shared.values())
        shapes = tuple(self.programs.layout.shapes.values())
        first = coefficients.factor(1, shard.steps)
        starts = [at_rate(optimizer.settings, rate * first) for rate in rates]
        self.state = fresh_fleet(self.rule, starts, shapes, self.flat)  # each [R, Q]
        self.refused: list[str] = []
        """Why something is not compiled that was to be, in words."""
        self.updates, refused = updates(
            self.rule, shapes, coefficients, self.flat, self.state, compile="update" in shard.compiled
        )
        if refused:
            self.refused.append(f"the update: {refused}")
        how = next((part for part in shard.compiled if part != "update"), None)
        tensors = (self.flat, self.tensors)
        self.gradients, self.program, refused = gradients(how, self.programs, self.extras, self.feed, *tensors)
        if refused:
            self.refused.append(f"the gradient: {refused}")
        self.frozen: Tensor | None = None  # int64: rows whose trial has ended

    def run(self, progress: Callable[[float], None] = lambda done: None) -> Trace:
        """Train up to the horizon, or until every lane has diverged."""
        curves = Curves(len(self.lanes), self.shard.evaluate_at)
        for stop in self.shard.evaluate_at:
            while curves.step < stop and curves.alive.any():
                curves.trained(self.train(curves.step, min(curves.step + CHECK, stop)))
                self.freeze(~curves.alive)
            if not curves.alive.any():
                break
            curves.evaluated(*self.evaluate("valid"))
            progress(stop / self.shard.steps)
        nothing = np.full(len(self.lanes), np.nan)
        return curves.trace(*(self.evaluate("test") if curves.alive.any() else (nothing, nothing)))

    @torch.no_grad()
    def train(self, start: int, stop: int) -> np.ndarray:
        """Steps t = start + 1 … stop; returns their batch losses [stop − start, R], each from before its update."""
        losses = []
        batches = self.gradients.batches(start, stop)
        for t, (batch, c) in enumerate(zip(batches, self.updates.steps(start, stop), strict=True), start + 1):
            if self.program.is_random:
                torch.manual_seed(rng.integer(self.lanes[0].seed, "dropout", t))
            g, loss = self.gradients.apply(self.program, self.flat, self.tensors, batch)
            self.flat, self.state = self.updates.apply(self.flat, g, self.state, c)
            if self.frozen is not None:
                self.flat.index_fill_(0, self.frozen, 0.0)
            losses.append(loss)
        return torch.stack(losses).cpu().numpy()

    @property
    def is_random(self) -> bool:
        """Whether a step draws random numbers, as dropout does."""
        return self.program.is_random

    def freeze(self, ended: np.ndarray) -> None:
        """Pin the weights of these lanes [R] at zero from now on: finite, whatever their state has become."""
        if ended.any():
            self.frozen = torch.from_numpy(np.flatnonzero(ended)).to(self.device)

    @torch.no_grad()
    def evaluate(self, part: Part, at_most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Loss and metric of every lane [R] on a part of its seed's data, or on its first examples."""
        scores = []
        flat = self.updates.evaluated(self.flat, self.state)
        if self.frozen is not None and flat is not self.flat:
            flat = flat.index_fill(0, self.frozen, 0.0)
        for splits, rows in zip(self.splits, self.rows, strict=True):
            positions = getattr(splits, part)[:at_most]
            numbers = sum(column[0].numel() for column in splits.inputs) * (rows.stop - rows.start)
            count = math.ceil(len(positions) * numbers / AT_A_TIME)
            outputs, targets = [], []
            for piece in np.array_split(positions, min(count, len(positions))):
                inputs, y = placed(*self.task.batch(splits, piece), self.dtype, self.device)
                outputs.append(self._outputs(flat, rows, inputs))
                targets.append(y)
            whole = (torch.cat(outputs, dim=1), torch.cat(targets))
            scores.append(torch.stack(self.programs.scores(*whole).call(*whole)))
        loss, metric = torch.cat(scores, dim=1).double().cpu().numpy()
        return loss, metric

    def _outputs(self, flat: Tensor, rows: slice, inputs: tuple[Tensor, ...]) -> Tensor:
        """Outputs [lanes of a seed, n, …] of inputs [n, …]."""
        count = len(self.extras.stacked)
        extras = (*(x[rows] for x in self.tensors[:count]), *self.tensors[count:])
        arguments = (flat[rows], *extras, *inputs)
        return self.programs.outputs(self.extras, *arguments).call(*arguments)
