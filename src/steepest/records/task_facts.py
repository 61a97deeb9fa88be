"""How a worker finds a task, and what it finds out about it before any training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from steepest.messages import NOTHING, Message, mark
from steepest.records.record import JsonObject
from steepest.records.task_warnings import TaskWarning


class SeedDraw(StrEnum):
    """What a seed may draw beside the split, in the order in which it is reported. Studies hold these values."""

    WEIGHTS = mark("initial weights")
    ORDER = mark("order of the batches")
    DROPOUT = mark("dropout")
    MODEL = mark("what the model draws")
    AUGMENTATION = mark("augmentation")


@dataclass(frozen=True, slots=True)
class TaskRef:
    """How a worker finds a task: by its name in the catalogue, in a user's file, or in the memory of its parent."""

    name: str
    """What people read, and the key in every row: "digits", "digits (equal seconds)"."""
    source: Literal["catalogue", "file", "data", "memory"]
    locator: str
    """The catalogue's name, the absolute path of the task file or of the data, or the key in memory."""
    digest: str = ""
    """SHA-256 of a task file or of data, so that a resumed study notices that the task has changed."""
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    """Options of a task made from data, such as the column to predict."""

    @classmethod
    def from_json(cls, data: JsonObject) -> TaskRef:
        return cls(**data)


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What a worker found out about a task before training: all that planner, verdict and report need."""

    name: str
    title: str
    metric: str
    """Name of the quality that rates are picked by: "accuracy", "R²", "loss"."""
    higher_is_better: bool
    unit: str
    """"%" for shares, "" for bare numbers. Values are stored raw; a view multiplies shares by 100."""
    margin: float
    """The practical margin in the metric's raw units: smaller differences are ties, regardless of the p-value."""
    n_train: int
    n_valid: int
    n_test: int
    parameters: int
    batch_size: int
    steps: int
    """The horizon of a trial at the task's own batch size."""
    luck: tuple[str, ...]
    """What a seed draws: `SeedDraw`s, and the parts that it splits ("train/validation/test split")."""
    source: str
    """Where the data come from, with the licence: one line."""
    target: float | None = None
    """The level that a sound run must reach, on test, in raw units."""
    constant: float | None = None
    """What the best constant prediction reaches, such as the share of the most frequent class; raw. None where that is
    not known."""
    loss_name: str = "loss"
    fleet_obstacle: Message = NOTHING
    """Why this task cannot be trained as a fleet, if it cannot: the reason, in words."""
    compiler_obstacle: str = ""
    """Why nothing can be compiled on this machine, if it cannot."""
    notes: tuple[Message, ...] = ()
    """How the task was made from a file, or remarks of its author."""
    warnings: tuple[TaskWarning, ...] = ()
    """What the checks found; the severe ones first. Older studies have none."""
    data_digest: str = ""
    """Of the examples and the parts that seeds draw from them; "" in older studies."""
    model_digest: str = ""
    """Of the model's first step on this machine; "" in older studies, and where nothing could be asked."""
    code_digest: str = ""
    """Of the user's own source files that the worker had loaded; "" in older studies."""
    plain_lanes: bool = False
    """Whether a lane of a fleet has the same bits among any number of others."""

    @property
    def digests(self) -> tuple[str, str, str]:
        """What shows whether it is still the same task."""
        return self.data_digest, self.model_digest, self.code_digest

    @classmethod
    def from_json(cls, data: JsonObject) -> TaskFacts:
        values = dict(data)
        values["luck"] = tuple(data["luck"])
        values["notes"] = tuple(map(Message.from_json, data.get("notes", ())))
        values["warnings"] = tuple(map(TaskWarning.from_json, data.get("warnings", ())))
        values["fleet_obstacle"] = Message.from_json(data["fleet_obstacle"])
        return cls(**values)
