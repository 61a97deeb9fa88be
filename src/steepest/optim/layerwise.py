"""Rules that look at one parameter tensor as a whole, in order of rising complexity: ‖·‖ is its Euclidean norm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from steepest.optim.adam import AdamW, moments_of
from steepest.optim.entry import Departure, Entry, Paper
from steepest.optim.reductions import length
from steepest.optim.rule import (
    Rule,
    Scalars,
    State,
    Updated,
    add_product,
    add_quotient,
    add_scaled,
    at_rate,
    choice,
    coefficient_record,
    decoupled_decay,
    hyperparameters,
    lerp,
    number,
    rate,
    shift,
)
from steepest.records.contender import Setting

YOU = Paper("Y. You, I. Gitman, B. Ginsburg", "Large Batch Training of Convolutional Networks", 2017, "1708.03888")
YOU_LAMB = Paper(
    "Y. You et al.", "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes", 2020, "1904.00962"
)
SHAZEER = Paper(
    "N. Shazeer, M. Stern", "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", 2018, "1804.04235"
)
YUAN = Paper(
    "H. Yuan et al.", "MARS: Unleashing the Power of Variance Reduction for Training Large Models", 2024, "2411.10438"
)
WORTSMAN = Paper(
    "M. Wortsman et al.", "Stable and low-precision training for large-scale vision-language models", 2023, "2304.13013"
)


APPLIES_TO = "whether vectors, such as biases and parameters of norms, have a ratio and a decay too"
SHARE = "rate of the vectors without a ratio, as a share of η"
MARS_APPLIES_TO = "whether parameters without exactly two axes are corrected too"
MARS_SHARE = "rate of the parameters that AdamW updates, as a share of η"


class RatioRule(Rule):
    """Base of the rules whose step is scaled to the length of a tensor, except for vectors: unless applies_to is "all",
    they have no ratio and no decay.
    """

    scope = "tensor"
    is_flat = True

    @staticmethod
    def update_vector(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        """`update` without ratio and decay."""
        raise NotImplementedError

    @classmethod
    def form(cls, role: str, applies_to: str) -> type[Rule]:
        return _for_vectors(cls) if applies_to == "matrices" and role == "vector" else cls


@cache
def _for_vectors(rule: type[RatioRule]) -> type[RatioRule]:
    own = {"update": staticmethod(rule.update_vector)}
    return type(rule.__name__, (rule,), {"__module__": rule.__module__, **own})


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """a/b, or 1 where either is zero."""
    return torch.where((a > 0) & (b > 0), a / b, 1.0)


@dataclass(frozen=True)
class LARS(RatioRule):
    """r = ϑ‖w‖/(‖g‖ + λ‖w‖) ;  v ← μv + ηr(g + λw) ;  w ← w − v ;  r is 1 where either norm is zero

    Vectors, such as biases: v ← μv + ρηg ;  w ← w − v, unless applies_to is "all".
    """

    lr: float = rate(1.0)
    trust: float = number(1e-3, "ϑ", "share of its own length that a tensor may move by at η = 1", above=0)
    momentum: float = number(0.9, "μ", "share of the velocity v kept each step", low=0)
    weight_decay: float = number(0.0, "λ", "weight decay, which counts in the ratio", low=0)
    applies_to: str = choice("matrices", "all", "matrices", meaning=APPLIES_TO)
    share: float = number(1.0, "ρ", SHARE, low=0)
    state = ("v",)

    def coefficients(self, t: int) -> dict[str, float]:
        return {
            "decay": self.weight_decay,
            "trust": self.trust,
            "momentum": self.momentum,
            "rate": self.lr,
            "rate_vector": self.share * self.lr,
        }

    @staticmethod
    def update_vector(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        v = s.v * c.momentum + c.rate_vector * g
        return w - v, (v,)

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        size, slope = length(w), length(g)
        ratio = torch.where((size > 0) & (slope > 0), c.trust * size / (slope + c.decay * size), 1.0)
        v = s.v * c.momentum + ratio * c.rate * add_scaled(g, w, c.decay)
        return w - v, (v,)


lars = Entry(
    name="lars",
    title="LARS",
    rule=LARS,
    centre=1e1,
    summary="Momentum whose steps are scaled, layer by layer, to a share of the length of the weights.",
    formula="r = ϑ‖w‖/‖g‖, or ρ for a vector ;  v ← μv + ηrg ;  w ← w − v",
    paper=YOU,
    optax=Departure(
        "scales vectors too unless a mask excludes them; with decay the ratio has ‖g + λw‖ below", {"applies_to": "all"}
    ),
)


@dataclass(frozen=True)
class LAMB(RatioRule):
    """m and v as in Adam ;  u = m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε) + λw ;  w ← w − η · ‖w‖/‖u‖ · u

    The ratio is 1 where either norm is zero. Vectors, such as biases, have Adam's step at the rate ρη without ratio and
    decay, unless applies_to is "all".
    """

    lr: float = rate(1e-3)
    b1: float = number(0.9, "β₁", "share of m, the average of g, kept each step", low=0, below=1)
    b2: float = number(0.999, "β₂", "share of v, the average of g², kept each step", low=0, below=1)
    eps: float = number(1e-6, "ε", "added to the root", low=0)
    weight_decay: float = number(1e-2, "λ", "weight decay, which counts in the ratio", low=0)
    applies_to: str = choice("matrices", "all", "matrices", meaning=APPLIES_TO)
    share: float = number(1.0, "ρ", SHARE, low=0)
    state = ("m", "v")

    def coefficients(self, t: int) -> dict[str, float]:
        return {
            "decay": self.weight_decay,
            "w1": 1 - self.b1,
            "b2": self.b2,
            "w2": 1 - self.b2,
            "first": 1 - self.b1**t,
            "root": (1 - self.b2**t) ** 0.5,
            "eps": self.eps,
            "step": -self.lr,
            "step_vector": -self.share * self.lr,
        }

    @staticmethod
    def update_vector(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        m, v = moments_of(g, s, c)
        return add_scaled(w, m / c.first / shift(v.sqrt() / c.root, c.eps), c.step_vector), (m, v)

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        m, v = moments_of(g, s, c)
        u = add_scaled(m / c.first / shift(v.sqrt() / c.root, c.eps), w, c.decay)
        return add_scaled(w, u, c.step * _ratio(length(w), length(u))), (m, v)


lamb = Entry(
    name="lamb",
    title="LAMB",
    rule=LAMB,
    centre=1e-2,
    summary="AdamW whose steps are scaled, layer by layer, to the length of the weights.",
    formula=(
        "m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g² ;  u = m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε) + λw ;  "
        "w ← w − η · ‖w‖/‖u‖ · u ;  a vector: w ← w − ρη · (u − λw)"
    ),
    paper=YOU_LAMB,
    keras=Departure("scales vectors too; ε is 1e-7 and λ 0", {"applies_to": "all", "eps": 1e-7, "weight_decay": 0.0}),
    keras_decouples=True,
    optax=Departure("scales vectors too; λ is 0", {"applies_to": "all", "weight_decay": 0.0}),
    authors=Departure("corrects neither average, and takes as vectors what it is given by name (lamb_optimizer.py)"),
)


OTHERS = "others_"
"""Prefix of MARS' coefficients for parameters that are not matrices."""


