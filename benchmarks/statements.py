"""How often the statements of a verdict are true: simulated studies whose truth is known, one function a statement.

    $ python -m benchmarks.statements --studies 2000

prints a row for each and writes `benchmarks/results/statements.json`; docs/statistics.md quotes such rows. The tests
run small versions. The functions of the product are used as they are; only the training is replaced by chance.
"""

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from steepest.articles.hypotheses import NotBehind
from steepest.articles.measures import Figure
from steepest.records.contender import Contender
from steepest.records.outcomes import Outcome, Result
from steepest.records.ranking import Score
from steepest.records.study_record import StudyDesign, StudyRecord
from steepest.records.task_facts import TaskFacts
from steepest.study.protocol import grid_search, on_more_seeds
from steepest.verdict.decide import decide
from steepest.verdict.judge.findings import largest_spread
from steepest.verdict.judge.pairs import compare_all
from steepest.verdict.judge.placement import placement
from steepest.verdict.judge.replicates import Entrant, entrant
from steepest.verdict.results import TaskVerdict
from steepest.verdict.stats.cross_task import regrets
from steepest.verdict.stats.inference import power, smallest_difference

RESULTS = Path(__file__).parent / "results" / "statements.json"
Count = tuple[int, int]
"""(how often it was so, of how many)."""


