"""Jobs on a cluster: each gets exactly one result, the same bits as here, whatever happens on the way."""

import io
import os
import zipfile
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from clusters.chaos import ChaosCluster
from rich.console import Console
from study import toy

from steepest.cli import doctor
from steepest.clusters.engines_here import ray_version
from steepest.clusters.near import NearCluster
from steepest.clusters.parcels import Order, Reply, check_content, pack, read_reply
from steepest.clusters.remote import MAX_LOSSES, RemoteExecutor
from steepest.errors import BadSetting, TrialFailed
from steepest.records.files import write_trace
from steepest.records.job_records import DescribeJob, TrainJob
from steepest.records.node_records import NodeState, read_nodes, write_nodes
from steepest.records.task_facts import TaskRef
from steepest.report import watch_view
from steepest.serving.follower import Follower
from steepest.serving.snapshot import StudyFolder
from steepest.study import environment
from steepest.study.run import resume, run

pytestmark = pytest.mark.filterwarnings("error")


def hashes(folder):
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted((folder / "curves").glob("*.npz"))}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """The hashes of a study that was run in this process."""
    folder = tmp_path_factory.mktemp("here") / "study"
    run(toy.spec("inside", "edge", "low"), folder, toy.executor(folder))
    return hashes(folder)


class Post:
    """A cluster in the hands of the test: it shows what was sent, and brings what the test says."""

    workers, grace = 2, 0.0

    def __init__(self):
        self.sent, self.brought, self.held_now, self.forgotten = [], [], None, []

    def send(self, parcels):
        self.sent += parcels

    def receive(self, timeout):
        brought, self.brought = self.brought, []
        return brought

    def held(self):
        return self.held_now

    def forget(self, ticket):
        self.forgotten.append(ticket)

    def news(self):
        return []

    def close(self):
        pass


def result_of(shard, folder):
    path = folder / "made.npz"
    write_trace(path, toy.trace(shard))
    return path.read_bytes()


def submitted(folder, job=None):
    post, job = Post(), job or TrainJob(toy.shard())
    executor = RemoteExecutor(folder, post)
    executor.submit(job)
    executor.poll(0)
    return executor, post, job


def done(post, content, **changes):
    parcel = post.sent[-1]
    return Reply("done", parcel.ticket, parcel.id, "n1", seconds=1.0, content=content, **changes)


def test_a_study_on_agents_has_the_same_bits(tmp_path, here):
    folder = tmp_path / "study"
    run(toy.spec("inside", "edge", "low"), folder, RemoteExecutor(folder, NearCluster(3, serve=toy.serve)))
    assert hashes(folder) == here
    nodes = read_nodes(folder)
    assert {node.node for node in nodes} == {"near-1", "near-2", "near-3"}
    assert sum(node.done for node in nodes) >= len(here) and not any(node.underway for node in nodes)


@pytest.mark.parametrize("seed", range(4))
def test_a_study_in_chaos_has_the_same_bits(tmp_path, here, seed):
    folder = tmp_path / "study"
    cluster = ChaosCluster(seed, serve=toy.serve)
    run(toy.spec("inside", "edge", "low"), folder, RemoteExecutor(folder, cluster))
    assert hashes(folder) == here
    assert cluster.happened >= {"drop", "double", "delay", "kill"}


def test_a_study_that_was_stopped_goes_on_elsewhere(tmp_path, here):
    folder = tmp_path / "study"

    class Stopped(NearCluster):
        def forget(self, ticket):
            if len(hashes(folder)) == 3:
                raise KeyboardInterrupt

    with pytest.raises(Exception, match="resume"):
        run(toy.spec("inside", "edge", "low"), folder, RemoteExecutor(folder, Stopped(2, serve=toy.serve)))
    assert 0 < len(hashes(folder)) < len(here)
    resume(folder, RemoteExecutor(folder, NearCluster(1, serve=toy.serve)))
    assert hashes(folder) == here


def test_a_result_counts_once(tmp_path):
    executor, post, job = submitted(tmp_path)
    reply = done(post, result_of(job.shard, tmp_path)).to_bytes()
    post.brought = [reply, reply]
    assert [(event.kind, event.id) for event in executor.poll(0)] == [("done", job.id)]
    assert post.forgotten == [post.sent[0].ticket]
    path = tmp_path / "curves" / f"{job.id}.npz"
    path.unlink()
    post.brought = [reply]
    assert executor.poll(0) == [] and not path.exists()


def test_a_job_that_is_sent_in_another_way_takes_only_its_own_result(tmp_path):
    executor, post, job = submitted(tmp_path)
    late = done(post, result_of(job.shard, tmp_path))
    executor.submit(TrainJob(replace(job.shard, width=1)))
    executor.poll(0)
    post.brought = [late.to_bytes()]
    assert executor.poll(0) == []
    post.brought = [done(post, result_of(job.shard, tmp_path)).to_bytes()]
    assert [event.kind for event in executor.poll(0)] == ["done"]


def test_a_job_that_nobody_has_is_sent_again_and_in_the_end_given_up(tmp_path):
    executor, post, job = submitted(tmp_path)
    post.brought = [Reply("progress", post.sent[0].ticket, job.id, "n1").to_bytes()]
    assert [event.kind for event in executor.poll(0)] == ["progress"]
    assert executor.poll(0) == []  # None: the scheduler is silent, so nothing is known to be lost
    post.held_now = {post.sent[0].ticket}
    assert executor.poll(0) == []
    post.held_now = set()
    kinds = [event.kind for _ in range(3 * MAX_LOSSES + 3) for event in executor.poll(0)]
    assert len(post.sent) == MAX_LOSSES + 1
    assert kinds.count("retried") == MAX_LOSSES and kinds.count("lost") == 1


