"""The random operations of a step, such as dropout, taken out of its graph: the numbers are drawn outside, by the same
calls as in the plain loop, and passed to the generated program as arguments.

So a lane gets the same random numbers, bit for bit, as its trial trained alone, regardless of the other lanes and of
how a job is split. Numbers are drawn once for all lanes of a seed.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.node import Argument, map_aggregate

from steepest.codegen.decompositions import is_random_op
from steepest.codegen.elementwise_loop import NotCompiled
from steepest.codegen.strided_view import StridedView, kind_of
from steepest.engine.compiled import dropout_masks
from steepest.engine.random_sources import step_seed

aten = torch.ops.aten

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

    def __init__(self, node: fx.Node, number: int) -> None:
        """Raises NotCompiled if the distribution depends on values that the step computes."""
        self.function: Callable[..., Tensor] = node.target  # type: ignore[assignment]
        value = node.meta["val"]
        if not isinstance(value, Tensor) or (node.all_input_nodes and self.function not in SHAPE_ONLY_OPS):
            raise NotCompiled(f"{self.function} draws random numbers that depend on what the model computes")
        self.arguments: Any = map_aggregate(node.args, _stand_in)
        self.named: Any = map_aggregate(dict(node.kwargs), _stand_in)
        self.view = StridedView(f"d{number}", kind_of(value.dtype), tuple(value.shape), value.stride())
        self.size = self.view.size
        is_mask = self.function is aten.bernoulli.p and self.view.kind == "real" and not self.named
        self.odds: float | None = self.arguments[1] if is_mask else None
        """Probability of a 1, for an operation that draws a mask of zeros and ones."""

    def draw_into(self, row: Tensor) -> None:
        """Draw numbers into `row` [size], in the memory order of torch's result."""
        row.as_strided(self.view.shape, self.view.strides, row.storage_offset()).copy_(
            self.function(*self.arguments, **self.named)
        )


class RandomOps:
    """All random operations of a step, in order."""

    def __init__(self, graph: fx.Graph, dtype: torch.dtype) -> None:
        """Replaces each random operation of the graph by an argument. Raises NotCompiled."""
        self.ops: list[RandomOp] = []
        self.views: dict[fx.Node, StridedView] = {}
        """Where the new arguments lie."""
        self.types = {"real": dtype, "integer": torch.int64, "truth": torch.bool}
        for node in [*graph.nodes]:
            if not is_random_op(node.target):
                continue
            op = RandomOp(node, len(self.ops))
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

    def draw(self, seed: int, start: int, stop: int) -> list[Tensor]:
        """The random numbers of the steps t = start + 1 … stop of a seed: [steps, size] for each operation."""
        rows = [torch.empty(stop - start, op.size, dtype=self.types[op.view.kind]) for op in self.ops]
        if not rows:
            return rows
        seeds = [step_seed(seed, t) for t in range(start + 1, stop + 1)]
        odds = [op.odds for op in self.ops if op.odds is not None]
        if len(odds) == len(rows) and dropout_masks.is_available():
            dropout_masks.draw_masks(seeds, odds, rows)
            torch.default_generator.manual_seed(seeds[-1])  # the state that the plain loop leaves for an evaluation
            return rows
        for k, value in enumerate(seeds):
            torch.default_generator.manual_seed(value)
            for op, row in zip(self.ops, rows, strict=True):
                op.draw_into(row[k])
        return rows


def _stand_in(x: Argument) -> Argument:
    """An uninitialized tensor of the right shape and dtype in place of a node."""
    if not isinstance(x, fx.Node):
        return x
    value = x.meta["val"]
    return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype)
