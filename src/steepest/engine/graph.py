"""A pure tensor function traced once into a graph of kernel calls, tidied, and run without what surrounds it.

Under `vmap` and `grad` every kernel passes several layers of Python and dispatch, which cost more than the arithmetic
of a small model. The graph holds the kernels alone. It is no compilation: the same kernels run, one by one. A compiler
would start from the same functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx

aten = torch.ops.aten
Function = Callable[..., Any]

NARROW = 16
"""Numbers in a vector register: torch's softmax over fewer classes than that runs several times faster turned round."""


def traced(function: Function, *example: Tensor, copies_matter: bool = False) -> fx.GraphModule:
    """The graph of `function` for tensors of these shapes: called as `function` is, it gives the same values.

    `copies_matter`: the function changes some of its arguments in place, so that a copy is not the same as the
    original. Random numbers are drawn anew at each call: see `is_random`.
    """
    module = make_fx(function)(*example)
    graph = module.graph
    for node in list(graph.nodes):
        if node.op != "call_function":
            continue
        if _is_idle(node, copies_matter):
            node.replace_all_uses_with(node.args[0])  # type: ignore[arg-type]
            graph.erase_node(node)
        elif _is_narrow(node):
            node.target = TURNED[node.target]  # type: ignore[index]
    graph.eliminate_dead_code()
    module.recompile()
    return module


def is_random(module: fx.GraphModule) -> bool:
    """Whether a graph draws random numbers, as dropout does."""
    return any(
        isinstance(node.target, torch._ops.OpOverload) and torch.Tag.nondeterministic_seeded in node.target.tags
        for node in module.graph.nodes
    )


def _is_idle(node: Any, copies_matter: bool) -> bool:
    """Whether a call hands on its first argument as it is: vmap and grad leave many of these behind."""
    if node.target is aten.detach.default:
        return True
    if node.target in (aten.view.default, aten._unsafe_view.default, aten.expand.default):
        before, after = node.args[0].meta["val"], node.meta["val"]
        return before.shape == after.shape and before.stride() == after.stride()
    is_times_one = node.target is aten.mul.Scalar and node.args[1] == 1
    return is_times_one and not copies_matter and node.args[0].meta["val"].dtype == node.meta["val"].dtype


# ---- softmax over few classes ----------------------------------------------------------------------------------------


def _log_softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    return aten._log_softmax.default(x.mT.contiguous(), dim - 1, half_to_float).mT.contiguous()


def _log_softmax_gradient(g: Tensor, y: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
    turned = g.mT.contiguous(), y.mT.contiguous()
    return aten._log_softmax_backward_data.default(*turned, dim - 1, dtype).mT.contiguous()


TURNED = {
    aten._log_softmax.default: _log_softmax,
    aten._log_softmax_backward_data.default: _log_softmax_gradient,
}
"""The same sums along the last axis but one: in the same layout when they are done, to the last bit or so."""


def _is_narrow(node: Any) -> bool:
    if node.target not in TURNED:
        return False
    shape = node.meta["val"].shape
    dim = node.args[1] if node.target is aten._log_softmax.default else node.args[2]
    return len(shape) >= 2 and dim == len(shape) - 1 and shape[-1] < NARROW <= shape[-2]
