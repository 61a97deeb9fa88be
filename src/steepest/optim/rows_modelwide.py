"""The rows of the catalogue for rules that look at all parameters of a model at once, and for Schedule-Free ones."""

from __future__ import annotations

from steepest.optim.entry import Departure, Entry, Paper
from steepest.optim.modelwide import (
    DAdaptAdam,
    DAdaptSGD,
    DoG,
    DoWG,
    HypergradientAdam,
    HypergradientSGD,
    Prodigy,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
)

DEFAZIO = Paper("A. Defazio et al.", "The Road Less Scheduled", 2024)
D_ADAPTATION = Paper("A. Defazio, K. Mishchenko", "Learning-Rate-Free Learning by D-Adaptation", 2023)
MISHCHENKO = Paper("K. Mishchenko, A. Defazio", "Prodigy: An Expeditiously Adaptive Parameter-Free Learner", 2023)
IVGI = Paper(
    "M. Ivgi, O. Hinder, Y. Carmon", "DoG is SGD's Best Friend: A Parameter-Free Dynamic Step Size Schedule", 2023
)
KHALED = Paper(
    "A. Khaled, K. Mishchenko, C. Jin",
    "DoWG Unleashed: An Efficient Universal Parameter-Free Gradient Descent Method",
    2023,
)
BAYDIN = Paper("A. G. Baydin et al.", "Online Learning Rate Adaptation with Hypergradient Descent", 2018)

NONE_IN_PYTORCH = Departure("PyTorch", "has none")
NONE_IN_KERAS = Departure("Keras", "has none")
NONE_IN_OPTAX = Departure("Optax", "has none")
NO_LIMIT = "has a limit to the growth of d as well; there is none here, as in the default there"

