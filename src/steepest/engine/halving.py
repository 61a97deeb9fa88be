"""Trials on their way to the horizon, and how some of them are stopped at rungs: successive halving within a seed.

All is decided inside a job, by validation alone and seed by seed, so that replicates know nothing of one another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol

from steepest.engine.recording import Curves, joined
from steepest.records.outcomes import Outcome, Trace
from steepest.records.ranking import Score, share_trained, survivors
from steepest.records.trials import Lane, Shard

Tell = Callable[[int], None]
"""Hears the steps that are done."""


class Marching(Protocol):
    """Trials that march in step, one or a fleet of them."""

    @property
    def lanes(self) -> Sequence[Lane]: ...
    @property
    def curves(self) -> Curves: ...
    def until(self, last: int, tell: Tell) -> None:
        """Train and evaluate up to step `last`, or until every trial has ended."""
        ...

    def stop(self, lanes: Sequence[int]) -> None:
        """Train these lanes no further."""
        ...

    def finish(self) -> Trace:
        """The record, once the horizon is reached."""
        ...


def to_the_end(
    heats: Sequence[Sequence[Sequence[int]]],
    enter: Callable[[Sequence[int]], Marching],
    shard: Shard,
    higher_is_better: bool,
    progress: Callable[[float], None],
) -> Trace:
    """Train the lanes of a shard, heat after heat. A heat is the parts of the lanes, as places in the shard, that march
    abreast since they hold lanes of one seed; `enter` begins with a part."""
    traces: list[Trace] = []
    for i, parts in enumerate(heats):
        marches = [enter(part) for part in parts]
        start = 0
        for stop, count in (*shard.rungs, (shard.steps, 0)):
            before, after = share_trained(shard, start), share_trained(shard, stop)
            for j, march in enumerate(marches):

                def tell(step: int, first: float = before + (after - before) * j / len(parts), i: int = i) -> None:
                    now = first + (share_trained(shard, step) - before) / len(parts)  # noqa: B023  told at once
                    progress((i + now) / len(heats))

                march.until(stop, tell)
            if count:
                _stop(marches, count, higher_is_better)
            start = stop
        traces += [march.finish() for march in marches]
    return joined(traces, [place for parts in heats for part in parts for place in part])


def _stop(marches: Sequence[Marching], count: int, higher_is_better: bool) -> None:
    """Stop all lanes but the best `count` of each seed."""
    of_seed: dict[int, list[tuple[int, int, Score]]] = defaultdict(list)  # march, lane, what its last evaluation says
    for i, march in enumerate(marches):
        for j in march.curves.alive.nonzero()[0].tolist():
            lane, (metric, loss) = march.lanes[j], march.curves.now(j)
            of_seed[lane.seed].append((i, j, Score(lane.rate, lane.seed, Outcome.OK, metric, loss)))
    ended: list[list[int]] = [[] for _ in marches]
    for entries in of_seed.values():
        going = survivors([score for *_, score in entries], count, higher_is_better)
        for i, j, score in entries:
            if score not in going:
                ended[i].append(j)
    for march, lanes in zip(marches, ended, strict=True):
        march.stop(lanes)
