"""Rules that take a second gradient, once more: slow and obvious. See `rules.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from reference import problem
from reference.moments import adamw_of_others, pieces

Gradient = Callable[[int, np.ndarray], np.ndarray]


def sophia_g(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    b2: float,
    gamma: float,
    eps: float,
    every: float,
    weight_decay: float,
) -> np.ndarray:
    """Liu et al. 2024, Algorithm 3 with the estimator of Algorithm 2: B·ĝ⊙ĝ where t mod k = 1."""
    path = []
    m = np.zeros_like(w)
    h = np.zeros_like(w)
    k = round(every)
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, w)
        m = b1 * m + (1 - b1) * g
        if k == 1 or t % k == 1:
            estimate = problem.B * problem.sampled_gradient(t, w) ** 2
            h = b2 * h + (1 - b2) * estimate
        w = w - eta * weight_decay * w
        w = w - eta * np.clip(m / np.maximum(gamma * h, eps), -1, 1)
        path.append(w)
    return np.array(path)


def mars(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    b2: float,
    eps: float,
    gamma: float,
    weight_decay: float,
    applies_to: str,
    share: float,
    b1_others: float,
    b2_others: float,
    decay_others: float,
) -> np.ndarray:
    """Yuan et al. 2024, Algorithms 1 and 2: the difference of two gradients of one batch, x₀ = x₁."""
    path = []
    others = adamw_of_others(applies_to, share, b1_others, b2_others, eps, decay_others)
    m = np.zeros_like(w)
    v = np.zeros_like(w)
    before = w
    for t, eta in enumerate(rates, start=1):
        c = gradient(t, w) + gamma * b1 / (1 - b1) * (gradient(t, w) - gradient(t, before))
        for part, _ in pieces():
            c[part] = c[part] / max(1, np.linalg.norm(c[part]))
        m = b1 * m + (1 - b1) * c
        v = b2 * v + (1 - b2) * c**2
        before = w
        w = w - eta * weight_decay * w
        w = w - eta * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
        w = others(t, eta, gradient(t, before), before, w)
        path.append(w)
    return np.array(path)


def sharpness_aware_sgd(gradient: Gradient, w: np.ndarray, rates: Sequence[float], *, radius: float) -> np.ndarray:
    """Foret et al. 2021, Algorithm 1, with the Euclidean norm (p = 2)."""
    path = []
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, w)
        w = w - eta * gradient(t, w + radius * g / np.linalg.norm(g))
        path.append(w)
    return np.array(path)
