"""What came of Muon: rules that orthogonalize the momentum of a matrix and then change its step."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from steepest.optim.entry import Entry, Paper
from steepest.optim.matrix import APPLIES_TO, LR_SHARE, Muon, orthogonal, scale_of_step
from steepest.optim.rule import Scalars, State, add_scaled, choice, decoupled_decay, lerp, number, rate, shift

LI = Paper("Z. Li et al.", "NorMuon: Making Muon more efficient and scalable", 2025)


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

ROWS = (normuon,)
