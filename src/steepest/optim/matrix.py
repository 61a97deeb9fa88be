"""Rules for matrices. A parameter with two or more axes is reshaped to a matrix, its first axis by all others. Other
parameters, such as biases, are updated by a fallback rule at the rate ρη.

Periodic work is in a second function, `renew`. The coefficient of that name, computed on the host, decides in which
steps it is called.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import torch
from torch import Tensor

from steepest.optim.adam import AdamW
from steepest.optim.adaptive import AdaGrad
from steepest.optim.entry import Departure, Entry, Paper
from steepest.optim.rule import (
    Rule,
    Scalar,
    Scalars,
    State,
    Updated,
    add_product,
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
    state_record,
)
from steepest.records.contender import Setting

JORDAN = Paper("K. Jordan et al.", "Muon: An optimizer for hidden layers in neural networks", 2024)
LIU = Paper("J. Liu et al.", "Muon is Scalable for LLM Training", 2025, "2502.16982")
GUPTA = Paper(
    "V. Gupta, T. Koren, Y. Singer", "Shampoo: Preconditioned Stochastic Tensor Optimization", 2018, "1802.09568"
)
VYAS = Paper("N. Vyas et al.", "SOAP: Improving and Stabilizing Shampoo using Adam", 2024, "2409.11321")
MUON = (
    "m ← μm + (1−μ)g ;  w ← (1−ηλ)w − {scale} · U, U ≈ (uuᵀ)^(−1/2)u, u = (1−μ)g + μm ;  "
    "not a hidden matrix: m ← β₁m + (1−β₁)g ;  v ← β₂v + (1−β₂)g² ;  w ← (1−ρηλ)w − ρη · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)"
)

PREFIX = "fallback_"
"""Prefix of the fallback's coefficients among those of the rule."""

LR_SHARE = "rate of the parameters that the fallback updates, as a share of η"
SCALE_BY = "σ: as large as AdamW's usual step, or by the matrix' shape"
APPLIES_TO = "which matrices the rule updates itself; the fallback updates the rest"


