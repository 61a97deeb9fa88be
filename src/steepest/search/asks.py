"""What every strategy is: a generator that asks for trials in batches and is sent their goodness, without I/O."""

import math
import zlib
from collections.abc import Generator, Sequence
from typing import Protocol

import numpy as np

from steepest.search.dials import Values
from steepest.search.space import Space

Goodness = float | None
"""Of a trial on validation, larger is better; None for one that failed or diverged."""
Told = tuple[Values, Goodness]
Asking = Generator[tuple[Values, ...], Sequence[Goodness], None]


class Strategy(Protocol):
    """A pure function of its arguments and of the goodness it is sent, in ask order: no state outlives the generator,
    so that a search is resumed by sending it again what its trials gave.

    It yields `trials` settings in all, at most `batch` at a time. `begun` are trials that were made before, such as the
    grid of rates at default values: a model learns from them.
    """

    def __call__(self, space: Space, seed: int, trials: int, batch: int, *, begun: Sequence[Told] = ()) -> Asking: ...


def draws(seed: int, name: str) -> np.random.Generator:
    """The random numbers of one search. Two strategies with the same seed have different ones."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def batches(trials: int, batch: int) -> list[int]:
    """The size of each batch: all are full but the last."""
    return [min(batch, trials - start) for start in range(0, trials, batch)]


def sound(goodness: Goodness) -> bool:
    """Whether a trial has a goodness at all."""
    return goodness is not None and math.isfinite(goodness)


def graded(goodness: Sequence[Goodness]) -> np.ndarray:
    """The goodness as numbers, in which a failed trial is as bad as the worst sound one. All 0 where none is sound."""
    values = np.array([value if value is not None else math.nan for value in goodness], dtype=float)
    finite = np.isfinite(values)
    return np.where(finite, values, values[finite].min()) if finite.any() else np.zeros(len(values))
