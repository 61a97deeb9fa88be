"""The rules that look at a whole model, and Schedule-Free ones, once more: slow and obvious. See `rules.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Gradient = Callable[[int, np.ndarray], np.ndarray]


def schedule_free_sgd(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    power: float,
    rate_power: float,
    weight_decay: float,
    averages: list[np.ndarray] | None = None,
) -> np.ndarray:
    """Defazio et al. 2024, equations 3 to 5, with three sequences; returns y, and appends x to `averages`."""
    path = []
    x = z = y = w
    weights: list[float] = []
    for t, eta in enumerate(rates, start=1):
        z = z - eta * (gradient(t, y) + weight_decay * y)
        weights.append(t**power * max(rates[:t]) ** rate_power)
        c = weights[-1] / sum(weights) if any(weights) else 0.0
        x = (1 - c) * x + c * z
        y = (1 - b1) * z + b1 * x
        path.append(y)
        if averages is not None:
            averages.append(x)
    return np.array(path)


def schedule_free_adamw(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    power: float,
    rate_power: float,
    weight_decay: float,
    b2: float,
    eps: float,
    averages: list[np.ndarray] | None = None,
) -> np.ndarray:
    """Defazio et al. 2024, Algorithm 1; the weight of a step with the largest rate so far, as in the authors' code."""
    path = []
    x = z = y = w
    v = np.zeros_like(w)
    weights: list[float] = []
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, y)
        v = b2 * v + (1 - b2) * g**2
        z = z - eta * g / (np.sqrt(v / (1 - b2**t)) + eps) - eta * weight_decay * y
        weights.append(t**power * max(rates[:t]) ** rate_power)
        c = weights[-1] / sum(weights) if any(weights) else 0.0
        x = (1 - c) * x + c * z
        y = (1 - b1) * z + b1 * x
        path.append(y)
        if averages is not None:
            averages.append(x)
    return np.array(path)


def schedule_free_radam(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    b2: float,
    eps: float,
    power: float,
    rate_power: float,
    weight_decay: float,
) -> np.ndarray:
    """Schedule-Free AdamW at the rates of RAdam, as the package schedulefree has it: none while ρ is at most 4."""
    most = 2 / (1 - b2) - 1
    rectified = []
    for t, eta in enumerate(rates, start=1):
        rho = most - 2 * t * b2**t / (1 - b2**t)
        r = np.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho)) if rho > 4 else 0.0
        rectified.append(eta * r)
    return schedule_free_adamw(
        gradient, w, rectified, b1=b1, b2=b2, eps=eps, power=power, rate_power=rate_power, weight_decay=weight_decay
    )


def dog(
    gradient: Gradient, w: np.ndarray, rates: Sequence[float], *, start: float, eps: float, weight_decay: float
) -> np.ndarray:
    """Ivgi et al. 2023: η_t = max(r_ε, max_{i≤t} |x_i − x_0|) / √(Σ_{i≤t} |g_i|² + ε), r_ε = ρ(1 + |x_0|)."""
    path = [w]
    gradients = []
    for t, factor in enumerate(rates, start=1):
        gradients.append(gradient(t, path[-1]) + weight_decay * path[-1])
        farthest = max([start * (1 + np.linalg.norm(w)), *(np.linalg.norm(x - w) for x in path)])
        eta = factor * farthest / np.sqrt(sum(np.sum(g**2) for g in gradients) + eps)
        path.append(path[-1] - eta * gradients[-1])
    return np.array(path[1:])


def dowg(gradient: Gradient, w: np.ndarray, rates: Sequence[float], *, start: float, weight_decay: float) -> np.ndarray:
    """Khaled et al. 2023, Algorithm 1: v_t = v_{t−1} + r̄_t²|g_t|², η_t = r̄_t²/√v_t."""
    path = [w]
    farthest, v = start, 0.0
    for t, factor in enumerate(rates, start=1):
        g = gradient(t, path[-1]) + weight_decay * path[-1]
        farthest = max(farthest, np.linalg.norm(path[-1] - w))
        v += farthest**2 * np.sum(g**2)
        path.append(path[-1] - factor * farthest**2 / np.sqrt(v) * g)
    return np.array(path[1:])


