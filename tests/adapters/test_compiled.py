"""Compiled steps: what the eager rule does up to rounding, for every rule and every kind of tensor, in place; and where
there can be no kernel, the eager rule itself, with a word about it.
"""

from __future__ import annotations

import copy
import operator
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from steepest.adapters import stepping
from steepest.adapters.torch import Adam, Momentum, RuleOptimizer, as_torch, build
from steepest.codegen import elementwise_loop, toolchain
from steepest.errors import BadSetting
from steepest.optim.catalogue import CATALOGUE, entry, settings_of
from steepest.optim.entry import Entry
from steepest.optim.rule import Rule, add_scaled, number, rate

pytestmark = pytest.mark.compile

LIVELY = {"weight_decay": 0.1, "dampening": 0.2, "eps_root": 1e-3, "lr_decay": 0.1}
WRAPPED = ("adam+l2+clip-value+lookahead", "momentum+decay+ema", "sgd+l1+average")
ELEMENTWISE = [item for item in CATALOGUE if item.rule.scope == "element" and not item.rule.second]
each_rule = pytest.mark.parametrize("item", [*ELEMENTWISE, *map(entry, WRAPPED)], ids=operator.attrgetter("name"))
torch.set_num_threads(1)


@pytest.fixture
def no_eager_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on a parameter that no kernel moves is an error."""

    def refuse(rule: type[Rule], *_: Any) -> None:
        raise AssertionError(f"{rule.__name__} ran uncompiled")

    monkeypatch.setattr(stepping, "moved", refuse)


@pytest.fixture
def two_threads() -> Iterator[None]:
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def parameters(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """A matrix, a vector, a single number, one that is stored the other way round, and none at all."""
    draw = torch.Generator().manual_seed(0)
    shapes = ((5, 3), (7,), (), (0, 2))
    ps = [torch.randn(shape, generator=draw, dtype=dtype) for shape in shapes]
    return [p.requires_grad_() for p in (*ps, torch.randn(4, 6, generator=draw, dtype=dtype).t())]


def give_gradients(ps: list[Tensor], k: int) -> None:
    draw = torch.Generator().manual_seed(k + 1)
    for p in ps:
        g = torch.randn(p.shape, generator=draw, dtype=torch.float64)
        p.grad = (g * 10.0 ** torch.randint(-4, 2, p.shape, generator=draw)).to(p.dtype)


def follow(optimizer: torch.optim.Optimizer, ps: list[Tensor], steps: range = range(12)) -> None:
    for k in steps:
        give_gradients(ps, k)
        optimizer.param_groups[0]["lr"] *= 0.9
        optimizer.step()


def both(make: Callable[..., RuleOptimizer], dtype: torch.dtype = torch.float64) -> tuple[list[Tensor], list[Tensor]]:
    """Displacements and states after a dozen steps: compiled, eager."""
    results = []
    for is_compiled in (True, False):
        ps = parameters(dtype)
        starts = [p.detach().clone() for p in ps]
        optimizer = make(ps, compile=is_compiled)
        follow(optimizer, ps)
        states = [optimizer.state[p][name] for name in optimizer.rule.state for p in ps]
        results.append([p.detach() - start for p, start in zip(ps, starts, strict=True)] + states)
    return results[0], results[1]


def assert_close(ours: list[Tensor], theirs: list[Tensor], share: float) -> None:
    """Within this share of the largest number of each tensor."""
    for x, y in zip(ours, theirs, strict=True):
        assert x.shape == y.shape
        assert x.stride() == y.stride()
        assert (x - y).abs().max() <= share * y.abs().max() if y.numel() else True


# ---- the same as eager -----------------------------------------------------------------------------------------------


@each_rule
def test_a_compiled_step_is_the_eager_one_up_to_rounding(item: Entry) -> None:
    settings = {name: value for name, value in LIVELY.items() if name in settings_of(item)}
    for dtype, share in ((torch.float64, 1e-13), (torch.float32, 3e-5)):
        compiled, eager = both(lambda ps, **how: build(item, ps, lr=0.05, **settings, **how), dtype)
        assert_close(compiled, eager, share)


@each_rule
def test_every_rule_of_single_elements_has_a_kernel(item: Entry, no_eager_rule: None) -> None:
    ps = parameters()
    follow(build(item, ps), ps, range(2))


@pytest.mark.parametrize("name", ["momentum", "rprop", "lion", "schedule-free-sgd"])
def test_without_a_root_the_bits_are_the_same(name: str) -> None:
    """As far as the processor multiplies and adds at once, as torch then does; roots torch leaves to a library."""
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        pytest.skip("torch rounds products apart on this processor")
    for dtype in (torch.float32, torch.float64):
        compiled, eager = both(lambda ps, **how: build(name, ps, lr=0.05, **how), dtype)
        assert_close(compiled, eager, 0.0)


def test_threads_change_no_bit(two_threads: None, no_eager_rule: None) -> None:
    def end() -> Tensor:
        draw = torch.Generator().manual_seed(0)
        ps = [torch.randn(n, generator=draw).requires_grad_() for n in (3, 200_001, 100_003)]
        follow(build("adam", ps, lr=0.1), ps, range(3))
        return torch.cat([p.detach() for p in ps])

    together = end()
    torch.set_num_threads(1)
    assert torch.equal(together, end())


def test_nan_and_the_smallest_numbers_are_treated_alike() -> None:
    def end(is_compiled: bool, name: str) -> Tensor:
        p = torch.tensor([1.0, -1.0, 1e-41, 2.0, 3.0, 0.0]).requires_grad_()
        optimizer = build(name, [p], lr=0.5, compile=is_compiled)
        for _ in range(3):
            p.grad = torch.tensor([float("nan"), float("inf"), 1e-42, -float("inf"), 0.0, 1e-40])
            optimizer.step()
        return p.detach()

    for name in ("momentum", "adamax", "rprop", "sign-sgd", "sgd+clip-value"):
        assert torch.equal(end(True, name).view(torch.int32), end(False, name).view(torch.int32)), name


# ---- what a training script does -------------------------------------------------------------------------------------


def test_groups_missing_gradients_and_parameters_that_come_later(no_eager_rule: None) -> None:
    def end(kind: Any) -> list[Tensor]:
        a, b, c, d, e = parameters()
        optimizer = kind([{"params": [a, b]}, {"params": [c, d], "lr": 0.01, "weight_decay": 0.1}], lr=0.1)
        for k in range(8):
            if k == 4:
                optimizer.add_param_group({"params": [e]})
            give_gradients([a, b, c, d, e], k)
            if k % 3 == 1:
                b.grad = None
            optimizer.step()
        return [a, b, c, d, e]

    theirs = end(lambda groups, **how: torch.optim.Adam(groups, foreach=False, **how))
    for x, y in zip(end(lambda groups, **how: Adam(groups, compile=True, **how)), theirs, strict=True):
        assert torch.allclose(x, y, rtol=1e-12, atol=0)


def test_a_type_or_a_state_that_changes_underway_is_seen() -> None:
    """What moves a model to another type, or loads its weights anew, leaves the parameter where it is, as an object."""

    def end(is_compiled: bool) -> Tensor:
        ps = parameters(torch.float32)
        optimizer = Momentum(ps, lr=0.1, compile=is_compiled)
        follow(optimizer, ps, range(2))
        for p in ps:
            p.data = p.data.double()  # its state is of single precision still
        follow(optimizer, ps, range(2, 4))
        for p in ps:
            optimizer.state[p]["v"] = torch.ones_like(p)
        follow(optimizer, ps, range(4, 6))
        ps[0].data = ps[0].data.clone().t().contiguous().t()  # stored the other way round, as its state is not
        follow(optimizer, ps, range(6, 8))
        optimizer.state.clear()
        follow(optimizer, ps, range(8, 10))
        assert ps[0].dtype == torch.float64
        return torch.cat([p.detach().reshape(-1) for p in ps])

    assert torch.allclose(end(True), end(False), rtol=1e-12, atol=0)


def test_gradients_of_any_layout_are_taken_and_left_as_they_are(no_eager_rule: None) -> None:
    def end(*gradients: Tensor) -> list[Tensor]:
        ps = parameters()[:3]
        optimizer = Adam(ps, lr=0.1, compile=True)
        for _ in range(3):
            for p, g in zip(ps, gradients, strict=True):
                p.grad = g
            optimizer.step()
            assert all(p.grad is g for p, g in zip(ps, gradients, strict=True))
        return ps

    turned = torch.arange(15.0, dtype=torch.float64).reshape(3, 5).t()
    spread = torch.tensor(2.0, dtype=torch.float64).expand(7)
    negated = torch.tensor(1 + 2j, dtype=torch.complex128).conj().imag
    assert negated.is_neg()
    gradients = (turned, spread, negated)
    plain = end(*(g.resolve_neg().contiguous().clone() for g in gradients))
    assert all(map(torch.equal, end(*gradients), plain))
    assert torch.equal(turned.t(), torch.arange(15.0, dtype=torch.float64).reshape(3, 5))


def test_autograd_sees_that_parameters_have_changed() -> None:
    w = torch.ones(3, requires_grad=True)
    loss = (w * w).sum()
    w.grad = torch.ones(3)
    build("sgd", [w], lr=0.1, compile=True).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_the_switch_stays_with_a_copy_and_out_of_the_saved_state() -> None:
    ps = parameters()
    for is_compiled in (True, False):
        optimizer = Adam(ps, compile=is_compiled)
        follow(optimizer, ps, range(2))
        assert copy.deepcopy(optimizer).is_compiled is is_compiled
        assert pickle.loads(pickle.dumps(optimizer)).is_compiled is is_compiled
        assert "compile" not in str(optimizer.state_dict())


def test_a_saved_state_goes_on_compiled_or_not_and_in_another_type() -> None:
    ps = parameters()
    optimizer = build("adam", ps, lr=0.05, compile=True)
    follow(optimizer, ps, range(4))
    kinds = ((True, torch.float64), (False, torch.float64), (True, torch.float32))
    ends = []
    for is_compiled, dtype in kinds:
        qs = [p.detach().clone().to(dtype).requires_grad_() for p in ps]
        again = build("adam", qs, compile=is_compiled)
        again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        follow(again, qs, range(4, 8))
        assert {again.state[q]["m"].dtype for q in qs} == {dtype}
        ends.append(torch.cat([q.detach().reshape(-1) for q in qs]))
    assert torch.allclose(ends[0], ends[1], rtol=1e-13, atol=0)
    assert torch.allclose(ends[0].float(), ends[2], rtol=1e-3, atol=1e-5)


def test_a_rate_may_be_a_tensor() -> None:
    def end(lr: Any) -> Tensor:
        (p, *_) = parameters()
        optimizer = Adam([p], lr=lr, compile=True)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        for k in range(3):
            give_gradients([p], k)
            optimizer.step()
            scheduler.step()
        return p.detach()

    assert torch.equal(end(torch.tensor(0.25)), end(0.25))


def test_the_environment_switches_off_and_a_keyword_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Adam(parameters()).is_compiled
    monkeypatch.setenv("STEEPEST_COMPILE", "0")
    assert not Adam(parameters()).is_compiled
    assert build("adam", parameters(), compile=True).is_compiled


# ---- where there is no kernel ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Squashed(Rule):
    """w ← w − η·tanh(g)"""

    lr: float = rate(0.1)

    @staticmethod
    def coefficients(h: Any, t: int) -> dict[str, float]:
        return {"step": -h.lr}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> Any:
        return add_scaled(w, g.tanh(), c.step), ()


@dataclass(frozen=True)
class Undecided(Squashed):
    @staticmethod
    def update(w: Tensor, g: Tensor, s: Any, c: Any) -> Any:
        return (w if c.step > -0.05 else add_scaled(w, g, c.step)), ()


@dataclass(frozen=True)
class Taken(Squashed):
    compile: float = number(1.0)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [(Squashed, "it uses tanh, which has no C\\+\\+ lowering"), (Undecided, "branches on the value of a number")],
)
def test_a_rule_that_cannot_be_compiled_runs_eagerly_and_says_so_once(rule: type[Rule], reason: str) -> None:
    ps, qs = parameters(), parameters()
    with pytest.warns(
        UserWarning, match=rf"{rule.__name__} runs uncompiled, because .*{reason}.* compile=False"
    ) as told:
        follow(build(rule, ps, compile=True), ps, range(3))
    assert len(told) == 1
    follow(build(rule, qs, compile=False), qs, range(3))
    assert all(map(torch.equal, ps, qs))


def test_a_hyperparameter_cannot_be_named_like_the_switch() -> None:
    with pytest.raises(BadSetting, match=r"Taken has a hyperparameter named compile.*Rename it\."):
        as_torch(Taken)


@pytest.fixture
def nothing_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """As a process begins on a new machine; gives the folder of the cache."""
    monkeypatch.setattr(toolchain, "folder", lambda: tmp_path)
    monkeypatch.setattr(stepping, "_warned", set())

    def forget() -> None:
        toolchain.load.cache_clear()
        elementwise_loop._kernel.cache_clear()

    forget()
    yield tmp_path
    forget()


def end_of_momentum() -> list[Tensor]:
    ps = parameters()
    follow(Momentum(ps, lr=0.1, compile=True), ps, range(3))
    return ps


@pytest.mark.parametrize(
    ("path", "reason"),
    [(None, "there is no C++ compiler"), (shutil.which("false"), "/false failed (without an error message)")],
)
def test_without_a_working_compiler_the_eager_rule_runs_and_says_so_once(
    path: str | None, reason: str, nothing_cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "compiler", lambda: path)
    with pytest.warns(UserWarning, match=re.escape(reason)) as told:
        ps = end_of_momentum()
        again = end_of_momentum()
    assert len(told) == 1
    assert all(map(torch.equal, ps, again))
    qs = parameters()
    follow(Momentum(qs, lr=0.1, compile=False), qs, range(3))
    assert all(map(torch.equal, ps, qs))
    assert not [*nothing_cached.iterdir()]


def test_a_kernel_is_compiled_once_and_then_found_in_the_cache_without_a_compiler(
    nothing_cached: Path, monkeypatch: pytest.MonkeyPatch, no_eager_rule: None
) -> None:
    ps = end_of_momentum()
    (library,) = nothing_cached.iterdir()
    assert library.suffix == ".so"
    toolchain.load.cache_clear()
    elementwise_loop._kernel.cache_clear()
    monkeypatch.setattr(toolchain, "compiler", lambda: None)
    assert all(map(torch.equal, ps, end_of_momentum()))


def test_a_process_that_finds_no_compiler_says_so(tmp_path: Path) -> None:
    program = (
        "import torch; from steepest.adapters.torch import Adam\n"
        "p = torch.ones(3, requires_grad=True); p.grad = torch.ones(3); Adam([p]).step(); print(p[0].item())"
    )
    hidden = {**os.environ, "PATH": "", "CXX": "", "STEEPEST_CACHE": str(tmp_path), "STEEPEST_COMPILE": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=hidden, capture_output=True, text=True, check=False)
    assert "Adam runs uncompiled, because there is no C++ compiler. The results are the same" in done.stderr
    assert float(done.stdout) == pytest.approx(0.999)
