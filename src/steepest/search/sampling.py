"""Searches that learn nothing: a quasi-random sequence, and independent random points."""

from collections.abc import Iterator, Sequence

import numpy as np

from steepest.search.asks import Asking, Told, batches, draws
from steepest.search.space import Fresh, Space

BLOCK = 256
"""Points of the sequence made at a time; a power of 2, as it is balanced over these."""


def sobol_points(dials: int, seed: int, name: str = "sobol") -> Iterator[np.ndarray]:
    """Points of Sobol's sequence with Owen's scrambling, without end."""
    from scipy.stats import qmc  # takes half a second to load

    sequence = qmc.Sobol(dials, scramble=True, rng=draws(seed, name))
    while True:
        yield from sequence.random(BLOCK)


def random_points(dials: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    while True:
        yield generator.random(dials)


def sobol(space: Space, seed: int, trials: int, batch: int, *, begun: Sequence[Told] = ()) -> Asking:
    """Sobol's quasi-random sequence: covers the space more evenly than random points."""
    return _asked(sobol_points(len(space.dials), seed), space, trials, batch, begun)


def random(space: Space, seed: int, trials: int, batch: int, *, begun: Sequence[Told] = ()) -> Asking:
    """Independent random points."""
    return _asked(random_points(len(space.dials), draws(seed, "random")), space, trials, batch, begun)


def _asked(points: Iterator[np.ndarray], space: Space, trials: int, batch: int, begun: Sequence[Told]) -> Asking:
    fresh = Fresh(space, [values for values, _ in begun])
    for number in batches(trials, batch):
        yield tuple(fresh.take(points, number)[0])
