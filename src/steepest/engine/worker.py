"""A worker process: does the jobs that come over a line, one after another, and says what became of them."""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import Any, NoReturn

import torch

from steepest.engine.shard import ObjectRegistry, run_job
from steepest.records import memory

Job = Mapping[str, Any]

PROGRESS_INTERVAL_SECONDS = 0.25
"""Seconds between two words on the progress of a job."""


def serve(connection: Connection, folder: Path, registry: ObjectRegistry | None = None) -> None:
    """Work until told to stop. When the other end of the line is gone, so is this process, whatever it is doing."""
    torch.set_num_threads(1)
    import_all()
    jobs: SimpleQueue[Job] = SimpleQueue()
    threading.Thread(target=_listen, args=(connection, jobs), daemon=True).start()
    _send(connection, event="ready")
    while (job := jobs.get())["kind"] != "stop":
        _do(job, connection, folder, registry)


def import_all() -> None:
    """What `vmap` and `grad` would import at their first call: it takes seconds, which a shard is not to be charged.
    Who forks workers does it once for all of them, and for those of the next study."""
    import torch._dynamo  # noqa: F401


def _do(job: Job, connection: Connection, folder: Path, registry: ObjectRegistry | None) -> None:
    name, began = job["id"], monotonic()
    try:
        run_job(job, folder, registry, _reporter(connection, name))
    except Exception as error:  # a user's model may raise anything: it is told, and the worker lives on
        traceback.print_exc()
        sys.stderr.flush()
        event = "full" if memory.ran_out(error) else "failed"
        _send(connection, event=event, id=name, error=type(error).__name__, message=str(error))
    else:
        _send(connection, event="done", id=name, seconds=monotonic() - began)


def _reporter(connection: Connection, name: str) -> Callable[[float], None]:
    """Passes on how much of a job is done, but not more often than anybody can read."""
    last = monotonic()

    def report(done: float) -> None:
        nonlocal last
        if monotonic() - last >= PROGRESS_INTERVAL_SECONDS:
            last = monotonic()
            _send(connection, event="progress", id=name, done=done)

    return report


def _send(connection: Connection, **message: Any) -> None:
    try:
        connection.send_bytes(json.dumps(message).encode())
    except OSError:
        _leave()


def _listen(connection: Connection, jobs: SimpleQueue[Job]) -> None:
    """Take in jobs as they come, in a thread of its own, so that the end of the line is noticed in mid-training."""
    job: Job = {"kind": ""}
    while job["kind"] != "stop":
        try:
            job = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            _leave()
        jobs.put(job)


def _leave() -> NoReturn:
    """End this process at once: nobody is waiting for results, and files are whole or absent at any moment."""
    os._exit(0)


def main(line: str) -> None:
    """Serve over the inherited socket with the file descriptor `line`, once it has told the study's folder and, if
    there is a limit, the `share` of memory in bytes; from then on everything printed goes to FOLDER/logs."""
    connection = Connection(int(line))
    import_all()  # while the study is being read
    try:
        request = json.loads(connection.recv_bytes())
    except EOFError:
        _leave()
    path = Path(request["folder"]) / "logs" / f"worker-{os.getpid()}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    memory.limit(request["share"])
    serve(connection, Path(request["folder"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
