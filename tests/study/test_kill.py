"""Killing anything at any moment: a real study on real data, whose coordinator or workers are killed again and again,
and which is resumed each time, ends bit for bit like one that was left alone.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
import torch

import steepest
from steepest.engine.shard import run_job
from steepest.engine.worker import serve
from steepest.optim.catalogue import contender
from steepest.records.job_records import TrainJob
from steepest.records.study_record import StudyDesign
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane, Shard
from steepest.study import jobs
from steepest.study.executors import LocalProcesses
from steepest.study.run import resume, run
from steepest.study.spec import StudySpec, TaskSpec
from steepest.study.store import read

pytestmark = pytest.mark.slow

KILLS = 20
WORKERS = 2


def asked() -> StudySpec:
    """Two optimizers on the digits, few seeds, rates and epochs: about two seconds of training.

    The engine is set: measured times would choose it, on a busy machine not the same one for every study.
    """
    return StudySpec(
        name="killed",
        command="",
        tasks=(TaskSpec(ref=TaskRef("digits", "catalogue", "digits"), epochs=3.0),),
        contenders=tuple(contender(name) for name in ("sgd", "adam")),
        reference="adam",
        protocol=StudyDesign(seeds=4, rates=5, extra_rates=2),
        engine="fleet",
        workers=WORKERS,
    )


def sit(folder: Path, forked: bool) -> None:
    """Begin the study, or go on with it, to its end: what a coordinator's process does."""
    executor = LocalProcesses(folder, WORKERS, serve if forked else None)
    if (folder / "study.json").exists():
        resume(folder, executor)
    else:
        run(asked(), folder, executor)


def warm_up(folder: Path) -> None:
    """Load here what every worker would load, so that those forked off from here start at once."""
    (task,) = asked().tasks
    lanes = (Lane(0.1, 0), Lane(0.2, 0))
    shard = Shard("warm-up", task.ref, contender("sgd"), lanes, batch_size=32, steps=1, evaluate_at=(1,))
    run_job(jobs.describe(task.ref), folder)
    run_job(TrainJob(shard), folder)


def begin(folder: Path, forked: bool) -> int:
    """A coordinator in a process of its own. Forked off from here it is spared the start-up, which kills would mostly
    hit; the other way is what the command line does."""
    if not forked:
        tests = Path(__file__).parents[1]
        code = f"from pathlib import Path; from study.test_kill import sit; sit(Path({str(folder)!r}), False)"
        places = os.pathsep.join(map(str, (tests, Path(steepest.__file__).parents[1])))  # the package that is tested
        return os.posix_spawn(sys.executable, [sys.executable, "-c", code], {**os.environ, "PYTHONPATH": places})
    if child := os.fork():
        return child
    code = 1
    try:
        sit(folder, forked=True)
        code = 0
    finally:
        os._exit(code)


def has_ended(coordinator: int) -> bool:
    """Whether it has come to its end by itself; fails if it failed."""
    pid, status = os.waitpid(coordinator, os.WNOHANG)
    assert not pid or status == 0, f"the coordinator failed with {status}: it must get over any death but its own"
    return bool(pid)


def workers_of(coordinator: int) -> list[int]:
    try:
        return [int(pid) for pid in Path(f"/proc/{coordinator}/task/{coordinator}/children").read_text().split()]
    except FileNotFoundError:
        return []


def kill(coordinator: int, dice: random.Random) -> bool:
    """Kill the coordinator or one of its workers; whether it was the coordinator."""
    workers = workers_of(coordinator)
    if workers and dice.random() < 0.4:
        os.kill(dice.choice(workers), signal.SIGKILL)
        return False
    os.kill(coordinator, signal.SIGKILL)
    os.waitpid(coordinator, 0)
    for worker in workers:
        until = time.monotonic() + 120
        while is_running(worker):
            assert time.monotonic() < until, "a worker outlived its coordinator"
            time.sleep(0.01)
    return True


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def make_with_kills(folder: Path, dice: random.Random, kills: int, forked: bool, within: float) -> int:
    """Sit at a study until it ends, and kill at most so many times at random moments; how many it came to."""
    done = 0
    while True:
        coordinator = begin(folder, forked)
        killed = False
        while not killed:
            moment = time.monotonic() + dice.uniform(0, within)
            while not (ended := has_ended(coordinator)) and (done == kills or time.monotonic() < moment):
                time.sleep(0.002)
            if ended:
                return done
            killed = kill(coordinator, dice)
            done += 1


def content(folder: Path) -> tuple:
    """The final table, and every curves file byte by byte."""
    record = read(folder)
    assert record.finished and len(record.results) == record.trials_planned
    curves = {path.name: path.read_bytes() for path in sorted((folder / "curves").iterdir()) if path.suffix == ".npz"}
    return record.results, curves


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The study left alone, and the seconds it took."""
    torch.set_num_threads(1)  # a process with idle threads of OpenMP must not fork
    folder = tmp_path_factory.mktemp("kill") / "undisturbed"
    warm_up(folder.with_name("warm_up"))
    start = time.monotonic()
    coordinator = begin(folder, forked=True)
    while not has_ended(coordinator):
        time.sleep(0.01)
    return content(folder), time.monotonic() - start


def test_a_study_killed_at_random_moments_and_resumed_is_bit_identical(undisturbed, tmp_path):
    whole, seconds = undisturbed
    dice = random.Random(20)
    kills = rounds = 0
    while kills < KILLS - 1:
        rounds += 1
        folder = tmp_path / str(rounds)
        kills += make_with_kills(folder, dice, KILLS - 1 - kills, forked=True, within=seconds / 4)
        assert content(folder) == whole, f"study {rounds}"


def test_workers_with_interpreters_of_their_own_make_the_same_study_when_killed(undisturbed, tmp_path):
    """As the command line does it, where most of a short study is the start of Python and torch."""
    whole, seconds = undisturbed
    make_with_kills(tmp_path / "study", random.Random(21), kills=1, forked=False, within=seconds + 4)
    assert content(tmp_path / "study") == whole
