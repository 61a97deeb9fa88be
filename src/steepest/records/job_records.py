"""What a study asks of its workers, and the messages between them.

A job travels to a worker as JSON; its result comes back as a file in the study folder, named after the job's id.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import ClassVar, Literal

from steepest.errors import BadInput
from steepest.records.contender import Contender
from steepest.records.record import JsonObject
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Compiled, DtypeName, Shard

# ---- jobs ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DescribeJob:
    """Find out about a task. Writes `TaskFacts` to facts/<id>.json."""

    kind: ClassVar[Literal["describe"]] = "describe"
    id: str
    task: TaskRef

    def to_json(self) -> JsonObject:
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, data: JsonObject) -> DescribeJob:
        return cls(id=data["id"], task=TaskRef.from_json(data["task"]))


@dataclass(frozen=True, slots=True)
class FleetCandidate:
    """A kind of fleet to time."""

    lanes: int
    width: int = 0
    """Lanes trained at a time; 0 leaves it to the engine."""
    compiled: tuple[Compiled, ...] = ()

    @classmethod
    def from_json(cls, data: JsonObject) -> FleetCandidate:
        return cls(lanes=data["lanes"], width=data["width"], compiled=tuple(data["compiled"]))


@dataclass(frozen=True, slots=True)
class TimeJob:
    """Time the steps of a contender, alone and in each of these fleets. Writes a `StepTime` to facts/<id>.json."""

    kind: ClassVar[Literal["time"]] = "time"
    id: str
    task: TaskRef
    contender: Contender
    batch_size: int
    dtype: DtypeName
    device: str
    candidates: tuple[FleetCandidate, ...] = ()
    parallel: str = ""
    """As in `Shard`; then there are no candidates."""

    def to_json(self) -> JsonObject:
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, data: JsonObject) -> TimeJob:
        return cls(
            id=data["id"],
            task=TaskRef.from_json(data["task"]),
            contender=Contender.from_json(data["contender"]),
            batch_size=data["batch_size"],
            dtype=data["dtype"],
            device=data["device"],
            candidates=tuple(map(FleetCandidate.from_json, data["candidates"])),
            parallel=data.get("parallel", ""),
        )


@dataclass(frozen=True, slots=True)
class CompileJob:
    """Compile what fleets of a contender will load. Writes a `CompileResult` to facts/<id>.json."""

    kind: ClassVar[Literal["compile"]] = "compile"
    id: str
    task: TaskRef
    contender: Contender
    batch_size: int
    dtype: DtypeName
    device: str
    lanes: int
    """Lanes of the fleet that the compiled code is tried with; it then serves any number."""
    compiled: tuple[Compiled, ...]

    def to_json(self) -> JsonObject:
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, data: JsonObject) -> CompileJob:
        return cls(
            id=data["id"],
            task=TaskRef.from_json(data["task"]),
            contender=Contender.from_json(data["contender"]),
            batch_size=data["batch_size"],
            dtype=data["dtype"],
            device=data["device"],
            lanes=data["lanes"],
            compiled=tuple(data["compiled"]),
        )


@dataclass(frozen=True, slots=True)
class CompileResult:
    """What became of a `CompileJob`."""

    seconds: float
    refused: tuple[str, ...]
    """One reason for each part that could not be compiled."""

    @classmethod
    def from_json(cls, data: JsonObject) -> CompileResult:
        return cls(seconds=data["seconds"], refused=tuple(data["refused"]))


@dataclass(frozen=True, slots=True)
class TrainJob:
    """Train the trials of a shard. Writes their `Trace` to curves/<id>.npz."""

    kind: ClassVar[Literal["train"]] = "train"
    shard: Shard

    @property
    def id(self) -> str:
        return self.shard.id

    def to_json(self) -> JsonObject:
        return {"kind": self.kind, "id": self.id, "shard": self.shard.to_json()}

    @classmethod
    def from_json(cls, data: JsonObject) -> TrainJob:
        return cls(Shard.from_json(data["shard"]))


@dataclass(frozen=True, slots=True)
class ProbeJob:
    """Train the trials of a shard and look inside. Writes a `ProbeTrace` to probes/<id>.npz."""

    kind: ClassVar[Literal["probe"]] = "probe"
    shard: Shard

    @property
    def id(self) -> str:
        return self.shard.id

    def to_json(self) -> JsonObject:
        return {"kind": self.kind, "id": self.id, "shard": self.shard.to_json()}

    @classmethod
    def from_json(cls, data: JsonObject) -> ProbeJob:
        return cls(Shard.from_json(data["shard"]))


Job = DescribeJob | TimeJob | CompileJob | TrainJob | ProbeJob


def job_from_json(data: JsonObject) -> Job:
    """The job that `to_json` wrote; raises BadInput for one of an unknown kind."""
    match data.get("kind"):
        case "describe":
            return DescribeJob.from_json(data)
        case "time":
            return TimeJob.from_json(data)
        case "compile":
            return CompileJob.from_json(data)
        case "train":
            return TrainJob.from_json(data)
        case "probe":
            return ProbeJob.from_json(data)
        case other:
            raise BadInput(f"Unknown job kind {other!r}: it must be describe, compile, time, train or probe.")


# ---- messages --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """The first message to a worker: where it works, and how much memory it may take."""

    folder: str
    share: float | None
    """Bytes beside what the process has when it starts; None for no limit."""

    def to_json(self) -> JsonObject:
        return asdict(self)

    @classmethod
    def from_json(cls, data: JsonObject) -> WorkerSetup:
        return cls(folder=data["folder"], share=data["share"])


@dataclass(frozen=True, slots=True)
class WorkerMessage:
    """A message from a worker about itself ("ready") or about a job."""

    event: Literal["ready", "progress", "done", "full", "failed"]
    """"full": memory ran out. "failed": the job raised an exception."""
    id: str = ""
    done: float = 0.0
    """Share of the job that is done; for "progress"."""
    seconds: float = 0.0
    """Wall time; for "done"."""
    error: str = ""
    """Class of the exception; for "full" and "failed"."""
    message: str = ""

    def to_json(self) -> JsonObject:
        """Without the fields that have nothing to say."""
        return {item.name: value for item in fields(self) if (value := getattr(self, item.name)) != item.default}

    @classmethod
    def from_json(cls, data: JsonObject) -> WorkerMessage:
        return cls(**data)
