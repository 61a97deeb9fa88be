"""How often the statements of verdicts on real studies are true: the pools of `benchmarks.real_pools`, cut into studies
of 5 and of 10 seeds, none of which shares a seed with another. What is true is the mean over the other seeds.

    $ python -m benchmarks.real_studies

writes `benchmarks/results/real_studies.json`, and docs/statements.md has its rows.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.calibrate import finished
from benchmarks.calibration import Count, count, false_win, pairs_of, with_clone
from benchmarks.real_pools import FOLDER
from benchmarks.real_tasks import ALL, FIXED_TEST, KNOWN
from steepest.records.example_outcomes import Contributions
from steepest.records.study_record import StudyRecord
from steepest.study.store import traces
from steepest.verdict.decide import decide
from steepest.verdict.judge.pairs import MIN_SEEDS, compare_all, with_examples
from steepest.verdict.judge.questions import Asked, asked_of
from steepest.verdict.judge.rate_curves import advise, rate_curve, within
from steepest.verdict.judge.replicates import Entrant, entrant
from steepest.verdict.judge.standings import examples_of
from steepest.verdict.stats.inference import mean_difference, moments

RESULTS = Path(__file__).parent / "results" / "real_studies.json"
SEEN = 300
"""Test examples that a study sees where there are `FIXED_TEST`; the others show what is true of new rows."""
SUBSETS = 5
"""Sets of such examples that each study sees, one at a time."""
PROMISED: dict[str, tuple[str, float, float]] = {
    "clone": ("one optimizer under two names is called different", 0, 0.05),
    "clone, extended": ("the same of studies extended from 5 to 10 seeds, after a verdict on the 5", 0, 0.05),
    "clone, new rows": ("the same, asked about new rows", 0, 0.05),
    "win": ("an optimizer that is called behind is truly behind", 0.95, 1),
    "advised": ("the advised optimizer is worse than another by more than the verdict says it may be", 0, 0.05),
    "advised, by the margin": ("it is worse than another by more than the margin, which is not said", 0, 1),
    "level": ("the interval of a level holds the mean over other seeds", 0.93, 1),
    "difference": ("the interval of a difference holds the mean over other seeds", 0.93, 1),
    "level, new rows": ("the interval of a level holds the mean over other seeds and other test examples", 0.93, 1),
    "difference, new rows": ("the same of a difference", 0.93, 1),
    "safe rates": ("both ends of the range of good rates are truly within 5 %", 0.95, 1),
}

Found = dict[str, list[list[bool | None]]]
"""Statement → a list for each study: whether it was so."""


@dataclass(frozen=True)
class Pool:
    """All seeds of one data set."""

    record: StudyRecord

    @cached_property
    def names(self) -> list[str]:
        return [each.name for each in self.record.contenders]

    @cached_property
    def entrants(self) -> dict[str, Entrant]:
        return {name: self.entrant(name) for name in self.names}

    @property
    def sign(self) -> int:
        return 1 if self.record.tasks[0].higher_is_better else -1

    def entrant(self, name: str) -> Entrant:
        rows = [row for row in self.record.results if row.contender == name]
        return entrant(name, rows, self.record.tasks[0].higher_is_better)

    def without(self, name: str, seeds: Sequence[int]) -> float:
        """The mean goodness over all other seeds."""
        left = [value for seed, value in self.entrants[name].goodness.items() if seed not in seeds]
        return float(np.mean(left))

    def studies(self) -> Iterator[tuple[int, ...]]:
        """The first half of the seeds as studies of 10, the others as studies of 5."""
        seeds = sorted({row.seed for row in self.record.results})
        half = len(seeds) // 20 * 10
        yield from (tuple(seeds[i : i + 10]) for i in range(0, half, 10))
        yield from (tuple(seeds[i : i + 5]) for i in range(half, len(seeds) - 4, 5))

    def cut(self, seeds: Sequence[int]) -> StudyRecord:
        """The study of these seeds alone."""
        rows = tuple(row for row in self.record.results if row.seed in seeds)
        design = replace(self.record.protocol, seeds=len(seeds), first_seed=seeds[0])
        return replace(self.record, results=rows, protocol=design, trials_planned=len(rows), times=())


# ---- what the seeds answer -------------------------------------------------------------------------------------------


def judged(pool: Pool, seeds: Sequence[int], found: Found) -> None:
    """Counts what the verdict on one study says."""
    study = pool.cut(seeds)
    verdict = decide(study).tasks[0]
    truth = {name: pool.without(name, seeds) for name in pool.names}
    best = verdict.best
    found["win"].append([truth[best] > truth[item.contender] for item in verdict.standings if item.status == "behind"])
    found["level"].append(
        [item.quality.low <= pool.sign * truth[item.contender] <= item.quality.high
         for item in verdict.standings if item.quality and item.status != "unsure"]
    )  # fmt: skip
    goodness = {name: {s: x for s, x in pool.entrants[name].goodness.items() if s in seeds} for name in pool.names}
    if verdict.may_lose is not None:
        worse = max(truth[name] - truth[verdict.advised] for name in pool.names if name != verdict.advised)
        found["advised"].append([worse > max(verdict.margin, verdict.may_lose)])
        found["advised, by the margin"].append([worse > verdict.margin])
    covered: list[bool | None] = []
    examples = examples_of(study.tasks[0])
    for one, other in combinations(pool.names, 2):
        if min(len(goodness[one]), len(goodness[other])) >= MIN_SEEDS:
            two = {one: goodness[one], other: goodness[other]}
            gap = compare_all(two, 0.05, np.random.default_rng(0), examples=examples).pairs[one, other].estimate
            covered.append(gap.low <= truth[one] - truth[other] <= gap.high)
    found["difference"].append(covered)
    found["safe rates"].append([is_safe(pool.entrants[item.contender], item.safe_rates) for item in verdict.standings])


def is_safe(whole: Entrant, ends: tuple[float, float] | None) -> bool | None:
    """Whether both ends are truly good, by the curve of all seeds, linear between rates; None where nothing is said."""
    curve = rate_curve(whole)
    advice = advise(curve)
    if ends is None or advice is None:
        return None
    known = ~np.isnan(curve.mean)
    level = within(float(np.nanmax(np.where(curve.safe, curve.mean, np.nan))), 0.05)
    at = np.interp(np.log10(ends), np.log10(curve.rates[known]), curve.mean[known])
    return bool((at >= level - 1e-9).all())


def clones(pool: Pool, found: Found) -> None:
    """Two studies at a time: an optimizer of one against the same of the other."""
    for size in (5, 10):
        same = [pool.cut(seeds) for seeds in pool.studies() if len(seeds) == size]
        for a, b in pairs_of(same):
            found["clone"].append([false_win(with_clone(a, b, name, True), name, 0.0) for name in pool.names])


def extended_clones(pool: Pool, found: Found) -> None:
    """The same of studies of 10 seeds that had a verdict after 5: an extended study has the trials of one run at once,
    and its verdict pays for both looks."""
    seeds = sorted({row.seed for row in pool.record.results})
    tens = [pool.cut(tuple(seeds[i : i + 10])) for i in range(0, len(seeds) - 9, 10)]
    for a, b in pairs_of([replace(each, protocol=replace(each.protocol, grown=(5,))) for each in tens]):
        found["clone, extended"].append([false_win(with_clone(a, b, name, True), name, 0.0) for name in pool.names])


# ---- new rows --------------------------------------------------------------------------------------------------------


def on_new_rows(pool: Pool, asked: Asked, found: Found, rng: np.random.Generator) -> None:
    """Each study sees some of the test examples that all seeds have; the others show what is true."""
    tables = {name: {seed: each.values for seed, each in asked.outcomes[name].items()} for name in pool.names}
    for seeds in pool.studies():
        mask = np.isin(np.arange(FIXED_TEST), rng.permutation(FIXED_TEST)[:SEEN])
        others = {name: np.mean([x[~mask] for seed, x in table.items() if seed not in seeds])
                  for name, table in tables.items()}  # fmt: skip
        mine = {name: {seed: tables[name][seed] for seed in seeds if seed in tables[name]} for name in pool.names}
        seen = Asked("new-rows", False, asked.train_share, {name: _masked(of, mask) for name, of in mine.items()})
        samples = {name: {seed: float(x[mask].mean()) for seed, x in of.items()} for name, of in mine.items()}
        levels: list[bool | None] = []
        for name, values in samples.items():
            x = np.array([*values.values()])
            added = seen.of_level(name, [*values], moments(x)[1])
            assert added is not None
            interval = with_examples(mean_difference(x), added).interval(0.95)
            levels.append(bool(interval.low <= others[name] <= interval.high))
        found["level, new rows"].append(levels)
        gaps: list[bool | None] = []
        for one, other in combinations(pool.names, 2):
            two = {name: samples[name] for name in (one, other)}
            gap = compare_all(two, 0.05, rng, asked=seen).pairs[one, other].estimate
            gaps.append(bool(gap.low <= others[one] - others[other] <= gap.high))
        found["difference, new rows"].append(gaps)


def clones_on_new_rows(pool: Pool, asked: Asked, found: Found, rng: np.random.Generator) -> None:
    """As `clones`, on the same test examples."""
    for size in (5, 10):
        same = [seeds for seeds in pool.studies() if len(seeds) == size]
        for i in range(0, len(same) - 1, 2):
            mask = np.isin(np.arange(FIXED_TEST), rng.permutation(FIXED_TEST)[:SEEN])
            told: list[bool | None] = []
            for name in pool.names:
                of = [
                    {k: asked.outcomes[name][seed].values for k, seed in enumerate(seeds)} for seeds in same[i : i + 2]
                ]
                samples = {str(j): {k: float(x[mask].mean()) for k, x in each.items()} for j, each in enumerate(of)}
                outcomes = {str(j): _masked(each, mask) for j, each in enumerate(of)}
                seen = Asked("new-rows", False, asked.train_share, outcomes)
                told.append(compare_all(samples, 0.05, rng, asked=seen).pairs["0", "1"].p < 0.05)
            found["clone, new rows"].append(told)


def _masked(values: Mapping[int, np.ndarray], mask: np.ndarray) -> dict[int, Contributions]:
    return {seed: Contributions(mask, x[mask], SEEN, True) for seed, x in values.items()}


# ---- all of it -------------------------------------------------------------------------------------------------------


def examined(place: Path, record: StudyRecord, found: Found) -> int:
    """Counts what is said of the studies of one pool; how many they are."""
    task = replace(ALL[record.tasks[0].name]().facts(), name=record.tasks[0].name)  # as this version knows it
    pool = Pool(replace(record, tasks=(task,)))
    studies = [*pool.studies()]
    for seeds in studies:
        judged(pool, seeds, found)
    clones(pool, found)
    extended_clones(pool, found)
    if record.tasks[0].n_test == FIXED_TEST:
        asked = asked_of(record.tasks[0], "new-rows", pool.entrants, traces(place, record))
        assert asked.outcomes, f"{place}: the test examples are not known"
        rng = np.random.default_rng([*place.name.encode()])  # pools of the same data see other examples
        for _ in range(SUBSETS):
            on_new_rows(pool, asked, found, rng)
        clones_on_new_rows(pool, asked, found, rng)
    return len(studies)


def row(key: str, groups: list[list[bool | None]]) -> dict[str, Any]:
    """As a row of the table. The interval counts studies, not comparisons: those of one study share its seeds."""
    says, low, high = PROMISED[key]
    rate = Count(count(groups).groups).to_json()
    if (low, high) == (0, 1):
        kept = "not promised"
    elif low <= rate["low"] and rate["high"] <= high:
        kept = "yes"
    else:
        kept = "no" if rate["high"] < low or rate["low"] > high else "open"
    return {"says": says, "low": low, "high": high, "found": rate["rate"], "n": rate["n"], "from": rate["low"],
            "to": rate["high"], "kept": kept}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    asked = parser.parse_args()
    found: Found = defaultdict(list)
    counts: dict[str, int] = {}
    for place in sorted(asked.folder.glob("*-*")):
        if (record := finished(place)) and (name := record.tasks[0].name) in ALL:
            counts[name] = counts.get(name, 0) + (studies := examined(place, record, found))
            print(f"{place.name}: {studies} studies", flush=True)
    rows = {key: row(key, found[key]) for key in PROMISED if any(found[key])}
    for key, each in rows.items():
        print(f"{key}: {each['found']:.3f} [{each['from']:.3f}, {each['to']:.3f}] of {each['n']}: {each['kept']}")
    known = {name: name in KNOWN for name in counts}
    result = {"studies": counts, "known": known, "rows": rows}
    RESULTS.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
