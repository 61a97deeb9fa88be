"""The table of strategies by name: `--search gp`. Each has a file of its own."""

from collections.abc import Mapping

from steepest.errors import UnknownName
from steepest.search.asks import Strategy
from steepest.search.sampling import random, sobol

STRATEGIES: Mapping[str, Strategy] = {"sobol": sobol, "random": random}
VERSION = "1"
"""Changes when a strategy of ours would ask for other settings than before."""


def strategy(name: str) -> Strategy:
    """The strategy of this name. Raises UnknownName."""
    if name not in STRATEGIES:
        raise UnknownName.among("search", name, STRATEGIES)
    return STRATEGIES[name]


def version(name: str) -> str:
    """What must be the same where a search is resumed."""
    strategy(name)
    return VERSION
