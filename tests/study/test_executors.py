"""Workers: they do the jobs, are replaced when they die, and never outlive their coordinator."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from study import toy

from steepest.errors import BadTask, TrialFailed
from steepest.messages import verbatim
from steepest.records.job_records import DescribeJob, TimeJob, TrainJob
from steepest.records.private_cache import private_folder
from steepest.records.task_facts import TaskRef
from steepest.study import silence
from steepest.study.executors import Event, FunctionExecutor, LocalProcesses
from steepest.study.jobs import failure
from steepest.study.run import run

TOY = TaskRef("toy", "catalogue", "toy")
pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def crew(tmp_path):
    made = []

    def make(workers=2, serve=toy.serve):
        made.append(LocalProcesses(tmp_path, workers, serve))
        return made[-1]

    yield make
    for executor in made:
        executor.close()


def events_until(executor, *kinds, count=1, seconds=120.0):
    """All events until `count` of these kinds have come."""
    seen: list[Event] = []
    until = time.monotonic() + seconds
    while sum(event.kind in kinds for event in seen) < count:
        assert time.monotonic() < until, f"only {seen}"
        seen += executor.poll(0.1)
    return seen


def wait_for(path: Path, seconds=120.0) -> str:
    until = time.monotonic() + seconds
    while not path.exists() or not path.read_text():
        assert time.monotonic() < until, f"{path} did not appear"
        time.sleep(0.01)
    return path.read_text()


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is only waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def is_gone(pid: int, seconds=60.0) -> bool:
    until = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_alive(pid)


def test_jobs_are_done_and_their_files_are_there(crew, tmp_path):
    executor = crew()
    executor.submit(TrainJob(toy.shard()))
    (done,) = events_until(executor, "done")
    assert done == Event("done", toy.shard().id, seconds=0.5)
    assert (tmp_path / "curves" / f"{toy.shard().id}.npz").exists()


def test_as_many_jobs_run_at_once_as_there_are_workers(crew, tmp_path):
    executor = crew(workers=2)
    for i in range(3):
        executor.submit(toy.ToyJob({"kind": "wait", "id": f"s{i}", "for": str(tmp_path / "signal")}))
    begun = events_until(executor, "progress", count=2)
    assert {event.id for event in begun} == {"s0", "s1"}
    (tmp_path / "signal").touch()
    order = [(event.kind, event.id) for event in events_until(executor, "done", count=3)]
    assert order.index(("progress", "s2")) > min(order.index(("done", "s0")), order.index(("done", "s1")))
    assert len({(tmp_path / f"s{i}.pid").read_text() for i in range(3)}) == 2


def test_no_worker_is_started_before_there_is_work(crew):
    executor = crew()
    assert executor.poll(0.0) == []
    assert executor._pool == []


def test_a_step_is_timed_only_when_every_worker_is_idle(crew, tmp_path):
    executor = crew(workers=2)
    executor.submit(toy.ToyJob({"kind": "sleep", "id": "before", "seconds": 0.3}))
    executor.submit(TimeJob("t", TOY, toy.contender("inside"), 8, "float32", "cpu"))
    seen = events_until(executor, "done", count=2)
    assert [event.id for event in seen if event.kind == "done"] == ["before", "t"]


def test_a_worker_killed_in_the_middle_of_a_job_is_replaced_and_the_job_done(crew, tmp_path):
    executor = crew(workers=1)
    executor.submit(toy.ToyJob({"kind": "sleep", "id": "long", "seconds": 1.0}))
    executor.submit(toy.ToyJob({"kind": "sleep", "id": "next", "seconds": 0.0}))
    executor.poll(0.0)
    first = int(wait_for(tmp_path / "long.pid"))
    (tmp_path / "long.pid").unlink()
    os.kill(first, signal.SIGKILL)
    seen = events_until(executor, "done", count=2)
    (retried,) = [event for event in seen if event.kind == "retried"]
    assert retried.id == "long"
    assert "SIGKILL" in str(retried.message)
    assert [event.id for event in seen if event.kind == "done"] == ["long", "next"], "first come, first served again"
    assert int((tmp_path / "long.pid").read_text()) != first
    assert is_gone(first)


@pytest.mark.parametrize(("deaths", "end"), [(3, "done"), (4, "lost")])
def test_a_job_is_retried_three_times_and_no_more(crew, tmp_path, deaths, end):
    executor = crew(workers=1)
    executor.submit(toy.ToyJob({"kind": "die", "id": "d", "times": deaths}))
    seen = events_until(executor, "done", "lost")
    assert [event.kind for event in seen] == ["retried"] * 3 + [end]
    executor.submit(toy.ToyJob({"kind": "sleep", "id": "s", "seconds": 0}))
    assert events_until(executor, "done")[-1].id == "s", "other jobs go on"


def test_a_library_that_ends_a_worker_is_removed_and_its_job_done_by_another(crew, tmp_path, monkeypatch):
    monkeypatch.setenv("STEEPEST_CACHE", str(tmp_path / "cache"))
    library = private_folder("kernels") / "k-1.so"
    library.write_bytes(b"deadly")
    executor = crew(workers=1)
    executor.submit(toy.ToyJob({"kind": "die", "id": "d", "library": str(library)}))
    retried, done = events_until(executor, "done", "lost")
    assert "(SIGKILL) while it loaded a compiled library, which is removed" in str(retried.message)
    assert (retried.kind, done.kind) == ("retried", "done")
    assert [*library.parent.iterdir()] == []


def test_a_worker_that_is_stopped_is_ended_and_its_job_given_to_another(crew, tmp_path, monkeypatch):
    monkeypatch.setattr(silence, "MIN_SECONDS", 0.3)
    executor = crew(workers=2)
    signal_to_go_on = tmp_path / "signal"
    for name in ("stopped", "other"):  # no limit of their own: a stopped worker is noticed in any case
        executor.submit(toy.ToyJob({"kind": "wait", "id": name, "for": str(signal_to_go_on)}))
    executor.poll(0.0)
    first, other = (int(wait_for(tmp_path / f"{name}.pid")) for name in ("stopped", "other"))
    os.kill(first, signal.SIGSTOP)
    seen = events_until(executor, "retried")
    assert "did nothing for" in str(seen[-1].message)
    assert "another one takes over stopped." in str(seen[-1].message)
    assert is_gone(first)
    signal_to_go_on.touch()
    seen = events_until(executor, "done", count=2)
    assert {event.id for event in seen if event.kind == "done"} == {"stopped", "other"}
    assert executor._pool[0].pid == other, "a silent worker that is not stopped is left alone without a limit"


def test_a_job_that_hangs_is_given_to_others_and_then_given_up(crew, tmp_path, monkeypatch):
    monkeypatch.setattr(silence, "MIN_SECONDS", 0.1)
    executor = crew(workers=1)
    executor.submit(toy.ToyJob({"kind": "sleep", "id": "hangs", "seconds": 3600}), patience=0.1)
    executor.submit(toy.ToyJob({"kind": "sleep", "id": "next", "seconds": 0}), patience=60)
    seen = [event for event in events_until(executor, "done") if event.kind != "progress"]
    assert [event.kind for event in seen] == ["retried"] * 3 + ["hung", "done"]
    assert [event.id for event in seen] == ["hangs"] * 4 + ["next"], "other jobs go on"
    assert "4 workers did nothing for too long while they had hangs" in str(seen[3].message)


def test_silence_does_not_count_while_the_coordinator_itself_is_stopped(monkeypatch):
    clock = iter([0.0, 2.0, 3600.0, 3601.0, 3601.0, 3602.0])
    monkeypatch.setattr(silence, "monotonic", lambda: next(clock))
    one = silence.Silence()
    assert [one.goes_on() for _ in range(3)] == [2.0, 2.0 + silence.MAX_GAP, 3.0 + silence.MAX_GAP]
    one.broken()
    assert one.goes_on() == 1.0


def test_a_job_that_raises_is_reported_and_the_worker_continues(crew):
    executor = crew(workers=1)
    executor.submit(DescribeJob("b", TaskRef("broken", "catalogue", "broken")))
    (failed,) = events_until(executor, "failed")
    assert (failed.id, failed.error, str(failed.message)) == ("b", "BadTask", "broken has no training examples.")
    worker = executor._pool[0].pid
    executor.submit(toy.ToyJob({"kind": "sleep", "id": "s", "seconds": 0}))
    events_until(executor, "done")
    assert executor._pool[0].pid == worker


def test_workers_that_die_at_their_start_are_not_started_for_ever(crew, tmp_path):
    def stillborn(connection, folder):
        raise SystemError("no engine here")

    executor = crew(workers=2, serve=stillborn)
    executor.submit(toy.ToyJob({"kind": "sleep", "id": "s", "seconds": 0}))
    with pytest.raises(TrialFailed, match=r"4 workers in a row ended \(exit code 1\) at their start: .*no engine"):
        events_until(executor, "done", "lost")
    assert any("no engine here" in log.read_text() for log in (tmp_path / "logs").iterdir())


def test_what_a_worker_prints_goes_into_its_log(crew, tmp_path, capfd):
    executor = crew(workers=1)
    executor.submit(toy.ToyJob({"kind": "print", "id": "p"}))
    events_until(executor, "done")
    assert "hello from a worker" in (tmp_path / "logs" / f"worker-{executor._pool[0].pid}.log").read_text()
    assert capfd.readouterr().out == ""


def test_closing_ends_workers_in_the_middle_of_their_jobs(crew, tmp_path):
    executor = crew(workers=2)
    for name in ("a", "b"):
        executor.submit(toy.ToyJob({"kind": "sleep", "id": name, "seconds": 60}))
    executor.poll(0.0)
    workers = [int(wait_for(tmp_path / f"{name}.pid")) for name in ("a", "b")]
    start = time.monotonic()
    executor.close()
    executor.close()
    assert time.monotonic() - start < 30.0, "it did not wait for them"
    assert not any(map(is_alive, workers))


COORDINATOR = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would ignore it
from pathlib import Path
sys.path.insert(0, {tests!r})
from study import toy
from steepest.study.executors import LocalProcesses
executor = LocalProcesses(Path({folder!r}), 2, toy.serve)
for name in ("a", "b"):
    executor.submit(toy.ToyJob({{"kind": "sleep", "id": name, "seconds": {seconds}}}))
try:
    while True:
        executor.poll(0.1)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    time.sleep(0.5)
    print([worker.job is not None for worker in executor._pool], flush=True)
    executor.close()
"""


