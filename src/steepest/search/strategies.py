"""The table of strategies by name: `--search gp`. Each has a file of its own."""

from collections.abc import Mapping
from importlib import metadata

from steepest.errors import BadSetting, UnknownName
from steepest.search.asks import Strategy
from steepest.search.evolution import cma_es
from steepest.search.gaussian_process import gp
from steepest.search.genetic import ga
from steepest.search.optuna_search import SAMPLERS, optuna_strategy, optuna_version
from steepest.search.own_search import digest, file_of, listed, own_strategy
from steepest.search.sampling import random, sobol

STRATEGIES: Mapping[str, Strategy] = {"sobol": sobol, "random": random, "gp": gp, "cmaes": cma_es, "ga": ga}
LIST, OPTUNA = "list", "optuna"
"""What stands before a colon: list:settings.json, optuna:tpe. Anything else there is a file of the user's own."""
VERSION = "1"
"""Changes when a strategy of ours would ask for other settings than before."""


def strategy(name: str) -> Strategy:
    """The strategy of this name: one of the table, "list:FILE.json", "optuna:SAMPLER" or "FILE.py:FUNCTION".

    Raises UnknownName or BadSetting.
    """
    kind, colon, rest = name.partition(":")
    if name in STRATEGIES:
        return STRATEGIES[name]
    if kind in (LIST, OPTUNA) and not rest:
        usage = "list:FILE.json" if kind == LIST else f"optuna:SAMPLER, with one of {', '.join(SAMPLERS)}"
        raise BadSetting(f"The search {kind} is not complete. Write {usage}.")
    if not colon:
        raise UnknownName.among("search", name, (*STRATEGIES, *(f"{OPTUNA}:{sampler}" for sampler in SAMPLERS)))
    return listed(rest) if kind == LIST else optuna_strategy(rest) if kind == OPTUNA else own_strategy(name)


def version(name: str) -> str:
    """What must be the same where a search is resumed: the code that asks, or the file of its settings."""
    strategy(name)
    kind, _, rest = name.partition(":")
    if kind == OPTUNA:
        return f"{VERSION}, optuna {optuna_version()}"
    if name == "cmaes":
        return f"{VERSION}, cmaes {metadata.version('cmaes')}"
    return VERSION if name in STRATEGIES else f"{VERSION}, {digest(rest if kind == LIST else str(file_of(name)))}"
