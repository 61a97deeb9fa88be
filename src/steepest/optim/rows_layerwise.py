"""The rows of the catalogue for rules that look at one parameter tensor as a whole."""

from __future__ import annotations

from steepest.optim.entry import KERAS_DECAY, Departure, Entry, Paper
from steepest.optim.layerwise import LAMB, LARS, Adafactor, MARSApprox

YOU = Paper("Y. You, I. Gitman, B. Ginsburg", "Large Batch Training of Convolutional Networks", 2017)
YOU_LAMB = Paper("Y. You et al.", "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes", 2020)
SHAZEER = Paper("N. Shazeer, M. Stern", "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", 2018)
YUAN = Paper("H. Yuan et al.", "MARS: Unleashing the Power of Variance Reduction for Training Large Models", 2024)

NONE_IN_PYTORCH = Departure("PyTorch", "has none")
NONE_IN_KERAS = Departure("Keras", "has none")

ROWS = (
    Entry(
        name="lars",
        title="LARS",
        rule=LARS,
        centre=1e1,
        rate=1.0,
        summary="Momentum whose steps are scaled, layer by layer, to a share of the length of the weights.",
        formula="r = ϑ‖w‖/‖g‖ ;  v ← μv + ηrg ;  w ← w − v",
        paper=YOU,
        departures=(
            NONE_IN_PYTORCH,
            NONE_IN_KERAS,
            Departure("Optax", "the same without decay; with it the ratio has ‖g + λw‖ below", {}),
        ),
    ),
    Entry(
        name="lamb",
        title="LAMB",
        rule=LAMB,
        centre=1e-2,
        rate=1e-3,
        summary="AdamW whose steps are scaled, layer by layer, to the length of the weights.",
        formula=(
            "m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g² ;  u = m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε) + λw ;  "
            "w ← w − η · ‖w‖/‖u‖ · u"
        ),
        paper=YOU_LAMB,
        departures=(
            NONE_IN_PYTORCH,
            Departure("Keras", "ε is 1e-7 and λ 0", {"eps": 1e-7, "weight_decay": 0.0}),
            KERAS_DECAY,
            Departure("Optax", "λ is 0", {"weight_decay": 0.0}),
        ),
    ),
    Entry(
        name="adafactor",
        title="Adafactor",
        rule=Adafactor,
        centre=1e-1,
        rate=1e-2,
        summary="Keeps only the row and column means of the squares of a matrix, and takes steps relative to its size.",
        formula=(
            "r ← βr + (1−β)·mean of g² along rows, β = 1 − t^(−κ) ;  c ← βc + (1−β)·mean of g² along columns ;  "
            "v = rc/mean(r), or v ← βv + (1−β)g² for a vector ;  u = g/√max(v, ε²) ;  "
            "w ← w − min(η, 1/√t) · max(ε₂, rms(w)) · u/max(1, rms(u)/d)"
        ),
        paper=SHAZEER,
        departures=(
            Departure("PyTorch", "the same up to rounding; its ε is that of the dtype", {}),
            Departure("Keras", "adds 1e-30 to g² in the place of max(v, ε²)"),
            Departure("Optax", "adds 1e-30 to g², factors only axes of 128 or more, and does not bound η by 1/√t"),
        ),
    ),
    Entry(
        name="mars-approx",
        title="MARS (approximate)",
        rule=MARSApprox,
        centre=3e-3,
        rate=3e-3,
        summary="AdamW on gradients that are corrected by how they changed since the last batch.",
        formula=(
            "c = g + γβ₁/(1−β₁) · (g − p) ;  p ← g ;  c ← c/max(1, ‖c‖) ;  m ← β₁m + (1−β₁)c ;  "
            "v ← β₂v + (1−β₂)c² ;  w ← w − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)"
        ),
        paper=YUAN,
        departures=(NONE_IN_PYTORCH, NONE_IN_KERAS, Departure("Optax", "has none")),
    ),
)