class MatrixRule(Rule):
    """Base of the rules for matrices: every parameter is updated by the rule itself or by its fallback."""

    scope = "matrix"
    fallback: ClassVar[type[Rule]]  # type: ignore[assignment]
    """The rule for parameters that are not matrices. The two share state tensors of the same name."""

    def of_matrices(self, t: int) -> Mapping[str, float]:
        """The coefficients for matrices, at step t."""
        raise NotImplementedError

    def of_fallback(self) -> Rule:
        """The fallback with its hyperparameters."""
        raise NotImplementedError

    @staticmethod
    def matrix_shapes(m: int, n: int) -> Mapping[str, Sequence[int]]:
        """Shapes of the state of a matrix [m, n], by name."""
        raise NotImplementedError

    @staticmethod
    def update_matrix(w: Tensor, g: Tensor, s: State, c: Scalars) -> tuple[Tensor, dict[str, Tensor]]:
        """`update` for a matrix [m, n]; the new state by name."""
        raise NotImplementedError

    def coefficients(self, t: int) -> dict[str, float]:
        others = self.of_fallback().coefficients(t)
        return {**self.of_matrices(t), **{PREFIX + name: value for name, value in others.items()}}

    @classmethod
    def treats(cls, shape: Sequence[int]) -> bool:
        """Whether a parameter of this shape is one for the rule itself; the others go to the fallback."""
        return len(shape) >= 2

    @classmethod
    def form(cls, role: str, applies_to: str) -> type[Rule]:
        return _fallback_only(cls) if applies_to == "hidden" and role in ("embedding", "output") else cls

    @classmethod
    def shapes(cls, shape: torch.Size) -> dict[str, Sequence[int]]:  # type: ignore[override]
        if not cls.treats(shape):
            own: Mapping[str, Sequence[int]] = dict.fromkeys(cls.fallback.state, shape)
        else:
            own = cls.matrix_shapes(shape[0], shape[1:].numel())
        return {name: own.get(name, (0,)) for name in cls.state}

    @classmethod
    def update(cls, w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:  # type: ignore[override]
        if cls.treats(w.shape):
            new, changed = cls.update_matrix(w.flatten(1), g.flatten(1), s, c)
            return new.view_as(w), tuple(s._replace(**changed))
        names = [name for name in c._fields if name.startswith(PREFIX)]
        own = coefficient_record({name.removeprefix(PREFIX): getattr(c, name) for name in names})
        held = state_record(cls.fallback, [getattr(s, name) for name in cls.fallback.state])
        new, moved = cls.fallback.update(w, g, held, own)
        return new, tuple(s._replace(**dict(zip(cls.fallback.state, moved, strict=True))))


@cache
def _fallback_only(rule: type[MatrixRule]) -> type[MatrixRule]:
    """The rule for a parameter that its fallback updates, also if it is a matrix."""
    own = {"treats": classmethod(lambda cls, shape: False), "renew": staticmethod(Rule.renew)}
    return type(rule.__name__, (rule,), {"__module__": rule.__module__, **own})


# ---- Muon ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Muon(MatrixRule):
    """m ← μm + (1−μ)g ;  u ← (1−μ)g + μm ;  w ← (1 − ηλ)w − ησU, where U ≈ (uuᵀ)^(−1/2)u

    Five Newton–Schulz steps take u to U, with all singular values near 1. σ is 0.2√max(m, n), or √max(1, m/n) for
    scale_by="shape". Without `nesterov` u is m. AdamW with β₁, β₂, ε and λ updates the other parameters at the rate ρη:
    vectors, and, unless applies_to is "matrices", embeddings and the output layer.
    """

    lr: float = rate(1e-3)
    momentum: float = number(0.95, "μ", "share of m, the average of g, kept each step", low=0, below=1)
    nesterov: bool = choice(True, False, True, meaning="whether u looks one step ahead of m")
    scale_by: str = choice("rms", "rms", "shape", meaning=SCALE_BY)
    weight_decay: float = decoupled_decay(0.1)
    applies_to: str = choice("hidden", "hidden", "matrices", meaning=APPLIES_TO)
    share: float = number(1.0, "ρ", LR_SHARE, low=0)
    b1: float = number(0.9, "β₁", "of the fallback", low=0, below=1)
    b2: float = number(0.999, "β₂", "of the fallback", low=0, below=1)
    eps: float = number(1e-8, "ε", "of the fallback", low=0)
    fallback = AdamW
    state = ("m", "v")

    def of_matrices(self, t: int) -> dict[str, float]:
        return {
            "w1": 1 - self.momentum,
            "ahead": self.momentum if self.nesterov else 1.0,
            "keep": 1 - self.lr * self.weight_decay,
            "step": -self.lr,
            "by_rms": float(self.scale_by == "rms"),
            "by_shape": float(self.scale_by == "shape"),
        }

    def of_fallback(self) -> AdamW:
        return _adamw(self)

    @staticmethod
    def matrix_shapes(m: int, n: int) -> dict[str, Sequence[int]]:
        return {"m": (m, n)}

    @staticmethod
    def update_matrix(w: Tensor, g: Tensor, s: State, c: Scalars) -> tuple[Tensor, dict[str, Tensor]]:
        return _muon(w, g, s, c, g.dtype)


muon = Entry(
    name="muon",
    title="Muon",
    rule=Muon,
    centre=1e-2,
    summary="Momentum whose steps are made orthogonal, so that all directions of a matrix move alike.",
    formula=MUON.format(scale="0.2√max(m, n)·η"),
    paper=LIU,
    torch=Departure("accepts matrices only, uses another scale, and rounds to bfloat16: see muon-bfloat16"),
    keras=Departure(
        "the same, except that an output layer counts as hidden, and that ε is added to √v before its correction for "
        "parameters that are not matrices"
    ),
    optax=Departure(
        "contrib.muon corrects m for its start at zero; without nesterov and for applies_to=matrices it is the same"
    ),
)


@dataclass(frozen=True)
class MuonBfloat16(Muon):
    """Muon, with the Newton–Schulz steps rounded to bfloat16 as in PyTorch

    The rounding changes a step by about 1 %, so a fleet and a single run agree only to that precision.
    """

    @staticmethod
    def update_matrix(w: Tensor, g: Tensor, s: State, c: Scalars) -> tuple[Tensor, dict[str, Tensor]]:
        return _muon(w, g, s, c, torch.bfloat16)


muon_bfloat16 = Entry(
    name="muon-bfloat16",
    title="Muon (as in PyTorch)",
    rule=MuonBfloat16,
    settings={"scale_by": "shape"},
    centre=1e-2,
    summary="Muon with PyTorch's scale and rounding; AdamW updates the other parameters, which PyTorch refuses.",
    formula=MUON.format(scale="√max(1, m/n)·η"),
    paper=JORDAN,
    torch=Departure("refuses parameters without exactly two axes; for a matrix the same, bit for bit on CPU"),
    keras=Departure("keeps a velocity v ← μv + g instead of the average"),
    optax=Departure("contrib.muon corrects m for its start at zero and uses the scale of (in, out) matrices"),
)


def _muon(w: Tensor, g: Tensor, s: State, c: Scalars, precision: torch.dtype) -> tuple[Tensor, dict[str, Tensor]]:
    m = lerp(s.m, g, c.w1)
    u = lerp(g, m, c.ahead)
    step = orthogonal(u.to(precision)).to(w.dtype)
    return add_scaled(w * c.keep, step, c.step * scale_of_step(w, c)), {"m": m}


def scale_of_step(w: Tensor, c: Scalars) -> Scalar:
    """σ of Muon for a matrix [m, n]."""
    rows, columns = w.shape
    return c.by_rms * (0.2 * math.sqrt(max(rows, columns))) + c.by_shape * math.sqrt(max(1, rows / columns))


def orthogonal(x: Tensor) -> Tensor:
    """About UVᵀ for x = UΣVᵀ [m, n]: singular values between 0.7 and 1.2 by five steps of a quintic Newton–Schulz.

    p(σ) = 3.4445σ − 4.7750σ³ + 2.0315σ⁵, with the steepest slope at zero (Jordan et al., 2024).
    """
    wide = x.shape[0] <= x.shape[1]
    x = x if wide else x.mT
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(5):  # fused sums, which round once, as in torch.optim.Muon
        gram = x @ x.mT
        powers = torch.addmm(gram, gram, gram, beta=-4.7750, alpha=2.0315)
        x = torch.addmm(x, powers, x, beta=3.4445)
    return x if wide else x.mT


def _adamw(h: Muon | SOAP, **settings: Setting) -> AdamW:
    """The fallback AdamW with the hyperparameters of its rule."""
    own = {"b1": h.b1, "b2": h.b2, "eps": h.eps, "weight_decay": h.weight_decay}
    return at_rate(AdamW, {**hyperparameters(AdamW), **own, **settings}, h.share * h.lr)


# ---- Shampoo and SOAP ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shampoo(MatrixRule):
    """L ← L + ggᵀ ;  R ← R + gᵀg ;  m ← βm + L^(−1/4) g R^(−1/4) ;  w ← w − ηm ;  L and R start at εI

    The roots are computed in each of the first 2k steps, in every second of the next k, in every third of the next, and
    so on until every k-th: those of step 1 know one gradient, and lengthen the steps that follow in every other
    direction. A side longer than 1024 is left out, and the other one then takes the power −1/2, so that a step still
    does not depend on the scale of the gradients. AdaGrad updates the parameters without a side to treat, at ρη.
    """

    lr: float = rate(1e-2)
    momentum: float = number(0.0, "β", "share of the velocity m kept each step", low=0, below=1)
    eps: float = number(1e-4, "ε", "where the diagonals of L and R start, and AdaGrad's sum", above=0)
    every: float = number(1.0, "k", "steps between two computations of the roots, fewer before step k²", low=1)
    applies_to: str = choice("matrices", "hidden", "matrices", meaning=APPLIES_TO)
    share: float = number(1.0, "ρ", LR_SHARE, low=0)
    fallback = AdaGrad
    state = ("m", "L", "R", "A", "B", "G")

    def of_matrices(self, t: int) -> dict[str, float]:
        return {
            "start": self.eps if t == 1 else 0.0,
            "eps": self.eps,
            "momentum": self.momentum,
            "step": -self.lr,
            "renew": float(is_early_or_due(t, self.every)),
        }

    @classmethod
    def treats(cls, shape: Sequence[int]) -> bool:
        return len(shape) >= 2 and min(shape[0], math.prod(shape[1:])) <= LARGEST

    def of_fallback(self) -> AdaGrad:
        own = {"eps": 0.0, "eps_root": self.eps}
        return at_rate(AdaGrad, {**hyperparameters(AdaGrad), **own}, self.share * self.lr)

    @staticmethod
    def matrix_shapes(m: int, n: int) -> dict[str, Sequence[int]]:
        a, b = square(m), square(n)
        return {"m": (m, n), "L": a, "R": b, "A": a, "B": b}

    @staticmethod
    def renew(w: Tensor, g: Tensor, s: State, c: Scalars) -> dict[str, Tensor]:
        if not Shampoo.treats(w.shape):
            return {}
        L, R = _sums(g.flatten(1), s, c)
        exponent = -0.25 if len(L) and len(R) else -0.5
        return {"A": _power(L, exponent, c.eps), "B": _power(R, exponent, c.eps)}

    @staticmethod
    def update_matrix(w: Tensor, g: Tensor, s: State, c: Scalars) -> tuple[Tensor, dict[str, Tensor]]:
        L, R = _sums(g, s, c)
        m = s.m * c.momentum + right(left(s.A, g), s.B)
        return add_scaled(w, m, c.step), {"m": m, "L": L, "R": R}


shampoo = Entry(
    name="shampoo",
    title="Shampoo",
    rule=Shampoo,
    settings={"every": 10.0},
    summary="AdaGrad for matrices: divides by fourth roots of the sums of ggᵀ on the left and gᵀg on the right.",
    formula=(
        "L ← L + ggᵀ, R ← R + gᵀg, from εI ;  every k steps, earlier more often, A ← L^(−1/4), B ← R^(−1/4) ;  "
        "m ← AgB ;  w ← w − ηm ;  "
        "not a matrix: G ← G + g² ;  w ← w − ρη · g/√(G + ε)"
    ),
    paper=GUPTA,
)


@dataclass(frozen=True)
class SOAP(MatrixRule):
    """ĝ = Q_Lᵀ g Q_R ;  m ← β₁m + (1−β₁)ĝ ;  v ← β₂v + (1−β₂)ĝ² ;
    w ← (1−ηλ)w − η/(1−β₁ᵗ) · Q_L (m / ((√v + ε)/√(1−β₂ᵗ))) Q_Rᵀ ;  L ← β_sL + (1−β_s)ggᵀ ;  R ← β_sR + (1−β_s)gᵀg

    Adam in a basis that turns with Shampoo's: Q_L and Q_R start at I and are renewed before the second step and then
    every k steps, each by one power iteration and a QR decomposition, with m rotated along. AdamW with the same
    β₁, β₂, ε and λ updates the other parameters at the rate ρη.
    """

    lr: float = rate(3e-3)
    b1: float = number(0.95, "β₁", "share of m, the average of ĝ, kept each step", low=0, below=1)
    b2: float = number(0.95, "β₂", "share of v, the average of ĝ², kept each step", low=0, below=1)
    eps: float = number(1e-8, "ε", "added to √v, before its correction", low=0)
    b_basis: float = number(0.95, "β_s", "share of L and R kept each step", low=0, below=1)
    every: float = number(10.0, "k", "steps between two renewals of the basis", low=1)
    weight_decay: float = decoupled_decay(0.01)
    applies_to: str = choice("matrices", "hidden", "matrices", meaning=APPLIES_TO)
    share: float = number(1.0, "ρ", LR_SHARE, low=0)
    fallback = AdamW
    state = ("m", "v", "L", "R", "QL", "QR")

    def of_matrices(self, t: int) -> dict[str, float]:
        return {
            "first": float(t == 1),
            "keep": 1 - self.lr * self.weight_decay,
            "w1": 1 - self.b1,
            "b2": self.b2,
            "w2": 1 - self.b2,
            "eps": self.eps,
            "step": -self.lr * (1 - self.b2**t) ** 0.5 / (1 - self.b1**t),
            "ws": 1 - self.b_basis,
            "renew": float(t == 2 or (t > 1 and (t - 1) % self.every == 0)),
        }

    def of_fallback(self) -> AdamW:
        return _adamw(self, eps_at="raw")

    @staticmethod
    def matrix_shapes(m: int, n: int) -> dict[str, Sequence[int]]:
        a, b = square(m), square(n)
        return {"m": (m, n), "v": (m, n), "L": a, "R": b, "QL": a, "QR": b}

    @staticmethod
    def renew(w: Tensor, g: Tensor, s: State, c: Scalars) -> dict[str, Tensor]:
        if w.ndim < 2:
            return {}
        m = right(left(s.QL, s.m), s.QR.mT)
        QL, QR = _turned(s.L, s.QL), _turned(s.R, s.QR)
        return {"m": right(left(QL.mT, m), QR), "QL": QL, "QR": QR}

    @staticmethod
    def update_matrix(w: Tensor, g: Tensor, s: State, c: Scalars) -> tuple[Tensor, dict[str, Tensor]]:
        QL, QR = _from_identity(s.QL, c.first), _from_identity(s.QR, c.first)
        turned = right(left(QL.mT, g), QR)
        m = lerp(s.m, turned, c.w1)
        v = add_product(s.v * c.b2, turned, turned, c.w2)
        step = right(left(QL, m / shift(v.sqrt(), c.eps)), QR.mT)
        L, R = side_averages(g, s, c.ws)
        return add_scaled(w * c.keep, step, c.step), {"m": m, "v": v, "L": L, "R": R, "QL": QL, "QR": QR}


soap = Entry(
    name="soap",
    title="SOAP",
    rule=SOAP,
    summary="Adam in the slowly turning basis in which Shampoo's two matrices are diagonal.",
    formula=(
        "ĝ = QLᵀ g QR ;  m ← β₁m + (1−β₁)ĝ ;  v ← β₂v + (1−β₂)ĝ² ;  "
        "w ← (1−ηλ)w − η/(1−β₁ᵗ) · QL (m / ((√v + ε)/√(1−β₂ᵗ))) QRᵀ ;  L ← β_sL + (1−β_s)ggᵀ ;  "
        "R ← β_sR + (1−β_s)gᵀg ;  every k steps QL ← qr(L·QL), QR ← qr(R·QR) ;  not a matrix: Adam's at ρη"
    ),
    paper=VYAS,
    torch=Departure("has none; the authors' code takes no step at t = 1, and sorts the basis"),
)


# ---- the two sides of a matrix ---------------------------------------------------------------------------------------

LARGEST = 1024
"""A longer side is not preconditioned, since its square matrix would need too much memory. That matrix is empty."""
RIDGE = 1e-4
"""Share of the mean eigenvalue, added to all: rounding errors must not rotate a basis where no gradient occurred."""


def is_early_or_due(t: int, every: float) -> bool:
    """Whether Shampoo's roots are due at step t: in each of the first 2k steps, ever less often until every k-th."""
    return (t - 1) % min(every, max(1, (t - 1) // every)) == 0


def square(side: int) -> tuple[int, int]:
    return (side, side) if side <= LARGEST else (0, 0)


def side_averages(g: Tensor, s: State, share: Scalar) -> tuple[Tensor, Tensor]:
    """The averages L of ggᵀ and R of gᵀg with this gradient, which has the given share; an empty side stays empty."""
    L = lerp(s.L, g @ g.mT, share) if len(s.L) else s.L
    R = lerp(s.R, g.mT @ g, share) if len(s.R) else s.R
    return L, R


def left(side: Tensor, g: Tensor) -> Tensor:
    """side · g; an empty side is the identity."""
    return side @ g if len(side) else g


def right(g: Tensor, side: Tensor) -> Tensor:
    """g · side; an empty side is the identity."""
    return g @ side if len(side) else g


def _from_identity(side: Tensor, first: Scalar) -> Tensor:
    return add_scaled(side, _identity(side), first)


def _identity(side: Tensor) -> Tensor:
    return torch.eye(len(side), dtype=side.dtype, device=side.device)


def _sums(g: Tensor, s: State, c: Scalars) -> tuple[Tensor, Tensor]:
    """Shampoo's L and R, updated with this gradient."""
    L = _from_identity(s.L, c.start) + g @ g.mT if len(s.L) else s.L
    R = _from_identity(s.R, c.start) + g.mT @ g if len(s.R) else s.R
    return L, R


def _power(side: Tensor, exponent: float, least: Scalar) -> Tensor:
    """side^exponent, with eigenvalues of at least `least`. A diverged replica must not stop the others."""
    values, vectors = torch.linalg.eigh(torch.nan_to_num(side, nan=0.0, posinf=0.0, neginf=0.0))
    values = torch.maximum(values, torch.zeros_like(values) + least)
    return (vectors * values.pow(exponent)) @ vectors.mT


def _turned(side: Tensor, basis: Tensor) -> Tensor:
    """One power iteration from `basis` towards the eigenvectors of `side`."""
    if not len(side):
        return basis
    mean = side.diagonal().mean()
    return torch.linalg.qr((side + RIDGE * mean * _identity(side)) @ basis).Q


ROWS = (muon, muon_bfloat16, shampoo, soap)
