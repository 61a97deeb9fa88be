"""How often the statements of a verdict are true: one row for each kind, from simulated studies whose truth is known.

    $ python -m benchmarks.statements --studies 4000

prints the rows, writes `benchmarks/results/statements.json` and, from it, docs/statements.md. The tests run small
versions. `benchmarks.truths` has the simulations.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from scipy import stats

from benchmarks import truths
from benchmarks.statements_examples import KINDS, count_of, questions_of
from benchmarks.truths import LOOKS, Count, Leads

RESULTS = Path(__file__).parent / "results" / "statements.json"
REAL = Path(__file__).parent / "results" / "real_studies.json"
PAGE = Path(__file__).parents[1] / "docs" / "statements.md"
Simulation = Callable[[int, np.random.Generator], Count]


@dataclass(frozen=True)
class Statement:
    """What is said, how often it must be true or may be wrong, and the simulation that counts."""

    about: str
    """The part of the table."""
    says: str
    low: float
    high: float
    count: Simulation
    cost: float = 1
    """How many of the cheapest studies take as long as one of these; below 1 where many are simulated at a time."""

    def row(self, studies: int, seed: int = 0) -> dict[str, Any]:
        """Promised and found, with the exact interval of Clopper and Pearson; kept if all of it keeps the promise,
        broken if none of it does."""
        hits, n = self.count(max(20, int(studies / self.cost)), np.random.default_rng([seed, 16]))
        low = float(stats.beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0
        high = float(stats.beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0
        inside = self.low <= low and high <= self.high
        outside = high < self.low or low > self.high
        return {"about": self.about, "says": self.says, "low": self.low, "high": self.high,
                "found": hits / n if n else None, "n": n, "from": low, "to": high,
                "kept": "yes" if inside else "no" if outside else "open"}  # fmt: skip


def false_wins(says: str, count: Simulation, cost: float = 1) -> Statement:
    """At most 5 % may be called different that are equal."""
    return Statement("false wins", says, 0, 0.05, count, cost)


def held(lead: int, lag: float, of: Callable[[Leads], int]) -> Simulation:
    """Of leads that are only just (0) or clearly (1) found, those of which something is true."""

    def count(studies: int, rng: np.random.Generator) -> Count:
        found = truths.claimed(studies, rng, lag)[lead]
        return of(found), found.count

    return count


TWO = 0.05
"""Two contenders are simulated in whole arrays."""


def _equals() -> Iterator[tuple[str, Statement]]:
    """Equal contenders over the grid of conditions."""
    for k, cost in ((2, TWO), (5, 2), (13, 8)):
        for luck in ("normal", "skewed", "heavy tails"):
            for shared in (0.0, 0.8):
                what = f"{k} equals, {luck} noise{', 80 % of it shared by seed' if shared else ''}"
                yield what, false_wins(what, partial(truths.told_apart, k=k, luck=luck, shared=shared), cost)
    for n in (5, 20):
        for shared in (0.0, 0.2):
            what = f"2 equals, {n} seeds{', 20 % of the noise shared' if shared else ''}"
            yield what, false_wins(what, partial(truths.told_apart, k=2, n=n, shared=shared), TWO)
    for k, cost in ((2, TWO), (5, 10)):
        what = f"{k} equals, looked at after 5, 7, 10, 14 and 20 seeds"
        yield what, false_wins(what, partial(truths.looked_at_apart, k=k), cost)


def _of_questions() -> Iterator[tuple[str, Statement]]:
    """Levels and differences as answers to each question, where the test examples are known."""
    for what, kind in KINDS.items():
        cost = 10 if kind.examples > 1000 else 2
        yield f"{what}, equals", false_wins(f"2 equals: {what}", count_of(kind, ("different", "new-rows")), cost)
        for question in questions_of(kind):
            for about, part in (("levels", "a level"), ("differences", "a difference")):
                says = f"the interval of {part} holds the truth ({question}): {what}"
                yield (
                    f"{what}, {about}, {question}",
                    Statement(about, says, 0.93, 1, count_of(kind, (about, question)), cost),
                )


LOSSES: dict[str, dict[str, Any]] = {
    "5 equals, 5 seeds": {"spread": 0.0},
    "5 that differ by half a standard deviation, 5 seeds": {},
    "5 that differ by a standard deviation, 10 seeds": {"spread": 1.0, "seeds": 10},
    "the same, 5 seeds, skewed noise": {"spread": 1.0, "luck": "skewed"},
    "2 that differ by half a standard deviation, 5 seeds": {"k": 2},
}
"""What contenders are like → how they are simulated, to see what the advice may lose."""

STATEMENTS: dict[str, Statement] = {
    **dict(_equals()),
    **dict(_of_questions()),
    "equals near an end": false_wins(
        "2 equals whose best rate is next to the end of the grid", truths.differ, 8),
    "equals beyond an end": false_wins(
        "2 equals whose best rate is beyond the end of the grid", partial(truths.differ, best=-2.75), 8),
    "equals near an end, until sure": false_wins(
        "2 equals near the end, noisy validation, looked at after 5, 7, 10, 14 and 20 seeds",
        partial(truths.differ, seeds=20, noise=0.02, best=-2.2, looks=LOOKS), 20),
    "few examples": false_wins("2 equals of 97 % on 36 test examples, 5 seeds", truths.few_examples),
    "loses hard seeds": Statement(
        "false wins", "of 2 equals, one fails on the hardest 4 of 10 seeds: it is called better", 0, 0.05,
        truths.losing_hard_seeds),
    "called equal": Statement(
        "differences", "2 that differ by the whole margin are shown to differ by less", 0, 0.05, truths.called_equal),
    "leads clearly found": Statement(
        "differences", "the interval of a clearly found lead of 2 standard deviations holds the true one", 0.93, 1,
        held(1, 2.0, lambda leads: leads.held)),
    "leads only just found": Statement(
        "differences", "a lead that is only just found is truly smaller than it looks", 0.5, 1,
        held(0, 0.5, lambda leads: leads.larger)),
    "noticed 4 times in 5": Statement(
        "differences", "the true chance of finding the stated difference is at least .8", 0.88, 1, truths.noticed, 2),
    "level among 13 equals": Statement(
        "levels", "the level to expect of the advised one among 13 equals holds its true level", 0.93, 1,
        truths.level_of_the_first, 40),
    "level among 7": Statement(
        "levels", "the same among 7 that differ by 0.3 standard deviations", 0.93, 1,
        partial(truths.level_of_the_first, k=7, spread=0.3), 20),
    "level on new examples": Statement(
        "levels", "the level to expect holds the accuracy over all examples; 1,000 test examples, 10 seeds", 0.93, 1,
        truths.on_new_examples, 10),
    "level on new examples, 20 seeds": Statement(
        "levels", "the same, 500 test examples and 20 seeds", 0.93, 1,
        partial(truths.on_new_examples, test=500, seeds=20), 10),
    "level on new rows": Statement(
        "levels", "the level to expect holds the mean over new data sets of 200 rows, split again by 10 seeds", 0.93, 1,
        truths.on_new_rows, 10),
    "fails alike": Statement(
        "failures", "of 2 that fail in 30 %, one is left out of the advice for failing more", 0, 0.05,
        truths.fails_alike),
    "unseen failures": Statement(
        "failures", "more runs may fail than is said after 10 runs without a failure", 0, 0.05, truths.unseen_failures),
    "quick and worse": Statement(
        "advice", "of 13, one that is 4 margins worse and twice as quick is advised", 0, 0.05,
        truths.quick_and_worse, 40),
    **{
        f"loss of advice, {what}": Statement(
            "advice", f"the advised one of {what} is worse by more than the verdict says it may be", 0, 0.05,
            partial(truths.lost_by_advice, **how), 15)
        for what, how in LOSSES.items()
    },
    "safe rates": Statement(
        "rates", "both ends of the range of good rates are truly within 5 %, 10 seeds", 0.95, 1, truths.safe, 8),
    "safe rates, noisy": Statement(
        "rates", "the same, 5 seeds and three times the noise", 0.95, 1, partial(truths.safe, n=5, noise=0.03), 8),
    "safe rates, seeds fail": Statement(
        "rates", "the same, 5 seeds that fail one by one as the rate falls", 0.95, 1, truths.safe_where_seeds_fail, 8),
    "most forgiving": Statement(
        "rates", "one of 5 equals is said to have the widest range of good rates", 0, 0.05,
        truths.named_most_forgiving, 40),
    "sensitive": Statement(
        "rates", "one with a decade of good rates is said to be sensitive", 0, 0.05, truths.wrong_word, 20),
    "median time": Statement(
        "times", "the interval of the median time to a target holds the true one; 2 of 10 runs never arrive", 0.95, 1,
        truths.median_time),
    "noisy alone": Statement(
        "several tasks", "of 3 on 6 tasks, the one that is worse and noisier is alone most often good", 0, 0.05,
        truths.noisy_named_alone, 60),
    "called fastest": Statement(
        "several tasks", "one of 3 that are equally fast on 6 tasks is called the fastest", 0, 0.05,
        truths.called_fastest, 10),
    "regret of equals": Statement(
        "several tasks", "the interval of the regret of one of 7 equals on 6 tasks holds 0", 0.9, 1,
        truths.regret_of_equals, 40),
    "supported": Statement(
        "claims", "one that is 5 margins behind supports, in a small study, that it is at most 4 behind", 0, 0.05,
        truths.supported),
}  # fmt: skip


def of_real() -> Mapping[str, Any] | None:
    return json.loads(REAL.read_text(encoding="utf-8")) if REAL.exists() else None


# ---- the page --------------------------------------------------------------------------------------------------------

OPENING = """\
<!-- Written by `python -m benchmarks.statements`; do not edit. -->
# Statements, simulated

