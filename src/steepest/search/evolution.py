"""Evolution strategy: CMA-ES of the package `cmaes`, which moves and shapes a normal distribution over the dials."""

import itertools
from collections.abc import Sequence

import numpy as np

from steepest.search.asks import Asking, Goodness, Told, draws, graded, sound
from steepest.search.space import Fresh, Space

SIGMA = 0.2
"""First standard deviation, as a share of each dial's scale."""


def cma_es(space: Space, seed: int, trials: int, batch: int, *, begun: Sequence[Told] = ()) -> Asking:
    """CMA-ES. It starts at the best trial so far, or in the middle.

    A generation is learned from as soon as all its trials are known; a batch that is larger takes settings of the next
    one from the same distribution.
    """
    import cmaes  # quick to load, but only this search needs it

    fresh, chance = Fresh(space, [values for values, _ in begun]), draws(seed, "cmaes")
    dials = len(space.dials)
    strategy = cmaes.CMA(
        mean=_start(space, begun),
        sigma=SIGMA,
        bounds=np.array([[0.0, 1.0]] * max(dials, 2)),
        seed=int(chance.integers(2**31)),
    )
    points: list[np.ndarray] = []
    scores: list[Goodness] = []
    told = 0
    while len(points) < trials:
        drawn: dict[bytes, np.ndarray] = {}

        def one(drawn: dict[bytes, np.ndarray] = drawn) -> np.ndarray:
            whole = strategy.ask()
            drawn[whole[:dials].tobytes()] = whole
            return whole[:dials]

        stream = (one() for _ in itertools.count())
        settings, taken = fresh.take(stream, min(batch, trials - len(points)))
        points += [drawn[point.tobytes()] for point in taken]
        scores += yield tuple(settings)
        while len(points) - told >= strategy.population_size:
            group = slice(told, told + strategy.population_size)
            losses = -graded(scores)[group]
            strategy.tell(list(zip(points[group], losses.tolist(), strict=True)))
            told = group.stop


def _start(space: Space, begun: Sequence[Told]) -> np.ndarray:
    """The point of the best trial so far, a little inside the cube; a space of one dial gets a second coordinate."""
    known = [(goodness, i) for i, (_, goodness) in enumerate(begun) if goodness is not None and sound(goodness)]
    point = space.to_unit(begun[max(known)[1]][0]) if known else np.full(len(space.dials), 0.5)
    inside = np.clip(point, 0.05, 0.95)
    return np.append(inside, 0.5) if len(inside) == 1 else inside
