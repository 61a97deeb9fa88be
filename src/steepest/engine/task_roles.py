"""The roles of the parameters of a task's model, found once for each task, and a rule that knows them."""

from dataclasses import replace
from functools import lru_cache

import torch

from steepest.engine.object_registry import ConfiguredRule
from steepest.engine.random_sources import preserved_generators
from steepest.optim.roles import by_roles, has_roles, roles_of
from steepest.tasks.task import Task

EXAMPLES = 2
"""Examples for which the model is run to find roles."""


def for_task(optimizer: ConfiguredRule, task: Task) -> ConfiguredRule:
    """The rule as it treats the parameters of this task's model."""
    if not has_roles(optimizer.rule):
        return optimizer
    groups, group_of = optimizer.for_parameters(task.build_model(0, torch.float32))
    each = [groups[group].settings for group in group_of]
    return replace(optimizer, rule=by_roles(optimizer.rule, task_roles(task), each))


@lru_cache(maxsize=16)
def task_roles(task: Task) -> tuple[str, ...]:
    """The role of each trainable parameter, in the model's order."""
    splits = task.splits(0)
    inputs, _ = task.batch(splits, splits.train[:EXAMPLES])
    with preserved_generators():
        return tuple(roles_of(task.build_model(0, torch.float32), inputs, task.roles).values())
