"""Adam and its kin: an average of gradients over the root of an average of squares."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from steepest.optim.entry import SAME, SAME_BITS, Departure, Entry, Paper
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
    decoupled_decay,
    lerp,
    number,
    rate,
    scale,
    shift,
)

KINGMA = Paper("D. P. Kingma, J. Ba", "Adam: A Method for Stochastic Optimization", 2015, "1412.6980")
LOSHCHILOV = Paper("I. Loshchilov, F. Hutter", "Decoupled Weight Decay Regularization", 2019, "1711.05101")
REDDI = Paper("S. J. Reddi, S. Kale, S. Kumar", "On the Convergence of Adam and Beyond", 2018, "1904.09237")
DOZAT = Paper("T. Dozat", "Incorporating Nesterov Momentum into Adam", 2016)
LIU = Paper("L. Liu et al.", "On the Variance of the Adaptive Learning Rate and Beyond", 2020, "1908.03265")
MOMENTS = "m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g²"
NADAM = "w ← w − η · (μ₊m/(1 − Πμ·μ₊) + (1−μ)g/(1 − Πμ)) / (√(v/(1−β₂ᵗ)) + ε), μ = β₁(1 − ½·0.96^(tψ))"


@dataclass(frozen=True)
class Adam(Rule):
    """m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g² ;  w ← w − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)

    correction="none" leaves both 1−βᵗ out; "printed" puts √(1−β₁ᵗ) in the place of 1−β₁ᵗ and leaves v uncorrected.
    eps_at="raw" adds ε to √v instead, which adds ε/√(1−β₂ᵗ) to the corrected root.
    """

    lr: float = rate(1e-3)
    b1: float = number(0.9, "β₁", "share of m, the average of g, kept each step", low=0, below=1)
    b2: float = number(0.999, "β₂", "share of v, the average of g², kept each step", low=0, below=1)
    eps: float = number(1e-8, "ε", "added to the root", low=0)
    correction: str = choice(
        "both", "both", "none", "printed", meaning="which averages are corrected for their start at zero"
    )
    eps_at: str = choice("corrected", "corrected", "raw", meaning="whether ε is added to the corrected root or to √v")
    weight_decay: float = coupled_decay()
    state = ("m", "v")

    def coefficients(self, t: int) -> dict[str, float]:
        first = {"both": 1 - self.b1**t, "none": 1.0, "printed": (1 - self.b1**t) ** 0.5}[self.correction]
        root = (1 - self.b2**t) ** 0.5 if self.correction == "both" else 1.0
        return {
            "decay": self.weight_decay,
            "w1": 1 - self.b1,
            "b2": self.b2,
            "w2": 1 - self.b2,
            "root": root,
            "eps": self.eps / root if self.eps_at == "raw" else self.eps,
            "step": -(self.lr / first),
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        return _adam_step(w, add_scaled(g, w, c.decay), s, c)


adam = Entry(
    name="adam",
    title="Adam",
    rule=Adam,
    summary="Momentum and RMSProp combined, with both averages corrected for their start at zero.",
    formula="m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g² ;  w ← w − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)",
    paper=KINGMA,
    torch=SAME_BITS,
    keras=Departure("ε = 1e-7 is added to √v before its correction", {"eps": 1e-7, "eps_at": "raw"}),
    keras_decouples=True,
    optax=SAME,
    article=Departure("corrects m by √(1−β₁ᵗ), and does not correct v: see adam-printed", {"correction": "printed"}),
)


adam_printed = Entry(
    name="adam-printed",
    title="Adam (as printed)",
    rule=Adam,
    settings={"correction": "printed"},
    summary="Adam as the article prints it: m over √(1−β₁ᵗ), v uncorrected, so the first steps are long.",
    formula="m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g² ;  w ← w − η / (√v + ε) · m/√(1−β₁ᵗ)",
    paper=KINGMA,
    torch=Departure("corrects both averages, as Kingma and Ba do: see adam", {"correction": "both"}),
    keras=Departure(
        "corrects both averages; ε = 1e-7 is added to √v before its correction",
        {"correction": "both", "eps": 1e-7, "eps_at": "raw"},
    ),
    optax=Departure("corrects both averages: see adam", {"correction": "both"}),
    article=SAME,
)


@dataclass(frozen=True)
class AdamW(Adam):
    """w ← (1 − ηλ)w, then Adam's step without any coupled decay"""

    weight_decay: float = decoupled_decay(1e-2)

    def coefficients(self, t: int) -> dict[str, float]:
        return {**super().coefficients(t), "keep": 1 - self.lr * self.weight_decay}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        return _adam_step(w * c.keep, g, s, c)


