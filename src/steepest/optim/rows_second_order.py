"""The rows of the catalogue for rules that need a second gradient in some of their steps."""

from __future__ import annotations

from steepest.optim.entry import Departure, Entry, Paper
from steepest.optim.second_order import MARS, SophiaG

LIU = Paper(
    "H. Liu, Z. Li, D. Hall, P. Liang, T. Ma",
    "Sophia: A Scalable Stochastic Second-order Optimizer for Language Model Pre-training",
    2024,
)
YUAN = Paper("H. Yuan et al.", "MARS: Unleashing the Power of Variance Reduction for Training Large Models", 2024)

NONE_IN_PYTORCH = Departure("PyTorch", "has none")
NONE_IN_KERAS = Departure("Keras", "has none")

ROWS = (
    Entry(
        name="sophia-g",
        title="Sophia-G",
        rule=SophiaG,
        centre=1e-3,
        rate=1e-4,
        summary="Divides an average of gradients by one of curvatures, and clips what is left to the size of a sign.",
        formula=(
            "every k steps: h ← β₂h + (1−β₂)B·ĝ², ĝ with targets drawn from the model ;  m ← β₁m + (1−β₁)g ;  "
            "w ← (1−ηλ)w − η·min(max(m/max(γh, ε), −1), 1)"
        ),
        paper=LIU,
        departures=(
            NONE_IN_PYTORCH,
            NONE_IN_KERAS,
            Departure(
                "Optax",
                "looks at the curvature after the step, corrects m, γ is 0.01, and λ 1e-4; by default it is Sophia-H, "
                "which takes the curvature of the loss along random signs",
            ),
        ),
    ),
    Entry(
        name="mars",
        title="MARS",
        rule=MARS,
        centre=3e-3,
        rate=3e-3,
        summary="AdamW on gradients that are corrected by how the last step changed them, on the same batch.",
        formula=(
            "c = g + γβ₁/(1−β₁) · (g − ∇L(o)) ;  o ← w ;  c ← c/max(1, ‖c‖) ;  m ← β₁m + (1−β₁)c ;  "
            "v ← β₂v + (1−β₂)c² ;  w ← w − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)"
        ),
        paper=YUAN,
        departures=(NONE_IN_PYTORCH, NONE_IN_KERAS, Departure("Optax", "has none")),
    ),
)
