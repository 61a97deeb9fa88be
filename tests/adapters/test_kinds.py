"""Parameters that are complex or of low precision, gradients that are sparse: as torch's own optimizers take them."""

from __future__ import annotations

import io
import operator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from steepest.adapters.torch import build
from steepest.errors import BadInput
from steepest.optim.catalogue import CATALOGUE, entry, settings_of
from steepest.optim.descent import SGD, Momentum, Nesterov
from steepest.optim.entry import Entry
from steepest.optim.equivalents.torch_forms import torch_form

LIVELY = {"weight_decay": 0.1, "momentum": 0.7, "initial_sum": 0.2, "lr_decay": 0.1, "dampening": 0.2}
ELEMENTWISE = [item for item in CATALOGUE if item.rule.scope == "element" and not item.rule.second]
STOCKED = [item for item in ELEMENTWISE if torch_form(item.rule, {**settings_of(item), "lr": 0.1})]
COMPLEX_IN_TORCH = {SGD, Momentum, Nesterov}
"""Of these torch does all arithmetic in complex numbers, which rounds otherwise."""
SPARSE = {"sgd", "sgd-1", "gd", "sign-sgd", "adagrad", "adagrad-printed"}
DENSE = [item for item in CATALOGUE if item.name not in SPARSE and not item.rule.second]

each_stocked = pytest.mark.parametrize("item", STOCKED, ids=operator.attrgetter("name"))
torch.set_num_threads(1)


def settings(item: Entry, **more: float) -> dict[str, Any]:
    return {name: value for name, value in {**LIVELY, **more}.items() if name in settings_of(item)}


def theirs(item: Entry, params: list[Tensor], **more: float) -> tuple[torch.optim.Optimizer, bool]:
    """PyTorch's own, and whether it gives the same bits."""
    plain = torch_form(item.rule, {**settings_of(item), **settings(item, **more), "lr": 0.1})
    assert plain is not None
    return getattr(torch.optim, plain.name)(params, lr=0.1, foreach=False, **plain.arguments), plain.is_exact


def follow(optimizer: torch.optim.Optimizer, p: Tensor, steps: range = range(12)) -> Tensor:
    """The displacement of `p` [3, 4] under gradients that are drawn, one column of them tiny."""
    start = p.detach().clone()
    for k in steps:
        draw = torch.Generator().manual_seed(k)
        p.grad = torch.randn(3, 4, generator=draw, dtype=p.dtype) * torch.tensor([1.0, 1e-4, 1.0, 1.0]).to(p.dtype)
        optimizer.step()
    return p.detach() - start


def parameter(dtype: torch.dtype) -> Tensor:
    draw = torch.Generator().manual_seed(100)
    return torch.randn(3, 4, generator=draw, dtype=dtype).requires_grad_()


@each_stocked
@pytest.mark.parametrize("decay", [0.0, 0.1], ids=["plain", "decay"])
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
def test_a_complex_parameter_moves_as_under_torch_s_own(item: Entry, decay: float, dtype: torch.dtype) -> None:
    p, q = parameter(dtype), parameter(dtype)
    other, is_exact = theirs(item, [q], weight_decay=decay)
    ours, expected = follow(build(item, [p], lr=0.1, **settings(item, weight_decay=decay)), p), follow(other, q)
    if is_exact and not decay and item.rule not in COMPLEX_IN_TORCH:
        assert torch.equal(ours, expected)
    else:  # torch adds a coupled decay in complex arithmetic, which rounds once more
        close = (1e-12 if is_exact else 1e-6) if dtype == torch.complex128 else 1e-5
        assert torch.allclose(ours, expected, rtol=close, atol=0)


@each_stocked
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_a_parameter_of_low_precision_moves_as_under_torch_s_own(item: Entry, dtype: torch.dtype) -> None:
    p, q = parameter(dtype), parameter(dtype)
    other, _ = theirs(item, [q], eps=1e-3)
    ours, expected = follow(build(item, [p], lr=0.1, **settings(item, eps=1e-3)), p), follow(other, q)
    assert ours.dtype == dtype
    if item.name == "rprop":  # torch rounds the factor to the type of the parameter
        assert torch.allclose(ours, expected, rtol=0.03, atol=0)
    else:
        assert torch.equal(ours, expected)


