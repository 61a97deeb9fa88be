"""Runs a study's jobs on a cluster. Each job gets exactly one result, although messages and machines may be lost,
and replies doubled, late or forged. Only this process writes into the study folder.
"""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time

from steepest.clusters.cluster import Cluster
from steepest.clusters.parcels import Parcel, Reply, check_content, pack, read_reply, result_path
from steepest.errors import StudyFolderError, TrialFailed
from steepest.messages import NOTHING, Message, counted, say, verbatim
from steepest.records.files import write_bytes
from steepest.records.job_records import Job
from steepest.records.node_records import NodeState, write_nodes
from steepest.study.executors import Event

MAX_LOSSES = 10
"""Times that a job may be lost with its node: nodes are preempted, which says nothing about the job."""
MAX_LOSSES_AT_THE_START = 2
"""The same as long as no node has ever answered: something is wrong with all of them."""
SECONDS_BETWEEN_NOTES = 2.0
"""Between two notes of the nodes in the study folder."""


@dataclass
class _Open:
    """A job without a result."""

    job: Job
    parcel: Parcel
    is_sent: bool = False
    losses: int = 0
    missing_since: float | None = None
    """When it was first seen that the cluster does not hold it."""
    node: str = ""
    """Who has it, if it was heard of."""


@dataclass
class _Nodes:
    """What is known of each node: for people, and to say what was lost."""

    folder: Path
    known: dict[str, NodeState] = field(default_factory=dict[str, NodeState])
    _noted: float = 0.0
    _is_changed: bool = False

    def heard(self, reply: Reply) -> None:
        state = self.known.setdefault(reply.node, NodeState(reply.node))
        state.seen, self._is_changed = time(), True
        if reply.event == "done":
            state.done += 1
            state.machine = reply.machine

    def lost(self, name: str) -> None:
        if name:
            self.known.setdefault(name, NodeState(name)).lost += 1
            self._is_changed = True

    def note(self, having: Iterable[str], at_once: bool = False) -> None:
        """Write it down for `watch` and the page, if there is something new. having: the node of each open job."""
        if not self._is_changed or (not at_once and monotonic() - self._noted < SECONDS_BETWEEN_NOTES):
            return
        self._noted, self._is_changed = monotonic(), False
        underway = Counter(having)
        for state in self.known.values():
            state.underway = underway[state.node]
        with suppress(OSError):  # a full disk: results say so
            write_nodes(self.folder, [*self.known.values()])


