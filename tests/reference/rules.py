"""The rules once more, slow and obvious: NumPy, float64, one statement per line of the paper, nothing clever.

Each function follows its source and is named after it; `REFERENCE` says which one a rule of the catalogue must equal.
All take a `gradient(t, w)`, the first weights and the rate of every step, and return the weights after each, [T, P].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from reference import adam as kin
from reference import matrix, modelwide, moments, signs, successors, twice

Gradient = Callable[[int, np.ndarray], np.ndarray]


def gradient_descent(gradient: Gradient, w: np.ndarray, rates: Sequence[float], *, weight_decay: float) -> np.ndarray:
    """The article: w ← w − η g. The penalty λ/2·|w|² adds λw to the gradient."""
    path = []
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, w) + weight_decay * w
        w = w - eta * g
        path.append(w)
    return np.array(path)


def heavy_ball(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    momentum: float,
    dampening: float,
    rate_at: str,
    weight_decay: float,
) -> np.ndarray:
    """torch.optim.SGD's manual page ("step"), and Keras' ("buffer": velocity = momentum·velocity − rate·g)."""
    path = []
    v = None
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, w) + weight_decay * w
        if rate_at == "buffer":
            g = eta * g
        v = g if v is None else momentum * v + (1 - dampening) * g
        w = w - v if rate_at == "buffer" else w - eta * v
        path.append(w)
    return np.array(path)


def nesterov(
    gradient: Gradient, w: np.ndarray, rates: Sequence[float], *, momentum: float, rate_at: str, weight_decay: float
) -> np.ndarray:
    """Sutskever et al. 2013, equations 3 and 4: the gradient is taken at a point ahead of θ.

    v ← μv − η∇f(θ + μv) ; θ ← θ + v. What libraries call the weights is that point, w = θ + μv. Theirs is the "buffer"
    form; for "step" the velocity is kept free of the rate, as in torch, so that the point moves by the newest rate.
    """
    path = []
    v = np.zeros_like(w)
    if rate_at == "buffer":
        theta = w
        for t, eta in enumerate(rates, start=1):
            ahead = theta + momentum * v
            v = momentum * v - eta * (gradient(t, ahead) + weight_decay * ahead)
            theta = theta + v
            path.append(theta + momentum * v)
        return np.array(path)
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, w) + weight_decay * w
        v = momentum * v + g
        w = w - eta * (g + momentum * v)
        path.append(w)
    return np.array(path)


def averaged_momentum(
    gradient: Gradient, w: np.ndarray, rates: Sequence[float], *, b1: float, weight_decay: float
) -> np.ndarray:
    """The article: v ← β v + (1−β) g ; w ← w − η v."""
    path = []
    v = np.zeros_like(w)
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, w) + weight_decay * w
        v = b1 * v + (1 - b1) * g
        w = w - eta * v
        path.append(w)
    return np.array(path)


def adagrad(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    eps: float,
    eps_root: float,
    initial_sum: float,
    lr_decay: float,
    weight_decay: float,
) -> np.ndarray:
    """Duchi et al. 2011, the diagonal form, G = Σ g²; ε inside the root is the article's, outside it torch's."""
    path = []
    squares = [np.full_like(w, initial_sum)]
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, w) + weight_decay * w
        squares.append(g**2)
        G = sum(squares)
        w = w - eta / (1 + (t - 1) * lr_decay) / (np.sqrt(G + eps_root) + eps) * g
        path.append(w)
    return np.array(path)


def rmsprop(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b2: float,
    eps: float,
    eps_root: float,
    weight_decay: float,
) -> np.ndarray:
    """Tieleman and Hinton 2012: MeanSquare(w, t) = 0.9 MeanSquare(w, t−1) + 0.1 g²; ε inside as in the article."""
    path = []
    v = np.zeros_like(w)
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, w) + weight_decay * w
        v = b2 * v + (1 - b2) * g**2
        w = w - eta / (np.sqrt(v + eps_root) + eps) * g
        path.append(w)
    return np.array(path)


def rmsprop_graves(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b2: float,
    eps: float,
    eps_root: float,
    weight_decay: float,
    momentum: float,
    centred: bool,
    rate_at: str,
) -> np.ndarray:
    """Graves 2013, equations 38 to 41: n and g averaged, Δ ← μΔ − η ε/√(n − g² + …), θ ← θ + Δ. torch: η outside Δ."""
    path = []
    n = np.zeros_like(w)
    mean = np.zeros_like(w)
    delta = np.zeros_like(w)
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, w) + weight_decay * w
        n = b2 * n + (1 - b2) * g**2
        mean = b2 * mean + (1 - b2) * g
        spread = n - mean**2 if centred else n
        scaled = g / (np.sqrt(spread + eps_root) + eps)
        if rate_at == "buffer":
            delta = momentum * delta - eta * scaled
            w = w + delta
        else:
            delta = momentum * delta - scaled
            w = w + eta * delta
        path.append(w)
    return np.array(path)


def adam(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    b2: float,
    eps: float,
    correction: str,
    eps_at: str,
    weight_decay: float,
    decoupled: float = 0.0,
) -> np.ndarray:
    """Kingma and Ba 2015, Algorithm 1; "raw" is the order given at the end of their section 2, "printed" the article's.

    With `decoupled`, Loshchilov and Hutter 2019, Algorithm 2: −ηλθ stands beside Adam's step, both from the same θ.
    """
    path = []
    m = np.zeros_like(w)
    v = np.zeros_like(w)
    for t, alpha in enumerate(rates, start=1):
        g = gradient(t, w) + weight_decay * w
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat = m / (1 - b1**t)
        v_hat = v / (1 - b2**t)
        if correction == "printed":
            step = alpha / (np.sqrt(v) + eps) * m / np.sqrt(1 - b1**t)
        elif correction == "none":
            step = alpha * m / (np.sqrt(v) + eps)
        elif eps_at == "raw":
            step = alpha * np.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + eps)
        else:
            step = alpha * m_hat / (np.sqrt(v_hat) + eps)
        w = w - step - alpha * decoupled * w
        path.append(w)
    return np.array(path)


def adamw(
    gradient: Gradient, w: np.ndarray, rates: Sequence[float], *, weight_decay: float, **settings: Any
) -> np.ndarray:
    """Adam with its decay decoupled."""
    return adam(gradient, w, rates, weight_decay=0.0, decoupled=weight_decay, **settings)


REFERENCE: dict[str, Callable[..., np.ndarray]] = {
    "SGD": gradient_descent,
    "Momentum": heavy_ball,
    "Nesterov": nesterov,
    "AveragedMomentum": averaged_momentum,
    "AdaGrad": adagrad,
    "RMSProp": rmsprop,
    "RMSPropMomentum": rmsprop_graves,
    "Adam": adam,
    "AdamW": adamw,
    "ASGD": signs.averaged_sgd,
    "SignSGD": signs.sign_sgd,
    "Signum": signs.signum,
    "Lion": signs.lion,
    "Rprop": signs.rprop,
    "Adadelta": kin.adadelta,
    "AMSGrad": kin.amsgrad,
    "Adamax": kin.adamax,
    "NAdam": kin.nadam,
    "NAdamW": kin.nadamw,
    "RAdam": kin.radam,
    "RAdamW": kin.radamw,
    "AdaBelief": moments.adabelief,
    "Yogi": moments.yogi,
    "AdEMAMix": moments.ademamix,
    "Adan": moments.adan,
    "ADOPT": successors.adopt,
    "LaProp": successors.laprop,
    "AdamAtan2": successors.adam_atan2,
    "StableAdamW": successors.stable_adamw,
    "LARS": moments.lars,
    "LAMB": moments.lamb,
    "Adafactor": moments.adafactor,
    "MARSApprox": moments.mars_approximate,
    "MARS": twice.mars,
    "SophiaG": twice.sophia_g,
    **modelwide.REFERENCE,
    **matrix.REFERENCE,
}