def test_the_state_of_a_complex_parameter_is_complex_and_goes_on_when_it_is_loaded() -> None:
    p, q = parameter(torch.complex64), parameter(torch.complex64)
    optimizer, again = build("adagrad", [p], initial_sum=0.3), build("adagrad", [q], initial_sum=0.3)
    assert follow(optimizer, p, range(1)).is_complex()
    assert optimizer.state[p]["G"].dtype == torch.complex64
    assert (optimizer.state[p]["G"].imag >= 0.3).all()  # torch, too, starts both parts there
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    with torch.no_grad():
        q.copy_(p)
    again.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(follow(optimizer, p, range(1, 6)), follow(again, q, range(1, 6)))


def test_the_average_of_complex_weights_is_evaluated() -> None:
    p = parameter(torch.complex64)
    optimizer = build("sgd+average", [p], lr=0.1, gamma=0.0)
    trail = []
    for k in range(4):
        follow(optimizer, p, range(k, k + 1))
        trail.append(p.detach().clone())
    with optimizer.evaluating():
        assert torch.allclose(p.detach(), torch.stack(trail).mean(dim=0))
    assert torch.equal(p.detach(), trail[-1])


@pytest.mark.parametrize("name", ["lamb", "muon", "prodigy"])
def test_a_complex_parameter_is_refused_by_rules_that_look_at_whole_tensors(name: str) -> None:
    p = parameter(torch.complex64)
    with pytest.raises(
        BadInput, match=r" does not support complex parameters: .* choose an element-wise rule such as A"
    ):
        follow(build(name, [p]), p)


# ---- sparse gradients ------------------------------------------------------------------------------------------------


def embed(optimizer_of: Any, sparse: bool) -> tuple[Tensor, list[bool]]:
    """The table [7, 3] after a few steps, and whether its gradients were sparse."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        table = nn.Embedding(7, 3, sparse=sparse)
    optimizer = optimizer_of(table.parameters())
    kinds = []
    for words in ([1, 4, 1], [4, 6], [0, 0, 0], [1, 2]):
        optimizer.zero_grad()
        table(torch.tensor(words)).square().sum().backward()
        assert table.weight.grad is not None
        kinds.append(table.weight.grad.is_sparse)
        optimizer.step()
    return table.weight.detach(), kinds


@pytest.mark.parametrize("name", sorted(SPARSE))
def test_a_sparse_gradient_moves_the_table_as_the_dense_one_does(name: str) -> None:
    table, kinds = embed(lambda params: build(name, params, lr=0.1), sparse=True)
    assert all(kinds)
    assert torch.equal(table, embed(lambda params: build(name, params, lr=0.1), sparse=False)[0])


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")  # raised by torch at its own code
@pytest.mark.parametrize(("name", "kind"), [("sgd", torch.optim.SGD), ("adagrad", torch.optim.Adagrad)])
def test_a_sparse_gradient_moves_the_table_as_under_torch_s_own(name: str, kind: Any) -> None:
    ours, _ = embed(lambda params: build(name, params, lr=0.1), sparse=True)
    expected, _ = embed(lambda params: kind(params, lr=0.1), sparse=True)
    assert torch.allclose(ours, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("item", DENSE, ids=operator.attrgetter("name"))
def test_a_sparse_gradient_is_refused_where_a_gradient_of_zero_would_count(item: Entry) -> None:
    with pytest.raises(
        BadInput, match=r"does not support sparse gradients.* Build the embedding without sparse=True\."
    ):
        embed(lambda params: build(item, params), sparse=True)


def test_decay_makes_a_zero_gradient_count() -> None:
    with pytest.raises(BadInput, match="SGD does not support sparse gradients with these settings"):
        embed(lambda params: build("sgd", params, weight_decay=0.1), sparse=True)


def test_a_sparse_complex_gradient_is_taken() -> None:
    p, q = parameter(torch.complex64), parameter(torch.complex64)
    g = torch.zeros_like(p)
    g[1] = 2 - 3j
    p.grad, q.grad = g.to_sparse(), g
    for x in (p, q):
        build(entry("adagrad"), [x], lr=0.1).step()
    assert torch.equal(p, q)
