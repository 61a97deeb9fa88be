"""Bayesian search: a Gaussian process models goodness over the dials, and the next trials are where it expects most.

The kernel is Matérn 5/2 with one length scale for each dial; a choice is at distance 1 from every other. Length scales
and noise maximise the marginal likelihood with weak priors. A batch is asked one by one, each setting as if its
goodness were what the model predicts (kriging believer).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from steepest.search.asks import Asking, Goodness, Told, draws, graded
from steepest.search.sampling import sobol_points
from steepest.search.space import Fresh, Space

JITTER = 1e-8
PRIOR_LENGTH, PRIOR_NOISE = (math.log(0.5), 1.0), (math.log(1e-3), 2.0)
"""Mean and standard deviation of the logarithms of a length scale, and of the noise's share of the variance."""
STEPS = 20
CANDIDATES, LOCAL = 384, 48
SCALES = (0.1, 0.04, 0.015, 0.005, 0.0015)
"""Sizes of the steps around the best candidates, which get finer."""
Array = np.ndarray


def first_design(dials: int, begun: int) -> int:
    """Points that are asked before there is a model."""
    return max(2, min(2 * dials, 10) - begun // 2)


def gp(space: Space, seed: int, trials: int, batch: int, *, begun: Sequence[Told] = ()) -> Asking:
    """Gaussian process with expected improvement."""
    chance, points = draws(seed, "gp"), sobol_points(len(space.dials), seed, "gp")
    fresh = Fresh(space, [values for values, _ in begun])
    asked = [space.to_unit(values) for values, _ in begun]
    scores: list[Goodness] = [goodness for _, goodness in begun]
    start, made, model = first_design(len(space.dials), len(begun)), 0, None
    while made < trials:
        number = min(batch, trials - made)
        if made < start:
            number_by_design = min(number, start - made)
            settings, _ = fresh.take(points, number_by_design)
        else:
            settings = []
        if len(settings) < number and scores and np.ptp(graded(scores)) > 0:
            model = Model.fitted(space, np.array(asked), warped(graded(scores)), model)
            believed = model.with_believed([space.to_unit(values) for values in settings])
            while len(settings) < number:
                chosen, _ = fresh.take(iter(_best_candidates(believed, chance)), 1)
                settings += chosen or fresh.take(points, 1)[0]
                believed = believed.with_believed([space.to_unit(settings[-1])])
        settings += fresh.take(points, number - len(settings))[0]
        asked += [space.to_unit(values) for values in settings]
        made += number
        scores += yield tuple(settings)


def warped(goodness: Array) -> Array:
    """Goodness with mean 0 and deviation 1, after values far below the median are drawn in: only the top matters."""
    top, middle = goodness.max(), np.median(goodness)
    reach = top - middle
    if reach > 0:
        below = np.maximum(middle - goodness, 0.0) / reach
        goodness = np.where(goodness < middle, middle - reach * np.log1p(below), goodness)
    return (goodness - goodness.mean()) / (goodness.std() + 1e-12)


# ---- the model -------------------------------------------------------------------------------------------------------


def squared_distances(space: Space, a: Array, b: Array) -> Array:
    """[dials, len(a), len(b)]"""
    found = (a.T[:, :, None] - b.T[:, None, :]) ** 2
    for j, dial in enumerate(space.dials):
        if dial.kind == "choice":
            found[j] = np.abs(a[:, None, j] - b[None, :, j]) > 1e-9
    return found


def matern(squared: Array, lengths: Array) -> tuple[Array, Array]:
    """The kernel, and the factor of its derivative by the logarithm of each length scale."""
    d = np.sqrt(5 * np.tensordot(lengths**-2.0, squared, 1))
    decay = np.exp(-d)
    return (1 + d + d * d / 3) * decay, 5 / 3 * (1 + d) * decay


@dataclass(frozen=True)
class Model:
    space: Space
    x: Array  # [n, dials]
    y: Array  # [n]
    theta: Array  # logarithms of the length scales and of the noise
    chol: Array  # [n, n], lower
    alpha: Array  # [n]
    scale: float

    @classmethod
    def fitted(cls, space: Space, x: Array, y: Array, before: "Model | None") -> "Model":
        """Fitted to all trials. It starts from the parameters of the model before it."""
        from scipy.optimize import minimize

        dials = x.shape[1]
        mean = np.array([PRIOR_LENGTH[0] + 0.5 * math.log(max(dials, 1) / 2)] * dials + [PRIOR_NOISE[0]])
        deviation = np.array([PRIOR_LENGTH[1]] * dials + [PRIOR_NOISE[1]])
        start = mean if before is None else before.theta
        bounds = [(math.log(0.03), math.log(30.0))] * dials + [(math.log(1e-7), math.log(2.0))]
        squared = squared_distances(space, x, x)
        found = minimize(
            lambda theta: _loss(theta, squared, y, mean, deviation),
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": STEPS},
        )
        return cls.at(space, x, y, found.x)

    @classmethod
    def at(cls, space: Space, x: Array, y: Array, theta: Array, scale: float | None = None) -> "Model":
        from scipy.linalg import cho_solve

        kernel, _ = matern(squared_distances(space, x, x), np.exp(theta[:-1]))
        chol = np.linalg.cholesky(kernel + (math.exp(theta[-1]) + JITTER) * np.eye(len(x)))
        alpha = cho_solve((chol, True), y)
        return cls(space, x, y, theta, chol, alpha, float(y @ alpha) / len(y) if scale is None else scale)

    def with_believed(self, points: Sequence[Array]) -> "Model":
        """The model if these points had the goodness that it predicts."""
        if not points:
            return self
        new = np.array(points)
        y = np.append(self.y, self.predicted(new)[0])
        return Model.at(self.space, np.vstack([self.x, new]), y, self.theta, self.scale)

    def predicted(self, points: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the goodness at points [m, dials]."""
        from scipy.linalg import solve_triangular

        kernel, _ = matern(squared_distances(self.space, points, self.x), np.exp(self.theta[:-1]))
        rest = solve_triangular(self.chol, kernel.T, lower=True, check_finite=False)
        variance = np.maximum(1 - np.einsum("ij,ij->j", rest, rest), 1e-12)
        return kernel @ self.alpha, np.sqrt(self.scale * variance)

    def log_expected_improvement(self, points: Array, best: float) -> Array:
        mean, deviation = self.predicted(points)
        return np.log(deviation) + log_h((mean - best) / deviation)


def _loss(theta: Array, squared: Array, y: Array, mean: Array, deviation: Array) -> tuple[float, Array]:
    """Negative logarithm of the posterior, and its gradient. The variance of the process is solved for."""
    from scipy.linalg import cho_factor, cho_solve

    n, lengths, noise = len(y), np.exp(theta[:-1]), math.exp(theta[-1])
    kernel, slope = matern(squared, lengths)
    kernel[np.diag_indices(n)] += noise + JITTER
    factor = cho_factor(kernel, lower=True, overwrite_a=True, check_finite=False)
    inverse = cho_solve(factor, np.eye(n), check_finite=False)
    alpha = inverse @ y
    variance = float(y @ alpha) / n + 1e-12
    off = (theta - mean) / deviation
    value = 0.5 * n * math.log(variance) + float(np.log(np.diag(factor[0])).sum()) + 0.5 * float(off @ off)
    change = 0.5 * (inverse - np.outer(alpha, alpha) / variance)  # of the value, by the kernel
    by_length = np.tensordot(squared, change * slope, 2) / lengths**2
    return value, np.append(by_length, noise * np.trace(change)) + off / deviation


def log_h(z: Array) -> Array:
    """log(φ(z) + zΦ(z)), also far in the tail, where z is very negative."""
    from scipy.special import erfcx, ndtr

    density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    near = np.log(np.maximum(density + z * ndtr(z), 1e-300))
    low = np.minimum(z, -1.0)
    rest = np.where(low < -100, low**-2.0, 1 + low * math.sqrt(math.pi / 2) * erfcx(-low / math.sqrt(2)))
    return np.where(z > -1, near, -0.5 * low * low - 0.5 * math.log(2 * math.pi) + np.log(np.maximum(rest, 1e-300)))


# ---- where to go next ------------------------------------------------------------------------------------------------


def _best_candidates(model: Model, chance: np.random.Generator) -> Array:
    """Candidates, best first: random points, and steps around the best of them, which get finer."""
    best = float(model.predicted(model.x)[0].max())
    top = model.x[np.argsort(-model.y, kind="stable")[:4]]
    points = np.vstack([chance.random((CANDIDATES, model.x.shape[1])), _around(model, top, 0.1, chance)])
    values = model.log_expected_improvement(points, best)
    for scale in SCALES:
        leaders = points[np.argsort(-values, kind="stable")[:3]]
        near = _around(model, leaders, scale, chance)
        points, values = np.vstack([points, near]), np.append(values, model.log_expected_improvement(near, best))
    return points[np.argsort(-values, kind="stable")[:64]]


def _around(model: Model, centres: Array, scale: float, chance: np.random.Generator) -> Array:
    """Points near each centre, in which some dials change: a number by a step, a choice to any of its values."""
    dials = model.space.dials
    near = np.repeat(centres, LOCAL // len(centres) + 1, axis=0)
    moved = chance.random(near.shape) < max(0.5, 1 / len(dials))
    stepped = np.clip(near + scale * chance.standard_normal(near.shape), 0, 1)
    drawn = chance.random(near.shape)
    for j, dial in enumerate(dials):
        if dial.kind == "choice":
            stepped[:, j] = drawn[:, j]
            moved[:, j] = moved[:, j] & (chance.random(len(near)) < 0.3)
    return snapped(model.space, np.where(moved, stepped, near))


def snapped(space: Space, points: Array) -> Array:
    """Points whose choices lie where `to_unit` puts them."""
    found = points.copy()
    for j, dial in enumerate(space.dials):
        if dial.kind == "choice":
            n = len(dial.choices)
            found[:, j] = (np.minimum(np.floor(found[:, j] * n), n - 1) + 0.5) / n
    return found
