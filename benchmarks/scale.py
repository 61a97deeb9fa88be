"""How a study scales: efficiency E(N) = T(1) / (N·T(N)), where T(N) is the time from the first shard that is sent to
the last result that is taken in.

    $ python -m benchmarks.scale --write

Real agents are those of `steepest.clusters.near`, with one core each, on a study of digits-linear; more agents than
cores are oversubscribed. Simulated agents do nothing but wait as long as shards of that study took on one real agent,
or ten times as long. Their clock is a virtual one: it advances by the CPU time of the coordinator, which is the real
one (jobs packed, results checked, written and entered into the database), and leaps over the time in which it waits.
So a busy machine changes little, and waits for the disk are not included. A shard's trials are a formula.
"""

import argparse
import heapq
import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from steepest.clusters.near import NearCluster
from steepest.clusters.parcels import Order, Parcel, Reply, result_path
from steepest.clusters.remote import RemoteExecutor
from steepest.design.options import RunOptions
from steepest.design.study_spec import study_spec
from steepest.engine.worker import serve
from steepest.messages import Message
from steepest.records.job_records import TrainJob
from steepest.records.study_record import StudyDesign
from steepest.study.environment import hardware, versions
from steepest.study.run import run

RESULT = Path(__file__).with_name("results") / "scale.json"
SHARDS_AN_AGENT = 4
SEEDS_AN_AGENT = 4
"""Of all optimizers together: enough trials for as many shards."""
PLANNED = 4
"""Workers that the study of real agents is planned for, so that its shards are the same for any number of them."""
Row = dict[str, Any]


@cache
def toy() -> Any:
    """The engine of the tests, whose trials are a formula."""
    return import_module("study.toy")


# ---- simulated agents ------------------------------------------------------------------------------------------------


class Sleepers:
    """A cluster of agents that wait. `deaths`: at these moments of the virtual clock, the agent dies that has worked on
    its shard for longest; another one takes its place."""

    grace = 0.0

    def __init__(self, agents: int, seconds: Sequence[float], place: Path, deaths: Sequence[float] = ()) -> None:
        self.workers, self._seconds, self._place = agents, seconds, place
        self._deaths = deque(deaths)
        self._queue: deque[Parcel] = deque()
        self._busy: list[tuple[float, str, Parcel]] = []  # when it ends
        self._cpu = time.process_time()
        self.clock, self.began, self.ended = 0.0, -1.0, 0.0
        self.coordinator, self.shards, self.work, self.lost = 0.0, 0, 0.0, 0.0

    def send(self, parcels: Sequence[Parcel]) -> None:
        self._queue.extend(parcels)

    def receive(self, timeout: float) -> list[bytes]:
        used = time.process_time() - self._cpu
        if self.began >= 0:
            self.coordinator += used
        self.clock += used
        self._hand_out()
        replies: list[bytes] = []
        if self._busy:
            self.clock = max(self.clock, self._busy[0][0])
            self._die()
            while self._busy and self._busy[0][0] <= self.clock:
                replies.append(self._reply(heapq.heappop(self._busy)[2]))
        self._hand_out()
        self._cpu = time.process_time()
        return replies

    def _hand_out(self) -> None:
        while self._queue and len(self._busy) < self.workers:
            parcel = self._queue.popleft()
            if self.began < 0 and self._is_shard(parcel):
                self.began = self.clock
            heapq.heappush(self._busy, (self.clock + self._length(parcel), parcel.ticket, parcel))

    def held(self) -> set[str]:
        return {parcel.ticket for parcel in self._queue} | {ticket for _, ticket, _ in self._busy}

    def forget(self, ticket: str) -> None:
        self.ended = self.clock

    def news(self) -> list[Message]:
        return []

    def close(self) -> None:
        self._queue.clear()
        self._busy.clear()

    def _die(self) -> None:
        while self._deaths and self.began >= 0 and self.clock >= self.began + self._deaths[0] and self._busy:
            self._deaths.popleft()
            longest = max(self._busy, key=lambda each: self.clock - each[0] + self._length(each[2]))
            self._busy.remove(longest)
            heapq.heapify(self._busy)
            self.lost += self.clock - longest[0] + self._length(longest[2])

    def _length(self, parcel: Parcel) -> float:
        return self._seconds[int(parcel.ticket, 16) % len(self._seconds)] if self._is_shard(parcel) else 0.0

    @staticmethod
    def _is_shard(parcel: Parcel) -> bool:
        return b'"kind": "train"' in parcel.content

    def _reply(self, parcel: Parcel) -> bytes:
        job = Order.from_bytes(parcel.content).work()
        toy().work(job, self._place)
        path = result_path(self._place, job)
        content = path.read_bytes()
        path.unlink()
        self.shards += isinstance(job, TrainJob)
        self.work += self._length(parcel)
        return Reply("done", parcel.ticket, job.id, "sleeper", seconds=1.0, content=content).to_bytes()


def simulated(agents: int, seconds: Sequence[float], deaths: Sequence[float] = ()) -> Sleepers:
    """A study of at least SHARDS_AN_AGENT shards an agent."""
    rules = ("inside", "edge", "low", "wild")
    seeds = 2 + agents * SEEDS_AN_AGENT // len(rules)
    with TemporaryDirectory() as name:
        place = Path(name)
        cluster = Sleepers(agents, seconds, place / "agents", deaths)
        workers = 2 * SHARDS_AN_AGENT * agents
        spec = toy().spec(*rules, workers=workers, engine="solo", protocol=StudyDesign(seeds=seeds))
        run(spec, place / "study", RemoteExecutor(place / "study", cluster))
        return cluster


