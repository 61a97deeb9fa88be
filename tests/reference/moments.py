"""Rules with other moments, and those that look at whole tensors, once more: slow and obvious. See `rules.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from reference import problem

Gradient = Callable[[int, np.ndarray], np.ndarray]


def adabelief(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    b2: float,
    eps: float,
    eps_root: float,
    weight_decay: float,
) -> np.ndarray:
    """Zhuang et al. 2020, Algorithm 2: s ← β₂s + (1−β₂)(g−m)² + ε, which stays in s."""
    path = []
    m = np.zeros_like(w)
    s = np.zeros_like(w)
    for t, alpha in enumerate(rates, start=1):
        g = gradient(t, w)
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * (g - m) ** 2 + eps_root
        m_hat = m / (1 - b1**t)
        s_hat = s / (1 - b2**t)
        w = w - alpha * weight_decay * w - alpha * m_hat / (np.sqrt(s_hat) + eps)
        path.append(w)
    return np.array(path)


def yogi(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    b2: float,
    eps: float,
    initial_square: float,
    initial_mean: float,
    weight_decay: float,
) -> np.ndarray:
    """Zaheer et al. 2018, Algorithm 2, with Adam's corrections, which Optax has and the paper's experiments."""
    path = []
    m = np.full_like(w, initial_mean)
    v = np.full_like(w, initial_square)
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, w)
        m = b1 * m + (1 - b1) * g
        v = v - (1 - b2) * np.sign(v - g**2) * g**2
        w = w - eta * weight_decay * w - eta * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
        path.append(w)
    return np.array(path)


def ademamix(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    b2: float,
    b3: float,
    alpha: float,
    warmup: float,
    eps: float,
    weight_decay: float,
) -> np.ndarray:
    """Pagliardini et al. 2024, Algorithm 1 and equations 2 and 3, β_start = β₁."""
    path = []
    fast = np.zeros_like(w)
    slow = np.zeros_like(w)
    v = np.zeros_like(w)
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, w)
        alpha_t, b3_t = alpha, b3
        if t < warmup:
            alpha_t = t * alpha / warmup
            below = (1 - t / warmup) * np.log(b3) + t / warmup * np.log(b1)
            b3_t = min(np.exp(np.log(b1) * np.log(b3) / below), b3)
        fast = b1 * fast + (1 - b1) * g
        slow = b3_t * slow + (1 - b3_t) * g
        v = b2 * v + (1 - b2) * g**2
        w = w - eta * ((fast / (1 - b1**t) + alpha_t * slow) / (np.sqrt(v / (1 - b2**t)) + eps) + weight_decay * w)
        path.append(w)
    return np.array(path)


def adan(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    b2: float,
    b3: float,
    eps: float,
    weight_decay: float,
) -> np.ndarray:
    """Xie et al. 2022, Algorithm 1, whose β are one minus these, with the corrections of the authors' code."""
    path = []
    beta1, beta2, beta3 = 1 - b1, 1 - b2, 1 - b3
    m = np.zeros_like(w)
    v = np.zeros_like(w)
    n = np.zeros_like(w)
    before = None
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, w)
        difference = np.zeros_like(g) if before is None else g - before
        m = (1 - beta1) * m + beta1 * g
        v = (1 - beta2) * v + beta2 * difference
        n = (1 - beta3) * n + beta3 * (g + (1 - beta2) * difference) ** 2
        eta_t = eta / (np.sqrt(n / (1 - b3**t)) + eps)
        w = (w - eta_t * (m / (1 - b1**t) + (1 - beta2) * v / (1 - b2**t))) / (1 + weight_decay * eta)
        before = g
        path.append(w)
    return np.array(path)


# ---- whole tensors ---------------------------------------------------------------------------------------------------


def pieces() -> Iterator[tuple[slice, tuple[int, ...]]]:
    """Where each parameter lies in w [P], and its shape."""
    start = 0
    for shape in problem.SHAPES:
        size = int(np.prod(shape))
        yield slice(start, start + size), shape
        start += size


def lars(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    trust: float,
    momentum: float,
    weight_decay: float,
    applies_to: str,
    share: float,
) -> np.ndarray:
    """You et al. 2017, Algorithm 1; vectors without ratio and decay, as in the code of You's MLPerf submissions."""
    path = []
    v = np.zeros_like(w)
    for t, gamma in enumerate(rates, start=1):
        g = gradient(t, w)
        w, v = w.copy(), v.copy()
        for (part, _), role in zip(pieces(), problem.ROLES, strict=True):
            if role == "vector" and applies_to == "matrices":
                v[part] = momentum * v[part] + share * gamma * g[part]
                w[part] = w[part] - v[part]
                continue
            length, slope = np.linalg.norm(w[part]), np.linalg.norm(g[part])
            local = trust * length / (slope + weight_decay * length) if length > 0 and slope > 0 else 1
            v[part] = momentum * v[part] + gamma * local * (g[part] + weight_decay * w[part])
            w[part] = w[part] - v[part]
        path.append(w)
    return np.array(path)


