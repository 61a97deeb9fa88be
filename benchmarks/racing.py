"""What racing saves and what it costs: the rule replayed on the curves of full grids, and real races for comparison.

    $ python -m benchmarks.racing

Lanes do not influence one another, so a race is the full grid with some of its curves cut short, and the rule can be
replayed on stored curves. Studies are kept in runs/racing, so that an interrupted run continues. The results are
written to `benchmarks/results/racing.json`.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import steepest
from steepest.records.files import write_bytes
from steepest.records.outcomes import Outcome, Result, Trace
from steepest.records.ranking import (
    KEEP_ONE_IN,
    MIN_RATES_KEPT,
    RUNG_SHARES,
    Score,
    is_sound,
    pick,
    pooled_best,
    rungs,
    survivors,
)
from steepest.records.study_record import StudyRecord
from steepest.study import store
from steepest.study.environment import hardware, versions
from steepest.verdict.stats.inference import welch

RESULTS = Path(__file__).parent / "results" / "racing.json"
FOLDER = Path("runs") / "racing"
TASKS = ("digits", "housing")
OPTIMIZERS = "sgd,momentum,adagrad,rmsprop,adam,lion"
SEEDS, RACED_SEEDS = 40, 20
NEAR = 0.01
"""A setting is as good as another one if its validation metric lies within this share of the other's."""
STUDIES, SIZE = 2000, 10
"""Simulated studies of a contender against itself, and their seeds on either side."""

Traces = Mapping[str, Trace]


def study(name: str, task: str, seeds: int, race: bool) -> Path:
    """The folder of a finished study, trained as far as it was not."""
    folder = FOLDER / name
    if not (folder / "study.json").exists():
        command = "python -m benchmarks.racing"
        steepest.compare(task, OPTIMIZERS, seeds=seeds, race=race, out=folder, quiet=True, command=command)
    elif not store.read(folder).finished:
        steepest.resume(folder, quiet=True)
    return folder


# ---- the replay ------------------------------------------------------------------------------------------------------


def replayed(rows: Sequence[Result], traces: Traces, higher: bool) -> list[Result]:
    """The rows of one replicate as a race would have left them, stage by stage."""
    found: list[Result] = []
    for stage in dict.fromkeys(row.stage for row in rows):
        going = [row for row in rows if row.stage == stage]
        at = tuple(traces[going[0].shard].evaluate_at.tolist())
        for step, count in rungs(at, len(going)):
            alive = {row.rate: row for row in going if row.outcome is Outcome.OK or row.outcome_step > step}
            scores = [_score_at(row, traces[row.shard], at.index(step)) for row in alive.values()]
            best = {score.rate for score in survivors(scores, count, higher)}
            found += [row for row in going if row.rate not in alive]
            found += [_stopped(row, step) for rate, row in alive.items() if rate not in best]
            going = [row for rate, row in alive.items() if rate in best]
        found += going
    return found


def _score_at(row: Result, trace: Trace, e: int) -> Score:
    return Score(row.rate, row.seed, Outcome.OK, trace.valid_metric[row.lane, e], trace.valid_loss[row.lane, e])


def _stopped(row: Result, step: int) -> Result:
    return replace(
        row, outcome=Outcome.STOPPED, outcome_step=step, valid_metric=None, valid_loss=None, test_metric=None
    )


def replicates(record: StudyRecord) -> dict[tuple[str, int], list[Result]]:
    """(contender, seed) → the rows of the replicate."""
    found: dict[tuple[str, int], list[Result]] = defaultdict(list)
    for row in record.results:
        found[row.contender, row.seed].append(row)
    return found


# ---- what it says ----------------------------------------------------------------------------------------------------


def agreement(full: Mapping[Any, list[Result]], race: Mapping[Any, list[Result]], higher: bool) -> dict[str, Any]:
    """How the replicates' picks under a race compare with those of the full grid, by contender and in all."""
    cases: dict[str, list[tuple[bool, bool, float]]] = defaultdict(list)
    steps: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for key, rows in full.items():
        steps[key[0]].append((sum(row.outcome_step for row in rows), sum(row.outcome_step for row in race[key])))
        whole, raced = pick(rows, higher), pick(race[key], higher)
        if whole is None or whole.valid_metric is None:
            continue
        same, loss = raced is not None and raced.rate == whole.rate, float("inf")
        if raced is not None and raced.valid_metric is not None:
            loss = abs(whole.valid_metric - raced.valid_metric) / abs(whole.valid_metric)
        cases[key[0]].append((same, loss <= NEAR, loss))

    def summary(found: Sequence[tuple[bool, bool, float]], cost: Sequence[tuple[int, int]]) -> dict[str, Any]:
        whole, raced = (sum(each) for each in zip(*cost, strict=True))
        return {
            "cases": len(found),
            "same_setting": float(np.mean([each[0] for each in found])),
            "same_or_within_1_percent": float(np.mean([each[1] for each in found])),
            "worst_loss": float(max(each[2] for each in found)),
            "times_fewer_steps": whole / raced,
        }

    everything = [each for found in cases.values() for each in found], [each for c in steps.values() for each in c]
    return {"all": summary(*everything), **{name: summary(cases[name], steps[name]) for name in cases}}


