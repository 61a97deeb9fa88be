"""What a step draws at random, such as the masks of dropout: taken out of the graph, and drawn outside of its program
by the very calls that the plain loop makes. The program takes it as an argument.

So a lane has the luck that its trial has alone, bit for bit, whatever its company and wherever a job is cut; and lanes
of one seed, which share their luck, have it drawn but once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.node import map_aggregate

from steepest.codegen.decompositions import is_draw
from steepest.codegen.elementwise_loop import NotCompiled
from steepest.codegen.strided_view import Place, kind_of
from steepest.engine.compiled import dropout_masks
from steepest.engine.random_sources import luck_of

aten = torch.ops.aten

AHEAD = 2**21
"""Numbers drawn at a time, for all seeds together: some 8 MB, for several steps wherever a step is short."""
BY_SHAPE = {
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
"""Calls that ask of their tensor nothing but its shape and type."""


class Draw:
    """One call of a step that draws."""

    def __init__(self, node: Any, number: int) -> None:
        """Raises NotCompiled for a call whose odds depend on what the step has computed."""
        self.function, value = node.target, node.meta["val"]
        if not isinstance(value, Tensor) or (node.all_input_nodes and self.function not in BY_SHAPE):
            raise NotCompiled(f"{self.function} draws by what the model has computed")
        arguments = map_aggregate((node.args, dict(node.kwargs)), _in_place_of)
        self.arguments, self.named = arguments  # type: ignore[misc]
        self.place = Place(f"d{number}", kind_of(value.dtype), tuple(value.shape), value.stride())
        self.size = self.place.size
        is_mask = self.function is aten.bernoulli.p and self.place.kind == "real" and not self.named
        self.odds: float | None = self.arguments[1] if is_mask else None
        """Of a one, where all that is drawn are ones and zeros."""

    def again(self, row: Tensor) -> None:
        """Draw, and leave it in `row` [size], laid out in memory as torch does it."""
        row.as_strided(self.place.shape, self.place.strides, row.storage_offset()).copy_(
            self.function(*self.arguments, **self.named)
        )


class Luck:
    """All that a step draws, in order."""

    def __init__(self, graph: fx.Graph, dtype: torch.dtype) -> None:
        """Turns each call of the graph that draws into an argument. Raises NotCompiled."""
        self.draws: list[Draw] = []
        self.places: dict[fx.Node, Place] = {}
        """Of the new arguments."""
        self.types = {"real": dtype, "integer": torch.int64, "truth": torch.bool}
        for node in [*graph.nodes]:
            if not is_draw(node.target):
                continue
            draw = Draw(node, len(self.draws))
            with graph.inserting_before(node):
                argument = graph.placeholder(f"drawn_{len(self.draws)}")
            argument.meta = node.meta
            node.replace_all_uses_with(argument)
            graph.erase_node(node)
            self.draws.append(draw)
            self.places[argument] = draw.place
        graph.eliminate_dead_code()  # what was computed for its shape alone

    def steps_at_once(self, seeds: int) -> int:
        """Steps for which it is drawn at a time."""
        return max(1, AHEAD // max(1, seeds * sum(draw.size for draw in self.draws)))

    def drawn(self, seed: int, start: int, stop: int) -> list[Tensor]:
        """What the steps t = start + 1 … stop of a seed draw: for each draw [steps, its size]."""
        rows = [torch.empty(stop - start, draw.size, dtype=self.types[draw.place.kind]) for draw in self.draws]
        if not rows:
            return rows
        seeds = [luck_of(seed, t) for t in range(start + 1, stop + 1)]
        odds = [draw.odds for draw in self.draws if draw.odds is not None]
        if len(odds) == len(rows) and dropout_masks.is_known():
            dropout_masks.draw(seeds, odds, rows)
            torch.default_generator.manual_seed(seeds[-1])  # for an evaluation that draws
            return rows
        for k, value in enumerate(seeds):
            torch.default_generator.manual_seed(value)
            for draw, row in zip(self.draws, rows, strict=True):
                draw.again(row[k])
        return rows


def _in_place_of(x: Any) -> Any:
    """A tensor that can be asked for its shape and type, in the place of one that is computed."""
    if not isinstance(x, fx.Node):
        return x
    value = x.meta["val"]
    return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype)
