"""The rows of the catalogue for rules that move by the signs of gradients."""

from __future__ import annotations

from steepest.optim.entry import KERAS_DECAY, PYTORCH_SAME, Departure, Entry, Paper
from steepest.optim.signs import Lion, Rprop, SignSGD, Signum

RIEDMILLER = Paper(
    "M. Riedmiller, H. Braun", "A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP Algorithm", 1993
)
BERNSTEIN = Paper(
    "J. Bernstein, Y.-X. Wang, K. Azizzadenesheli, A. Anandkumar",
    "signSGD: Compressed Optimisation for Non-Convex Problems",
    2018,
)
CHEN = Paper("X. Chen et al.", "Symbolic Discovery of Optimization Algorithms", 2023)
SU = Paper("J. Su", "Tiger: A Tight-fisted Optimizer", 2023)

NONE_IN_PYTORCH = Departure("PyTorch", "has none")
NONE_IN_KERAS = Departure("Keras", "has none")

ROWS = (
    Entry(
        name="rprop",
        title="Rprop",
        rule=Rprop,
        centre=1e-3,
        rate=1e-2,
        summary="Gives each weight a step size that grows while its gradient keeps its sign and shrinks when it turns.",
        formula=(
            "s ← η₊s where pg > 0, η₋s where pg < 0, within [s₁, s₂] ;  "
            "p ← 0 where pg < 0, else g ;  w ← w − s·sign(p), s starts at η"
        ),
        paper=RIEDMILLER,
        departures=(
            PYTORCH_SAME,
            NONE_IN_KERAS,
            Departure("Optax", "applies every step one step late, and none at first (0.2.8)"),
        ),
    ),
    Entry(
        name="sign-sgd",
        title="SignSGD",
        rule=SignSGD,
        centre=1e-3,
        rate=1e-3,
        summary="Moves every weight by the rate, against the sign of its gradient.",
        formula="w ← w − η·sign(g)",
        paper=BERNSTEIN,
        departures=(NONE_IN_PYTORCH, NONE_IN_KERAS, Departure("Optax", "the same as sign_sgd", {})),
    ),
    Entry(
        name="signum",
        title="Signum",
        rule=Signum,
        centre=1e-3,
        rate=1e-3,
        summary="Moves every weight by the rate, against the sign of an average of its gradients.",
        formula="m ← βm + (1−β)g ;  w ← w − η·sign(m)",
        paper=BERNSTEIN,
        departures=(NONE_IN_PYTORCH, NONE_IN_KERAS, Departure("Optax", "the same as signum", {})),
    ),
    Entry(
        name="lion",
        title="Lion",
        rule=Lion,
        centre=1e-4,
        rate=1e-4,
        summary="Moves by signs, with a direction that is fresher than the average that it keeps.",
        formula="w ← w − η·sign(β₁m + (1−β₁)g) ;  m ← β₂m + (1−β₂)g",
        paper=CHEN,
        departures=(
            NONE_IN_PYTORCH,
            Departure("Keras", "the same; its η is 0.001", {}),
            KERAS_DECAY,
            Departure("Optax", "λ is 0.001", {"weight_decay": 1e-3}),
        ),
    ),
    Entry(
        name="tiger",
        title="Tiger",
        rule=Signum,
        settings={"b1": 0.965, "weight_decay": 0.01},
        centre=1e-3,
        rate=1e-3,
        summary="Signum with a long memory and a decay: Lion with one β, which is cheaper to keep across batches.",
        formula="m ← βm + (1−β)g ;  w ← (1−ηλ)w − η·sign(m)",
        paper=SU,
        departures=(
            NONE_IN_PYTORCH,
            NONE_IN_KERAS,
            Departure(
                "Optax", "none of that name: signum with another β, and no decay", {"b1": 0.9, "weight_decay": 0.0}
            ),
        ),
    ),
)