def mars_coefficients(own: Mapping[str, float], others: AdamW | None, correct: float, t: int) -> dict[str, float]:
    """The coefficients of MARS: AdamW's `own` for matrices, and those of another AdamW, if any, for the rest."""
    own = {**own, "correct": correct, "clips": 1.0}
    theirs = {**others.coefficients(t), "correct": 0.0, "clips": 0.0} if others else own
    return {**own, **{OTHERS + name: theirs[name] for name in _OF_OTHERS}}


def adamw(lr: float, **settings: Setting) -> AdamW:
    """AdamW with these settings, not checked, for one step."""
    return at_rate(AdamW, {**hyperparameters(AdamW), **settings}, lr)


_OF_OTHERS = ("keep", "w1", "b2", "w2", "root", "eps", "step", "correct", "clips")


def of_parameter(w: Tensor, c: Scalars) -> Scalars:
    """MARS' coefficients for this parameter."""
    if w.ndim == 2:
        return c
    return coefficient_record({name: getattr(c, OTHERS + name) for name in _OF_OTHERS})


def mars_step(w: Tensor, corrected: Tensor, s: State, c: Scalars) -> tuple[Tensor, Tensor, Tensor]:
    """The weights, m and v after AdamW's step with the corrected gradient, clipped; the coefficients as above."""
    clipped = corrected / (1 + c.clips * (length(corrected) - 1).clamp(min=0.0))
    m = lerp(s.m, clipped, c.w1)
    v = add_product(s.v * c.b2, clipped, clipped, c.w2)
    return add_quotient(w * c.keep, m, shift(v.sqrt() / c.root, c.eps), c.step), m, v


