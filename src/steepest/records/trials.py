"""What is handed to a worker to be trained: a shard, and the lanes (one trial each) in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from steepest.errors import BadSetting
from steepest.records.contender import Contender
from steepest.records.record import JsonObject, values_of
from steepest.records.task_facts import TaskRef

EngineName = Literal["auto", "fleet", "solo", "compiled"]
"""What trains: the cheapest, as measured; plain fleets; one trial at a time; or fleets, compiled in any case."""
DtypeName = Literal["float32", "float64"]
"""Numbers that a trial is trained in."""
Compiled = Literal["gradient", "update"]
"""What of a fleet's step can be compiled: the gradient of its lanes, one after the other; the update of all of them."""

MAX_RANKS = 64


class Parallel(NamedTuple):
    """How a trial is trained on several processes."""

    kind: Literal["ddp", "fsdp2"]
    """Each has the whole model, or a part of every parameter."""
    ranks: int
    """Processes of a trial."""

    @classmethod
    def parse(cls, words: str) -> Parallel | None:
        """From "ddp:2"; None for "". Raises BadSetting.

        >>> Parallel.parse("fsdp2:4")
        Parallel(kind='fsdp2', ranks=4)
        """
        if not words:
            return None
        found = re.fullmatch(r"(ddp|fsdp2):(\d{1,3})", words)
        if found is None or not 1 <= int(found[2]) <= MAX_RANKS:
            raise BadSetting(
                f"parallel is {words!r}. Use ddp:N or fsdp2:N, such as ddp:2: N processes train each trial, at most "
                f"{MAX_RANKS}."
            )
        return cls("ddp" if found[1] == "ddp" else "fsdp2", int(found[2]))


Stage = Literal["grid", "refine", "extend", "search"]
"""Part of a search: the grid; rates around its best; rates beyond its edge; settings that turn other dials, too."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One trial's place in a shard: what differs between the replicas of a fleet."""

    rate: float
    seed: int
    stage: Stage = "grid"
    dials: str = ""
    """Values of further dials, as `steepest.records.dial.packed` writes them; "" where the rate alone is tuned."""


Rung = tuple[int, int]
"""(step, k): after this evaluation the best k lanes of a seed go on, and all others are stopped."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A fleet's worth of trials of one contender on one task, as handed to a worker."""

    id: str
    """Unique in the study, safe as a file name, and the same whenever the same study is planned again."""
    task: TaskRef
    contender: Contender
    lanes: tuple[Lane, ...]
    batch_size: int
    steps: int
    evaluate_at: tuple[int, ...]
    """Steps after which the validation part is evaluated; increasing, the last one is `steps`."""
    engine: Literal["fleet", "solo"] = "fleet"
    width: int = 0
    """Lanes that a fleet trains at a time, at most; 0 leaves it to the engine."""
    compiled: tuple[Compiled, ...] = ()
    """The parts of a fleet's step that are compiled."""
    dtype: DtypeName = "float32"
    device: str = "cpu"
    rungs: tuple[Rung, ...] = ()
    """After these steps each seed goes on with its best lanes alone; it must then have all its lanes in this shard."""
    parallel: str = ""
    """How each trial is trained on several processes, such as ddp:2; "" for one."""

    def to_json(self) -> JsonObject:
        task, contender = values_of(self.task), values_of(self.contender)
        for part, name in ((task, "options"), (contender, "axes"), (contender, "optimizer")):
            if not part[name]:  # an absent part must not change the id
                del part[name]
        for name in ("search", "dials"):  # how its settings were found changes no trial
            del contender[name]
        lanes = [*map(values_of, self.lanes)]
        for lane in lanes:
            if not lane["dials"]:
                del lane["dials"]
        whole = {**values_of(self), "task": task, "contender": contender, "lanes": lanes}
        if not self.rungs:  # a shard without rungs keeps its old id
            del whole["rungs"]
        if not self.parallel:
            del whole["parallel"]
        return whole

    @classmethod
    def from_json(cls, data: JsonObject) -> Shard:
        values = dict(data)
        values["task"] = TaskRef.from_json(data["task"])
        values["contender"] = Contender.from_json(data["contender"])
        values["lanes"] = tuple(Lane(**lane) for lane in data["lanes"])
        values["evaluate_at"] = tuple(data["evaluate_at"])
        values["compiled"] = tuple(data.get("compiled", ()))
        values["rungs"] = tuple((step, kept) for step, kept in data.get("rungs", ()))
        return cls(**values)
