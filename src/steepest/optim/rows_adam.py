"""The rows of the catalogue for Adam and its kin: an average of gradients over the root of an average of squares."""

from __future__ import annotations

from steepest.optim.adam import Adam, AdamW
from steepest.optim.entry import KERAS_DECAY, OPTAX_SAME, PYTORCH_SAME, Departure, Entry, Paper

KINGMA = Paper("D. P. Kingma, J. Ba", "Adam: A Method for Stochastic Optimization", 2015)
LOSHCHILOV = Paper("I. Loshchilov, F. Hutter", "Decoupled Weight Decay Regularization", 2019)

ROWS = (
    Entry(
        name="adam",
        title="Adam",
        rule=Adam,
        centre=1e-3,
        rate=1e-3,
        summary="Momentum and RMSProp together, both averages freed of the bias of their zero start.",
        formula="m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g² ;  w ← w − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)",
        paper=KINGMA,
        departures=(
            PYTORCH_SAME,
            Departure("Keras", "ε = 1e-7 is added to √v before its correction", {"eps": 1e-7, "eps_at": "raw"}),
            KERAS_DECAY,
            OPTAX_SAME,
            Departure("the article", "corrects m by √(1−β₁ᵗ) and v not: see adam-printed", {"correction": "printed"}),
        ),
    ),
    Entry(
        name="adam-printed",
        title="Adam (as printed)",
        rule=Adam,
        settings={"correction": "printed"},
        centre=1e-3,
        rate=1e-3,
        summary="Adam as the article prints it: the root over 1−β₁ᵗ, v uncorrected, hence long first steps.",
        formula="m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g² ;  w ← w − η / (√v + ε) · m/√(1−β₁ᵗ)",
        paper=KINGMA,
        departures=(
            Departure("PyTorch", "corrects both averages, as Kingma and Ba do: see adam", {"correction": "both"}),
            Departure(
                "Keras",
                "corrects both averages; ε = 1e-7 is added to √v before its correction",
                {"correction": "both", "eps": 1e-7, "eps_at": "raw"},
            ),
            Departure("Optax", "corrects both averages: see adam", {"correction": "both"}),
            Departure("the article", "the same", {}),
        ),
    ),
    Entry(
        name="adamw",
        title="AdamW",
        rule=AdamW,
        centre=1e-3,
        rate=1e-3,
        summary="Adam with a weight decay that the adaptive scaling does not touch.",
        formula=(
            "w ← (1−ηλ)w ;  m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g² ;  w ← w − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)"
        ),
        paper=LOSHCHILOV,
        departures=(
            PYTORCH_SAME,
            Departure(
                "Keras",
                "λ is 0.004, and ε = 1e-7 is added to √v before its correction",
                {"weight_decay": 0.004, "eps": 1e-7, "eps_at": "raw"},
            ),
            Departure("Optax", "λ is 1e-4", {"weight_decay": 1e-4}),
        ),
    ),
)
