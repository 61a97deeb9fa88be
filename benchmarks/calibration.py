"""How often a verdict is wrong: pure functions of the records of real studies of the same contenders with new seeds.
`benchmarks/calibrate.py` runs the studies.

A study of one optimizer under two names needs different seeds on both sides: with the same seeds both would train
identical trials. So the trials of the second name come from another study with other seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from scipy import stats

from steepest.records.contender import Contender
from steepest.records.outcomes import Result
from steepest.records.ranking import is_sound, pooled_best
from steepest.records.study_record import StudyRecord
from steepest.verdict.decide import decide
from steepest.verdict.judge.pairs import MIN_SEEDS, compare_all
from steepest.verdict.judge.replicates import entrant
from steepest.verdict.stats.inference import welch

CLONE = "{} again"
ALPHA = 0.05


Group = tuple[int, int]
"""(hits, n) of comparisons that share their seeds."""


@dataclass(frozen=True)
class Count:
    """Hits and trials, in groups that share their seeds. The optimizers of a study have the same seeds, and so the same
    test examples, and are wrong together. Counting them one by one would make a rate look surer than it is."""

    groups: tuple[Group, ...]

    @property
    def hits(self) -> int:
        return sum(hits for hits, _ in self.groups)

    @property
    def n(self) -> int:
        return sum(n for _, n in self.groups)

    @property
    def effective(self) -> float:
        """The number of independent ones that would say as much: n over the design effect, which is the variance
        between groups over the binomial one (Kish, 1965); the number of groups where all or none are hits."""
        rate, known = self.hits / self.n, len(self.groups)
        if known < 2 or rate in (0.0, 1.0):
            return float(known)
        between = known / (known - 1) * sum((hits - rate * n) ** 2 for hits, n in self.groups) / self.n**2
        return self.n / max(1.0, between / (rate * (1 - rate) / self.n))

    def to_json(self) -> dict[str, Any]:
        """With the interval of Clopper and Pearson (1934) for the effective number (Korn and Graubard, 1998)."""
        if not self.n:
            return {"rate": None, "low": None, "high": None, "n": 0, "effective": 0.0}
        rate, n = self.hits / self.n, self.effective
        low = float(stats.beta.ppf(0.025, rate * n, n - rate * n + 1)) if rate > 0 else 0.0
        high = float(stats.beta.ppf(0.975, rate * n + 1, n - rate * n)) if rate < 1 else 1.0
        return {"rate": rate, "low": low, "high": high, "n": self.n, "effective": round(n, 1)}


def count(groups: Iterable[Iterable[bool | None]]) -> Count:
    """Of those that could be judged at all."""
    known = [[each for each in group if each is not None] for group in groups]
    return Count(tuple((sum(group), len(group)) for group in known if group))


# ---- one optimizer under two names -----------------------------------------------------------------------------------


def with_clone(study: StudyRecord, other: StudyRecord, name: str, only: bool) -> StudyRecord:
    """`study` with the contender `name` of `other` as one more, under another name and with the first one's seeds.

    only: without any other contender. Seeds get the same numbers, as in a real study, although the trials had different
    ones.
    """
    again = CLONE.format(name)
    shift = study.protocol.first_seed - other.protocol.first_seed
    rows = [row for row in study.results if row.contender == name or not only]
    rows += [
        replace(row, contender=again, seed=row.seed + shift, shard=f"again-{row.shard}")
        for row in other.results
        if row.contender == name
    ]
    kept = [each for each in study.contenders if each.name == name or not only]
    mine = next(each for each in kept if each.name == name)
    return replace(
        study,
        contenders=(*kept, Contender(again, mine.rule, mine.centre)),
        reference=name,
        results=tuple(rows),
        times=(),
        trials_planned=len(rows),
    )


def false_win(study: StudyRecord, name: str, margin: float | None = None) -> bool | None:
    """Whether the verdict has one of the two names as the best and the other one behind it; None if neither could be
    judged. margin: 0 counts differences of any size, None those that matter by the task's own margin."""
    verdict = decide(study, margin=margin).tasks[0]
    status = {item.contender: item.status for item in verdict.standings}
    both = (status[name], status[CLONE.format(name)])
    return None if "unsure" in both or "failed" in both else set(both) == {"best", "behind"}


def pairs_of(studies: Sequence[StudyRecord]) -> Iterator[tuple[StudyRecord, StudyRecord]]:
    """Studies two by two, each once."""
    return ((studies[i], studies[i + 1]) for i in range(0, len(studies) - 1, 2))


# ---- the usual protocol, on the same trials --------------------------------------------------------------------------


def usual_value(tuned_on: Sequence[Result], final: Sequence[Result], higher_is_better: bool) -> np.ndarray | None:
    """Test values of fresh seeds at the rate that tuning picked; None where fewer than 5 are sound."""
    rate = pooled_best(tuned_on, higher_is_better)
    values = [row.test_metric for row in final if row.rate == rate and is_sound(row) and row.test_metric is not None]
    return np.array(values) if len(values) >= MIN_SEEDS else None


