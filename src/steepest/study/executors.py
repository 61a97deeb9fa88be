"""Executors run jobs: in worker processes on this machine, or by a function in this process. They share one
interface, so a study does not depend on where its shards are trained; results travel as files.
"""

from __future__ import annotations

import json
import multiprocessing.connection
import os
import signal
import socket
import subprocess
import sys
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Literal, Protocol

from steepest.errors import TrialFailed
from steepest.messages import NOTHING, Message, say, verbatim
from steepest.records import memory
from steepest.records.job_records import Job, WorkerMessage, WorkerSetup
from steepest.records.loading_marks import remove_deadly
from steepest.records.private_cache import private_folder
from steepest.records.record import JsonObject
from steepest.study import silence

Serve = Callable[[Connection, Path], None]
"""Runs the jobs that arrive on the connection until it closes, and writes results into the study folder."""


@dataclass(frozen=True, slots=True)
class Event:
    """News of a job."""

    kind: Literal["progress", "done", "failed", "full", "retried", "lost", "hung", "news"]
    """"failed": it raised. "full": memory ran out. "retried": its worker died or hung, another one has it. "lost": its
    workers died too often. "hung": its workers were silent for too long too often. "news": a message about no job."""
    id: str
    done: float = 0.0
    """Share of the job that is done; for "progress"."""
    seconds: float = 0.0
    """Wall time; for "done"."""
    error: str = ""
    """Class of the exception; for "failed"."""
    message: Message = NOTHING
    """For all but "progress" and "done". That of an error is English, as it was raised."""


class Executor(Protocol):
    """Takes jobs, reports events. A job's results are the files that it leaves in the study folder."""

    workers: int
    is_local: bool
    """Whether times measured by its workers are those of this machine."""

    def submit(self, job: Job, patience: float | None = None, seconds: float = 0.0) -> None:
        """Queue a job; returns at once. patience: seconds that its worker may be silent; None for any. seconds: the
        forecast for one core, by which jobs are bundled where they travel."""
        ...

    def poll(self, timeout: float) -> list[Event]:
        """What has happened since, waiting up to `timeout` seconds for the first event."""
        ...

    def close(self) -> None:
        """Stop everything at once and leave no worker behind. Finished results are safe; a second call does nothing."""
        ...


class FunctionExecutor:
    """Runs each job in this process when polled: for tests, and for platforms without worker processes."""

    workers = 1
    is_local = True

    def __init__(self, run_job: Callable[[Job], None]) -> None:
        self._run_job = run_job
        self._queue: deque[Job] = deque()

    def submit(self, job: Job, patience: float | None = None, seconds: float = 0.0) -> None:
        self._queue.append(job)

    def poll(self, timeout: float) -> list[Event]:
        if not self._queue:
            return []
        job, start = self._queue.popleft(), monotonic()
        try:
            self._run_job(job)
        except Exception as error:  # a model may raise anything: report it, as a worker process does
            kind = "full" if memory.ran_out(error) else "failed"
            return [Event(kind, job.id, error=type(error).__name__, message=verbatim(str(error)))]
        return [Event("done", job.id, seconds=monotonic() - start)]

    def close(self) -> None:
        self._queue.clear()


