"""Rules that step along the gradient, or along an average of gradients, in order of rising complexity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from steepest.optim.rule import Rule, Updated, add_scaled, choice, coupled_decay, lerp, number, rate, scale


@dataclass(frozen=True)
class SGD(Rule):
    """w ← w − ηg"""

    lr: float = rate(1e-3)
    weight_decay: float = coupled_decay()

    @staticmethod
    def coefficients(h: Any, t: int) -> dict[str, float]:
        return {"decay": h.weight_decay, "step": -h.lr}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> Updated:
        g = add_scaled(g, w, c.decay)
        return add_scaled(w, g, c.step), ()


@dataclass(frozen=True)
class Momentum(Rule):
    """v ← μv + (1−d)g, where d = 0 at t = 1 ;  w ← w − ηv

    With rate_at="buffer": v ← μv + (1−d)ηg ;  w ← w − v.
    """

    lr: float = rate(1e-3)
    momentum: float = number(0.9, "μ", "share of the velocity v kept each step", low=0)
    dampening: float = number(0.0, "d", "share of the gradient left out of v, from the second step on", low=0)
    rate_at: str = choice("step", "step", "buffer", meaning="whether η multiplies v as it is used, or g as it enters v")
    weight_decay: float = coupled_decay()
    state: ClassVar[tuple[str, ...]] = ("v",)

    @staticmethod
    def coefficients(h: Any, t: int) -> dict[str, float]:
        take = 1.0 if t == 1 else 1 - h.dampening
        inside = h.rate_at == "buffer"
        return {
            "decay": h.weight_decay,
            "momentum": h.momentum,
            "take": h.lr * take if inside else take,
            "step": -1.0 if inside else -h.lr,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> Updated:
        g = add_scaled(g, w, c.decay)
        v = add_scaled(s.v * c.momentum, g, c.take)
        return add_scaled(w, v, c.step), (v,)


@dataclass(frozen=True)
class Nesterov(Rule):
    """v ← μv + g ;  w ← w − η(g + μv)

    With rate_at="buffer": v ← μv + ηg ;  w ← w − (ηg + μv).
    """

    lr: float = rate(1e-3)
    momentum: float = number(0.9, "μ", "share of the velocity v kept each step", low=0)
    rate_at: str = choice("step", "step", "buffer", meaning="whether η multiplies v as it is used, or g as it enters v")
    weight_decay: float = coupled_decay()
    state: ClassVar[tuple[str, ...]] = ("v",)

    @staticmethod
    def coefficients(h: Any, t: int) -> dict[str, float]:
        inside = h.rate_at == "buffer"
        return {
            "decay": h.weight_decay,
            "momentum": h.momentum,
            "take": h.lr if inside else 1.0,
            "step": -1.0 if inside else -h.lr,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> Updated:
        g = scale(add_scaled(g, w, c.decay), c.take)
        v = s.v * c.momentum + g
        return add_scaled(w, add_scaled(g, v, c.momentum), c.step), (v,)


@dataclass(frozen=True)
class AveragedMomentum(Rule):
    """v ← βv + (1−β)g ;  w ← w − ηv"""

    lr: float = rate(1e-2)
    b1: float = number(0.9, "β", "share of the average v kept each step", low=0, below=1)
    weight_decay: float = coupled_decay()
    state: ClassVar[tuple[str, ...]] = ("v",)

    @staticmethod
    def coefficients(h: Any, t: int) -> dict[str, float]:
        return {"decay": h.weight_decay, "w1": 1 - h.b1, "step": -h.lr}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> Updated:
        g = add_scaled(g, w, c.decay)
        v = lerp(s.v, g, c.w1)
        return add_scaled(w, v, c.step), (v,)


@dataclass(frozen=True)
class ASGD(Rule):
    """w ← (1 − ζδ)w − ζg, where ζ = η/(1 + δηt)^α ;  x ← x + (w − x)/max(1, t − 1 − t₀)

    ζ is made of the rate and number of the step before, and is η in the first. x is the average of the weights. As in
    torch it stands beside the weights as the state "x": w is what is trained and evaluated.
    """

    lr: float = rate(1e-2)
    slope: float = number(1e-4, "δ", "how fast the rate falls, and how strongly w is drawn to zero", low=0)
    alpha: float = number(0.75, "α", "power with which the rate falls", low=0)
    start: float = number(1e6, "t₀", "step after which the average x begins", low=0)
    weight_decay: float = coupled_decay()
    state: ClassVar[tuple[str, ...]] = ("x",)
    carry: ClassVar[Mapping[str, float]] = {"rate_before": 0.0}

    @classmethod
    def advance(cls, h: Any, t: int, carry: dict[str, float]) -> dict[str, float]:
        before = carry["rate_before"]
        zeta = h.lr if t == 1 else before / (1 + h.slope * before * (t - 1)) ** h.alpha
        carry["rate_before"] = h.lr
        share = 1.0 if t == 1 else 1 / max(1, t - 1 - h.start)
        return {"decay": h.weight_decay, "keep": 1 - h.slope * zeta, "step": -zeta, "share": share}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> Updated:
        w = add_scaled(w * c.keep, add_scaled(g, w, c.decay), c.step)
        return w, (lerp(s.x, w, c.share),)
