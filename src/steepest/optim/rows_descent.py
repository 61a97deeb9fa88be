"""The rows of the catalogue for plain descent: a step along the gradient, or along an average of gradients."""

from __future__ import annotations

from steepest.optim.descent import ASGD, SGD, AveragedMomentum, Momentum, Nesterov
from steepest.optim.entry import KERAS_DECAY, OPTAX_SAME, PYTORCH_SAME, RATE_IN_BUFFER, Departure, Entry, Paper

CAUCHY = Paper("A. Cauchy", "Méthode générale pour la résolution des systèmes d'équations simultanées", 1847)
ROBBINS = Paper("H. Robbins, S. Monro", "A Stochastic Approximation Method", 1951)
LECUN = Paper("Y. LeCun, L. Bottou, G. B. Orr, K.-R. Müller", "Efficient BackProp", 1998)
POLYAK = Paper("B. T. Polyak", "Some methods of speeding up the convergence of iteration methods", 1964)
SUTSKEVER = Paper(
    "I. Sutskever, J. Martens, G. Dahl, G. Hinton",
    "On the importance of initialization and momentum in deep learning (after Nesterov, 1983)",
    2013,
)
AVERAGING = Paper("B. T. Polyak, A. B. Juditsky", "Acceleration of Stochastic Approximation by Averaging", 1992)

ROWS = (
    Entry(
        name="gd",
        title="Gradient descent (full batch)",
        rule=SGD,
        batch_size="full",
        centre=1e0,
        rate=1e-3,
        summary="Steps down the slope of the loss over the whole training part.",
        formula="w ← w − ηg, g over all examples",
        paper=CAUCHY,
        departures=(
            PYTORCH_SAME,
            Departure("Keras", "the same with fit(batch_size=len(x)), which is 32 when not given; its η is 0.01", {}),
            KERAS_DECAY,
            OPTAX_SAME,
            Departure("the article", "the same", {}),
        ),
    ),
    Entry(
        name="sgd-1",
        title="SGD, one example a step",
        rule=SGD,
        batch_size=1,
        centre=1e-1,
        rate=1e-3,
        summary="Steps down the slope of the loss of a single example.",
        formula="w ← w − ηg, g from one example",
        paper=ROBBINS,
        departures=(
            PYTORCH_SAME,
            Departure("Keras", "the same with fit(batch_size=1); its η is 0.01", {}),
            KERAS_DECAY,
            OPTAX_SAME,
            Departure("the article", "the same", {}),
        ),
    ),
    Entry(
        name="sgd",
        title="Mini-batch SGD",
        rule=SGD,
        centre=1e-1,
        rate=1e-3,
        summary="Steps down the slope of the loss over a few examples, the usual compromise of cost and noise.",
        formula="w ← w − ηg, g over a mini-batch",
        paper=LECUN,
        departures=(
            PYTORCH_SAME,
            Departure("Keras", "the same; its η is 0.01", {}),
            KERAS_DECAY,
            OPTAX_SAME,
            Departure("the article", "the same", {}),
        ),
    ),
    Entry(
        name="momentum",
        title="Momentum (heavy-ball)",
        rule=Momentum,
        centre=1e-2,
        rate=1e-3,
        summary="Rolls on: adds every gradient to a velocity that decays, and steps along the velocity.",
        formula="v ← μv + g ;  w ← w − ηv",
        paper=POLYAK,
        departures=(
            PYTORCH_SAME,
            Departure("Keras", f"{RATE_IN_BUFFER}; its η is 0.01", {"rate_at": "buffer"}),
            KERAS_DECAY,
            OPTAX_SAME,
            Departure("the article", "prints the averaged form: see momentum-averaged"),
        ),
    ),
    Entry(
        name="momentum-averaged",
        title="Momentum (averaged, as printed)",
        rule=AveragedMomentum,
        centre=1e-1,
        rate=1e-2,
        summary="Steps along a decaying average of the gradients, from zero: heavy-ball at 1−β times the rate.",
        formula="v ← βv + (1−β)g ;  w ← w − ηv",
        paper=POLYAK,
        departures=(
            Departure("PyTorch", "SGD(momentum=β, dampening=β) starts with v = g, undamped: see momentum"),
            Departure("Keras", "has the heavy-ball form only: see momentum"),
            Departure("Optax", "the same as chain(ema(β, debias=False), scale_by_learning_rate(η))", {}),
            Departure("the article", "the same", {}),
        ),
    ),
    Entry(
        name="nesterov",
        title="Nesterov momentum",
        rule=Nesterov,
        centre=1e-2,
        rate=1e-3,
        summary="Momentum that looks ahead: steps along the velocity as it will be after the next decay.",
        formula="v ← μv + g ;  w ← w − η(g + μv)",
        paper=SUTSKEVER,
        departures=(
            PYTORCH_SAME,
            Departure("Keras", f"{RATE_IN_BUFFER}; its η is 0.01", {"rate_at": "buffer"}),
            KERAS_DECAY,
            OPTAX_SAME,
        ),
    ),
    Entry(
        name="asgd",
        title="ASGD (averaged SGD)",
        rule=ASGD,
        centre=1e-1,
        rate=1e-2,
        summary="SGD with a slowly falling rate, which keeps the average of its weights beside them.",
        formula="w ← (1 − ζδ)w − ζg, ζ = η/(1 + δηt)^α ;  x ← x + (w − x)/max(1, t − 1 − t₀)",
        paper=AVERAGING,
        departures=(
            Departure("PyTorch", "the same; its ζ is rounded to the default dtype at every step", {}),
            Departure("Keras", "has none; use_ema=True of any optimizer keeps an exponential average"),
            Departure("Optax", "has none"),
        ),
    ),
)
