"""One table of optimizers, in order of rising complexity: it feeds planner, tests, documentation and command line.

A new optimizer is one entry here; everything that lists, explains, searches or tests optimizers reads this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from steepest.errors import BadSetting, UnknownName
from steepest.optim.elementwise import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    AveragedMomentum,
    Momentum,
    Nesterov,
    RMSProp,
    RMSPropMomentum,
)
from steepest.optim.entry import Departure, Entry, Paper
from steepest.optim.rule import check_settings, describe_hyperparameters, hyperparameters
from steepest.types import BatchSize, Contender, Setting

CAUCHY = Paper("A. Cauchy", "Méthode générale pour la résolution des systèmes d'équations simultanées", 1847)
ROBBINS = Paper("H. Robbins, S. Monro", "A Stochastic Approximation Method", 1951)
LECUN = Paper("Y. LeCun, L. Bottou, G. B. Orr, K.-R. Müller", "Efficient BackProp", 1998)
POLYAK = Paper("B. T. Polyak", "Some methods of speeding up the convergence of iteration methods", 1964)
SUTSKEVER = Paper(
    "I. Sutskever, J. Martens, G. Dahl, G. Hinton",
    "On the importance of initialization and momentum in deep learning (after Nesterov, 1983)",
    2013,
)
DUCHI = Paper(
    "J. Duchi, E. Hazan, Y. Singer",
    "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization",
    2011,
)
HINTON = Paper("T. Tieleman, G. Hinton", "Lecture 6.5: RMSProp, COURSERA: Neural Networks for Machine Learning", 2012)
GRAVES = Paper("A. Graves", "Generating Sequences With Recurrent Neural Networks", 2013)
KINGMA = Paper("D. P. Kingma, J. Ba", "Adam: A Method for Stochastic Optimization", 2015)
LOSHCHILOV = Paper("I. Loshchilov, F. Hutter", "Decoupled Weight Decay Regularization", 2019)

PYTORCH_SAME = Departure("PyTorch", "the same, bit for bit on CPU", {})
KERAS_DECAY = Departure("Keras", "weight_decay is decoupled for every optimizer: w ← (1 − ηλ)w before the step")
OPTAX_SAME = Departure("Optax", "the same", {})
RATE_IN_BUFFER = "η multiplies g as it enters the buffer, not the buffer as it is used: another path once η changes"

CATALOGUE = (
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


def names() -> list[str]:
    """All names of the catalogue, in its order."""
    return [item.name for item in CATALOGUE]


def entry(name: str) -> Entry:
    """The entry of this name; raises UnknownName with the nearest names."""
    for item in CATALOGUE:
        if item.name == name:
            return item
    raise UnknownName.among("optimizer", name, names(), "`steepest optimizers` lists all.")


def settings_of(item: Entry, overrides: Mapping[str, Setting] | None = None) -> dict[str, Setting]:
    """Every hyperparameter of an entry with its value: the rule's defaults, the entry's, and then `overrides`.

    Raises UnknownName or BadSetting for an override that the rule cannot take.
    """
    overrides = overrides or {}
    check_settings(item.rule, overrides)
    return {**hyperparameters(item.rule), "lr": item.rate, **item.settings, **overrides}


def contender(
    item: Entry | str,
    *,
    name: str = "",
    schedule: str = "constant",
    batch_size: BatchSize | None = None,
    centre: float | None = None,
    **settings: Setting,
) -> Contender:
    """An entry as it enters a study; `settings` are hyperparameters that differ from the entry's.

    Raises UnknownName or BadSetting; the rate is not among the settings, since a study searches it.
    """
    item = entry(item) if isinstance(item, str) else item
    if "lr" in settings:
        raise BadSetting(f"{item.name}: the rate is what a study searches; move the search with its centre instead.")
    settings_of(item, settings)
    return Contender(
        name=name or item.name,
        rule=item.name,
        centre=item.centre if centre is None else centre,
        settings=settings,
        schedule=schedule,
        batch_size=item.batch_size if batch_size is None else batch_size,
    )


def describe(item: Entry) -> dict[str, Any]:
    """Everything the catalogue knows about an entry, ready for JSON."""
    here = settings_of(item)
    return {
        "name": item.name,
        "title": item.title,
        "summary": item.summary,
        "formula": item.formula,
        "rule": item.rule.__name__,
        "rule_formula": item.rule.__doc__,
        "paper": asdict(item.paper),
        "scope": item.rule.scope,
        "state": list(item.rule.state),
        "batch_size": item.batch_size,
        "rate": {"default": item.rate, "centre": item.centre},
        "hyperparameters": [{**row, "value": here[row["name"]]} for row in describe_hyperparameters(item.rule)],
        "departures": [asdict(departure) for departure in item.departures],
    }
