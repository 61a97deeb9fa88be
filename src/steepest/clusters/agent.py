"""The local workers of one node, for any cluster: parcels go in, replies come out, and a scratch folder is all it has.

It fetches no data and opens no port. Workers that die are replaced here; the loss of the agent itself is the
coordinator's to notice.
"""

import os
import platform
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from steepest.clusters.parcels import MAX_NODE_NAME, Order, Reply, plain, result_path
from steepest.errors import SteepestError
from steepest.records.bounded import read_file
from steepest.records.files import write_bytes
from steepest.records.job_records import Job, job_from_json
from steepest.study.environment import hardware
from steepest.study.executors import Event, LocalProcesses, Serve
from steepest.study.places import is_plain_name

OFFLINE = "STEEPEST_OFFLINE"
"""Environment variable with which nothing is downloaded: data come from the coordinator, or are there already."""


class Agent:
    """`workers` processes in `folder`, which belongs to this agent alone; fewer where each needs several cores."""

    def __init__(self, folder: Path, workers: int, node: str = "", serve: Serve | None = None) -> None:
        """`serve`: as for LocalProcesses."""
        os.environ[OFFLINE] = "1"
        self.folder, self.workers = folder, workers
        self.node = plain(node or platform.node(), MAX_NODE_NAME)
        self._serve = serve
        self._machine = plain(hardware()["processor"], 2 * MAX_NODE_NAME)
        self._local: LocalProcesses | None = None
        self._orders: dict[str, Order] = {}
        self._replies: list[bytes] = []

    @property
    def tickets(self) -> list[str]:
        """Of the jobs that it has."""
        return [order.ticket for order in self._orders.values()]

    def give(self, name: str, content: bytes) -> None:
        """A task file or data file, for the jobs that need it: they find it by the hash of its content."""
        path = self._file(sha256(content).hexdigest(), name)
        if not path.exists():
            write_bytes(path, content)

    def take(self, content: bytes) -> None:
        """Begin the job of a parcel, unless it is underway already."""
        order = Order.from_bytes(content)
        if order.id in self._orders or not is_plain_name(order.id):
            return
        try:
            job = self._job(order)
        except (SteepestError, LookupError, TypeError) as error:
            self._refuse(order, type(error).__name__, str(error))
            return
        if differences := order.differences():
            words = f"{self.node} has {' and '.join(differences)}. Install the same versions on all nodes."
            self._refuse(order, "BadSetting", words)
            return
        if self._local is None:
            at_a_time = max(1, self.workers // order.cores)
            self._local = LocalProcesses(self.folder, at_a_time, self._serve, order.share)
        self._orders[order.id] = order
        self._local.submit(job, order.patience)

    def poll(self, timeout: float) -> list[bytes]:
        """What there is to say since the last call, waiting up to `timeout` seconds for it."""
        if self._local is not None and not self._replies:
            for event in self._local.poll(timeout):
                if (order := self._orders.get(event.id)) is not None and event.kind != "news":
                    self._replies.append(self._about(event, order).to_bytes())
        replies, self._replies = self._replies, []
        return replies

    def close(self) -> None:
        """End the workers at once."""
        self._orders.clear()
        if self._local is not None:
            self._local.close()

    def _about(self, event: Event, order: Order) -> Reply:
        assert event.kind != "news"
        if event.kind not in ("progress", "retried"):
            del self._orders[event.id]
        found = Reply(event.kind, order.ticket, order.id, self.node)
        if event.kind != "done":
            return replace(found, done=event.done, error=event.error, message=str(event.message))
        path = result_path(self.folder, self._job(order))
        try:
            content = read_file(path)
            path.unlink()
        except OSError as error:
            words = f"Its result cannot be read: {error.strerror or error}"
            return replace(found, event="failed", error="OSError", message=words)
        return replace(found, seconds=event.seconds, machine=self._machine, content=content)

    def _refuse(self, order: Order, error: str, words: str) -> None:
        reply = Reply("failed", order.ticket, order.id, self.node, error=error, message=words)
        self._replies.append(reply.to_bytes())

    def _job(self, order: Order) -> Job:
        """The job, with its task file where `give` has put it; otherwise where the coordinator has it."""
        job = dict(order.job)
        holder = dict(job["shard"]) if "shard" in job else job
        task = holder["task"]
        here = self._file(task.get("digest", ""), Path(task["locator"]).name)
        if task["source"] in ("file", "data") and task.get("digest") and here.exists():
            holder["task"] = {**task, "locator": str(here)}
        return job_from_json(job if holder is job else {**job, "shard": holder})

    def _file(self, digest: str, name: str) -> Path:
        return self.folder / "files" / digest / name
