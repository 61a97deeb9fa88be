"""What came of Muon: rules that orthogonalize the momentum of a matrix and then change its step."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from torch import Tensor

from steepest.optim.entry import Departure, Entry, Paper
from steepest.optim.matrix import APPLIES_TO, LR_SHARE, Muon, orthogonal, scale_of_step
from steepest.optim.rule import (
    Rule,
    Scalars,
    State,
    Updated,
    add_scaled,
    choice,
    decoupled_decay,
    lerp,
    number,
    rate,
    shift,
)

PETHICK = Paper("T. Pethick et al.", "Training Deep Learning Models with Norm-Constrained LMOs", 2025, "2502.07529")
LI = Paper("Z. Li et al.", "NorMuon: Making Muon more efficient and scalable", 2025, "2510.05491")


@dataclass(frozen=True)
class NorMuon(Muon):
    """m, u and U as in Muon ;  v ← β_vv + (1−β_v) · mean of U² along each row ;  N = U/(√v + ε) ;
    w ← (1 − ηλ)w − ησ · ‖U‖/(‖N‖ + ε) · N

    So all rows, the neurons of a layer, move alike. σ is √max(1, m/n), or 0.2√max(m, n) for scale_by="rms". AdamW with
    β₁, β₂, ε and λ updates the other parameters at the rate ρη, as in Muon.
    """

    lr: float = rate(2e-2)
    scale_by: str = choice(
        "shape", "rms", "shape", meaning="σ: as large as AdamW's usual step, or by the matrix' shape"
    )
    weight_decay: float = decoupled_decay()
    applies_to: str = choice("hidden", "hidden", "matrices", meaning=APPLIES_TO)
    share: float = number(0.015, "ρ", LR_SHARE, low=0)
    b2: float = number(0.95, "β₂", "of the fallback", low=0, below=1)
    eps: float = number(1e-10, "ε", "added to √v, and of the fallback", low=0)
    b_rows: float = number(0.95, "β_v", "share of v, the average of the rows' squares, kept each step", low=0, below=1)

    def of_matrices(self, t: int) -> dict[str, float]:
        return {**super().of_matrices(t), "w_rows": 1 - self.b_rows, "eps": self.eps}

    @staticmethod
    def matrix_shapes(m: int, n: int) -> dict[str, Sequence[int]]:
        return {"m": (m, n), "v": (m, 1)}

    @staticmethod
    def update_matrix(w: Tensor, g: Tensor, s: State, c: Scalars) -> tuple[Tensor, dict[str, Tensor]]:
        m = lerp(s.m, g, c.w1)
        U = orthogonal(lerp(g, m, c.ahead))
        v = lerp(s.v, (U * U).mean(dim=-1, keepdim=True), c.w_rows)
        N = U / shift(v.sqrt(), c.eps)
        step = N * (U.norm() / shift(N.norm(), c.eps))
        return add_scaled(w * c.keep, step, c.step * scale_of_step(w, c)), {"m": m, "v": v}


normuon = Entry(
    name="normuon",
    title="NorMuon",
    rule=NorMuon,
    summary="Muon whose rows are brought to one size by an average of their squares, so that all neurons move alike.",
    formula=(
        "m ← μm + (1−μ)g ;  U ≈ (uuᵀ)^(−1/2)u, u = (1−μ)g + μm ;  v ← β_vv + (1−β_v) · mean of U² along each row ;  "
        "N = U/(√v + ε) ;  w ← w − √max(1, m/n)·η · ‖U‖/‖N‖ · N ;  not a hidden matrix: m ← β₁m + (1−β₁)g ;  "
        "v ← β₂v + (1−β₂)g² ;  w ← w − ρη · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)"
    ),
    paper=LI,
)

TINY = 1e-8
"""Added to a root mean square that divides, as in the authors' code."""


def _spectral(d: Tensor) -> Tensor:
    """√(out/in)·U for a matrix; a kernel's also over the number of its places."""
    places = math.prod(d.shape[2:])
    return orthogonal(d.flatten(1)).view_as(d) * (math.sqrt(d.shape[0] / d.shape[1]) / places)


def _by_row(d: Tensor) -> Tensor:
    """d with every row at the root mean square 1: the rows of a table, or a vector."""
    return d / ((d * d).mean(dim=-1, keepdim=True).sqrt() + TINY)


@dataclass(frozen=True)
class Scion(Rule):
    """d ← (1−α)d + αg ;  w ← (1 − η)w − ηρ·u(d), where u(d) is the largest step of its kind against d:
    √(out/in)·U for a hidden matrix, U as in Muon ;  d/rms(d) for each row of an embedding, or a vector ;
    σ·sign(d)/in for an output layer

    For a kernel of k places, √(out/in)·U is divided by k. Without `constrained`, the weights do not shrink.
    """

    lr: float = rate(1e-3)
    take: float = number(0.1, "α", "share of the newest gradient in d", above=0, low=0)
    radius: float = number(50.0, "ρ", "size of the weights to which training is held", above=0)
    output_scale: float = number(60.0, "σ", "the output layer's ρ, as a multiple of that of the others", above=0)
    constrained: bool = choice(True, True, False, meaning="whether w shrinks, so that it stays within ρ")
    scope = "matrix"
    state = ("d",)

    def coefficients(self, t: int) -> dict[str, float]:
        return {
            "take": self.take,
            "keep": 1 - self.lr if self.constrained else 1.0,
            "step": -self.lr * self.radius,
            "step_output": -self.lr * self.radius * self.output_scale,
        }

    @classmethod
    def form(cls, role: str, applies_to: str) -> type[Rule]:
        return _scion_form(cls, role) if role in ("embedding", "output", "vector") else cls

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        return _scion(w, g, s, c, _spectral if w.ndim > 1 else _by_row, "step")


def _scion(w: Tensor, g: Tensor, s: State, c: Scalars, largest: Callable[[Tensor], Tensor], step: str) -> Updated:
    d = lerp(s.d, g, c.take)
    return add_scaled(w * c.keep, largest(d), getattr(c, step)), (d,)


@cache
def _scion_form(rule: type[Scion], role: str) -> type[Scion]:
    """Scion for an embedding, an output layer or a vector."""

    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        if role == "output" and w.ndim > 1:
            return _scion(w, g, s, c, lambda d: d.sign() / math.prod(d.shape[1:]), "step_output")
        return _scion(w, g, s, c, _by_row, "step")

    return type(rule.__name__, (rule,), {"__module__": rule.__module__, "update": staticmethod(update)})


scion = Entry(
    name="scion",
    title="Scion",
    rule=Scion,
    centre=1e-4,
    summary="Steps of a fixed size in the norm that suits each layer, with weights held within a ball of that norm.",
    formula=(
        "d ← (1−α)d + αg ;  w ← (1−η)w − ηρ·√(out/in)·U, U ≈ (ddᵀ)^(−1/2)d ;  an embedding's row or a vector: "
        "w ← (1−η)w − ηρ·d/rms(d) ;  an output layer: w ← (1−η)w − ηρσ·sign(d)/in"
    ),
    paper=PETHICK,
    authors=Departure(
        "leaves it to the caller which layers are embeddings and outputs, rounds U to bfloat16, and can draw the first "
        "weights on the sphere of radius ρ"
    ),
)

ROWS = (normuon, scion)
