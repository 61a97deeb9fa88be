"""Memory that runs out is no end: fewer runs at a time, in a fresh process, and told in words."""

import sys

import pytest
import torch
from study import toy
from torch import nn

import steepest
from steepest import api
from steepest.errors import BadSetting
from steepest.records import memory
from steepest.records.outcomes import Outcome
from steepest.records.step_times import FleetTime, StepTime
from steepest.records.study_record import StudyDesign
from steepest.study.execution import ExecutionMode, fit_to_memory
from steepest.study.executors import FunctionExecutor, LocalProcesses
from steepest.study.planner import parse_memory
from steepest.study.run import lanes_at_a_time, narrower, run

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are limited on Linux")


def greedy(room):
    """An engine that has no memory for more than `room` lanes at a time."""

    def work(folder):
        def do(job):
            if job.kind == "train" and lanes_at_a_time(job.shard) > room:
                raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate")
            toy.work(job, folder)

        return FunctionExecutor(do)

    return work


def test_a_job_goes_on_with_a_quarter_of_its_lanes_then_one_by_one():
    sizes, shard = [], toy.shard()
    while shard is not None:
        sizes.append((lanes_at_a_time(shard), shard.engine))
        shard = narrower(shard)
    assert sizes == [(2, "fleet"), (1, "fleet"), (1, "solo")]


def test_a_study_that_runs_out_of_memory_narrows_its_fleets_and_says_so_once(tmp_path):
    spec = toy.spec("inside", protocol=StudyDesign(seeds=4))
    record = run(spec, tmp_path / "tight", greedy(4)(tmp_path / "tight"))
    free = run(spec, tmp_path / "free", toy.executor(tmp_path / "free"))
    assert record.results == free.results, "the same rows, from shards of the same names"
    assert [*map(str, record.given_up)] == [
        "Memory ran out on toy where inside trained 18 runs at a time; it went on with 4 at a time."
    ]
    assert free.given_up == ()


