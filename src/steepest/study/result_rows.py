"""From the curves of a shard to rows of the table of results, one a trial: nothing that the curves do not say."""

import math
from collections.abc import Iterable

import numpy as np

from steepest.errors import StudyFolderError
from steepest.messages import Message, say
from steepest.records.outcomes import Outcome, Result, Trace
from steepest.records.trials import Shard


def rows(shard: Shard, trace: Trace) -> tuple[Result, ...]:
    """One row for each lane. Only a trial that reached its horizon has values; its last evaluation is there."""
    return tuple(
        Result(
            task=shard.task.name,
            contender=shard.contender.name,
            rate=lane.rate,
            seed=lane.seed,
            stage=lane.stage,
            batch_size=shard.batch_size,
            steps=shard.steps,
            outcome=outcome,
            outcome_step=int(trace.outcome_step[i]),
            train_loss=_value(trace.train_loss[i, -1], outcome),
            valid_loss=_value(trace.valid_loss[i, -1], outcome),
            valid_metric=_value(trace.valid_metric[i, -1], outcome),
            test_loss=_value(trace.test_loss[i], outcome),
            test_metric=_value(trace.test_metric[i], outcome),
            shard=shard.id,
            lane=i,
            dials=lane.dials,
        )
        for i, (lane, outcome) in enumerate(zip(shard.lanes, trace.outcome, strict=True))
    )


def check_trace(shard: Shard, trace: Trace) -> None:
    """Raise StudyFolderError where curves cannot be those of this shard."""
    lanes, evaluations = len(shard.lanes), len(shard.evaluate_at)
    shapes = {
        "train_loss": (lanes, evaluations),
        "valid_loss": (lanes, evaluations),
        "valid_metric": (lanes, evaluations),
        "outcome_step": (lanes,),
        "test_loss": (lanes,),
        "test_metric": (lanes,),
    }
    fits = (
        tuple(trace.evaluate_at.tolist()) == shard.evaluate_at
        and len(trace.outcome) == lanes
        and all(getattr(trace, name).shape == shape for name, shape in shapes.items())
    )
    if not fits:
        raise StudyFolderError(f"The curves of {shard.id} do not have the shape of their trials.")


def agree(results: Iterable[Result], trace: Trace) -> bool:
    """Whether rows of one shard say what its curves say."""
    ends = [curve[:, -1] for curve in (trace.train_loss, trace.valid_loss, trace.valid_metric)]
    values = [*zip(*(each.tolist() for each in (*ends, trace.test_loss, trace.test_metric)), strict=True)]
    steps = trace.outcome_step.tolist()
    for row in results:
        if row.lane >= len(steps) or row.outcome is not trace.outcome[row.lane] or row.outcome_step != steps[row.lane]:
            return False
        stored = (row.train_loss, row.valid_loss, row.valid_metric, row.test_loss, row.test_metric)
        found = values[row.lane]
        if stored != found and stored != tuple(_value(each, row.outcome) for each in found):
            return False
    return True


def empty_trace(shard: Shard, outcome: Outcome) -> Trace:
    """The empty curves of trials without a result: their workers were killed too often, or memory ran out."""
    lanes, evaluations = len(shard.lanes), len(shard.evaluate_at)

    def nothing(*shape: int) -> np.ndarray:
        return np.full(shape, np.nan)

    return Trace(
        evaluate_at=np.array(shard.evaluate_at, dtype=np.int64),
        train_loss=nothing(lanes, evaluations),
        valid_loss=nothing(lanes, evaluations),
        valid_metric=nothing(lanes, evaluations),
        outcome=(outcome,) * lanes,
        outcome_step=np.zeros(lanes, dtype=np.int64),
        test_loss=nothing(lanes),
        test_metric=nothing(lanes),
    )


def racing_savings(results: Iterable[Result]) -> Message | None:
    """What racing has saved, in words; None if it stopped no trial."""
    results = list(results)
    stopped = [row for row in results if row.outcome is Outcome.STOPPED]
    if not stopped:
        return None
    share = sum(row.steps - row.outcome_step for row in stopped) / sum(row.steps for row in results)
    return say(
        "Racing stopped {n:,} of {all:,} runs early, each behind better rates of its own seed, which saved {share:.0%} "
        "of the steps.",
        n=len(stopped),
        all=len(results),
        share=share,
    )


def _value(number: float, outcome: Outcome) -> float | None:
    return float(number) if outcome is Outcome.OK and math.isfinite(number) else None
