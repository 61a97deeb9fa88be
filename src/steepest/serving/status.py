"""How far a running study is, read from its folder with a few short queries."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

from steepest.study.database import DATABASE, reader
from steepest.study.spec import SPEC, StudySpec

State = Literal["running", "silent", "finished"]
SILENCE = 30.0
"""Seconds without a word from its coordinator, who writes every two, after which a study is not called running."""


@dataclass(frozen=True, slots=True)
class Standstill:
    """Sizes and times of the files that change as a study goes on: equal ones mean that nothing has happened."""

    spec: tuple[int, int]
    database: tuple[int, int]

    @classmethod
    def of(cls, folder: Path) -> Standstill:
        """As it is now; zeros for a file that is not there."""
        return cls(_stamp(folder / SPEC), _stamp(folder / DATABASE))

    @property
    def age(self) -> float:
        """Seconds since the last change."""
        return time.time() - max(self.spec[0], self.database[0]) / 1e9


class ContenderProgress(TypedDict):
    """How far one contender is."""

    contender: int
    share: float
    failed: int


class StudyProgress(TypedDict):
    """How far a study is, as JSON values."""

    state: State
    stage: Literal["preparing", "training"]
    trials: int
    planned: int
    failed: int
    seconds: float
    """Spent so far."""
    left: float | None
    """Seconds that the trials still to do will take at the pace so far; None before there is a plan."""
    rows: list[ContenderProgress]


def progress(folder: Path, spec: StudySpec) -> StudyProgress:
    """Read the progress of a study from its database. Raises sqlite3.DatabaseError."""
    done: dict[tuple[str, str], int] = {}
    failed: dict[str, int] = {}
    busy, spent, finished = 0.0, 0.0, False
    if (folder / DATABASE).exists():
        with reader(folder / DATABASE) as database:
            for task, contender, trials, lost in database.execute(
                "SELECT task, contender, count(*), total(outcome NOT IN ('ok', 'stopped')) FROM result "
                "GROUP BY task, contender"
            ):
                done[task, contender] = trials
                failed[contender] = failed.get(contender, 0) + int(lost)
            busy = database.execute("SELECT total(seconds) FROM shard").fetchone()[0]
            spent = database.execute("SELECT total(seconds) FROM sitting").fetchone()[0]
            finished = database.execute("SELECT count(*) FROM finish").fetchone()[0] > 0
    plan = spec.plan
    total = sum(done.values())
    planned = total if finished else plan.trials if plan else spec.asked_trials()
    each = planned / len(spec.contenders)
    state: State = "finished" if finished else "running" if Standstill.of(folder).age < SILENCE else "silent"
    return {
        "state": state,
        "stage": "training" if plan else "preparing",
        "trials": total,
        "planned": planned,
        "failed": sum(failed.values()),
        "seconds": round(spent, 1),
        "left": None if plan is None else round(_seconds_left(spec, done, busy), 1),
        "rows": [
            {
                "contender": i,
                "share": round(min(1.0, sum(n for (_, who), n in done.items() if who == c.name) / max(each, 1)), 4),
                "failed": failed.get(c.name, 0),
            }
            for i, c in enumerate(spec.contenders)
        ],
    }


def _seconds_left(spec: StudySpec, done: dict[tuple[str, str], int], busy: float) -> float:
    """busy: seconds that the workers have spent on shards that are done."""
    plan = spec.plan
    assert plan is not None
    cost = {(time.task, time.contender): time.milliseconds for time in plan.times}
    weights = {(run.task, run.contender): cost.get((run.task, run.contender), 1.0) * run.steps for run in plan.runs}
    each = plan.trials / max(len(weights), 1)
    whole = each * sum(weights.values()) or 1.0
    share = sum(weight * min(done.get(key, 0), each) for key, weight in weights.items()) / whole
    at_this_pace = busy / spec.workers / share if share > 0.05 else plan.seconds
    return max(0.0, at_this_pace * (1 - share))


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return found.st_mtime_ns, found.st_size
