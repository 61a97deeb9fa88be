"""A job as bytes on its way to another machine, and the bytes that come back.

A reply is read as if a stranger had written it: within limits, without pickles, and its content goes nowhere before it
is what the job asked for. Where it is written follows from the job, never from the reply.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Literal, get_args

from steepest.errors import StudyFolderError
from steepest.records.example_outcomes import MAX_CANDIDATES, MAX_EXAMPLES
from steepest.records.files import parse_json, parse_trace
from steepest.records.job_records import Job, TrainJob, job_from_json
from steepest.records.record import JsonObject, is_json_object
from steepest.study.environment import versions
from steepest.study.jobs import facts_path
from steepest.study.result_rows import check_trace

MUST_AGREE = ("steepest", "torch")
"""Packages of which the coordinator and a node must have the same version."""
MAX_HEADER_BYTES = 2**16
MAX_FACTS_BYTES = 2**20
MAX_WORDS = 2000
"""Characters of a message that are kept."""
MAX_NODE_NAME = 64

Said = Literal["progress", "done", "failed", "full", "retried", "lost", "hung"]
"""The same as the kinds of an executor's events that are about a job."""
_SAID = frozenset(get_args(Said))


@dataclass(frozen=True, slots=True)
class Parcel:
    """A job to be carried to an agent."""

    id: str
    ticket: str
    """The same whenever the same job is sent: a reply names it, and is dropped where nobody waits for it any more."""
    content: bytes
    seconds: float
    """Forecast on one core; 0 where there is none."""
    alone: bool
    """A timing: nothing else may run on its node meanwhile."""
    source: Path | None = None
    """The task file or data file that it needs, for nodes that do not share the coordinator's files."""
    digest: str = ""
    """Its SHA-256."""
    cores: int = 1
    """That a worker needs: one for each process of a trial."""


def pack(
    job: Job, patience: float | None = None, seconds: float = 0.0, share: float | None = None, cores: int = 1
) -> Parcel:
    """The parcel of a job. share: bytes of memory that each worker may take; cores: that it needs."""
    asked = {"versions": versions(), "job": job.to_json()}
    text = json.dumps(asked, sort_keys=True)
    ticket = sha256(text.encode()).hexdigest()[:32]
    more = json.dumps({"ticket": ticket, "patience": patience, "share": share, "cores": cores})
    content = f"{text[:-1]}, {more[1:]}"  # one object; a job is long, and is written once
    task = job.shard.task if isinstance(job, TrainJob) else getattr(job, "task", None)
    source = Path(task.locator) if task is not None and task.source in ("file", "data") else None
    digest = task.digest if task and source else ""
    return Parcel(job.id, ticket, content.encode(), seconds, job.kind == "time", source, digest, cores)


@dataclass(frozen=True, slots=True)
class Order:
    """A parcel, as an agent reads it."""

    ticket: str
    id: str
    patience: float | None
    share: float | None
    cores: int
    versions: Mapping[str, str]
    job: JsonObject

    @classmethod
    def from_bytes(cls, content: bytes) -> "Order":
        data = parse_json(content)
        job = dict(data["job"])
        return cls(data["ticket"], job["id"], data["patience"], data["share"], data["cores"], data["versions"], job)

    def work(self) -> Job:
        return job_from_json(self.job)

    def differences(self) -> list[str]:
        """What differs between the coordinator and this machine, in words."""
        here = versions()
        return [
            f"{name} {here.get(name)} instead of {self.versions.get(name)}"
            for name in MUST_AGREE
            if here.get(name) != self.versions.get(name)
        ]


@dataclass(frozen=True, slots=True)
class Reply:
    """What an agent says about a job: a line of JSON, then the bytes of the result if there is one."""

    event: Said
    ticket: str
    id: str
    node: str
    done: float = 0.0
    seconds: float = 0.0
    error: str = ""
    message: str = ""
    machine: str = ""
    """The node's processor; of a "done"."""
    content: bytes = b""

    def to_bytes(self) -> bytes:
        header = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "content"}
        header["message"] = self.message[:MAX_WORDS]
        return json.dumps({**header, "sha256": sha256(self.content).hexdigest()}).encode() + b"\n" + self.content


def read_reply(raw: bytes) -> Reply:
    """Raises ValueError for what no agent of ours has sent whole."""
    line, _, content = raw.partition(b"\n")
    if len(line) > MAX_HEADER_BYTES:
        raise ValueError("its header is too long")
    found = parse_json(line)
    if not is_json_object(found) or found.pop("sha256", None) != sha256(content).hexdigest():
        raise ValueError("it was altered or cut off on its way")
    known = {item.name for item in fields(Reply)} - {"content"}
    if set(found) != known or found["event"] not in _SAID:
        raise ValueError("it is of another kind")
    for name in known:
        number = name in ("done", "seconds")
        if not isinstance(found[name], (int, float) if number else str) or (number and not 0 <= found[name] < 1e9):
            raise ValueError(f"its {name} cannot be")
    return Reply(
        event=found["event"],
        ticket=found["ticket"],
        id=found["id"],
        node=plain(found["node"], MAX_NODE_NAME),
        done=found["done"],
        seconds=found["seconds"],
        error=plain(found["error"], MAX_WORDS),
        message=plain(found["message"], MAX_WORDS),
        machine=plain(found["machine"], 2 * MAX_NODE_NAME),
        content=content,
    )


def plain(words: str, most: int) -> str:
    """Without line breaks and control characters, which could redraw a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in words[:most])


def check_content(job: Job, content: bytes) -> None:
    """Raise ValueError where bytes cannot be the result of this job."""
    if not isinstance(job, TrainJob):
        if len(content) > MAX_FACTS_BYTES or not is_json_object(parse_json(content)):
            raise ValueError("it is not the result of its job")
        return
    lanes, evaluations = len(job.shard.lanes), len(job.shard.evaluate_at)
    examples = lanes * (MAX_CANDIDATES // 8 + 2 * MAX_EXAMPLES)
    if len(content) > 2**16 + 64 * (lanes + 1) * (evaluations + 8) + examples:
        raise ValueError("it has more bytes than its curves can have")
    try:
        check_trace(job.shard, parse_trace(content))
    except StudyFolderError as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # zipfile and NumPy each raise their own kinds
        raise ValueError(" ".join(str(error).split())[:200] or type(error).__name__) from None


def result_path(folder: Path, job: Job) -> Path:
    """Where the result of a job lies in a study folder."""
    return folder / "curves" / f"{job.id}.npz" if isinstance(job, TrainJob) else facts_path(folder, job.id)
