"""The rows of the catalogue for Adam and its kin: an average of gradients over the root of an average of squares."""

from __future__ import annotations

from steepest.optim.adam import Adam, Adamax, AdamW, AMSGrad, NAdam, NAdamW, RAdam, RAdamW
from steepest.optim.entry import KERAS_DECAY, OPTAX_SAME, PYTORCH_SAME, Departure, Entry, Paper

KINGMA = Paper("D. P. Kingma, J. Ba", "Adam: A Method for Stochastic Optimization", 2015)
LOSHCHILOV = Paper("I. Loshchilov, F. Hutter", "Decoupled Weight Decay Regularization", 2019)
REDDI = Paper("S. J. Reddi, S. Kale, S. Kumar", "On the Convergence of Adam and Beyond", 2018)
DOZAT = Paper("T. Dozat", "Incorporating Nesterov Momentum into Adam", 2016)
LIU = Paper("L. Liu et al.", "On the Variance of the Adaptive Learning Rate and Beyond", 2020)

MOMENTS = "m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g²"
NADAM = "w ← w − η · (μ₊m/(1 − Πμ·μ₊) + (1−μ)g/(1 − Πμ)) / (√(v/(1−β₂ᵗ)) + ε), μ = β₁(1 − ½·0.96^(tψ))"

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
    Entry(
        name="amsgrad",
        title="AMSGrad",
        rule=AMSGrad,
        centre=1e-3,
        rate=1e-3,
        summary="Adam that remembers the largest average of squares, so that its steps cannot grow again.",
        formula=f"{MOMENTS} ;  u ← max(u, v) ;  w ← w − η · m/(1−β₁ᵗ) / (√(u/(1−β₂ᵗ)) + ε)",
        paper=REDDI,
        departures=(
            Departure("PyTorch", "the same, bit for bit on CPU, as Adam(amsgrad=True)", {}),
            Departure("Keras", "ε = 1e-7 is added to √u before its correction", {"eps": 1e-7, "eps_at": "raw"}),
            KERAS_DECAY,
            Departure("Optax", "u is the largest of the corrected averages"),
        ),
    ),
    Entry(
        name="adamax",
        title="AdaMax",
        rule=Adamax,
        centre=1e-3,
        rate=2e-3,
        summary="Adam that divides by the largest recent gradient instead of by a root of squares.",
        formula="m ← β₁m + (1−β₁)g ;  u ← max(β₂u, |g| + ε) ;  w ← w − η/(1−β₁ᵗ) · m/u",
        paper=KINGMA,
        departures=(
            PYTORCH_SAME,
            Departure(
                "Keras", "ε = 1e-7 is added to u as it is used; its η is 0.001", {"eps": 1e-7, "eps_at": "outside"}
            ),
            KERAS_DECAY,
            OPTAX_SAME,
        ),
    ),
    Entry(
        name="nadam",
        title="NAdam",
        rule=NAdam,
        centre=1e-3,
        rate=2e-3,
        summary="Adam that looks ahead as Nesterov's momentum does, with a momentum that warms up.",
        formula=f"{MOMENTS} ;  {NADAM}",
        paper=DOZAT,
        departures=(
            Departure("PyTorch", "the same; its Πμ is rounded to the default dtype at every step", {}),
            Departure("Keras", "ψ is 1 and ε 1e-7; its η is 0.001", {"psi": 1.0, "eps": 1e-7}),
            KERAS_DECAY,
            Departure("Optax", "μ is constant, as for a very large ψ", {"psi": 1e6}),
        ),
    ),
    Entry(
        name="nadamw",
        title="NAdamW",
        rule=NAdamW,
        centre=1e-3,
        rate=2e-3,
        summary="NAdam with a weight decay that the adaptive scaling does not touch.",
        formula=f"w ← (1−ηλ)w ;  {MOMENTS} ;  {NADAM}",
        paper=DOZAT,
        departures=(
            Departure("PyTorch", "λ is 0; NAdam(decoupled_weight_decay=True)", {"weight_decay": 0.0}),
            Departure(
                "Keras",
                "ψ is 1 and ε 1e-7; its η is 0.001, and Nadam(weight_decay=0) is without decay",
                {"psi": 1.0, "eps": 1e-7, "weight_decay": 0.0},
            ),
            Departure("Optax", "μ is constant, as for a very large ψ, and λ 1e-4", {"psi": 1e6, "weight_decay": 1e-4}),
        ),
    ),
    Entry(
        name="radam",
        title="RAdam",
        rule=RAdam,
        centre=1e-3,
        rate=1e-3,
        summary="Adam that leaves its second average out while that rests on too few samples: a built-in warm-up.",
        formula=(f"{MOMENTS} ;  w ← w − ηr · m/(1−β₁ᵗ) · √(1−β₂ᵗ)/(√v + ε) where ρ > ρ₀, else w ← w − η · m/(1−β₁ᵗ)"),
        paper=LIU,
        departures=(
            PYTORCH_SAME,
            Departure("Keras", "has none"),
            Departure("Optax", "ε is added to the corrected root"),
        ),
    ),
    Entry(
        name="radamw",
        title="RAdamW",
        rule=RAdamW,
        centre=1e-3,
        rate=1e-3,
        summary="RAdam with a weight decay that the adaptive scaling does not touch.",
        formula=(
            f"w ← (1−ηλ)w ;  {MOMENTS} ;  w ← w − ηr · m/(1−β₁ᵗ) · √(1−β₂ᵗ)/(√v + ε) where ρ > ρ₀, "
            "else w ← w − η · m/(1−β₁ᵗ)"
        ),
        paper=LIU,
        departures=(
            Departure("PyTorch", "λ is 0; RAdam(decoupled_weight_decay=True)", {"weight_decay": 0.0}),
            Departure("Keras", "has none"),
            Departure("Optax", "ε is added to the corrected root; as a chain with add_decayed_weights"),
        ),
    ),
)