def test_a_cluster_where_no_node_ever_answers_ends_the_study(tmp_path):
    executor, post, _ = submitted(tmp_path)
    post.held_now = set()
    with pytest.raises(TrialFailed, match="No node has answered, in 3 attempts"):
        for _ in range(20):
            executor.poll(0)


def zipped(content, method):
    whole = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(whole, "w", method) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    return whole.getvalue()


def pickled(content):
    whole = io.BytesIO()
    np.savez(whole, outcome=np.array([{"a": 1}], dtype=object))
    return whole.getvalue()


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: b"",
        lambda content: content[:-30],
        lambda content: content + bytes(10**7),
        lambda content: zipped(content, zipfile.ZIP_DEFLATED),
        pickled,
    ],
    ids=["empty", "cut off", "too long", "compressed", "pickled"],
)
def test_a_forged_result_is_refused_and_the_job_sent_again(tmp_path, harm):
    executor, post, job = submitted(tmp_path)
    post.brought = [done(post, harm(result_of(job.shard, tmp_path))).to_bytes()]
    (event,) = executor.poll(0)
    assert event.kind == "retried" and "refused" in str(event.message)
    assert len(post.sent) == 2 and not (tmp_path / "curves").exists()


def test_curves_of_another_shard_are_refused(tmp_path):
    job = TrainJob(toy.shard())
    other = result_of(replace(job.shard, evaluate_at=(20, 100)), tmp_path)
    with pytest.raises(ValueError, match="shape"):
        check_content(job, other)


@pytest.mark.parametrize(
    "changes",
    [{"id": "../../etc/passwd"}, {"node": "x" * 10**6}, {"seconds": -1.0}, {"event": "news"}, {"ticket": "other"}],
    ids=["path", "long name", "negative", "unknown kind", "unknown ticket"],
)
def test_a_forged_reply_does_nothing(tmp_path, changes):
    executor, post, job = submitted(tmp_path)
    reply = done(post, result_of(job.shard, tmp_path))
    post.brought = [replace(reply, **changes).to_bytes(), b"", b"\n", b"{}\n", b"\xff\xfe", b"[" * 10**5]
    assert executor.poll(0) == []
    assert [path.name for path in tmp_path.iterdir()] == ["made.npz"]


def test_words_of_a_node_cannot_redraw_a_terminal():
    reply = read_reply(Reply("failed", "t", "i", "n\x1b[2J", message="a\r\x1b[31mb").to_bytes())
    assert "\x1b" not in reply.node + reply.message and "\r" not in reply.message


def test_a_node_with_another_torch_is_refused_in_a_sentence(tmp_path, monkeypatch):
    parcel = pack(DescribeJob("facts", TaskRef("toy", "catalogue", "toy")))
    monkeypatch.setattr(
        Order, "from_bytes", lambda content, read=Order.from_bytes: replace(read(content), versions={"torch": "1.0"})
    )
    cluster = NearCluster(1, serve=toy.serve)
    try:
        cluster.send([parcel])
        (raw,) = cluster.receive(0.1)
    finally:
        cluster.close()
    reply = read_reply(raw)
    assert reply.event == "failed" and reply.error == BadSetting.__name__
    assert f"torch {environment.versions()['torch']} instead of 1.0" in reply.message


def test_the_page_and_doctor_show_the_nodes(tmp_path, monkeypatch):
    folder = tmp_path / "runs" / "study"
    run(toy.spec("inside"), folder, RemoteExecutor(folder, NearCluster(2, serve=toy.serve)))
    write_nodes(folder, [*read_nodes(folder), NodeState("<b>gone", underway=1, lost=12)])
    page = StudyFolder(folder).snapshot(1).page().decode()
    assert "near-1" in page and "near-2" in page and "<b>gone" not in page and "&lt;b&gt;gone" in page
    monkeypatch.chdir(tmp_path)
    rows = {str(row["what"]): str(row["finding"]) for row in doctor.examine()["checks"]}
    assert rows[f"node <b>gone of {Path('runs/study')}"] == "1 job now, 0 done, 12 lost"
    assert rows["Ray"] == (ray_version() or "not installed: pip install 'steepest[ray]'")


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'n1|idle\nn2|idle*\nn1|idle\nn3|down'", "3 nodes: 2 idle, 1 down"),
        ("echo 'Unable to contact slurm controller' >&2; exit 1", "installed, but no answer: sinfo says why"),
    ],
)
def test_doctor_says_what_slurm_answers(tmp_path, monkeypatch, script, says):
    program = tmp_path / "sinfo"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    rows = {str(row["what"]): row for row in doctor.examine()["checks"]}
    assert str(rows["Slurm"]["finding"]) == says and rows["Slurm"]["ok"] == says.startswith("3")


def test_watch_shows_the_nodes(tmp_path):
    folder = tmp_path / "study"
    run(toy.spec("inside"), folder, RemoteExecutor(folder, NearCluster(2, serve=toy.serve)))
    console = Console(file=io.StringIO(), width=100)
    watch_view.watch(Follower(folder), console, 1.0, once=True, nodes=partial(read_nodes, folder))
    shown = console.file.getvalue()
    assert "jobs lost" in shown and "near-1" in shown and "near-2" in shown
