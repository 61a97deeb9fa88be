"""The pure functions of a task that a fleet runs: gradients of all lanes, outputs of all lanes, and their scores.

Each takes and returns tensors only, and is traced once for every size at which it is called. Gradients may be compiled
instead, once for any number of lanes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value, vjp, vmap

from steepest.engine.data import placed
from steepest.engine.draws import kept
from steepest.engine.general import FEW, NotGeneral, for_any_lanes, with_lanes
from steepest.engine.graph import Program, draws, program, same, tame, traced
from steepest.engine.layout import Layout, Named, changing_buffers
from steepest.engine.library import NotCompiled, Sizes, compiled
from steepest.tasks.task import Task

Function = Callable[..., Any]


@dataclass(frozen=True)
class Extras:
    """The tensors of a model that are no trainable parameters, by name, in the order in which programs take them."""

    stacked: tuple[str, ...]  # each [R, …]
    shared: tuple[str, ...]

    def named(self, tensors: tuple[Tensor, ...]) -> tuple[Named, Named]:
        """Stacked and shared extras by name, from the tensors in order."""
        pairs = [*zip((*self.stacked, *self.shared), tensors, strict=True)]
        return dict(pairs[: len(self.stacked)]), dict(pairs[len(self.stacked) :])

    def __len__(self) -> int:
        return len(self.stacked) + len(self.shared)


class Programs:
    """The programs of one task in one precision on one device."""

    def __init__(self, task: Task, dtype: torch.dtype, device: torch.device) -> None:
        self.task = task
        self.model = task.build_model(0, dtype).to(device)  # for its code alone: all its tensors are replaced
        self.layout = Layout.of(self.model)
        splits = task.splits(0)
        inputs, _ = placed(*task.batch(splits, splits.train[: task.batch_size]), dtype, device)
        with kept():
            self.changing = changing_buffers(task.build_model(0, dtype).to(device), inputs)
        self._ready: dict[tuple, Program] = {}

    def gradient(self, extras: Extras, batch_is_shared: bool, *example: Tensor, compile: bool = False) -> Program:
        """(parameters [R, P], *extras, *inputs, targets) → gradients [R, P], losses [R].

        Inputs and targets are [R, B, …], or [B, …] where the batch is shared. Buffers among the extras are updated.
        Raises NotCompiled.
        """
        of_batch = None if batch_is_shared else 0
        of_all = vmap(grad_and_value(self._loss), (0, 0, None, of_batch, of_batch), randomness="different")

        def gradient(flat: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
            self.model.train()
            stacked, shared = extras.named(rest[: len(extras)])
            *inputs, targets = rest[len(extras) :]
            gradients, losses = of_all(self.layout.views(flat), stacked, shared, tuple(inputs), targets)
            return self.layout.flatten(gradients), losses

        if not compile:
            return self._program(("gradient", extras, batch_is_shared), gradient, example)
        of_extras = [True] * len(extras.stacked) + [False] * len(extras.shared)
        of_columns = [not batch_is_shared] * (len(example) - 1 - len(extras))
        stacked = (True, *of_extras, *of_columns)
        return self._compiled(("gradient", extras, batch_is_shared), gradient, example, stacked)

    def gradient_of_lane(self, extras: Extras, *example: Tensor) -> Program:
        """The same for one lane, compiled: (parameters [P], *extras, *inputs [B, …], targets) → gradient [P], loss.

        Images and kernels are laid out with their channels last, as convolutions like them. Raises NotCompiled.
        """

        def gradient(row: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
            self.model.train()
            stacked, shared = extras.named(rest[: len(extras)])
            *inputs, targets = rest[len(extras) :]

            def loss(row: Tensor, stacked: Named) -> Tensor:  # what is changed in place must be an argument
                one = {name: _channels_last(w[0]) for name, w in self.layout.views(row[None]).items()}
                return self._loss(one, stacked, shared, tuple(map(_channels_last, inputs)), targets)

            return grad_and_value(loss)(row, stacked)

        return self._compiled(("lane", extras), gradient, example, None)

    def _loss(self, parameters: Named, stacked: Named, shared: Named, inputs: Any, targets: Tensor) -> Tensor:
        """The loss of one replica on one batch."""
        return self.task.training_loss(functional_call(self.model, parameters | stacked | shared, inputs), targets)

    def outputs(self, extras: Extras, *example: Tensor) -> Program:
        """(parameters [R, P], *extras, *inputs [n, …]) → outputs [R, n, …], in evaluation mode."""

        def outputs_of_one(parameters: Named, stacked: Named, shared: Named, inputs: Any) -> Tensor:
            def forward(parameters: Named) -> Tensor:
                return functional_call(self.model, parameters | stacked | shared, inputs)

            return vjp(forward, parameters)[0]  # only under differentiation is a recurrent layer one that vmap can take

        of_all = vmap(outputs_of_one, (0, 0, None, None), randomness="different")

        def outputs(flat: Tensor, *rest: Tensor) -> Tensor:
            self.model.eval()
            stacked, shared = extras.named(rest[: len(extras)])
            return of_all(self.layout.views(flat), stacked, shared, rest[len(extras) :])

        return self._program(("outputs", extras), outputs, example)

    def scores(self, *example: Tensor) -> Program:
        """(outputs [R, n, …], targets [n, …]) → loss [R], metric [R]."""

        def scores_of_one(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
            return self.task.loss(outputs, targets), self.task.quality.fn(outputs, targets)

        return self._program(("scores",), vmap(scores_of_one, (0, None)), example)

    def _program(self, name: tuple, function: Function, example: Sequence[Tensor]) -> Program:
        key = (name, *(tensor.shape for tensor in example))
        if key not in self._ready:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # vmap's, that it does some operation lane by lane
                self._ready[key] = program(function, *example, copies_matter=bool(self.changing))
        return self._ready[key]

    def _compiled(
        self, name: tuple, function: Function, example: Sequence[Tensor], stacked: Sequence[bool] | None
    ) -> Program:
        """`stacked`: which arguments have lanes, of which there may be any number; None if none has."""
        if stacked is not None:  # what lanes there are is of no account
            example = with_lanes(example, stacked, FEW)
        key = ("compiled", name, *(tensor.shape for tensor in example))
        if key not in self._ready:
            sizes: Sizes = [(None,) * x.ndim for x in example]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if stacked is None:
                    graph = traced(function, *(x.clone() for x in example), directly=False)[0]
                else:
                    try:
                        graph = for_any_lanes(function, example, stacked)
                    except NotGeneral as error:
                        raise NotCompiled(str(error)) from None
                    sizes = [("lanes", *size[1:]) if has else size for size, has in zip(sizes, stacked, strict=True)]
                if draws(graph):
                    raise NotCompiled("the model draws random numbers, which a library would draw differently")
                call = compiled(graph, example, sizes)
                tries = [with_lanes(example, stacked, lanes) for lanes in (2, 3 * FEW)] if stacked else [example]
                if not all(same(call, function, tame(each)) for each in tries):
                    raise NotCompiled("the library does not give what the model gives")
            self._ready[key] = Program(call, is_random=False)
        return self._ready[key]


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 and x.is_floating_point() else x


@lru_cache(maxsize=4)
def programs(task: Task, dtype: torch.dtype, device: torch.device) -> Programs:
    """The programs of a task, kept for the next fleet."""
    return Programs(task, dtype, device)
