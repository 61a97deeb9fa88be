"""What the dials beside the rate were worth to a contender: the gain over tuning the rate alone, how much each dial
matters, where picks lie at the edge of a range, and the setting to use.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from steepest.records.contender import Contender
from steepest.records.dial import RATE, Dial, Setting, unpacked
from steepest.records.outcomes import Result
from steepest.records.ranking import is_sound
from steepest.search.space import Space
from steepest.verdict.judge.replicates import Entrant, Replicate
from steepest.verdict.judge.standings import Evidence, estimate
from steepest.verdict.results import Estimate, Turned

BANDWIDTH = 0.15
"""Of the kernel that smooths over settings, as a share of each dial's scale."""
MIN_TRIALS = 6
"""Of a replicate, below which nothing is said of how much dials matter."""


def turned(evidence: Evidence, item: Entrant, contender: Contender) -> Turned | None:
    """None where the contender tuned its rate alone, and while no replicate has tried another setting."""
    tried = [each for each in item.replicates if each.others]
    if not contender.dials or not tried:
        return None
    space = space_of(contender, item)
    moved = [each for each in tried if each.pick is not None and each.pick.dials]
    gains = [gain(item, each, each.pick) for each in tried]
    free = [gain(item, each, each.unguarded) for each in tried]
    known = np.array([x for x in gains if x is not None])
    gained = estimate(known, evidence.coverage)
    return Turned(
        dials=tuple(dial.name for dial in contender.dials),
        search=contender.search,
        trials=max(len(each.others) for each in tried),
        replicates=len(tried),
        moved=len(moved),
        gain=gained,
        unguarded=estimate(np.array([x for x in free if x is not None]), evidence.coverage),
        importance=importance(space, item, evidence.coverage),
        edges=edges(space, moved),
        setting=recommended(space, item) if gained is not None and gained.low > 0 else {},
    )


def gain(item: Entrant, replicate: Replicate, other: Result | None) -> float | None:
    """How much better a trial of a replicate does on the test part than its best rate at default values."""
    alone = replicate.rate_pick
    if alone is None or other is None or alone.test_metric is None or other.test_metric is None:
        return None
    return item.sign * (other.test_metric - alone.test_metric)


def space_of(contender: Contender, item: Entrant) -> Space:
    """The rate on all that was tried, and the contender's dials."""
    rates = [trial.rate for trial in (*item.trials, *(each for one in item.replicates for each in one.others))]
    low, high = min(rates), max(rates)
    rate = Dial(RATE, "log", low, high if high > low else 10 * low, default=contender.centre)
    return Space((rate, *contender.dials))


def values_of(trial: Result, space: Space) -> Mapping[str, Setting]:
    """The setting of a trial, dials at default values included."""
    defaults = {dial.name: dial.default for dial in space.dials if dial.default is not None}
    return {**defaults, **unpacked(trial.dials), RATE: trial.rate}


def importance(space: Space, item: Entrant, confidence: float) -> dict[str, Estimate]:
    """Of the ranks of a replicate's other settings, the share of variance that the rate explains; and of what that
    leaves, the share that each other dial explains by itself (`explained`). Mean over replicates with Student's t
    interval. A dial without effect has 0 on average. A search that learns does not spread its settings evenly.
    """
    found: dict[str, list[float]] = {dial.name: [] for dial in space.dials}
    for each in item.replicates:
        if len(each.others) < MIN_TRIALS:
            continue
        points = np.array([space.to_unit(values_of(trial, space)) for trial in each.others])
        ranks = _ranks(each.others, item.sign)
        first = columns_of(points[:, 0], space.dials[0])  # the rate
        for j, dial in enumerate(space.dials):
            share = explained(ranks, first if j else [], columns_of(points[:, j], dial))
            if share is not None:
                found[dial.name].append(share)
    shares = {name: estimate(np.array(values), confidence) for name, values in found.items() if len(values) > 1}
    return {name: share for name, share in shares.items() if share is not None}


