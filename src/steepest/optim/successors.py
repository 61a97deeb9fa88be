"""What came of Adam: rules with its two averages that use them in another order or by another function."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from steepest.optim.adam import moments_of
from steepest.optim.entry import Departure, Entry, Paper
from steepest.optim.rule import (
    Rule,
    Scalars,
    State,
    Updated,
    add_product,
    add_quotient,
    add_scaled,
    decoupled_decay,
    lerp,
    number,
    rate,
    scale,
    shift,
)

TANIGUCHI = Paper(
    "S. Taniguchi et al.", "ADOPT: Modified Adam Can Converge with Any β₂ with the Optimal Rate", 2024, "2411.02853"
)
ZIYIN = Paper("L. Ziyin, Z. T. Wang, M. Ueda", "LaProp: Separating Momentum and Adaptivity in Adam", 2020, "2002.04839")
EVERETT = Paper("K. Everett et al.", "Scaling Exponents Across Parameterizations and Optimizers", 2024, "2407.05872")


@dataclass(frozen=True)
class ADOPT(Rule):
    """n = g/max(√v, ε), held within ±(t−1)^κ ;  m ← β₁m + (1−β₁)n ;  w ← (1 − ηλ)w − ηm ;  v ← β₂v + (1−β₂)g²

    v is that of the step before, so that it does not know g. The first step only sets v ← g².
    """

    lr: float = rate(1e-3)
    b1: float = number(0.9, "β₁", "share of m, the average of n, kept each step", low=0, below=1)
    b2: float = number(0.9999, "β₂", "share of v, the average of g², kept each step", low=0, below=1)
    eps: float = number(1e-6, "ε", "the least √v", low=0)
    power: float = number(0.25, "κ", "n is held within (t−1)^κ", above=0)
    weight_decay: float = decoupled_decay()
    state = ("m", "v")

    def coefficients(self, t: int) -> dict[str, float]:
        is_first = t == 1
        limit = (t - 1) ** self.power
        return {
            "keep": 1.0 if is_first else 1 - self.lr * self.weight_decay,
            "eps": self.eps,
            "low": -limit,
            "high": limit,
            "w1": 1 - self.b1,
            "b2": 0.0 if is_first else self.b2,
            "w2": 1.0 if is_first else 1 - self.b2,
            "first": float(is_first),
            "step": -self.lr,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        root = shift(s.v.sqrt(), c.first).clamp(min=c.eps)  # at first v is 0, and what it divides is held within 0
        m = lerp(s.m, (g / root).clamp(min=c.low).clamp(max=c.high), c.w1)
        return add_scaled(w * c.keep, m, c.step), (m, add_product(s.v * c.b2, g, g, c.w2))


adopt = Entry(
    name="adopt",
    title="ADOPT",
    rule=ADOPT,
    summary="Adam that divides each gradient by the squares before it, and averages afterwards.",
    formula=("n = g/max(√v, ε) within ±(t−1)^κ ;  m ← β₁m + (1−β₁)n ;  w ← w − ηm ;  v ← β₂v + (1−β₂)g², first g²"),
    paper=TANIGUCHI,
    optax=Departure("the same, as contrib.adopt", {}),
    authors=Departure(
        "couples its decay by default; an early version held √v above 0.9^(t−2) instead of g/√v within a limit"
    ),
)


@dataclass(frozen=True)
class LaProp(Rule):
    """v ← β₂v + (1−β₂)g² ;  m ← β₁m + (1−β₁)η · g√(1−β₂ᵗ)/(√v + ε) ;  w ← (1 − ηλ)(w − η · m/a)

    a ← β₁a + (1−β₁)η, from 0: m is an average of steps, and a that of their rates.
    """

    lr: float = rate(4e-4)
    b1: float = number(0.9, "β₁", "share of m, the average of scaled g, kept each step", low=0, below=1)
    b2: float = number(0.999, "β₂", "share of v, the average of g², kept each step", low=0, below=1)
    eps: float = number(1e-15, "ε", "added to √v", low=0)
    weight_decay: float = decoupled_decay()
    state = ("m", "v")
    carry: ClassVar[Mapping[str, float]] = {"rates": 0.0}

    def advance(self, t: int, carry: dict[str, float]) -> dict[str, float]:
        carry["rates"] = self.b1 * carry["rates"] + (1 - self.b1) * self.lr
        return {
            "b1": self.b1,
            "b2": self.b2,
            "w2": 1 - self.b2,
            "eps": self.eps,
            "root": (1 - self.b2**t) ** 0.5,
            "enters": (1 - self.b1) * self.lr,
            "step": -(self.lr / carry["rates"]) if carry["rates"] else 0.0,
            "keep": 1 - self.lr * self.weight_decay,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        v = add_product(s.v * c.b2, g, g, c.w2)
        m = add_quotient(s.m * c.b1, g, shift(v.sqrt(), c.eps) / c.root, c.enters)
        return add_scaled(w, m, c.step) * c.keep, (m, v)


laprop = Entry(
    name="laprop",
    title="LaProp",
    rule=LaProp,
    centre=1e-3,
    summary="RMSProp's step first and its average afterwards, so that old gradients keep the scale of their time.",
    formula="v ← β₂v + (1−β₂)g² ;  m ← β₁m + (1−β₁) · g√(1−β₂ᵗ)/(√v + ε) ;  w ← w − η · m/(1−β₁ᵗ)",
    paper=ZIYIN,
)


@dataclass(frozen=True)
class AdamAtan2(Rule):
    """m and v as in Adam ;  w ← (1 − ηλ)w − ηa · atan2(m/(1−β₁ᵗ), b√(v/(1−β₂ᵗ)))"""

    lr: float = rate(1e-3)
    b1: float = number(0.9, "β₁", "share of m, the average of g, kept each step", low=0, below=1)
    b2: float = number(0.999, "β₂", "share of v, the average of g², kept each step", low=0, below=1)
    length: float = number(1.27, "a", "step where m is large beside √v, over η · π/2", above=0)
    bend: float = number(1.0, "b", "weight of √v: the step bends where m/√v nears b", above=0)
    weight_decay: float = decoupled_decay()
    state = ("m", "v")

    def coefficients(self, t: int) -> dict[str, float]:
        return {
            "keep": 1 - self.lr * self.weight_decay,
            "w1": 1 - self.b1,
            "b2": self.b2,
            "w2": 1 - self.b2,
            "first": 1 - self.b1**t,
            "root": self.bend / (1 - self.b2**t) ** 0.5,
            "step": -self.lr * self.length,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        m, v = moments_of(g, s, c)
        return add_scaled(w * c.keep, torch.atan2(m / c.first, scale(v.sqrt(), c.root)), c.step), (m, v)


adam_atan2 = Entry(
    name="adam-atan2",
    title="Adam-atan2",
    rule=AdamAtan2,
    summary="Adam with an arc tangent in the place of the quotient: bounded steps at any scale, and no ε.",
    formula=("m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g² ;  w ← w − ηa · atan2(m/(1−β₁ᵗ), b√(v/(1−β₂ᵗ)))"),
    paper=EVERETT,
)

ROWS = (adopt, laprop, adam_atan2)
