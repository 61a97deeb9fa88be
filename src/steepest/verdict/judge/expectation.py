"""What to expect of a contender on new examples of the same kind, after it was selected among ties.

The mean over seeds answers another question: how good it was on these test examples. It is also the best of several
where some tie, and so looks too good.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from steepest.records.task_facts import TaskFacts
from steepest.verdict.judge.pairs import MIN_SEEDS
from steepest.verdict.judge.placement import FIXED_RATES
from steepest.verdict.judge.replicates import Entrant
from steepest.verdict.judge.standings import Evidence, examples_of, on_new_rows
from steepest.verdict.results import Estimate, Expectation, Standing
from steepest.verdict.stats.inference import critical_t, mean_interval, moments, shrunk_means


def with_expectations(
    standings: Sequence[Standing], ranked: Sequence[Entrant], evidence: Evidence
) -> tuple[Standing, ...]:
    """The same standings. Of the best and its ties, the means are shrunk towards each other."""
    front = [item for item in standings if item.status in ("best", "tie")]
    entrants = {item.contender: item for item in ranked}
    table = np.array([[math.nan if x is None else x for x in _over(item, front)] for item in front], dtype=float)
    middles = dict(zip((item.contender for item in front), shrunk_means(table), strict=True)) if front else {}
    return tuple(
        replace(item, expected=expectation(item, entrants[item.contender], middles.get(item.contender), evidence))
        for item in standings
    )


def _over(item: Standing, front: Sequence[Standing]) -> list[float | None]:
    return [item.values.get(seed) for seed in sorted({seed for each in front for seed in each.values})]


def expectation(item: Standing, entrant: Entrant, middle: float | None, evidence: Evidence) -> Expectation | None:
    """None where there are too few replicates. middle: the shrunk mean; None for the mean itself."""
    known = np.array([x for x in item.values.values() if x is not None], dtype=float)
    if len(known) < MIN_SEEDS:
        return None
    mean, variance = moments(known)
    task, n = evidence.task, len(known)
    examples = examples_of(task)
    least = examples.least_variance(mean, n, variance)
    placed = evidence.placed.get(item.contender, FIXED_RATES).variance
    half = mean_interval(known, evidence.coverage, least, placed).high - mean
    other: float | None = None
    if evidence.asked.answered == "new-rows":
        wide = on_new_rows(entrant, evidence)
        half, other = (wide.high - mean, 0.0) if wide else (half, None)
    elif evidence.asked.question == "new-rows":
        drawn = evidence.asked.drawn
        other = of_other_examples(task, drawn, max(variance, least), least)
        # Where seeds draw their examples, the spread of the seeds estimates this error; else that of a known share.
        times = critical_t(1 - evidence.coverage, n - 1 if drawn else 1e9)
        half = math.hypot(half, times * math.sqrt(other or 0.0))
    value = mean if middle is None else middle
    low, high = value - half, value + half
    if task.unit == "%" and task.higher_is_better and 0 <= value <= 1:
        low, high = max(0.0, low), min(1.0, high)
    return Expectation(Estimate(value, low, high, n), other is not None)


def of_other_examples(task: TaskFacts, drawn: bool, variance: float, least: float) -> float | None:
    """The variance that other examples of the same kind would add to a mean; None where it is not known.

    drawn: each seed draws its test examples from the same rows. Then it is s²·n_test/n_train, since the training sets
    of the seeds overlap (Nadeau and Bengio, 2003). Else all seeds have the same test examples, and it is that of a
    share of right answers.
    """
    if drawn:
        return variance * task.n_test / task.n_train if task.n_train else None
    examples = examples_of(task)
    return least if examples.count and examples.counted else None
