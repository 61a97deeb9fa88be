"""Processes that train for a timed interval, all at the same moment; together they give the rate of the machine."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from time import perf_counter
from typing import Any

from benchmarks.candidates import Candidate, Trainer
from benchmarks.workloads import WORKLOADS

PATIENCE = 300
"""Seconds that a process may keep the others waiting."""
LEAD_IN = 0.1
"""Share of a timed while that is trained before it: caches are filled again, and other peers' threads fall asleep."""


class Broken(Exception):
    """A candidate that cannot do the workload; the message says what it said."""


class Crew:
    """The processes of one way to train, with one candidate in hand at a time. Idle, they only wait for orders."""

    def __init__(self, like: Candidate) -> None:
        context = multiprocessing.get_context("spawn")
        self._barrier = context.Barrier(like.processes)  # to be kept, or a late process finds it gone
        self._lines: list[Connection] = []
        self._processes: list[Any] = []
        cores = sorted(os.sched_getaffinity(0))
        with _environment(like.environment):
            for i in range(like.processes):
                ours, theirs = context.Pipe()
                only = cores[i % len(cores)] if like.pinned else None
                process = context.Process(target=_serve, args=(theirs, self._barrier, only))
                process.start()
                theirs.close()
                self._lines.append(ours)
                self._processes.append(process)

    def build(self, workload: str, candidate: Candidate) -> None:
        """Make the candidate ready, and train a first chunk, so that what is compiled is compiled."""
        self._ask("build", workload, candidate.module, dict(candidate.options))

    def rate(self, seconds: float) -> float:
        """Trial-steps a second of all processes together, measured for about so long."""
        chunks = max(self._ask("count", seconds))
        found = self._ask("train", chunks)
        slowest = max(taken for taken, _ in found)
        return sum(done for _, done in found) / slowest

    def close(self) -> None:
        for line in self._lines:
            line.close()
        for process in self._processes:
            process.join(10)
            if process.is_alive():
                process.kill()

    def _ask(self, *order: Any) -> list[Any]:
        for line in self._lines:
            line.send(order)
        answers = [_answer(line) for line in self._lines]
        for answer in answers:
            if isinstance(answer, Broken):
                raise answer
        return answers


def _answer(line: Connection) -> Any:
    try:
        return line.recv()
    except (EOFError, OSError):
        return Broken("the process died")


@contextmanager
def _environment(values: Any) -> Iterator[None]:
    """What children started within will find in their environment."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


# ---- in the processes ------------------------------------------------------------------------------------------------


def _serve(line: Connection, barrier: Barrier, core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})
    work = _Work(barrier)
    while True:
        try:
            name, *arguments = line.recv()
        except EOFError:
            return
        try:
            answer = getattr(work, name)(*arguments)
        except Exception as error:  # any error of a framework: drop this candidate, keep the others
            answer = Broken(f"{type(error).__name__}: {error}")
        line.send(answer)


class _Work:
    """The candidate that a process has in hand, and the steps that it has done."""

    def __init__(self, barrier: Barrier) -> None:
        self.barrier = barrier

    def build(self, workload: str, module: str, options: dict[str, Any]) -> None:
        build = import_module(f"benchmarks.peers.{module}").trainer
        self.trainer: Trainer = build(WORKLOADS[workload], **options)
        self.done = 0
        for _ in range(2):
            self._run(1)

    def count(self, seconds: float) -> int:
        """Number of chunks that fill `seconds`, measured while all processes are working."""
        self.barrier.wait(PATIENCE)
        chunks, taken = 1, self._run(1)
        while taken < LEAD_IN * seconds:
            chunks *= 2
            taken = self._run(chunks)
        return max(1, round(seconds * chunks / taken))

    def train(self, chunks: int) -> tuple[float, int]:
        """Seconds for `chunks` chunks, and the trial-steps in them."""
        self.barrier.wait(PATIENCE)
        return self._run(chunks), chunks * self.trainer.chunk * self.trainer.lanes

    def _run(self, chunks: int) -> float:
        start = self.done
        self.done += chunks * self.trainer.chunk
        begin = perf_counter()
        self.trainer.train(start, self.done)
        return perf_counter() - begin
