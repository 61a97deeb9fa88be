"""Rules that look at one parameter tensor as a whole, in order of rising complexity: ‖·‖ is its Euclidean norm."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    decoupled_decay,
    lerp,
    number,
    rate,
    shift,
)

YOU = Paper("Y. You, I. Gitman, B. Ginsburg", "Large Batch Training of Convolutional Networks", 2017)
YOU_LAMB = Paper("Y. You et al.", "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes", 2020)
SHAZEER = Paper("N. Shazeer, M. Stern", "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", 2018)
YUAN = Paper("H. Yuan et al.", "MARS: Unleashing the Power of Variance Reduction for Training Large Models", 2024)
WORTSMAN = Paper("M. Wortsman et al.", "Stable and low-precision training for large-scale vision-language models", 2023)


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """a/b, or 1 where either is zero."""
    return torch.where((a > 0) & (b > 0), a / b, 1.0)


@dataclass(frozen=True)
class LARS(Rule):
    """r = ϑ‖w‖/(‖g‖ + λ‖w‖) ;  v ← μv + ηr(g + λw) ;  w ← w − v ;  r is 1 where either norm is zero"""

    lr: float = rate(1.0)
    trust: float = number(1e-3, "ϑ", "share of its own length that a tensor may move by at η = 1", above=0)
    momentum: float = number(0.9, "μ", "share of the velocity v kept each step", low=0)
    weight_decay: float = number(0.0, "λ", "weight decay, which counts in the ratio", low=0)
    scope = "tensor"
    is_flat = True
    state = ("v",)

    def coefficients(self, t: int) -> dict[str, float]:
        return {"decay": self.weight_decay, "trust": self.trust, "momentum": self.momentum, "rate": self.lr}

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
    formula="r = ϑ‖w‖/‖g‖ ;  v ← μv + ηrg ;  w ← w − v",
    paper=YOU,
    optax=Departure("the same without decay; with it the ratio has ‖g + λw‖ below", {}),
)


@dataclass(frozen=True)
class LAMB(Rule):
    """m and v as in Adam ;  u = m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε) + λw ;  w ← w − η · ‖w‖/‖u‖ · u

    The ratio is 1 where either norm is zero.
    """

    lr: float = rate(1e-3)
    b1: float = number(0.9, "β₁", "share of m, the average of g, kept each step", low=0, below=1)
    b2: float = number(0.999, "β₂", "share of v, the average of g², kept each step", low=0, below=1)
    eps: float = number(1e-6, "ε", "added to the root", low=0)
    weight_decay: float = number(1e-2, "λ", "weight decay, which counts in the ratio", low=0)
    scope = "tensor"
    is_flat = True
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
        }

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
        "m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g² ;  u = m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε) + λw ;  w ← w − η · ‖w‖/‖u‖ · u"
    ),
    paper=YOU_LAMB,
    keras=Departure("ε is 1e-7 and λ 0", {"eps": 1e-7, "weight_decay": 0.0}),
    keras_decouples=True,
    optax=Departure("λ is 0", {"weight_decay": 0.0}),
)


@dataclass(frozen=True)
class MARSApprox(AdamW):
    """c = g + γβ₁/(1−β₁) · (g − p) ;  p ← g ;  c ← c/max(1, ‖c‖) ;  then AdamW with c in the place of g

    MARS wants p to be the last weights' gradient on *this* batch, at twice the cost; its authors' cheaper form, which
    this is, takes the gradient that it had. p starts at zero, as in their code.
    """

    lr: float = rate(3e-3)
    b1: float = number(0.95, "β₁", "share of m, the average of c, kept each step", low=0, below=1)
    b2: float = number(0.99, "β₂", "share of v, the average of c², kept each step", low=0, below=1)
    gamma: float = number(0.025, "γ", "how far the change of the gradient corrects it", low=0)
    weight_decay: float = decoupled_decay()
    scope = "tensor"
    is_flat = True
    state = ("p", "m", "v")

    def coefficients(self, t: int) -> dict[str, float]:
        return {**super().coefficients(t), "correct": self.gamma * self.b1 / (1 - self.b1)}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        corrected = add_scaled(g, g - s.p, c.correct)
        corrected = corrected / length(corrected).clamp(min=1.0)
        m = lerp(s.m, corrected, c.w1)
        v = add_product(s.v * c.b2, corrected, corrected, c.w2)
        return add_quotient(w * c.keep, m, shift(v.sqrt() / c.root, c.eps), c.step), (g.clone(), m, v)


mars_approx = Entry(
    name="mars-approx",
    title="MARS (approximate)",
    rule=MARSApprox,
    summary="AdamW on gradients that are corrected by how they changed since the last batch.",
    formula=(
        "c = g + γβ₁/(1−β₁) · (g − p) ;  p ← g ;  c ← c/max(1, ‖c‖) ;  m ← β₁m + (1−β₁)c ;  "
        "v ← β₂v + (1−β₂)c² ;  w ← w − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)"
    ),
    paper=YUAN,
)


@dataclass(frozen=True)
class Adafactor(Rule):
    """β = 1 − t^(−κ) ;  r ← βr + (1−β)·mean of g² along rows ;  c ← βc + (1−β)·mean of g² along columns ;
    v = rc/mean(r) ;  u = g/√max(v, ε²) ;  w ← (1−ηλ)w − min(η, 1/√t) · max(ε₂, rms(w)) · u/max(1, rms(u)/d)

    That is for tensors of two axes or more, whose last two are factored; for others v ← βv + (1−β)g². rms(x) is ‖x‖/√n.
    """

    lr: float = rate(1e-2)
    power: float = number(0.8, "κ", "power with which the average of squares lengthens", low=0)
    eps: float = number(2**-23, "ε", "keeps the root from zero; that of float32", above=0)
    eps2: float = number(1e-3, "ε₂", "lower bound of the size of w", low=0)
    clip: float = number(1.0, "d", "largest root mean square of u", low=1)
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
            "eps2": self.eps2,
            "clip": self.clip,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        size = g.numel() ** 0.5
        step = (length(w) / size).clamp(min=c.eps2) * c.rate
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