@dataclass(frozen=True)
class Statement:
    """What is said, how often it must be true or may be wrong, and the simulation that counts."""

    says: str
    low: float
    high: float
    count: Callable[[int, np.random.Generator], Count]
    cost: int = 1
    """How many of the cheapest studies take as long as one of these."""

    def row(self, studies: int, seed: int = 0) -> dict[str, Any]:
        """Promised and found, with the exact interval of Clopper and Pearson; kept if all of it keeps the promise,
        broken if none of it does."""
        hits, n = self.count(max(20, studies // self.cost), np.random.default_rng([seed, 16]))
        low = float(stats.beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0
        high = float(stats.beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0
        inside = self.low <= low and high <= self.high
        outside = high < self.low or low > self.high
        return {"says": self.says, "low": self.low, "high": self.high, "found": hits / n if n else None, "n": n,
                "from": low, "to": high, "kept": "yes" if inside else "no" if outside else "open"}  # fmt: skip


# ---- where extra rates are placed ------------------------------------------------------------------------------------

EDGE = -1.75
"""Where the best rate lies, in decades from the middle of the grid, which reaches to −2: the pooled best is at the end
of the grid or next to it, as chance has it."""


def searched(rng: np.random.Generator, seeds: int, best: float = EDGE, noise: float = 0.004, of: int = 0) -> Entrant:
    """One contender whose quality falls by 0.06 a decade from its best rate. `seeds` place the extra rates; with `of`,
    as many seeds run in all."""
    rows: list[Result] = []

    def done(lanes: Sequence[Any]) -> list[Score]:
        scores: list[Score] = []
        for lane in lanes:
            quality = 0.96 - 0.06 * min(3.0, abs(math.log10(lane.rate) - best)) + 0.006 * rng.normal()
            valid, test = quality + noise * rng.normal(), quality + 0.003 * rng.normal()
            scores.append(Score(lane.rate, lane.seed, Outcome.OK, valid, -valid))
            rows.append(result(lane.rate, lane.seed, lane.stage, valid, test))
        return scores

    search = grid_search(Contender("a", "sgd", 1.0), StudyDesign(seeds=seeds), True)
    lanes = next(search)
    while True:
        try:
            lanes = search.send(done(lanes))
        except StopIteration:
            break
    for more in on_more_seeds({(row.stage, row.rate): None for row in rows}, range(seeds, max(of, seeds))):
        done(more)
    return entrant("a", rows, True)


def result(rate: float, seed: int, stage: Any, valid: float, test: float) -> Result:
    return Result(
        task="t", contender="a", rate=rate, seed=seed, stage=stage, batch_size=32, steps=100, outcome=Outcome.OK,
        outcome_step=100, train_loss=None, valid_loss=-valid, valid_metric=valid, test_loss=None, test_metric=test,
        shard="s", lane=0,
    )  # fmt: skip


def differ(studies: int, rng: np.random.Generator, seeds: int = 10, noise: float = 0.004, of: int = 0,
           best: float = EDGE) -> Count:  # fmt: skip
    """Two equals whose best rate lies near an end of the grid: called different."""
    wrong = 0
    for _ in range(studies):
        pair = {name: searched(rng, seeds, best, noise, of) for name in "ab"}
        placed = {name: placement(item, range(seeds), rng) for name, item in pair.items()}
        samples = {name: item.goodness for name, item in pair.items()}
        wrong += compare_all(samples, 0.05, rng, placed=placed).pairs["a", "b"].p < 0.05
    return wrong, studies


# ---- levels ----------------------------------------------------------------------------------------------------------


def facts(test: int = 0, luck: tuple[str, ...] = ("initial weights",), train: int = 1000) -> TaskFacts:
    return TaskFacts(
        name="t", title="t", metric="accuracy", higher_is_better=True, unit="%", margin=0.0025, n_train=train,
        n_valid=100, n_test=test, parameters=10, batch_size=32, steps=100, luck=luck, source="simulated",
    )  # fmt: skip


def judged(task: TaskFacts, values: Mapping[str, np.ndarray]) -> TaskVerdict:
    """The verdict on one trial a seed."""
    rows = [
        replace(result(0.001, seed, "grid", float(x), float(x)), contender=name)
        for name, xs in values.items() for seed, x in enumerate(xs)
    ]  # fmt: skip
    return verdict_on(task, rows, list(values))


def verdict_on(task: TaskFacts, rows: Sequence[Result], names: Sequence[str]) -> TaskVerdict:
    seeds = len({row.seed for row in rows})
    study = StudyRecord(
        name="s", command="", created="", finished=True, protocol=StudyDesign(seeds=seeds), reference=names[0],
        tasks=(task,), contenders=tuple(Contender(name, "sgd", 1e-3) for name in names), results=tuple(rows), times=(),
        trials_planned=len(rows), seconds=1.0,
    )  # fmt: skip
    return decide(study).tasks[0]


def level_of_the_first(studies: int, rng: np.random.Generator, k: int = 13, spread: float = 0.0) -> Count:
    """The level to expect of the advised one holds its true level; `k` contenders of which most tie."""
    held = 0
    for _ in range(studies):
        true = 0.7 + 0.006 * spread * rng.normal(size=k)
        values = {str(i): m + 0.006 * rng.normal(size=10) for i, m in enumerate(true)}
        verdict = judged(facts(test=0, luck=("initial weights",)), values)
        item = next(each for each in verdict.standings if each.contender == verdict.advised)
        assert item.expected is not None
        held += item.expected.level.low <= true[int(item.contender)] <= item.expected.level.high
    return held, studies


def on_new_examples(studies: int, rng: np.random.Generator, test: int = 1000, seeds: int = 10) -> Count:
    """The level to expect holds the accuracy over all examples, where all seeds have the same `test` examples: each is
    hard or easy for all seeds, and each seed is right on it with its own chance."""
    held = 0
    a, b = 1.6, 0.4
    for _ in range(studies):
        easy = rng.beta(a, b, size=test)
        values = (rng.random((seeds, test)) < easy).mean(axis=1)
        level = judged(facts(test), {"a": values, "b": values - 0.3}).standings[0].expected
        assert level is not None and level.on_new_examples
        held += level.level.low <= a / (a + b) <= level.level.high
    return held, studies


def on_new_rows(studies: int, rng: np.random.Generator, rows: int = 200, seeds: int = 10) -> Count:
    """The level to expect holds the mean level over new data sets, where each seed splits the same `rows` again:
    nearest centroids between two clouds."""
    levels: list[tuple[float, float, float]] = []
    test = int(0.15 * rows)
    train = rows - 2 * test
    for _ in range(studies):
        y = rng.integers(2, size=rows)
        x = rng.normal(size=(rows, 6)) + y[:, None] * 0.5
        values: list[float] = []
        for _ in range(seeds):
            order = rng.permutation(rows)
            fit, held_out = order[:train], order[-test:]
            centres = np.stack([x[fit][y[fit] == c].mean(axis=0) for c in (0, 1)])
            guess = ((x[held_out, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
            values.append(float((guess == y[held_out]).mean()))
        task = facts(test, ("initial weights", "train/validation/test split"), train)
        found = judged(task, {"a": np.array(values), "b": np.array(values) - 0.3}).standings[0].expected
        assert found is not None and found.on_new_examples
        levels.append((found.level.value, found.level.low, found.level.high))
    truth = float(np.mean([value for value, _, _ in levels]))
    return sum(low <= truth <= high for _, low, high in levels), studies


# ---- differences -----------------------------------------------------------------------------------------------------


def claimed(studies: int, rng: np.random.Generator, lag: float = 0.5) -> tuple[Count, Count]:
    """Of leads that are claimed, how many intervals hold the true one: of those only just found, and of the others."""
    just, sure = [0, 0], [0, 0]
    task = replace(facts(), margin=0.0)
    for _ in range(studies):
        values = {"a": 0.7 + 0.006 * rng.normal(size=10), "b": 0.7 - 0.006 * lag + 0.006 * rng.normal(size=10)}
        verdict = judged(task, values)
        second = verdict.standings[1]
        if second.status == "behind" and second.behind_best is not None:
            true = 0.006 * lag * (1 if verdict.best == "a" else -1)
            which = just if any(claim.sentence.startswith("Only just") for claim in verdict.claims) else sure
            which[0] += second.behind_best.low <= true <= second.behind_best.high
            which[1] += 1
    return (just[0], just[1]), (sure[0], sure[1])


def noticed(studies: int, rng: np.random.Generator, n: int = 10) -> Count:
    """The true chance of finding the difference that a study is said to find with a chance of at least 80 %."""
    reached = 0
    for _ in range(studies):
        x = {name: dict(enumerate(rng.normal(size=n))) for name in "ab"}
        pair = compare_all(x, 0.05, rng).pairs["a", "b"]
        smallest = smallest_difference(largest_spread(pair), pair.n, pair.level)
        reached += power(smallest, (1.0, 1.0), n, pair.level) >= 0.8
    return reached, studies


# ---- learning rates --------------------------------------------------------------------------------------------------

TRIED = np.sort(np.r_[np.linspace(-2, 2, 9), [-1 / 3, -1 / 6, 1 / 6, 1 / 3]])
"""Decades from the best rate, as after refinement."""


def over_rates(rng: np.random.Generator, names: str, width: float, trial: float, noise: float, n: int) -> TaskVerdict:
    """Equals whose quality is 5 % below the best at ± `width` decades."""
    rows: list[Result] = []
    for name in names:
        for seed in range(n):
            test = 0.9 - 0.045 * np.abs(TRIED / width) ** 2 + trial * rng.normal(size=len(TRIED))
            valid = test + noise * rng.normal(size=len(TRIED))
            for x, v, t in zip(TRIED, valid, test, strict=True):
                rows.append(replace(result(float(f"{1e-3 * 10**x:.6g}"), seed, "grid", v, t), contender=name))
    return verdict_on(facts(), rows, list(names))


def safe(studies: int, rng: np.random.Generator, n: int = 10, noise: float = 0.01, width: float = 0.5) -> Count:
    """Both ends of the range of good rates are truly within 5 % of the best."""
    good = count = 0
    for _ in range(studies):
        for item in over_rates(rng, "ab", width, 0.006, noise, n).standings:
            assert item.safe_rates is not None
            good += all(abs(math.log10(rate / 1e-3)) <= width + 1e-9 for rate in item.safe_rates)
            count += 1
    return good, count


def named_most_forgiving(studies: int, rng: np.random.Generator, n: int = 10, noise: float = 0.01) -> Count:
    """Among five equals, one is said to have the widest range of good rates."""
    said = 0
    for _ in range(studies):
        verdict = over_rates(rng, "abcde", 0.5, 0.006, noise, n)
        said += any("widest range" in claim.sentence for claim in verdict.claims)
    return said, studies


def wrong_word(studies: int, rng: np.random.Generator, width: float = 0.5, n: int = 5, noise: float = 0.03) -> Count:
    """An optimizer with a decade of good rates (±0.5) is said to be sensitive."""
    wrong = 0
    for _ in range(studies):
        verdict = over_rates(rng, "a", width, 0.01, noise, n)
        wrong += any("sensitive to its learning rate" in claim.sentence for claim in verdict.claims)
    return wrong, studies


# ---- over tasks ------------------------------------------------------------------------------------------------------


def regret_of_equals(studies: int, rng: np.random.Generator, k: int = 7, tasks: int = 6) -> Count:
    """Of equals on all tasks, the interval of the mean regret holds 0."""
    held = 0
    for _ in range(studies):
        samples = [[rng.normal(size=10) for _ in range(k)] for _ in range(tasks)]
        held += sum(each.low <= 0 for each in regrets(samples, np.ones(tasks), 0.95, rng)[0])
    return held, k * studies


def supported(studies: int, rng: np.random.Generator, true: float = 5.0) -> Count:
    """A contender that is truly 5 margins behind, in a small study, is said to support that it is at most 4 behind."""
    rule, yes = NotBehind(4.0), 0
    for _ in range(studies):
        x = {"a": dict(enumerate(true + 4 * rng.normal(size=5))), "b": dict(enumerate(4 * rng.normal(size=5)))}
        gap = compare_all(x, 0.05, rng).pairs["a", "b"].estimate
        yes += rule.answer(Figure("", gap.value, gap.low, gap.high, gap.n)) == "yes"
    return yes, studies


STATEMENTS: dict[str, Statement] = {
    "equals near an end": Statement(
        "two equals whose best rate lies near an end of the grid are called different, 10 seeds", 0, 0.05, differ, 8),
    "equals near an end, until sure": Statement(
        "the same, rates placed by 5 seeds and used by 20", 0, 0.05,
        lambda n, rng: differ(n, rng, 5, 0.02, 20, -2.2), 8),
    "level among 13 equals": Statement(
        "the level to expect of the advised one among 13 equals holds its true level", 0.93, 1, level_of_the_first, 8),
    "level among 7": Statement(
        "the same among 7 that differ by 0.3 standard deviations", 0.93, 1,
        lambda n, rng: level_of_the_first(n, rng, 7, 0.3), 4),
    "level on new examples": Statement(
        "the level to expect holds the accuracy over all examples, 1,000 test examples shared by 10 seeds", 0.93, 1,
        on_new_examples, 2),
    "level on new examples, 20 seeds": Statement(
        "the same, 500 test examples and 20 seeds", 0.93, 1, lambda n, rng: on_new_examples(n, rng, 500, 20), 2),
    "level on new rows": Statement(
        "the level to expect holds the mean over new data sets of 200 rows, split again by each of 10 seeds", 0.93, 1,
        on_new_rows, 2),
    "leads only just found": Statement(
        "the interval of a lead that is only just found holds the true one (said: too large on average)", 0, 1,
        lambda n, rng: claimed(n, rng)[0], 1),
    "leads clearly found": Statement(
        "the interval of a lead of 2 standard deviations that is clearly found holds the true one", 0.93, 1,
        lambda n, rng: claimed(n, rng, 2.0)[1], 1),
    "noticed 4 times in 5": Statement(
        "the chance of finding the stated difference is at least .8 (90 % of studies)", 0.88, 1, noticed, 2),
    "safe rates": Statement(
        "both ends of the range of good rates are truly within 5 % of the best, 10 seeds", 0.95, 1, safe, 8),
    "safe rates, noisy": Statement(
        "the same with 5 seeds and three times the noise", 0.95, 1, lambda n, rng: safe(n, rng, 5, 0.03), 8),
    "most forgiving": Statement(
        "among five equals, one is said to have the widest range of good rates", 0, 0.05, named_most_forgiving, 20),
    "sensitive": Statement(
        "an optimizer with a decade of good rates is said to be sensitive", 0, 0.05, wrong_word, 4),
    "regret of equals": Statement(
        "the interval of the regret of one of 7 equals on 6 tasks holds 0", 0.9, 1, regret_of_equals, 16),
    "supported": Statement(
        "one that is truly 5 margins behind supports, in a small study, that it is at most 4 behind", 0, 0.05,
        supported),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--studies", type=int, default=2000, help="of the cheapest kind")
    parser.add_argument("--only", default="", help="statements whose name contains this; nothing is written")
    asked = parser.parse_args()
    rows = {}
    for name, each in STATEMENTS.items():
        if asked.only in name:
            rows[name] = row = each.row(asked.studies)
            print(f"{name}: {row['found']:.3f} [{row['from']:.3f}, {row['to']:.3f}] of {row['n']}, promised "
                  f"{row['low']:g} to {row['high']:g}: {row['kept']}", flush=True)  # fmt: skip
    if not asked.only:
        RESULTS.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
