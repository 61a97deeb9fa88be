"""What a lane's dials mean to those who train it: the optimizer's settings, and the schedule of its rate."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from steepest.engine.object_registry import ConfiguredRule, ExternalOptimizer
from steepest.optim.schedules import warmed_up
from steepest.records.dial import NOT_OF_RULE, SCHEDULE, WARMUP, Setting, unpacked
from steepest.records.trials import Lane, Shard

AnyOptimizer = TypeVar("AnyOptimizer", bound=ConfiguredRule | ExternalOptimizer)


def schedule_of(shard: Shard, lane: Lane) -> str:
    """The schedule of a lane's rate, in words."""
    values = unpacked(lane.dials)
    words = str(values.get(SCHEDULE, shard.contender.schedule))
    return warmed_up(words, float(values[WARMUP])) if WARMUP in values else words


def with_dials(optimizer: AnyOptimizer, lane: Lane) -> AnyOptimizer:
    """The optimizer with a lane's values of its settings; those that a group of parameters has of its own stay."""
    return replace(optimizer, settings=settings_of(optimizer, lane)) if lane.dials else optimizer


def settings_of(optimizer: ConfiguredRule | ExternalOptimizer, lane: Lane) -> Mapping[str, Setting]:
    """All settings of an optimizer, or of a group of its parameters, in this lane."""
    kept = optimizer.own if isinstance(optimizer, ConfiguredRule) else ()
    turned = {name: value for name, value in unpacked(lane.dials).items() if name not in (*NOT_OF_RULE, *kept)}
    return {**optimizer.settings, **turned}