@dataclass(frozen=True)
class MARSApprox(AdamW):
    """c = g + γβ₁/(1−β₁) · (g − p) ;  p ← g ;  c ← c/max(1, ‖c‖) ;  then AdamW with c in the place of g

    MARS wants p to be the last weights' gradient on *this* batch, at twice the cost; its authors' cheaper form, which
    this is, takes the gradient that it had. p starts at zero, as in their code. Parameters without exactly two axes,
    such as biases and kernels, get AdamW's step with settings of their own, unless applies_to is "all".
    """

    lr: float = rate(3e-3)
    b1: float = number(0.95, "β₁", "share of m, the average of c, kept each step", low=0, below=1)
    b2: float = number(0.99, "β₂", "share of v, the average of c², kept each step", low=0, below=1)
    gamma: float = number(0.025, "γ", "how far the change of the gradient corrects it", low=0)
    weight_decay: float = decoupled_decay()
    applies_to: str = choice("matrices", "all", "matrices", meaning=MARS_APPLIES_TO)
    share: float = number(1.0, "ρ", MARS_SHARE, low=0)
    b1_others: float = number(0.9, "β₁′", "β₁ of these parameters", low=0, below=1)
    b2_others: float = number(0.95, "β₂′", "β₂ of these parameters", low=0, below=1)
    decay_others: float = number(0.1, "κ", "decoupled weight decay of these parameters", low=0)
    scope = "tensor"
    state = ("p", "m", "v")

    def coefficients(self, t: int) -> dict[str, float]:
        correct = self.gamma * self.b1 / (1 - self.b1)
        return mars_coefficients(super().coefficients(t), _of_others(self), correct, t)

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        c = of_parameter(w, c)
        new, m, v = mars_step(w, add_scaled(g, g - s.p, c.correct), s, c)
        return new, (g.clone(), m, v)


def _of_others(h: MARSApprox) -> AdamW | None:
    if h.applies_to == "all":
        return None
    return adamw(h.share * h.lr, b1=h.b1_others, b2=h.b2_others, eps=h.eps, weight_decay=h.decay_others)


mars_approx = Entry(
    name="mars-approx",
    title="MARS (approximate)",
    rule=MARSApprox,
    summary="AdamW on gradients that are corrected by how they changed since the last batch.",
    formula=(
        "c = g + γβ₁/(1−β₁) · (g − p) ;  p ← g ;  c ← c/max(1, ‖c‖) ;  m ← β₁m + (1−β₁)c ;  "
        "v ← β₂v + (1−β₂)c² ;  w ← w − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε) ;  "
        "without two axes: AdamW with ρη, β₁′, β₂′ and κ"
    ),
    paper=YUAN,
    authors=Departure("the same with mars_type=mars-adamw; mars-lion and mars-shampoo are other rules", {}),
)


