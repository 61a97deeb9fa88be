"""Trains real studies in bulk: one study of very many seeds on each data set, cut into studies of 5 and of 10 seeds.

    $ python -m benchmarks.real_pools --seeds 140

Every seed tunes for itself, so a study of ten of the seeds is what `steepest.compare` would have made with these ten.
The pools are kept in runs/real; an interrupted run continues. `benchmarks.real_studies` judges them.
"""

import argparse
import time
from functools import partial
from pathlib import Path

from benchmarks.calibrate import finished, job_done
from benchmarks.real_tasks import ALL
from steepest.design.contenders import enter
from steepest.engine.object_registry import ObjectRegistry
from steepest.records.study_record import StudyDesign
from steepest.records.task_facts import TaskRef
from steepest.study.executors import FunctionExecutor
from steepest.study.run import resume, run
from steepest.study.spec import StudySpec, TaskSpec

FOLDER = Path("runs") / "real"
OPTIMIZERS = ("sgd", "momentum", "adam")
SEEDS = 140


def pool(name: str, seeds: int, folder: Path, first: int = 0) -> Path:
    """The study of all seeds on one data set; its folder."""
    place = folder / f"{name}-{seeds}{f'-from-{first}' if first else ''}"
    if finished(place) is not None:
        return place
    registry = ObjectRegistry(tasks={name: ALL[name]()})
    executor = FunctionExecutor(partial(job_done, folder=place, registry=registry))
    if place.exists():
        resume(place, executor)
        return place
    spec = StudySpec(
        name=name,
        command="python -m benchmarks.real_pools",
        tasks=(TaskSpec(ref=TaskRef(name, "memory", name)),),
        contenders=tuple(enter(OPTIMIZERS)[0]),
        reference="adam",
        protocol=StudyDesign(seeds=seeds, first_seed=first),
        engine="auto",
    )
    run(spec, place, executor)
    return place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of each data set")
    parser.add_argument("--first", type=int, default=0, help="the first seed: another pool of the same data")
    parser.add_argument("--only", default="", help="data sets whose name contains this")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    asked = parser.parse_args()
    for name in ALL:
        if asked.only in name:
            begin = time.monotonic()
            pool(name, asked.seeds, asked.folder, asked.first)
            print(f"{name}: {asked.seeds} seeds, {time.monotonic() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
