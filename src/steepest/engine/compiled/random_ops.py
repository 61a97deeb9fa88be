"""The random operations of a step, such as dropout, taken out of its graph: the numbers are drawn outside, by the same
calls as in the plain loop, and passed to the generated program as arguments.

So a lane gets the same random numbers, bit for bit, as its trial trained alone, regardless of the other lanes and of
how a job is split. Numbers are drawn once for all lanes of a seed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.node import Argument, map_aggregate
from torch.utils._python_dispatch import TorchDispatchMode

from steepest.codegen.decompositions import is_random_op
from steepest.codegen.elementwise_loop import NotCompiled
from steepest.codegen.strided_view import StridedView, kind_of
from steepest.engine.compiled import dropout_masks
from steepest.engine.random_sources import preserved_generators, step_seed

aten = torch.ops.aten

Strides = tuple[int, ...]
Drawn = tuple[tuple[int, ...], Strides]
"""The shape of an array of random numbers, and how it lies in memory, which is the order in which they are drawn."""

MAX_DRAWN_NUMBERS = 2**21
"""Numbers drawn at a time for all seeds together, 8 MB of float32: enough for several steps unless they are large."""
SHAPE_ONLY_OPS = {
    aten.bernoulli.p,
    aten.cauchy.default,
    aten.exponential.default,
    aten.geometric.default,
    aten.log_normal.default,
    aten.normal_functional.default,
    aten.rand_like.default,
    aten.randint_like.default,
    aten.randint_like.low_dtype,
    aten.randn_like.default,
    aten.random.default,
    aten.random.to,
    getattr(aten.random, "from"),
    aten.uniform.default,
}
"""Operations that use only the shape and dtype of their tensor argument, not its values."""


class RandomOp:
    """One random operation of a step."""

    def __init__(self, node: fx.Node, number: int, strides: Strides | None) -> None:
        """strides: of what the plain loop draws; None: those of the trace. Raises NotCompiled if the distribution
        depends on values that the step computes.
        """
        self.function: Callable[..., Tensor] = node.target  # type: ignore[assignment]
        value = node.meta["val"]
        if not isinstance(value, Tensor) or (node.all_input_nodes and self.function not in SHAPE_ONLY_OPS):
            raise NotCompiled(f"{self.function} draws random numbers that depend on what the model computes")
        traced = value.stride()
        strides = traced if strides is None else strides
        self._arguments: Any = map_aggregate(node.args, lambda x: _stand_in(x, strides))
        self._traced_arguments: tuple = map_aggregate(node.args, lambda x: _stand_in(x, traced))  # type: ignore
        self.named: Any = map_aggregate(dict(node.kwargs), lambda x: _stand_in(x, strides))
        self.view = StridedView(f"d{number}", kind_of(value.dtype), tuple(value.shape), strides)
        self.size = self.view.size
        is_mask = self.function is aten.bernoulli.p and self.view.kind == "real" and not self.named
        self.odds: float | None = self._arguments[1] if is_mask else None
        """Probability of a 1, for an operation that draws a mask of zeros and ones."""

    def draw_into(self, row: Tensor, as_traced: bool) -> None:
        """Draw numbers into `row` [size], which is laid out as what the plain loop draws; `as_traced`: in the order in
        which the traced function draws them.
        """
        arguments = self._traced_arguments if as_traced else self._arguments
        row.as_strided(self.view.shape, self.view.strides, row.storage_offset()).copy_(
            self.function(*arguments, **self.named)
        )


class RandomOps:
    """All random operations of a step, in order."""

    def __init__(self, graph: fx.Graph, dtype: torch.dtype, drawn: Sequence[Drawn] = ()) -> None:
        """Replaces each random operation of the graph by an argument. `drawn`: what the plain loop draws in a step,
        whose numbers may lie in another order than in the graph. Raises NotCompiled.
        """
        self.ops: list[RandomOp] = []
        self.views: dict[fx.Node, StridedView] = {}
        """Where the new arguments lie."""
        self.types = {"real": dtype, "integer": torch.int64, "truth": torch.bool}
        nodes = [node for node in graph.nodes if is_random_op(node.target)]
        is_alike = [shape for shape, _ in drawn] == [tuple(getattr(node.meta["val"], "shape", ())) for node in nodes]
        for i, node in enumerate(nodes):
            op = RandomOp(node, len(self.ops), drawn[i][1] if is_alike else None)
            with graph.inserting_before(node):
                argument = graph.placeholder(f"drawn_{len(self.ops)}")
            argument.meta = node.meta
            node.replace_all_uses_with(argument)
            graph.erase_node(node)
            self.ops.append(op)
            self.views[argument] = op.view
        graph.eliminate_dead_code()  # tensors that were computed only for their shape

    def steps_at_once(self, seeds: int) -> int:
        """Number of steps to draw for at a time."""
        return max(1, MAX_DRAWN_NUMBERS // max(1, seeds * sum(op.size for op in self.ops)))

    def draw(self, seed: int, start: int, stop: int, as_traced: bool = False) -> list[Tensor]:
        """The random numbers of the steps t = start + 1 … stop of a seed: [steps, size] for each operation. They are
        those of the plain loop, or of the traced function.
        """
        rows = [torch.empty(stop - start, op.size, dtype=self.types[op.view.kind]) for op in self.ops]
        if not rows:
            return rows
        seeds = [step_seed(seed, t) for t in range(start + 1, stop + 1)]
        odds = [op.odds for op in self.ops if op.odds is not None]
        if len(odds) == len(rows) and not as_traced and dropout_masks.is_available():
            dropout_masks.draw_masks(seeds, odds, rows)
            torch.default_generator.manual_seed(seeds[-1])  # the state that the plain loop leaves for an evaluation
            return rows
        for k, value in enumerate(seeds):
            torch.default_generator.manual_seed(value)
            for op, row in zip(self.ops, rows, strict=True):
                op.draw_into(row[k], as_traced)
        return rows


def _stand_in(x: Argument, strides: Strides) -> Argument:
    """An uninitialized tensor of the right shape and dtype in place of a node, from which only those are read."""
    if not isinstance(x, fx.Node):
        return x
    value = x.meta["val"]
    return torch.empty_strided(value.shape, strides, dtype=value.dtype)


class _Recorder(TorchDispatchMode):
    """Notes what is drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[Drawn] = []

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: object,
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        result = func(*args, **(kwargs or {}))
        if is_random_op(func) and isinstance(result, Tensor):
            self.drawn.append((tuple(result.shape), result.stride()))
        return result


def drawn_by(step: Callable[[], object]) -> list[Drawn]:
    """What a plain forward pass draws, in order; the generators are left as they were."""
    with preserved_generators(), torch.enable_grad(), _Recorder() as recorder:
        step()
    return recorder.drawn
