"""A study on Ray Core: an actor on each node, which is an agent. Nodes may join and leave; no files are shared, so task
files and data files go out as bytes.

Ray itself opens ports and unpickles what its nodes send: it trusts them. See docs/clusters.md.
"""

import ipaddress
import os
import shutil
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp
from threading import Event as Flag
from threading import Thread
from time import monotonic, sleep
from typing import Any

from steepest.clusters.agent import Agent
from steepest.clusters.parcels import Parcel
from steepest.errors import BadSetting, BadTask, TrialFailed, first_line
from steepest.messages import Message, say
from steepest.records.bounded import read_file
from steepest.study.executors import Serve

MAX_FILE_BYTES = 2**28
"""Of a task file or data file that is sent to the nodes."""
POLL_SECONDS = 0.5
"""That an actor waits for news."""
SECONDS_BETWEEN_LOOKS = 1.0
"""At Ray's list of nodes."""
SILENT_SECONDS = 25.0
"""Without an answer of Ray's head, after which it counts as dead. Ray itself ends this process after a minute."""
MODE = "RAY_AUTH_MODE"


class RayAgent:
    """What runs on a node."""

    serve: Serve | None = None

    def __init__(self, cores: int, node: str) -> None:
        self._home = Path(mkdtemp(prefix="steepest-ray-"))
        self._agent = Agent(self._home, cores, node, self.serve)

    def ready(self) -> bool:
        return True

    def give(self, name: str, content: bytes) -> None:
        self._agent.give(name, content)

    def take(self, content: bytes) -> None:
        self._agent.take(content)

    def poll(self) -> tuple[list[bytes], list[str]]:
        """Replies, and the tickets of the jobs that it still has."""
        return self._agent.poll(POLL_SECONDS), self._agent.tickets

    def end(self) -> None:
        self._agent.close()
        shutil.rmtree(self._home, ignore_errors=True)


@dataclass
class _Node:
    """An actor, as the coordinator sees it."""

    name: str
    cores: int
    actor: Any
    ready: Any
    """Reference to its first answer; None once it has come."""
    tickets: set[str] = field(default_factory=set[str])
    given: set[str] = field(default_factory=set[str])
    """Tickets handed over since it was last asked."""
    files: set[str] = field(default_factory=set[str])
    polled: Any = None


