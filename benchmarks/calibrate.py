"""How often verdicts are wrong, measured on real studies of the same contenders with new seeds, and by simulation.

    $ make calibrate
    $ python -m benchmarks.calibrate --minutes 20 --blocks 50 --workers 1

Trains the studies that `steepest.compare` would make, refinement and edge rule included, each with its own seeds. Keeps
them in runs/calibration, so that an interrupted run continues. Writes the rates of false wins, confirmed wins and
covered intervals to `benchmarks/results/calibration.json`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from sklearn.datasets import load_breast_cancer, load_iris
from torch.nn import functional as F

from benchmarks import calibration_page
from benchmarks.calibration import calibration
from benchmarks.simulation import DISTRIBUTIONS, FAILING, coverage, looked_at
from steepest.builtin import task_table
from steepest.builtin.models import mlp
from steepest.design.contenders import enter
from steepest.engine.object_registry import ObjectRegistry
from steepest.engine.shard import run_job
from steepest.errors import DataUnavailable, StudyFolderError
from steepest.records.files import write_bytes
from steepest.records.job_records import Job
from steepest.records.study_record import StudyDesign, StudyRecord
from steepest.records.task_facts import TaskRef
from steepest.study.environment import cores, hardware, versions
from steepest.study.executors import FunctionExecutor
from steepest.study.protocol import BY_SEED, SEARCHES
from steepest.study.run import run
from steepest.study.spec import StudySpec, TaskSpec
from steepest.study.store import read
from steepest.tasks.task import Task

RESULTS = Path(__file__).parent / "results" / "calibration.json"
FOLDER = Path("runs") / "calibration"
OPTIMIZERS = ("sgd", "momentum", "adagrad", "rmsprop", "adam")
SEEDS = (5, 10)
BLOCKS = 25
"""Studies of each task and size: 200 in all, and beside each one 120 seeds or more that it never saw."""
FIRST = 1_000
"""Where the seeds of the first study begin: no other study has them."""
LOOKS = StudyDesign(seeds=20, until_sure=True).looks

Cell = tuple[str, int]
"""A task, and the number of seeds a study."""


def studies(tasks: Sequence[str], most: int, ends: float, folder: Path, search: str, workers: int) -> list[Path]:
    """Study after study, one of every cell in turn, until there are `most` of each or time is up; their folders."""
    wanted = [(name, seeds, block) for block in range(most) for name in tasks for seeds in SEEDS]
    make = partial(study, folder=folder, search=search, ends=ends)
    if workers == 1:
        return _told(map(make, wanted), len(wanted))
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        return _told(pool.imap(make, wanted), len(wanted))


def _told(places: Iterator[Path | None], wanted: int) -> list[Path]:
    found = []
    for place in places:
        if place is not None:
            found.append(place)
            print(f"{len(found)} of {wanted} studies, the last one {place.name}", flush=True)
    return found


def study(wanted: tuple[str, int, int], folder: Path, search: str, ends: float) -> Path | None:
    """One study, unless it lies there already or time is up; its folder if there is one. Its curves are not kept:
    26,000 trials a cell would fill a disk."""
    name, seeds, block = wanted
    place = folder / f"{name}-{seeds}-{block}"
    if finished(place) is not None:
        return place
    if time.monotonic() > ends:
        return None
    spec = StudySpec(
        name=name,
        command="python -m benchmarks.calibrate",
        tasks=(TaskSpec(ref=TaskRef(name, "memory", name)),),
        contenders=tuple(enter(OPTIMIZERS)[0]),
        reference="adam",
        protocol=StudyDesign(seeds=seeds, first_seed=FIRST * (1 + SEEDS.index(seeds)) + block * seeds),
        search=search,
        engine="fleet",
    )
    registry = ObjectRegistry(tasks={name: prepared(name)})
    run(spec, place, FunctionExecutor(partial(job_done, folder=place, registry=registry)), overwrite=place.exists())
    for curves in (place / "curves").glob("*.npz"):
        curves.unlink()
    return place


def table(name: str, load: Callable[[], Any], sizes: Sequence[int], batch_size: int, epochs: float) -> Task:
    """A table that comes with scikit-learn, whose rows are classified by a small network."""
    found = load()
    return Task(
        model=partial(mlp, sizes), data=(found.data.astype("float32"), found.target), loss=F.cross_entropy,
        metric="accuracy", batch_size=batch_size, epochs=epochs, standardize="inputs", name=name,
        source=f"{name}, from scikit-learn",
    )  # fmt: skip


TASKS: dict[str, Callable[[], Task]] = {
    "digits": lambda: replace(task_table.entry("digits").build(), epochs=4),
    "housing": lambda: replace(task_table.entry("housing").build(), epochs=0.5),
    "breast-cancer": lambda: table("breast-cancer", load_breast_cancer, (30, 16, 2), 32, 6),
    "iris": lambda: table("iris", load_iris, (4, 16, 3), 16, 12),
}
"""Short horizons: what is calibrated is the verdict, not the training. No statistics were chosen on the last two."""


@lru_cache
def prepared(name: str) -> Task:
    return TASKS[name]()


TIMES: dict[str, bytes] = {}
"""What is known of tasks and steps, by job: the same for every study, and a study's verdict does not rest on it."""


