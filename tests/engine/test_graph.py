"""A traced function is the function: same values, fresh luck, same changes in place."""

import torch
from torch import nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn import functional as F

from steepest.engine.graph import is_random, traced


def gradient_of(model: nn.Module):
    """(weight [R, C, 6], bias [R, C], x [R, B, 6], y [R, B]) → gradients and losses of R replicas."""

    def loss(weight, bias, x, y):
        return F.cross_entropy(functional_call(model, {"weight": weight, "bias": bias}, (x,)), y)

    of_all = vmap(grad_and_value(loss, argnums=(0, 1)), randomness="different")
    return lambda *tensors: [*of_all(*tensors)[0], of_all(*tensors)[1]]


def arguments(classes: int, examples: int, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, ...]:
    g = torch.Generator().manual_seed(0)
    floats = [
        torch.randn(shape, generator=g, dtype=dtype) for shape in ((3, classes, 6), (3, classes), (3, examples, 6))
    ]
    return (*floats, torch.randint(0, classes, (3, examples), generator=g))


def test_a_graph_gives_the_bits_of_the_function_for_any_values_of_these_shapes():
    function = gradient_of(nn.Linear(6, 20))
    graph = traced(function, *arguments(20, 8))
    other = tuple(x * 2 if x.is_floating_point() else x for x in arguments(20, 8))
    assert all(torch.equal(a, b) for a, b in zip(graph(*other), function(*other), strict=True))
    assert not is_random(graph)


def test_a_softmax_over_few_classes_is_turned_round_and_comes_to_the_same():
    function = gradient_of(nn.Linear(6, 5))
    graph = traced(function, *arguments(5, 40))
    assert "_log_softmax" not in {str(node.target) for node in graph.graph.nodes}  # the kernel is called by ours
    assert any(getattr(node.target, "__module__", "") == "steepest.engine.graph" for node in graph.graph.nodes)
    for a, b in zip(graph(*arguments(5, 40)), function(*arguments(5, 40)), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-15)
        assert a.stride() == b.stride()


def test_calls_that_do_nothing_are_gone():
    graph = traced(gradient_of(nn.Linear(6, 20)), *arguments(20, 8))
    left = [node.target for node in graph.graph.nodes]
    assert torch.ops.aten.detach.default not in left
    assert torch.ops.aten.mul.Scalar not in left
    assert torch.ops.aten.bmm.default in left


def test_random_numbers_are_drawn_anew_at_every_call():
    graph = traced(lambda x: F.dropout(x, 0.5), torch.ones(100))
    assert is_random(graph)
    torch.manual_seed(0)
    first, second = graph(torch.ones(100)), graph(torch.ones(100))
    torch.manual_seed(0)
    assert torch.equal(graph(torch.ones(100)), first)
    assert not torch.equal(first, second)


def test_changes_in_place_are_made_to_the_arguments_and_to_nothing_else():
    def function(total, x):
        copy = x * 1
        copy.add_(1)
        total.add_(copy)
        return x + total

    graph = traced(function, torch.zeros(3), torch.ones(3), copies_matter=True)
    total, x = torch.zeros(3), torch.ones(3)
    assert torch.equal(graph(total, x), torch.full((3,), 3.0))
    assert torch.equal(total, torch.full((3,), 2.0))
    assert torch.equal(x, torch.ones(3))
