"""Rules against the packages of their authors and of others, in float64, where those are installed.

An error found there is kept as a test too: it fails once that package has mended it, and the table must then say so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from reference import problem
from reference.drive import drop_in_path, optimizer_path

from steepest.optim.catalogue import entry, settings_of

pytestmark = pytest.mark.oracles
RATE = 0.03125


def ours(name: str, **settings: Any) -> torch.Tensor:
    item = entry(name)
    return drop_in_path(item.rule, {**settings_of(item, settings), "lr": RATE}, torch.float64)


def theirs(kind: Callable[..., torch.optim.Optimizer], **settings: Any) -> torch.Tensor:
    return optimizer_path(kind, RATE, torch.float64, **settings)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_lion_is_that_of_lion_pytorch(decay: float) -> None:
    package = pytest.importorskip("lion_pytorch")
    path = theirs(package.Lion, weight_decay=decay, decoupled_weight_decay=False)
    assert problem.deviation(ours("lion", weight_decay=decay), path) <= problem.TOLERANCE


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adabelief_is_its_authors_without_their_rectification(decay: float) -> None:
    package = pytest.importorskip("adabelief_pytorch")
    path = theirs(package.AdaBelief, weight_decay=decay, rectify=False, print_change_log=False)
    assert problem.deviation(ours("adabelief", weight_decay=decay), path) <= problem.TOLERANCE


@pytest.mark.parametrize(
    ("name", "kind", "settings", "arguments"),
    [
        ("signum", "SignSGD", {"weight_decay": 0.1}, {"momentum": 0.9, "weight_decay": 0.1}),
        ("tiger", "Tiger", {}, {}),
        ("yogi", "Yogi", {"initial_mean": 1e-6, "weight_decay": 0.1}, {"weight_decay": 0.1}),
        ("ademamix", "AdEMAMix", {"weight_decay": 0.1}, {"weight_decay": 0.1, "weight_decouple": True}),
        ("ademamix", "AdEMAMix", {"warmup": 8.0}, {"t_alpha_beta3": 8.0}),
        ("adan", "Adan", {"weight_decay": 0.1}, {"weight_decay": 0.1}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_rule_is_that_of_pytorch_optimizer(
    name: str, kind: str, settings: dict[str, Any], arguments: dict[str, Any]
) -> None:
    package = pytest.importorskip("pytorch_optimizer")
    path = theirs(getattr(package, kind), foreach=False, **arguments)
    assert problem.deviation(ours(name, **settings), path) <= problem.TOLERANCE


@pytest.mark.parametrize("gamma", [0.025, 0.5])
def test_mars_is_that_of_pytorch_optimizer_but_for_its_constant_inside_the_root(gamma: float) -> None:
    """It adds 1e-15 to v there, which gradients of a millionth feel."""
    package = pytest.importorskip("pytorch_optimizer")
    path = theirs(package.MARS, foreach=False, gamma=gamma, eps=0.0, weight_decay=0.1, optimize_1d=True)
    found = ours("mars-approx", gamma=gamma, eps=0.0, weight_decay=0.1)
    usual = torch.tensor(~problem.TINY)
    assert torch.allclose(found[:, usual], path[:, usual], rtol=0, atol=1e-9)
    assert problem.deviation(found, path) > 0.1


# ---- errors found in Optax 0.2.8 -------------------------------------------------------------------------------------


def changes(transformation: Any, gradients: list[float]) -> list[float]:
    """What Optax adds to one weight at each step."""
    jax = pytest.importorskip("jax")
    state = transformation.init(jax.numpy.zeros(1))
    found = []
    for g in gradients:
        change, state = transformation.update(jax.numpy.full(1, g), state, jax.numpy.zeros(1))
        found.append(float(change[0]))
    return found


def test_rprop_of_optax_takes_every_step_one_step_late() -> None:
    optax = pytest.importorskip("optax")
    assert changes(optax.rprop(0.5), [1.0, -1.0, -1.0])[:2] != [-0.5, 0.0]
    assert changes(optax.rprop(0.5), [1.0])[0] == 0.0


def test_adan_of_optax_weighs_the_change_of_the_gradient_by_what_the_paper_calls_the_other_share() -> None:
    """The paper's β₂ = 0.08 is the share of the new; Optax' b2 = 0.92 that of the old, and yet it weighs by 1 − b2."""
    optax = pytest.importorskip("optax")
    rate, g, change = 1.0, 1.0, 2.0
    found = changes(optax.adan(rate, eps=0.0, eps_root=0.0), [g, g + change])[1]

    def step(weight: float) -> float:
        m = (0.98 * 0.02 * g + 0.02 * (g + change)) / (1 - 0.98**2)
        d = 0.08 * change / (1 - 0.92**2)
        n = (0.99 * 0.01 * g**2 + 0.01 * (g + change + weight * change) ** 2) / (1 - 0.99**2)
        return -rate * (m + weight * d) / n**0.5

    assert found == pytest.approx(step(0.08), rel=1e-5)
    assert abs(found - step(0.92)) > 0.04