def coordinator(folder, seconds):
    """A process of its own group with two busy workers, and their process numbers."""
    code = COORDINATOR.format(tests=str(Path(__file__).parents[1]), folder=str(folder), seconds=seconds)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    return process, [int(wait_for(folder / f"{name}.pid")) for name in ("a", "b")]


def test_ctrl_c_reaches_the_coordinator_only(tmp_path):
    process, workers = coordinator(tmp_path, seconds=60)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process in the foreground
    output, _ = process.communicate(timeout=120)
    assert output.splitlines() == ["interrupted", "[True, True]"], "the workers were still at it"
    assert not any(map(is_alive, workers)), "and were stopped by their coordinator"


def test_no_worker_outlives_a_coordinator_that_was_killed(tmp_path):
    """Each worker holds one end of its own line only: were another's held open too, its end would go unnoticed."""
    process, workers = coordinator(tmp_path, seconds=0.5)
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    assert all(map(is_gone, workers))


def test_a_study_is_the_same_for_every_executor(crew, tmp_path):
    asked = toy.spec("inside", "edge")
    by_processes = run(asked, tmp_path, crew())
    by_function = run(asked, tmp_path / "other", toy.executor(tmp_path / "other"))
    assert by_processes.results == by_function.results


def test_a_function_reports_failures_as_a_worker_does():
    def fails(job):
        raise BadTask("there is no data.")

    executor = FunctionExecutor(fails)
    executor.submit(DescribeJob("x", TOY))
    (event,) = executor.poll(0)
    assert event == Event("failed", "x", error="BadTask", message=verbatim("there is no data."))
    assert executor.poll(0) == []