class RemoteExecutor:
    """An executor whose workers are elsewhere. A job's result is written into the study folder once it has passed the
    checks; what comes for a job that nobody waits for is dropped."""

    is_local = False

    def __init__(self, folder: Path, cluster: Cluster, memory: float | None = None, ranks: int = 1) -> None:
        """memory: bytes for all workers together; None for no limit. ranks: cores that each worker needs."""
        self.workers = max(1, cluster.workers // ranks)
        self._folder, self._cluster, self._ranks = folder, cluster, ranks
        self._share = None if memory is None else memory / self.workers
        self._open: dict[str, _Open] = {}  # by ticket
        self._tickets: dict[str, str] = {}  # by job
        self._nodes = _Nodes(folder)
        self._is_closed = False

    def submit(self, job: Job, patience: float | None = None, seconds: float = 0.0) -> None:
        parcel = pack(job, patience, seconds, self._share, self._ranks)
        if (earlier := self._tickets.get(job.id, "")) in self._open:
            del self._open[earlier]  # it is done in another way now, whose result alone counts
            self._cluster.forget(earlier)
        self._open[parcel.ticket], self._tickets[job.id] = _Open(job, parcel), parcel.ticket

    def poll(self, timeout: float) -> list[Event]:
        self._send()
        events: list[Event] = []
        for raw in self._cluster.receive(timeout):
            events += self._received(raw)
        events += self._missed()
        events += [Event("news", "", message=message) for message in self._cluster.news()]
        self._send()
        self._note()
        return events

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._cluster.close()
            self._open.clear()
            self._note(at_once=True)

    def _send(self) -> None:
        """What waits. Timings go by themselves, once nothing else is under way, and all else waits until they are
        done."""
        waiting = [known for known in self._open.values() if not known.is_sent]
        if not waiting:
            return
        alone = waiting[0].parcel.alone
        if any(known.is_sent and known.parcel.alone != alone for known in self._open.values()):
            return
        now = [known for known in waiting if known.parcel.alone == alone]
        for known in now:
            known.is_sent, known.missing_since = True, None
        self._cluster.send([known.parcel for known in now])

    def _received(self, raw: bytes) -> list[Event]:
        try:
            reply = read_reply(raw)
        except (ValueError, KeyError, TypeError):
            return []  # its job will be missed, and sent again
        known = self._open.get(reply.ticket)
        if known is None or known.job.id != reply.id:
            return []  # doubled, late, or nobody's
        self._nodes.heard(reply)
        known.node, known.missing_since = reply.node, None
        job, message = known.job, verbatim(reply.message)
        if reply.event in ("progress", "retried"):
            return [Event(reply.event, job.id, done=min(1.0, reply.done), message=message)]
        if reply.event == "done":
            try:
                check_content(job, reply.content)
            except ValueError as error:
                return self._lost(
                    known,
                    say(
                        "A result of {name} from {node} was refused ({why}); it is sent again.",
                        name=job.id,
                        node=reply.node,
                        why=str(error),
                    ),
                )
            self._write(job, reply.content)
        del self._open[reply.ticket]
        self._cluster.forget(reply.ticket)
        return [Event(reply.event, job.id, seconds=reply.seconds, error=reply.error, message=message)]

    def _write(self, job: Job, content: bytes) -> None:
        if not self._folder.is_dir():
            return  # it was moved or deleted, which the study notices next; nothing is made in its old place
        path = result_path(self._folder, job)
        try:
            write_bytes(path, content, make_folder=not path.parent.is_dir())
        except OSError as error:
            raise StudyFolderError(f"{path} cannot be written: {error.strerror or error}.") from None

    def _missed(self) -> list[Event]:
        """Jobs that nobody has any more, and whose reply has had time to come."""
        held, now = self._cluster.held(), monotonic()
        events: list[Event] = []
        lost: Counter[str] = Counter()
        for ticket, known in [*self._open.items()]:
            if not known.is_sent or held is None or ticket in held:
                known.missing_since = None
            elif known.missing_since is None:
                known.missing_since = now
            elif now - known.missing_since >= self._cluster.grace:
                if not self._nodes.known and known.losses >= MAX_LOSSES_AT_THE_START:
                    raise TrialFailed(f"No node has answered, in {known.losses + 1} attempts. See {self._folder}/logs.")
                lost[known.node] += 1
                events += self._lost(known)
        return events + [Event("news", "", message=_about_losses(node, count)) for node, count in lost.items()]

    def _lost(self, known: _Open, why: Message = NOTHING) -> list[Event]:
        """Have a job sent again, unless it was lost too often."""
        known.losses += 1
        known.is_sent, known.missing_since = False, None
        self._nodes.lost(known.node)
        known.node = ""
        if known.losses <= MAX_LOSSES:
            return [Event("retried", known.job.id, message=why)]
        del self._open[known.parcel.ticket]
        words = say("{name} was lost {n} times with its node.", name=known.job.id, n=known.losses)
        return [Event("lost", known.job.id, message=words)]

    def _note(self, at_once: bool = False) -> None:
        if self._folder.is_dir():
            self._nodes.note((known.node for known in self._open.values()), at_once)


def _about_losses(node: str, count: int) -> Message:
    if not node:
        return counted(count, "{n:,} job was lost; it is sent again.", "{n:,} jobs were lost; they are sent again.")
    jobs = counted(count, "{n:,} job", "{n:,} jobs")
    return say("{node} was lost with {jobs}, sent again to others.", node=node, jobs=jobs)
