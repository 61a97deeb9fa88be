"""Rules against the packages of their authors and of others, in float64, where those are installed.

An error found there is kept as a test too: it fails once that package has mended it, and the table must then say so.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from reference import problem
from reference.drive import drop_in_path, optimizer_path

from steepest.adapters.torch import build
from steepest.optim.catalogue import entry, settings_of

pytestmark = pytest.mark.oracles
RATE = 0.03125


def ours(name: str, **settings: Any) -> torch.Tensor:
    item = entry(name)
    return drop_in_path(item.rule, {**settings_of(item, settings), "lr": RATE}, torch.float64)


def theirs(kind: Callable[..., torch.optim.Optimizer], **settings: Any) -> torch.Tensor:
    return optimizer_path(kind, RATE, torch.float64, **settings)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_lion_is_that_of_lion_pytorch(decay: float, proof: Any) -> None:
    package = pytest.importorskip("lion_pytorch")
    path = theirs(package.Lion, weight_decay=decay, decoupled_weight_decay=False)
    proof("Lion", "lion_pytorch.Lion", problem.deviation(ours("lion", weight_decay=decay), path), 1e-12, "lion-pytorch")


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adabelief_is_its_authors_without_their_rectification(decay: float, proof: Any) -> None:
    package = pytest.importorskip("adabelief_pytorch")
    path = theirs(package.AdaBelief, weight_decay=decay, rectify=False, print_change_log=False)
    apart = problem.deviation(ours("adabelief", weight_decay=decay), path)
    proof("AdaBelief", "adabelief_pytorch.AdaBelief without rectification", apart, 1e-12, "adabelief-pytorch")


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
    name: str, kind: str, settings: dict[str, Any], arguments: dict[str, Any], proof: Any
) -> None:
    package = pytest.importorskip("pytorch_optimizer")
    path = theirs(getattr(package, kind), foreach=False, **arguments)
    apart = problem.deviation(ours(name, **settings), path)
    proof(entry(name).rule.__name__, f"pytorch_optimizer.{kind}", apart, 1e-12, "pytorch_optimizer")


def test_laprop_is_that_of_pytorch_optimizer_but_for_its_constant_inside_the_root(proof: Any) -> None:
    """The same 1e-15 as below, in MARS."""
    package = pytest.importorskip("pytorch_optimizer")
    path = theirs(package.LaProp, foreach=False, weight_decay=0.1)
    usual = torch.tensor(~problem.TINY)
    apart = (ours("laprop", weight_decay=0.1) - path)[:, usual].abs().max().item()
    proof("LaProp", "pytorch_optimizer.LaProp, where gradients are not tiny", apart, 1e-9, "pytorch_optimizer")


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_stable_adamw_is_that_of_pytorch_optimizer(decay: float, proof: Any) -> None:
    """Its root mean square is that of g/max(√v, ε) with ε² below v, as ours."""
    package = pytest.importorskip("pytorch_optimizer")
    path = theirs(package.StableAdamW, foreach=False, kahan_sum=False, weight_decay=decay, eps=1e-6)
    apart = problem.deviation(ours("stable-adamw", weight_decay=decay), path)
    proof("StableAdamW", "pytorch_optimizer.StableAdamW", apart, 1e-12, "pytorch_optimizer")


def test_adopt_is_that_of_pytorch_optimizer_with_its_limit_one_step_further(proof: Any, flaw: Any) -> None:
    package = pytest.importorskip("pytorch_optimizer")
    theirs_ = theirs(package.ADOPT, foreach=False, clip_lambda=lambda t: (t - 1) ** 0.25)
    apart = problem.deviation(ours("adopt"), theirs_)
    proof("ADOPT", "pytorch_optimizer.ADOPT with the limit (t−1)^¼", apart, 1e-12, "pytorch_optimizer")
    assert problem.deviation(ours("adopt"), theirs(package.ADOPT, foreach=False)) > 1e-3
    flaw("pytorch_optimizer", "ADOPT holds g/√v within t^¼ where its authors' code has (t−1)^¼")


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_schedule_free_radam_is_its_authors(decay: float, proof: Any) -> None:
    package = pytest.importorskip("schedulefree")

    def training(*arguments: Any, **settings: Any) -> torch.optim.Optimizer:
        made = package.RAdamScheduleFree(*arguments, **settings, foreach=False)
        made.train()
        return made

    apart = problem.deviation(ours("schedule-free-radam", weight_decay=decay), theirs(training, weight_decay=decay))
    proof("ScheduleFreeRAdam", "schedulefree.RAdamScheduleFree", apart, 1e-12, "schedulefree")


@pytest.mark.parametrize("applies_to", ["all", "matrices"])
@pytest.mark.parametrize("gamma", [0.025, 0.5])
def test_mars_is_that_of_pytorch_optimizer_but_for_its_constant_inside_the_root(
    gamma: float, applies_to: str, proof: Any, flaw: Any
) -> None:
    """It adds 1e-15 to v there, which gradients of a millionth feel. Kernels count as matrices there, unlike with its
    authors, and are left out of the comparison.
    """
    package = pytest.importorskip("pytorch_optimizer")
    whole = {"optimize_1d": applies_to == "all", "lr_1d": RATE}
    path = theirs(package.MARS, foreach=False, gamma=gamma, eps=0.0, weight_decay=0.1, **whole)
    found = ours("mars-approx", gamma=gamma, eps=0.0, weight_decay=0.1, applies_to=applies_to)
    usual = torch.tensor(~problem.TINY)
    usual[26:] = applies_to == "all"
    apart = (found - path)[:, usual].abs().max().item()
    proof("MARSApprox", "pytorch_optimizer.MARS, where gradients are not tiny", apart, 1e-9, "pytorch_optimizer")
    assert problem.deviation(found, path) > 0.1
    if gamma == 0.025 and applies_to == "all":
        flaw("pytorch_optimizer", "MARS adds 1e-15 inside the root, beside its ε, which gradients of a millionth feel")


@pytest.mark.parametrize("scale_by", ["shape", "rms"])
def test_normuon_is_that_of_pytorch_optimizer_without_its_rounding(
    scale_by: str, proof: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = pytest.importorskip("pytorch_optimizer")
    base = importlib.import_module("pytorch_optimizer.optimizer.muon.normuon")
    exact = partial(base.zero_power_via_newton_schulz_5, dtype=torch.float64)
    monkeypatch.setattr(base, "zero_power_via_newton_schulz_5", exact)
    share, decay = 0.5, 0.1

    def grouped(parameters: list[torch.Tensor], lr: float) -> torch.optim.Optimizer:
        each = zip(parameters, problem.ROLES, strict=True)
        groups = [{"params": [p], "use_muon": role == "hidden", "weight_decay": decay} for p, role in each]
        made = package.NorMuon(groups, lr=lr, use_adjusted_lr=scale_by == "rms", foreach=False)
        made.register_step_pre_hook(slow_the_rest)
        return made

    def slow_the_rest(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        for group in optimizer.param_groups:
            group["lr"] *= 1.0 if group["use_muon"] else share

    apart = problem.deviation(ours("normuon", scale_by=scale_by, weight_decay=decay, share=share), theirs(grouped))
    proof("NorMuon", "pytorch_optimizer.NorMuon in float64", apart, 1e-9, "pytorch_optimizer")


@pytest.mark.parametrize("constrained", [True, False])
def test_scion_is_that_of_pytorch_optimizer_without_its_rounding(
    constrained: bool, proof: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whose output layer `in` is the second axis alone, so that the scale has to make up for the kernel's places."""
    package = pytest.importorskip("pytorch_optimizer")
    base = importlib.import_module("pytorch_optimizer.optimizer.scion")
    exact = partial(base.zero_power_via_newton_schulz_5, dtype=torch.float64)
    monkeypatch.setattr(base, "zero_power_via_newton_schulz_5", exact)
    norms = {"hidden": base.LMONorm.SPECTRAL, "vector": base.LMONorm.BIAS, "output": base.LMONorm.SIGN}

    def grouped(parameters: list[torch.Tensor], lr: float) -> torch.optim.Optimizer:
        each = zip(parameters, problem.ROLES, strict=True)
        scale = {"hidden": 2.0, "vector": 2.0, "output": 2.0 * 3.0 / 4}
        groups = [{"params": [p], "norm_type": norms[role], "scale": scale[role]} for p, role in each]
        return package.SCION(groups, lr=lr, constraint=constrained, foreach=False)

    path = theirs(grouped)
    apart = problem.deviation(ours("scion", radius=2.0, output_scale=3.0, constrained=constrained), path)
    proof("Scion", "pytorch_optimizer.SCION in float64", apart, 1e-9, "pytorch_optimizer")