@pytest.mark.parametrize(
    ("event", "kind", "words"),
    [
        (Event("failed", "x", error="BadTask", message=verbatim("No data.")), BadTask, r"^No data\.$"),
        (
            Event("failed", "x", error="RuntimeError", message=verbatim("boom")),
            TrialFailed,
            "x failed with RuntimeError: boom",
        ),
        (Event("failed", "x", error="annotations", message=verbatim("boom")), TrialFailed, "boom"),
        (
            Event("lost", "x", message=verbatim("4 workers ended.")),
            TrialFailed,
            "4 workers ended. Perhaps memory ran out",
        ),
    ],
)
def test_a_failure_is_raised_as_its_own_kind_where_that_is_one_of_ours(event, kind, words, tmp_path):
    with pytest.raises(kind, match=words):
        raise failure(event, tmp_path)


# ---- a system that gives nothing more --------------------------------------------------------------------------------


def forks(monkeypatch, allowed: int) -> None:
    """The system allows only so many processes more."""
    fork, left = os.fork, [allowed]

    def limited():
        left[0] -= 1
        if left[0] < 0:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return fork()

    monkeypatch.setattr(os, "fork", limited)


def test_where_no_process_can_be_started_one_sentence_says_so(crew, monkeypatch):
    forks(monkeypatch, 0)
    executor = crew()
    executor.submit(TrainJob(toy.shard()))
    with pytest.raises(TrialFailed, match=r"^No worker process can be started: Resource temporarily unavailable\.$"):
        executor.poll(0.1)


def test_where_one_process_can_be_started_it_does_all_the_work(crew, monkeypatch):
    forks(monkeypatch, 1)
    executor = crew(workers=3)
    for name in "abc":
        executor.submit(toy.ToyJob({"kind": "print", "id": name}))
    assert [event.id for event in events_until(executor, "done", count=3)] == ["a", "b", "c"]


def test_a_worker_whose_log_cannot_be_written_works_without_it(crew, monkeypatch, tmp_path):
    opened = os.open

    def full(path, *rest):
        if "worker-" in str(path):
            raise OSError(28, "No space left on device")
        return opened(path, *rest)

    monkeypatch.setattr(os, "open", full)
    executor = crew(workers=1)
    executor.submit(toy.ToyJob({"kind": "print", "id": "x"}))
    assert [event.kind for event in events_until(executor, "done")] == ["done"]
    assert not [*(tmp_path / "logs").glob("worker-*")]


def test_the_first_line_of_a_traceback_is_no_reason(crew, tmp_path):
    """The log of a worker that is still writing it."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_text("The model has no parameters.\n")
    (tmp_path / "logs" / "b.log").write_text('Traceback (most recent call last):\n  File "x.py", line 3\n')
    assert crew()._last_log_line() == f": The model has no parameters (see {tmp_path / 'logs'})"