@dataclass(frozen=True)
class Adafactor(Rule):
    """β = 1 − t^(−κ) ;  r ← βr + (1−β)·mean of g² along rows ;  c ← βc + (1−β)·mean of g² along columns ;
    v = rc/mean(r) ;  u = g/√max(v, ε²) ;  w ← (1−ηλ)w − min(η, 1/√t) · max(ε₂, rms(w)) · u/max(1, rms(u)/d)

    That is for tensors of two axes or more, whose last two are factored; for others v ← βv + (1−β)g². rms(x) is ‖x‖/√n.
    With relative=False, max(ε₂, rms(w)) is left out.
    """

    lr: float = rate(1e-2)
    power: float = number(0.8, "κ", "power with which the average of squares lengthens", low=0)
    eps: float = number(2**-23, "ε", "keeps the root from zero; that of float32", above=0)
    eps2: float = number(1e-3, "ε₂", "lower bound of the size of w", low=0)
    clip: float = number(1.0, "d", "largest root mean square of u", low=1)
    relative: bool = choice(True, True, False, meaning="whether a step is in proportion to the size of w")
    weight_decay: float = decoupled_decay()
    scope = "tensor"
    state = ("r", "c", "v")

    @staticmethod
    def shapes(shape: torch.Size) -> dict[str, Sequence[int]]:
        if len(shape) < 2:
            return {"r": (0,), "c": (0,)}
        return {"r": (*shape[:-1], 1), "c": (*shape[:-2], 1, shape[-1]), "v": (0,)}

    def coefficients(self, t: int) -> dict[str, float]:
        return {
            "keep": 1 - self.lr * self.weight_decay,
            "take": t**-self.power,
            "rate": min(self.lr, t**-0.5),
            "eps": self.eps,
            "floor": self.eps**2,
            "eps2": self.eps2 if self.relative else 1.0,
            "relative": float(self.relative),
            "clip": self.clip,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        size = g.numel() ** 0.5
        step = (c.relative * length(w) / size).clamp(min=c.eps2) * c.rate
        r, columns, v = s.r, s.c, s.v
        if g.ndim > 1:
            r = lerp(r, (g * g).mean(dim=-1, keepdim=True), c.take)
            columns = lerp(columns, (g * g).mean(dim=-2, keepdim=True), c.take)
            estimate = (r @ columns) / r.mean(dim=-2, keepdim=True).clamp(min=c.eps)
        else:
            estimate = v = lerp(v, g * g, c.take)
        u = estimate.clamp(min=c.floor).rsqrt() * g
        excess = (length(u) / size / c.clip).clamp(min=1.0)
        return w * c.keep - step / excess * u, (r, columns, v)


adafactor = Entry(
    name="adafactor",
    title="Adafactor",
    rule=Adafactor,
    centre=1e-1,
    summary="Keeps only the row and column means of the squares of a matrix, and takes steps relative to its size.",
    formula=(
        "r ← βr + (1−β)·mean of g² along rows, β = 1 − t^(−κ) ;  c ← βc + (1−β)·mean of g² along columns ;  "
        "v = rc/mean(r), or v ← βv + (1−β)g² for a vector ;  u = g/√max(v, ε²) ;  "
        "w ← w − min(η, 1/√t) · max(ε₂, rms(w)) · u/max(1, rms(u)/d)"
    ),
    paper=SHAZEER,
    torch=Departure("the same up to rounding; its ε is that of the dtype", {}),
    keras=Departure("adds 1e-30 to g² instead of taking max(v, ε²)"),
    optax=Departure("adds 1e-30 to g², factors only axes of 128 or more, and does not bound η by 1/√t"),
)


@dataclass(frozen=True)
class StableAdamW(Rule):
    """m ← b₁m + (1−b₁)g ;  v ← b₂v + (1−b₂)g² ;  w ← (1 − sλ)w − s · m/(√v + ε), s = η/max(1, rms(g/max(√v, ε)))

    b = β(1 − βᵗ⁻¹)/(1 − βᵗ), so that the averages need no correction; rms is over one parameter tensor.
    """

    lr: float = rate(1e-3)
    b1: float = number(0.9, "β₁", "share of m, the average of g, kept each step", low=0, below=1)
    b2: float = number(0.99, "β₂", "share of v, the average of g², kept each step", low=0, below=1)
    eps: float = number(1e-6, "ε", "added to √v", above=0)
    weight_decay: float = decoupled_decay(1e-2)
    scope = "tensor"
    is_flat = True
    state = ("m", "v")

    def coefficients(self, t: int) -> dict[str, float]:
        b1, b2 = (b * (1 - b ** (t - 1)) / (1 - b**t) for b in (self.b1, self.b2))
        return {"w1": 1 - b1, "b2": b2, "w2": 1 - b2, "eps": self.eps, "lr": self.lr, "decay": self.weight_decay}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        m, v = moments_of(g, s, c)
        root = v.sqrt()
        rms = length(g / root.clamp(min=c.eps)) / length(torch.ones_like(g))
        step = rms.clamp(min=1.0).reciprocal() * c.lr  # so torch divides a float by a tensor
        return w * (1 - step * c.decay) - step * (m / shift(root, c.eps)), (m, v)


stable_adamw = Entry(
    name="stable-adamw",
    title="StableAdamW",
    rule=StableAdamW,
    summary="AdamW that shortens the step of a tensor where the gradient is large beside its average of squares.",
    formula=(
        "m ← b₁m + (1−b₁)g ;  v ← b₂v + (1−b₂)g², b = β(1−βᵗ⁻¹)/(1−βᵗ) for β₁ and β₂ ;  "
        "s = η/max(1, rms(g/max(√v, ε))) ;  w ← (1−sλ)w − s · m/(√v + ε)"
    ),
    paper=WORTSMAN,
)

ROWS = (lars, lamb, adafactor, mars_approx, stable_adamw)
