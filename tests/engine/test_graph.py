"""A traced function is the function: same values, fresh luck, same changes in place."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad_and_value, vmap
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional as F

from steepest.engine import graph as graphs
from steepest.engine.graph import program, traced


def gradient_of(model: nn.Module):
    """(weight [R, C, 6], bias [R, C], x [R, B, 6], y [R, B]) → gradients and losses of R replicas."""

    def loss(weight, bias, x, y):
        return F.cross_entropy(functional_call(model, {"weight": weight, "bias": bias}, (x,)), y)

    of_all = vmap(grad_and_value(loss, argnums=(0, 1)), randomness="different")

    def gradient(*tensors):
        gradients, losses = of_all(*tensors)
        return (*gradients, losses)

    return gradient


def arguments(classes: int, examples: int, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, ...]:
    g = torch.Generator().manual_seed(0)
    floats = [
        torch.randn(shape, generator=g, dtype=dtype) for shape in ((3, classes, 6), (3, classes), (3, examples, 6))
    ]
    return (*floats, torch.randint(0, classes, (3, examples), generator=g))


@pytest.mark.parametrize("directly", [True, False])
def test_a_graph_gives_the_bits_of_the_function_for_any_values_of_these_shapes(directly):
    function = gradient_of(nn.Linear(6, 20))
    graph, is_random = traced(function, *arguments(20, 8), directly=directly)
    other = tuple(x * 2 if x.is_floating_point() else x for x in arguments(20, 8))
    assert all(torch.equal(a, b) for a, b in zip(graph(*other), function(*other), strict=True))
    assert not is_random


def test_a_softmax_over_few_classes_is_turned_round_and_comes_to_the_same():
    function = gradient_of(nn.Linear(6, 5))
    graph, _ = traced(function, *arguments(5, 40))
    ours = [node.target.__name__ for node in graph.graph.nodes if node.target in graphs.TRANSPOSED_SOFTMAX.values()]
    assert ours == ["_log_softmax", "_log_softmax_gradient"]
    for a, b in zip(graph(*arguments(5, 40)), function(*arguments(5, 40)), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-15)
        assert a.stride() == b.stride()


def test_calls_that_do_nothing_are_gone():
    plain = make_fx(gradient_of(nn.Linear(6, 20)))(*arguments(20, 8))
    graph, _ = traced(gradient_of(nn.Linear(6, 20)), *arguments(20, 8), directly=False)
    aten = torch.ops.aten
    before, after = ([node.target for node in module.graph.nodes] for module in (plain, graph))
    for idle in (aten.expand.default, aten.mul.Scalar):
        assert idle in before
        assert idle not in after
    assert before.count(aten.bmm.default) == after.count(aten.bmm.default) > 0


def test_every_call_draws_new_random_numbers():
    dropout = program(lambda x: F.dropout(x, 0.5), torch.ones(100))
    assert dropout.is_random
    assert isinstance(dropout.call, GraphModule)
    torch.manual_seed(0)
    first, second = dropout.call(torch.ones(100)), dropout.call(torch.ones(100))
    torch.manual_seed(0)
    assert torch.equal(dropout.call(torch.ones(100)), first)
    assert not torch.equal(first, second)


def test_changes_in_place_are_made_to_the_arguments_and_to_nothing_else():
    def function(total, x):
        copy = x * 1
        copy.add_(1)
        total.add_(copy)
        return x + total

    total, x = torch.zeros(3), torch.ones(3)
    ready = program(function, total, x, copies_matter=True)
    assert isinstance(ready.call, GraphModule)
    assert torch.equal(total, torch.zeros(3))  # finding out has left the example alone
    assert torch.equal(ready.call(total, x), torch.full((3,), 3.0))
    assert torch.equal(total, torch.full((3,), 2.0))
    assert torch.equal(x, torch.ones(3))


def test_a_function_whose_graph_would_do_something_else_is_run_as_it_is():
    calls = []

    def function(x):
        calls.append(x)
        return x * len(calls)

    assert program(function, torch.ones(3)).call is function


def test_a_function_that_cannot_be_traced_is_run_as_it_is():
    def function(x):
        return x * 2 if x.sum() > 0 else x

    assert program(function, torch.ones(3)).call is function
