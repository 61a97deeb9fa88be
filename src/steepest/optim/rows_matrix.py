"""The rows of the catalogue for rules that look at a whole matrix."""

from __future__ import annotations

from steepest.optim.entry import Departure, Entry, Paper
from steepest.optim.matrix import SOAP, Muon, MuonBfloat16, Shampoo

JORDAN = Paper("K. Jordan et al.", "Muon: An optimizer for hidden layers in neural networks", 2024)
LIU = Paper("J. Liu et al.", "Muon is Scalable for LLM Training", 2025)
GUPTA = Paper("V. Gupta, T. Koren, Y. Singer", "Shampoo: Preconditioned Stochastic Tensor Optimization", 2018)
VYAS = Paper("N. Vyas et al.", "SOAP: Improving and Stabilizing Shampoo using Adam", 2024)

NONE_IN_PYTORCH = Departure("PyTorch", "has none")
NONE_IN_KERAS = Departure("Keras", "has none")
NONE_IN_OPTAX = Departure("Optax", "has none")
MUON = (
    "m ← μm + (1−μ)g ;  w ← (1−ηλ)w − {scale} · U, U ≈ (uuᵀ)^(−1/2)u, u = (1−μ)g + μm ;  "
    "no matrix: m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g² ;  w ← (1−ρηλ)w − ρη · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)"
)

ROWS = (
    Entry(
        name="muon",
        title="Muon",
        rule=Muon,
        centre=1e-2,
        rate=1e-3,
        summary="Momentum whose every step is made orthogonal: all directions of a matrix move alike.",
        formula=MUON.format(scale="0.2√max(m, n)·η"),
        paper=LIU,
        departures=(
            Departure("PyTorch", "takes matrices only, another scale, and rounds to bfloat16: see muon-bfloat16"),
            Departure("Keras", "the same, but for what is no matrix, where ε is added to √v before its correction"),
            Departure(
                "Optax",
                "contrib.muon frees m of its zero start; without nesterov it is the same",
            ),
        ),
    ),
    Entry(
        name="muon-bfloat16",
        title="Muon (as in PyTorch)",
        rule=MuonBfloat16,
        settings={"scale_by": "shape"},
        centre=1e-2,
        rate=1e-3,
        summary="Muon with PyTorch's scale and rounding; what is no matrix, which PyTorch refuses, by AdamW.",
        formula=MUON.format(scale="√max(1, m/n)·η"),
        paper=JORDAN,
        departures=(
            Departure("PyTorch", "refuses what has not exactly two axes; for a matrix the same, bit for bit on CPU"),
            Departure("Keras", "keeps a velocity v ← μv + g in the place of the average"),
            Departure("Optax", "contrib.muon frees m of its zero start and takes the scale of (in, out) matrices"),
        ),
    ),
    Entry(
        name="shampoo",
        title="Shampoo",
        rule=Shampoo,
        settings={"every": 10.0},
        centre=1e-2,
        rate=1e-2,
        summary="AdaGrad for matrices: divides by fourth roots of the sums of ggᵀ on the left and gᵀg on the right.",
        formula=(
            "L ← L + ggᵀ, R ← R + gᵀg, from εI ;  every k steps A ← L^(−1/4), B ← R^(−1/4) ;  m ← AgB ;  w ← w − ηm ;  "
            "no matrix: G ← G + g² ;  w ← w − ρη · g/√(G + ε)"
        ),
        paper=GUPTA,
        departures=(NONE_IN_PYTORCH, NONE_IN_KERAS, NONE_IN_OPTAX),
    ),
    Entry(
        name="soap",
        title="SOAP",
        rule=SOAP,
        centre=3e-3,
        rate=3e-3,
        summary="Adam in the slowly turning basis in which Shampoo's two matrices are diagonal.",
        formula=(
            "ĝ = QLᵀ g QR ;  m ← β₁m + (1−β₁)ĝ ;  v ← β₂v + (1−β₂)ĝ² ;  "
            "w ← (1−ηλ)w − η/(1−β₁ᵗ) · QL (m / ((√v + ε)/√(1−β₂ᵗ))) QRᵀ ;  L ← β_sL + (1−β_s)ggᵀ ;  "
            "R ← β_sR + (1−β_s)gᵀg ;  every k steps QL ← qr(L·QL), QR ← qr(R·QR) ;  no matrix: Adam's at ρη"
        ),
        paper=VYAS,
        departures=(
            Departure("PyTorch", "has none; the authors' code takes no step at t = 1, and sorts the basis"),
            NONE_IN_KERAS,
            NONE_IN_OPTAX,
        ),
    ),
)
