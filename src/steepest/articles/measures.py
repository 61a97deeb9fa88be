"""The measurements for the claims: figures of finished studies, seed by seed, each with its interval. Nothing is
trained or judged here: `hypotheses` states beforehand which figures support a claim.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from steepest.reader import StudyReader
from steepest.records.outcomes import Outcome, Result
from steepest.records.probe_trace import ProbeTrace
from steepest.verdict.results import Estimate, Standing, TaskVerdict
from steepest.verdict.stats.inference import mean_interval

CONFIDENCE = 0.95
TARGET = "95 %"


@dataclass(frozen=True)
class Figure:
    """One measurement: a mean over repeats with Student's t interval."""

    of: str
    """The task, and the contenders that are compared."""
    value: float
    low: float
    high: float
    n: int


def lead(study: StudyReader, task: str, one: str, other: str) -> Figure:
    """How far `one` is ahead of `other` on test data, seed by seed, in practical margins of the task."""
    verdict = verdict_on(study, task)
    a, b = (sound(standing(verdict, name)) for name in (one, other))
    sign = 1 if verdict.task.higher_is_better else -1
    scale = sign / verdict.margin
    return figure(f"{title(verdict)}: {one} over {other}", [scale * (a[s] - b[s]) for s in a.keys() & b.keys()])


def behind_best(study: StudyReader, task: str, name: str) -> Figure:
    """How far a contender is behind the best mean, in practical margins, as judged by the verdict; for the best, 0 and
    up to as much as another one may truly be ahead of it."""
    verdict = verdict_on(study, task)
    item = standing(verdict, name)
    who = f"{title(verdict)}: {name} behind {verdict.best}"
    gap = item.behind_best
    if gap is None:
        ahead = [-each.behind_best.low / verdict.margin for each in verdict.standings if each.behind_best]
        return Figure(f"{title(verdict)}: {name} has the best mean", 0.0, 0.0, max(0.0, *ahead, 0.0), item.replicates)
    return scaled(who, gap, verdict.margin)


def speed(study: StudyReader, task: str, name: str, others: Iterable[str]) -> Figure:
    """Steps to the 95 % target, divided by the others' median on the same seed, each at its own best rate.

    A mean of logarithms, given as a ratio: below 1 is faster. A run that never reaches the target counts as the whole
    horizon.
    """
    verdict = verdict_on(study, task)
    times = {who: arrivals(standing(verdict, who)) for who in (name, *others)}
    seeds = set.intersection(*(set(each) for each in times.values()))
    logs = [math.log(times[name][s] / float(np.median([times[who][s] for who in others]))) for s in sorted(seeds)]
    return ratio(f"{title(verdict)}: {name}", logs)


def arrivals(item: Standing) -> dict[int, float]:
    """Seed → steps to the target, at least one."""
    known = item.arrivals[TARGET].times
    return {seed: float(item.steps) if steps is None else max(1.0, steps) for seed, steps in known.items()}


def worth_of_tuning(study: StudyReader, task: str, name: str) -> Figure:
    """How much worse a contender is at its library's default rate, in practical margins."""
    verdict = verdict_on(study, task)
    found = standing(verdict, name).untuned_gap
    what = f"{title(verdict)}: {name} untuned"
    if found is None or found.gap is None:
        return Figure(what, math.nan, -math.inf, math.inf, 0)
    return scaled(what, found.gap, verdict.margin)


