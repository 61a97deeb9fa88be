"""Rules that treat every element alike, in order of rising complexity. On a fleet's flat buffer each is one kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from steepest.optim.rule import Rule, add_product, add_quotient, add_scaled, choice, lerp, number, rate


@dataclass(frozen=True)
class SGD(Rule):
    """w ← w − η g"""

    lr: float = rate(1e-2)

    @staticmethod
    def coefficients(h: Any, t: int) -> dict[str, float]:
        return {"step": -h.lr}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
        return add_scaled(w, g, c.step), ()


@dataclass(frozen=True)
class Adam(Rule):
    """m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g² ;  w ← w − η/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε)"""

    lr: float = rate(1e-3)
    b1: float = number(0.9, low=0, below=1)
    b2: float = number(0.999, low=0, below=1)
    eps: float = number(1e-8, low=0)
    correction: str = choice("both", "both", "printed")
    state: ClassVar[tuple[str, ...]] = ("m", "v")

    @staticmethod
    def coefficients(h: Any, t: int) -> dict[str, float]:
        printed = h.correction == "printed"  # η/√(1−β₁ᵗ), and v as it is
        return {
            "w1": 1 - h.b1,
            "b2": h.b2,
            "w2": 1 - h.b2,
            "eps": h.eps,
            "root": 1.0 if printed else (1 - h.b2**t) ** 0.5,
            "step": -(h.lr / ((1 - h.b1**t) ** 0.5 if printed else 1 - h.b1**t)),
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
        m = lerp(s.m, g, c.w1)
        v = add_product(s.v * c.b2, g, g, c.w2)
        return add_quotient(w, m, v.sqrt() / c.root + c.eps, c.step), (m, v)
