"""A toy engine for tests of the study part: same jobs, same files, but a trial is a formula and costs nothing.

Its trials have what matters to a study: a best rate, noise that belongs to a seed, and divergence above some rate.
"""

import json
import math
import os
import signal
import time
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from steepest.errors import BadTask
from steepest.records import rng
from steepest.records.contender import Contender
from steepest.records.files import write_checked, write_trace
from steepest.records.job_records import DescribeJob, Job, TimeJob, job_from_json
from steepest.records.loading_marks import loading
from steepest.records.outcomes import Outcome, Trace
from steepest.records.step_times import FleetTime, StepTime
from steepest.records.study_record import StudyDesign
from steepest.records.task_facts import TaskFacts, TaskRef
from steepest.records.trials import Lane, Shard
from steepest.study.executors import FunctionExecutor
from steepest.study.spec import StudySpec, TaskSpec

FACTS = TaskFacts(
    name="toy",
    compiler_obstacle="nothing is compiled here",
    title="A formula",
    metric="accuracy",
    higher_is_better=True,
    unit="%",
    margin=0.0025,
    n_train=640,
    n_valid=100,
    n_test=100,
    parameters=1000,
    batch_size=64,
    steps=100,
    luck=("noise",),
    source="made up",
)
BEST = {"low": 1e-9, "inside": 10**-2.8, "edge": 10**-1.2, "wild": 1e9}
"""Rule → its best rate; the centre of every grid is 1e-3."""


def contender(rule: str, **changes) -> Contender:
    return Contender(**{"name": rule, "rule": rule, "centre": 1e-3, **changes})


def spec(*rules: str, tasks=("toy",), **changes) -> StudySpec:
    contenders = tuple(contender(rule) for rule in rules or ("inside", "edge"))
    fields = {
        "name": "toys",
        "command": "steepest run toy",
        "tasks": tuple(TaskSpec(ref=TaskRef(name, "catalogue", name)) for name in tasks),
        "contenders": contenders,
        "reference": contenders[0].name,
        "protocol": StudyDesign(seeds=4),
        "workers": 2,
    }
    return StudySpec(**{**fields, **changes})


def executor(folder: Path, done: list[Job] | None = None) -> FunctionExecutor:
    """Does the jobs of `folder`, and lists them in `done`."""

    def run_job(job: Job) -> None:
        if done is not None:
            done.append(job)
        work(job, folder)

    return FunctionExecutor(run_job)


class ToyJob:
    """A job of a kind that only the toy engine knows: plain JSON with at least "kind" and "id"."""

    def __init__(self, fields: dict) -> None:
        self.fields, self.kind, self.id = fields, fields["kind"], fields["id"]

    def to_json(self) -> dict:
        return self.fields


def work(job: Job, folder: Path) -> None:
    facts = folder / "facts" / f"{job.id}.json"
    match job:
        case DescribeJob():
            if job.task.locator == "broken":
                raise BadTask("broken has no training examples.")
            write_checked(facts, asdict(FACTS))
        case TimeJob():
            ms = 0.5 + job.batch_size / 128
            fleets = [FleetTime(c.lanes, (), ms * (0.8 + 0.2 * c.lanes), ms / 10) for c in job.candidates]
            write_checked(facts, asdict(StepTime("", "", ms, 8.0, tuple(fleets))))
        case _:
            write_trace(folder / "curves" / f"{job.id}.npz", trace(job.shard))


def serve(connection: Connection, folder: Path) -> None:
    """A worker of the toy engine, which can also be told to wait, fail, die or say something odd."""

    def say(**message) -> None:
        connection.send_bytes(json.dumps(message).encode())

    say(event="ready")
    with suppress(EOFError, OSError):
        while (job := json.loads(connection.recv_bytes()))["kind"] != "stop":
            try:
                match job["kind"]:
                    case "wait":
                        say(event="progress", id=job["id"], done=0.25)
                        (folder / f"{job['id']}.pid").write_text(str(os.getpid()))
                        while not Path(job["for"]).exists():
                            time.sleep(0.01)
                    case "sleep":
                        say(event="progress", id=job["id"], done=0.25)
                        (folder / f"{job['id']}.pid").write_text(str(os.getpid()))
                        time.sleep(job["seconds"])
                    case "die" if "library" in job:
                        library = Path(job["library"])
                        if library.exists():
                            with loading(library):
                                os.kill(os.getpid(), signal.SIGKILL)
                    case "die":
                        tries = folder / f"{job['id']}.tries"
                        with tries.open("a") as file:
                            file.write("x")
                        if tries.stat().st_size <= job["times"]:
                            os.kill(os.getpid(), signal.SIGKILL)
                    case "print":
                        print("hello from a worker", flush=True)
                    case _:
                        work(job_from_json(job), folder)
            except Exception as error:
                say(event="failed", id=job["id"], error=type(error).__name__, message=str(error))
            else:
                say(event="done", id=job["id"], seconds=0.5)


def shard() -> Shard:
    """Two lanes of one contender, the second of which diverges."""
    lanes = (Lane(1e-3, 0), Lane(1.0, 0))
    return Shard(
        "toy.inside.grid-0", TaskRef("toy", "catalogue", "toy"), contender("inside"), lanes, 64, 100, (50, 100)
    )


def trace(shard: Shard) -> Trace:
    """Accuracy at the horizon: 0.9 less a parabola in log rate, with noise; diverged 1.5 decades above the best."""
    R, E = len(shard.lanes), len(shard.evaluate_at)
    curves = np.full((3, R, E), np.nan)  # train loss, validation loss, validation metric
    test = np.full((2, R), np.nan)
    outcomes, steps = [], np.full(R, shard.steps)
    for i, lane in enumerate(shard.lanes):
        off = math.log10(lane.rate / BEST[shard.contender.rule])
        noise = rng.generator(lane.seed, "data", round(1e6 * math.log10(lane.rate)) + 10**9).normal(0, 0.01, 2)
        if off > 1.5:
            outcomes.append(Outcome.DIVERGED)
            steps[i] = 3
            continue
        outcomes.append(Outcome.OK)
        accuracy = 0.9 - min(0.8, 0.05 * off**2)
        curves[2, i] = np.linspace(0.1, accuracy + noise[0], E)
        curves[:2, i] = 1 - curves[2, i]
        test[:, i] = 1 - accuracy, accuracy + noise[1]
    return Trace(np.array(shard.evaluate_at), *curves, tuple(outcomes), steps, *test)