class LocalProcesses:
    """`workers` processes of one thread each on this machine, started all at once when there is work.

    A worker that dies, or is silent for too long, is replaced, and its job goes to the next one, at most `RETRIES`
    times. A "time" job waits until no other worker has a job; the caller must not submit another before it is done.
    Workers do not hear Ctrl-C, which is the coordinator's to handle. They end by themselves when the coordinator is
    gone.
    """

    RETRIES = 3
    is_local = True

    def __init__(self, folder: Path, workers: int, serve: Serve | None = None, memory: float | None = None) -> None:
        """`serve` makes forked workers, which see the tasks in this process's memory; by default they start afresh.
        `memory`: bytes that each worker may take beside what it has when it starts; None for no limit."""
        self.workers = workers
        self._memory = memory
        self._folder = folder
        self._serve = serve
        self._queue: deque[Job] = deque()
        self._pool: list[_Worker] = []
        self._attempts: dict[str, int] = {}
        self._patience: dict[str, float] = {}
        self._failed_starts = 0  # workers in a row that died before they were ready

    def submit(self, job: Job, patience: float | None = None, seconds: float = 0.0) -> None:
        if patience is not None:
            self._patience[job.id] = patience
        self._queue.append(job)

    def poll(self, timeout: float) -> list[Event]:
        self._assign()
        events: list[Event] = []
        ready = multiprocessing.connection.wait([worker.connection for worker in self._pool], timeout)
        for worker in [worker for worker in self._pool if worker.connection in ready]:
            events += self._receive(worker)
        for worker in [worker for worker in self._pool if self._is_overdue(worker)]:
            events += self._replace(worker, hung=True)
        self._assign()
        return events

    def close(self) -> None:
        self._queue.clear()
        while self._pool:
            self._pool.pop().end()

    def _assign(self) -> None:
        """Give every idle worker a job; a timing waits until all are idle.

        The first job starts all workers: later jobs need them, and importing torch takes time."""
        while self._queue and len(self._pool) < self.workers and (worker := self._started()) is not None:
            self._pool.append(worker)
        for worker in [worker for worker in self._pool if worker.job is None]:
            if not self._queue or (self._queue[0].kind == "time" and self._is_busy()):
                return
            worker.job = self._queue.popleft()
            worker.silence.broken()
            worker.send(worker.job.to_json())

    def _is_busy(self) -> bool:
        """Whether a worker has a job, or is still starting."""
        return any(worker.job is not None or not worker.was_ready for worker in self._pool)

    def _receive(self, worker: _Worker) -> list[Event]:
        """All messages of a worker so far; when its connection has closed, it is replaced."""
        events: list[Event] = []
        try:
            while worker in self._pool and worker.connection.poll():
                events += self._event_of(worker, WorkerMessage.from_json(json.loads(worker.connection.recv_bytes())))
        except (EOFError, OSError):
            events += self._replace(worker)
        return events

    def _is_overdue(self, worker: _Worker) -> bool:
        """Whether a worker has said nothing for so long that it must be stopped or hang. Its job's patience doubles
        with every attempt: a machine may be slower than anybody expects."""
        seconds = worker.silence.goes_on()
        if (worker.job is None and worker.was_ready) or seconds < silence.MIN_SECONDS:
            return False
        if silence.is_stopped(worker.pid):
            return True
        if worker.job is None or not worker.was_ready:
            return False
        name = worker.job.id
        return name in self._patience and seconds > self._patience[name] * 2 ** self._attempts.get(name, 0)

    def _event_of(self, worker: _Worker, message: WorkerMessage) -> list[Event]:
        worker.silence.broken()
        match message.event:
            case "ready":
                worker.was_ready, self._failed_starts = True, 0
                return []
            case "progress":
                return [Event("progress", message.id, done=message.done)]
            case "done":
                worker.job = None
                return [Event("done", message.id, seconds=message.seconds)]
            case "full":  # its memory is fragmented: the next job gets a fresh process
                self._pool.remove(worker)
                worker.end()
                return [Event("full", message.id, error=message.error, message=verbatim(message.message))]
            case "failed":
                worker.job = None
                return [Event("failed", message.id, error=message.error, message=verbatim(message.message))]

    def _replace(self, worker: _Worker, hung: bool = False) -> list[Event]:
        """Count the loss, and put the job of a worker that is dead or hangs back at the head of the queue."""
        self._pool.remove(worker)
        how = worker.end(patience=0.0 if hung else 0.5)  # it may be exiting by itself: its exit code says more
        if not worker.was_ready:
            self._failed_starts += 1
            if self._failed_starts > self.RETRIES:
                last = self._last_log_line()
                raise TrialFailed(f"{self._failed_starts} workers in a row ended ({how}) at their start{last}.")
        if worker.job is None:
            return []
        name, silent = worker.job.id, round(worker.silence.seconds)
        was_loading = remove_deadly(private_folder("kernels"), worker.pid)
        if worker.was_ready:  # otherwise the job is not at fault
            self._attempts[name] = attempts = self._attempts.get(name, 0) + 1
            if attempts > self.RETRIES:
                return [_given_up(name, attempts, how, hung)]
        self._queue.appendleft(worker.job)
        if hung:
            words = say(
                "A worker did nothing for {n} s and was ended; another one takes over {name}.", n=silent, name=name
            )
        elif was_loading:
            words = say(
                "A worker ended ({how}) while it loaded a compiled library, which is removed and made again; another "
                "worker takes over {name}.",
                how=how,
                name=name,
            )
        else:
            words = say("A worker ended ({how}); another one takes over {name}.", how=how, name=name)
        return [Event("retried", name, message=words)]

    def _last_log_line(self) -> str:
        """The last line that any worker has written: a mere plan deletes its folder, logs included."""
        logs = self._folder / "logs"
        written = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in sorted(logs.glob("*.log")))
        # of a traceback the last line says most, and may not be there yet
        lines = [line for line in written.split("\n") if line.strip() and not line.startswith(("  ", "Traceback ("))]
        return f": {lines[-1].strip().rstrip('.')} (see {logs})" if lines else ""

    def _started(self) -> _Worker | None:
        """Another worker; None where the system allows no more of them. Raises TrialFailed where it allows none."""
        try:
            return self._start()
        except OSError as error:
            if self._pool:
                return None
            raise TrialFailed(f"No worker process can be started: {error.strerror or error}.") from None

    def _start(self) -> _Worker:
        logs = self._folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        if self._serve is not None:
            others = [worker.connection for worker in self._pool]
            return _fork(self._serve, self._folder, self._memory, others)
        if _prestarted:
            worker = _prestarted.pop()
        else:
            with (logs / "workers.log").open("ab") as log:
                worker = _spawn(log)
        worker.send(WorkerSetup(str(self._folder), self._memory).to_json())
        return worker