def job_done(job: Job, folder: Path, registry: ObjectRegistry) -> None:
    """Do a job of a study; a question of which the answer is known is answered at once."""
    facts = folder / "facts" / f"{job.id}.json"
    if job.id in TIMES:
        write_bytes(facts, TIMES[job.id])
        return
    run_job(job, folder, registry)
    if job.kind != "train":
        TIMES[job.id] = facts.read_bytes()


def finished(place: Path) -> StudyRecord | None:
    """The study that lies there, if it came to its end."""
    try:
        found = read(place)
    except StudyFolderError:
        return None
    return found if found.finished else None


def cells(places: Sequence[Path]) -> dict[Cell, list[StudyRecord]]:
    """The finished studies, sorted by what they have in common."""
    found: dict[Cell, list[StudyRecord]] = {}
    for record in filter(None, map(finished, places)):
        found.setdefault((record.tasks[0].name, record.protocol.seeds), []).append(record)
    return found


def simulated(studies: int) -> Iterator[dict[str, Any]]:
    """Coverage of the interval of a difference, where the truth and the distribution are known."""
    for distribution in (*DISTRIBUTIONS, FAILING):
        for spread in (1.0, 3.0):
            for n in (5, 10, 20):
                yield {"luck": distribution, "noise": f"1 : {spread:.0f}", "replicates": n, "studies": studies,
                       "welch": coverage(distribution, n, spread, studies),
                       "bootstrap-t": coverage(distribution, n, spread, studies // 5, "bootstrap-t")}  # fmt: skip


def sequential(studies: int) -> Iterator[dict[str, Any]]:
    """Studies that add seeds until they are sure: how often equal contenders are called different, and how soon
    different ones are."""
    for distribution in DISTRIBUTIONS:
        for shared in (0.0, 0.8):
            for k in (2, 5):
                false, _, n = looked_at([0.0] * k, LOOKS, studies, distribution, shared)
                yield {
                    "luck": distribution,
                    "shared": shared,
                    "equals": k,
                    "studies": studies,
                    "false": false,
                    "seeds": n,
                }
    for lag in (0.003, 0.006, 0.012, 0.03):
        _, found, n = looked_at([0.0, lag], LOOKS, studies)
        yield {"luck": "normal", "shared": 0.0, "lag": lag, "studies": studies, "found": found, "seeds": n}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--minutes", type=float, default=20, help="for the studies; judging and simulating them takes some more"
    )
    parser.add_argument("--blocks", type=int, default=BLOCKS, help="studies of each task and size")
    parser.add_argument("--simulations", type=int, default=2000, help="simulated studies of each kind")
    parser.add_argument("--search", choices=tuple(SEARCHES), default=BY_SEED, help="what a replicate runs")
    parser.add_argument("--workers", type=int, default=cores(), help="studies trained at a time, one thread each")
    parser.add_argument("--fresh", action="store_true", help="forget the studies of earlier runs")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    asked = parser.parse_args()
    if asked.fresh and asked.folder.exists():
        shutil.rmtree(asked.folder)
    begin = time.monotonic()
    tasks = []
    for name in TASKS:
        try:
            prepared(name)
            tasks.append(name)
        except DataUnavailable as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    ends = begin + 60 * asked.minutes
    found = calibration(cells(studies(tasks, asked.blocks, ends, asked.folder, asked.search, asked.workers)))
    found["search"] = asked.search
    found["coverage"]["simulated"] = list(simulated(asked.simulations))
    found["until sure"] = list(sequential(asked.simulations // 2))
    found |= {"seconds": round(time.monotonic() - begin), "versions": versions(), "hardware": hardware()}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(asked.out, (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())
    if asked.out == RESULTS:
        calibration_page.write()
    for key in ("false_win_rate", "agreement", "coverage"):
        print(key, {name: value for name, value in found[key].items() if not isinstance(value, dict | list)})


if __name__ == "__main__":
    main()
