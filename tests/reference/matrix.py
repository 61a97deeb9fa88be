"""The rules that look at a matrix, once more: slow and obvious, one parameter after the other. See `rules.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from reference import problem
from scipy.linalg import fractional_matrix_power

Gradient = Callable[[int, np.ndarray], np.ndarray]


def _split(flat: np.ndarray) -> list[np.ndarray]:
    parts = np.split(flat, np.cumsum([np.prod(shape) for shape in problem.SHAPES])[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, problem.SHAPES, strict=True)]


def _each(gradient: Gradient, w: np.ndarray, rates: Sequence[float], steppers: Sequence[Any]) -> np.ndarray:
    """Drive one stepper (t, η, w, g) → w a parameter; matrices have all axes but the first as one."""
    path = []
    for t, eta in enumerate(rates, start=1):
        parts = []
        for step, x, g in zip(steppers, _split(w), _split(gradient(t, w)), strict=True):
            as_matrix = (lambda y: y.reshape(len(y), -1)) if x.ndim > 1 else (lambda y: y)
            parts.append(step(t, eta, as_matrix(x), as_matrix(g)).ravel())
        w = np.concatenate(parts)
        path.append(w)
    return np.array(path)


def _adamw(b1: float, b2: float, eps: float, weight_decay: float, share: float, raw: bool = False) -> Any:
    m = v = 0.0

    def step(t: int, eta: float, w: np.ndarray, g: np.ndarray) -> np.ndarray:
        nonlocal m, v
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        root = np.sqrt(v) + eps if raw else np.sqrt(v) + eps * np.sqrt(1 - b2**t)
        return w - share * eta * (m / (1 - b1**t) / (root / np.sqrt(1 - b2**t)) + weight_decay * w)

    return step


def treats(role: str, applies_to: str) -> bool:
    """Whether a rule updates parameters of a role itself."""
    return role == "hidden" or (role != "vector" and applies_to == "matrices")


def newton_schulz(x: np.ndarray) -> np.ndarray:
    """Jordan et al. 2024, with the polynomial applied to the singular values themselves."""
    u, sigma, vt = np.linalg.svd(x, full_matrices=False)
    sigma = sigma / max(np.sqrt(np.sum(sigma**2)), 1e-7)
    for _ in range(5):
        sigma = 3.4445 * sigma - 4.7750 * sigma**3 + 2.0315 * sigma**5
    return u @ np.diag(sigma) @ vt


def muon(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    momentum: float,
    nesterov: bool,
    scale_by: str,
    weight_decay: float,
    applies_to: str,
    share: float,
    b1: float,
    b2: float,
    eps: float,
) -> np.ndarray:
    """Jordan et al. 2024; "rms" is equation 4 of Liu et al. 2025, "shape" the factor in Jordan's code."""

    def stepper(shape: tuple[int, ...], role: str) -> Any:
        if not treats(role, applies_to):
            return _adamw(b1, b2, eps, weight_decay, share)
        buffer = 0.0

        def step(t: int, eta: float, w: np.ndarray, g: np.ndarray) -> np.ndarray:
            nonlocal buffer
            buffer = momentum * buffer + (1 - momentum) * g
            u = (1 - momentum) * g + momentum * buffer if nesterov else buffer
            factor = 0.2 * np.sqrt(max(w.shape)) if scale_by == "rms" else np.sqrt(max(1, w.shape[0] / w.shape[1]))
            return w - eta * weight_decay * w - eta * factor * newton_schulz(u)

        return step

    return _each(gradient, w, rates, [*map(stepper, problem.SHAPES, problem.ROLES)])


def normuon(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    momentum: float,
    nesterov: bool,
    scale_by: str,
    weight_decay: float,
    applies_to: str,
    share: float,
    b1: float,
    b2: float,
    eps: float,
    b_rows: float,
) -> np.ndarray:
    """Li et al. 2025, Algorithm 1, with the norm of the step kept at Muon's, as in the authors' code."""

    def stepper(shape: tuple[int, ...], role: str) -> Any:
        if not treats(role, applies_to):
            return _adamw(b1, b2, eps, weight_decay, share)
        buffer, squares = 0.0, 0.0

        def step(t: int, eta: float, w: np.ndarray, g: np.ndarray) -> np.ndarray:
            nonlocal buffer, squares
            buffer = momentum * buffer + (1 - momentum) * g
            O = newton_schulz((1 - momentum) * g + momentum * buffer if nesterov else buffer)  # noqa: E741
            squares = b_rows * squares + (1 - b_rows) * np.mean(O**2, axis=1, keepdims=True)
            normed = O / (np.sqrt(squares) + eps)
            normed = normed * np.linalg.norm(O) / (np.linalg.norm(normed) + eps)
            factor = 0.2 * np.sqrt(max(w.shape)) if scale_by == "rms" else np.sqrt(max(1, w.shape[0] / w.shape[1]))
            return w - eta * weight_decay * w - eta * factor * normed

        return step

    return _each(gradient, w, rates, [*map(stepper, problem.SHAPES, problem.ROLES)])


def scion(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    take: float,
    radius: float,
    output_scale: float,
    constrained: bool,
) -> np.ndarray:
    """Pethick et al. 2025, Algorithms 1 and 2, with the norms of their Table 2 for hidden layers, output and biases."""

    def stepper(shape: tuple[int, ...], role: str) -> Any:
        d = 0.0

        def step(t: int, eta: float, w: np.ndarray, g: np.ndarray) -> np.ndarray:
            nonlocal d
            d = (1 - take) * d + take * g
            if role == "hidden":
                u = np.sqrt(len(w) / w.shape[1]) * newton_schulz(d)
            elif role == "output":
                u = output_scale * np.sign(d) / w.shape[1]
            else:
                u = d / (np.sqrt(np.mean(d**2)) + 1e-8)
            return (1 - eta * constrained) * w - eta * radius * u

        return step

    return _each(gradient, w, rates, [*map(stepper, problem.SHAPES, problem.ROLES)])


