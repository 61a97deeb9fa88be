"""A few steps of a task, to say in seconds whether it can be trained, how, and at what cost.

What takes longer for large models has a budget of processor time, so that a busy machine changes no result.
"""

import math
from collections.abc import Callable
from statistics import median
from time import process_time
from typing import Any

from steepest.checks.all_checks import warnings_about
from steepest.engine.calibrate import WARM_UP_STEPS, milliseconds_alone
from steepest.engine.fleet_support import unsupported_reason
from steepest.engine.random_sources import seed_step
from steepest.engine.shard import job_conditions
from steepest.engine.solo import Trial
from steepest.messages import NOTHING, Message, say
from steepest.optim import catalogue
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane, Shard
from steepest.tasks.check import check
from steepest.tasks.task import Task

STEPS_TRIED, MIN_STEPS = 30, 8
STEP_SECONDS = 1.0
"""Processor time after which no further step is tried, once there are MIN_STEPS."""
EVALUATION_SECONDS = 0.5
"""Processor time of an evaluation."""
EVALUATED = (4096, 512, 64)
"""Validation examples that are evaluated where all would take too long: few numbers, so that the same model gets the
same one each time."""
CHECK_SECONDS = 3.0
"""Processor time after which no further check of the task begins."""
ENGINE_SECONDS = 6.0
"""Processor time after which the engine is not tried."""


def try_task(
    task: Task, ref: TaskRef, begins: Callable[[Message], None] = lambda doing: None, seconds: float = ENGINE_SECONDS
) -> dict[str, Any]:
    """The parts of a task, what some steps of Adam do to its loss, its warnings, and the engine that it gets.

    `begins` hears of each part. The engine is not tried when `seconds` of processor time are over. Raises BadTask, with
    one sentence, for a task that cannot be trained.
    """
    began = process_time()
    begins(say("Trying the model, the loss and the metric"))
    check(task)
    facts = task.facts(ref.name)
    begins(say("Training some steps"))
    tried = _try_steps(task, ref)
    begins(say("Looking for warnings"))
    with job_conditions():
        found = warnings_about(
            task, CHECK_SECONDS, lambda each: begins(say("Looking for warnings: {check}", check=each.name))
        )
    engine, obstacle = None, NOTHING
    if process_time() - began < seconds:
        begins(say("Trying many trials at once"))
        with job_conditions():
            obstacle = unsupported_reason(task)
        engine = "solo" if obstacle else "fleet"
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
        **tried,
        "engine": engine,
        "obstacle": obstacle,
        "alone": [item.name for item in catalogue.CATALOGUE if catalogue.fleet_obstacle(item.rule, "constant")],
        "warnings": found,
    }


def _try_steps(task: Task, ref: TaskRef) -> dict[str, Any]:
    """What some steps of Adam do to the loss, and how long a step takes under the conditions of a study."""
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
    with job_conditions():
        trial = Trial(task, shard, shard.lanes[0])
        examples = _affordable(trial)
        (before,), _ = trial.evaluate("valid", examples)
        taken: list[float] = []
        for t in range(1, STEPS_TRIED + 1):
            seed_step(0, t)
            start = process_time()
            trial.step(t)
            taken.append(process_time() - start)
            if t >= MIN_STEPS and sum(taken) > STEP_SECONDS:
                break
        (after,), (quality,) = trial.evaluate("valid", examples)
        if sum(taken) > STEP_SECONDS:
            milliseconds = median(taken[WARM_UP_STEPS:]) * 1000
        else:
            milliseconds = milliseconds_alone(Trial(task, shard, shard.lanes[0]))
    return {
        "steps_tried": len(taken),
        "rate_tried": contender.centre,
        "valid_loss_before": before if math.isfinite(before) else None,
        "valid_loss_after": after if math.isfinite(after) else None,
        "valid_metric_after": quality if math.isfinite(quality) else None,
        "milliseconds_a_step": milliseconds,
    }


def _affordable(trial: Trial) -> int | None:
    """The number of validation examples that can be evaluated in time; None for all."""
    few = min(EVALUATED[-1], len(trial.splits.valid))
    start = process_time()
    trial.evaluate("valid", few)
    affordable = EVALUATION_SECONDS / max(process_time() - start, 1e-6) * few
    if affordable >= len(trial.splits.valid):
        return None
    return next((count for count in EVALUATED if count <= affordable), few)
