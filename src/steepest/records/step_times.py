"""What a training step costs, alone and in fleets, as a worker measured it."""

from __future__ import annotations

from dataclasses import dataclass

from steepest.records.record import JsonObject
from steepest.records.trials import Compiled


@dataclass(frozen=True, slots=True)
class FleetTime:
    """What one step of a whole fleet costs on one thread, while other workers work too."""

    lanes: int
    compiled: tuple[Compiled, ...]
    milliseconds: float
    update_milliseconds: float
    """The part that the update takes."""
    bytes_per_lane: float = 0.0
    """Memory of the fleet while it trains, divided by its lanes; 0 where unknown."""
    evaluation_milliseconds: float = 0.0
    """One evaluation of all its lanes on validation; 0 where it was not timed."""
    build_seconds: float = 0.0
    """Time to build the fleet and its models, before the first step."""
    load_seconds: float = 0.0
    """Extra time of the first fleet in a process: to trace or load its programs."""

    @classmethod
    def from_json(cls, data: JsonObject) -> FleetTime:
        values = dict(data)
        values["compiled"] = tuple(data["compiled"])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class StepTime:
    """What one step costs when a trial trains alone on one thread: the only time that a verdict uses."""

    task: str
    contender: str
    milliseconds: float
    """Median over the steps timed, evaluations excluded."""
    state_bytes_per_parameter: float
    fleets: tuple[FleetTime, ...] = ()
    """For the planner only: times of several kinds of fleets."""
    evaluation_milliseconds: float = 0.0
    """For the planner only: one evaluation on validation, alone; 0 where it was not timed."""
    share: float = 1.0
    """Share of the measured time in which this process had a core; clearly below 1 where other processes competed."""

    @classmethod
    def from_json(cls, data: JsonObject) -> StepTime:
        values = dict(data)
        values["fleets"] = tuple(map(FleetTime.from_json, data.get("fleets", ())))
        return cls(**values)