adamw = Entry(
    name="adamw",
    title="AdamW",
    rule=AdamW,
    summary="Adam with a weight decay that the adaptive scaling does not touch.",
    formula=("w ← (1−ηλ)w ;  m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g² ;  w ← w − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)"),
    paper=LOSHCHILOV,
    torch=SAME_BITS,
    keras=Departure(
        "λ is 0.004, and ε = 1e-7 is added to √v before its correction",
        {"weight_decay": 0.004, "eps": 1e-7, "eps_at": "raw"},
    ),
    optax=Departure("λ is 1e-4", {"weight_decay": 1e-4}),
)


@dataclass(frozen=True)
class AMSGrad(Adam):
    """Adam whose v never falls in the step: u ← max(u, v) stands in v's place"""

    state = ("m", "v", "u")

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        g = add_scaled(g, w, c.decay)
        m, v = moments_of(g, s, c)
        u = torch.maximum(s.u, v)
        return add_quotient(w, m, shift(u.sqrt() / c.root, c.eps), c.step), (m, v, u)


amsgrad = Entry(
    name="amsgrad",
    title="AMSGrad",
    rule=AMSGrad,
    summary="Adam that remembers the largest average of squares, so that its steps cannot grow again.",
    formula=f"{MOMENTS} ;  u ← max(u, v) ;  w ← w − η · m/(1−β₁ᵗ) / (√(u/(1−β₂ᵗ)) + ε)",
    paper=REDDI,
    torch=Departure("the same, bit for bit on CPU, as Adam(amsgrad=True)", {}),
    keras=Departure("ε = 1e-7 is added to √u before its correction", {"eps": 1e-7, "eps_at": "raw"}),
    keras_decouples=True,
    optax=Departure("u is the largest of the corrected averages"),
)