def efficiency(agents: int, seconds: Sequence[float]) -> Row:
    """One agent takes as long as all shards and the coordinator's work for them together."""
    many = simulated(agents, seconds)
    alone, together = many.work + many.coordinator, many.ended - many.began
    return {
        "agents": agents,
        "shards": many.shards,
        "mean_shard_seconds": round(many.work / many.shards, 3),
        "seconds_alone": round(alone, 2),
        "seconds": round(together, 2),
        "efficiency": round(alone / agents / together, 3),
        "coordinator_ms_a_shard": round(1e3 * many.coordinator / many.shards, 3),
    }


def node_death(agents: int, seconds: Sequence[float]) -> Row:
    """What the death of one agent amid the study costs."""
    fine = simulated(agents, seconds)
    hurt = simulated(agents, seconds, deaths=[(fine.ended - fine.began) / 2])
    return {
        "agents": agents,
        "work_lost_seconds": round(hurt.lost, 2),
        "longer_by_seconds": round((hurt.ended - hurt.began) - (fine.ended - fine.began), 2),
    }


# ---- real agents -----------------------------------------------------------------------------------------------------


class Watched(NearCluster):
    """Real agents, of which the times and the sizes of messages are noted."""

    def __init__(self, agents: int, serve: Callable[[Connection, Path], None]) -> None:
        super().__init__(agents, 1, serve)
        self.workers = PLANNED
        self.began, self.ended, self.out, self.back = 0.0, 0.0, 0, 0
        self.seconds: list[float] = []
        self._of_shards: set[str] = set()

    def send(self, parcels: Sequence[Parcel]) -> None:
        for parcel in parcels:
            if b'"kind": "train"' in parcel.content:
                self.began = self.began or time.monotonic()
                self._of_shards.add(parcel.ticket)
                self.out += len(parcel.content)
        super().send(parcels)

    def receive(self, timeout: float) -> list[bytes]:
        found = super().receive(timeout)
        for raw in found:
            header = json.loads(raw.partition(b"\n")[0])
            if header["ticket"] in self._of_shards and header["event"] == "done":
                self.back += len(raw)
                self.seconds.append(header["seconds"])
        return found

    def forget(self, ticket: str) -> None:
        if ticket in self._of_shards:
            self.ended = time.monotonic()


class Stamped:
    """A worker's connection, which notes when the worker was ready and when its first shard came."""

    def __init__(self, connection: Connection, marks: Path) -> None:
        self._connection, self._marks = connection, marks

    def send_bytes(self, content: bytes) -> None:
        if b'"ready"' in content:
            self._mark("ready")
        self._connection.send_bytes(content)

    def recv_bytes(self) -> bytes:
        content = self._connection.recv_bytes()
        if b'"kind": "train"' in content:
            self._mark("shard")
        return content

    def _mark(self, what: str) -> None:
        path = self._marks / f"{os.getpid()}.{what}"
        if not path.exists():
            path.write_text(str(time.monotonic()))


def real(agents: int) -> tuple[Row, list[float]]:
    """A study on real agents, and the seconds of its shards."""
    with TemporaryDirectory() as name:
        place = Path(name)

        def stamped(connection: Connection, folder: Path) -> None:
            serve(Stamped(connection, place), folder)  # type: ignore[arg-type]

        options = RunOptions(optimizers="sgd,momentum,adam", seeds=4, engine="fleet", workers=PLANNED)
        spec, _, _ = study_spec("digits-linear", options, "")
        spec = spec.model_copy(update={"workers": PLANNED, "memory_bytes": None})
        cluster = Watched(agents, stamped)
        run(spec, place / "study", RemoteExecutor(place / "study", cluster))
        curves = sha256(b"".join(path.read_bytes() for path in sorted((place / "study" / "curves").glob("*.npz"))))
        seconds = sorted(cluster.seconds)
        ready = max(float(path.read_text()) for path in place.glob("*.ready"))
        first = min(float(path.read_text()) for path in place.glob("*.shard"))
        count = len(seconds)
        row = {
            "agents": agents,
            "shards": count,
            "seconds": round(cluster.ended - cluster.began, 2),
            "first_shard_after_ready_seconds": round(first - ready, 2),
            "bytes_out_a_shard": round(cluster.out / count),
            "bytes_back_a_shard": round(cluster.back / count),
            "curves": curves.hexdigest(),
            "load_before": round(os.getloadavg()[0], 1),
        }
        return row, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", nargs="*", type=int, default=[1, 2, 4])
    parser.add_argument("--simulated", nargs="*", type=int, default=[1, 10, 100, 1000])
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    asked = parser.parse_args()
    rows, recorded = [], [1.0]
    for agents in asked.agents:
        row, seconds = real(agents)
        recorded = seconds if agents == 1 else recorded
        row["efficiency"] = round(rows[0]["seconds"] / agents / row["seconds"], 3) if rows else 1.0
        rows.append(row)
        print(json.dumps(row), flush=True)
    found: Row = {"real": rows, "recorded_seconds": [round(each, 3) for each in recorded], "simulated": []}
    for factor in (1, 10):
        lengths = [factor * each for each in recorded]
        for agents in asked.simulated:
            found["simulated"].append(efficiency(agents, lengths))
            print(json.dumps(found["simulated"][-1]), flush=True)
    found["node_death"] = node_death(10, recorded)
    print(json.dumps(found["node_death"]), flush=True)
    if asked.write:
        RESULT.write_text(json.dumps({**found, "hardware": hardware(), "versions": versions()}, indent=1) + "\n")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    main()
