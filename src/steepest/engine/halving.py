"""Successive halving within a seed: trains groups of trials to the horizon and stops the worst rates at rungs.

Decisions are made inside a job, by validation and seed by seed, so that replicates stay independent.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol

from steepest.engine.example_recorder import ExampleRecorder
from steepest.engine.recording import Curves, merged, with_examples
from steepest.records.example_outcomes import Contributions
from steepest.records.outcomes import Outcome, Trace
from steepest.records.ranking import Score, share_trained, survivors
from steepest.records.trials import Lane, Shard

Report = Callable[[int], None]
"""Called with the number of steps done."""


class TrialGroup(Protocol):
    """Trials trained in step: a single one, or a fleet."""

    @property
    def lanes(self) -> Sequence[Lane]: ...
    @property
    def curves(self) -> Curves: ...
    @property
    def recorder(self) -> ExampleRecorder: ...
    def until(self, last: int, report: Report) -> None:
        """Train and evaluate up to step `last`, or until every trial has ended."""
        ...

    def stop(self, lanes: Sequence[int]) -> None:
        """Train these lanes no further."""
        ...

    def finish(self) -> Trace:
        """The record, once the horizon is reached."""
        ...


def train_with_rungs(
    cohorts: Sequence[Sequence[Sequence[int]]],
    start_group: Callable[[Sequence[int]], TrialGroup],
    shard: Shard,
    higher_is_better: bool,
    progress: Callable[[float], None],
) -> Trace:
    """Train the lanes of a shard, cohort after cohort. A cohort is a list of parts, each a list of lane indices, that
    are trained rung by rung together because they share seeds; `start_group` starts training a part.
    """
    traces: list[Trace] = []
    examples: dict[int, Contributions] = {}
    for i, parts in enumerate(cohorts):
        groups = [start_group(part) for part in parts]
        start = 0
        for stop, count in (*shard.rungs, (shard.steps, 0)):
            before, after = share_trained(shard, start), share_trained(shard, stop)
            for j, group in enumerate(groups):

                def report(step: int, first: float = before + (after - before) * j / len(parts), i: int = i) -> None:
                    now = first + (share_trained(shard, step) - before) / len(parts)  # noqa: B023  called within this iteration
                    progress((i + now) / len(cohorts))

                group.until(stop, report)
            if count:
                _stop(groups, count, higher_is_better)
            start = stop
        for part, group in zip(parts, groups, strict=True):
            traces.append(group.finish())
            examples |= {part[lane]: found for lane, found in group.recorder.found.items()}
    trace = merged(traces, [place for parts in cohorts for part in parts for place in part])
    return with_examples(trace, shard.lanes, examples, higher_is_better)


def _stop(groups: Sequence[TrialGroup], count: int, higher_is_better: bool) -> None:
    """Stop all lanes but the best `count` of each seed."""
    of_seed: dict[int, list[tuple[int, int, Score]]] = defaultdict(list)  # group, lane, score at its last evaluation
    for i, group in enumerate(groups):
        for j in group.curves.alive.nonzero()[0].tolist():
            lane, (metric, loss) = group.lanes[j], group.curves.now(j)
            of_seed[lane.seed].append((i, j, Score(lane.rate, lane.seed, Outcome.OK, metric, loss, lane.dials)))
    ended: list[list[int]] = [[] for _ in groups]
    for entries in of_seed.values():
        going = survivors([score for *_, score in entries], count, higher_is_better)
        for i, j, score in entries:
            if score not in going:
                ended[i].append(j)
    for group, lanes in zip(groups, ended, strict=True):
        group.stop(lanes)
