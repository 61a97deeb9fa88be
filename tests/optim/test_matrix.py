"""Rules of a matrix: against torch's Muon, in limits where they are a simpler rule, and on models without matrices."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from reference import problem
from reference.drive import drop_in_path, fleet_path
from torch import Tensor, nn

from steepest.adapters.torch import build
from steepest.engine.fleet import Fleet
from steepest.engine.solo import Trial
from steepest.errors import BadInput
from steepest.optim.adam import AdamW
from steepest.optim.adaptive import AdaGrad
from steepest.optim.grafting import GraftedShampoo
from steepest.optim.matrix import LARGEST, SOAP, Muon, MuonBfloat16, Shampoo, orthogonal
from steepest.optim.rule import Rule, hyperparameters
from steepest.records.trials import Lane

FLAT = slice(21, 26)  # the parameter of the common problem that is no matrix


def path(rule: type[Rule], dtype: torch.dtype = torch.float64, **changed: Any) -> Tensor:
    return drop_in_path(rule, {**hyperparameters(rule), "lr": 0.03125, **changed}, dtype)


# ---- Muon ------------------------------------------------------------------------------------------------------------

SHAPES = ((7, 3), (3, 7), (5, 5), (1, 4))


def driven(build_optimizer: Any, dtype: torch.dtype) -> list[Tensor]:
    """Where a few matrices go in twelve steps, at a rate that falls."""
    draw = torch.Generator().manual_seed(1)
    matrices = [torch.randn(shape, generator=draw, dtype=dtype).requires_grad_() for shape in SHAPES]
    optimizer = build_optimizer(matrices)
    for t in range(12):
        optimizer.param_groups[0]["lr"] = 0.1 * 0.75**t
        for w in matrices:
            w.grad = torch.randn(w.shape, generator=draw, dtype=dtype) + 0.3 * w.detach()
            w.grad[:, -1] *= 1e-6
        optimizer.step()
    return [w.detach() for w in matrices]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize(("scale_by", "theirs"), [("shape", "original"), ("rms", "match_rms_adamw")])
def test_muon_in_bfloat16_is_torch_s_bit_for_bit_and_muon_in_full_within_the_rounding(
    dtype: torch.dtype, nesterov: bool, scale_by: str, theirs: str
) -> None:
    ours = driven(
        lambda p: build(MuonBfloat16, p, lr=0.1, nesterov=nesterov, scale_by=scale_by, weight_decay=0.2), dtype
    )
    expected = driven(
        lambda p: torch.optim.Muon(p, lr=0.1, nesterov=nesterov, adjust_lr_fn=theirs, weight_decay=0.2), dtype
    )
    exact = driven(lambda p: build(Muon, p, lr=0.1, nesterov=nesterov, scale_by=scale_by, weight_decay=0.2), dtype)
    for a, b, c in zip(ours, expected, exact, strict=True):
        assert torch.equal(a, b)
        assert torch.allclose(c, b, rtol=0, atol=1e-2 * b.abs().max().item())


def test_newton_schulz_brings_all_singular_values_near_one_and_keeps_the_directions() -> None:
    draw = torch.Generator().manual_seed(0)
    for shape in ((8, 8), (20, 5), (5, 20)):
        x = torch.randn(shape, generator=draw, dtype=torch.float64)
        u, _, vt = torch.linalg.svd(x, full_matrices=False)
        core = u.mT @ orthogonal(x) @ vt.mT  # diagonal, since the polynomial changes singular values only
        assert torch.allclose(core, core.diagonal().diag(), atol=1e-10)
        assert ((core.diagonal() > 0.6) & (core.diagonal() < 1.3)).all()


def test_the_unit_of_the_loss_does_not_matter_to_muon_s_matrices() -> None:
    x = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(orthogonal(1e4 * x), orthogonal(x), rtol=1e-12)


# ---- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [Muon, SOAP])
def test_other_parameters_are_updated_by_the_fallback(rule: type[Rule]) -> None:
    own = hyperparameters(rule)
    settings = {name: own[name] for name in ("b1", "b2", "eps", "weight_decay")}
    raw = {"eps_at": "raw"} if rule is SOAP else {}
    assert torch.equal(path(rule, share=0.5)[:, FLAT], path(AdamW, lr=0.015625, **settings, **raw)[:, FLAT])


def test_shampoo_updates_other_parameters_by_adagrad() -> None:
    expected = path(AdaGrad, eps=0.0, eps_root=1e-4)
    assert torch.equal(path(Shampoo)[:, FLAT], expected[:, FLAT])


def test_shampoo_on_a_matrix_of_one_number_is_adagrad() -> None:
    """L^(−1/4) g R^(−1/4) = g/√(ε + Σg²), as L = R."""

    def end(shape: tuple[int, ...]) -> float:
        w = torch.ones(shape, dtype=torch.float64, requires_grad=True)
        optimizer = build(Shampoo, [w, torch.zeros(1, 1, requires_grad=True)], lr=0.1)
        for g in (0.5, -2.0, 0.25):
            w.grad = torch.full(shape, g, dtype=torch.float64)
            optimizer.step()
        return w.item()

    assert end((1, 1)) == pytest.approx(end((1,)), rel=1e-13)


def test_grafted_shampoo_that_never_begins_is_adamw() -> None:
    own = hyperparameters(GraftedShampoo)
    settings = {name: own[name] for name in ("b1", "b2", "eps", "weight_decay")}
    assert problem.deviation(path(GraftedShampoo, begin=1e9), path(AdamW, **settings)) <= problem.TOLERANCE


def test_the_steps_of_grafted_shampoo_are_as_long_as_adam_s() -> None:
    """As long as those that AdamW would take, from the same weights, under the same gradients."""
    draw = torch.Generator().manual_seed(3)
    starts = [torch.randn(6, 9, generator=draw, dtype=torch.float64) for _ in range(2)]
    ws = [start.clone().requires_grad_() for start in starts]
    ours = build(GraftedShampoo, [ws[0]], lr=0.01, weight_decay=0.0)
    adam = build(AdamW, [ws[1]], lr=0.01, weight_decay=0.0)
    for _ in range(25):
        g, before = torch.randn(6, 9, generator=draw, dtype=torch.float64), [w.detach().clone() for w in ws]
        ws[0].grad, ws[1].grad = g.clone(), g.clone()
        ours.step()
        adam.step()
        lengths = [(w.detach() - old).norm().item() for w, old in zip(ws, before, strict=True)]
        assert lengths[0] == pytest.approx(lengths[1], rel=1e-12)


def test_soap_whose_basis_is_never_renewed_is_adamw(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = SOAP.of_matrices
    monkeypatch.setattr(SOAP, "of_matrices", lambda h, t: {**plain(h, t), "renew": 0.0})
    own = hyperparameters(SOAP)
    settings = {name: own[name] for name in ("b1", "b2", "eps", "weight_decay")}
    assert problem.deviation(path(SOAP), path(AdamW, eps_at="raw", **settings)) <= problem.TOLERANCE


def test_soap_s_basis_stays_orthogonal_and_comes_to_diagonalise_the_gradients() -> None:
    draw = torch.Generator().manual_seed(2)
    root = torch.randn(6, 6, generator=draw, dtype=torch.float64)
    w = torch.zeros(6, 9, dtype=torch.float64, requires_grad=True)
    optimizer = build("soap", [w], lr=1e-3, every=1.0, b_basis=0.99)
    for _ in range(400):
        w.grad = root @ torch.randn(6, 9, generator=draw, dtype=torch.float64)
        optimizer.step()
    state = optimizer.state[w]
    basis, left = state["QL"], state["L"]
    assert torch.allclose(basis.mT @ basis, torch.eye(6, dtype=torch.float64), atol=1e-12)
    turned = basis.mT @ left @ basis
    assert (turned - turned.diagonal().diag()).norm() < 0.05 * turned.norm()


@pytest.mark.parametrize("rule", [Shampoo, SOAP])
def test_a_side_that_is_too_long_is_left_as_it_is(rule: type[Rule]) -> None:
    w = torch.ones(2, LARGEST + 1, requires_grad=True)
    optimizer = build(rule, [w])
    for t in range(3):
        w.grad = torch.cos(torch.arange(w.numel(), dtype=torch.float32).view_as(w) + t)
        optimizer.step()
    assert {name: tuple(x.shape) for name, x in optimizer.state[w].items() if name in ("L", "R")} == {
        "L": (2, 2),
        "R": (0, 0),
    }
    assert w.isfinite().all()
    assert (w != 1).any()


# ---- models ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [Muon, Shampoo, SOAP])
def test_replicas_may_renew_at_different_steps(rule: type[Rule]) -> None:
    known = hyperparameters(rule)
    replicas = [{**known, "lr": 0.03125, **({"every": k} if "every" in known else {})} for k in (2.0, 3.0)]
    fleet = fleet_path(rule, replicas, torch.float64)
    for i, own in enumerate(replicas):
        assert problem.deviation(fleet[:, i], drop_in_path(rule, own, torch.float64)) < 1e-9


@pytest.mark.parametrize("name", ["muon", "shampoo", "soap", "muon+cautious"])
def test_a_model_without_matrices_is_refused_in_one_sentence(name: str) -> None:
    w = torch.ones(3, requires_grad=True)
    w.grad = torch.ones(3)
    with pytest.raises(BadInput, match=r"works on matrices, but no parameter has two or more axes\. Use its fall"):
        build(name, [w]).step()


def test_a_task_without_matrices_is_refused_in_both_engines() -> None:
    from engine.small import digits, shard

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(10))

        def forward(self, x: Tensor) -> Tensor:
            return x[:, :10] * self.scale

    task, plan = digits(model=Scaled), replace(shard("muon", steps=2), lanes=(Lane(0.1, 0),))
    for engine in (lambda: Fleet(task, plan, plan.lanes), lambda: Trial(task, plan, plan.lanes[0])):
        with pytest.raises(BadInput, match="Muon works on matrices"):
            engine()


@pytest.mark.parametrize("name", ["shampoo", "soap", "muon"])
def test_a_replica_that_diverges_does_not_stop_the_others(name: str) -> None:
    from engine.small import digits, shard

    task = digits()
    plan = replace(shard(name, steps=15), lanes=(Lane(1e-3, 0), Lane(1e38, 0)))
    fleet = Fleet(task, plan, plan.lanes)
    losses = fleet.train(0, 15)
    assert torch.tensor(losses[:, 0]).isfinite().all()
