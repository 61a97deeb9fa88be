"""A cluster of agents in this process: for trying a job's whole way without a scheduler, and an example of a cluster of
one's own.
"""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from steepest.clusters.agent import Agent
from steepest.clusters.parcels import Parcel
from steepest.messages import Message
from steepest.study.executors import Serve


class NearCluster:
    """`nodes` agents of `cores` workers each, on this machine."""

    grace = 0.2

    def __init__(self, nodes: int = 2, cores: int = 1, serve: Serve | None = None) -> None:
        self.workers = nodes * cores
        self.cores = cores
        self._serve = serve
        self._place = Path(mkdtemp(prefix="steepest-near-"))
        self._started = 0
        self._queue: deque[Parcel] = deque()
        self.agents = [self.new_agent() for _ in range(nodes)]

    def new_agent(self) -> Agent:
        self._started += 1
        name = f"near-{self._started}"
        return Agent(self._place / name, self.cores, name, self._serve)

    def send(self, parcels: Sequence[Parcel]) -> None:
        self._queue.extend(parcels)

    def receive(self, timeout: float) -> list[bytes]:
        self._hand_out()
        found: list[bytes] = []
        for agent in self.agents:
            found += agent.poll(timeout / len(self.agents) if agent.tickets else 0.0)
        self._hand_out()  # free workers go on while the study takes in what was found
        return found

    def _hand_out(self) -> None:
        for agent in self.agents:
            while self._queue and len(agent.tickets) < self.cores:
                self.hand_over(agent, self._queue.popleft())

    def hand_over(self, agent: Agent, parcel: Parcel) -> None:
        if parcel.source is not None and parcel.source.is_file():
            agent.give(parcel.source.name, parcel.source.read_bytes())
        agent.take(parcel.content)

    def held(self) -> set[str]:
        return {parcel.ticket for parcel in self._queue} | {ticket for agent in self.agents for ticket in agent.tickets}

    def forget(self, ticket: str) -> None:
        pass

    def news(self) -> list[Message]:
        return []

    def close(self) -> None:
        self._queue.clear()
        while self.agents:
            self.agents.pop().close()
        rmtree(self._place, ignore_errors=True)
