"""Whether a task can be trained as a fleet, found out by doing: a few steps of two replicas against the plain loop."""

from __future__ import annotations

import random
import traceback
import warnings
from typing import Any

import numpy as np
import torch
from torch import nn

from steepest.engine.draws import kept
from steepest.engine.fleet import Fleet
from steepest.engine.layout import Layout
from steepest.engine.solo import Trial
from steepest.tasks.task import Task
from steepest.types import Contender, Lane, Shard, TaskRef

STEPS = 3
EXAMPLES = 64
"""Examples that are evaluated."""
PACKING = ("pack_padded_sequence", "pad_packed_sequence")
AGREES = 1e-2
"""Relative difference of two paths that single precision explains; a wrong gradient is off by far more."""


def fleet_obstacle(task: Task) -> str:
    """Why the replicas of a task cannot be trained as one tensor program, in words; "" if they can."""
    shard = Shard(
        id="probe",
        task=TaskRef(task.name, "memory", task.name),
        contender=Contender("sgd", "sgd", centre=1e-3),
        lanes=(Lane(1e-3, seed=0), Lane(1e-3, seed=1)),
        batch_size=task.batch_size,
        steps=STEPS,
        evaluate_at=(STEPS,),
    )
    with kept():
        trials = [Trial(task, shard, lane) for lane in shard.lanes]
        layout = Layout.of(trials[0].model)
        start = torch.stack([layout.row(trial.model) for trial in trials])
        own, drawn = _attributes(trials[0].model), _drawn()
        for trial in trials:
            for t in range(1, STEPS + 1):
                torch.manual_seed(t)
                trial.step(t)
        if drawn != _drawn():
            return "its model or loss draws from Python's or NumPy's generator, and all replicas would share the draw"
        if changed := _attributes(trials[0].model) ^ own:
            return f"its model keeps state in the attribute {min(changed)[0]!r}, which all replicas would share"
        moved = torch.stack([layout.row(trial.model) for trial in trials]) - start
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # vmap's, that it does some operation lane by lane
                fleet = Fleet(task, shard, shard.lanes)
                fleet.train(0, STEPS)
                fleet.evaluate("valid", at_most=EXAMPLES)
        except Exception as error:  # whatever the model does that vmap cannot
            return _in_words(error)
        if not fleet.is_random and not _agree(fleet.flat - start, moved):
            return "its replicas, trained together, do not move as one trained alone does"
    return ""


def _in_words(error: Exception) -> str:
    """Why vmap could not take a model: in our words where the cause is a known one, else in its own."""
    if any(frame.name in PACKING for frame in traceback.extract_tb(error.__traceback__)):
        return "it packs its sequences by their lengths, which differ from one batch to another"
    if "SparseCPU" in str(error):
        return "its gradients are sparse (sparse=True), and vmap has none of those; trained alone they are made dense"
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"


def _agree(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool((a - b).norm() <= AGREES * b.norm())


def _drawn() -> tuple[Any, ...]:
    """The state of the generators that a fleet cannot give each replica its own of."""
    kind, keys, *rest = np.random.get_state()
    return random.getstate(), kind, tuple(np.asarray(keys).tolist()), tuple(rest)


def _attributes(model: nn.Module) -> set[tuple[str, Any]]:
    """The plain values among the attributes of a model and its layers: (name, value)."""
    return {
        (f"{path}.{name}".lstrip("."), value)
        for path, module in model.named_modules()
        for name, value in vars(module).items()
        if name != "training" and isinstance(value, bool | int | float | str)
    }
