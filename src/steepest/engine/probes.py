"""Probes of training: how far a step moves each parameter, how noisy the gradient is, how curved the loss is there.

A probe takes the next steps on a copy of the trial, so probed training has the same bits as training. The lanes of a
fleet are probed one by one, each loaded into a trial of its own.
"""

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steepest.engine.fleet import Fleet
from steepest.engine.object_registry import EMPTY_REGISTRY, ObjectRegistry
from steepest.engine.random_sources import seed_step
from steepest.engine.solo import RuleDriver, Trial
from steepest.optim.drivers import state_shapes
from steepest.records.probe_trace import ProbeTrace
from steepest.records.trials import Shard
from steepest.tasks.task import Task

PROBE_COUNT = 8
PROBED_BATCHES = 8
"""Upcoming batches whose gradients a probe computes."""
CURVATURE_EXAMPLES = 256
"""Training examples, the same at every probe of a seed, on which the curvature is measured."""
MAX_POWER_ITERATIONS, POWER_TOLERANCE = 20, 0.02
"""Power iteration ends after this many rounds, or when the relative change is below this."""
RELATIVE_STEP = 1e-3
"""Step of the central difference for Hessian products, relative to the norm of the weights."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
RARE_SHARE, FREQUENT_SHARE = 0.25, 0.75
"""A parameter is rare if it has a gradient in at most this share of the batches, frequent in at least this share."""

Figures = dict[str, Any]
"""The figures of one lane at one step: a field of ProbeTrace → its value there."""


def probe_steps(steps: int, count: int = PROBE_COUNT) -> tuple[int, ...]:
    """Steps after which to probe: the start, three log-spaced ones up to a tenth of the horizon, then evenly spaced.

    >>> probe_steps(1000)
    (0, 10, 32, 100, 325, 550, 775, 998)
    """
    log_spaced = (steps * 10 ** (i / 2 - 2) for i in range(3))
    even = (steps * (0.1 + 0.9 * i / (count - 4)) for i in range(1, count - 3))
    last = max(0, steps - 2)  # a probe takes two more steps
    return tuple(sorted({0, *(min(last, round(x)) for x in (*log_spaced, *even))}))


# ---- training with probes --------------------------------------------------------------------------------------------


def probe(
    task: Task,
    shard: Shard,
    registry: ObjectRegistry = EMPTY_REGISTRY,
    progress: Callable[[float], None] = lambda done: None,
) -> ProbeTrace:
    """Train the trials of a shard in its engine and probe them after the steps `shard.evaluate_at`.

    The figures of a trial are NaN once it has diverged.
    """
    walk = _fleet if shard.engine == "fleet" else _solo
    at = [t for t in shard.evaluate_at if t < shard.steps]
    trials = [Trial(task, shard, lane, registry) for lane in shard.lanes]
    looks: list[list[Figures]] = [[] for _ in trials]
    tops: list[Tensor | None] = [None] * len(trials)
    for done, t, now in walk(task, shard, registry, trials, at):
        for i, trial in enumerate(now):
            seen, tops[i] = look(trial, t, tops[i])
            looks[i].append(seen)
        progress(done)
    names = tuple(name for name, p in trials[0].model.named_parameters() if p.requires_grad)
    figures = {name: np.array([[each[name] for each in lane] for lane in looks]) for name in looks[0][0]}
    return ProbeTrace(
        task=shard.task.name,
        contender=shard.contender.name,
        at=np.array(at, dtype=np.int64),
        seeds=np.array([lane.seed for lane in shard.lanes], dtype=np.int64),
        layers=names,
        states=_states(trials[0]),
        batch_size=shard.batch_size,
        steps=shard.steps,
        **figures,
    )


def _solo(task: Task, shard: Shard, registry: ObjectRegistry, trials: Sequence[Trial], at: Sequence[int]) -> Any:
    """(share done, step, trials after that step), trained by the plain loop."""
    del task, registry
    done = 0
    for i, stop in enumerate(at):
        for trial in trials:
            for t in range(done + 1, stop + 1):
                seed_step(trial.lane.seed, t)
                trial.step(t)
        done = stop
        yield (i + 1) / len(at), stop, trials


def _fleet(task: Task, shard: Shard, registry: ObjectRegistry, trials: Sequence[Trial], at: Sequence[int]) -> Any:
    """The same, trained as a fleet, whose lanes are sorted by seed."""
    order = sorted(range(len(trials)), key=lambda i: shard.lanes[i].seed)
    fleet = Fleet(task, shard, [shard.lanes[i] for i in order], registry)
    done = 0
    for k, stop in enumerate(at):
        if stop > done:
            fleet.train(done, stop)
        done = stop
        for row, i in enumerate(order):
            load_lane(fleet, row, trials[i], stop)
        yield (k + 1) / len(at), stop, trials


@torch.no_grad()
def load_lane(fleet: Fleet, row: int, trial: Trial, t: int) -> None:
    """Load the weights, buffers and state of a fleet's lane after t steps into a trial of the same setting."""
    driver = trial.optimizer
    assert isinstance(driver, RuleDriver)
    sizes = [w.numel() for w in driver.parameters]
    for w, values in zip(driver.parameters, fleet.flat[row].split(sizes), strict=True):
        w.copy_(values.view_as(w))
    stacked = len(fleet.extras.stacked)
    own = dict(trial.model.named_buffers()) | dict(trial.model.named_parameters())
    for name, values in zip(fleet.extras.stacked, fleet.tensors[:stacked], strict=True):
        own[name].copy_(values[row])
    shapes = [state_shapes(form, w.shape) for form, w in zip(driver.forms, driver.parameters, strict=True)]
    for k, (name, buffer) in enumerate(zip(driver.rule.state, fleet.state, strict=True)):
        is_number = name in driver.rule.numbers
        parts = [buffer[row]] * len(sizes) if is_number else buffer[row].split([math.prod(x[k]) for x in shapes])
        for state, values in zip(driver.state, parts, strict=True):
            state[k].copy_(values.view_as(state[k]))
    driver.restart()
    driver.t = 0 if driver.rule.carry else max(t - 1, 0)
    for step in range(driver.t + 1, t + 1):
        driver.advance(trial.lane.rate * trial.factor(step, trial.shard.steps))


