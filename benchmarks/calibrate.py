"""Is a verdict as sure as it says? Real studies of the same contenders with fresh luck each, and simulations.

    $ make calibrate
    $ python -m benchmarks.calibrate --minutes 20 --blocks 40

Runs `steepest.compare` again and again, refinement and edge rule included, with seeds that no study before had; keeps
the studies in runs/calibration, so that it goes on where it was stopped; and writes what they say of false wins, of
claimed wins, and of intervals to `benchmarks/results/calibration.json`: good or bad.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import steepest
from benchmarks.calibration import calibration
from benchmarks.simulation import FAILING, LUCK, coverage, looked_at
from steepest.errors import DataUnavailable, StudyFolderError
from steepest.files import write_bytes
from steepest.study.store import read
from steepest.study.surroundings import hardware, versions
from steepest.tasks import catalogue
from steepest.tasks.task import Task
from steepest.types import Protocol, StudyRecord

RESULTS = Path(__file__).parent / "results" / "calibration.json"
FOLDER = Path("runs") / "calibration"
OPTIMIZERS = ("sgd", "momentum", "adagrad", "rmsprop", "adam")
EPOCHS: dict[str, float | None] = {"digits": None, "housing": 2}
"""Task → a shorter horizon than its own; what is calibrated is the verdict, not the training."""
SEEDS = (5, 10)
FIRST = 1_000
"""Where the seeds of the first study begin: no other study has them."""
LOOKS = Protocol(seeds=20, until_sure=True).looks


def blocks(tasks: Sequence[str], most: int, ends: float, folder: Path) -> dict[tuple[str, int], list[StudyRecord]]:
    """Study after study, one of every cell in turn, until there are `most` of each or time is up."""
    cells: dict[tuple[str, int], list[StudyRecord]] = {(name, seeds): [] for name in tasks for seeds in SEEDS}
    made = {name: prepared(name) for name in tasks}
    spent = 0.0
    for block in range(most):
        for (name, seeds), found in cells.items():
            begin = time.monotonic()
            place = folder / f"{name}-{seeds}-{block}"
            done = finished(place)
            if done is None:
                if begin + spent > ends:
                    return cells
                first = FIRST * (1 + SEEDS.index(seeds)) + block * seeds
                done = train(made[name], seeds, first, place)
                spent = max(spent, time.monotonic() - begin)
            found.append(done)
        said = ", ".join(f"{name} {seeds}: {len(found)}" for (name, seeds), found in cells.items())
        print(f"studies so far: {said}", flush=True)
    return cells


def prepared(name: str) -> str | Task:
    """The built-in task, or with a shorter horizon."""
    if (epochs := EPOCHS[name]) is None:
        return name
    return replace(catalogue.entry(name).build(), epochs=epochs)


def finished(place: Path) -> StudyRecord | None:
    """The study that lies there, if it came to its end."""
    try:
        found = read(place)
    except StudyFolderError:
        return None
    return found if found.finished else None


def train(task: str | Task, seeds: int, first: int, place: Path) -> StudyRecord:
    """A default study in all but its seeds. Its curves are not kept: 26,000 trials a cell would fill a disk."""
    study = steepest.compare(
        task, list(OPTIMIZERS), seeds=seeds, first_seed=first, out=place, overwrite=place.exists(), quiet=True
    )
    record = study.record
    for curves in (place / "curves").glob("*.npz"):
        curves.unlink()
    return record


def simulated(studies: int) -> Iterator[dict[str, Any]]:
    """Coverage of the interval of a difference, where the truth is known and luck is what we choose."""
    for luck in (*LUCK, FAILING):
        for spread in (1.0, 3.0):
            for n in (5, 10, 20):
                yield {"luck": luck, "noise": f"1 : {spread:.0f}", "replicates": n, "studies": studies,
                       "welch": coverage(luck, n, spread, studies),
                       "bootstrap-t": coverage(luck, n, spread, studies // 5, "bootstrap-t")}  # fmt: skip


def sequential(studies: int) -> Iterator[dict[str, Any]]:
    """Studies that add seeds until they are sure: how often equals are told apart, and how soon others are."""
    for luck in LUCK:
        for shared in (0.0, 0.8):
            for k in (2, 5):
                false, _, n = looked_at([0.0] * k, LOOKS, studies, luck, shared)
                yield {"luck": luck, "shared": shared, "equals": k, "studies": studies, "false": false, "seeds": n}
    for lag in (0.003, 0.006, 0.012, 0.03):
        _, found, n = looked_at([0.0, lag], LOOKS, studies)
        yield {"luck": "normal", "shared": 0.0, "lag": lag, "studies": studies, "found": found, "seeds": n}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--minutes", type=float, default=20, help="for the studies; judging and simulating them takes some more"
    )
    parser.add_argument("--blocks", type=int, default=40, help="studies of each task and size")
    parser.add_argument("--simulations", type=int, default=2000, help="simulated studies of each kind")
    parser.add_argument("--fresh", action="store_true", help="forget the studies of earlier runs")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    asked = parser.parse_args()
    if asked.fresh and asked.folder.exists():
        shutil.rmtree(asked.folder)
    begin = time.monotonic()
    tasks = []
    for name in EPOCHS:
        try:
            catalogue.entry(name).build()
            tasks.append(name)
        except DataUnavailable as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    found = calibration(blocks(tasks, asked.blocks, begin + 60 * asked.minutes, asked.folder))
    found["coverage"]["simulated"] = list(simulated(asked.simulations))
    found["until sure"] = list(sequential(asked.simulations // 2))
    found |= {"seconds": round(time.monotonic() - begin), "versions": versions(), "hardware": hardware()}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(asked.out, (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())
    for key in ("false_win_rate", "agreement", "coverage"):
        print(key, {name: value for name, value in found[key].items() if not isinstance(value, dict | list)})


if __name__ == "__main__":
    main()