def usual_false_wins(studies: Sequence[StudyRecord], name: str, seeds: int | None) -> Iterator[bool | None]:
    """Four studies a time: on each of two sides tune on `seeds` seeds of one (None: on all), then take the picked
    rate's test values on the fresh seeds of another, and test by Welch's t at 5 %. Rates are those of the grid."""
    higher = studies[0].tasks[0].higher_is_better if studies else True

    def grid(study: StudyRecord, most: int | None = None) -> list[Result]:
        end = study.protocol.first_seed + (most or study.protocol.seeds)
        return [r for r in study.results if r.contender == name and r.stage == "grid" and r.seed < end]

    for i in range(0, len(studies) - 3, 4):
        a, fresh_a, b, fresh_b = studies[i : i + 4]
        x = usual_value(grid(a, seeds), grid(fresh_a), higher)
        y = usual_value(grid(b, seeds), grid(fresh_b), higher)
        yield None if x is None or y is None else welch(x, y).p < ALPHA


# ---- claimed wins against the truth ----------------------------------------------------------------------------------


def values(study: StudyRecord, name: str) -> dict[int, float]:
    """Seed → goodness of the sound replicates of one contender."""
    rows = [row for row in study.results if row.contender == name]
    return entrant(name, rows, study.tasks[0].higher_is_better).goodness


def agreements(studies: Sequence[StudyRecord]) -> Iterator[list[bool]]:
    """Study by study, for every win that its verdict claims, over anyone who is behind: whether the mean over the seeds
    of all other studies has the same sign."""
    names = [each.name for each in studies[0].contenders] if studies else []
    known = [{name: list(values(study, name).values()) for name in names} for study in studies]
    for i, study in enumerate(studies):
        truth = {
            name: np.mean([x for j, each in enumerate(known) if j != i for x in each[name]])
            for name in names
            if any(each[name] for j, each in enumerate(known) if j != i)
        }
        verdict = decide(study).tasks[0]
        yield [
            bool(truth[verdict.best] > truth[item.contender])
            for item in verdict.standings
            if item.status == "behind" and {item.contender, verdict.best} <= truth.keys()
        ]


# ---- coverage on real studies ----------------------------------------------------------------------------------------


def real_coverage(studies: Sequence[StudyRecord], n: int, draws: int, generator: np.random.Generator) -> Iterator[bool]:
    """Studies of n replicates drawn from all that were run, two contenders a time with the same seeds for both: whether
    the interval, paired where that is shown to help, holds the difference over all seeds."""
    names = [each.name for each in studies[0].contenders] if studies else []
    pool: dict[str, dict[int, float]] = {name: {} for name in names}
    for study in studies:
        for name in names:
            pool[name] |= values(study, name)
    for one, other in combinations(names, 2):
        common = sorted(pool[one].keys() & pool[other].keys())
        if len(common) < 4 * n:
            continue
        x, y = (np.array([pool[name][seed] for seed in common]) for name in (one, other))
        truth = x.mean() - y.mean()
        for _ in range(draws):
            drawn = generator.integers(len(common), size=n)
            samples = {one: dict(enumerate(x[drawn])), other: dict(enumerate(y[drawn]))}
            interval = compare_all(samples, ALPHA, generator).pairs[one, other].difference.interval(1 - ALPHA)
            yield bool(interval.low <= truth <= interval.high)


# ---- all of it -------------------------------------------------------------------------------------------------------


def calibration(cells: Mapping[tuple[str, int], Sequence[StudyRecord]], draws: int = 200) -> dict[str, Any]:
    """Figures of every cell (task, seeds a study), and over all of them, ready for JSON."""
    rows = []
    for (task, seeds), studies in cells.items():
        names = [each.name for each in studies[0].contenders] if studies else []
        pairs = list(pairs_of(studies))

        def told_apart(only: bool, margin: float | None, pairs: Any = pairs, names: Any = names) -> Count:
            return count([false_win(with_clone(a, b, name, only), name, margin) for name in names] for a, b in pairs)

        usual = {
            f"tuned on {label}": count(zip(*(usual_false_wins(studies, name, most) for name in names), strict=True))
            for label, most in (("1 seed", 1), ("all seeds", None))
        }
        generator = np.random.default_rng([seeds, len(task)])
        rows.append(
            {
                "task": task,
                "seeds": seeds,
                "studies": len(studies),
                "two names": told_apart(True, 0.0),
                "two names, beyond the margin": told_apart(True, None),
                "a clone among all": told_apart(False, 0.0),
                "usual": usual,
                "agreement": count(agreements(studies)),
                "coverage": count([each] for each in real_coverage(studies, seeds, draws, generator)),
            }
        )

    def over_all(key: str) -> dict[str, Any]:
        return Count(tuple(group for row in rows for group in row[key].groups)).to_json()

    return {
        "false_win_rate": over_all("two names") | {"a clone among all": over_all("a clone among all")},
        "agreement": over_all("agreement"),
        "coverage": over_all("coverage"),
        "cells": [
            {
                key: {name: each.to_json() for name, each in value.items()} if isinstance(value, dict)
                else value.to_json() if isinstance(value, Count) else value
                for key, value in row.items()
            }
            for row in rows
        ],
    }  # fmt: skip