@dataclass(frozen=True)
class Adamax(Rule):
    """m ← β₁m + (1−β₁)g ;  u ← max(β₂u, |g| + ε) ;  w ← w − η/(1−β₁ᵗ) · m/u

    With eps_at="outside": u ← max(β₂u, |g|) ;  w ← w − η/(1−β₁ᵗ) · m/(u + ε).
    """

    lr: float = rate(2e-3)
    b1: float = number(0.9, "β₁", "share of m, the average of g, kept each step", low=0, below=1)
    b2: float = number(0.999, "β₂", "share of u, the largest |g|, kept each step", low=0, below=1)
    eps: float = number(1e-8, "ε", "keeps the divisor from zero", low=0)
    eps_at: str = choice("inside", "inside", "outside", meaning="whether ε is added to |g| in u, or to u as it is used")
    weight_decay: float = coupled_decay()
    state = ("m", "u")

    def coefficients(self, t: int) -> dict[str, float]:
        inside = self.eps_at == "inside"
        return {
            "decay": self.weight_decay,
            "w1": 1 - self.b1,
            "b2": self.b2,
            "eps": self.eps if inside else 0.0,
            "eps_outside": 0.0 if inside else self.eps,
            "step": -(self.lr / (1 - self.b1**t)),
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        g = add_scaled(g, w, c.decay)
        m = lerp(s.m, g, c.w1)
        u = torch.maximum(s.u * c.b2, shift(g.abs(), c.eps))
        return add_quotient(w, m, shift(u, c.eps_outside), c.step), (m, u)


adamax = Entry(
    name="adamax",
    title="AdaMax",
    rule=Adamax,
    centre=1e-3,
    summary="Adam that divides by the largest recent gradient instead of by a root of squares.",
    formula="m ← β₁m + (1−β₁)g ;  u ← max(β₂u, |g| + ε) ;  w ← w − η/(1−β₁ᵗ) · m/u",
    paper=KINGMA,
    torch=SAME_BITS,
    keras=Departure("ε = 1e-7 is added to u as it is used; its η is 0.001", {"eps": 1e-7, "eps_at": "outside"}),
    keras_decouples=True,
    optax=SAME,
)


@dataclass(frozen=True)
class NAdam(Rule):
    """m and v as in Adam ;  w ← w − η · (μ₊m/(1 − Πμ·μ₊) + (1−μ)g/(1 − Πμ)) / (√(v/(1−β₂ᵗ)) + ε)

    μ = β₁(1 − ½·0.96^(tψ)), μ₊ is that of the next step, and Πμ the product of all so far.
    """

    lr: float = rate(2e-3)
    b1: float = number(0.9, "β₁", "share of m, the average of g, kept each step", low=0, below=1)
    b2: float = number(0.999, "β₂", "share of v, the average of g², kept each step", low=0, below=1)
    eps: float = number(1e-8, "ε", "added to the root", low=0)
    psi: float = number(4e-3, "ψ", "how fast the momentum μ rises from β₁/2 to β₁", low=0)
    weight_decay: float = coupled_decay()
    state = ("m", "v")
    carry: ClassVar[Mapping[str, float]] = {"product": 1.0}

    def advance(self, t: int, carry: dict[str, float]) -> dict[str, float]:
        mu, following = (self.b1 * (1 - 0.5 * 0.96 ** (k * self.psi)) for k in (t, t + 1))
        carry["product"] *= mu
        return {
            "decay": self.weight_decay,
            "w1": 1 - self.b1,
            "b2": self.b2,
            "w2": 1 - self.b2,
            "correction": 1 - self.b2**t,
            "eps": self.eps,
            "step_g": -self.lr * (1 - mu) / (1 - carry["product"]),
            "step_m": (-self.lr * following) / (1 - carry["product"] * following),
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        return _nadam_step(w, add_scaled(g, w, c.decay), s, c)


nadam = Entry(
    name="nadam",
    title="NAdam",
    rule=NAdam,
    centre=1e-3,
    summary="Adam that looks ahead as Nesterov's momentum does, with a momentum that warms up.",
    formula=f"{MOMENTS} ;  {NADAM}",
    paper=DOZAT,
    torch=Departure("the same; its Πμ is rounded to the default dtype at every step", {}),
    keras=Departure("ψ is 1 and ε 1e-7; its η is 0.001", {"psi": 1.0, "eps": 1e-7}),
    keras_decouples=True,
    optax=Departure("μ is constant, as for a very large ψ", {"psi": 1e6}),
)


@dataclass(frozen=True)
class NAdamW(NAdam):
    """w ← (1 − ηλ)w, then NAdam's step without any coupled decay"""

    weight_decay: float = decoupled_decay(1e-2)

    def advance(self, t: int, carry: dict[str, float]) -> dict[str, float]:
        return {**super().advance(t, carry), "keep": 1 - self.lr * self.weight_decay}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        return _nadam_step(w * c.keep, g, s, c)


nadamw = Entry(
    name="nadamw",
    title="NAdamW",
    rule=NAdamW,
    centre=1e-3,
    summary="NAdam with a weight decay that the adaptive scaling does not touch.",
    formula=f"w ← (1−ηλ)w ;  {MOMENTS} ;  {NADAM}",
    paper=DOZAT,
    torch=Departure("λ is 0; NAdam(decoupled_weight_decay=True)", {"weight_decay": 0.0}),
    keras=Departure(
        "ψ is 1 and ε 1e-7; its η is 0.001, and Nadam(weight_decay=0) is without decay",
        {"psi": 1.0, "eps": 1e-7, "weight_decay": 0.0},
    ),
    optax=Departure("μ is constant, as for a very large ψ, and λ 1e-4", {"psi": 1e6, "weight_decay": 1e-4}),
)


@dataclass(frozen=True)
class RAdam(Rule):
    """m and v as in Adam ;  w ← w − ηr · m/(1−β₁ᵗ) · √(1−β₂ᵗ)/(√v + ε) where ρ > ρ₀, else w ← w − η · m/(1−β₁ᵗ)

    ρ = ρ∞ − 2tβ₂ᵗ/(1−β₂ᵗ), ρ∞ = 2/(1−β₂) − 1, r = √((ρ−4)(ρ−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρ)): v has too few samples at first.
    """

    lr: float = rate(1e-3)
    b1: float = number(0.9, "β₁", "share of m, the average of g, kept each step", low=0, below=1)
    b2: float = number(0.999, "β₂", "share of v, the average of g², kept each step", low=0, below=1)
    eps: float = number(1e-8, "ε", "added to √v", low=0)
    threshold: float = number(5.0, "ρ₀", "samples ρ up to which v is left out", low=4)
    weight_decay: float = coupled_decay()
    state = ("m", "v")

    def coefficients(self, t: int) -> dict[str, float]:
        rectified = rectification(self.b2, t, self.threshold)
        adapts = rectified is not None
        return {
            "decay": self.weight_decay,
            "w1": 1 - self.b1,
            "b2": self.b2,
            "w2": 1 - self.b2,
            "first": 1 - self.b1**t,
            "lr": self.lr,
            "adapts": 1.0 if adapts else 0.0,  # at 0 the divisor below is 1, and so is the dividend
            "eps": self.eps if adapts else 1.0,
            "root": (1 - self.b2**t) ** 0.5 if adapts else 1.0,
            "rectified": 1.0 if rectified is None else rectified,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        return _radam_step(w, add_scaled(g, w, c.decay), s, c)


radam = Entry(
    name="radam",
    title="RAdam",
    rule=RAdam,
    summary="Adam that omits its second average while it rests on too few samples: a built-in warm-up.",
    formula=(f"{MOMENTS} ;  w ← w − ηr · m/(1−β₁ᵗ) · √(1−β₂ᵗ)/(√v + ε) where ρ > ρ₀, else w ← w − η · m/(1−β₁ᵗ)"),
    paper=LIU,
    torch=SAME_BITS,
    optax=Departure("ε is added to the corrected root"),
    authors=Departure("takes no step where ρ is below ρ₀, unless degenerated_to_sgd is set, and decouples its decay"),
)


@dataclass(frozen=True)
class RAdamW(RAdam):
    """w ← (1 − ηλ)w, then RAdam's step without any coupled decay"""

    weight_decay: float = decoupled_decay(1e-2)

    def coefficients(self, t: int) -> dict[str, float]:
        return {**super().coefficients(t), "keep": 1 - self.lr * self.weight_decay}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        return _radam_step(w * c.keep, g, s, c)


radamw = Entry(
    name="radamw",
    title="RAdamW",
    rule=RAdamW,
    summary="RAdam with a weight decay that the adaptive scaling does not touch.",
    formula=(
        f"w ← (1−ηλ)w ;  {MOMENTS} ;  w ← w − ηr · m/(1−β₁ᵗ) · √(1−β₂ᵗ)/(√v + ε) where ρ > ρ₀, "
        "else w ← w − η · m/(1−β₁ᵗ)"
    ),
    paper=LIU,
    torch=Departure("λ is 0; RAdam(decoupled_weight_decay=True)", {"weight_decay": 0.0}),
    optax=Departure("ε is added to the corrected root; as a chain with add_decayed_weights"),
)


# ---- what they share -------------------------------------------------------------------------------------------------


def rectification(b2: float, t: int, threshold: float) -> float | None:
    """r of RAdam: the share of the rate that v, from t gradients, is good for; None while ρ ≤ threshold."""
    most = 2 / (1 - b2) - 1
    rho = most - 2 * t * b2**t / (1 - b2**t)
    if rho <= threshold:
        return None
    return ((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho)) ** 0.5


def moments_of(g: Tensor, s: State, c: Scalars) -> tuple[Tensor, Tensor]:
    """The next m and v, from coefficients w1, b2 and w2."""
    return lerp(s.m, g, c.w1), add_product(s.v * c.b2, g, g, c.w2)


def _adam_step(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
    m, v = moments_of(g, s, c)
    return add_quotient(w, m, shift(v.sqrt() / c.root, c.eps), c.step), (m, v)


def _nadam_step(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
    m, v = moments_of(g, s, c)
    root = shift((v / c.correction).sqrt(), c.eps)
    return add_quotient(add_quotient(w, g, root, c.step_g), m, root, c.step_m), (m, v)


def _radam_step(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
    m, v = moments_of(g, s, c)
    scaled = shift(scale(v.sqrt(), c.adapts), c.eps).reciprocal() * c.root  # so torch divides a float by a tensor
    return w - m / c.first * c.lr * scaled * c.rectified, (m, v)


ROWS = (adam, adam_printed, adamw, amsgrad, adamax, nadam, nadamw, radam, radamw)
