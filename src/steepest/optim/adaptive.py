"""Rules that divide each gradient by the size that it has had so far, in order of rising complexity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from steepest.optim.rule import (
    Rule,
    Updated,
    add_product,
    add_quotient,
    add_scaled,
    choice,
    coupled_decay,
    lerp,
    number,
    rate,
    shift,
)


@dataclass(frozen=True)
class AdaGrad(Rule):
    """G ← G + g² ;  w ← w − η/(1 + (t−1)δ) · g / (√(G + ε_r) + ε) ;  G starts at G₀"""

    lr: float = rate(1e-2)
    eps: float = number(1e-10, "ε", "added outside the root", low=0)
    eps_root: float = number(0.0, "ε_r", "added inside the root", low=0)
    initial_sum: float = number(0.0, "G₀", "where the sum of squares starts", low=0)
    lr_decay: float = number(0.0, "δ", "further decay of the rate", low=0)
    weight_decay: float = coupled_decay()
    state: ClassVar[tuple[str, ...]] = ("G",)

    @staticmethod
    def initial(h: Any) -> dict[str, float]:
        return {"G": h.initial_sum}

    @staticmethod
    def coefficients(h: Any, t: int) -> dict[str, float]:
        return {
            "decay": h.weight_decay,
            "eps": h.eps,
            "eps_root": h.eps_root,
            "step": -(h.lr / (1 + (t - 1) * h.lr_decay)),
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> Updated:
        g = add_scaled(g, w, c.decay)
        G = add_product(s.G, g, g, 1.0)
        root = shift(shift(G, c.eps_root).sqrt(), c.eps)
        return add_quotient(w, g, root, c.step), (G,)


@dataclass(frozen=True)
class Adadelta(Rule):
    """v ← ρv + (1−ρ)g² ;  Δ = √(u + ε)/√(v + ε) · g ;  u ← ρu + (1−ρ)Δ² ;  w ← w − ηΔ"""

    lr: float = rate(1.0)
    rho: float = number(0.9, "ρ", "share of v and u, the averages of g² and Δ², kept each step", low=0, below=1)
    eps: float = number(1e-6, "ε", "added inside both roots", above=0)
    weight_decay: float = coupled_decay()
    state: ClassVar[tuple[str, ...]] = ("v", "u")

    @staticmethod
    def coefficients(h: Any, t: int) -> dict[str, float]:
        return {"decay": h.weight_decay, "rho": h.rho, "share": 1 - h.rho, "eps": h.eps, "step": -h.lr}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> Updated:
        g = add_scaled(g, w, c.decay)
        v = add_product(s.v * c.rho, g, g, c.share)
        delta = shift(s.u, c.eps).sqrt() / shift(v, c.eps).sqrt() * g
        u = add_product(s.u * c.rho, delta, delta, c.share)
        return add_scaled(w, delta, c.step), (v, u)


@dataclass(frozen=True)
class RMSProp(Rule):
    """v ← βv + (1−β)g² ;  w ← w − η · g / (√(v + ε_r) + ε)"""

    lr: float = rate(1e-2)
    b2: float = number(0.99, "β", "share of v, the average of g², kept each step", low=0, below=1)
    eps: float = number(1e-8, "ε", "added outside the root", low=0)
    eps_root: float = number(0.0, "ε_r", "added inside the root", low=0)
    weight_decay: float = coupled_decay()
    state: ClassVar[tuple[str, ...]] = ("v",)

    @staticmethod
    def coefficients(h: Any, t: int) -> dict[str, float]:
        return {
            "decay": h.weight_decay,
            "b2": h.b2,
            "w2": 1 - h.b2,
            "eps": h.eps,
            "eps_root": h.eps_root,
            "step": -h.lr,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> Updated:
        g = add_scaled(g, w, c.decay)
        v = add_product(s.v * c.b2, g, g, c.w2)
        root = shift(shift(v, c.eps_root).sqrt(), c.eps)
        return add_quotient(w, g, root, c.step), (v,)


@dataclass(frozen=True)
class RMSPropMomentum(RMSProp):
    """v ← βv + (1−β)g² ;  a ← βa + (1−β)g ;  b ← μb + g / (√(v − a² + ε_r) + ε) ;  w ← w − ηb

    a² is left out unless `centred`; with it the difference can round to just below zero where g hardly changes, as in
    torch, and ε_r keeps the root real. With rate_at="buffer", b ← μb + ηg/(…) and w ← w − b.
    """

    momentum: float = number(0.9, "μ", "share of the velocity b kept each step", low=0)
    centred: bool = choice(False, False, True, meaning="divide by the standard deviation of g instead of its size")
    rate_at: str = choice("step", "step", "buffer", meaning="whether η multiplies b as it is used, or g as it enters b")
    state: ClassVar[tuple[str, ...]] = ("v", "a", "b")

    @staticmethod
    def coefficients(h: Any, t: int) -> dict[str, float]:
        inside = h.rate_at == "buffer"
        return {
            **RMSProp.coefficients(h, t),
            "momentum": h.momentum,
            "centre": -1.0 if h.centred else 0.0,
            "take": h.lr if inside else 1.0,
            "step": -1.0 if inside else -h.lr,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> Updated:
        g = add_scaled(g, w, c.decay)
        v = add_product(s.v * c.b2, g, g, c.w2)
        a = lerp(s.a, g, c.w2)
        root = shift(shift(add_product(v, a, a, c.centre), c.eps_root).sqrt(), c.eps)
        b = add_quotient(s.b * c.momentum, g, root, c.take)
        return add_scaled(w, b, c.step), (v, a, b)
