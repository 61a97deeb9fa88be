"""Shampoo as it is used at scale: the direction is Shampoo's, and the length of each step is Adam's."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from steepest.optim.adam import AdamW, moments_of
from steepest.optim.entry import Departure, Entry, Paper
from steepest.optim.layerwise import adamw
from steepest.optim.matrix import APPLIES_TO, LR_SHARE, MatrixRule, is_early_or_due, left, right, side_averages, square
from steepest.optim.rule import Scalars, State, add_scaled, choice, decoupled_decay, lerp, number, rate, shift

ANIL = Paper(
    "R. Anil, V. Gupta, T. Koren, K. Regan, Y. Singer", "Scalable Second Order Optimization", 2020, "2002.09018"
)


@dataclass(frozen=True)
class GraftedShampoo(MatrixRule):
    """L ← β₂L + (1−β₂)ggᵀ ;  R ← β₂R + (1−β₂)gᵀg ;  D = L^(−1/4) m R^(−1/4) ;
    P = m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε), with m and v as in Adam ;  w ← (1 − ηλ)w − η · ‖P‖/‖D‖ · D

    The roots are of L and R with ε_s times the largest eigenvalue added to all, computed as often as Shampoo's. A side
    longer than 1024 is left out, and the other one then takes the power −1/2. The first T₀ steps are AdamW's, as are
    those of the other parameters, at ρη.
    """

    lr: float = rate(1e-3)
    b1: float = number(0.9, "β₁", "share of m, the average of g, kept each step", low=0, below=1)
    b2: float = number(0.999, "β₂", "share of v, L and R kept each step", above=0, below=1)
    eps: float = number(1e-8, "ε", "added to the root of v", low=0)
    ridge: float = number(1e-6, "ε_s", "share of the largest eigenvalue of L or R that is added to all", above=0)
    every: float = number(10.0, "k", "steps between two computations of the roots, fewer before step k²", low=1)
    begin: float = number(0.0, "T₀", "first steps, which are AdamW's", low=0)
    weight_decay: float = decoupled_decay(1e-2)
    applies_to: str = choice("matrices", "hidden", "matrices", meaning=APPLIES_TO)
    share: float = number(1.0, "ρ", LR_SHARE, low=0)
    fallback = AdamW
    state = ("m", "v", "L", "R", "A", "B")

    def of_matrices(self, t: int) -> dict[str, float]:
        return {
            "keep": 1 - self.lr * self.weight_decay,
            "w1": 1 - self.b1,
            "b2": self.b2,
            "w2": 1 - self.b2,
            "root": (1 - self.b2**t) ** 0.5,
            "eps": self.eps,
            "ridge": self.ridge,
            "grafts": float(t > self.begin),
            "step": -(self.lr / (1 - self.b1**t)),
            "renew": float(is_early_or_due(t, self.every)),
        }

    def of_fallback(self) -> AdamW:
        own = {"b1": self.b1, "b2": self.b2, "eps": self.eps, "weight_decay": self.weight_decay}
        return adamw(self.share * self.lr, **own)

    @staticmethod
    def matrix_shapes(m: int, n: int) -> dict[str, Sequence[int]]:
        a, b = square(m), square(n)
        return {"m": (m, n), "v": (m, n), "L": a, "R": b, "A": a, "B": b}

    @staticmethod
    def renew(w: Tensor, g: Tensor, s: State, c: Scalars) -> dict[str, Tensor]:
        if w.ndim < 2:
            return {}
        L, R = side_averages(g.flatten(1), s, c.w2)
        exponent = -0.25 if len(L) and len(R) else -0.5
        return {"A": _root(L, exponent, c), "B": _root(R, exponent, c)}

    @staticmethod
    def update_matrix(w: Tensor, g: Tensor, s: State, c: Scalars) -> tuple[Tensor, dict[str, Tensor]]:
        m, v = moments_of(g, s, c)
        L, R = side_averages(g, s, c.w2)
        P = m / shift(v.sqrt() / c.root, c.eps)
        D = right(left(s.A, m), s.B)
        size = torch.linalg.vector_norm(D)
        grafted = D * torch.where(size > 0, torch.linalg.vector_norm(P) / size, 0.0)
        step = lerp(P, grafted, c.grafts)
        return add_scaled(w * c.keep, step, c.step), {"m": m, "v": v, "L": L, "R": R}


def _root(side: Tensor, exponent: float, c: Scalars) -> Tensor:
    """(side + ε_s·λI)^exponent, λ its largest eigenvalue. Its scale does not matter, since lengths are grafted."""
    values, vectors = torch.linalg.eigh(torch.nan_to_num(side, nan=0.0, posinf=0.0, neginf=0.0))
    largest = values.amax(-1, keepdim=True) if len(side) else values
    values = values.clamp(min=0.0) + c.ridge * largest
    return (vectors * torch.where(values > 0, values, 1.0).pow(exponent)) @ vectors.mT


shampoo_grafted = Entry(
    name="shampoo-grafted",
    title="Shampoo, grafted onto Adam",
    rule=GraftedShampoo,
    summary="The direction of Shampoo, from averages that forget, with the length of Adam's step.",
    formula=(
        "m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g² ;  L ← β₂L + (1−β₂)ggᵀ, R ← β₂R + (1−β₂)gᵀg ;  "
        "every k steps, earlier more often, A ← (L + ε_s‖L‖₂I)^(−1/4), B ← (R + ε_s‖R‖₂I)^(−1/4) ;  D = AmB ;  "
        "P = m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε) ;  w ← (1−ηλ)w − η · ‖P‖/‖D‖ · D ;  "
        "not a matrix: w ← (1−ρηλ)w − ρη · P"
    ),
    paper=ANIL,
    torch=Departure(
        "has none; distributed_shampoo divides large matrices into blocks, and computes roots only every k steps"
    ),
)

ROWS = (shampoo_grafted,)
