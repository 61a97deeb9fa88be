"""Rules that step along the gradient, or along an average of gradients, in order of rising complexity."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from steepest.optim.entry import RATE_IN_BUFFER, SAME, SAME_BITS, Departure, Entry, Paper
from steepest.optim.rule import (
    Rule,
    Scalars,
    State,
    Updated,
    add_scaled,
    choice,
    coupled_decay,
    lerp,
    number,
    rate,
    scale,
)

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


@dataclass(frozen=True)
class SGD(Rule):
    """w ← w − ηg"""

    lr: float = rate(1e-3)
    weight_decay: float = coupled_decay()

    def coefficients(self, t: int) -> dict[str, float]:
        return {"decay": self.weight_decay, "step": -self.lr}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        g = add_scaled(g, w, c.decay)
        return add_scaled(w, g, c.step), ()


gd = Entry(
    name="gd",
    title="Gradient descent (full batch)",
    rule=SGD,
    batch_size="full",
    centre=1e0,
    summary="Steps down the slope of the loss over the whole training part.",
    formula="w ← w − ηg, g over all examples",
    paper=CAUCHY,
    torch=SAME_BITS,
    keras=Departure("the same with fit(batch_size=len(x)), which is 32 when not given; its η is 0.01", {}),
    keras_decouples=True,
    optax=SAME,
    article=SAME,
)


sgd_1 = Entry(
    name="sgd-1",
    title="SGD, one example per step",
    rule=SGD,
    batch_size=1,
    centre=1e-1,
    summary="Steps down the slope of the loss of a single example.",
    formula="w ← w − ηg, g from one example",
    paper=ROBBINS,
    torch=SAME_BITS,
    keras=Departure("the same with fit(batch_size=1); its η is 0.01", {}),
    keras_decouples=True,
    optax=SAME,
    article=SAME,
)


sgd = Entry(
    name="sgd",
    title="Mini-batch SGD",
    rule=SGD,
    centre=1e-1,
    summary="Steps down the slope of the loss over a few examples, the usual compromise between cost and noise.",
    formula="w ← w − ηg, g over a mini-batch",
    paper=LECUN,
    torch=SAME_BITS,
    keras=Departure("the same; its η is 0.01", {}),
    keras_decouples=True,
    optax=SAME,
    article=SAME,
)


@dataclass(frozen=True)
class Momentum(Rule):
    """v ← μv + (1−d)g, where d = 0 at t = 1 ;  w ← w − ηv

    With rate_at="buffer": v ← μv + (1−d)ηg ;  w ← w − v.
    """

    lr: float = rate(1e-3)
    momentum: float = number(0.9, "μ", "share of the velocity v kept each step", low=0)
    dampening: float = number(0.0, "d", "share of the gradient left out of v, from the second step on", low=0)
    rate_at: str = choice("step", "step", "buffer", meaning="whether η multiplies v as it is used, or g as it enters v")
    weight_decay: float = coupled_decay()
    state = ("v",)

    def coefficients(self, t: int) -> dict[str, float]:
        take = 1.0 if t == 1 else 1 - self.dampening
        inside = self.rate_at == "buffer"
        return {
            "decay": self.weight_decay,
            "momentum": self.momentum,
            "take": self.lr * take if inside else take,
            "step": -1.0 if inside else -self.lr,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        g = add_scaled(g, w, c.decay)
        v = add_scaled(s.v * c.momentum, g, c.take)
        return add_scaled(w, v, c.step), (v,)


momentum = Entry(
    name="momentum",
    title="Momentum (heavy-ball)",
    rule=Momentum,
    centre=1e-2,
    summary="Adds every gradient to a velocity that decays, and steps along the velocity.",
    formula="v ← μv + g ;  w ← w − ηv",
    paper=POLYAK,
    torch=SAME_BITS,
    keras=Departure(f"{RATE_IN_BUFFER}; its η is 0.01", {"rate_at": "buffer"}),
    keras_decouples=True,
    optax=SAME,
    article=Departure("prints the averaged form: see momentum-averaged"),
)


@dataclass(frozen=True)
class Nesterov(Rule):
    """v ← μv + g ;  w ← w − η(g + μv)

    With rate_at="buffer": v ← μv + ηg ;  w ← w − (ηg + μv).
    """

    lr: float = rate(1e-3)
    momentum: float = number(0.9, "μ", "share of the velocity v kept each step", low=0)
    rate_at: str = choice("step", "step", "buffer", meaning="whether η multiplies v as it is used, or g as it enters v")
    weight_decay: float = coupled_decay()
    state = ("v",)

    def coefficients(self, t: int) -> dict[str, float]:
        inside = self.rate_at == "buffer"
        return {
            "decay": self.weight_decay,
            "momentum": self.momentum,
            "take": self.lr if inside else 1.0,
            "step": -1.0 if inside else -self.lr,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        g = scale(add_scaled(g, w, c.decay), c.take)
        v = s.v * c.momentum + g
        return add_scaled(w, add_scaled(g, v, c.momentum), c.step), (v,)


nesterov = Entry(
    name="nesterov",
    title="Nesterov momentum",
    rule=Nesterov,
    centre=1e-2,
    summary="Momentum that looks ahead: steps along the velocity as it will be after the next decay.",
    formula="v ← μv + g ;  w ← w − η(g + μv)",
    paper=SUTSKEVER,
    torch=SAME_BITS,
    keras=Departure(f"{RATE_IN_BUFFER}; its η is 0.01", {"rate_at": "buffer"}),
    keras_decouples=True,
    optax=SAME,
)


@dataclass(frozen=True)
class AveragedMomentum(Rule):
    """v ← βv + (1−β)g ;  w ← w − ηv"""

    lr: float = rate(1e-2)
    b1: float = number(0.9, "β", "share of the average v kept each step", low=0, below=1)
    weight_decay: float = coupled_decay()
    state = ("v",)

    def coefficients(self, t: int) -> dict[str, float]:
        return {"decay": self.weight_decay, "w1": 1 - self.b1, "step": -self.lr}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        g = add_scaled(g, w, c.decay)
        v = lerp(s.v, g, c.w1)
        return add_scaled(w, v, c.step), (v,)


momentum_averaged = Entry(
    name="momentum-averaged",
    title="Momentum (averaged, as printed)",
    rule=AveragedMomentum,
    centre=1e-1,
    summary="Steps along a decaying average of the gradients, from zero: heavy-ball at 1−β times the rate.",
    formula="v ← βv + (1−β)g ;  w ← w − ηv",
    paper=POLYAK,
    torch=Departure("SGD(momentum=β, dampening=β) starts with v = g, undamped: see momentum"),
    keras=Departure("has the heavy-ball form only: see momentum"),
    optax=Departure("the same as chain(ema(β, debias=False), scale_by_learning_rate(η))", {}),
    article=SAME,
)


@dataclass(frozen=True)
class ASGD(Rule):
    """w ← (1 − ζδ)w − ζg, where ζ = η/(1 + δηt)^α ;  x ← x + (w − x)/max(1, t − 1 − t₀)

    ζ is made of the rate and number of the step before, and is η in the first. x is the average of the weights. As in
    torch it is a state, "x": w is what is trained and evaluated.
    """

    lr: float = rate(1e-2)
    slope: float = number(1e-4, "δ", "how fast the rate falls, and how strongly w is drawn to zero", low=0)
    alpha: float = number(0.75, "α", "power with which the rate falls", low=0)
    start: float = number(1e6, "t₀", "step after which the average x begins", low=0)
    weight_decay: float = coupled_decay()
    state = ("x",)
    carry: ClassVar[Mapping[str, float]] = {"rate_before": 0.0}

    def advance(self, t: int, carry: dict[str, float]) -> dict[str, float]:
        before = carry["rate_before"]
        zeta = self.lr if t == 1 else before / (1 + self.slope * before * (t - 1)) ** self.alpha
        carry["rate_before"] = self.lr
        share = 1.0 if t == 1 else 1 / max(1, t - 1 - self.start)
        return {"decay": self.weight_decay, "keep": 1 - self.slope * zeta, "step": -zeta, "share": share}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        w = add_scaled(w * c.keep, add_scaled(g, w, c.decay), c.step)
        return w, (lerp(s.x, w, c.share),)


asgd = Entry(
    name="asgd",
    title="ASGD (averaged SGD)",
    rule=ASGD,
    centre=1e-1,
    summary="SGD with a slowly falling rate, which also keeps the average of its weights.",
    formula="w ← (1 − ζδ)w − ζg, ζ = η/(1 + δηt)^α ;  x ← x + (w − x)/max(1, t − 1 − t₀)",
    paper=AVERAGING,
    torch=Departure("the same; its ζ is rounded to the default dtype at every step", {}),
    keras=Departure("has none; use_ema=True of any optimizer keeps an exponential average"),
)

ROWS = (gd, sgd_1, sgd, momentum, momentum_averaged, nesterov, asgd)
