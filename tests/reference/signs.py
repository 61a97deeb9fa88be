"""The rules that move by signs, and averaged SGD, once more: slow and obvious. See `rules.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Gradient = Callable[[int, np.ndarray], np.ndarray]


def sign_sgd(gradient: Gradient, w: np.ndarray, rates: Sequence[float], *, weight_decay: float) -> np.ndarray:
    """Bernstein et al. 2018, Algorithm 1: x ← x − δ(sign(g) + λx)."""
    path = []
    for t, delta in enumerate(rates, start=1):
        w = w - delta * (np.sign(gradient(t, w)) + weight_decay * w)
        path.append(w)
    return np.array(path)


def signum(gradient: Gradient, w: np.ndarray, rates: Sequence[float], *, b1: float, weight_decay: float) -> np.ndarray:
    """Bernstein et al. 2018, Algorithm 1 with momentum: m ← βm + (1−β)g ; x ← x − δ(sign(m) + λx)."""
    path = []
    m = np.zeros_like(w)
    for t, delta in enumerate(rates, start=1):
        m = b1 * m + (1 - b1) * gradient(t, w)
        w = w - delta * (np.sign(m) + weight_decay * w)
        path.append(w)
    return np.array(path)


def lion(
    gradient: Gradient, w: np.ndarray, rates: Sequence[float], *, b1: float, b2: float, weight_decay: float
) -> np.ndarray:
    """Chen et al. 2023, Algorithm 2."""
    path = []
    m = np.zeros_like(w)
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, w)
        c = b1 * m + (1 - b1) * g
        w = w - eta * (np.sign(c) + weight_decay * w)
        m = b2 * m + (1 - b2) * g
        path.append(w)
    return np.array(path)


def rprop(
    gradient: Gradient, w: np.ndarray, rates: Sequence[float], *, down: float, up: float, least: float, most: float
) -> np.ndarray:
    """Riedmiller and Braun 1993, without the step back: Igel and Hüsken's iRprop− (2000)."""
    path = []
    size = [rates[0]] * len(w)
    before = np.zeros_like(w)
    for t in range(1, len(rates) + 1):
        g = gradient(t, w)
        w = w.copy()
        for i in range(len(w)):
            if before[i] * g[i] > 0:
                size[i] *= up
            elif before[i] * g[i] < 0:
                size[i] *= down
            size[i] = min(max(size[i], least), most)
            if before[i] * g[i] < 0:
                before[i] = 0.0
            else:
                w[i] = w[i] - np.sign(g[i]) * size[i]
                before[i] = g[i]
        path.append(w)
    return np.array(path)


def averaged_sgd(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    slope: float,
    alpha: float,
    start: float,
    weight_decay: float,
) -> np.ndarray:
    """torch.optim.ASGD after Bottou: the rate of step t + 1 is η/(1 + δηt)^α. The average does not act on w."""
    del start
    path = []
    eta = rates[0]
    for t, rate in enumerate(rates, start=1):
        g = gradient(t, w) + weight_decay * w
        w = w - slope * eta * w - eta * g
        eta = rate / (1 + slope * rate * t) ** alpha
        path.append(w)
    return np.array(path)
