"""One contender's standing on one task: every figure that a verdict tells about it.

Apart from `decide`, which ranks and judges: here is only what is computed for each contender in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from steepest.selection import edge, is_sound
from steepest.types import StepTime, TaskFacts, Trace
from steepest.verdict.curves import advise, rate_curve
from steepest.verdict.nouns import Estimate, RatePoint, Standing, Status
from steepest.verdict.pairs import ENOUGH, Pair, compare
from steepest.verdict.stats import (
    best_of_k,
    censored_median,
    first_crossing,
    mean_interval,
    moments,
)
from steepest.verdict.table import GRID, Entrant, curve_of, has_test_value

TARGETS = {"95 %": 0.95, "99 %": 0.99}
"""Name → share of the reference's improvement."""
TRIED = (1, 2, 3, 5, 9)
"""Numbers of rates for which the expected pick is given."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the standings of one task are made from."""

    task: TaskFacts
    best: Entrant
    reference: Entrant | None
    finished: bool
    """Whether the study is: before, no edge is final."""
    confidence: float
    margin: float
    """The practical margin, raw."""
    pairs: Mapping[tuple[str, str], Pair]
    """Among those with enough replicates."""
    chances: Mapping[str, float]
    """Contender → probability of having the best mean."""
    stall_level: float | None
    targets: Mapping[str, float]
    """Name → goodness."""
    traces: Mapping[str, Trace]


def standing(evidence: Evidence, place: int, item: Entrant, time: StepTime | None) -> Standing:
    name, values, advice = item.contender, item.values, advise(rate_curve(item))
    behind_best, p_best = behind(evidence, evidence.best, item)
    behind_reference, p_reference = behind(evidence, evidence.reference, item)
    return Standing(
        contender=name,
        place=place,
        status=status(evidence, item),
        quality=estimate(values, evidence.confidence),
        deviation=math.sqrt(moments(values)[1]) if len(values) > 1 else None,
        behind_best=behind_best,
        p_best=p_best,
        behind_reference=behind_reference,
        p_reference=p_reference,
        probability_best=evidence.chances.get(name, 0.0),
        rate=advice.rate if advice else None,
        safe_rates=advice.safe_rates if advice else None,
        decades_1pct=advice.decades_1pct if advice else 0.0,
        decades_5pct=advice.decades_5pct if advice else 0.0,
        untuned=edge(item.trials, evidence.task.higher_is_better) if advice and evidence.finished else "",
        replicates=len(values),
        failed_replicates=len(item.replicates) - len(values),
        trials=len(item.trials),
        failed_trials=sum(not is_sound(trial) for trial in item.trials),
        milliseconds=time.milliseconds if time else None,
        seconds=time.milliseconds * item.trials[0].steps / 1000 if time else None,
        state_bytes_per_parameter=time.state_bytes_per_parameter if time else None,
        steps_to_target=steps_to_target(evidence, item),
        points=tuple(point(evidence, item, rate) for rate in item.rates),
        picks={each.seed: each.pick.rate for each in item.replicates if each.pick},
        values={each.seed: each.value for each in item.replicates},
        best_of=best_of(item),
        batch_size=item.trials[0].batch_size,
        steps=item.trials[0].steps,
    )


def status(evidence: Evidence, item: Entrant) -> Status:
    """The rule of the verdict: see `Standing.status`."""
    if item.replicates and not len(item.values):
        return "failed"
    if min(len(item.values), len(evidence.best.values)) < ENOUGH:
        return "unsure"
    if item is evidence.best:
        return "best"
    pair = evidence.pairs[evidence.best.contender, item.contender]
    settled = pair.p < 1 - evidence.confidence
    return "behind" if settled and pair.difference.value >= evidence.margin else "tie"


def behind(evidence: Evidence, leader: Entrant | None, item: Entrant) -> tuple[Estimate | None, float | None]:
    """How much worse `item` is than `leader`, and the adjusted p; no p where one of them cannot be judged."""
    if leader is None or leader is item or not (len(leader.values) and len(item.values)):
        return None, None
    pair = evidence.pairs.get((leader.contender, item.contender))
    if pair is not None:
        return pair.estimate, pair.p
    pair = compare(leader.goodness, item.goodness, paired=False)
    return replace(pair, level=1 - evidence.confidence).estimate, None


def estimate(values: np.ndarray, confidence: float) -> Estimate | None:
    """Mean of values [n] with Student's t interval; None if there are none."""
    if not len(values):
        return None
    interval = mean_interval(values, confidence)
    return Estimate(interval.value, interval.low, interval.high, len(values))


def point(evidence: Evidence, item: Entrant, rate: float) -> RatePoint:
    trials = item.at(rate)
    valid = np.array([trial.valid_metric for trial in trials if is_sound(trial)], dtype=float)
    level = evidence.stall_level
    return RatePoint(
        rate=rate,
        stage=trials[0].stage,
        n=len(trials),
        failed=len(trials) - len(valid),
        stalled=0 if level is None else int(np.sum(item.sign * valid <= level)),
        valid=estimate(valid, evidence.confidence),
        picked=sum(each.pick is not None and each.pick.rate == rate for each in item.replicates),
    )


# ---- how soon, and how cheaply ---------------------------------------------------------------------------------------


def targets(reference: Entrant | None, start: float | None) -> dict[str, float]:
    """Levels of goodness that lie 95 % and 99 % of the way from the start to where the reference's picks end."""
    if reference is None or start is None:
        return {}
    ends = [each.pick.valid_metric for each in reference.replicates if each.pick and each.pick.valid_metric is not None]
    end = reference.sign * math.fsum(ends) / len(ends) if ends else start
    return {name: start + share * (end - start) for name, share in TARGETS.items()} if end > start else {}


def steps_to_target(evidence: Evidence, item: Entrant) -> dict[str, float | None]:
    """Median steps over the replicates' picks; a replicate that failed never gets there. Empty without curves."""
    steps: dict[str, list[float]] = {name: [] for name in evidence.targets}
    for each in item.replicates:
        curve = curve_of(each.pick, evidence.traces) if each.pick else None
        if each.pick and curve is None:
            return {}
        for name, level in evidence.targets.items():
            steps[name].append(first_crossing(curve[0], item.sign * curve[1], level) if curve else math.inf)
    return {name: censored_median(times) for name, times in steps.items()}


def best_of(item: Entrant) -> dict[int, float | None]:
    """For k rates of the grid drawn at random: the mean over replicates of the expected test metric of the pick."""
    found: dict[int, float | None] = {}
    tables = []
    for each in item.replicates:
        grid = [trial for trial in each.trials if trial.stage == GRID]
        sound = [trial.test_metric for trial in grid if has_test_value(trial)]
        tables.append(np.array(sound + [math.nan] * (len(grid) - len(sound)), dtype=float))
    for k in TRIED:
        if tables and k <= min(map(len, tables)):
            expected = [best_of_k(table, k) for table in tables]
            sound = [value for value in expected if value is not None]
            found[k] = math.fsum(sound) / len(sound) if len(sound) == len(expected) else None
    return found
