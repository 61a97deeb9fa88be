"""Rules that divide each gradient by the size that it has had so far, in order of rising complexity."""

from dataclasses import dataclass

from torch import Tensor

from steepest.optim.entry import RATE_IN_BUFFER, SAME, SAME_BITS, Departure, Entry, Paper
from steepest.optim.rule import (
    Rule,
    Scalars,
    State,
    Updated,
    add_product,
    add_quotient,
    add_scaled,
    choice,
    coupled_decay,
    lerp,
    number,
    rate,
    shift,
)

DUCHI = Paper(
    "J. Duchi, E. Hazan, Y. Singer",
    "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization",
    2011,
)
HINTON = Paper("T. Tieleman, G. Hinton", "Lecture 6.5: RMSProp, COURSERA: Neural Networks for Machine Learning", 2012)
GRAVES = Paper("A. Graves", "Generating Sequences With Recurrent Neural Networks", 2013, "1308.0850")
ZEILER = Paper("M. D. Zeiler", "ADADELTA: An Adaptive Learning Rate Method", 2012, "1212.5701")


@dataclass(frozen=True)
class AdaGrad(Rule):
    """G ← G + g² ;  w ← w − η/(1 + (t−1)δ) · g / (√(G + ε_r) + ε) ;  G starts at G₀"""

    lr: float = rate(1e-2)
    eps: float = number(1e-10, "ε", "added outside the root", low=0)
    eps_root: float = number(0.0, "ε_r", "added inside the root", low=0)
    initial_sum: float = number(0.0, "G₀", "where the sum of squares starts", low=0)
    lr_decay: float = number(0.0, "δ", "further decay of the rate", low=0)
    weight_decay: float = coupled_decay()
    state = ("G",)

    def initial(self) -> dict[str, float]:
        return {"G": self.initial_sum}

    def coefficients(self, t: int) -> dict[str, float]:
        return {
            "decay": self.weight_decay,
            "eps": self.eps,
            "eps_root": self.eps_root,
            "step": -(self.lr / (1 + (t - 1) * self.lr_decay)),
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        g = add_scaled(g, w, c.decay)
        G = add_product(s.G, g, g, 1.0)
        root = shift(shift(G, c.eps_root).sqrt(), c.eps)
        return add_quotient(w, g, root, c.step), (G,)


adagrad = Entry(
    name="adagrad",
    title="AdaGrad",
    rule=AdaGrad,
    summary=(
        "Divides each gradient by the root of the sum of its squares so far: weights with frequent gradients move less."
    ),
    formula="G ← G + g² ;  w ← w − η · g / (√G + ε)",
    paper=DUCHI,
    torch=SAME_BITS,
    keras=Departure(
        "G starts at 0.1 and ε = 1e-7 is inside the root; its η is 0.001",
        {"initial_sum": 0.1, "eps": 0.0, "eps_root": 1e-7},
    ),
    keras_decouples=True,
    optax=Departure(
        "G starts at 0.1 and ε = 1e-7 is inside the root", {"initial_sum": 0.1, "eps": 0.0, "eps_root": 1e-7}
    ),
    article=Departure("ε is inside the root: see adagrad-printed", {"eps": 0.0, "eps_root": 1e-8}),
)


adagrad_printed = Entry(
    name="adagrad-printed",
    title="AdaGrad (as printed)",
    rule=AdaGrad,
    settings={"eps": 0.0, "eps_root": 1e-8},
    summary="AdaGrad with ε inside the root, as the article prints it; the article gives no value, so ε is 10⁻⁸ here.",
    formula="G ← G + g² ;  w ← w − η · g / √(G + ε_r)",
    paper=DUCHI,
    torch=Departure("ε = 1e-10 is outside the root: see adagrad", {"eps": 1e-10, "eps_root": 0.0}),
    keras=Departure("G starts at 0.1 and ε is 1e-7; its η is 0.001", {"initial_sum": 0.1, "eps_root": 1e-7}),
    optax=Departure("G starts at 0.1 and ε is 1e-7", {"initial_sum": 0.1, "eps_root": 1e-7}),
    article=SAME,
)


@dataclass(frozen=True)
class Adadelta(Rule):
    """v ← ρv + (1−ρ)g² ;  Δ = √(u + ε)/√(v + ε) · g ;  u ← ρu + (1−ρ)Δ² ;  w ← w − ηΔ"""

    lr: float = rate(1.0)
    rho: float = number(0.9, "ρ", "share of v and u, the averages of g² and Δ², kept each step", low=0, below=1)
    eps: float = number(1e-6, "ε", "added inside both roots", above=0)
    weight_decay: float = coupled_decay()
    state = ("v", "u")

    def coefficients(self, t: int) -> dict[str, float]:
        return {"decay": self.weight_decay, "rho": self.rho, "share": 1 - self.rho, "eps": self.eps, "step": -self.lr}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        g = add_scaled(g, w, c.decay)
        v = add_product(s.v * c.rho, g, g, c.share)
        delta = shift(s.u, c.eps).sqrt() / shift(v, c.eps).sqrt() * g
        u = add_product(s.u * c.rho, delta, delta, c.share)
        return add_scaled(w, delta, c.step), (v, u)


adadelta = Entry(
    name="adadelta",
    title="Adadelta",
    rule=Adadelta,
    summary="RMSProp whose rate is the size of its own recent steps: both sides of the update have the same unit.",
    formula="v ← ρv + (1−ρ)g² ;  Δ = √(u + ε)/√(v + ε) · g ;  u ← ρu + (1−ρ)Δ² ;  w ← w − ηΔ",
    paper=ZEILER,
    torch=SAME_BITS,
    keras=Departure("ρ is 0.95 and ε 1e-7; its η is 0.001", {"rho": 0.95, "eps": 1e-7}),
    keras_decouples=True,
    optax=Departure("the same; it has no default η", {}),
)


@dataclass(frozen=True)
class RMSProp(Rule):
    """v ← βv + (1−β)g² ;  w ← w − η · g / (√(v + ε_r) + ε)"""

    lr: float = rate(1e-2)
    b2: float = number(0.99, "β", "share of v, the average of g², kept each step", low=0, below=1)
    eps: float = number(1e-8, "ε", "added outside the root", low=0)
    eps_root: float = number(0.0, "ε_r", "added inside the root", low=0)
    weight_decay: float = coupled_decay()
    state = ("v",)

    def coefficients(self, t: int) -> dict[str, float]:
        return {
            "decay": self.weight_decay,
            "b2": self.b2,
            "w2": 1 - self.b2,
            "eps": self.eps,
            "eps_root": self.eps_root,
            "step": -self.lr,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        g = add_scaled(g, w, c.decay)
        v = add_product(s.v * c.b2, g, g, c.w2)
        root = shift(shift(v, c.eps_root).sqrt(), c.eps)
        return add_quotient(w, g, root, c.step), (v,)


rmsprop = Entry(
    name="rmsprop",
    title="RMSProp",
    rule=RMSProp,
    centre=1e-3,
    summary="Divides each gradient by the root of a decaying average of its squares: AdaGrad that forgets.",
    formula="v ← βv + (1−β)g² ;  w ← w − η · g / (√v + ε)",
    paper=HINTON,
    torch=SAME_BITS,
    keras=Departure(
        "β is 0.9 and ε = 1e-7 is inside the root; its η is 0.001", {"b2": 0.9, "eps": 0.0, "eps_root": 1e-7}
    ),
    keras_decouples=True,
    optax=Departure("β is 0.9 and ε is inside the root", {"b2": 0.9, "eps": 0.0, "eps_root": 1e-8}),
    article=Departure("ε is inside the root: see rmsprop-printed", {"b2": 0.9, "eps": 0.0, "eps_root": 1e-8}),
)


rmsprop_printed = Entry(
    name="rmsprop-printed",
    title="RMSProp (as printed)",
    rule=RMSProp,
    settings={"b2": 0.9, "eps": 0.0, "eps_root": 1e-8},
    centre=1e-3,
    summary=(
        "RMSProp with ε inside the root, as the article prints it; the article gives no values, so β is 0.9 and ε 10⁻⁸ "
        "here."
    ),
    formula="v ← βv + (1−β)g² ;  w ← w − η · g / √(v + ε_r)",
    paper=HINTON,
    torch=Departure("β is 0.99 and ε is outside the root: see rmsprop", {"b2": 0.99, "eps": 1e-8, "eps_root": 0.0}),
    keras=Departure("ε is 1e-7; its η is 0.001", {"eps_root": 1e-7}),
    optax=SAME,
    article=SAME,
)


@dataclass(frozen=True)
class RMSPropMomentum(RMSProp):
    """v ← βv + (1−β)g² ;  a ← βa + (1−β)g ;  b ← μb + g / (√(v − a² + ε_r) + ε) ;  w ← w − ηb

    a² is left out unless `centred`; with it the difference can round to just below zero where g hardly changes, as in
    torch, and ε_r keeps the root real. With rate_at="buffer", b ← μb + ηg/(…) and w ← w − b.
    """

    momentum: float = number(0.9, "μ", "share of the velocity b kept each step", low=0)
    centred: bool = choice(False, False, True, meaning="divide by the standard deviation of g instead of its size")
    rate_at: str = choice("step", "step", "buffer", meaning="whether η multiplies b as it is used, or g as it enters b")
    state = ("v", "a", "b")

    def coefficients(self, t: int) -> dict[str, float]:
        inside = self.rate_at == "buffer"
        return {
            **super().coefficients(t),
            "momentum": self.momentum,
            "centre": -1.0 if self.centred else 0.0,
            "take": self.lr if inside else 1.0,
            "step": -1.0 if inside else -self.lr,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        g = add_scaled(g, w, c.decay)
        v = add_product(s.v * c.b2, g, g, c.w2)
        a = lerp(s.a, g, c.w2)
        root = shift(shift(add_product(v, a, a, c.centre), c.eps_root).sqrt(), c.eps)
        b = add_quotient(s.b * c.momentum, g, root, c.take)
        return add_scaled(w, b, c.step), (v, a, b)


rmsprop_momentum = Entry(
    name="rmsprop-momentum",
    title="RMSProp with momentum",
    rule=RMSPropMomentum,
    centre=1e-3,
    summary="RMSProp whose scaled gradients feed a velocity.",
    formula="v ← βv + (1−β)g² ;  b ← μb + g / (√v + ε) ;  w ← w − ηb",
    paper=GRAVES,
    torch=SAME_BITS,
    keras=Departure(
        f"β is 0.9, ε = 1e-7 is inside the root, and {RATE_IN_BUFFER}; its η is 0.001",
        {"b2": 0.9, "eps": 0.0, "eps_root": 1e-7, "rate_at": "buffer"},
    ),
    keras_decouples=True,
    optax=Departure(
        f"β is 0.9, ε is inside the root, and {RATE_IN_BUFFER}",
        {"b2": 0.9, "eps": 0.0, "eps_root": 1e-8, "rate_at": "buffer"},
    ),
)


rmsprop_centred = Entry(
    name="rmsprop-centred",
    title="RMSProp, centred",
    rule=RMSPropMomentum,
    settings={"momentum": 0.0, "centred": True, "rate_at": "buffer", "eps": 0.0, "eps_root": 1e-8},
    centre=1e-3,
    summary="RMSProp that divides by the standard deviation of the gradient instead of by its size.",
    formula="v ← βv + (1−β)g² ;  a ← βa + (1−β)g ;  b ← η · g / √(v − a² + ε_r) ;  w ← w − b",
    paper=GRAVES,
    torch=Departure(
        "ε is outside the root, which becomes NaN when rounding makes a² exceed v", {"eps": 1e-8, "eps_root": 0.0}
    ),
    keras=Departure("β is 0.9 and ε 1e-7; its η is 0.001", {"b2": 0.9, "eps_root": 1e-7}),
    keras_decouples=True,
    optax=Departure("β is 0.9", {"b2": 0.9}),
)

ROWS = (adagrad, adagrad_printed, adadelta, rmsprop, rmsprop_printed, rmsprop_momentum, rmsprop_centred)
