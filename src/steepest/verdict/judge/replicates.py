"""From rows of results to replicates: per task and contender, what each seed tuned for itself and what it came to.

Apart from `stats`, which knows nothing of seeds and rates, and from `decide`, which knows nothing of rows.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

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
    """Of rates at default values, in order of preference, failed trials last."""
    pick: Result | None
    """The trial that validation chose; None if the replicate failed: no trial has a validation and a test value."""
    others: tuple[Result, ...] = ()
    """Trials of settings that turn other dials, too, in the same order."""
    rate_pick: Result | None = None
    """The pick among the rates at default values."""
    unguarded: Result | None = None
    """What validation would have chosen among all trials, however little it is ahead."""

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
    """Every trial of a rate at default values, by rate and seed, those of incomplete replicates included."""
    others: tuple[Result, ...] = ()
    """Every trial of another setting."""

    @property
    def every_trial(self) -> tuple[Result, ...]:
        return (*self.trials, *self.others)

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
    such seeds have equally many, as in a finished study; otherwise among the rates that all of them have. Other
    settings count where all such seeds have equally many.
    """
    every = sorted(rows, key=lambda row: (row.rate, row.seed, row.dials))
    trials = tuple(row for row in every if not row.dials)
    others = tuple(row for row in every if row.dials)
    by_seed: dict[int, dict[float, Result]] = defaultdict(dict)
    for trial in trials:
        by_seed[trial.seed][trial.rate] = trial
    grid = {trial.rate for trial in trials if trial.stage == GRID}
    complete = {seed: tried for seed, tried in by_seed.items() if grid <= tried.keys()}
    rates = [set(tried) for tried in complete.values()]
    alike = len(set(map(len, rates))) == 1
    shared = rates[0].intersection(*rates[1:]) if rates else set[float]()
    turned = Counter(trial.seed for trial in others if trial.seed in complete)
    if len({turned[seed] for seed in complete}) > 1:
        others = ()
    sign = 1 if higher_is_better else -1
    guard = guard_of([trial for trial in trials if trial.seed in complete], sign) if others else 0.0
    replicates = tuple(
        replicate(
            seed,
            [trial for rate, trial in tried.items() if alike or rate in shared],
            higher_is_better,
            [trial for trial in others if trial.seed == seed],
            guard,
        )
        for seed, tried in sorted(complete.items())
    )
    return Entrant(contender, sign, replicates, trials, others)


def replicate(
    seed: int, trials: Iterable[Result], higher_is_better: bool, others: Iterable[Result] = (), guard: float = 0.0
) -> Replicate:
    """One seed's trials in order of preference, by the same law as the protocol's, and the pick: the best rate, or the
    best other setting where that has both a lower validation loss and a metric that is better by more than the guard.
    """
    tried, best = _in_order(trials, higher_is_better)
    turned, other = _in_order(others, higher_is_better)
    if best is None or other is None:
        return Replicate(seed, tried, best or other, turned, best, unguarded=best or other)
    ahead = _lead(other, best, higher_is_better)
    is_sure = ahead > guard and _loss(other) < _loss(best)
    return Replicate(seed, tried, other if is_sure else best, turned, best, unguarded=other if ahead > 0 else best)


def _loss(trial: Result) -> float:
    return math.inf if trial.valid_loss is None else trial.valid_loss


def _in_order(trials: Iterable[Result], higher_is_better: bool) -> tuple[tuple[Result, ...], Result | None]:
    """Failed trials last; and the best, where it can speak for a replicate."""
    tried = list(trials)
    ordered = survivors(tried, len(tried), higher_is_better)
    failed = [trial for trial in tried if not is_sound(trial)]
    return (*ordered, *failed), ordered[0] if ordered and has_test_value(ordered[0]) else None


def _lead(one: Result, other: Result, higher_is_better: bool) -> float:
    assert one.valid_metric is not None and other.valid_metric is not None
    return (one.valid_metric - other.valid_metric) * (1 if higher_is_better else -1)


def guard_of(trials: Sequence[Result], sign: int) -> float:
    """By how much another setting must be ahead of a replicate's best rate, besides a lower loss. The best of many
    settings is partly so by chance, but chance seldom helps metric and loss alike: then 0. Where the loss says what the
    metric says, as in a regression, half the noise of validation. Measured: docs/search.md."""
    says_the_same = all(
        (sign * (one.valid_metric - other.valid_metric) > 0) == (_loss(one) < _loss(other))
        for seed in {trial.seed for trial in trials}
        for one, other in pairwise([trial for trial in trials if trial.seed == seed and is_sound(trial)])
        if one.valid_metric is not None and other.valid_metric is not None and one.valid_metric != other.valid_metric
    )
    return validation_noise(trials, sign) / 2 if says_the_same else 0.0


RATES_FOR_NOISE = 3
"""The best rates, between which the noise of validation is measured."""


def validation_noise(trials: Iterable[Result], sign: int) -> float:
    """The standard deviation of the difference of two settings that are equally good, as validation shows it in one
    replicate: √2 times that of what is left of the validation metric of the best rates, once seeds and rates are taken
    out (two-way analysis of variance). Where fewer than two rates have a sound trial on every seed, infinite: then
    nothing is known, and no other setting is picked.
    """
    by_rate: dict[float, dict[int, float]] = defaultdict(dict)
    seeds = set[int]()
    for trial in trials:
        seeds.add(trial.seed)
        if is_sound(trial) and trial.valid_metric is not None:
            by_rate[trial.rate][trial.seed] = sign * trial.valid_metric
    whole = [[found[seed] for seed in sorted(seeds)] for found in by_rate.values() if found.keys() == seeds]
    table = np.array(sorted(whole, key=math.fsum)[-RATES_FOR_NOISE:])  # [rates, seeds]
    if len(table) < 2 or len(seeds) < 2:
        return math.inf
    rest = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    return math.sqrt(2 * float((rest**2).sum()) / ((len(table) - 1) * (len(seeds) - 1)))


def has_test_value(trial: Result) -> bool:
    """Whether a trial can speak for its replicate: sound on validation, and with a finite test metric."""
    return is_sound(trial) and trial.test_metric is not None and math.isfinite(trial.test_metric)


def curve_of(trial: Result, traces: Mapping[str, Trace]) -> tuple[np.ndarray, np.ndarray] | None:
    """Steps [E] and validation metric [E] of a trial, raw; None if its shard's curves were not given."""
    trace = traces.get(trial.shard)
    return None if trace is None else (trace.evaluate_at, trace.valid_metric[trial.lane])
