"""Rules that treat every element alike, in order of rising complexity. On a fleet's flat buffer each is one kernel.

Letters: w parameters, g gradient, η learning rate, t = 1, 2, … the step. A coupled weight decay, where a rule has one,
turns g into g + λw first of all. State starts at zero unless the rule says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from steepest.optim.rule import (
    Rule,
    add_product,
    add_quotient,
    add_scaled,
    choice,
    coupled_decay,
    lerp,
    number,
    rate,
    scale,
    shift,
)

Updated = tuple[Tensor, tuple[Tensor, ...]]


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


@dataclass(frozen=True)
class Adam(Rule):
    """m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g² ;  w ← w − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)

    correction="none" leaves both 1−βᵗ out; "printed" puts √(1−β₁ᵗ) in the place of 1−β₁ᵗ and leaves v uncorrected.
    eps_at="raw" adds ε to √v instead, so that ε/√(1−β₂ᵗ) stands beside the corrected root.
    """

    lr: float = rate(1e-3)
    b1: float = number(0.9, "β₁", "share of m, the average of g, kept each step", low=0, below=1)
    b2: float = number(0.999, "β₂", "share of v, the average of g², kept each step", low=0, below=1)
    eps: float = number(1e-8, "ε", "added to the root", low=0)
    correction: str = choice("both", "both", "none", "printed", meaning="which averages are freed of their zero start")
    eps_at: str = choice("corrected", "corrected", "raw", meaning="whether ε is added to the corrected root or to √v")
    weight_decay: float = coupled_decay()
    state: ClassVar[tuple[str, ...]] = ("m", "v")

    @staticmethod
    def coefficients(h: Any, t: int) -> dict[str, float]:
        first = {"both": 1 - h.b1**t, "none": 1.0, "printed": (1 - h.b1**t) ** 0.5}[h.correction]
        root = (1 - h.b2**t) ** 0.5 if h.correction == "both" else 1.0
        return {
            "decay": h.weight_decay,
            "w1": 1 - h.b1,
            "b2": h.b2,
            "w2": 1 - h.b2,
            "root": root,
            "eps": h.eps / root if h.eps_at == "raw" else h.eps,
            "step": -(h.lr / first),
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> Updated:
        return _adam_step(w, add_scaled(g, w, c.decay), s, c)


@dataclass(frozen=True)
class AdamW(Adam):
    """w ← (1 − ηλ)w, then Adam's step without any coupled decay"""

    weight_decay: float = number(1e-2, "λ", "decoupled weight decay: w shrinks by the factor 1 − ηλ", low=0)

    @staticmethod
    def coefficients(h: Any, t: int) -> dict[str, float]:
        return {**Adam.coefficients(h, t), "keep": 1 - h.lr * h.weight_decay}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> Updated:
        return _adam_step(w * c.keep, g, s, c)


def _adam_step(w: Tensor, g: Tensor, s: Any, c: Any) -> Updated:
    m = lerp(s.m, g, c.w1)
    v = add_product(s.v * c.b2, g, g, c.w2)
    return add_quotient(w, m, shift(v.sqrt() / c.root, c.eps), c.step), (m, v)
