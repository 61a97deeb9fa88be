"""Genetic algorithm: pairs of good settings exchange dials, and some dials change a little."""

from collections.abc import Iterator, Sequence

import numpy as np

from steepest.search.asks import Asking, Goodness, Told, draws, graded
from steepest.search.sampling import sobol_points
from steepest.search.space import Fresh, Space

POPULATION, FIRST = 4, 6
"""Settings that may become parents, and those of the first generation that are drawn where none are known."""
SWAPPED, CHANGED, STEP, REDRAWN = 0.5, 0.5, 0.12, 0.05
"""Chance that a dial comes from the second parent; chance that it changes; size of the change; chance of a new draw."""


def ga(space: Space, seed: int, trials: int, batch: int, *, begun: Sequence[Told] = ()) -> Asking:
    """Tournaments choose the parents among the best settings so far; a batch is a generation."""
    chance, points = draws(seed, "ga"), sobol_points(len(space.dials), seed, "ga")
    fresh = Fresh(space, [values for values, _ in begun])
    asked = [space.to_unit(values) for values, _ in begun]
    scores: list[Goodness] = [goodness for _, goodness in begun]
    first = max(FIRST - len(begun) // 2, 2)
    made = 0
    while made < trials:
        number = min(batch, trials - made)
        settings, _ = fresh.take(points, min(number, max(first - made, 0)))
        if len(settings) < number and scores:
            children = _children(space, np.array(asked), graded(scores), chance)
            settings += fresh.take(children, number - len(settings))[0]
        settings += fresh.take(points, number - len(settings))[0]
        asked += [space.to_unit(values) for values in settings]
        made += number
        scores += yield tuple(settings)


def _children(
    space: Space, asked: np.ndarray, goodness: np.ndarray, chance: np.random.Generator
) -> Iterator[np.ndarray]:
    """Children of the best settings, without end."""
    parents = asked[np.argsort(-goodness, kind="stable")[:POPULATION]]  # best first
    while True:
        first, second = (parents[chance.integers(len(parents), size=2).min()] for _ in range(2))
        child = np.where(chance.random(len(first)) < SWAPPED, second, first)
        changed = chance.random(len(child)) < max(CHANGED, 1 / len(child))
        if not changed.any():
            changed[chance.integers(len(child))] = True
        drawn = chance.random(len(child))
        stepped = np.clip(child + STEP * chance.standard_normal(len(child)), 0, 1)
        anew = chance.random(len(child)) < REDRAWN
        for j, dial in enumerate(space.dials):
            anew[j] |= dial.kind == "choice"
        yield np.where(changed, np.where(anew, drawn, stepped), child)