def d_adapt_sgd(
    gradient: Gradient, w: np.ndarray, rates: Sequence[float], *, momentum: float, d0: float, weight_decay: float
) -> np.ndarray:
    """Defazio and Mishchenko 2023, the SGD variant with d̂ = 2Σλ_k⟨g_k, s_k⟩/|s_{k+1}|; x averages z = x_0 − s."""
    path = []
    x, s, d, products, first = w, np.zeros_like(w), d0, 0.0, None
    for t, gamma in enumerate(rates, start=1):
        g = gradient(t, x) + weight_decay * x
        first = np.linalg.norm(g) if first is None else first
        weight = d * gamma / first
        products += weight * np.dot(g, s)
        s = s + weight * g
        d = max(d, 2 * products / np.linalg.norm(s))
        x = momentum * x + (1 - momentum) * (w - s)
        path.append(x)
    return np.array(path)


def d_adapt_adam(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    b2: float,
    eps: float,
    d0: float,
    correction: bool,
    weight_decay: float,
) -> np.ndarray:
    """Defazio and Mishchenko 2023, Algorithm 5."""
    path = []
    x, d, r = w, d0, 0.0
    m, v, s = (np.zeros_like(w) for _ in range(3))
    root = np.sqrt(b2)
    for t, gamma in enumerate(rates, start=1):
        if correction:
            gamma = gamma * np.sqrt(1 - b2**t) / (1 - b1**t)
        g = gradient(t, x) + weight_decay * x
        scaled = np.divide(s, np.sqrt(v) + eps, out=np.zeros_like(s), where=np.sqrt(v) + eps > 0)  # s = 0 at first
        r = root * r + (1 - root) * gamma * d * np.dot(g, scaled)
        m = b1 * m + (1 - b1) * d * gamma * g
        v = b2 * v + (1 - b2) * g**2
        s = root * s + (1 - root) * d * gamma * g
        x = x - m / (np.sqrt(v) + eps)
        d = max(d, r / ((1 - root) * np.abs(s).sum()))
        path.append(x)
    return np.array(path)


def prodigy(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    b2: float,
    b3: float,
    eps: float,
    d0: float,
    growth: float,
    correction: bool,
    safeguard: bool,
    weight_decay: float,
) -> np.ndarray:
    """Mishchenko and Defazio 2023, Algorithm 4, with r and s in units of d₀ as in the authors' code."""
    path = []
    x, d, r = w, d0, 0.0
    m, v, s = (np.zeros_like(w) for _ in range(3))
    b3 = b3 if b3 else np.sqrt(b2)
    for t, gamma in enumerate(rates, start=1):
        if correction:
            gamma = gamma * np.sqrt(1 - b2**t) / (1 - b1**t)
        g = gradient(t, x)
        r = b3 * r + d / d0 * gamma * d * np.dot(g, w - x)
        s = b3 * s + d / d0 * d * (1 if safeguard else gamma) * g
        m = b1 * m + (1 - b1) * d * g
        v = b2 * v + (1 - b2) * d**2 * g**2
        old, d = d, max(d, growth * r / np.abs(s).sum())
        x = x - gamma * old * m / (np.sqrt(v) + d * eps) - gamma * old * weight_decay * x
        path.append(x)
    return np.array(path)


def hypergradient_sgd(
    gradient: Gradient, w: np.ndarray, rates: Sequence[float], *, hyper: float, weight_decay: float
) -> np.ndarray:
    """Baydin et al. 2018, Algorithm 4: α_t = α_{t−1} + β ∇f_t·∇f_{t−1}; a schedule moves α_0."""
    path = []
    before, learned = np.zeros_like(w), 0.0
    for t, alpha in enumerate(rates, start=1):
        g = gradient(t, w) + weight_decay * w
        learned += hyper * np.dot(g, before)
        w = w - (alpha + learned) * g
        before = g
        path.append(w)
    return np.array(path)


def hypergradient_adam(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    hyper: float,
    b1: float,
    b2: float,
    eps: float,
    weight_decay: float,
) -> np.ndarray:
    """Baydin et al. 2018, Algorithm 6: the same with Adam's step u in the place of the gradient before."""
    path = []
    m, v, u, learned = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w), 0.0
    for t, alpha in enumerate(rates, start=1):
        g = gradient(t, w) + weight_decay * w
        learned += hyper * np.dot(g, u)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        u = m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)
        w = w - (alpha + learned) * u
        path.append(w)
    return np.array(path)


REFERENCE: dict[str, Callable[..., np.ndarray]] = {
    "ScheduleFreeSGD": schedule_free_sgd,
    "ScheduleFreeAdamW": schedule_free_adamw,
    "ScheduleFreeRAdam": schedule_free_radam,
    "DoG": dog,
    "DoWG": dowg,
    "DAdaptSGD": d_adapt_sgd,
    "DAdaptAdam": d_adapt_adam,
    "Prodigy": prodigy,
    "HypergradientSGD": hypergradient_sgd,
    "HypergradientAdam": hypergradient_adam,
}
