"""The rows of the catalogue for rules that keep other moments of the gradient than Adam does."""

from __future__ import annotations

from steepest.optim.entry import Departure, Entry, Paper
from steepest.optim.moments import AdaBelief, Adan, AdEMAMix, Yogi

ZHUANG = Paper("J. Zhuang et al.", "AdaBelief Optimizer: Adapting Stepsizes by the Belief in Observed Gradients", 2020)
ZAHEER = Paper("M. Zaheer, S. Reddi, D. Sachan, S. Kale, S. Kumar", "Adaptive Methods for Nonconvex Optimization", 2018)
PAGLIARDINI = Paper("M. Pagliardini, P. Ablin, D. Grangier", "The AdEMAMix Optimizer: Better, Faster, Older", 2024)
XIE = Paper("X. Xie et al.", "Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models", 2022)

NONE_IN_PYTORCH = Departure("PyTorch", "has none")
NONE_IN_KERAS = Departure("Keras", "has none")

ROWS = (
    Entry(
        name="adabelief",
        title="AdaBelief",
        rule=AdaBelief,
        centre=1e-3,
        rate=1e-3,
        summary="Adam that divides by how far gradients stray from their average, instead of by their size.",
        formula=("m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)(g−m)² + ε_r ;  w ← w − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)"),
        paper=ZHUANG,
        departures=(NONE_IN_PYTORCH, NONE_IN_KERAS, Departure("Optax", "the same", {})),
    ),
    Entry(
        name="yogi",
        title="Yogi",
        rule=Yogi,
        centre=1e-2,
        rate=1e-2,
        summary="Adam whose average of squares moves by a share of the newest square, so that it falls slowly.",
        formula=(
            "m ← β₁m + (1−β₁)g ;  v ← v − (1−β₂)·sign(v − g²)·g² ;  "
            "w ← w − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε), v starts at v₀"
        ),
        paper=ZAHEER,
        departures=(
            NONE_IN_PYTORCH,
            NONE_IN_KERAS,
            Departure("Optax", "m starts at 1e-6 too", {"initial_mean": 1e-6}),
        ),
    ),
    Entry(
        name="ademamix",
        title="AdEMAMix",
        rule=AdEMAMix,
        centre=1e-3,
        rate=1e-3,
        summary="Adam with a second, very slow average of gradients beside the fast one.",
        formula=(
            "m ← β₁m + (1−β₁)g ;  n ← β₃n + (1−β₃)g ;  v ← β₂v + (1−β₂)g² ;  "
            "w ← w − η · (m/(1−β₁ᵗ) + αn) / (√(v/(1−β₂ᵗ)) + ε)"
        ),
        paper=PAGLIARDINI,
        departures=(
            NONE_IN_PYTORCH,
            NONE_IN_KERAS,
            Departure("Optax", "the same; schedules of α and β₃ are the caller's", {}),
        ),
    ),
    Entry(
        name="adan",
        title="Adan",
        rule=Adan,
        centre=1e-3,
        rate=1e-3,
        summary="Adam with Nesterov's look ahead, which it estimates from how the gradient changes.",
        formula=(
            "Δ = g − p ;  p ← g ;  m ← β₁m + (1−β₁)g ;  d ← β₂d + (1−β₂)Δ ;  n ← β₃n + (1−β₃)(g + β₂Δ)² ;  "
            "w ← w − η · (m/(1−β₁ᵗ) + β₂d/(1−β₂ᵗ)) / (√(n/(1−β₃ᵗ)) + ε)"
        ),
        paper=XIE,
        departures=(
            NONE_IN_PYTORCH,
            NONE_IN_KERAS,
            Departure("Optax", "weighs Δ and d by 1−β₂ with β₂ as the share kept, against the paper (0.2.8)"),
        ),
    ),
)
