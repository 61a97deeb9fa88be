"""A graph for any number of lanes, made from its traces at two numbers.

A trace at a fixed size has that size in it as plain integers. Tracing with a symbol in its place would be the obvious
way, but several batching rules of `vmap`, cross entropy's among them, turn the symbol into the number it stands for.
Two traces that differ in their integers alone tell which of them grow with the lanes, and how.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx

from steepest.engine.graph import same, tame

FEW, MORE, OTHER = 5, 7, 12
"""Lanes at which traces are taken, and at which their common form is tried."""


class NotGeneral(Exception):
    """The two traces differ in more than their integers."""


def for_any_lanes(function: Callable[..., Any], arguments: Sequence[Tensor], stacked: Sequence[bool]) -> fx.GraphModule:
    """The graph of `function` for any number of lanes; raises NotGeneral.

    `stacked` says which of the arguments have lanes, along their first axis.
    """
    few, more = (make_fx(function)(*with_lanes(arguments, stacked, lanes)) for lanes in (FEW, MORE))
    nodes = list(zip(few.graph.nodes, more.graph.nodes, strict=False))
    if len(few.graph.nodes) != len(more.graph.nodes):
        raise NotGeneral(f"{len(few.graph.nodes)} calls for {FEW} lanes, {len(more.graph.nodes)} for {MORE}")
    last_input = [node for node in few.graph.nodes if node.op == "placeholder"]
    with few.graph.inserting_after(last_input[-1]):
        lanes = few.graph.call_function(torch.ops.aten.sym_size.int, (last_input[list(stacked).index(True)], 0))
    twin = {}  # nodes of the second trace → those of the first
    for one, other in nodes:
        if (one.op, str(one.target)) != (other.op, str(other.target)):
            raise NotGeneral(f"{one.target} for {FEW} lanes, {other.target} for {MORE}")
        twin[other] = one
        if one.op == "get_attr":
            a, b = (_attribute(module, node.target) for module, node in ((few, one), (more, other)))
            if a.shape != b.shape or not torch.equal(a, b):
                raise NotGeneral(f"the constant {one.target} depends on the number of lanes")
        with few.graph.inserting_before(one):
            one.args = _merged(one.args, other.args, lanes, twin)
            one.kwargs = _merged(one.kwargs, other.kwargs, lanes, twin)
    few.graph.lint()
    few.recompile()
    others = with_lanes(arguments, stacked, OTHER)
    if not same(few, function, tame(others)):
        raise NotGeneral(f"what holds for {FEW} and {MORE} lanes does not hold for {OTHER}")
    return few


def with_lanes(arguments: Sequence[Tensor], stacked: Sequence[bool], lanes: int) -> tuple[Tensor, ...]:
    """The arguments with so many lanes, repeated from those that are there."""
    return tuple(
        x[torch.arange(lanes, device=x.device) % len(x)] if has_lanes else x.clone()
        for x, has_lanes in zip(arguments, stacked, strict=True)
    )


def _merged(few: Any, more: Any, lanes: fx.Node, twin: dict[fx.Node, fx.Node]) -> Any:
    """One argument of a call from the two traces; new nodes are put where the graph's insertion point stands."""
    if isinstance(few, fx.Node):
        if twin.get(more) is not few:
            raise NotGeneral("the traces call in different orders")
        return few
    if isinstance(few, tuple | list):
        if not isinstance(more, tuple | list) or len(few) != len(more):
            raise NotGeneral("a call takes more arguments for more lanes")
        return type(few)([_merged(a, b, lanes, twin) for a, b in zip(few, more, strict=True)])
    if isinstance(few, dict):
        return {name: _merged(value, more[name], lanes, twin) for name, value in few.items()}
    if few == more:
        return few
    if type(few) is not int or type(more) is not int or (more - few) % (MORE - FEW):
        raise NotGeneral(f"{few} becomes {more}")
    each = (more - few) // (MORE - FEW)
    fixed = few - each * FEW
    graph = lanes.graph
    size = lanes if each == 1 else graph.call_function(operator.mul, (lanes, each))
    return size if fixed == 0 else graph.call_function(operator.add, (size, fixed))


def _attribute(module: fx.GraphModule, path: str) -> Tensor:
    return operator.attrgetter(path)(module)
