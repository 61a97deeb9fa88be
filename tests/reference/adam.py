"""Adam's kin and Adadelta once more: slow and obvious. See `rules.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Gradient = Callable[[int, np.ndarray], np.ndarray]


def adadelta(
    gradient: Gradient, w: np.ndarray, rates: Sequence[float], *, rho: float, eps: float, weight_decay: float
) -> np.ndarray:
    """Zeiler 2012, Algorithm 1; the rate that libraries multiply by is 1 there."""
    path = []
    squares = np.zeros_like(w)
    steps = np.zeros_like(w)
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, w) + weight_decay * w
        squares = rho * squares + (1 - rho) * g**2
        delta = -np.sqrt(steps + eps) / np.sqrt(squares + eps) * g
        steps = rho * steps + (1 - rho) * delta**2
        w = w + eta * delta
        path.append(w)
    return np.array(path)


def amsgrad(
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
) -> np.ndarray:
    """Reddi et al. 2018, Algorithm 2, with Adam's corrections around the largest v, as torch has it."""
    path = []
    m = np.zeros_like(w)
    v = np.zeros_like(w)
    largest = np.zeros_like(w)
    for t, alpha in enumerate(rates, start=1):
        g = gradient(t, w) + weight_decay * w
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        largest = np.maximum(largest, v)
        first, second = {"both": (1 - b1**t, 1 - b2**t), "none": (1, 1), "printed": (np.sqrt(1 - b1**t), 1)}[correction]
        if eps_at == "raw":
            w = w - alpha * np.sqrt(second) / first * m / (np.sqrt(largest) + eps)
        else:
            w = w - alpha * (m / first) / (np.sqrt(largest / second) + eps)
        path.append(w)
    return np.array(path)


def adamax(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    b2: float,
    eps: float,
    eps_at: str,
    weight_decay: float,
) -> np.ndarray:
    """Kingma and Ba 2015, Algorithm 2, which has no ε: inside the maximum as in torch, or outside as in Keras."""
    path = []
    m = np.zeros_like(w)
    u = np.zeros_like(w)
    for t, alpha in enumerate(rates, start=1):
        g = gradient(t, w) + weight_decay * w
        m = b1 * m + (1 - b1) * g
        u = np.maximum(b2 * u, np.abs(g) + (eps if eps_at == "inside" else 0))
        w = w - alpha / (1 - b1**t) * m / (u + (eps if eps_at == "outside" else 0))
        path.append(w)
    return np.array(path)


def nadam(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    b2: float,
    eps: float,
    psi: float,
    weight_decay: float,
    decoupled: float = 0.0,
) -> np.ndarray:
    """Dozat 2016, Algorithm 2, with the momentum that warms up from the report's section 3.2.

    m is kept with the constant β₁, as in torch and Keras.
    """
    path = []
    m = np.zeros_like(w)
    v = np.zeros_like(w)
    mus = [b1 * (1 - 0.5 * 0.96 ** (t * psi)) for t in range(len(rates) + 2)]
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, w) + weight_decay * w
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat = mus[t + 1] * m / (1 - np.prod(mus[1 : t + 2])) + (1 - mus[t]) * g / (1 - np.prod(mus[1 : t + 1]))
        v_hat = v / (1 - b2**t)
        w = w - eta * decoupled * w - eta * m_hat / (np.sqrt(v_hat) + eps)
        path.append(w)
    return np.array(path)


def nadamw(
    gradient: Gradient, w: np.ndarray, rates: Sequence[float], *, weight_decay: float, **settings: Any
) -> np.ndarray:
    """NAdam with its decay decoupled."""
    return nadam(gradient, w, rates, weight_decay=0.0, decoupled=weight_decay, **settings)


def radam(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    b2: float,
    eps: float,
    threshold: float,
    weight_decay: float,
    decoupled: float = 0.0,
) -> np.ndarray:
    """Liu et al. 2020, Algorithm 2; ε, which it lacks, is added to √v, and the threshold is 5 in libraries, 4 there."""
    path = []
    m = np.zeros_like(w)
    v = np.zeros_like(w)
    rho_inf = 2 / (1 - b2) - 1
    for t, alpha in enumerate(rates, start=1):
        g = gradient(t, w) + weight_decay * w
        v = b2 * v + (1 - b2) * g**2
        m = b1 * m + (1 - b1) * g
        m_hat = m / (1 - b1**t)
        rho = rho_inf - 2 * t * b2**t / (1 - b2**t)
        w = w - alpha * decoupled * w
        if rho > threshold:
            length = np.sqrt(1 - b2**t) / (np.sqrt(v) + eps)
            r = np.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
            w = w - alpha * r * m_hat * length
        else:
            w = w - alpha * m_hat
        path.append(w)
    return np.array(path)


def radamw(
    gradient: Gradient, w: np.ndarray, rates: Sequence[float], *, weight_decay: float, **settings: Any
) -> np.ndarray:
    """RAdam with its decay decoupled."""
    return radam(gradient, w, rates, weight_decay=0.0, decoupled=weight_decay, **settings)