Each row is a kind of statement of the verdict. Studies whose truth is known are simulated, and the code of the verdict
judges them. "Found" is how often the statement was so, with a 95 % interval (Clopper and Pearson); *S* is the number of
studies, or of statements made in them. "Kept" is "yes" if the whole interval meets the promise, "no" if none of it
does, and "open" otherwise. For the methods see [statistics](statistics.md).
"""


def page(rows: Mapping[str, Mapping[str, Any]], real: Mapping[str, Any] | None = None) -> str:
    """rows: of simulated studies. real: what `benchmarks.real_studies` found."""
    parts = [OPENING]
    for about in dict.fromkeys(row["about"] for row in rows.values()):
        parts += [f"## {about.capitalize()}", "", "| statement | promised | found | *S* | kept? |"]
        parts.append("|---|---|---|---|---|")
        parts += [_line(row) for row in rows.values() if row["about"] == about]
        parts.append("")
    kept = [row["kept"] for row in rows.values()]
    counts = f"{kept.count('yes')} of {len(kept)} are kept, {kept.count('open')} open, {kept.count('no')} not kept."
    return "\n".join(parts) + fill(counts, 120) + "\n" + ("\n" + _of_real(real) if real else "")


def _of_real(found: Mapping[str, Any]) -> str:
    """The same on real studies."""
    new, known = ([name for name in found["studies"] if found["known"][name] is each] for each in (False, True))
    whole, of_new = sum(found["studies"].values()), sum(found["studies"][name] for name in new)
    opening = (
        f"{whole} studies of SGD, momentum and Adam, of 5 and of 10 seeds, no two with a seed in common. {of_new} of "
        f"them are on data that no calibration used before ({', '.join(new)}), the others on {', '.join(known)}. "
        "Networks are small and training is short. What is true is the mean over all other seeds of the same data; of "
        "new rows, the mean over their outcomes on test examples that the study does not see. *n* is the number of "
        "statements; the interval counts studies, because the statements of one study share its seeds. "
        "`python -m benchmarks.real_pools`, again with `--first 1000` and `--first 2000`, and `python -m "
        "benchmarks.real_studies` make this table."
    )
    parts = ["## Real studies", "", fill(opening, 120, break_on_hyphens=False), ""]
    parts += ["| statement | promised | found | *n* | kept? |", "|---|---|---|---|---|"]
    parts += map(_line, found["rows"].values())
    return "\n".join(parts) + "\n"


def _line(row: Mapping[str, Any]) -> str:
    promised = f"at least {row['low']:g}" if row["low"] else f"at most {row['high']:g}" if row["high"] < 1 else "–"
    found = "–" if row["found"] is None else f"{row['found']:.3f} [{row['from']:.3f}, {row['to']:.3f}]"
    return f"| {row['says']} | {promised} | {found} | {row['n']:,} | {row['kept']} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--studies", type=int, default=20_000, help="of the cheapest kind")
    parser.add_argument("--only", default="", help="statements whose name contains this; the others stay as they are")
    asked = parser.parse_args()
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for name, each in STATEMENTS.items():
        if asked.only in name:
            known[name] = row = each.row(asked.studies)
            print(f"{name}: {row['found']:.3f} [{row['from']:.3f}, {row['to']:.3f}] of {row['n']}, promised "
                  f"{row['low']:g} to {row['high']:g}: {row['kept']}", flush=True)  # fmt: skip
        rows = {key: known[key] for key in STATEMENTS if key in known}
        RESULTS.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        PAGE.write_text(page(rows, of_real()), encoding="utf-8")


if __name__ == "__main__":
    main()