def columns_of(x: np.ndarray, dial: Dial) -> list[np.ndarray]:
    """What a dial may do: a quadratic curve of its place x [n]; for a choice, a step for each value."""
    known = np.unique(x)
    if dial.kind == "choice":
        return [(x == value).astype(float) for value in known[1:]]
    return [x, x * x] if len(known) > 2 else [x] if len(known) == 2 else []


def explained(y: np.ndarray, known: Sequence[np.ndarray], more: Sequence[np.ndarray]) -> float | None:
    """The adjusted partial R² of y [n]: which share of the variance that `known` columns leave more columns explain,
    where columns of chance would explain 0 on average. None where nothing is left, or there are too few values."""
    left = len(y) - 1 - len(known)
    free = left - len(more)
    if not more or free < 1:
        return None
    before, after = _rest(y, known), _rest(y, [*known, *more])
    return None if before <= 1e-12 * len(y) else 1 - (after / free) / (before / left)


def _rest(y: np.ndarray, columns: Sequence[np.ndarray]) -> float:
    """The sum of squares that a least-squares fit leaves."""
    design = np.column_stack([np.ones(len(y)), *columns])
    return float(((y - design @ np.linalg.lstsq(design, y, rcond=None)[0]) ** 2).sum())


def _ranks(trials: Sequence[Result], sign: int) -> np.ndarray:
    """0 … 1; failed trials share the lowest."""
    values = np.array([sign * (t.valid_metric or 0.0) if is_sound(t) else -math.inf for t in trials])
    below, equal = (values[None, :] < values[:, None]).sum(axis=1), (values[None, :] == values[:, None]).sum(axis=1)
    return (below + 0.5 * (equal - 1)) / max(len(values) - 1, 1)


def edges(space: Space, moved: Sequence[Replicate]) -> dict[str, tuple[str, int]]:
    """Dial → the end of its range at which most of these replicates' picks lie, and how many, where these are more than
    half of them."""
    found: dict[str, tuple[str, int]] = {}
    at = [space.at_edge(values_of(each.pick, space)) for each in moved if each.pick is not None]
    for dial in space.dials:
        ends = Counter(each[dial.name] for each in at if dial.name in each)
        for side, count in ends.most_common(1):
            if 2 * count > len(moved) and dial.name != RATE:
                found[dial.name] = (side, count)
    return found


def recommended(space: Space, item: Entrant) -> dict[str, Setting]:
    """The setting with the best mean once it is smoothed over all settings of all replicates: a kernel-weighted mean
    over nearby settings (Nadaraya, 1964; Watson, 1964) of the goodness, less that of the replicate's best rate."""
    rows: list[tuple[np.ndarray, float, Result]] = []
    for each in item.replicates:
        if each.rate_pick is None or each.rate_pick.valid_metric is None:
            continue
        level = item.sign * each.rate_pick.valid_metric
        sound = [trial for trial in (*each.trials, *each.others) if is_sound(trial)]
        worst = min((item.sign * (trial.valid_metric or 0.0) for trial in sound), default=level)
        for trial in (*each.trials, *each.others):
            good = item.sign * (trial.valid_metric or 0.0) if is_sound(trial) else worst
            rows.append((space.to_unit(values_of(trial, space)), good - level, trial))
    turned = [row for row in rows if row[2].dials and is_sound(row[2])]
    if not turned:
        return {}
    points, y = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    y = np.maximum(y, np.median(y))  # one hopeless setting nearby must not drag a good one down
    own = np.array([row[0] for row in turned])
    distances = (((own[:, None, :] - points[None, :, :]) / BANDWIDTH) ** 2).sum(axis=2)
    weights = np.exp(-0.5 * distances)
    best = turned[int(np.argmax((weights @ y) / weights.sum(axis=1)))][2]
    return {RATE: best.rate, **unpacked(best.dials)}