def false_wins(values: Mapping[str, np.ndarray], draws: np.random.Generator) -> dict[str, float]:
    """Contender → share of studies that tell a contender from itself by Welch's t at 5 %: SIZE replicates [n] drawn
    for either side, none for both."""
    found = {}
    for name, x in values.items():
        lots = (draws.permutation(len(x))[: 2 * SIZE] for _ in range(STUDIES))
        found[name] = float(np.mean([welch(x[lot[:SIZE]], x[lot[SIZE:]]).p < 0.05 for lot in lots]))
    return found | {"all": float(np.mean([*found.values()]))}


def test_values(replicates: Mapping[tuple[str, int], list[Result]], higher: bool) -> dict[str, np.ndarray]:
    """Contender → the test metrics of its replicates' picks [n]."""
    found: dict[str, list[float]] = defaultdict(list)
    for (name, _), rows in replicates.items():
        picked = pick(rows, higher)
        if picked is not None and picked.test_metric is not None:
            found[name].append(picked.test_metric)
    return {name: np.array(values) for name, values in found.items()}


def pooled(full: Mapping[Any, list[Result]], race: Mapping[Any, list[Result]], higher: bool) -> Iterator[bool]:
    """For every SIZE seeds of a contender, whether refinement would be put around the same rate of the grid."""

    def grid(of: Mapping[Any, list[Result]], name: str, seeds: Iterable[int]) -> float:
        return pooled_best([row for seed in seeds for row in of[name, seed] if row.stage == "grid"], higher)

    seeds = sorted({seed for _, seed in full})
    for name in dict.fromkeys(name for name, _ in full):
        for i in range(0, len(seeds) - SIZE + 1, SIZE):
            yield grid(full, name, seeds[i : i + SIZE]) == grid(race, name, seeds[i : i + SIZE])


def real(record: StudyRecord, race: Mapping[Any, list[Result]], higher: bool) -> dict[str, Any]:
    """A real race beside the replay, on the grid of the seeds that both have: picks and outcomes that agree."""
    mine = {key: [row for row in rows if row.stage == "grid"] for key, rows in replicates(record).items()}
    picks, outcomes = [], []
    for key, rows in mine.items():
        other = {row.rate: row for row in race[key] if row.stage == "grid"}
        a, b = pick(rows, higher), pick(other.values(), higher)
        picks.append((a and a.rate) == (b and b.rate))
        outcomes += [row.outcome == other[row.rate].outcome for row in rows]
    return {
        "replicates": len(picks),
        "same_pick_as_replayed": float(np.mean(picks)),
        "same_outcome_as_replayed": float(np.mean(outcomes)),
        "stopped": sum(row.outcome is Outcome.STOPPED for row in record.results),
        "trials": len(record.results),
        "failed": sum(not is_sound(row) and row.outcome is not Outcome.STOPPED for row in record.results),
    }


def measured(task: str) -> dict[str, Any]:
    folder = study(task, task, SEEDS, race=False)
    record, traces = store.read(folder), store.traces(folder)
    higher = record.tasks[0].higher_is_better
    full = replicates(record)
    race = {key: replayed(rows, traces, higher) for key, rows in full.items()}
    draws = np.random.default_rng(0)
    return {
        "seeds": SEEDS,
        "agreement": agreement(full, race, higher),
        "refinement_around_the_same_rate": float(np.mean([*pooled(full, race, higher)])),
        "false_wins_of_the_full_grid": false_wins(test_values(full, higher), draws),
        "false_wins_of_a_race": false_wins(test_values(race, higher), draws),
        "real_race": real(store.read(study(f"{task}-raced", task, RACED_SEEDS, race=True)), race, higher),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    found = {
        "rule": {"rungs": RUNG_SHARES, "one_in": KEEP_ONE_IN, "least": MIN_RATES_KEPT},
        "optimizers": OPTIMIZERS.split(","),
        "tasks": {task: measured(task) for task in parser.parse_args().tasks},
        "versions": versions(),
        "hardware": hardware(),
    }
    write_bytes(RESULTS, (json.dumps(found, indent=1) + "\n").encode())
    for task, each in found["tasks"].items():
        print(task, json.dumps(each["agreement"]["all"]), json.dumps(each["real_race"]))


if __name__ == "__main__":
    main()