# ---- one probe -------------------------------------------------------------------------------------------------------


def look(trial: Trial, t: int, top: Tensor | None = None) -> tuple[Figures, Tensor | None]:
    """The figures after t steps; and the direction of largest curvature, from which the next probe starts."""
    gradients, losses = _gradients(trial, t)  # [BATCHES, P], [BATCHES]
    before, first, second = _next_weights(trial, t)  # each [P]: the weights now, and after one step and two
    move, next_move = first - before, second - first
    rate = trial.lane.rate * trial.factor(t + 1, trial.shard.steps)
    sizes = [w.numel() for w in _weights(trial)]
    rare, frequent = (move_per_gradient(move, gradients, group) for group in _groups(gradients))
    seen = gradients[0] != 0
    whole = move_per_gradient(move, gradients, seen)
    by_layer = zip(move.split(sizes), gradients.split(sizes, dim=1), before.split(sizes), strict=True)
    layers = [
        (_median(move_per_gradient(d, g, g[0] != 0)), _ratio(float(d.norm()), float(w.norm()))) for d, g, w in by_layer
    ]
    mean = gradients.mean(0)
    sharpness, top = _sharpness(trial, t, top)
    return {
        "rate": rate,
        "step": np.quantile(whole, QUANTILES) if len(whole) else np.full(len(QUANTILES), np.nan),
        "step_of_layer": [step for step, _ in layers],
        "step_of_rare": [_median(rare), _median(frequent)],
        "share_rare": [float(group.double().mean()) for group in _groups(gradients, due=False)],
        "update_to_weight": [ratio for _, ratio in layers],
        "loss": float(losses.mean()),
        "gradient": float(mean.norm()),
        "noise": noise_scale(gradients, trial.shard.batch_size),
        "flips": flips(move, next_move),
        "sharpness": sharpness,
        "state": _sizes_of_state(trial),
    }, top


def move_per_gradient(move: Tensor, gradients: Tensor, where: Tensor) -> np.ndarray:
    """|Δw|/|g| of the parameters selected by `where` [P]: the effective learning rate."""
    return (move[where].abs() / gradients[0][where].abs()).double().numpy()


def _groups(gradients: Tensor, due: bool = True) -> tuple[Tensor, Tensor]:
    """Masks [P] of rare and frequent parameters; `due`: only those with a gradient in this step."""
    often = (gradients != 0).double().mean(0)
    now = gradients[0] != 0 if due else often > 0
    return (often <= RARE_SHARE) & now, (often >= FREQUENT_SHARE) & now


def noise_scale(gradients: Tensor, batch_size: int) -> float:
    """tr Σ/|G|², in examples: the batch size at which noise equals the gradient (McCandlish et al., 2018).

    gradients: [n, P] of n batches at the same weights. Infinite if the gradient is below the noise.
    """
    n, mean = len(gradients), gradients.mean(0)
    variance = float((gradients - mean).pow(2).sum() / (n - 1))  # of the gradient of a batch: tr Σ / B
    signal = float(mean.pow(2).sum()) - variance / n
    return batch_size * variance / signal if signal > 0 else math.inf