def test_scion_moves_embeddings_and_kernels_as_pytorch_optimizer_does(
    proof: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = pytest.importorskip("pytorch_optimizer")
    base = importlib.import_module("pytorch_optimizer.optimizer.scion")
    exact = partial(base.zero_power_via_newton_schulz_5, dtype=torch.float64)
    monkeypatch.setattr(base, "zero_power_via_newton_schulz_5", exact)
    shapes = {"embedding": (6, 4), "hidden": (5, 3, 2, 2)}
    for role, norm in (("embedding", base.LMONorm.COL), ("hidden", base.LMONorm.SPECTRALCONV)):
        start = torch.randn(shapes[role], dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        ends = []
        for is_ours in (True, False):
            w = start.clone().requires_grad_()
            if is_ours:
                optimizer: Any = build("scion", [{"params": [w], "role": role}], lr=0.1, radius=2.0)
            else:
                kind: dict[str, Any] = {"norm_type": norm, "scale": 2.0, "constraint": True}
                kind["norm_kwargs"] = {"transpose": True} if role == "embedding" else {}
                optimizer = package.SCION([w], lr=0.1, foreach=False, **kind)
            for t in range(4):
                w.grad = torch.cos(w.detach() + t)
                optimizer.step()
            ends.append(w.detach())
        apart = ((ends[0] - ends[1]).abs().max() / (ends[1] - start).abs().max()).item()
        proof("Scion", f"pytorch_optimizer.SCION in float64, for {norm.name.lower()}", apart, 1e-9, "pytorch_optimizer")


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


def test_rprop_of_optax_takes_every_step_one_step_late(flaw: Any) -> None:
    optax = pytest.importorskip("optax")
    assert changes(optax.rprop(0.5), [1.0, -1.0, -1.0])[:2] != [-0.5, 0.0]
    assert changes(optax.rprop(0.5), [1.0])[0] == 0.0
    flaw("optax", "rprop applies every step one gradient late, and so none at first")


def test_adan_of_optax_weighs_the_change_of_the_gradient_by_what_the_paper_calls_the_other_share(flaw: Any) -> None:
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
    flaw("optax", "adan weighs the change of the gradient by 1 − β₂ where the paper, in its letters, has β₂")


def test_schedule_free_adamw_of_keras_reads_what_it_has_overwritten_on_the_torch_backend(flaw: Any) -> None:
    """Right on JAX. On torch `momentum_old = momentum.value` is the tensor that the next line changes in place."""
    if not importlib.util.find_spec("keras"):
        pytest.skip("Keras is not installed.")

    def on_torch() -> float:
        os.environ.setdefault("KERAS_BACKEND", "torch")
        keras = importlib.import_module("keras")
        assert keras.backend.backend() == "torch"
        w, optimizer = keras.Variable(np.ones(1), dtype="float64"), keras.optimizers.ScheduleFreeAdamW(0.1)
        for g in (0.5, 0.5, -0.25):
            optimizer.apply([torch.tensor([g], dtype=torch.float64)], [w])
        return float(w.value.detach()[0])

    program = """
import jax
jax.config.update("jax_enable_x64", True)
import keras, numpy
w = keras.Variable(numpy.ones(1), dtype="float64")
optimizer = keras.optimizers.ScheduleFreeAdamW(0.1)
for g in (0.5, 0.5, -0.25):
    optimizer.apply([keras.ops.convert_to_tensor(numpy.array([g]))], [w])
print(float(keras.ops.convert_to_numpy(w.value)[0]))
"""
    w = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimizer = build("schedule-free-adamw", [w], lr=0.1)
    for g in (0.5, 0.5, -0.25):
        w.grad = torch.tensor([g], dtype=torch.float64)
        optimizer.step()
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert float(run.stdout) == pytest.approx(w.item(), rel=1e-6)  # its rate is a float32
    assert abs(on_torch() - w.item()) > 1e-4
    flaw("keras", "ScheduleFreeAdamW on the torch backend reads its z after it has overwritten it; on JAX it does not")


# ---- sharpness-aware steps -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [0.05, 2.0])
def test_sharpness_aware_descent_is_that_of_optax(radius: float, proof: Any) -> None:
    optax, jax = (pytest.importorskip(name) for name in ("optax", "jax"))
    item = entry("sgd+sam")
    with jax.enable_x64(True):
        up = optax.chain(optax.contrib.normalize(), optax.sgd(radius))
        theirs = optax.contrib.sam(optax.sgd(lambda k: RATE * problem.DECAY**k), up, sync_period=2, opaque_mode=True)
        w = jax.numpy.array(problem.START)
        state, path = theirs.init(w), []
        for t in range(1, problem.STEPS + 1):

            def gradient(w: Any, _: Any, t: int = t) -> Any:
                return jax.numpy.array(problem.gradient(t, np.asarray(w)))

            change, state = theirs.update(gradient(w, 0), state, w, grad_fn=gradient)
            w = optax.apply_updates(w, change)
            path.append(np.asarray(w))
    found = drop_in_path(item.rule, {**settings_of(item), "radius": radius, "lr": RATE}, torch.float64)
    proof("SGD + sharpness-aware", "optax.contrib.sam", problem.deviation(found, path), 1e-12, "optax")
