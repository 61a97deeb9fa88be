"""Adam and its kin: an average of gradients over the root of an average of squares."""

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
