"""Rules against the packages that their authors publish, where these are installed; and what was found in them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from reference import problem
from reference.drive import drop_in_path, optimizer_path
from torch import Tensor

from steepest.optim.modelwide import DAdaptAdam, DAdaptSGD, DoG, Prodigy
from steepest.optim.rule import Rule, hyperparameters
from steepest.optim.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD

pytestmark = pytest.mark.oracles


def ours(rule: type[Rule], **settings: Any) -> Tensor:
    return drop_in_path(rule, {**hyperparameters(rule), **settings}, torch.float64)


def theirs(build: Callable[..., Any], lr: float, **settings: Any) -> Tensor:
    with contextlib.redirect_stdout(io.StringIO()):  # some print which decay they use
        return optimizer_path(build, lr=lr, dtype=torch.float64, **settings)


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("safeguard", [False, True])
@pytest.mark.parametrize("correction", [False, True])
def test_prodigy_is_that_of_prodigyopt(decay: float, safeguard: bool, correction: bool, proof: Any) -> None:
    package = pytest.importorskip("prodigyopt")
    shared: dict[str, Any] = {"d0": 0.1, "weight_decay": decay}
    expected = theirs(
        package.Prodigy,
        1.0,
        betas=(0.8, 0.99),
        beta3=0.95,
        d_coef=1.5,
        eps=1e-6,
        use_bias_correction=correction,
        safeguard_warmup=safeguard,
        **shared,
    )
    names: dict[str, Any] = {"b1": 0.8, "b2": 0.99, "b3": 0.95, "growth": 1.5, "eps": 1e-6}
    path = ours(Prodigy, lr=1.0, correction=correction, safeguard=safeguard, **names, **shared)
    proof("Prodigy", "prodigyopt.Prodigy, its authors' own", problem.deviation(path, expected), 1e-11, "prodigyopt")


@pytest.mark.parametrize("correction", [False, True])
def test_d_adaptation_adam_is_that_of_dadaptation(correction: bool, proof: Any) -> None:
    package = pytest.importorskip("dadaptation")
    shared: dict[str, Any] = {"d0": 0.1, "weight_decay": 0.1, "eps": 1e-6}
    expected = theirs(package.DAdaptAdam, 1.0, betas=(0.8, 0.99), use_bias_correction=correction, **shared)
    path = ours(DAdaptAdam, lr=1.0, b1=0.8, b2=0.99, correction=correction, **shared)
    apart = problem.deviation(path, expected)
    proof("DAdaptAdam", "dadaptation.DAdaptAdam, its authors' own", apart, 1e-11, "dadaptation")


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_d_adaptation_sgd_is_that_of_dadaptation_but_for_a_decay_that_it_leaves_out_of_the_first_norm(
    momentum: float, proof: Any, flaw: Any
) -> None:
    """Its first step says `grad.add(p, alpha=decay)`, whose result is dropped, where `add_` was meant."""
    package = pytest.importorskip("dadaptation")
    shared: dict[str, Any] = {"d0": 0.1, "momentum": momentum}
    apart = problem.deviation(ours(DAdaptSGD, lr=1.0, **shared), theirs(package.DAdaptSGD, 1.0, **shared))
    proof("DAdaptSGD", "dadaptation.DAdaptSGD without decay, its authors' own", apart, 1e-11, "dadaptation")
    decayed = theirs(package.DAdaptSGD, 1.0, weight_decay=0.5, **shared)
    assert problem.deviation(ours(DAdaptSGD, lr=1.0, weight_decay=0.5, **shared), decayed) > 1e-3
    if not momentum:
        flaw("dadaptation", "DAdaptSGD leaves the weight decay out of the first norm, which divides all later steps")


def test_dog_is_that_of_dog_optimizer(proof: Any) -> None:
    package = pytest.importorskip("dog")
    expected = theirs(package.DoG, 1.0, reps_rel=0.1, weight_decay=0.1, eps=1e-3)
    apart = problem.deviation(ours(DoG, lr=1.0, start=0.1, weight_decay=0.1, eps=1e-3), expected)
    proof("DoG", "dog.DoG, its authors' own", apart, 1e-11, "dog-optimizer")


@pytest.mark.parametrize("decay", [0.75, 1.25], ids=["falling", "rising"])
@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_schedule_free_is_that_of_schedulefree(
    name: str, decay: float, monkeypatch: pytest.MonkeyPatch, proof: Any
) -> None:
    package = pytest.importorskip("schedulefree")
    monkeypatch.setattr(problem, "DECAY", decay)
    shared: dict[str, Any] = {"weight_decay": 0.1}
    others: dict[str, Any] = {"r": 0.5, "weight_lr_power": 1.5, "foreach": False}
    if name == "SGD":
        kind, rule, others["momentum"] = package.SGDScheduleFree, ScheduleFreeSGD, 0.8
    else:
        kind, rule, others["betas"] = package.AdamWScheduleFree, ScheduleFreeAdamW, (0.8, 0.99)
        shared["eps"] = 1e-6

    def in_training(parameters: Any, **settings: Any) -> Any:
        optimizer = kind(parameters, **settings)
        optimizer.train()
        return optimizer

    names: dict[str, Any] = {"b1": 0.8, "power": 0.5, "rate_power": 1.5, **({"b2": 0.99} if name == "AdamW" else {})}
    expected = theirs(in_training, 0.03125, **shared, **others)
    apart = problem.deviation(ours(rule, lr=0.03125, **shared, **names), expected)
    proof(rule.__name__, f"schedulefree.{kind.__name__}, its authors' own", apart, 1e-11, "schedulefree")
