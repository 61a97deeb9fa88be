"""Optuna's samplers as searches: `--search optuna:tpe`. Optuna is an extra; a study names the version it began with.

Optuna cannot resume a sampler, so a resumed search asks it for all trials again, in the same order. Every option that
shapes its draws is given, because defaults change between versions.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from types import ModuleType
from typing import Protocol

import numpy as np

from steepest.errors import BadSetting, UnknownName
from steepest.search.asks import Asking, Goodness, Strategy, Told, draws, graded, sound
from steepest.search.dials import Dial, Values
from steepest.search.space import Space

SAMPLERS: Mapping[str, Callable[[ModuleType, int], object]] = {
    "tpe": lambda samplers, seed: samplers.TPESampler(
        seed=seed, n_startup_trials=10, n_ei_candidates=24, multivariate=True, group=True, constant_liar=True
    ),
    "gp": lambda samplers, seed: samplers.GPSampler(seed=seed, n_startup_trials=10, deterministic_objective=False),
    "cmaes": lambda samplers, seed: samplers.CmaEsSampler(seed=seed, n_startup_trials=1),
    "nsga2": lambda samplers, seed: samplers.NSGAIISampler(seed=seed, population_size=12),
    "qmc": lambda samplers, seed: samplers.QMCSampler(seed=seed, qmc_type="sobol", scramble=True),
    "random": lambda samplers, seed: samplers.RandomSampler(seed=seed),
}


def optuna_version() -> str:
    """The version that is installed. Raises BadSetting where there is none."""
    try:
        return metadata.version("optuna")
    except metadata.PackageNotFoundError:
        raise BadSetting(
            "Searches whose names begin with optuna: need Optuna, which is not installed. "
            "Install it with pip install 'steepest[optuna]', or use --search gp."
        ) from None


def optuna_strategy(sampler: str) -> Strategy:
    """The search of one of Optuna's samplers. Raises UnknownName or BadSetting."""
    if sampler not in SAMPLERS:
        raise UnknownName.among("Optuna sampler", sampler, SAMPLERS)
    optuna_version()

    def search(space: Space, seed: int, trials: int, batch: int, *, begun: Sequence[Told] = ()) -> Asking:
        return _asked(sampler, space, seed, trials, batch, begun)

    return search


def _asked(sampler: str, space: Space, seed: int, trials: int, batch: int, begun: Sequence[Told]) -> Asking:
    import optuna  # type: ignore[import-not-found]  # an extra

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of its options are called experimental
        made = SAMPLERS[sampler](optuna.samplers, int(draws(seed, "optuna").integers(2**31)))
        study = optuna.create_study(direction="maximize", sampler=made)
        for (values, _), value in zip(begun, graded([goodness for _, goodness in begun]).tolist(), strict=True):
            params = _parameters(space, values)
            kinds = {dial.name: _distribution(optuna, dial) for dial in space.dials if dial.name in params}
            study.add_trial(optuna.trial.create_trial(params=params, distributions=kinds, value=value))
    scores: list[Goodness] = [goodness for _, goodness in begun]
    for start in range(0, trials, batch):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            asked = [study.ask() for _ in range(min(batch, trials - start))]
            settings = tuple(_suggested(trial, space) for trial in asked)
        scores += yield settings
        values = graded(scores)[-len(asked) :].tolist()
        for trial, value in zip(asked, values, strict=True):
            if any(map(sound, scores)):
                study.tell(trial, value)
            else:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)


def _distribution(optuna: ModuleType, dial: Dial) -> object:
    if dial.kind == "choice":
        return optuna.distributions.CategoricalDistribution(list(range(len(dial.choices))))
    return optuna.distributions.FloatDistribution(0.0, 1.0)


def _parameters(space: Space, values: Values) -> dict[str, float]:
    """The coordinates of the dials that apply, under their names; of a choice, its index."""
    whole = {dial.name: values.get(dial.name, dial.default) for dial in space.dials}
    active = space.active({name: value for name, value in whole.items() if value is not None})
    found: dict[str, float] = {}
    for dial, u in zip(space.dials, space.to_unit(values).tolist(), strict=True):
        if dial.name in active:
            found[dial.name] = int(u * len(dial.choices)) if dial.kind == "choice" else u
    return found


class Suggests(Protocol):
    """A trial of Optuna's."""

    def suggest_float(self, name: str, low: float, high: float) -> float: ...
    def suggest_categorical(self, name: str, choices: list[int]) -> int: ...


def _suggested(trial: Suggests, space: Space) -> Values:
    """What the sampler suggests for one trial: dials that others depend on first, then those that apply."""
    point = dict.fromkeys((dial.name for dial in space.dials), 0.5)
    for dial in sorted(space.dials, key=lambda dial: dial.only_if is not None):
        if dial.applies(space.from_unit(_ordered(space, point))):
            if dial.kind == "choice":
                index = trial.suggest_categorical(dial.name, list(range(len(dial.choices))))
                point[dial.name] = (index + 0.5) / len(dial.choices)
            else:
                point[dial.name] = trial.suggest_float(dial.name, 0.0, 1.0)
    return space.from_unit(_ordered(space, point))


def _ordered(space: Space, point: Mapping[str, float]) -> np.ndarray:
    return np.array([point[dial.name] for dial in space.dials])
