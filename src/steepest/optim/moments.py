"""Rules that keep other moments of the gradient than Adam does, in order of rising complexity."""

import math
from dataclasses import dataclass

from torch import Tensor

from steepest.optim.entry import SAME, Departure, Entry, Paper
from steepest.optim.rule import (
    Rule,
    Scalars,
    State,
    Updated,
    add_product,
    add_quotient,
    add_scaled,
    decoupled_decay,
    lerp,
    number,
    rate,
    scale,
    shift,
)

ZHUANG = Paper(
    "J. Zhuang et al.",
    "AdaBelief Optimizer: Adapting Stepsizes by the Belief in Observed Gradients",
    2020,
    "2010.07468",
)
ZAHEER = Paper("M. Zaheer, S. Reddi, D. Sachan, S. Kale, S. Kumar", "Adaptive Methods for Nonconvex Optimization", 2018)
PAGLIARDINI = Paper(
    "M. Pagliardini, P. Ablin, D. Grangier", "The AdEMAMix Optimizer: Better, Faster, Older", 2024, "2409.03137"
)
XIE = Paper(
    "X. Xie et al.", "Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models", 2022, "2208.06677"
)


@dataclass(frozen=True)
class AdaBelief(Rule):
    """m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)(g−m)² + ε_r ;  w ← (1−ηλ)w − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)"""

    lr: float = rate(1e-3)
    b1: float = number(0.9, "β₁", "share of m, the average of g, kept each step", low=0, below=1)
    b2: float = number(0.999, "β₂", "share of v, the average of (g−m)², kept each step", low=0, below=1)
    eps: float = number(1e-16, "ε", "added to the root", low=0)
    eps_root: float = number(1e-16, "ε_r", "added to v at every step, where it stays", low=0)
    weight_decay: float = decoupled_decay()
    state = ("m", "v")

    def coefficients(self, t: int) -> dict[str, float]:
        return {
            "keep": 1 - self.lr * self.weight_decay,
            "w1": 1 - self.b1,
            "b2": self.b2,
            "w2": 1 - self.b2,
            "root": (1 - self.b2**t) ** 0.5,
            "eps": self.eps,
            "eps_root": self.eps_root,
            "step": -(self.lr / (1 - self.b1**t)),
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        m = lerp(s.m, g, c.w1)
        surprise = g - m
        v = shift(add_product(s.v * c.b2, surprise, surprise, c.w2), c.eps_root)
        return add_quotient(w * c.keep, m, shift(v.sqrt() / c.root, c.eps), c.step), (m, v)


adabelief = Entry(
    name="adabelief",
    title="AdaBelief",
    rule=AdaBelief,
    summary="Adam that divides by how far gradients stray from their average, instead of by their size.",
    formula=("m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)(g−m)² + ε_r ;  w ← w − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)"),
    paper=ZHUANG,
    optax=SAME,
)


@dataclass(frozen=True)
class Yogi(Rule):
    """m ← β₁m + (1−β₁)g ;  v ← v − (1−β₂)·sign(v − g²)·g² ;  w ← w − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)

    m starts at m₀, v at v₀.
    """

    lr: float = rate(1e-2)
    b1: float = number(0.9, "β₁", "share of m, the average of g, kept each step", low=0, below=1)
    b2: float = number(0.999, "β₂", "1−β₂ is the share of g² by which v moves towards it", low=0, below=1)
    eps: float = number(1e-3, "ε", "added to the root", low=0)
    initial_square: float = number(1e-6, "v₀", "where v starts", low=0)
    initial_mean: float = number(0.0, "m₀", "where m starts", low=0)
    weight_decay: float = decoupled_decay()
    state = ("m", "v")

    def initial(self) -> dict[str, float]:
        return {"m": self.initial_mean, "v": self.initial_square}

    def coefficients(self, t: int) -> dict[str, float]:
        return {
            "keep": 1 - self.lr * self.weight_decay,
            "w1": 1 - self.b1,
            "move": self.b2 - 1,
            "root": (1 - self.b2**t) ** 0.5,
            "eps": self.eps,
            "step": -(self.lr / (1 - self.b1**t)),
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        m = lerp(s.m, g, c.w1)
        square = g * g
        v = add_product(s.v, (s.v - square).sign(), square, c.move)
        return add_quotient(w * c.keep, m, shift(v.sqrt() / c.root, c.eps), c.step), (m, v)


yogi = Entry(
    name="yogi",
    title="Yogi",
    rule=Yogi,
    summary="Adam whose average of squares moves by a share of the newest square, so that it falls slowly.",
    formula=(
        "m ← β₁m + (1−β₁)g ;  v ← v − (1−β₂)·sign(v − g²)·g² ;  "
        "w ← w − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε), v starts at v₀"
    ),
    paper=ZAHEER,
    optax=Departure("m starts at 1e-6 too", {"initial_mean": 1e-6}),
)


@dataclass(frozen=True)
class AdEMAMix(Rule):
    """m ← β₁m + (1−β₁)g ;  n ← β₃n + (1−β₃)g ;  v ← β₂v + (1−β₂)g² ;
    w ← (1−ηλ)w − η · (m/(1−β₁ᵗ) + αn) / (√(v/(1−β₂ᵗ)) + ε)

    Over the first T steps α rises from zero in a line, and β₃ from β₁ such that its half-life does, nearly.
    """

    lr: float = rate(1e-3)
    b1: float = number(0.9, "β₁", "share of m, the fast average of g, kept each step", above=0, below=1)
    b2: float = number(0.999, "β₂", "share of v, the average of g², kept each step", low=0, below=1)
    b3: float = number(0.9999, "β₃", "share of n, the slow average of g, kept each step", above=0, below=1)
    alpha: float = number(5.0, "α", "weight of the slow average", low=0)
    warmup: float = number(0.0, "T", "steps over which α and β₃ reach their values", low=0)
    eps: float = number(1e-8, "ε", "added to the root", low=0)
    weight_decay: float = decoupled_decay()
    state = ("m", "n", "v")

    def coefficients(self, t: int) -> dict[str, float]:
        x = min(t / self.warmup, 1.0) if self.warmup > 0 else 1.0
        fast, slow = math.log(self.b1), math.log(self.b3)
        b3 = min(math.exp(fast * slow / ((1 - x) * slow + x * fast)), self.b3) if x < 1 else self.b3
        return {
            "keep": 1 - self.lr * self.weight_decay,
            "w1": 1 - self.b1,
            "b2": self.b2,
            "w2": 1 - self.b2,
            "w3": 1 - b3,
            "first": 1 - self.b1**t,
            "alpha": x * self.alpha,
            "root": (1 - self.b2**t) ** 0.5,
            "eps": self.eps,
            "step": -self.lr,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        m, n = lerp(s.m, g, c.w1), lerp(s.n, g, c.w3)
        v = add_product(s.v * c.b2, g, g, c.w2)
        mixed = add_scaled(m / c.first, n, c.alpha)
        return add_quotient(w * c.keep, mixed, shift(v.sqrt() / c.root, c.eps), c.step), (m, n, v)


ademamix = Entry(
    name="ademamix",
    title="AdEMAMix",
    rule=AdEMAMix,
    summary="Adam with a second, very slow average of gradients beside the fast one.",
    formula=(
        "m ← β₁m + (1−β₁)g ;  n ← β₃n + (1−β₃)g ;  v ← β₂v + (1−β₂)g² ;  "
        "w ← w − η · (m/(1−β₁ᵗ) + αn) / (√(v/(1−β₂ᵗ)) + ε)"
    ),
    paper=PAGLIARDINI,
    optax=Departure("the same; schedules of α and β₃ are the caller's", {}),
    authors=Departure("α is 2; α and β₃ rise over steps of their own, in the paper over the whole run", {"alpha": 2.0}),
)


@dataclass(frozen=True)
class Adan(Rule):
    """Δ = g − p ;  p ← g ;  m ← β₁m + (1−β₁)g ;  d ← β₂d + (1−β₂)Δ ;  n ← β₃n + (1−β₃)(g + β₂Δ)² ;
    w ← (w − η · (m/(1−β₁ᵗ) + β₂d/(1−β₂ᵗ)) / (√(n/(1−β₃ᵗ)) + ε)) / (1+ηλ) ;  Δ is zero in the first step
    """

    lr: float = rate(1e-3)
    b1: float = number(0.98, "β₁", "share of m, the average of g, kept each step", low=0, below=1)
    b2: float = number(0.92, "β₂", "share of d, the average of Δ, kept each step, and weight of Δ", low=0, below=1)
    b3: float = number(0.99, "β₃", "share of n, the average of squares, kept each step", low=0, below=1)
    eps: float = number(1e-8, "ε", "added to the root", low=0)
    weight_decay: float = number(0.0, "λ", "proximal weight decay: w is divided by 1 + ηλ", low=0)
    state = ("p", "m", "d", "n")

    def coefficients(self, t: int) -> dict[str, float]:
        return {
            "differs": 0.0 if t == 1 else 1.0,
            "w1": 1 - self.b1,
            "b2": self.b2,
            "w2": 1 - self.b2,
            "b3": self.b3,
            "w3": 1 - self.b3,
            "root": (1 - self.b3**t) ** 0.5,
            "eps": self.eps,
            "step_m": -(self.lr / (1 - self.b1**t)),
            "step_d": -(self.lr * self.b2 / (1 - self.b2**t)),
            "shrink": 1 + self.lr * self.weight_decay,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        change = scale(g - s.p, c.differs)
        m, d = lerp(s.m, g, c.w1), lerp(s.d, change, c.w2)
        ahead = add_scaled(g, change, c.b2)
        n = add_product(s.n * c.b3, ahead, ahead, c.w3)
        root = shift(n.sqrt() / c.root, c.eps)
        w = add_quotient(add_quotient(w, m, root, c.step_m), d, root, c.step_d)
        return w / c.shrink, (g.clone(), m, d, n)


adan = Entry(
    name="adan",
    title="Adan",
    rule=Adan,
    summary="Adam with Nesterov's look ahead, which it estimates from how the gradient changes.",
    formula=(
        "Δ = g − p ;  p ← g ;  m ← β₁m + (1−β₁)g ;  d ← β₂d + (1−β₂)Δ ;  n ← β₃n + (1−β₃)(g + β₂Δ)² ;  "
        "w ← w − η · (m/(1−β₁ᵗ) + β₂d/(1−β₂ᵗ)) / (√(n/(1−β₃ᵗ)) + ε)"
    ),
    paper=XIE,
    optax=Departure("weighs Δ and d by 1−β₂ with β₂ as the share kept, against the paper (0.2.8)"),
    authors=Departure("the same; can also decay as AdamW does (no_prox), and clip the whole gradient", {}),
)

ROWS = (adabelief, yogi, ademamix, adan)