def lamb(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    b2: float,
    eps: float,
    weight_decay: float,
    applies_to: str,
    share: float,
) -> np.ndarray:
    """You et al. 2020, Algorithm 2, φ(z) = z; vectors without ratio and decay, as in ALBERT's lamb_optimizer.py."""
    path = []
    m = np.zeros_like(w)
    v = np.zeros_like(w)
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, w)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        r = (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
        w = w.copy()
        for (part, _), role in zip(pieces(), problem.ROLES, strict=True):
            if role == "vector" and applies_to == "matrices":
                w[part] = w[part] - share * eta * r[part]
                continue
            u = r[part] + weight_decay * w[part]
            w[part] = w[part] - eta * np.linalg.norm(w[part]) / np.linalg.norm(u) * u
        path.append(w)
    return np.array(path)


def mars_approximate(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    b2: float,
    eps: float,
    correction: str,
    eps_at: str,
    gamma: float,
    weight_decay: float,
    applies_to: str,
    share: float,
    b1_others: float,
    b2_others: float,
    decay_others: float,
) -> np.ndarray:
    """Yuan et al. 2024, Algorithm 2 (MARS-AdamW) with the gradient before as its authors' code has it: first zero.

    As in their code, tensors without exactly two axes have an AdamW of their own.
    """
    path = []
    others = adamw_of_others(applies_to, share, b1_others, b2_others, eps, decay_others)
    m = np.zeros_like(w)
    v = np.zeros_like(w)
    before = np.zeros_like(w)
    for t, eta in enumerate(rates, start=1):
        g = gradient(t, w)
        c = g + gamma * b1 / (1 - b1) * (g - before)
        for part, _ in pieces():
            length = np.linalg.norm(c[part])
            if length > 1:
                c[part] = c[part] / length
        m = b1 * m + (1 - b1) * c
        v = b2 * v + (1 - b2) * c**2
        first, second = {"both": (1 - b1**t, 1 - b2**t), "none": (1, 1), "printed": (np.sqrt(1 - b1**t), 1)}[correction]
        w = w - eta * weight_decay * w
        if eps_at == "raw":
            w = w - eta * np.sqrt(second) / first * m / (np.sqrt(v) + eps)
        else:
            w = w - eta * (m / first) / (np.sqrt(v / second) + eps)
        before = g
        w = others(t, eta, g, path[-1] if path else problem.START, w)
        path.append(w)
    return np.array(path)


def adamw_of_others(
    applies_to: str, share: float, b1: float, b2: float, eps: float, decay: float
) -> Callable[..., np.ndarray]:
    """A function (t, η, g, w before, w after) → w, with AdamW's step where MARS takes none."""
    m, v = np.zeros_like(problem.START), np.zeros_like(problem.START)

    def step(t: int, eta: float, g: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        nonlocal m, v
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        u = (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
        w = before - share * eta * (u + decay * before)
        for part, shape in pieces():
            if len(shape) == 2 or applies_to == "all":
                w[part] = after[part]
        return w

    return step


def adafactor(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    power: float,
    eps: float,
    eps2: float,
    clip: float,
    relative: bool,
    weight_decay: float,
) -> np.ndarray:
    """Shazeer and Stern 2018, Algorithms 4 and 5, with torch's place for ε₁ and its bound 1/√t on the rate."""
    path = []
    rows, columns, squares = {}, {}, {}
    for t, lr in enumerate(rates, start=1):
        g = gradient(t, w)
        w = w.copy()
        beta = 1 - t**-power
        for i, (part, shape) in enumerate(pieces()):
            x, y = w[part].reshape(shape), g[part].reshape(shape)
            alpha = (max(eps2, np.sqrt(np.mean(x**2))) if relative else 1) * min(lr, 1 / np.sqrt(t))
            if len(shape) > 1:
                rows[i] = beta * rows.get(i, 0.0) + (1 - beta) * np.mean(y**2, axis=-1)
                columns[i] = beta * columns.get(i, 0.0) + (1 - beta) * np.mean(y**2, axis=-2)
                whole = np.maximum(np.mean(rows[i], axis=-1), eps)
                v = rows[i][..., :, None] * columns[i][..., None, :] / whole[..., None, None]
            else:
                squares[i] = beta * squares.get(i, 0.0) + (1 - beta) * y**2
                v = squares[i]
            u = y / np.sqrt(np.maximum(v, eps**2))
            u = u / max(1, np.sqrt(np.mean(u**2)) / clip)
            w[part] = (x - lr * weight_decay * x - alpha * u).reshape(-1)
        path.append(w)
    return np.array(path)
