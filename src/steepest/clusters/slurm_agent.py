"""The agent of a bundle under Slurm: `python -m steepest.clusters.slurm_agent FOLDER ARRAY`, started by `sbatch`.

It reads its jobs from a file and leaves replies as files. It does not need the coordinator, and ends with its bundle.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic

from steepest.clusters.agent import Agent
from steepest.clusters.parcels import Order, read_reply
from steepest.clusters.slurm import BUNDLE, REPLY, SEEN, TAKEN
from steepest.records.bounded import read_file
from steepest.records.files import parse_json, write_bytes
from steepest.records.litter import scratch
from steepest.study.executors import Serve

SECONDS_BETWEEN_NOTES = 2.0
"""Between two notes of what is under way."""


def main(place: str, array: str, serve: Serve | None = None) -> None:
    folder, name = Path(place), f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    cores = int(os.environ.get("SLURM_CPUS_PER_TASK") or 1)
    contents = [content.encode() for content in parse_json(read_file(folder / f"{name}{BUNDLE}"))]
    with scratch("steepest-agent") as home:
        agent = Agent(home, cores, os.environ.get("SLURMD_NODENAME", ""), serve)
        try:
            for content in contents:
                if not _is_done(folder, Order.from_bytes(content).ticket):  # Slurm may start a bundle again
                    agent.take(content)
            _work(agent, folder, name)
        finally:
            agent.close()
            (folder / f"{name}{SEEN}").unlink(missing_ok=True)


def _is_done(folder: Path, ticket: str) -> bool:
    return (folder / f"{ticket}{TAKEN}").exists() or (folder / f"{ticket}{REPLY}").exists()


def _work(agent: Agent, folder: Path, name: str) -> None:
    """Until the bundle is done."""
    way: dict[str, bytes] = {}  # ticket → the last that was said of a job that goes on
    noted = -SECONDS_BETWEEN_NOTES
    while True:
        is_busy = bool(agent.tickets)
        replies = agent.poll(0.5)
        for raw in replies:
            reply = read_reply(raw)
            if reply.event in ("progress", "retried"):
                way[reply.ticket] = raw.rstrip(b"\n")
            else:
                way.pop(reply.ticket, None)
                _leave(folder / f"{reply.ticket}{REPLY}", raw)
        if way and monotonic() - noted >= SECONDS_BETWEEN_NOTES:
            noted = monotonic()
            _leave(folder / f"{name}{SEEN}", b"\n".join(way.values()))
        if not replies and not is_busy:
            return


def _leave(path: Path, content: bytes) -> None:
    """Write a file for the coordinator, unless it has ended and removed the folder."""
    with suppress(FileNotFoundError):
        write_bytes(path, content, make_folder=False)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