def test_where_no_memory_is_enough_the_runs_are_kept_as_what_they_are(tmp_path):
    record = run(toy.spec("inside", protocol=StudyDesign(seeds=4)), tmp_path / "none", greedy(0)(tmp_path / "none"))
    assert {row.outcome for row in record.results} == {Outcome.OOM}
    assert any("even where inside trained one model at a time" in str(each) for each in record.given_up)


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (MemoryError(), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_errors_are_known_by_what_they_say(error, is_memory):
    assert memory.ran_out(error) is is_memory


@pytest.mark.parametrize(("text", "size"), [("4G", 4 * 2**30), ("512M", 2**29), ("0.5 GiB", 2**29), (2**28, 2**28)])
def test_sizes_as_people_write_them(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["lots", "0", "-4G", "1M", "4X", ""])
def test_a_size_that_is_none_is_refused_in_one_sentence(text):
    with pytest.raises(BadSetting, match="cannot be used; give at least 64M"):
        parse_memory(text)


def test_a_fleet_is_planned_no_wider_than_its_share():
    time = StepTime("toy", "inside", 1.0, 4.0, (FleetTime(36, (), 9.0, 1.0, 2**20),))
    assert fit_to_memory(ExecutionMode("fleet"), time, 10 * 2**20) == ExecutionMode("fleet", 8)
    assert fit_to_memory(ExecutionMode("fleet", 36, ("gradient",)), time, 10 * 2**20).width == 8
    assert fit_to_memory(ExecutionMode("fleet", 4), time, 10 * 2**20) == ExecutionMode("fleet", 4)
    assert (
        fit_to_memory(ExecutionMode("fleet"), time, 2**40)
        == fit_to_memory(ExecutionMode("fleet"), time, None)
        == ExecutionMode("fleet")
    )
    assert fit_to_memory(ExecutionMode("solo"), time, 1.0) == ExecutionMode("solo")


class Wide(nn.Module):
    """Twenty thousand numbers in its middle for every example."""

    def __init__(self):
        super().__init__()
        self.into = nn.Linear(4, 1)
        self.out = nn.Linear(1, 1)

    def forward(self, x):
        wide = self.into(x).expand(-1, 20_000)
        return self.out(torch.tanh(torch.tanh(wide * 2.0) * 3.0).mean(1, keepdim=True))


@LINUX
def test_a_real_process_that_runs_out_of_memory_is_replaced_and_the_study_goes_on(tmp_path):
    """Its test takes what calibration has not shown: some 100 MB a lane, and 300 MB are allowed."""
    x = torch.randn(416, 4, generator=torch.Generator().manual_seed(0))
    task = steepest.Task(
        model=Wide, train=(x[:8], x[:8, :1]), valid=(x[8:16], x[8:16, :1]), test=(x[16:], x[16:, :1]),
        loss=nn.functional.mse_loss, metric="loss", batch_size=4, epochs=1,
            accept=["target-leak"],
    )  # fmt: skip
    study = steepest.compare(
        task, "sgd", rates=(1e-1, 1e-2, 1e-3, 1e-4), seeds=2, workers=1, memory="300M", engine="fleet",
        out=tmp_path / "study", quiet=True,
    )  # fmt: skip
    assert [row.outcome for row in study.record.results] == [Outcome.OK] * 8
    assert "Memory ran out on" in str(study.record.given_up[0])
    assert any("Memory ran out on" in claim.sentence for claim in study.verdict.claims)


HELD: list[torch.Tensor] = []


class Hoarder(nn.Linear):
    """Leaves 200 MB behind in its process, as tasks with much data do."""

    def __init__(self):
        super().__init__(4, 1)
        if not HELD:
            HELD.append(torch.ones(50_000_000))


class Needy(nn.Linear):
    """Takes 200 MB for a moment."""

    def __init__(self):
        super().__init__(4, 1)
        torch.ones(50_000_000)


@LINUX
def test_a_task_that_needs_what_another_has_left_behind_is_looked_at_in_a_fresh_process(tmp_path):
    x = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
    hoarder, needy = (
        steepest.Task(
            model=kind, data=(x, x[:, :1]), loss=nn.functional.mse_loss, metric="loss", batch_size=4, epochs=1,
            accept=["target-leak"],
            name=kind.__name__,
        )
        for kind in (Hoarder, Needy)
    )  # fmt: skip
    asked = {"seeds": 2, "workers": 1, "engine": "solo", "quiet": True}
    plan = api.plan([hoarder, needy], "sgd", memory="300M", **asked)
    assert {time.task for time in plan.times} == {"Hoarder", "Needy"}
    with pytest.raises(BadSetting, match="Give more with --memory"):
        api.plan(needy, "sgd", memory="100M", **asked)


@LINUX
def test_a_limit_holds_from_when_it_is_set_and_leaves_the_worker_alive_to_say_so(tmp_path):
    def serve(connection, folder):
        import json

        torch.set_num_threads(1)  # as in a worker: a fork does not have the threads of the process it comes from
        connection.send_bytes(json.dumps({"event": "ready"}).encode())
        job = json.loads(connection.recv_bytes())
        try:
            torch.zeros(job["numbers"])
            said = {"event": "done", "seconds": 0.1}
        except RuntimeError as error:
            said = {"event": "full" if memory.ran_out(error) else "failed", "error": "", "message": str(error)}
        connection.send_bytes(json.dumps({**said, "id": job["id"]}).encode())
        connection.recv_bytes()

    for numbers, kind in ((2**20, "done"), (2**27, "full")):
        executor = LocalProcesses(tmp_path, 1, serve, memory=2**27)
        executor.submit(toy.ToyJob({"kind": "allocate", "id": "one", "numbers": numbers}))
        events = []
        while not events:
            events += executor.poll(1.0)
        executor.close()
        assert [event.kind for event in events] == [kind]
