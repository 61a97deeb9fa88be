"""What came of Adam, once more: slow and obvious. See `rules.py`."""

from collections.abc import Callable, Sequence

import numpy as np
from reference.moments import pieces

Gradient = Callable[[int, np.ndarray], np.ndarray]


def adopt(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    b2: float,
    eps: float,
    power: float,
    weight_decay: float,
) -> np.ndarray:
    """Taniguchi et al. 2024, Algorithm 2, whose steps begin at the second gradient."""
    path = []
    m, v = np.zeros_like(w), None
    for t, alpha in enumerate(rates, start=1):
        g = gradient(t, w)
        if v is None:
            v = g**2
        else:
            c = (t - 1) ** power
            m = b1 * m + (1 - b1) * np.clip(g / np.maximum(np.sqrt(v), eps), -c, c)
            w = w - alpha * weight_decay * w - alpha * m
            v = b2 * v + (1 - b2) * g**2
        path.append(w)
    return np.array(path)


def laprop(
    gradient: Gradient, w: np.ndarray, rates: Sequence[float], *, b1: float, b2: float, eps: float, weight_decay: float
) -> np.ndarray:
    """Ziyin et al. 2020, with the average of the rates and the decay after the step that their code has."""
    path = []
    m, v, average = np.zeros_like(w), np.zeros_like(w), 0.0
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, w)
        v = b2 * v + (1 - b2) * g**2
        m = b1 * m + (1 - b1) * eta * g / ((np.sqrt(v) + eps) / np.sqrt(1 - b2**t))
        average = b1 * average + (1 - b1) * eta
        w = w - m * eta / average
        w = w - eta * weight_decay * w
        path.append(w)
    return np.array(path)


def adam_atan2(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    b2: float,
    length: float,
    bend: float,
    weight_decay: float,
) -> np.ndarray:
    """Everett et al. 2024, section on ε: a·atan2(m̂, b√v̂)."""
    path = []
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, w)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        u = length * np.arctan2(m / (1 - b1**t), bend * np.sqrt(v / (1 - b2**t)))
        w = w - eta * weight_decay * w - eta * u
        path.append(w)
    return np.array(path)


def stable_adamw(
    gradient: Gradient, w: np.ndarray, rates: Sequence[float], *, b1: float, b2: float, eps: float, weight_decay: float
) -> np.ndarray:
    """Wortsman et al. 2023, Algorithm 2: rms of each tensor with the v that already knows g."""
    path = []
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, alpha in enumerate(rates, start=1):
        g = gradient(t, w)
        w = w.copy()
        b1_t = b1 * (1 - b1 ** (t - 1)) / (1 - b1**t)
        b2_t = b2 * (1 - b2 ** (t - 1)) / (1 - b2**t)
        m = b1_t * m + (1 - b1_t) * g
        v = b2_t * v + (1 - b2_t) * g**2
        for part, _ in pieces():
            rms = np.sqrt(np.mean(g[part] ** 2 / np.maximum(v[part], eps**2)))
            eta = alpha / max(1, rms)
            w[part] = w[part] - eta * weight_decay * w[part] - eta * m[part] / (np.sqrt(v[part]) + eps)
        path.append(w)
    return np.array(path)
