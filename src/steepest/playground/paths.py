"""Every path that the page can show: one fleet a method, its lanes all landscapes, settings, rates, starts and noises.
All fleets go in step, so that a landscape is differentiated once for all.

The rules are the project's own. The page draws what was recorded here, and knows no rule.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steepest.optim import catalogue
from steepest.optim.drivers import advance, fresh
from steepest.optim.rule import Rule, at_rate, coefficient_record
from steepest.playground.landscapes import Landscape, Loss
from steepest.playground.methods import RATES, Method
from steepest.records import rng
from steepest.records.contender import Setting

STEPS = 150
LANES = tuple(product(range(len(RATES)), (0, 1), (0, 1)))
"""(rate, start, noise) of the lanes of one landscape and one choice of knobs, in this order."""


@dataclass(frozen=True)
class Paths:
    """What the lanes of one method did. L landscapes, K lanes on each, T = STEPS steps, S names of the rule's state."""

    w: np.ndarray  # [L, K, T + 1, 2], the start first
    loss: np.ndarray  # [L, K, T + 1], above the least there is
    g: np.ndarray  # [L, K, T, 2]: the gradients that the steps were made with
    state: np.ndarray  # [L, K, T, S, 2]: what the rule keeps, after the step

    @property
    def effective(self) -> np.ndarray:  # [L, K, T, 2]
        """How far a coordinate went for each unit of its gradient: |Δw| / |g|; NaN where there was no gradient."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.where(self.g != 0, np.abs(np.diff(self.w, axis=2)) / np.abs(self.g), np.nan)


class Fleet:
    """All lanes of one method: on each landscape variant by variant, and in each variant as LANES has them."""

    def __init__(self, method: Method, lands: Sequence[Landscape]) -> None:
        entry = catalogue.entry(method.name)
        assert entry.rule is not None, f"{method.name} is not a rule of this project"
        self.rule: type[Rule] = entry.rule
        self.variants = [catalogue.settings_of(entry, chosen) for chosen in method.variants()]
        self.lands, self.lanes = len(lands), len(self.variants) * len(LANES)
        starts = [land.starts[start] for land in lands for _ in self.variants for _, start, _ in LANES]
        self.w = torch.tensor(starts, dtype=torch.float64)  # [L·K, 2]
        self.state = fresh(self.rule, at_rate(self.rule, self.variants[0], 0.0), self.w)

    def step(self, g: Tensor, t: int) -> None:
        """g [L·K, 2]. The buffers of the step before stay as they are, for they are recorded."""
        c = coefficients(self.rule, self.variants, self.lands, t)
        self.w, self.state = advance(self.rule, [(2,)], self.w.clone(), g, tuple(x.clone() for x in self.state), c)


def train(methods: Sequence[Method], lands: Sequence[Landscape]) -> list[Paths]:
    """The paths of each method on all landscapes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more of them only wait for each other on tensors this small
    try:
        return _trained(methods, lands)
    finally:
        torch.set_num_threads(threads)


def _trained(methods: Sequence[Method], lands: Sequence[Landscape]) -> list[Paths]:
    fleets = [Fleet(method, lands) for method in methods]
    sizes = [fleet.lanes for fleet in fleets]
    noisy = torch.tensor([[float(noise)] for _, _, noise in LANES], dtype=torch.float64)  # [lanes of a variant, 1]
    noisy = noisy.repeat(sum(sizes) // len(LANES), 1)  # [K of all methods, 1]
    ws, gs, states = [[f.w] for f in fleets], [[] for _ in fleets], [[] for _ in fleets]
    for t in range(1, STEPS + 1):
        together = torch.cat([fleet.w.view(len(lands), -1, 2) for fleet in fleets], 1)  # [L, K of all, 2]
        slopes = torch.stack([gradient(land, w, noisy, t) for land, w in zip(lands, together, strict=True)])
        for i, (fleet, g) in enumerate(zip(fleets, slopes.split(sizes, 1), strict=True)):
            fleet.step(g.reshape(-1, 2), t)
            ws[i].append(fleet.w)
            gs[i].append(g)
            states[i].append(torch.stack(fleet.state, 1) if fleet.state else fleet.w.new_zeros(len(fleet.w), 0, 2))
    return [_recorded(lands, *each) for each in zip(ws, gs, states, strict=True)]


def _recorded(lands: Sequence[Landscape], ws: list[Tensor], gs: list[Tensor], states: list[Tensor]) -> Paths:
    w = torch.stack(ws, 1).unflatten(0, (len(lands), -1))  # [L, K, T + 1, 2]
    loss = torch.stack([_height(land, x.flatten(0, 1)).view(x.shape[:2]) for land, x in zip(lands, w, strict=True)])
    state = torch.stack(states, 1).unflatten(0, (len(lands), -1))
    return Paths(w.numpy(), loss.numpy(), torch.stack(gs, 2).numpy(), state.numpy())


def gradient(land: Landscape, w: Tensor, noisy: Tensor, t: int) -> Tensor:
    """The gradient of step t: w [R, 2], noisy [R, 1] of 0 and 1 → [R, 2]. All lanes with noise get the same noise."""
    exact = _slope(land.loss, w, t)
    if land.noisy_loss is not None:
        return torch.where(noisy > 0, _slope(land.noisy_loss, w, t), exact)
    return exact + noisy * land.noise * _luck(t) * (exact != 0)  # a feature that is absent has no noise either


def _slope(loss: Loss, w: Tensor, t: int) -> Tensor:
    w = w.detach().requires_grad_()
    return torch.autograd.grad(loss(w, t).sum(), w)[0]


@cache
def _luck(t: int) -> Tensor:
    return torch.from_numpy(rng.generator(0, "order", t).normal(size=2))


def _height(land: Landscape, w: Tensor) -> Tensor:
    """[R, 2] → how far each lane is above the lowest point."""
    return land.loss(w, 0) - land.loss(torch.tensor(land.minima[:1], dtype=w.dtype), 0)


def coefficients(rule: type[Rule], variants: Sequence[Mapping[str, Setting]], lands: int, t: int) -> Any:
    """The coefficients of step t: numbers, or [R, 1] where lanes differ."""
    rows = [rule.advance(at_rate(rule, dict(settings), rate), t, {}) for settings in variants for rate in RATES]
    each = len(LANES) // len(RATES)
    columns: dict[str, float | Tensor] = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        alike = all(value == values[0] for value in values)
        lanes = torch.tensor(values, dtype=torch.float64).repeat_interleave(each).repeat(lands)[:, None]
        columns[name] = values[0] if alike else lanes
    return coefficient_record(columns)
