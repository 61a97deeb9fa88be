"""From rows of results to replicates: per task and contender, what each seed tuned for itself and what it came to.

Apart from `stats`, which knows nothing of seeds and rates, and from `decide`, which knows nothing of rows.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from steepest.records.outcomes import Result, Trace
from steepest.records.ranking import is_sound, survivors, well_tried

GRID = "grid"
"""The stage that every replicate starts with; rates of later stages count once all replicates have run them."""


@dataclass(frozen=True, slots=True)
class Replicate:
    """One seed's whole tuning of one contender on one task."""

    seed: int
    trials: tuple[Result, ...]
    """In order of preference, failed trials last."""
    pick: Result | None
    """The trial that validation chose; None if the replicate failed: no trial has a validation and a test value."""

    @property
    def value(self) -> float | None:
        return self.pick.test_metric if self.pick else None


@dataclass(frozen=True)
class Entrant:
    """All that one contender did on one task."""

    contender: str
    sign: int
    """+1 where a higher metric is better, −1 otherwise: sign × metric is always to be made large."""
    replicates: tuple[Replicate, ...]
    """By seed; those complete so far, in a study that still runs."""
    trials: tuple[Result, ...]
    """Every trial, by rate and seed, those of incomplete replicates included."""

    @cached_property
    def values(self) -> np.ndarray:
        """[n] test metrics of the sound replicates, raw."""
        return np.array([item.value for item in self.replicates if item.value is not None])

    @property
    def goodness(self) -> dict[int, float]:
        """Seed → sign × test metric, of the sound replicates."""
        return {item.seed: self.sign * item.value for item in self.replicates if item.value is not None}

    @property
    def lost(self) -> frozenset[int]:
        """Seeds on which it failed at every rate."""
        return frozenset(item.seed for item in self.replicates if item.value is None)

    @cached_property
    def rates(self) -> tuple[float, ...]:
        return tuple(sorted(self._by_rate))

    @cached_property
    def curve_rates(self) -> tuple[float, ...]:
        """The rates that at least half of the seeds tried: means of fewer are too noisy to compare."""
        return well_tried(self.trials)

    @cached_property
    def own_rates(self) -> bool:
        """Whether seeds tried different rates: each placed its own beyond the grid."""
        return len({tuple(sorted(trial.rate for trial in each.trials)) for each in self.replicates}) > 1

    def at(self, rate: float) -> tuple[Result, ...]:
        return tuple(self._by_rate.get(rate, ()))

    @cached_property
    def _by_rate(self) -> Mapping[float, list[Result]]:
        found: dict[float, list[Result]] = defaultdict(list)
        for trial in self.trials:
            found[trial.rate].append(trial)
        return dict(found)


def entrant(contender: str, rows: Iterable[Result], higher_is_better: bool) -> Entrant:
    """The replicates in the rows of one contender on one task.

    A seed is a replicate once it has every rate of the grid that any seed has. It chooses among all its rates where all
    such seeds have equally many, as in a finished study; otherwise among the rates that all of them have.
    """
    trials = tuple(sorted(rows, key=lambda row: (row.rate, row.seed)))
    by_seed: dict[int, dict[float, Result]] = defaultdict(dict)
    for trial in trials:
        by_seed[trial.seed][trial.rate] = trial
    grid = {trial.rate for trial in trials if trial.stage == GRID}
    complete = {seed: tried for seed, tried in by_seed.items() if grid <= tried.keys()}
    rates = [set(tried) for tried in complete.values()]
    alike = len(set(map(len, rates))) == 1
    shared = rates[0].intersection(*rates[1:]) if rates else set[float]()
    replicates = tuple(
        replicate(seed, [trial for rate, trial in tried.items() if alike or rate in shared], higher_is_better)
        for seed, tried in sorted(complete.items())
    )
    return Entrant(contender, 1 if higher_is_better else -1, replicates, trials)


def replicate(seed: int, trials: Iterable[Result], higher_is_better: bool) -> Replicate:
    """One seed's trials in order of preference, by the same law as the protocol's, and the pick."""
    tried = list(trials)
    ordered = survivors(tried, len(tried), higher_is_better)
    failed = [trial for trial in tried if not is_sound(trial)]
    best = ordered[0] if ordered and has_test_value(ordered[0]) else None
    return Replicate(seed, (*ordered, *failed), best)


def has_test_value(trial: Result) -> bool:
    """Whether a trial can speak for its replicate: sound on validation, and with a finite test metric."""
    return is_sound(trial) and trial.test_metric is not None and math.isfinite(trial.test_metric)


def curve_of(trial: Result, traces: Mapping[str, Trace]) -> tuple[np.ndarray, np.ndarray] | None:
    """Steps [E] and validation metric [E] of a trial, raw; None if its shard's curves were not given."""
    trace = traces.get(trial.shard)
    return None if trace is None else (trace.evaluate_at, trace.valid_metric[trial.lane])
