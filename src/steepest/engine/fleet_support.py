"""Checks whether a task can be trained as a fleet: trains two replicas a few steps and compares with the plain loop."""

import random
import traceback
import warnings
from collections import deque
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from steepest.engine.fleet import Fleet
from steepest.engine.layout import Layout
from steepest.engine.random_sources import preserved_generators
from steepest.engine.solo import Trial
from steepest.errors import kind_and_line
from steepest.messages import NOTHING, Message, say, verbatim
from steepest.records.contender import Contender
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane, Shard
from steepest.tasks.task import Task

TRIAL_STEPS = 3
MAX_BATCH = 8
"""Examples of a step: what keeps a model from a fleet does so for a few examples, too."""
EVALUATED_EXAMPLES = 16
"""Validation examples that the check evaluates."""
RATES = (1e-3, 1e-6, 1e-12)
"""Learning rates of gradient descent, tried from the largest: with huge inputs only a tiny step stays finite."""
PACKING_FUNCTIONS = ("pack_padded_sequence", "pad_packed_sequence")
ERROR_MEANINGS = {
    "calling .item()": say(
        "its model, loss or metric reads values out of tensors (.item(), float(…), or an if on one), which differ from "
        "replica to replica"
    ),
    "data pointer": say("its model, loss or metric leaves torch for NumPy on the way (.numpy())"),
    "attempted to call in-place operation": say("its model changes in place what it is given (such as x -= …)"),
    "in-place arithmetic": say("its model changes in place (such as x += …) what all replicas have in common"),
    "ScalarType BFloat16": say("its outputs are bfloat16, as autocast makes them; end the model with .float()"),
}
"""Part of vmap's error message → its meaning."""
MODULE_ATTRIBUTES = frozenset(vars(nn.Module()))
"""Attributes that every module has: parameters, buffers, hooks and the training flag."""
RELATIVE_TOLERANCE = 1e-2
"""Largest relative difference of two paths that counts as rounding; a wrong gradient differs by far more."""


@dataclass(frozen=True)
class _SoloSteps:
    """A few steps of two trials in the plain loop."""

    shard: Shard
    start: Tensor  # [2, P]
    moved: Tensor  # [2, P]
    drew: bool
    """Whether they drew from generators that a fleet shares between replicas, Python's and NumPy's."""
    is_random: bool
    """Whether they drew from torch's generator, from which the replicas of a fleet draw other numbers."""
    held: list[set[tuple[str, str]]]
    """The first model's attributes after each step; a value that does not change after the first step is not state."""


def unsupported_reason(task: Task) -> Message:
    """Why the replicas of a task cannot be trained as one tensor program, in words; NOTHING if they can."""
    with preserved_generators():
        alone = _alone(task, RATES[0])
        for rate in RATES[1:]:
            if torch.isfinite(alone.moved).all() and alone.moved.norm() < alone.start.norm() + 1:
                break
            alone = _alone(task, rate)
        if alone.drew:
            return say(
                "its model or loss draws from Python's or NumPy's generator, and all replicas would share the draw"
            )
        if changed := alone.held[0] ^ alone.held[-1]:
            return say(
                "its model keeps state in the attribute '{name}', which all replicas would share", name=min(changed)[0]
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # vmap's, that it does some operation lane by lane
                fleet = Fleet(task, alone.shard, alone.shard.lanes, traced=False)
                fleet.train(0, TRIAL_STEPS)
                fleet.evaluate("valid", at_most=EVALUATED_EXAMPLES)
        except Exception as error:  # the model may do anything that vmap does not support
            return _in_words(error)
        if not alone.is_random and not _paths_agree(fleet.flat - alone.start, alone.moved):
            return say("its replicas, trained together, do not move as one trained alone does")
    return NOTHING


def _alone(task: Task, rate: float) -> _SoloSteps:
    shard = Shard(
        id="probe",
        task=TaskRef(task.name, "memory", task.name),
        contender=Contender("sgd", "sgd", centre=rate),
        lanes=(Lane(rate, seed=0), Lane(rate, seed=1)),
        batch_size=min(task.batch_size, MAX_BATCH),
        steps=TRIAL_STEPS,
        evaluate_at=(TRIAL_STEPS,),
    )
    trials = [Trial(task, shard, lane) for lane in shard.lanes]
    layout = Layout.of(trials[0].model)
    start = torch.stack([layout.row(trial.model) for trial in trials])
    drawn, held, is_random = _drawn(), [], False
    for trial in trials:
        for t in range(1, TRIAL_STEPS + 1):
            before = torch.manual_seed(t).get_state()
            trial.step(t)
            is_random |= not torch.equal(before, torch.get_rng_state())
            held += [_attributes(trial.model)] if trial is trials[0] else []
    moved = torch.stack([layout.row(trial.model) for trial in trials]) - start
    return _SoloSteps(shard, start, moved, drawn != _drawn(), is_random, held)


def _in_words(error: Exception) -> Message:
    """Why vmap could not run a model: in our words if the cause is known, else the error itself."""
    if any(frame.name in PACKING_FUNCTIONS for frame in traceback.extract_tb(error.__traceback__)):
        return say("it packs its sequences by their lengths, which differ between batches")
    if "SparseCPU" in str(error):
        return say(
            "its gradients are sparse (sparse=True), which vmap does not support; trained alone, rules such as sgd and "
            "adagrad, which change nothing at a zero gradient, update only the rows used; the others get dense "
            "gradients"
        )
    for said, meaning in ERROR_MEANINGS.items():
        if said in str(error):
            return meaning
    return verbatim(kind_and_line(error))


def _paths_agree(a: Tensor, b: Tensor) -> bool:
    """Whether two paths agree where both are finite."""
    known = torch.isfinite(a) & torch.isfinite(b)
    a, b = a.where(known, 0.0), b.where(known, 0.0)
    return bool((a - b).norm() <= RELATIVE_TOLERANCE * b.norm())


def _drawn() -> tuple[Any, ...]:
    """The state of Python's and NumPy's generators."""
    kind, keys, *rest = np.random.get_state()
    return random.getstate(), kind, tuple(np.asarray(keys).tolist()), tuple(rest)


def _attributes(model: nn.Module) -> set[tuple[str, str]]:
    """(name, fingerprint) of the attributes of a model and its layers, other than parameters and buffers.

    The value of a tensor that requires a gradient is ignored: each call computes it again, as weight norm does.
    """
    return {
        (f"{path}.{name}".lstrip("."), _fingerprint(value))
        for path, module in model.named_modules()
        for name, value in vars(module).items()
        if name not in MODULE_ATTRIBUTES
    }


def _fingerprint(value: Any, depth: int = 2) -> str:
    if isinstance(value, bool | int | float | str):
        return repr(value)
    if isinstance(value, Tensor) and value.layout is torch.strided and not value.requires_grad:
        numbers = value.detach().cpu().flatten().view(torch.uint8).numpy()
        return f"{list(value.shape)} {sha256(numbers.tobytes()).hexdigest()}"
    if depth and isinstance(value, list | tuple | deque):
        return f"[{', '.join(_fingerprint(each, depth - 1) for each in value)}]"
    if depth and isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_fingerprint(each, depth - 1)}' for key, each in value.items())}}}"
    return type(value).__name__
