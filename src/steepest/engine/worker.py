"""A worker process: runs the jobs that arrive over a connection, one after another, and reports their outcomes."""

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import NoReturn

import torch

from steepest.engine.shard import ObjectRegistry, run_job
from steepest.records import memory
from steepest.records.job_records import WorkerMessage, WorkerSetup, job_from_json
from steepest.records.record import JsonObject

PROGRESS_INTERVAL_SECONDS = 0.25
"""Seconds between two progress reports of a job."""


def serve(connection: Connection, folder: Path, registry: ObjectRegistry | None = None) -> None:
    """Run jobs until a "stop" arrives. The process exits at once when the other end of the connection closes."""
    torch.set_num_threads(1)
    import_all()
    jobs: SimpleQueue[JsonObject] = SimpleQueue()
    threading.Thread(target=_listen, args=(connection, jobs), daemon=True).start()
    _send(connection, WorkerMessage("ready"))
    while (job := jobs.get())["kind"] != "stop":
        _do(job, connection, folder, registry)


def import_all() -> None:
    """Import what `vmap` and `grad` import at their first call. It takes seconds, which no shard's time should include;
    a process that forks workers calls it once for all of them.
    """
    import torch._dynamo  # noqa: F401


def _do(job: JsonObject, connection: Connection, folder: Path, registry: ObjectRegistry | None) -> None:
    name, began = job["id"], monotonic()
    try:
        run_job(job_from_json(job), folder, registry, _reporter(connection, name))
    except Exception as error:  # a user's model may raise anything: report it and go on
        traceback.print_exc()
        sys.stderr.flush()
        event = "full" if memory.ran_out(error) else "failed"
        _send(connection, WorkerMessage(event, name, error=type(error).__name__, message=str(error)))
    else:
        _send(connection, WorkerMessage("done", name, seconds=monotonic() - began))


def _reporter(connection: Connection, name: str) -> Callable[[float], None]:
    """Reports the share of a job that is done, at most every PROGRESS_INTERVAL_SECONDS."""
    last = monotonic()

    def report(done: float) -> None:
        nonlocal last
        if monotonic() - last >= PROGRESS_INTERVAL_SECONDS:
            last = monotonic()
            _send(connection, WorkerMessage("progress", name, done=done))

    return report


def _send(connection: Connection, message: WorkerMessage) -> None:
    try:
        connection.send_bytes(json.dumps(message.to_json()).encode())
    except OSError:
        _leave()


def _listen(connection: Connection, jobs: SimpleQueue[JsonObject]) -> None:
    """Receive jobs in a thread, so that a closed connection is noticed in the middle of training."""
    job: JsonObject = {"kind": ""}
    while job["kind"] != "stop":
        try:
            job = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            _leave()
        jobs.put(job)


def _leave() -> NoReturn:
    """Exit at once: nobody waits for results, and files are whole or absent at any moment."""
    os._exit(0)


def main(line: str) -> None:
    """Serve over the inherited socket with the file descriptor `line`. Its first message holds the study's folder and
    the `share` of memory in bytes, if it is limited. From then on all output goes to FOLDER/logs.
    """
    connection = Connection(int(line))
    import_all()  # while the study is being read
    try:
        setup = WorkerSetup.from_json(json.loads(connection.recv_bytes()))
    except EOFError:
        _leave()
    path = Path(setup.folder) / "logs" / f"worker-{os.getpid()}.log"
    with suppress(OSError):  # on a full disk, output stays where it goes
        path.parent.mkdir(parents=True, exist_ok=True)
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
        os.dup2(log, sys.stdout.fileno())
        os.dup2(log, sys.stderr.fileno())
    memory.limit(setup.share)
    serve(connection, Path(setup.folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