def flips(move: Tensor, next_move: Tensor) -> float:
    """Of the parameters that both steps move, the share that the second moves in the opposite direction."""
    both = (move != 0) & (next_move != 0)
    return float((move[both].sign() != next_move[both].sign()).double().mean()) if bool(both.any()) else math.nan


def _gradients(trial: Trial, t: int) -> tuple[Tensor, Tensor]:
    """Gradients [PROBED_BATCHES, P] and losses [PROBED_BATCHES] of the next batches at the current weights."""
    there = _copied(trial)
    size = trial.shard.batch_size
    found = []
    for i, positions in enumerate(there.order.batches(t, t + PROBED_BATCHES, size)):
        seed_step(trial.lane.seed, t + 1 + i)
        found.append(_gradient(there, there.batch(positions)))
    rows, losses = zip(*found, strict=True)
    return torch.stack(rows), torch.stack(losses)


def _gradient(trial: Trial, batch: Any) -> tuple[Tensor, Tensor]:
    """Gradient [P] and loss of a batch."""
    inputs, targets = batch
    trial.model.train()
    loss = trial.task.measured_loss(trial.model(*inputs), targets)
    parts = torch.autograd.grad(loss, _weights(trial), materialize_grads=True)
    return torch.cat([part.detach().flatten() for part in parts]), loss.detach()


def _next_weights(trial: Trial, t: int) -> tuple[Tensor, Tensor, Tensor]:
    there = _copied(trial)
    places = [_weight_row(there)]
    for step in (t + 1, t + 2):
        seed_step(trial.lane.seed, step)
        there.step(step)
        places.append(_weight_row(there))
    return places[0], places[1], places[2]


def _sharpness(trial: Trial, t: int, top: Tensor | None) -> tuple[float, Tensor | None]:
    """The Hessian's eigenvalue of largest magnitude, by power iteration on differences of gradients, and its direction.

    All gradients are of the same examples, with the same dropout masks.
    """
    there = _copied(trial)
    batch = there.batch(there.splits.train[:CURVATURE_EXAMPLES])
    row = _weight_row(there)
    reach = RELATIVE_STEP * max(1.0, float(row.norm()))

    def times(v: Tensor) -> Tensor:
        sides = []
        for sign in (1.0, -1.0):
            _set_weights(there, row + sign * reach * v)
            seed_step(trial.lane.seed, t + 1)
            sides.append(_gradient(there, batch)[0])
        return (sides[0] - sides[1]) / (2 * reach)

    generator = torch.Generator().manual_seed(0)
    v = torch.randn(row.shape, generator=generator).to(row) if top is None else top
    v, value = v / v.norm(), math.nan
    for _ in range(MAX_POWER_ITERATIONS):
        image = times(v)
        new, size = float(v @ image), float(image.norm())
        if not math.isfinite(size) or size == 0:
            return (math.nan if size else 0.0), None
        v = image / size
        if abs(new - value) <= POWER_TOLERANCE * abs(new):
            return new, v
        value = new
    return value, v


def _sizes_of_state(trial: Trial) -> list[float]:
    """The median magnitude of each state tensor over all parameters."""
    driver = trial.optimizer
    if not isinstance(driver, RuleDriver):
        return []
    return [
        _median(torch.cat([state[k].flatten() for state in driver.state]).abs().double().numpy())
        for k in range(len(driver.rule.state))
    ]


def _states(trial: Trial) -> tuple[str, ...]:
    driver = trial.optimizer
    return tuple(driver.rule.state) if isinstance(driver, RuleDriver) else ()


# ---- tensors of a trial ----------------------------------------------------------------------------------------------


def _copied(trial: Trial) -> Trial:
    """A copy of the trial's model and optimizer; data and settings are shared, since nothing changes them."""
    shared = (trial.task, trial.shard, trial.lane, trial.splits)
    return copy.deepcopy(trial, {id(thing): thing for thing in shared})


def _weights(trial: Trial) -> list[Tensor]:
    return [p for p in trial.model.parameters() if p.requires_grad]


def _weight_row(trial: Trial) -> Tensor:
    """All trainable parameters side by side: [P]."""
    return torch.cat([w.detach().flatten() for w in _weights(trial)])


@torch.no_grad()
def _set_weights(trial: Trial, row: Tensor) -> None:
    weights = _weights(trial)
    for w, values in zip(weights, row.split([w.numel() for w in weights]), strict=True):
        w.copy_(values.view_as(w))


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else math.nan


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
