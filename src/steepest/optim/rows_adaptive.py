"""The rows of the catalogue for rules that divide each gradient by the size that it has had so far."""

from __future__ import annotations

from steepest.optim.adaptive import Adadelta, AdaGrad, RMSProp, RMSPropMomentum
from steepest.optim.entry import KERAS_DECAY, OPTAX_SAME, PYTORCH_SAME, RATE_IN_BUFFER, Departure, Entry, Paper

DUCHI = Paper(
    "J. Duchi, E. Hazan, Y. Singer",
    "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization",
    2011,
)
HINTON = Paper("T. Tieleman, G. Hinton", "Lecture 6.5: RMSProp, COURSERA: Neural Networks for Machine Learning", 2012)
GRAVES = Paper("A. Graves", "Generating Sequences With Recurrent Neural Networks", 2013)
ZEILER = Paper("M. D. Zeiler", "ADADELTA: An Adaptive Learning Rate Method", 2012)

ROWS = (
    Entry(
        name="adagrad",
        title="AdaGrad",
        rule=AdaGrad,
        centre=1e-2,
        rate=1e-2,
        summary="Divides each gradient by the root of the sum of its squares so far: what came often moves less.",
        formula="G ← G + g² ;  w ← w − η · g / (√G + ε)",
        paper=DUCHI,
        departures=(
            PYTORCH_SAME,
            Departure(
                "Keras",
                "G starts at 0.1 and ε = 1e-7 stands inside the root; its η is 0.001",
                {"initial_sum": 0.1, "eps": 0.0, "eps_root": 1e-7},
            ),
            KERAS_DECAY,
            Departure(
                "Optax",
                "G starts at 0.1 and ε = 1e-7 stands inside the root",
                {"initial_sum": 0.1, "eps": 0.0, "eps_root": 1e-7},
            ),
            Departure("the article", "ε stands inside the root: see adagrad-printed", {"eps": 0.0, "eps_root": 1e-8}),
        ),
    ),
    Entry(
        name="adagrad-printed",
        title="AdaGrad (as printed)",
        rule=AdaGrad,
        settings={"eps": 0.0, "eps_root": 1e-8},
        centre=1e-2,
        rate=1e-2,
        summary="AdaGrad with ε inside the root, as the article prints it; it gives no figure: ε is 10⁻⁸ here.",
        formula="G ← G + g² ;  w ← w − η · g / √(G + ε_r)",
        paper=DUCHI,
        departures=(
            Departure("PyTorch", "ε = 1e-10 stands outside the root: see adagrad", {"eps": 1e-10, "eps_root": 0.0}),
            Departure("Keras", "G starts at 0.1 and ε is 1e-7; its η is 0.001", {"initial_sum": 0.1, "eps_root": 1e-7}),
            Departure("Optax", "G starts at 0.1 and ε is 1e-7", {"initial_sum": 0.1, "eps_root": 1e-7}),
            Departure("the article", "the same", {}),
        ),
    ),
    Entry(
        name="adadelta",
        title="Adadelta",
        rule=Adadelta,
        centre=1.0,
        rate=1.0,
        summary="RMSProp whose rate is the size of its own recent steps: both sides of the update have the same unit.",
        formula="v ← ρv + (1−ρ)g² ;  Δ = √(u + ε)/√(v + ε) · g ;  u ← ρu + (1−ρ)Δ² ;  w ← w − ηΔ",
        paper=ZEILER,
        departures=(
            PYTORCH_SAME,
            Departure("Keras", "ρ is 0.95 and ε 1e-7; its η is 0.001", {"rho": 0.95, "eps": 1e-7}),
            KERAS_DECAY,
            Departure("Optax", "the same; it has no default η", {}),
        ),
    ),
    Entry(
        name="rmsprop",
        title="RMSProp",
        rule=RMSProp,
        centre=1e-3,
        rate=1e-2,
        summary="Divides each gradient by the root of a decaying average of its squares: AdaGrad that forgets.",
        formula="v ← βv + (1−β)g² ;  w ← w − η · g / (√v + ε)",
        paper=HINTON,
        departures=(
            PYTORCH_SAME,
            Departure(
                "Keras",
                "β is 0.9 and ε = 1e-7 stands inside the root; its η is 0.001",
                {"b2": 0.9, "eps": 0.0, "eps_root": 1e-7},
            ),
            KERAS_DECAY,
            Departure("Optax", "β is 0.9 and ε stands inside the root", {"b2": 0.9, "eps": 0.0, "eps_root": 1e-8}),
            Departure(
                "the article",
                "ε stands inside the root: see rmsprop-printed",
                {"b2": 0.9, "eps": 0.0, "eps_root": 1e-8},
            ),
        ),
    ),
    Entry(
        name="rmsprop-printed",
        title="RMSProp (as printed)",
        rule=RMSProp,
        settings={"b2": 0.9, "eps": 0.0, "eps_root": 1e-8},
        centre=1e-3,
        rate=1e-2,
        summary="RMSProp with ε inside the root, as the article prints it; it gives no figures: β is 0.9, ε 10⁻⁸ here.",
        formula="v ← βv + (1−β)g² ;  w ← w − η · g / √(v + ε_r)",
        paper=HINTON,
        departures=(
            Departure(
                "PyTorch",
                "β is 0.99 and ε stands outside the root: see rmsprop",
                {"b2": 0.99, "eps": 1e-8, "eps_root": 0.0},
            ),
            Departure("Keras", "ε is 1e-7; its η is 0.001", {"eps_root": 1e-7}),
            OPTAX_SAME,
            Departure("the article", "the same", {}),
        ),
    ),
    Entry(
        name="rmsprop-momentum",
        title="RMSProp with momentum",
        rule=RMSPropMomentum,
        centre=1e-3,
        rate=1e-2,
        summary="RMSProp whose scaled gradients feed a velocity.",
        formula="v ← βv + (1−β)g² ;  b ← μb + g / (√v + ε) ;  w ← w − ηb",
        paper=GRAVES,
        departures=(
            PYTORCH_SAME,
            Departure(
                "Keras",
                f"β is 0.9, ε = 1e-7 stands inside the root, and {RATE_IN_BUFFER}; its η is 0.001",
                {"b2": 0.9, "eps": 0.0, "eps_root": 1e-7, "rate_at": "buffer"},
            ),
            KERAS_DECAY,
            Departure(
                "Optax",
                f"β is 0.9, ε stands inside the root, and {RATE_IN_BUFFER}",
                {"b2": 0.9, "eps": 0.0, "eps_root": 1e-8, "rate_at": "buffer"},
            ),
        ),
    ),
    Entry(
        name="rmsprop-centred",
        title="RMSProp, centred",
        rule=RMSPropMomentum,
        settings={"momentum": 0.0, "centred": True, "rate_at": "buffer", "eps": 0.0, "eps_root": 1e-8},
        centre=1e-3,
        rate=1e-2,
        summary="RMSProp that divides by the standard deviation of the gradient instead of by its size.",
        formula="v ← βv + (1−β)g² ;  a ← βa + (1−β)g ;  b ← η · g / √(v − a² + ε_r) ;  w ← w − b",
        paper=GRAVES,
        departures=(
            Departure(
                "PyTorch",
                "ε stands outside the root, which is not a number once a² exceeds v by rounding",
                {"eps": 1e-8, "eps_root": 0.0},
            ),
            Departure("Keras", "β is 0.9 and ε 1e-7; its η is 0.001", {"b2": 0.9, "eps_root": 1e-7}),
            KERAS_DECAY,
            Departure("Optax", "β is 0.9", {"b2": 0.9}),
        ),
    ),
)
