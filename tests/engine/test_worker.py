"""A real worker process at the other end of a line."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from multiprocessing.connection import Connection

import pytest
from engine.small import digits, shard

from steepest.engine.object_registry import ObjectRegistry
from steepest.engine.worker import serve
from steepest.records.files import read_trace
from steepest.records.job_records import DescribeJob, TrainJob, WorkerSetup
from steepest.records.task_facts import TaskRef

TASK_FILE = """
import torch
from steepest.tasks.task import Task

class Model(torch.nn.Linear):
    calls = 0
    def forward(self, x):
        Model.calls += 1
        if x.shape[0] == 7 and Model.calls > 3:
            raise RuntimeError("the bridge is out")
        return super().forward(x)

task = Task(model=lambda: Model(4, 2), data=(torch.randn(60, 4), torch.arange(60) % 2),
            loss=torch.nn.functional.cross_entropy, batch_size=10)
"""


@pytest.fixture
def worker(tmp_path):
    """A worker process and our end of the line to it."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "steepest.engine.worker", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    line = Connection(ours.detach())
    say(line, WorkerSetup(str(tmp_path), share=None).to_json())
    yield process, line
    process.kill()
    process.wait()
    line.close()


def say(line: Connection, message: dict) -> None:
    line.send_bytes(json.dumps(message).encode())


def hear(line: Connection) -> dict:
    assert line.poll(300)
    return json.loads(line.recv_bytes())


def hear_the_end(line: Connection) -> tuple[list[dict], dict]:
    """Words of progress, and the last word on a job."""
    heard = [hear(line)]
    while heard[-1]["event"] == "progress":
        heard.append(hear(line))
    return heard[:-1], heard[-1]


def test_a_worker_does_jobs_survives_failures_and_ends_on_request(worker, tmp_path):
    process, line = worker
    path = tmp_path / "brittle.py"
    path.write_text(TASK_FILE)
    brittle = TaskRef("brittle", "file", str(path))
    assert hear(line) == {"event": "ready"}

    plan = replace(shard("sgd"), task=brittle, batch_size=7, engine="solo")
    say(line, TrainJob(replace(plan, id="breaks")).to_json())
    _, end = hear_the_end(line)
    assert end == {"event": "failed", "id": "breaks", "error": "RuntimeError", "message": "the bridge is out"}

    say(line, DescribeJob("nowhere", TaskRef("x", "catalogue", "digit")).to_json())
    _, end = hear_the_end(line)
    assert end["error"] == "UnknownName"
    assert "digits" in end["message"]

    say(line, TrainJob(replace(plan, id="works", batch_size=6)).to_json())
    _, end = hear_the_end(line)
    assert end["event"] == "done"
    assert end["seconds"] > 0
    assert read_trace(tmp_path / "curves" / "works.npz").valid_loss.shape == (4, 2)

    say(line, {"kind": "dance", "id": "odd"})
    _, end = hear_the_end(line)
    assert "describe, compile, time, train or probe" in end["message"]

    say(line, {"kind": "stop"})
    assert process.wait(120) == 0
    log = (tmp_path / "logs" / f"worker-{process.pid}.log").read_text()
    assert "the bridge is out" in log


def test_a_worker_ends_in_mid_training_when_its_coordinator_is_gone(worker, tmp_path):
    process, line = worker
    hear(line)
    plan = replace(shard("sgd", steps=10**7), task=TaskRef("line", "catalogue", "line"))
    say(line, TrainJob(replace(plan, id="long")).to_json())
    time.sleep(2.0)  # it is at work by now, far from any word of progress
    assert process.poll() is None
    line.close()
    assert process.wait(120) == 0
    assert not (tmp_path / "curves").exists()


def test_progress_is_reported_a_few_times_a_second(tmp_path):
    """Served from a thread of this process, with a task that lives in its memory."""
    ours, theirs = (Connection(end.detach()) for end in socket.socketpair())
    registry = ObjectRegistry(tasks={"test": digits()})
    thread = threading.Thread(target=serve, args=(theirs, tmp_path, registry))
    thread.start()
    assert hear(ours) == {"event": "ready"}
    steps = 2500
    plan = replace(shard("sgd", steps=steps, evaluate_at=tuple(range(5, steps + 1, 5))), engine="fleet")
    began = time.monotonic()
    say(ours, TrainJob(replace(plan, id="one")).to_json())
    words, end = hear_the_end(ours)
    seconds = time.monotonic() - began
    assert end["event"] == "done"
    assert 1 <= len(words) <= 4 * seconds + 1
    assert [word["done"] for word in words] == sorted(word["done"] for word in words)
    say(ours, {"kind": "stop"})
    thread.join(120)
    assert not thread.is_alive()
