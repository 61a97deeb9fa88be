"""The plain training loop: one trial at a time, any model, any optimizer. It is what a user would write. Fleets must
give its results; timing uses it; and models that cannot be trained as a fleet fall back to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby

import numpy as np
import torch
from torch import Tensor, nn

from steepest.engine.data import Order, Part, to_device
from steepest.engine.example_recorder import ExampleRecorder
from steepest.engine.halving import train_with_rungs
from steepest.engine.lane_settings import schedule_of, with_dials
from steepest.engine.object_registry import EMPTY_REGISTRY, ConfiguredRule, ExternalOptimizer, ObjectRegistry
from steepest.engine.own_optimizers import built, scales_of
from steepest.engine.random_sources import seed_step
from steepest.engine.second_gradient import ComputeSecond, check_second, second_gradient
from steepest.engine.stopping import StoppingCurves, curves_of
from steepest.engine.task_roles import for_task
from steepest.optim.drivers import check_matrices, evaluated, forms_of, fresh, moved_together, with_second
from steepest.optim.plateau import Plateau
from steepest.optim.rule import Scalars, at_rate, averages, coefficient_record
from steepest.optim.schedules import schedule
from steepest.optim.sparse import move_rows, moves_rows
from steepest.records.outcomes import Trace
from steepest.records.trials import Lane, Shard
from steepest.tasks.task import Task

EVALUATION_EXAMPLES = 512
"""Examples that an evaluation passes through the model at a time."""


def train(
    task: Task,
    shard: Shard,
    registry: ObjectRegistry = EMPTY_REGISTRY,
    progress: Callable[[float], None] = lambda done: None,
    make_trial: Callable[[Task, Shard, Lane, ObjectRegistry], Trial] | None = None,
) -> Trace:
    """Train the trials of a shard one after another; with rungs, those of a seed take turns from rung to rung."""
    make = make_trial or Trial
    places = sorted(range(len(shard.lanes)), key=lambda place: shard.lanes[place].seed)
    seeds = [[[place] for place in group] for _, group in groupby(places, key=lambda place: shard.lanes[place].seed)]
    cohorts = seeds if shard.rungs else [[[place]] for place in range(len(shard.lanes))]

    def start_group(part: Sequence[int]) -> SoloGroup:
        return SoloGroup(make(task, shard, shard.lanes[part[0]], registry))

    return train_with_rungs(cohorts, start_group, shard, task.quality.higher_is_better, progress)


def run(trial: Trial) -> Trace:
    """Train one trial to its horizon, or until it diverges."""
    group = SoloGroup(trial)
    group.until(trial.shard.steps)
    return group.finish()


class SoloGroup:
    """A trial in training, with its record."""

    def __init__(self, trial: Trial) -> None:
        self.trial, self.lanes = trial, (trial.lane,)
        self.recorder = ExampleRecorder(trial.task)
        self.curves = curves_of(trial.task, trial.shard, 1, lambda _: trial.evaluate("test", recorder=self.recorder))

    def until(self, last: int, report: Callable[[int], None] = lambda step: None) -> None:
        """Train and evaluate up to step `last`, or until the trial has ended."""
        trial, shard, curves = self.trial, self.trial.shard, self.curves
        marks, losses = set(shard.evaluate_at), []
        while curves.step < last and curves.alive.any():
            step = curves.step + len(losses) + 1
            seed_step(trial.lane.seed, step)
            losses.append(trial.step(step))
            if step < last and step not in marks and curves.is_within_limit(losses[-1]):
                continue  # recording each loss by itself would take a tenth of a small model's step
            curves.trained(np.array(losses)[:, None])
            losses = []
            if step in marks:
                loss, metric = trial.evaluate("valid")
                curves.evaluated(loss, metric)
                if isinstance(trial.factor, Plateau):
                    trial.factor.hear(step, shard.steps, float(loss[0]))
                report(step)

    def stop(self, lanes: Sequence[int]) -> None:
        """Stop training if the trial's lane is among these."""
        self.curves.stopped(lanes)

    def finish(self) -> Trace:
        """The record, once the horizon is reached."""
        if isinstance(self.curves, StoppingCurves) or not self.curves.alive.any():
            return self.curves.trace(*np.full((2, 1), np.nan))
        return self.curves.trace(*self.trial.evaluate("test", recorder=self.recorder))