def _given_up(name: str, attempts: int, how: str, hung: bool) -> Event:
    if hung:
        words = say("{attempts} workers did nothing for too long while they had {name}.", attempts=attempts, name=name)
        return Event("hung", name, message=words)
    words = say("{attempts} workers ended ({how}) while they had {name}.", attempts=attempts, how=how, name=name)
    return Event("lost", name, message=words)


class _Worker:
    """A process, the connection to it, and its current job."""

    def __init__(self, pid: int, poll: Callable[[], int | None], connection: Connection) -> None:
        self.pid = pid
        self.connection = connection
        self.job: Job | None = None
        self.was_ready = False
        self.silence = silence.Silence()
        self._poll = poll
        """None while the process runs; then its exit code, or minus the signal that ended it."""

    def send(self, message: JsonObject) -> None:
        with suppress(OSError):  # a dead worker is noticed by `_receive`
            self.connection.send_bytes(json.dumps(message).encode())

    def end(self, patience: float = 0.0) -> str:
        """Kill the process and its children, unless it ends by itself meanwhile, and say how it ended. Files are
        whole or absent, so none is left half written."""
        until = monotonic() + patience
        while (code := self._poll()) is None:
            if monotonic() >= until:
                for kill in (os.killpg, os.kill):  # the group exists once the process has made itself its leader
                    with suppress(ProcessLookupError):
                        kill(self.pid, signal.SIGKILL)
            sleep(0.002)
        self.connection.close()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


_prestarted: list[_Worker] = []
"""Started in advance, for the next `LocalProcesses`."""


@contextmanager
def prestarted_workers(count: int) -> Generator[None]:
    """Start workers before the study is known: importing torch takes longer than reading the arguments. Unused workers
    are ended with the block."""
    try:
        with suppress(OSError):  # no more are allowed: those there are will do
            _prestarted.extend(_spawn(subprocess.DEVNULL) for _ in range(count))
        yield
    finally:
        while _prestarted:
            _prestarted.pop().end()


def _spawn(log: IO[bytes] | int) -> _Worker:
    """A fresh interpreter, in a session of its own so that Ctrl-C passes it by. It waits for its `WorkerSetup`;
    errors until then are in the log."""
    ours, theirs = socket.socketpair()
    with theirs, ours:
        line = theirs.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "steepest.engine.worker", str(line)],
            pass_fds=(line,),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        return _Worker(process.pid, process.poll, Connection(ours.detach()))


def _fork(serve: Serve, folder: Path, share: float | None, others: list[Connection]) -> _Worker:
    """A copy of this process that only serves jobs."""
    ours, theirs = socket.socketpair()
    connection = Connection(ours.detach())
    with warnings.catch_warnings():
        # Python warns of locks that other threads hold, such as the one that draws progress; the child needs none.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            pid = os.fork()
        except OSError:
            connection.close()
            theirs.close()
            raise
    if pid:
        theirs.close()
        return _Worker(pid, partial(_exit_code, pid), connection)
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for each in (signal.SIGTERM, signal.SIGHUP):  # the coordinator may handle them
            signal.signal(each, signal.SIG_DFL)
        for line in (
            connection,
            *others,
        ):  # held open here, they would hide from other workers that the coordinator has ended
            line.close()
        _write_to_log(folder)
        memory.limit(share)
        serve(Connection(theirs.detach()), folder)
        code = 0
    except BaseException:  # no exception may escape into the copied caller
        traceback.print_exc()
    finally:
        os._exit(code)


def _write_to_log(folder: Path) -> None:
    """What this worker prints goes into a file, or nowhere where the disk takes none. Both the descriptors and the
    streams: in a notebook or a test, print() does not go to descriptor 1."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    try:
        line = os.open(folder / "logs" / f"worker-{os.getpid()}.log", flags, 0o644)
    except OSError:
        line = os.open(os.devnull, os.O_WRONLY)
    log = os.fdopen(line, "a", buffering=1, encoding="utf-8")
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    sys.stdout = sys.stderr = log


def _exit_code(child: int) -> int | None:
    pid, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if pid else None
