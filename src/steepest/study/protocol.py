"""The protocol of a study: which trials a contender gets on a task. A generator without I/O: it yields lanes to train
and is sent their scores, which hold validation values only.

Every seed is a replicate that tunes for itself: it tries the grid, places its own extra rates by its own scores alone,
and later picks its own rate (`steepest.records.ranking.pick`). So replicates know nothing of each other.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from steepest.errors import BadSetting
from steepest.records.contender import Contender
from steepest.records.limits import MAX_FIRST_SEED, MAX_GROWTHS, MAX_RATES, MAX_SEEDS
from steepest.records.ranking import Edge, Score, edge, edge_of_most, end_of, pooled_best, smoothed_best
from steepest.records.study_record import StudyDesign
from steepest.records.trials import Lane, Stage
from steepest.study.settings_search import settings_search, turns_dials

Search = Generator[tuple[Lane, ...], Sequence[Score], Edge]
"""Yields lanes, is sent one score for each, and returns at which edge the best rate still lies: "" or "untuned"."""


def search_by_seed(contender: Contender, protocol: StudyDesign, higher_is_better: bool) -> Search:
    """The grid on every seed; then each seed has exactly `extra_rates` more rates of its own.

    While a seed's best lies at an edge, its grid grows by two points (a decade) beyond it; what is left of its extra
    rates then refines around its best. A seed looks at its own scores only, smoothed over neighbouring rates. Where
    most seeds end at the same edge, the contender is "untuned".
    """
    seeds = range(protocol.first_seed, protocol.first_seed + protocol.seeds)
    searches = {seed: _own_search(contender, replace(protocol, seeds=1, first_seed=seed), higher_is_better)
                for seed in seeds}  # fmt: skip
    asked = {seed: next(search) for seed, search in searches.items()}
    ends: list[Edge] = []
    while asked:
        by_seed: dict[int, list[Score]] = defaultdict(list)
        for score in (yield tuple(lane for lanes in asked.values() for lane in lanes)):
            by_seed[score.seed].append(score)
        following: dict[int, tuple[Lane, ...]] = {}
        for seed in asked:
            try:
                following[seed] = searches[seed].send(by_seed[seed])
            except StopIteration as end:
                ends.append(end.value)
        asked = following
    return edge_of_most(ends)


def _own_search(contender: Contender, protocol: StudyDesign, higher_is_better: bool) -> Search:
    """Of one seed. Rates that several seeds try are the same numbers to the last bit, however each comes to them."""

    def lanes(stage: Stage, rates: Iterable[float]) -> tuple[Lane, ...]:
        return on_every_seed(stage, [_snapped(rate, contender.centre, spacing(protocol)) for rate in rates], protocol)

    scores, side = yield from _search(contender, protocol, higher_is_better, smoothed_best, lanes)
    yield from settings_search(contender, protocol, scores, higher_is_better)
    return side


def grid_search(contender: Contender, protocol: StudyDesign, higher_is_better: bool) -> Search:
    """The same where all seeds together place the same extra rates: the law of studies that began under it. Near an
    edge it makes replicates depend on each other."""

    def lanes(stage: Stage, rates: Iterable[float]) -> tuple[Lane, ...]:
        return on_every_seed(stage, rates, protocol)

    return (yield from _search(contender, protocol, higher_is_better, pooled_best, lanes))[1]


def _search(
    contender: Contender,
    protocol: StudyDesign,
    higher_is_better: bool,
    best_of: Callable[[Sequence[Score], bool], float],
    lanes: Callable[[Stage, Iterable[float]], tuple[Lane, ...]],
) -> Generator[tuple[Lane, ...], Sequence[Score], tuple[Sequence[Score], Edge]]:
    """The rates at default values: returns their scores, and at which edge the best lies. Rates of the user's own are
    tried as they are: there is nothing to refine or extend."""
    if contender.rates:
        given = yield on_every_seed("grid", contender.rates, protocol)
        return given, edge(given, higher_is_better)
    scores = list((yield lanes("grid", grid(contender.centre, protocol))))
    left = extra_rates(contender, protocol)
    best = best_of(scores, higher_is_better)
    while left > 1 and (side := end_of(best, {score.rate for score in scores})):
        scores += yield lanes("extend", beyond(scores, side, protocol))
        left -= 2
        best = best_of(scores, higher_is_better)
    if left:
        scores += yield lanes("refine", around(best, left, protocol))
    return scores, edge(scores, higher_is_better)


POOLED, BY_SEED = "grid", "grid-by-seed"
SEARCHES: Mapping[str, Callable[[Contender, StudyDesign, bool], Search]] = {
    BY_SEED: search_by_seed,
    POOLED: grid_search,
}
"""The searches that a replicate may run, by the name in the spec."""


def trials_of(contender: Contender, protocol: StudyDesign) -> int:
    """Trials of one contender on one task: the number does not depend on results."""
    if contender.rates:
        return (len(contender.rates) + (protocol.more_trials if turns_dials(contender) else 0)) * protocol.seeds
    return (protocol.rates + protocol.after_grid) * protocol.seeds


def extra_rates(contender: Contender, protocol: StudyDesign) -> int:
    """Rates that a seed tries after its grid: all its other trials, where it turns no other dial."""
    if contender.rates:
        return 0
    return protocol.extra_rates + (0 if turns_dials(contender) else protocol.more_trials)


# ---- rates -----------------------------------------------------------------------------------------------------------


def grid(centre: float, protocol: StudyDesign) -> tuple[float, ...]:
    """`rates` points over `decades` decades around `centre`: by default 9 points, half a decade apart.

    >>> [f"{rate:.3g}" for rate in grid(1e-3, StudyDesign(rates=5, decades=2))]
    ['0.0001', '0.000316', '0.001', '0.00316', '0.01']
    """
    middle = (protocol.rates - 1) / 2
    return tuple(_at(centre, (i - middle) * spacing(protocol)) for i in range(protocol.rates))


def beyond(scores: Iterable[Score], side: Edge, protocol: StudyDesign) -> tuple[float, float]:
    """The next two points of the grid on this side."""
    rates = [score.rate for score in scores]
    outermost, sign = (min(rates), -1) if side == "low" else (max(rates), +1)
    near, far = (_at(outermost, sign * k * spacing(protocol)) for k in (1, 2))
    return near, far


def around(best: float, count: int, protocol: StudyDesign) -> tuple[float, ...]:
    """`count` rates that fill the gaps to both neighbours of `best` evenly: 4 at ±1/6 and ±1/3 decade, 2 at ±1/4."""
    pairs = -(-count // 2)
    step = spacing(protocol) / (pairs + 1)
    return tuple(_at(best, sign * k * step) for k in range(1, pairs + 1) for sign in (-1, +1))[:count]


def spacing(protocol: StudyDesign) -> float:
    """Decades between two points of the grid."""
    return protocol.decades / (protocol.rates - 1) if protocol.rates > 1 else 0.0


@lru_cache(maxsize=4096)
def _at(rate: float, decades: float) -> float:
    """`rate` moved by `decades`, rounded to 12 digits: 0.001 prints as that, and the last bit does not matter."""
    return float(f"{10 ** (math.log10(rate) + decades):.12g}")


@lru_cache(maxsize=4096)
def _snapped(rate: float, centre: float, step: float) -> float:
    """The same rate, computed from the centre of a grid with this spacing in one go. Every seed asks for the same."""
    if not step:
        return rate
    return _at(centre, float(Fraction(math.log10(rate / centre) / step).limit_denominator(1000)) * step)


def on_every_seed(stage: Stage, rates: Iterable[float], protocol: StudyDesign) -> tuple[Lane, ...]:
    """Replicate by replicate: all rates of the first seed, then of the second, …"""
    rates = tuple(rates)
    seeds = range(protocol.first_seed, protocol.first_seed + protocol.seeds)
    return tuple(Lane(rate, seed, stage) for seed in seeds for rate in rates)


def on_more_seeds(tried: Iterable[tuple[Stage, float]], seeds: range) -> Iterator[tuple[Lane, ...]]:
    """The (stage, rate) pairs that a search has tried on its first seeds, on further ones; stage by stage.

    For a study whose rates were placed by all seeds: nothing is searched again, and every replicate tunes over the same
    rates, or its replicates would not be alike.
    """
    by_stage: dict[Stage, list[float]] = {}
    for stage, rate in tried:
        by_stage.setdefault(stage, []).append(rate)
    for stage, rates in by_stage.items():
        yield tuple(Lane(rate, seed, stage) for seed in seeds for rate in rates)


def check_protocol(protocol: StudyDesign) -> None:
    """Raise BadSetting where there is no such search, or one without end."""
    if protocol.seeds < 1:
        raise BadSetting(f"A study needs at least 1 seed, not {protocol.seeds}; a verdict needs 2, and 5 to say much.")
    if protocol.seeds > MAX_SEEDS:
        raise BadSetting(f"The study asks for {protocol.seeds} seeds; at most {MAX_SEEDS:,} are possible.")
    if not 0 <= protocol.first_seed <= MAX_FIRST_SEED:
        raise BadSetting(f"The first seed is {protocol.first_seed}; seeds are numbers from 0 to {MAX_FIRST_SEED:g}.")
    if len(protocol.grown) > MAX_GROWTHS or any(a >= b for a, b in pairwise((0, *protocol.grown, protocol.seeds))):
        raise BadSetting(
            f"A study that was extended has more seeds each time, at most {MAX_GROWTHS} times; this one names "
            f"{', '.join(map(str, protocol.grown[:5]))}, and {protocol.seeds} now."
        )
    if protocol.until_sure and len(protocol.looks) < 2:
        raise BadSetting(
            f"Adding seeds until the verdict is sure begins with 5 seeds, and {protocol.seeds} are the most allowed: "
            "take more seeds, such as 20, or a fixed number."
        )
    if protocol.rates < 1:
        raise BadSetting(f"A study needs at least 1 rate, not {protocol.rates}.")
    if max(protocol.rates, protocol.extra_rates) > MAX_RATES:
        asked = max(protocol.rates, protocol.extra_rates)
        raise BadSetting(f"The study asks for {asked} rates of every optimizer; at most {MAX_RATES:,} are possible.")
    if not 0 < protocol.decades <= 20:
        raise BadSetting(f"The grid spans {protocol.decades:g} decades; it must span more than 0 and at most 20.")
    if protocol.extra_rates < 0 or protocol.extra_rates % 2:
        raise BadSetting(f"{protocol.extra_rates} extra rates cannot be shared out: they come in pairs (0, 2, 4, …).")
    if not 0 <= protocol.more_trials <= MAX_RATES:
        raise BadSetting(
            f"The study asks for {protocol.more_trials:,} trials beyond the rates of every optimizer on every seed; at "
            f"most {MAX_RATES:,} are possible."
        )
    if (protocol.extra_rates or protocol.more_trials) and protocol.rates < 3:
        raise BadSetting(
            f"A grid of {protocol.rates} has no inside to refine: take at least 3 rates, or no extra rates."
        )


def check_contender(contender: Contender) -> None:
    """Raise BadSetting where a rate is none, or there are too many."""
    if len(contender.rates) > MAX_RATES:
        raise BadSetting(f"{contender.name} has {len(contender.rates)} rates; at most {MAX_RATES:,} are possible.")
    default = () if contender.default_rate is None else (contender.default_rate,)
    for rate in (contender.centre, *default, *contender.rates):
        if not (math.isfinite(rate) and 1e-30 < rate < 1e30):
            raise BadSetting(f"{contender.name}: the rate {rate:g} is not one; it must be above 0 and finite.")
    if len(set(contender.rates)) < len(contender.rates):
        raise BadSetting(f"{contender.name}: a rate is named twice; each is tried once on every seed.")