class Trial:
    """One training run: a model, an optimizer, a rate, and the batches of a seed."""

    def __init__(self, task: Task, shard: Shard, lane: Lane, registry: ObjectRegistry = EMPTY_REGISTRY) -> None:
        self.task, self.shard, self.lane = task, shard, lane
        self.dtype, self.device = getattr(torch, shard.dtype), torch.device(shard.device)
        self.splits = task.splits(lane.seed)
        self.order = Order(lane.seed, self.splits.train, self.splits.weights)
        self.model = self.prepared(task.build_model(lane.seed, self.dtype).to(self.device))
        self.factor = schedule(schedule_of(shard, lane))
        first = self.factor(1, shard.steps)
        optimizer = with_dials(registry.optimizer(shard.contender), lane)
        if isinstance(optimizer, ConfiguredRule):
            check_second(optimizer.rule.second, task, shard.contender.name)
            optimizer = for_task(optimizer, task)
        self.optimizer = self.driver(optimizer, lane.rate, first)

    def prepared(self, model: nn.Module) -> nn.Module:
        """The model as it is trained."""
        return model

    def driver(
        self, optimizer: ConfiguredRule | ExternalOptimizer, rate: float, first: float
    ) -> RuleDriver | ExternalDriver:
        """What updates the model's parameters; first: the schedule's factor in the first step."""
        return driver_of(optimizer, self.model, rate, first)

    def step(self, t: int) -> float:
        """Step t = 1, 2, …: forward, backward, update. The loss is the batch's, before the update."""
        positions = self.order.batches(t - 1, t, self.shard.batch_size)
        batch = self.task.training_batch(self.splits, positions, self.lane.seed, t - 1)
        inputs, targets = to_device(*batch, self.dtype, self.device)
        self.model.train()
        self.model.zero_grad()
        loss = self.task.training_loss(self.model(*inputs), targets)
        self.backward(loss)
        self.optimizer.step(self.lane.rate * self.factor(t, self.shard.steps), self.second(inputs, targets, t))
        return loss.item()

    def backward(self, loss: Tensor) -> None:
        """Compute the gradients of all parameters."""
        loss.backward()

    def second(self, inputs: tuple[Tensor, ...], targets: Tensor, t: int) -> ComputeSecond:
        """Computes the second gradient of step t."""
        return partial(second_gradient, self.task, self.model, inputs, targets, self.lane.seed, t)

    @torch.no_grad()
    def evaluate(
        self, part: Part, at_most: int | None = None, recorder: ExampleRecorder | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Loss and metric on a part of the data, or on its first examples: [1] each. A recorder gets the examples."""
        self.model.eval()
        positions = getattr(self.splits, part)[:at_most]
        outputs, targets = [], []
        with self.optimizer.evaluating():
            for start in range(0, len(positions), EVALUATION_EXAMPLES):
                x, y = self.batch(positions[start : start + EVALUATION_EXAMPLES])
                outputs.append(self.model(*x))
                targets.append(y)
        all_outputs, all_targets = torch.cat(outputs), torch.cat(targets)
        loss = self.task.measured_loss(all_outputs, all_targets)
        metric = self.task.quality.fn(all_outputs, all_targets)
        if recorder is not None:
            recorder.record(0, self.splits, all_outputs, all_targets)
        return np.array([float(loss)]), np.array([float(metric)])

    def batch(self, positions: np.ndarray) -> tuple[tuple[Tensor, ...], Tensor]:
        """Inputs and targets at these positions of the pool."""
        return to_device(*self.task.batch(self.splits, positions), self.dtype, self.device)


# ---- optimizers ------------------------------------------------------------------------------------------------------


def driver_of(
    optimizer: ConfiguredRule | ExternalOptimizer, model: nn.Module, rate: float, first: float
) -> RuleDriver | ExternalDriver:
    if isinstance(optimizer, ConfiguredRule):
        return RuleDriver(optimizer, model, rate * first)
    return ExternalDriver(built(optimizer, model, rate), rate)


class RuleDriver:
    """Applies a rule to parameters one by one, with coefficients as Python floats."""

    def __init__(self, optimizer: ConfiguredRule, model: nn.Module, rate: float) -> None:
        self.parameters: list[Tensor] = [p for p in model.parameters() if p.requires_grad]
        self.rule = optimizer.rule
        self.groups, self.group_of = optimizer.for_parameters(model)
        starts = [at_rate(self.rule, each.settings, rate * each.scale) for each in self.groups]
        self.forms = forms_of(self.rule, len(self.parameters))
        self.state = [
            fresh(form, starts[group], w)
            for form, w, group in zip(self.forms, self.parameters, self.group_of, strict=True)
        ]
        check_matrices(self.rule, [w.shape for w in self.parameters])
        self.restart()

    def restart(self) -> None:
        """Before the first step, as far as numbers on the host go."""
        self.carries = [dict(self.rule.carry) for _ in self.groups]
        self.t = 0
        self.last: list[Scalars] = []  # the coefficients of the step before, of each group

    def advance(self, rate: float) -> list[Scalars]:
        """The coefficients of each group in the next step."""
        self.t += 1
        self.last = [
            coefficient_record(self.rule.advance(at_rate(self.rule, each.settings, rate * each.scale), self.t, carry))
            for each, carry in zip(self.groups, self.carries, strict=True)
        ]
        return self.last

    @torch.no_grad()
    def step(self, rate: float, again: ComputeSecond) -> None:
        """One update. `again` computes the second gradient of given parameters, for a rule that needs one."""
        of_groups = self.advance(rate)
        of_each = [of_groups[group] for group in self.group_of]
        here = []
        for i, (w, c) in enumerate(zip(self.parameters, of_each, strict=True)):
            if w.grad is not None and moves_rows(self.rule, w.grad, c):
                move_rows(self.rule, w, w.grad, self.state[i], c)
            elif w.grad is not None:
                here.append(i)
        ws = [self.parameters[i] for i in here]
        gradients = [w.grad.to_dense() for w in ws if w.grad is not None]  # sparse if the rule moves every row
        states, cs = [self.state[i] for i in here], [of_each[i] for i in here]
        if self.rule.second:
            other = partial(again, self.rule.second, ws)
            gradients, states = with_second(self.rule, ws, gradients, states, cs, other)
        moves = moved_together(self.rule, ws, gradients, states, cs)
        for i, w, (new, state) in zip(here, ws, moves, strict=True):
            w.copy_(new)
            self.state[i] = state

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Within, the parameters have the values for evaluation."""
        if not averages(self.rule) or not self.last:
            yield
            return
        kept = [w.clone() for w in self.parameters]
        for w, state, group in zip(self.parameters, self.state, self.group_of, strict=True):
            w.copy_(evaluated(self.rule, w, state, self.last[group]))
        try:
            yield
        finally:
            for w, before in zip(self.parameters, kept, strict=True):
                w.copy_(before)

    def state_bytes(self) -> int:
        return sum(x.numel() * x.element_size() for state in self.state for x in state)


class ExternalDriver:
    """Sets the rate of a `torch.optim.Optimizer` and steps it. Groups of parameters keep the multiples of the rate with
    which they were built.

    Calls `train()` and `eval()` around evaluations if the optimizer has them, as Schedule-Free ones do.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, rate: float) -> None:
        self.optimizer = optimizer
        self.scales = scales_of(optimizer, rate)
        self.switches = [getattr(optimizer, name, None) for name in ("train", "eval")]
        self._switch(0)

    def _switch(self, to: int) -> None:
        if all(map(callable, self.switches)):
            self.switches[to]()  # type: ignore[misc]

    def step(self, rate: float, again: ComputeSecond) -> None:
        for group, scale in zip(self.optimizer.param_groups, self.scales, strict=True):
            group["lr"] = rate * scale
        self.optimizer.step()

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Within, the parameters have the values for evaluation."""
        self._switch(1)
        try:
            yield
        finally:
            self._switch(0)

    def state_bytes(self) -> int:
        values = [x for state in self.optimizer.state.values() for x in state.values()]
        return sum(x.numel() * x.element_size() for x in values if isinstance(x, Tensor) and x.ndim > 0)
