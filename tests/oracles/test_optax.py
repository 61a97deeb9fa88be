"""The settings that the table gives for Optax, against Optax itself (0.2.8 when written) where it is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from reference import problem
from reference.drive import drop_in_path

from steepest.optim.catalogue import CATALOGUE, settings_of
from steepest.optim.entry import Departure, Entry

pytestmark = pytest.mark.oracles
RATE = 0.03125


def scheduled(done: Any) -> Any:
    return RATE * problem.DECAY**done


def transformation(optax: Any, item: Entry) -> Any:
    momentum = settings_of(item).get("momentum")
    return {
        "SGD": lambda: optax.sgd(scheduled),
        "Momentum": lambda: optax.sgd(scheduled, momentum=momentum),
        "Nesterov": lambda: optax.sgd(scheduled, momentum=momentum, nesterov=True),
        "AveragedMomentum": lambda: optax.chain(optax.ema(0.9, debias=False), optax.scale_by_learning_rate(scheduled)),
        "AdaGrad": lambda: optax.adagrad(scheduled),
        "RMSProp": lambda: optax.rmsprop(scheduled),
        "RMSPropMomentum": lambda: optax.rmsprop(
            scheduled, momentum=momentum or None, centered=settings_of(item)["centred"] is True
        ),
        "Adam": lambda: optax.adam(scheduled),
        "AdamW": lambda: optax.adamw(scheduled),
        "SignSGD": lambda: optax.sign_sgd(scheduled),
        "Signum": lambda: optax.signum(scheduled),
        "AdaBelief": lambda: optax.adabelief(scheduled),
        "Yogi": lambda: optax.yogi(scheduled),
        "AdEMAMix": lambda: optax.contrib.ademamix(scheduled),
        "ADOPT": lambda: optax.contrib.adopt(scheduled),
        "LARS": lambda: optax.lars(scheduled),
        "LAMB": lambda: optax.lamb(scheduled),
        "Lion": lambda: optax.lion(scheduled),
        "Adadelta": lambda: optax.adadelta(scheduled),
        "Adamax": lambda: optax.adamax(scheduled),
        "NAdam": lambda: optax.nadam(scheduled),
        "NAdamW": lambda: optax.nadamw(scheduled),
        "ScheduleFreeSGD": lambda: optax.contrib.schedule_free_sgd(scheduled),
        "ScheduleFreeAdamW": lambda: optax.contrib.schedule_free_adamw(scheduled),
        "Prodigy": lambda: optax.contrib.prodigy(scheduled),
        "DAdaptAdam": lambda: optax.contrib.dadapt_adamw(scheduled),
    }[item.rule.__name__]()


def flat(w: list[Any]) -> np.ndarray:
    return np.concatenate([np.asarray(part).reshape(-1) for part in w])


CASES = [
    pytest.param(item, departure, id=item.name)
    for item in CATALOGUE
    for departure in item.departures
    if departure.framework == "Optax" and departure.settings is not None
]


@pytest.mark.parametrize(("item", "departure"), CASES)
def test_the_settings_that_give_optax_form_do(item: Entry, departure: Departure, proof: Any) -> None:
    optax, jax = (pytest.importorskip(name) for name in ("optax", "jax"))
    with jax.enable_x64(True):
        theirs = transformation(optax, item)
        w = [jax.numpy.array(part.numpy()) for part in problem.split(torch.tensor(problem.START))]
        state = theirs.init(w)
        path = []
        for t in range(1, problem.STEPS + 1):
            g = problem.split(torch.tensor(problem.gradient(t, flat(w))))
            change, state = theirs.update([jax.numpy.array(part.numpy()) for part in g], state, w)
            w = optax.apply_updates(w, change)
            path.append(flat(w))
    ours = drop_in_path(item.rule, {**settings_of(item, departure.settings), "lr": RATE}, torch.float64)
    proof(
        item.rule.__name__,
        "optax, the optimizer of that name",
        problem.deviation(ours, path),
        problem.TOLERANCE,
        "optax",
    )
