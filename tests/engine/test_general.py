"""From two traces, a graph for any number of lanes."""

import pytest
import torch
from torch.func import vmap
from torch.nn import functional as F

from steepest.engine.general import NotGeneral, for_any_lanes, with_lanes


def example(lanes=3):
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(lanes, 10, 4, generator=generator)
    return weights, torch.randn(8, 4, generator=generator), torch.randint(0, 10, (8,), generator=generator)


def losses(weights, inputs, targets):
    return vmap(lambda w: F.cross_entropy(inputs @ w.T, targets))(weights)


@pytest.mark.parametrize("lanes", [1, 2, 6, 11])
def test_the_graph_does_what_the_function_does_with_more_and_fewer_lanes(lanes):
    stacked = (True, False, False)
    graph = for_any_lanes(losses, example(), stacked)
    arguments = with_lanes(example(), stacked, lanes)
    torch.testing.assert_close(graph(*arguments), losses(*arguments))


def test_sizes_that_grow_with_the_lanes_and_a_constant_are_told_apart():
    def widened(x):
        return torch.cat([x.reshape(len(x) * 4), x.new_ones(2 * len(x) + 3)])

    graph = for_any_lanes(widened, (torch.randn(2, 4),), (True,))
    x = torch.randn(9, 4)
    assert torch.equal(graph(x), widened(x))


def test_a_function_that_calls_something_once_a_lane_is_refused():
    def one_by_one(x):
        return torch.stack([row.sin().sum() for row in x])

    with pytest.raises(NotGeneral, match="calls for 5 lanes"):
        for_any_lanes(one_by_one, (torch.randn(2, 4),), (True,))


def test_a_function_that_squares_the_number_of_lanes_is_refused():
    def squared(x):
        return torch.mm(x, x.T).reshape(len(x) ** 2)

    with pytest.raises(NotGeneral, match="does not hold for 12"):
        for_any_lanes(squared, (torch.randn(2, 4),), (True,))
