"""From the verdicts of several tasks to what it costs to use one contender on all of them."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from steepest.verdict.judge.pairs import MIN_SEEDS
from steepest.verdict.judge.standings import TARGETS
from steepest.verdict.results import Estimate, Everywhere, Standing, TaskVerdict
from steepest.verdict.stats.cross_task import profile_areas, regret, regrets

QUICK = next(iter(TARGETS))
"""The target that performance profiles are of: the nearer one, which most contenders reach."""
Unit = Literal["", "progress", "level"]


def everywhere(
    verdicts: Sequence[TaskVerdict], confidence: float, generator: np.random.Generator
) -> tuple[tuple[Everywhere, ...], Unit]:
    """Those judged on every task, the smallest mean regret first; and what a regret is a share of.

    That is the way from an untrained model to the task's best, where curves tell where it starts; else the level of
    the best. Nothing where fewer than two tasks or contenders can be compared, or where a best level is 0.
    """
    tables = [{item.contender: item for item in verdict.standings} for verdict in verdicts]
    names = [name for name in tables[0] if all(_judged(table.get(name)) for table in tables)] if tables else []
    if len(verdicts) < 2 or len(names) < 2:
        return (), ""
    signs = [1 if verdict.task.higher_is_better else -1 for verdict in verdicts]
    samples = [
        [sign * _known(table[name]) for name in names] for sign, table in zip(signs, tables, strict=True)
    ]  # [T][k]
    means = np.array([[x.mean() for x in row] for row in samples])  # [T, k]
    unit, units = _units(verdicts, signs, means)
    if not np.all(units > 0):
        return (), ""
    found = regrets(samples, units, confidence, generator)
    areas = _areas(tables, names, confidence, generator)
    each = regret(means, units)  # [T, k]
    shown = [any(_is_behind(table[name], (1 - confidence) / len(tables)) for table in tables) for name in names]
    rows = [
        Everywhere(
            contender=name,
            regret=Estimate(found[c].value, found[c].low if shown[c] else 0.0, found[c].high, len(verdicts)),
            worst=float(each[:, c].max()),
            worst_task=verdicts[int(each[:, c].argmax())].task.name,
            profile=areas[c] if areas else None,
        )
        for c, name in enumerate(names)
    ]
    overall = dict(zip(names, each.mean(axis=0).tolist(), strict=True))
    return tuple(sorted(rows, key=lambda row: (row.regret.value, overall[row.contender]))), unit


def _judged(item: Standing | None) -> bool:
    return item is not None and item.replicates >= MIN_SEEDS


def _is_behind(item: Standing, level: float) -> bool:
    """Whether it is shown to be worse than the task's best at this level, which makes up for there being many tasks."""
    return item.behind_best is not None and item.behind_best.value > 0 and (item.p_best or 0.0) < level


def _known(item: Standing) -> np.ndarray:  # [n]
    return np.array([value for value in item.values.values() if value is not None])


def _units(verdicts: Sequence[TaskVerdict], signs: Sequence[int], means: np.ndarray) -> tuple[Unit, np.ndarray]:
    """What one unit of regret is on each task [T], in goodness."""
    best = means.max(axis=1)  # [T]
    if all(verdict.start is not None for verdict in verdicts):
        start = np.array([sign * (v.start or 0.0) for sign, v in zip(signs, verdicts, strict=True)])
        return "progress", best - start
    return "level", np.abs(best)


def _areas(
    tables: Sequence[dict[str, Standing]], names: Sequence[str], confidence: float, generator: np.random.Generator
) -> list[Estimate] | None:
    """Of the time to the target, in seconds; None where a task or a contender has no such times."""
    times: list[list[np.ndarray]] = []
    for table in tables:
        row: list[np.ndarray] = []
        for name in names:
            arrival, ms = table[name].arrivals.get(QUICK), table[name].milliseconds
            if arrival is None or ms is None or not arrival.of:
                return None
            steps = [math.inf if step is None else step for step in arrival.times.values()]
            row.append(ms / 1000 * np.array(steps))
        times.append(row)
    return [Estimate(x.value, x.low, x.high, len(tables)) for x in profile_areas(times, confidence, generator)]