def shampoo(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    momentum: float,
    eps: float,
    every: float,
    applies_to: str,
    share: float,
) -> np.ndarray:
    """Gupta et al. 2018, Algorithm 1: W ← W − η L^(−1/4) G R^(−1/4), L_0 = εI, R_0 = εI."""

    def stepper(shape: tuple[int, ...], role: str) -> Any:
        if not treats(role, applies_to):
            squares: list[Any] = [eps]

            def diagonal(t: int, eta: float, w: np.ndarray, g: np.ndarray) -> np.ndarray:
                squares.append(g**2)
                return w - share * eta * g / np.sqrt(sum(squares))

            return diagonal
        rows, columns = shape[0], int(np.prod(shape[1:]))
        L, R, v = eps * np.eye(rows), eps * np.eye(columns), np.zeros((rows, columns))
        left = right = None

        def step(t: int, eta: float, w: np.ndarray, g: np.ndarray) -> np.ndarray:
            nonlocal L, R, v, left, right
            L, R = L + g @ g.T, R + g.T @ g
            if (t - 1) % min(every, max(1, (t - 1) // every)) == 0:
                left, right = fractional_matrix_power(L, -0.25), fractional_matrix_power(R, -0.25)
            v = momentum * v + left @ g @ right
            return w - eta * v

        return step

    return _each(gradient, w, rates, [*map(stepper, problem.SHAPES, problem.ROLES)])


def grafted_shampoo(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    b2: float,
    eps: float,
    ridge: float,
    every: float,
    begin: float,
    weight_decay: float,
    applies_to: str,
    share: float,
) -> np.ndarray:
    """Anil et al. 2020, with the averages and the grafting of Shi et al. 2023, Algorithms 2 and 3."""

    def stepper(shape: tuple[int, ...], role: str) -> Any:
        if not treats(role, applies_to):
            return _adamw(b1, b2, eps, weight_decay, share)
        L = R = m = v = 0.0
        left = right = np.zeros(0)

        def step(t: int, eta: float, w: np.ndarray, g: np.ndarray) -> np.ndarray:
            nonlocal L, R, m, v, left, right
            m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
            L, R = b2 * L + (1 - b2) * g @ g.T, b2 * R + (1 - b2) * g.T @ g
            if (t - 1) % min(every, max(1, (t - 1) // every)) == 0:
                left, right = (_inverse_fourth_root(x / (1 - b2**t), ridge) for x in (L, R))
            P = m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)
            if t > begin:
                D = left @ m @ right
                P = D * np.linalg.norm(P) / np.linalg.norm(D)
            return w - eta * weight_decay * w - eta * P

        return step

    return _each(gradient, w, rates, [*map(stepper, problem.SHAPES, problem.ROLES)])


def _inverse_fourth_root(x: np.ndarray, ridge: float) -> np.ndarray:
    """By singular values, which are the eigenvalues here."""
    u, sigma, _ = np.linalg.svd(x, hermitian=True)
    return u @ np.diag((sigma + ridge * sigma.max()) ** -0.25) @ u.T


def soap(
    gradient: Gradient,
    w: np.ndarray,
    rates: Sequence[float],
    *,
    b1: float,
    b2: float,
    eps: float,
    b_basis: float,
    every: float,
    weight_decay: float,
    applies_to: str,
    share: float,
) -> np.ndarray:
    """Vyas et al. 2024, Algorithms 3 and 4: Adam in the basis (Q_L, Q_R), with m in the weights' own coordinates."""

    def stepper(shape: tuple[int, ...], role: str) -> Any:
        if not treats(role, applies_to):
            return _adamw(b1, b2, eps, weight_decay, share, raw=True)
        rows, columns = shape[0], int(np.prod(shape[1:]))
        L, R, QL, QR = np.zeros((rows, rows)), np.zeros((columns, columns)), np.eye(rows), np.eye(columns)
        m, v = np.zeros((rows, columns)), np.zeros((rows, columns))

        def step(t: int, eta: float, w: np.ndarray, g: np.ndarray) -> np.ndarray:
            nonlocal L, R, QL, QR, m, v
            if t == 2 or (t > 1 and (t - 1) % every == 0):
                QL = np.linalg.qr((L + 1e-4 * np.trace(L) / rows * np.eye(rows)) @ QL)[0]
                QR = np.linalg.qr((R + 1e-4 * np.trace(R) / columns * np.eye(columns)) @ QR)[0]
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * (QL.T @ g @ QR) ** 2
            turned = QL.T @ m @ QR / (1 - b1**t) / ((np.sqrt(v) + eps) / np.sqrt(1 - b2**t))
            L = b_basis * L + (1 - b_basis) * g @ g.T
            R = b_basis * R + (1 - b_basis) * g.T @ g
            return w - eta * weight_decay * w - eta * QL @ turned @ QR.T

        return step

    return _each(gradient, w, rates, [*map(stepper, problem.SHAPES, problem.ROLES)])


REFERENCE: dict[str, Callable[..., np.ndarray]] = {
    "Muon": muon,
    "MuonBfloat16": muon,
    "NorMuon": normuon,
    "Scion": scion,
    "GraftedShampoo": grafted_shampoo,
    "Shampoo": shampoo,
    "SOAP": soap,
}