def lost_at(study: StudyReader, task: str, name: str, fold: float) -> Figure:
    """The share of the way from an untrained model to its best that a contender loses at `fold` times its recommended
    rate, seed by seed on validation data. Uses the nearest rate that was tried. A run that failed, or that ended worse
    than it began, has lost all of it."""
    verdict = verdict_on(study, task)
    item = standing(verdict, name)
    sign = 1 if verdict.task.higher_is_better else -1
    assert item.rate is not None and verdict.start is not None
    start = sign * verdict.start
    most = max(point.n for point in item.points)
    tried = [point.rate for point in item.points if point.n == most]
    wanted = fold * item.rate
    there = min(tried, key=lambda rate: abs(math.log(rate / wanted)))
    trials = [row for row in study.record.results if (row.task, row.contender) == (task, name)]
    here, far = (
        {row.seed: goodness(row, sign, start) for row in trials if row.rate == rate} for rate in (item.rate, there)
    )
    what = f"{title(verdict)}: {name} at {there / item.rate:.2g} times its rate"
    return figure(
        what, [min(1.0, (here[s] - far[s]) / (here[s] - start)) for s in here if s in far and here[s] > start]
    )


def goodness(row: Result, sign: int, start: float) -> float:
    return start if row.outcome is not Outcome.OK or row.valid_metric is None else sign * row.valid_metric


def turning(study: StudyReader, task: str, one: str, other: str) -> Figure:
    """The share of updates that reverse direction from one step to the next: that of `other` minus that of `one`."""
    seen = {each.contender: each for each in study.probes if each.task == task}
    shares = [_turned(seen[name]) for name in (one, other)]
    return figure(f"{task}: {other} minus {one}", list(shares[1] - shares[0]))


def _turned(probes: ProbeTrace) -> np.ndarray:  # [R]
    return np.nanmean(probes.flips[:, 1:], axis=1)


def shrinking(study: StudyReader, task: str, name: str) -> Figure:
    """The factor by which the median effective step fell from the first hundredth of training to its end."""
    seen = next(each for each in study.probes if (each.task, each.contender) == (task, name))
    k = min(int(np.searchsorted(seen.at, seen.steps / 100)), len(seen.at) - 1)
    return ratio(f"{task}: {name}", list(np.log(seen.step[:, k, 2] / seen.step[:, -1, 2])))


def largest_difference(study: StudyReader, task: str, pairs: Mapping[float, float], one: str, other: str) -> Figure:
    """Between `one` at each rate and `other` at the rate matched to it, on test data, seed by seed, in margins."""
    verdict = verdict_on(study, task)
    value = {(r.contender, r.rate, r.seed): r.test_metric for r in study.record.results if r.task == task}
    seeds = sorted({r.seed for r in study.record.results})
    found = [
        max(abs((value[one, a, s] or 0.0) - (value[other, b, s] or 0.0)) for a, b in pairs.items()) / verdict.margin
        for s in seeds
    ]
    return figure(f"{title(verdict)}: {one} and {other}, the largest of {len(pairs)} rates", found)


# ---- what measures share ---------------------------------------------------------------------------------------------


def verdict_on(study: StudyReader, task: str) -> TaskVerdict:
    return next(verdict for verdict in study.verdict.tasks if verdict.task.name == task)


def has(study: StudyReader, task: str) -> bool:
    """Whether the task was available when the study was run."""
    return any(verdict.task.name == task for verdict in study.verdict.tasks)


def standing(verdict: TaskVerdict, name: str) -> Standing:
    return next(item for item in verdict.standings if item.contender == name)


def sound(item: Standing) -> dict[int, float]:
    return {seed: value for seed, value in item.values.items() if value is not None}


def title(verdict: TaskVerdict) -> str:
    return verdict.task.name


def figure(of: str, values: list[float]) -> Figure:
    x = np.array(values, dtype=float)
    interval = mean_interval(x, CONFIDENCE)
    return Figure(of, interval.value, interval.low, interval.high, len(x))


def ratio(of: str, logarithms: list[float]) -> Figure:
    """A mean of logarithms, given as a ratio."""
    mean = figure(of, logarithms)
    return Figure(of, math.exp(mean.value), math.exp(mean.low), math.exp(mean.high), mean.n)


def scaled(of: str, gap: Estimate, margin: float) -> Figure:
    """A difference in practical margins."""
    return Figure(of, gap.value / margin, gap.low / margin, gap.high / margin, gap.n)