class RayCluster:
    """Hands jobs to actors that have said that they are ready, as many as their nodes have cores."""

    grace = 2.0
    agent: type[RayAgent] = RayAgent

    def __init__(self, folder: Path, address: str = "", workers: int | None = None) -> None:
        """address: of a cluster that runs, or "auto"; without one, Ray is started on this machine alone. Raises
        BadSetting."""
        self._ray = _ray()
        self._folder = folder
        _connect(self._ray, address)
        self._nodes: dict[str, _Node] = {}  # by Ray's id
        self._queue: deque[Parcel] = deque()
        self._news: list[Message] = []
        self._seen: tuple[float, list[dict[str, Any]]] = (monotonic(), self._ray.nodes())
        self._stop = Flag()
        self._watch = Thread(target=self._look, daemon=True)
        self._watch.start()
        self.workers = workers or sum(map(_cores, self._alive())) or 1

    def send(self, parcels: Sequence[Parcel]) -> None:
        most = max(map(_cores, self._alive()), default=0)
        if parcels and most and parcels[0].cores > most:
            raise BadSetting(
                f"A trial on {parcels[0].cores} processes needs as many cores of one node, and the largest node has "
                f"{most}. Take fewer processes with --parallel."
            )
        self._queue.extend(parcels)

    def receive(self, timeout: float) -> list[bytes]:
        self._check_head()
        self._follow_nodes()
        self._hand_out()
        refs = {node.polled or node.ready: node for node in self._nodes.values() if node.polled or node.ready}
        if not refs:
            sleep(min(timeout, 0.1))
            return []
        done, _ = self._ray.wait([*refs], num_returns=1, timeout=timeout)
        found: list[bytes] = []
        for ref in done:
            node = refs[ref]
            try:
                answer = self._ray.get(ref, timeout=POLL_SECONDS)
            except Exception as error:  # Ray has some twenty kinds, and a lost actor may raise any
                self._bury(node, type(error).__name__)
                continue
            if node.polled is ref:
                replies, tickets = answer
                node.tickets, node.polled = {*tickets} | node.given, None
                found += replies
            else:
                node.ready = None
        self._hand_out()  # nodes go on while the study takes in what was found
        return found

    def held(self) -> set[str]:
        return {parcel.ticket for parcel in self._queue} | {
            ticket for node in self._nodes.values() for ticket in node.tickets
        }

    def forget(self, ticket: str) -> None:
        pass

    def news(self) -> list[Message]:
        news, self._news = self._news, []
        return news

    def close(self) -> None:
        self._stop.set()
        self._queue.clear()
        if not self._ray.is_initialized():
            return
        with suppress(Exception):  # what Ray raises where its head is dead
            self._ray.wait([node.actor.end.remote() for node in self._nodes.values()] or [], timeout=2.0)
            for node in self._nodes.values():
                self._ray.kill(node.actor)
        self._nodes.clear()
        with suppress(Exception):
            self._ray.shutdown()

    # ---- nodes -------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """In a thread of its own: without its head, Ray answers nothing and raises nothing."""
        while not self._stop.wait(SECONDS_BETWEEN_LOOKS):
            with suppress(Exception):
                self._seen = (monotonic(), self._ray.nodes())

    def _alive(self) -> list[dict[str, Any]]:
        return [node for node in self._seen[1] if node["Alive"] and _cores(node)]

    def _check_head(self) -> None:
        if monotonic() - self._seen[0] > SILENT_SECONDS:
            raise TrialFailed(
                f"Ray's head has not answered for {SILENT_SECONDS:.0f} s. What is done is kept. Start Ray again, then: "
                f"steepest resume {self._folder} --on ray:ADDRESS"
            )

    def _follow_nodes(self) -> None:
        """An actor on each node that is there."""
        alive = {node["NodeID"]: node for node in self._alive()}
        for name in [name for name in self._nodes if name not in alive]:
            self._bury(self._nodes[name], "its node has left")
        strategies = import_module("ray.util.scheduling_strategies")
        for name, row in alive.items():
            if name not in self._nodes:
                title, cores = f"{row['NodeManagerHostname']}-{name[:6]}", _cores(row)
                actor = (
                    self._ray.remote(self.agent)
                    .options(
                        num_cpus=cores,
                        max_restarts=0,
                        max_task_retries=0,
                        scheduling_strategy=strategies.NodeAffinitySchedulingStrategy(name, soft=False),
                    )
                    .remote(cores, title)
                )
                self._nodes[name] = _Node(title, cores, actor, actor.ready.remote())

    def _bury(self, node: _Node, why: str) -> None:
        """What it had is held by nobody now, and will be sent again."""
        for name in [name for name, known in self._nodes.items() if known is node]:
            del self._nodes[name]
        with suppress(Exception):  # an actor that only seemed lost would keep the cores of the next one
            self._ray.kill(node.actor)
        self._news.append(say("{node} is lost ({why}).", node=node.name, why=why))

    def _hand_out(self) -> None:
        for node in sorted(self._nodes.values(), key=lambda node: len(node.tickets)):
            while self._queue and node.ready is None and len(node.tickets) < node.cores // self._queue[0].cores:
                if self._queue[0].alone and node is not next(iter(self._nodes.values())):
                    break  # all timings on one node
                self._give(node, self._queue.popleft())
            if node.tickets and node.polled is None and node.ready is None:
                node.given = set()
                node.polled = node.actor.poll.remote()

    def _give(self, node: _Node, parcel: Parcel) -> None:
        if parcel.source is not None and parcel.digest not in node.files:
            node.files.add(parcel.digest)
            node.actor.give.remote(parcel.source.name, _content(parcel.source))
        node.actor.take.remote(parcel.content)
        node.tickets.add(parcel.ticket)
        node.given.add(parcel.ticket)


def _content(path: Path) -> bytes:
    try:
        return read_file(path, MAX_FILE_BYTES)
    except OSError as error:
        why = "it is a folder" if path.is_dir() else error.strerror or str(error)
        raise BadTask(f"{path} cannot be sent to the nodes: {why}. Use a single file of at most 256 MB.") from None


def _cores(node: dict[str, Any]) -> int:
    return int(node["Resources"].get("CPU", 0))


def _ray() -> Any:
    try:
        return import_module("ray")
    except ImportError:
        raise BadSetting("Ray is not installed: pip install 'steepest[ray]'") from None


def _connect(ray: Any, address: str) -> None:
    """Raises BadSetting where there is no cluster, or where anybody on the network could use it."""
    options = {"log_to_driver": False, "include_dashboard": False, "configure_logging": False}
    if not address:
        ray.init(address="local", **options)  # without it, the cluster that this machine last had
        return
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except Exception as error:  # ConnectionError, ValueError, RuntimeError and Ray's own
        raise BadSetting(f"There is no Ray cluster at {address!r}: {first_line(error)}.") from None
    if os.environ.get(MODE, "").lower() != "token" and not _is_loopback(ray.get_runtime_context().gcs_address):
        ray.shutdown()
        raise BadSetting(
            f"This Ray cluster is reached over the network without a token: anybody there could run code on it. "
            f"Set {MODE}=token here and where Ray is started: see docs/clusters.md."
        )


def _is_loopback(address: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(address.rpartition(":")[0].strip("[]")).is_loopback
    return False
