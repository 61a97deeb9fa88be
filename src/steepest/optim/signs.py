"""Rules that move by signs, so that the size of a gradient does not count, in order of rising complexity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from steepest.optim.rule import Rule, Updated, add_product, add_scaled, lerp, number, rate


def decoupled_decay(default: float = 0.0) -> Any:
    """The field of a decay that no scaling touches."""
    return number(default, "λ", "decoupled weight decay: w shrinks by the factor 1 − ηλ", low=0)


@dataclass(frozen=True)
class SignSGD(Rule):
    """w ← (1 − ηλ)w − η·sign(g)"""

    lr: float = rate(1e-3)
    weight_decay: float = decoupled_decay()

    @staticmethod
    def coefficients(h: Any, t: int) -> dict[str, float]:
        return {"keep": 1 - h.lr * h.weight_decay, "step": -h.lr}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> Updated:
        return add_scaled(w * c.keep, g.sign(), c.step), ()


@dataclass(frozen=True)
class Signum(SignSGD):
    """m ← βm + (1−β)g ;  w ← (1 − ηλ)w − η·sign(m)"""

    b1: float = number(0.9, "β", "share of m, the average of g, kept each step", low=0, below=1)
    state: ClassVar[tuple[str, ...]] = ("m",)

    @staticmethod
    def coefficients(h: Any, t: int) -> dict[str, float]:
        return {**SignSGD.coefficients(h, t), "w1": 1 - h.b1}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> Updated:
        m = lerp(s.m, g, c.w1)
        return add_scaled(w * c.keep, m.sign(), c.step), (m,)


@dataclass(frozen=True)
class Lion(Rule):
    """w ← (1 − ηλ)w − η·sign(β₁m + (1−β₁)g) ;  m ← β₂m + (1−β₂)g"""

    lr: float = rate(1e-4)
    b1: float = number(0.9, "β₁", "share of m in the direction", low=0, below=1)
    b2: float = number(0.99, "β₂", "share of m, the average of g, kept each step", low=0, below=1)
    weight_decay: float = decoupled_decay()
    state: ClassVar[tuple[str, ...]] = ("m",)

    @staticmethod
    def coefficients(h: Any, t: int) -> dict[str, float]:
        return {
            "keep": 1 - h.lr * h.weight_decay,
            "b1": h.b1,
            "w1": 1 - h.b1,
            "b2": h.b2,
            "w2": 1 - h.b2,
            "step": -h.lr,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> Updated:
        towards = add_scaled(s.m * c.b1, g, c.w1).sign()
        return add_scaled(w * c.keep, towards, c.step), (add_scaled(s.m * c.b2, g, c.w2),)


@dataclass(frozen=True)
class Rprop(Rule):
    """s ← η₊s where pg > 0, η₋s where pg < 0, within [s₁, s₂] ;  p ← 0 where pg < 0, else g ;  w ← w − s·sign(p)

    s starts at η, the rate of the first step; what a schedule says later does nothing, as in torch. p is the gradient
    of the step before.
    """

    lr: float = rate(1e-2)
    down: float = number(0.5, "η₋", "factor of a step size whose gradient has changed its sign", above=0, below=1)
    up: float = number(1.2, "η₊", "factor of a step size whose gradient has kept its sign", above=1)
    least: float = number(1e-6, "s₁", "smallest step size", low=0)
    most: float = number(50.0, "s₂", "largest step size", above=0)
    state: ClassVar[tuple[str, ...]] = ("p", "s")

    @staticmethod
    def initial(h: Any) -> dict[str, float]:
        return {"s": h.lr}

    @staticmethod
    def coefficients(h: Any, t: int) -> dict[str, float]:
        return {"down": h.down, "up": h.up, "least": h.least, "most": h.most}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> Updated:
        agreement = (g * s.p).sign()
        steps = torch.where(agreement > 0, s.s * c.up, torch.where(agreement < 0, s.s * c.down, s.s))
        steps = steps.clamp(min=c.least).clamp(max=c.most)
        p = torch.where(agreement < 0, 0.0, g)
        return add_product(w, p.sign(), steps, -1.0), (p, steps)
