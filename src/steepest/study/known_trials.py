"""Trials that are trained already, in shards that were cut otherwise: by the study before it was extended, or by the
studies that were merged. Their curves are put together lane by lane, as if the new shard had been trained at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from steepest.errors import StudyFolderError
from steepest.records.example_outcomes import Contributions, packed
from steepest.records.files import read_trace
from steepest.records.outcomes import LOST, Result, Trace
from steepest.records.ranking import picked_lanes
from steepest.records.trials import Shard

REST = ".rest"
"""Ends the id of what is left of a shard to train."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One trained trial: a lane of some curves."""

    trace: Trace
    lane: int

    origin: str = ""
    """Where it was trained, if by another study."""

    @property
    def examples(self) -> Contributions | None:
        return None if self.trace.examples is None else self.trace.examples.of(self.lane)


class KnownTrials:
    """The trained trials of a folder of curves, by what they are, regardless of their shard."""

    def __init__(self, curves: Path, results: Iterable[Result]) -> None:
        self._curves = curves
        self._places = {
            (row.task, row.contender, row.rate, row.seed, row.dials, row.steps, row.batch_size): (row.shard, row.lane)
            for row in results
            if row.outcome not in LOST
        }
        self._traces: dict[str, Trace | None] = {}

    def pieces(self, shard: Shard, higher_is_better: bool, take_all: bool = False) -> dict[int, Piece]:
        """Lane of the shard → its trial. Where rates race, those of a seed all or none, since they stopped each other.

        Without a trial whose test examples were not kept, because its seed did not pick it in its old shard; unless
        `take_all`.
        """
        found: dict[int, Piece] = {}
        for i, lane in enumerate(shard.lanes):
            own = (lane.rate, lane.seed, lane.dials)
            key = (shard.task.name, shard.contender.name, *own, shard.steps, shard.batch_size)
            place = self._places.get(key)
            trace = None if place is None else self._trace(place[0])
            if place is not None and trace is not None and tuple(trace.evaluate_at.tolist()) == shard.evaluate_at:
                found[i] = Piece(trace, place[1])
        if not take_all:
            drop_unkept(shard, found, higher_is_better)
        if shard.rungs:
            torn = {lane.seed for i, lane in enumerate(shard.lanes) if i not in found}
            found = {i: piece for i, piece in found.items() if shard.lanes[i].seed not in torn}
        return found

    def _trace(self, shard: str) -> Trace | None:
        if shard not in self._traces:
            try:
                self._traces[shard] = read_trace(self._curves / f"{shard}.npz")
            except StudyFolderError:  # then its trials are trained again
                self._traces[shard] = None
        return self._traces[shard]


def drop_unkept(shard: Shard, found: dict[int, Piece], higher_is_better: bool) -> None:
    """Take away the trials that seeds pick among those found, and whose test examples were not kept, though some
    were."""
    if not any(piece.trace.examples is not None for piece in found.values()):
        return
    places = sorted(found)
    part = replace(shard, lanes=tuple(shard.lanes[i] for i in places))
    together = joined(part, {k: found[i] for k, i in enumerate(places)}, higher_is_better)
    kept = () if together.examples is None else together.examples.lanes
    for k in picks(part, together, higher_is_better):
        if k not in kept:
            del found[places[k]]


def rest_of(shard: Shard, pieces: Mapping[int, Piece]) -> Shard:
    """What is left to train; the shard itself where nothing is known."""
    if not pieces:
        return shard
    lanes = tuple(lane for i, lane in enumerate(shard.lanes) if i not in pieces)
    return replace(shard, id=f"{shard.id}{REST}", lanes=lanes)


def with_rest(shard: Shard, pieces: Mapping[int, Piece], rest: Trace) -> dict[int, Piece]:
    """All lanes of a shard, once what was left is trained."""
    missing = [i for i in range(len(shard.lanes)) if i not in pieces]
    return {**pieces, **{i: Piece(rest, lane) for lane, i in enumerate(missing)}}


def joined(shard: Shard, pieces: Mapping[int, Piece], higher_is_better: bool) -> Trace:
    """The curves of a shard from those of its trials."""
    ordered = [pieces[i] for i in range(len(shard.lanes))]
    arrays: dict[str, Any] = {
        each.name: np.array([getattr(piece.trace, each.name)[piece.lane] for piece in ordered])
        for each in fields(Trace)
        if each.name not in ("evaluate_at", "outcome", "examples")
    }
    trace = Trace(
        evaluate_at=np.array(shard.evaluate_at, dtype=np.int64),
        outcome=tuple(piece.trace.outcome[piece.lane] for piece in ordered),
        **arrays,
    )
    lanes = picks(shard, trace, higher_is_better)
    known = {i: examples for i in lanes if (examples := ordered[i].examples) is not None}
    return replace(trace, examples=packed(known))


def picks(shard: Shard, trace: Trace, higher_is_better: bool) -> set[int]:
    """The lane that each seed picks in this shard."""
    ends = (trace.valid_metric[:, -1], trace.valid_loss[:, -1])
    return picked_lanes(shard.lanes, trace.outcome, *ends, higher_is_better)
