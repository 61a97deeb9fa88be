"""Traces a pure tensor function once into a graph of kernel calls, simplifies it, and runs the kernels alone.

Under `vmap` and `grad` every kernel passes through several layers of Python and dispatch, which cost more than the
arithmetic of a small model. Nothing is compiled here: the same kernels run, one by one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import BuiltinFunctionType, MethodDescriptorType
from typing import Any

import torch
from torch import Tensor, fx
from torch._guards import TracingContext, tracing
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

aten = torch.ops.aten

RELATIVE_TOLERANCE = 1e-4
"""Largest relative difference between a graph and its function that counts as rounding in single precision."""
VECTOR_NUMBERS = 16
"""Numbers in a vector register: torch's softmax over fewer classes runs several times faster on the transpose."""


@dataclass(frozen=True)
class Program:
    """A function that is ready to run, and whether it draws random numbers at each call."""

    call: Callable[..., Any]
    is_random: bool


def program(function: Callable[..., Any], *example: Tensor, copies_matter: bool = False) -> Program:
    """The fastest form of `function` for tensors of these shapes that gives the function's results on an example.

    The example is not changed. It is clamped to [−1, 1] first, so that a program does not depend on extreme values.
    `copies_matter`: the function changes some of its arguments in place, so a copy differs from the original.
    """
    example = bounded(example)
    for directly in (True, False):
        try:
            graph, is_random = traced(function, *_copies(example), copies_matter=copies_matter, directly=directly)
            if gives_same(graph, function, example):
                return Program(graph, is_random)
        except Exception:
            pass
    return Program(function, is_random=True)


def bounded(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The tensors clamped to [−1, 1] without NaN, so that results are finite."""
    return tuple(x.nan_to_num().clamp(-1, 1) if x.is_floating_point() else x for x in tensors)


def traced(
    function: Callable[..., Any], *example: Tensor, copies_matter: bool = False, directly: bool = True
) -> tuple[fx.GraphModule, bool]:
    """The graph of `function`, and whether it draws random numbers; `directly`: through torch's fastest bindings."""
    with tracing(TracingContext(FakeTensorMode(allow_fallback_kernels=True))):
        module = make_fx(function)(*example)  # without this context it makes a mode for each tensor, in twice the time
    graph = module.graph
    for node in list(graph.nodes):
        if node.op != "call_function":
            continue
        if _is_idle(node, copies_matter):
            node.replace_all_uses_with(node.args[0])  # type: ignore[arg-type]
            graph.erase_node(node)
        elif _is_narrow(node):
            node.target = TRANSPOSED_SOFTMAX[node.target]  # type: ignore[index]
    graph.eliminate_dead_code()
    is_random = draws(module)
    if directly:
        for node in graph.nodes:
            _bind(node)
    module.recompile()
    return module, is_random


def draws(module: fx.GraphModule) -> bool:
    """Whether a graph draws random numbers; call before its nodes are bound."""
    return any(
        isinstance(node.target, torch._ops.OpOverload) and torch.Tag.nondeterministic_seeded in node.target.tags
        for node in module.graph.nodes
    )


def _is_idle(node: Any, copies_matter: bool) -> bool:
    """Whether a call returns its first argument unchanged: vmap and grad leave many of these behind."""
    if node.target is aten.detach.default:
        return True
    if node.target in (aten.view.default, aten._unsafe_view.default, aten.expand.default):
        before, after = node.args[0].meta["val"], node.meta["val"]
        return before.shape == after.shape and before.stride() == after.stride()
    is_times_one = node.target is aten.mul.Scalar and node.args[1] == 1
    return is_times_one and not copies_matter and node.args[0].meta["val"].dtype == node.meta["val"].dtype


def _bind(node: fx.Node) -> None:
    """Call an operator as `torch.bmm(x, y)` or `x.view(…)`: in half the time of `torch.ops.aten.bmm.default(x, y)`.
    Lists in which an index is left out can only be given to the latter.
    """
    if not isinstance(node.target, torch._ops.OpOverload) or node.target.namespace != "aten":
        return
    if any(isinstance(x, list | tuple) and None in x for x in node.args):
        return
    name = node.target._schema.name.removeprefix("aten::")
    if isinstance(binding := getattr(torch, name, None), BuiltinFunctionType):
        node.target = binding
    elif _is_kernel(getattr(Tensor, name, None)) and node.args and isinstance(node.args[0], fx.Node):
        node.op, node.target = "call_method", name


def _is_kernel(method: Any) -> bool:
    """Whether a method of Tensor is torch's own; `index` is one of another kind, which takes dimensions."""
    return isinstance(method, MethodDescriptorType)


# ---- comparing a graph with its function -----------------------------------------------------------------------------


def gives_same(graph: Callable[..., Any], function: Callable[..., Any], example: Sequence[Tensor]) -> bool:
    """Whether both give the same results and change their arguments alike, with the same random seed.

    False for a graph that raises an error.
    """
    outcomes = []
    for run in (graph, function):
        arguments = _copies(example)
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(0)
            try:
                results = run(*arguments)
            except RuntimeError:
                if run is function:
                    raise
                return False
        outcomes.append([*(results if isinstance(results, tuple) else (results,)), *arguments])
    return all(map(close, *outcomes))


def close(a: Tensor, b: Tensor, tolerance: float = RELATIVE_TOLERANCE) -> bool:
    """Whether two results agree up to rounding: a share of the norm of `b`."""
    if not a.is_floating_point():
        return torch.equal(a, b)
    finite = b.isfinite()
    return (
        a.shape == b.shape
        and torch.equal(a.isfinite(), finite)
        and bool((a - b)[finite].norm() <= tolerance * b[finite].norm() + torch.finfo(b.dtype).tiny)
    )


def _copies(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [tensor.clone() for tensor in tensors]


# ---- softmax over few classes ----------------------------------------------------------------------------------------


def _log_softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    return aten._log_softmax.default(x.mT.contiguous(), dim - 1, half_to_float).mT.contiguous()


def _log_softmax_gradient(g: Tensor, y: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
    turned = g.mT.contiguous(), y.mT.contiguous()
    return aten._log_softmax_backward_data.default(*turned, dim - 1, dtype).mT.contiguous()


TRANSPOSED_SOFTMAX = {
    aten._log_softmax.default: _log_softmax,
    aten._log_softmax_backward_data.default: _log_softmax_gradient,
}
"""The same operations along the second-to-last axis, returned in the original layout; equal up to rounding."""


def _is_narrow(node: Any) -> bool:
    if node.target not in TRANSPOSED_SOFTMAX:
        return False
    shape = node.meta["val"].shape
    dim = node.args[1] if node.target is aten._log_softmax.default else node.args[2]
    return len(shape) >= 2 and dim == len(shape) - 1 and shape[-1] < VECTOR_NUMBERS <= shape[-2]
