"""How much a mean over seeds owes to its test examples: an effect of the example in a crossed model of seeds and
examples, value = mean + seed + example + rest.

The examples are the same for many seeds, so more seeds do not average their effect out, and the spread of the seeds
does not show it.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special  # pyright: ignore[reportMissingTypeStubs]


@dataclass(frozen=True, slots=True)
class ExampleEffect:
    """What a mean over n seeds owes to its test examples."""

    between: float
    """σ_b², the variance of an example's effect, which all seeds share."""
    within: float
    """Of the values of one seed over its examples: σ_b² and the rest."""
    freedom: float
    """Degrees of freedom of σ_b²."""


NO_EFFECT = ExampleEffect(0.0, 0.0, math.inf)


def example_effect(table: np.ndarray) -> ExampleEffect | None:  # table [n, M], NaN where a seed has not the example
    """σ_b² is the mean product of two different seeds' deviations r on the same example (the analysis of variance of
    unbalanced crossed random effects: Searle, Casella and McCulloch, 1992):

        σ_b² = Σᵢ qᵢ / Σᵢ pᵢ,  qᵢ = (Σₛ r)² − Σₛ r²,  pᵢ = nᵢ(nᵢ − 1)

    The examples are independent, so the spread of the qᵢ gives the degrees of freedom, 2σ_b⁴/var (Satterthwaite, 1946):
    few where a few examples make the difference. None where no example has two seeds.
    """
    known = ~np.isnan(table)
    n = known.sum(axis=1, keepdims=True)  # [n, 1]
    means = np.where(known, table, 0.0).sum(axis=1, keepdims=True) / n
    r = np.where(known, table - means, 0.0)
    count = known.sum(axis=0)  # [M]
    q, p = r.sum(axis=0) ** 2 - (r**2).sum(axis=0), count * (count - 1.0)
    pairs, examples = float(p.sum()), float(n.mean())
    if not pairs or examples < 2:
        return None
    centred = examples / (examples - 1)  # deviations from the mean of the same examples are too small
    between = float(q.sum()) / pairs * centred
    within = float((r**2).sum() / n.sum()) * centred
    if between <= 0:
        return ExampleEffect(0.0, within, math.inf)
    variance = float(((centred * q - between * p) ** 2).sum()) / pairs**2
    return ExampleEffect(between, within, max(1.0, 2 * between**2 / variance) if variance else math.inf)


def sign_test(values: np.ndarray) -> float:
    """Two-sided p value of the exact sign test: of the values that are not 0, how often as many have the same sign
    (McNemar, 1947, exactly). values: +1 where one is right and the other wrong, −1 the other way round, 0 for both."""
    up, down = int(np.sum(values > 0)), int(np.sum(values < 0))
    if up == down:
        return 1.0
    return min(1.0, 2 * float(special.bdtr(min(up, down), up + down, 0.5)))
