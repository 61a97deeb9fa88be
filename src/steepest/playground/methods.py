"""The methods of the playground: rows of the catalogue, the settings that can be chosen, and the formula with gaps for
its numbers. What the numbers are is the rules' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from steepest.types import Setting

RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True)
class Method:
    """One optimizer of the catalogue. β is whatever says how much of the past it keeps."""

    name: str
    formula: str
    """One step, with gaps in braces: {w} {new} {g} {lr} {b} {eps} and the names of the rule's state, after the step."""
    b: str = ""
    """The name of the setting that is called β here,"""
    letter: str = ""
    """and its letter in the formula."""
    bs: tuple[float, ...] = ()
    usual: float = 0.0
    eps: tuple[float, ...] = ()

    def variants(self) -> list[tuple[float | None, float | None]]:
        """All choices of β and ε."""
        return list(product(self.bs or (None,), self.eps or (None,)))

    def settings(self, b: float | None, eps: float | None) -> Mapping[str, Setting]:
        return ({} if b is None else {self.b: b}) | ({} if eps is None else {"eps": eps})


EPS = (1e-8, 0.1)
METHODS = (
    Method("sgd", "{w} − {lr}·{g} = {new}"),
    Method("momentum", "v = {b}·v + {g} = {v} ;  {w} − {lr}·{v} = {new}", "momentum", "μ", (0.5, 0.9, 0.99), 0.9),
    Method(
        "nesterov",
        "v = {b}·v + {g} = {v} ;  {w} − {lr}·({g} + {b}·{v}) = {new}",
        "momentum",
        "μ",
        (0.5, 0.9, 0.99),
        0.9,
    ),
    Method("adagrad", "G = G + {g}² = {G} ;  {w} − {lr}·{g} / (√{G} + {eps}) = {new}", eps=EPS),
    Method(
        "rmsprop",
        "v = {b}·v + (1 − {b})·{g}² = {v} ;  {w} − {lr}·{g} / (√{v} + {eps}) = {new}",
        "b2",
        "β",
        (0.9, 0.99),
        0.99,
        EPS,
    ),
    Method(
        "adam",
        "m = {b}·m + (1 − {b})·{g} = {m} ;  v = {v} ;  {w} − {lr}·m̂ / (√v̂ + {eps}) = {new}",
        "b1",
        "β₁",
        (0.5, 0.9, 0.99),
        0.9,
        EPS,
    ),
    Method("lion", "{w} − {lr}·sign(0.9·m + 0.1·{g}) = {new} ;  m = {m}"),
)
"""A `v` or `m` without braces is the one before the step."""