ROWS = (
    Entry(
        name="schedule-free-sgd",
        title="Schedule-Free SGD",
        rule=ScheduleFreeSGD,
        centre=1e0,
        rate=1e0,
        summary="SGD that averages its weights in the place of a schedule, and is evaluated at the average.",
        formula="z ← z − ηg ;  x ← (1−c)x + cz, c = η^φ/Ση^φ ;  w ← (1−β)z + βx, evaluated at x",
        paper=DEFAZIO,
        departures=(
            NONE_IN_PYTORCH,
            NONE_IN_KERAS,
            Departure("Optax", "the same, as contrib.schedule_free_sgd, at a rate that does not rise", {}),
        ),
    ),
    Entry(
        name="schedule-free-adamw",
        title="Schedule-Free AdamW",
        rule=ScheduleFreeAdamW,
        centre=1e-2,
        rate=2.5e-3,
        summary="AdamW with an average of its weights in the place of the momentum and of a schedule.",
        formula=(
            "v ← β₂v + (1−β₂)g² ;  z ← z − η · g/(√(v/(1−β₂ᵗ)) + ε) ;  x ← (1−c)x + cz, c = η^φ/Ση^φ ;  "
            "w ← (1−β)z + βx, evaluated at x"
        ),
        paper=DEFAZIO,
        departures=(
            NONE_IN_PYTORCH,
            NONE_IN_KERAS,
            Departure("Optax", "the same, as contrib.schedule_free_adamw, at a rate that does not rise", {}),
        ),
    ),
    Entry(
        name="prodigy",
        title="Prodigy",
        rule=Prodigy,
        centre=1e0,
        rate=1e0,
        summary="Adam that estimates its own rate from how far the weights have to go; η only multiplies it.",
        formula=(
            "k = ηd ;  o ← w at first ;  n ← √β₂·n + (d/d₀)kΣg(o − w) ;  m ← β₁m + (1−β₁)dg ;  v ← β₂v + (1−β₂)d²g² ;  "
            "s ← √β₂·s + (d/d₀)kg ;  d ← max(d, γn/Σ|s|), from d₀ ;  w ← w − km/(√v + dε)"
        ),
        paper=MISHCHENKO,
        departures=(
            Departure("PyTorch", f"has none; the authors' package prodigyopt {NO_LIMIT}"),
            NONE_IN_KERAS,
            Departure("Optax", "contrib.prodigy corrects both averages", {"correction": True}),
        ),
    ),
    Entry(
        name="d-adapt-sgd",
        title="D-Adaptation SGD",
        rule=DAdaptSGD,
        centre=1e0,
        rate=1e0,
        summary="SGD that estimates how far the solution is and takes its rate from that; η only multiplies it.",
        formula=(
            "q ← |g| and o ← w at first ;  k = ηd/q ;  n ← n + kΣgs ;  s ← s + kg ;  d ← max(d, 2n/|s|), from d₀ ;  "
            "w ← o − s"
        ),
        paper=D_ADAPTATION,
        departures=(
            Departure(
                "PyTorch",
                f"has none; the authors' package dadaptation leaves the decay out of q, and {NO_LIMIT}",
            ),
            NONE_IN_KERAS,
            NONE_IN_OPTAX,
        ),
    ),
    Entry(
        name="d-adapt-adam",
        title="D-Adaptation Adam",
        rule=DAdaptAdam,
        centre=1e0,
        rate=1e0,
        summary="Adam that estimates how far the solution is and takes its rate from that; η only multiplies it.",
        formula=(
            "k = ηd ;  n ← √β₂·n + (1−√β₂)kΣgs/(√v + ε) ;  m ← β₁m + (1−β₁)kg ;  v ← β₂v + (1−β₂)g² ;  "
            "s ← √β₂·s + (1−√β₂)kg ;  d ← max(d, n/((1−√β₂)Σ|s|)), from d₀ ;  w ← w − m/(√v + ε)"
        ),
        paper=D_ADAPTATION,
        departures=(
            Departure("PyTorch", f"has none; the authors' package dadaptation {NO_LIMIT}"),
            NONE_IN_KERAS,
            Departure("Optax", "contrib.dadapt_adamw corrects both, and decouples its decay", {"correction": True}),
        ),
    ),
    Entry(
        name="dog",
        title="DoG",
        rule=DoG,
        centre=1e0,
        rate=1e0,
        summary="SGD whose rate is the distance from the start over the root of all squared gradients; best averaged.",
        formula=(
            "o ← w and r ← ρ(1 + |w|) at first ;  r ← max(r, |w − o|) ;  G ← G + |g|², from ε ;  w ← w − η · r/√G · g"
        ),
        paper=IVGI,
        departures=(
            Departure(
                "PyTorch", "has none; the authors' package dog-optimizer does this for every parameter group apart"
            ),
            NONE_IN_KERAS,
            NONE_IN_OPTAX,
        ),
    ),
    Entry(
        name="dowg",
        title="DoWG",
        rule=DoWG,
        centre=1e0,
        rate=1e0,
        summary="DoG that weighs gradients by the distance they were taken at, so that early ones are forgotten.",
        formula="o ← w at first ;  r ← max(r, |w − o|), from r₀ ;  G ← G + r²|g|² ;  w ← w − η · r²/√G · g",
        paper=KHALED,
        departures=(
            NONE_IN_PYTORCH,
            NONE_IN_KERAS,
            Departure("Optax", "contrib.dowg starts at r = 1e-2 and adds 1e-4 to the root, unless told otherwise"),
        ),
    ),
    Entry(
        name="hypergradient-sgd",
        title="Hypergradient SGD",
        rule=HypergradientSGD,
        centre=1e-2,
        rate=1e-3,
        summary="SGD whose rate grows while two gradients in a row point the same way, and shrinks when they do not.",
        formula="a ← a + κΣgu, u ← g of the step before ;  w ← w − (η + a)g",
        paper=BAYDIN,
        departures=(NONE_IN_PYTORCH, NONE_IN_KERAS, NONE_IN_OPTAX),
    ),
    Entry(
        name="hypergradient-adam",
        title="Hypergradient Adam",
        rule=HypergradientAdam,
        centre=1e-3,
        rate=1e-3,
        summary="Adam whose rate grows while the gradient points along the last step, and shrinks when it does not.",
        formula=(
            "a ← a + κΣgu ;  m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g² ;  u ← m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε) ;  "
            "w ← w − (η + a)u"
        ),
        paper=BAYDIN,
        departures=(NONE_IN_PYTORCH, NONE_IN_KERAS, NONE_IN_OPTAX),
    ),
)
