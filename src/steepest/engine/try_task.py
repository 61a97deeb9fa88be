"""A few steps of a task, to say in seconds whether it can be trained, how, and at what cost."""

from __future__ import annotations

import math
from statistics import median
from time import perf_counter
from typing import Any

from steepest.checks.all_checks import warnings_about
from steepest.engine.fleet_support import unsupported_reason
from steepest.engine.random_sources import preserved_generators, seed_step
from steepest.engine.solo import Trial
from steepest.optim import catalogue
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane, Shard
from steepest.tasks.check import check
from steepest.tasks.task import Task

STEPS_TRIED = 30


def try_task(task: Task, ref: TaskRef) -> dict[str, Any]:
    """The parts of a task, what some steps of Adam do to its loss, and the engine that it gets.

    Raises BadTask, with one sentence, for a task that cannot be trained.
    """
    check(task)
    facts = task.facts(ref.name)
    contender = catalogue.contender("adam")
    shard = Shard(
        id="check",
        task=ref,
        contender=contender,
        lanes=(Lane(contender.centre, seed=0),),
        batch_size=task.batch_size,
        steps=STEPS_TRIED,
        evaluate_at=(STEPS_TRIED,),
    )
    with preserved_generators():
        trial = Trial(task, shard, shard.lanes[0])
        (before,), _ = trial.evaluate("valid")
        times = []
        for t in range(1, STEPS_TRIED + 1):
            seed_step(0, t)
            start = perf_counter()
            trial.step(t)
            times.append(perf_counter() - start)
        (after,), (quality,) = trial.evaluate("valid")
        found = warnings_about(task)
    obstacle = unsupported_reason(task)
    return {
        "task": facts.name,
        "title": facts.title,
        "parts": {"train": facts.n_train, "valid": facts.n_valid, "test": facts.n_test},
        "drawn_by_the_seed": list(facts.luck),
        "parameters": facts.parameters,
        "batch_size": facts.batch_size,
        "steps": facts.steps,
        "loss": facts.loss_name,
        "metric": facts.metric,
        "margin": facts.margin,
        "steps_tried": STEPS_TRIED,
        "rate_tried": contender.centre,
        "valid_loss_before": before if math.isfinite(before) else None,
        "valid_loss_after": after if math.isfinite(after) else None,
        "valid_metric_after": quality if math.isfinite(quality) else None,
        "milliseconds_a_step": median(times) * 1000,
        "engine": "solo" if obstacle else "fleet",
        "obstacle": obstacle,
        "alone": [item.name for item in catalogue.CATALOGUE if catalogue.fleet_obstacle(item.rule, "constant")],
        "warnings": found,
    }
