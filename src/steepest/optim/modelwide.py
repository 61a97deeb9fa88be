"""Rules that look at a whole model at once: a reduction over all its parameters sets their common rate.

Such an update sees all parameters as one row [P], or as the rows [R, P] of a fleet; a *number* of the rule is one for
the row, [1] or [R, 1]. In the rules that find their rate themselves, η only multiplies it, and belongs at 1.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from steepest.optim.adam import moments_of
from steepest.optim.entry import Departure, Entry, Paper
from steepest.optim.reductions import norm, total
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

D_ADAPTATION = Paper("A. Defazio, K. Mishchenko", "Learning-Rate-Free Learning by D-Adaptation", 2023, "2301.07733")
MISHCHENKO = Paper(
    "K. Mishchenko, A. Defazio", "Prodigy: An Expeditiously Adaptive Parameter-Free Learner", 2023, "2306.06101"
)
IVGI = Paper(
    "M. Ivgi, O. Hinder, Y. Carmon",
    "DoG is SGD's Best Friend: A Parameter-Free Dynamic Step Size Schedule",
    2023,
    "2302.12022",
)
KHALED = Paper(
    "A. Khaled, K. Mishchenko, C. Jin",
    "DoWG Unleashed: An Efficient Universal Parameter-Free Gradient Descent Method",
    2023,
    "2305.16284",
)
BAYDIN = Paper("A. G. Baydin et al.", "Online Learning Rate Adaptation with Hypergradient Descent", 2018, "1703.04782")
NO_LIMIT = "can also limit the growth of d; by default it does not, and there is no limit here"


# ---- rates from distances --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DoG(Rule):
    """r ← max(r, |w − o|) ;  G ← G + |g|² ;  w ← w − η · r/√G · g

    |·| is over all parameters, o is where w starts. r starts at ρ(1 + |o|), G at ε.
    """

    lr: float = rate(1.0)
    start: float = number(1e-6, "ρ", "first distance, relative to 1 + |o|", above=0)
    eps: float = number(1e-8, "ε", "where the sum of squares starts", low=0)
    weight_decay: float = coupled_decay()
    scope = "model"
    state = ("o", "r", "G")
    numbers = ("r", "G")

    def initial(self) -> dict[str, float]:
        return {"G": self.eps}

    def coefficients(self, t: int) -> dict[str, float]:
        first = 1.0 if t == 1 else 0.0
        return {"first": first, "start": first * self.start, "decay": self.weight_decay, "step": -self.lr}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        g = add_scaled(g, w, c.decay)
        o = lerp(s.o, w, c.first)
        r = torch.maximum(torch.maximum(s.r, norm(w - o)), c.start * (1 + norm(w)))
        G = s.G + total(g * g)
        return w + c.step * r / G.sqrt() * g, (o, r, G)


dog = Entry(
    name="dog",
    title="DoG",
    rule=DoG,
    summary=(
        "SGD whose rate is the distance from the start over the root of all squared gradients; best with averaged "
        "weights."
    ),
    formula=(
        "o ← w and r ← ρ(1 + |w|) at first ;  r ← max(r, |w − o|) ;  G ← G + |g|², from ε ;  w ← w − η · r/√G · g"
    ),
    paper=IVGI,
    torch=Departure("has none; the authors' package dog-optimizer does this for each parameter group separately"),
)


@dataclass(frozen=True)
class DoWG(Rule):
    """r ← max(r, |w − o|) ;  G ← G + r²|g|² ;  w ← w − η · r²/√G · g

    |·| is over all parameters, o is where w starts. r starts at r₀.
    """

    lr: float = rate(1.0)
    start: float = number(1e-4, "r₀", "first distance", above=0)
    weight_decay: float = coupled_decay()
    scope = "model"
    state = ("o", "r", "G")
    numbers = ("r", "G")

    def initial(self) -> dict[str, float]:
        return {"r": self.start}

    def coefficients(self, t: int) -> dict[str, float]:
        return {"first": 1.0 if t == 1 else 0.0, "decay": self.weight_decay, "step": -self.lr}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        g = add_scaled(g, w, c.decay)
        o = lerp(s.o, w, c.first)
        r = torch.maximum(s.r, norm(w - o))
        G = s.G + r * r * total(g * g)
        factor = torch.where(G > 0, r * r / G.sqrt(), 0.0)  # no gradient yet, no step
        return w + c.step * factor * g, (o, r, G)


dowg = Entry(
    name="dowg",
    title="DoWG",
    rule=DoWG,
    summary="DoG that weighs gradients by the distance they were taken at, so that early ones are forgotten.",
    formula="o ← w at first ;  r ← max(r, |w − o|), from r₀ ;  G ← G + r²|g|² ;  w ← w − η · r²/√G · g",
    paper=KHALED,
    optax=Departure("by default, contrib.dowg starts at r = 1e-2 and adds 1e-4 to the root"),
)


# ---- D-Adaptation and Prodigy ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DAdaptSGD(Rule):
    """k = ηd/q ;  n ← n + kΣgs ;  s ← s + kg ;  d ← max(d, 2n/|s|) ;  w ← μw + (1−μ)(o − s)

    Σ and |·| are over all parameters; q is |g| of the first step, o where w starts; d starts at d₀. k is of the d
    before the step.
    """

    lr: float = rate(1.0)
    momentum: float = number(0.0, "μ", "share of w kept each step", low=0, below=1)
    d0: float = number(1e-6, "d₀", "first guess of the distance to a solution", above=0)
    weight_decay: float = coupled_decay()
    scope = "model"
    state = ("o", "s", "d", "n", "q")
    numbers = ("d", "n", "q")

    def initial(self) -> dict[str, float]:
        return {"d": self.d0}

    def coefficients(self, t: int) -> dict[str, float]:
        return {"first": 1.0 if t == 1 else 0.0, "decay": self.weight_decay, "rate": self.lr, "take": 1 - self.momentum}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        g = add_scaled(g, w, c.decay)
        o = lerp(s.o, w, c.first)
        q = lerp(s.q, norm(g), c.first)
        k = c.rate * s.d / q
        n = s.n + total(k * g * s.s)
        sum_ = s.s + k * g
        length = norm(sum_)
        d = torch.maximum(s.d, torch.where(length > 0, 2 * n / length, s.d))
        return lerp(w, o - sum_, c.take), (o, sum_, d, n, q)


d_adapt_sgd = Entry(
    name="d-adapt-sgd",
    title="D-Adaptation SGD",
    rule=DAdaptSGD,
    summary="SGD that estimates how far the solution is and takes its rate from that; η only multiplies it.",
    formula=(
        "q ← |g| and o ← w at first ;  k = ηd/q ;  n ← n + kΣgs ;  s ← s + kg ;  d ← max(d, 2n/|s|), from d₀ ;  "
        "w ← o − s"
    ),
    paper=D_ADAPTATION,
    torch=Departure(f"has none; the authors' package dadaptation leaves the decay out of q, and {NO_LIMIT}"),
)


@dataclass(frozen=True)
class DAdaptAdam(Rule):
    """k = ηd ;  n ← γn + (1−γ)kΣgs/(√v + ε), where γ = √β₂ ;  m ← β₁m + (1−β₁)kg ;  v ← β₂v + (1−β₂)g² ;
    s ← γs + (1−γ)kg ;  d ← max(d, n/((1−γ)Σ|s|)) ;  w ← w − m/(√v + ε)

    Σ is over all parameters, d starts at d₀. With `correction`, k is multiplied by √(1−β₂ᵗ)/(1−β₁ᵗ).
    """

    lr: float = rate(1.0)
    b1: float = number(0.9, "β₁", "share of m, the average of kg, kept each step", low=0, below=1)
    b2: float = number(0.999, "β₂", "share of v, the average of g², kept each step", above=0, below=1)
    eps: float = number(1e-8, "ε", "added to the root", low=0)
    d0: float = number(1e-6, "d₀", "first guess of the distance to a solution", above=0)
    correction: bool = choice(False, False, True, meaning="whether both averages are corrected for their start at zero")
    weight_decay: float = coupled_decay()
    scope = "model"
    state = ("m", "v", "s", "d", "n")
    numbers = ("d", "n")

    def initial(self) -> dict[str, float]:
        return {"d": self.d0}

    def coefficients(self, t: int) -> dict[str, float]:
        return {
            "decay": self.weight_decay,
            "rate": self.lr * _correction(self, t),
            "b1": self.b1,
            "w1": 1 - self.b1,
            "b2": self.b2,
            "w2": 1 - self.b2,
            "keep": self.b2**0.5,
            "take": 1 - self.b2**0.5,
            "eps": self.eps,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        g = add_scaled(g, w, c.decay)
        k = c.rate * s.d
        n = c.keep * s.n + c.take * total(k * g * s.s / shift(s.v.sqrt(), c.eps).clamp(min=_TINY))
        m = s.m * c.b1 + c.w1 * k * g
        v = add_product(s.v * c.b2, g, g, c.w2)
        sum_ = s.s * c.keep + c.take * k * g
        length = c.take * total(sum_.abs())
        d = torch.maximum(s.d, torch.where(length > 0, n / length, s.d))
        return w - m / shift(v.sqrt(), c.eps).clamp(min=_TINY), (m, v, sum_, d, n)


d_adapt_adam = Entry(
    name="d-adapt-adam",
    title="D-Adaptation Adam",
    rule=DAdaptAdam,
    summary="Adam that estimates how far the solution is and takes its rate from that; η only multiplies it.",
    formula=(
        "k = ηd ;  n ← √β₂·n + (1−√β₂)kΣgs/(√v + ε) ;  m ← β₁m + (1−β₁)kg ;  v ← β₂v + (1−β₂)g² ;  "
        "s ← √β₂·s + (1−√β₂)kg ;  d ← max(d, n/((1−√β₂)Σ|s|)), from d₀ ;  w ← w − m/(√v + ε)"
    ),
    paper=D_ADAPTATION,
    torch=Departure(f"has none; the authors' package dadaptation {NO_LIMIT}"),
    optax=Departure("contrib.dadapt_adamw corrects both, and decouples its decay", {"correction": True}),
)


_TINY = 1e-38
"""Least divisor: 0/0 is 0 where an element has had no gradient and ε is 0."""


@dataclass(frozen=True)
class Prodigy(Rule):
    """k = ηd ;  n ← β₃n + (d/d₀)kΣg(o − w) ;  m ← β₁m + (1−β₁)dg ;  v ← β₂v + (1−β₂)d²g² ;  s ← β₃s + (d/d₀)kg ;
    d ← max(d, γn/Σ|s|) ;  w ← w − λkw − km/(√v + dε)

    Σ is over all parameters, o is where w starts, d starts at d₀, and k is of the d before; β₃ is √β₂ where it is 0.
    With `correction`, k is multiplied by √(1−β₂ᵗ)/(1−β₁ᵗ); with `safeguard`, for rates that warm up, s takes (d/d₀)dg.
    """

    lr: float = rate(1.0)
    b1: float = number(0.9, "β₁", "share of m, the average of dg, kept each step", low=0, below=1)
    b2: float = number(0.999, "β₂", "share of v, the average of d²g², kept each step", low=0, below=1)
    b3: float = number(0.0, "β₃", "share of n and s kept each step; 0 means √β₂", low=0, below=1)
    eps: float = number(1e-8, "ε", "added to the root, times d", low=0)
    d0: float = number(1e-6, "d₀", "first guess of the distance to a solution", above=0)
    growth: float = number(1.0, "γ", "factor of every later guess", above=0)
    correction: bool = choice(False, False, True, meaning="whether both averages are corrected for their start at zero")
    safeguard: bool = choice(False, False, True, meaning="whether s is kept free of the rate, for rates that warm up")
    weight_decay: float = number(0.0, "λ", "decoupled weight decay, at the rate k", low=0, decouples=True)
    scope = "model"
    state = ("o", "s", "m", "v", "d", "n")
    numbers = ("d", "n")

    def initial(self) -> dict[str, float]:
        return {"d": self.d0}

    def coefficients(self, t: int) -> dict[str, float]:
        k = self.lr * _correction(self, t)
        return {
            "first": 1.0 if t == 1 else 0.0,
            "rate": k,
            "b1": self.b1,
            "w1": 1 - self.b1,
            "b2": self.b2,
            "w2": 1 - self.b2,
            "b3": self.b3 or self.b2**0.5,
            "take": 1.0 if self.safeguard else k,
            "d0": self.d0,
            "growth": self.growth,
            "eps": self.eps,
            "decay": self.weight_decay,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        o = lerp(s.o, w, c.first)
        k = c.rate * s.d
        grown = s.d / c.d0
        n = c.b3 * s.n + grown * total(k * g * (o - w))
        m = s.m * c.b1 + c.w1 * s.d * g
        v = s.v * c.b2 + c.w2 * (s.d * g) ** 2
        sum_ = c.b3 * s.s + grown * c.take * s.d * g
        length = total(sum_.abs())
        d = torch.maximum(s.d, torch.where(length > 0, c.growth * n / length, s.d))
        root = (v.sqrt() + d * c.eps).clamp(min=_TINY)
        return w - c.decay * k * w - k * m / root, (o, sum_, m, v, d, n)


prodigy = Entry(
    name="prodigy",
    title="Prodigy",
    rule=Prodigy,
    summary="Adam that estimates its own rate from how far the weights have to go; η only multiplies it.",
    formula=(
        "k = ηd ;  o ← w at first ;  n ← √β₂·n + (d/d₀)kΣg(o − w) ;  m ← β₁m + (1−β₁)dg ;  v ← β₂v + (1−β₂)d²g² ;  "
        "s ← √β₂·s + (d/d₀)kg ;  d ← max(d, γn/Σ|s|), from d₀ ;  w ← w − km/(√v + dε)"
    ),
    paper=MISHCHENKO,
    torch=Departure(f"has none; the authors' package prodigyopt {NO_LIMIT}"),
    optax=Departure("contrib.prodigy corrects both averages", {"correction": True}),
)


def _correction(h: DAdaptAdam | Prodigy, t: int) -> float:
    return (1 - h.b2**t) ** 0.5 / (1 - h.b1**t) if h.correction else 1.0


# ---- the rate as a parameter of its own ------------------------------------------------------------------------------


@dataclass(frozen=True)
class HypergradientSGD(Rule):
    """a ← a + κΣgu ;  w ← w − (η + a)g, where u is the gradient before

    Σ is over all parameters: what the last step along u has done to the loss moves the rate that it was made with.
    """

    lr: float = rate(1e-3)
    hyper: float = number(1e-3, "κ", "rate at which the rate itself is learned", low=0)
    weight_decay: float = coupled_decay()
    scope = "model"
    state = ("u", "a")
    numbers = ("a",)

    def coefficients(self, t: int) -> dict[str, float]:
        return {"decay": self.weight_decay, "hyper": self.hyper, "rate": self.lr}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        g = add_scaled(g, w, c.decay)
        a = s.a + c.hyper * total(g * s.u)
        return w - (c.rate + a) * g, (g, a)


hypergradient_sgd = Entry(
    name="hypergradient-sgd",
    title="Hypergradient SGD",
    rule=HypergradientSGD,
    centre=1e-2,
    summary="SGD whose rate grows while two gradients in a row point the same way, and shrinks when they do not.",
    formula="a ← a + κΣgu, u ← g of the step before ;  w ← w − (η + a)g",
    paper=BAYDIN,
)


@dataclass(frozen=True)
class HypergradientAdam(Rule):
    """a ← a + κΣgu ;  m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g² ;  u ← m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε) ;  w ← w − (η + a)u

    Σ is over all parameters; u in the first is Adam's step before.
    """

    lr: float = rate(1e-3)
    hyper: float = number(1e-7, "κ", "rate at which the rate itself is learned", low=0)
    b1: float = number(0.9, "β₁", "share of m, the average of g, kept each step", low=0, below=1)
    b2: float = number(0.999, "β₂", "share of v, the average of g², kept each step", low=0, below=1)
    eps: float = number(1e-8, "ε", "added to the root", low=0)
    weight_decay: float = coupled_decay()
    scope = "model"
    state = ("m", "v", "u", "a")
    numbers = ("a",)

    def coefficients(self, t: int) -> dict[str, float]:
        return {
            "decay": self.weight_decay,
            "hyper": self.hyper,
            "rate": self.lr,
            "w1": 1 - self.b1,
            "b2": self.b2,
            "w2": 1 - self.b2,
            "first": 1 / (1 - self.b1**t),
            "root": (1 - self.b2**t) ** 0.5,
            "eps": self.eps,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        g = add_scaled(g, w, c.decay)
        a = s.a + c.hyper * total(g * s.u)
        m, v = moments_of(g, s, c)
        u = add_quotient(torch.zeros_like(w), m, shift(v.sqrt() / c.root, c.eps), c.first)
        return w - (c.rate + a) * u, (m, v, u, a)


hypergradient_adam = Entry(
    name="hypergradient-adam",
    title="Hypergradient Adam",
    rule=HypergradientAdam,
    summary="Adam whose rate grows while the gradient points along the last step, and shrinks when it does not.",
    formula=(
        "a ← a + κΣgu ;  m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g² ;  u ← m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε) ;  "
        "w ← w − (η + a)u"
    ),
    paper=BAYDIN,
)

ROWS = (prodigy, d_adapt_sgd, d_adapt_adam, dog, dowg, hypergradient_sgd, hypergradient_adam)
