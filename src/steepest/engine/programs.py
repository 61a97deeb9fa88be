"""The pure functions of a task that a fleet runs: gradients, outputs and scores of all lanes.

Each takes and returns only tensors, and is traced once for every size at which it is called. Gradients may come from a
generated program instead.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor, fx
from torch.func import functional_call, grad_and_value, vjp, vmap

from steepest.codegen.decompositions import graph_of, is_random_op
from steepest.codegen.elementwise_loop import NotCompiled
from steepest.engine.compiled.batch_runner import gives_same
from steepest.engine.compiled.program import GradientProgram
from steepest.engine.compiled.random_ops import drawn_by
from steepest.engine.data import contiguous_column, to_device
from steepest.engine.graph import RELATIVE_TOLERANCE, Program, program
from steepest.engine.layout import Layout, Named, changing_buffers
from steepest.engine.random_sources import preserved_generators
from steepest.errors import kind_and_line
from steepest.tasks.task import Task

Function = Callable[..., Any]

SINGLE_TOLERANCE = RELATIVE_TOLERANCE
DOUBLE_TOLERANCE = 1e-6
"""By how much the gradients of a generated program may differ from the model's, as a share of their norm. Some of
torch's own kernels, such as that of Hardsigmoid's gradient, have constants of single precision.
"""
MOST_ROUNDING = 0.05
"""In float32, rounding puts a few numbers of a deep net on the other side of a ReLU's kink, which alone may change its
gradients by a percent. Up to this share, the same program decides in float64, where that does not happen."""


@dataclass(frozen=True)
class Extras:
    """The names of a model's tensors other than trainable parameters, in the order in which programs take them."""

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

    def __init__(self, task: Task, dtype: torch.dtype, device: torch.device, traced: bool = True) -> None:
        """If they are not `traced`, functions run as they are: for a few steps, tracing takes longer than the steps."""
        self.task, self.traced = task, traced
        self.model = task.build_model(0, dtype).to(device)  # only its code is used: all its tensors are replaced
        self.layout = Layout.of(self.model)
        splits = task.splits(0)
        inputs, _ = to_device(*task.batch(splits, splits.train[: task.batch_size]), dtype, device)
        with preserved_generators():
            self.changing = changing_buffers(task.build_model(0, dtype).to(device), inputs)
        self.dtype, self.device = dtype, device
        self._ready: dict[tuple, Program] = {}
        self._gradient_programs: dict[tuple, GradientProgram | NotCompiled] = {}

    def gradient(self, extras: Extras, batch_is_shared: bool, *example: Tensor) -> Program:
        """(parameters [R, P], *extras, *inputs, targets) → gradients [R, P], losses [R].

        Inputs and targets are [R, B, …], or [B, …] where the batch is shared. Buffers among the extras are updated.
        """
        of_batch = None if batch_is_shared else 0
        of_all = vmap(grad_and_value(self._loss), (0, 0, None, of_batch, of_batch), randomness="different")

        def gradient(flat: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
            self.model.train()
            stacked, shared = extras.named(rest[: len(extras)])
            *inputs, targets = rest[len(extras) :]
            gradients, losses = of_all(self.layout.views(flat), stacked, shared, tuple(inputs), targets)
            return self.layout.flatten(gradients), losses

        return self._program(("gradient", extras, batch_is_shared), gradient, example)

    def gradient_program(self, extras: Extras, batch_size: int) -> GradientProgram:
        """The gradient of one lane as a generated program; raises NotCompiled."""
        key = (extras, batch_size)
        if key not in self._gradient_programs:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    self._gradient_programs[key] = self._build_gradient_program(extras, batch_size)
                except NotCompiled as error:
                    self._gradient_programs[key] = error
        found = self._gradient_programs[key]
        if isinstance(found, NotCompiled):
            raise found
        return found

    def _build_gradient_program(self, extras: Extras, batch_size: int) -> GradientProgram:
        model = self.task.build_model(0, self.dtype).to(self.device)
        tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        own = [tensors[name].detach().contiguous() for name in self.layout.shapes]
        other = [tensors[name].detach().contiguous() for name in (*extras.stacked, *extras.shared)]
        splits = self.task.splits(0)
        first = self.task.training_batch(splits, splits.train[None, :batch_size], seed=0, start=0)
        inputs, targets = to_device(*first, self.dtype, self.device)
        batch = [contiguous_column(x) for x in (*inputs, targets)]
        kinds = [x.dtype for x in (*inputs, targets)]

        def gradient(*arguments: Tensor) -> tuple[Tensor, ...]:
            """(*parameters, *extras, *batch) → loss, *gradients."""
            self.model.train()
            parameters = dict(zip(self.layout.shapes, arguments, strict=False))
            stacked, shared = extras.named(arguments[len(own) : len(own) + len(extras)])
            *inputs, targets = (x.to(kind) for x, kind in zip(arguments[len(own) + len(extras) :], kinds, strict=True))
            found, loss = grad_and_value(self._loss)(parameters, stacked, shared, tuple(inputs), targets)
            return loss, *(found[name] for name in self.layout.shapes)

        if self.device.type != "cpu":
            raise NotCompiled(f"compiled programs run on the CPU, not on {self.device}")
        try:
            graph = graph_of(gradient, [*own, *other, *batch])
        except Exception as error:  # a model may do anything; if it cannot be traced, it runs kernel by kernel
            raise NotCompiled(f"the model cannot be traced ({kind_and_line(error)})") from error
        is_random = any(is_random_op(node.target) for node in graph.nodes)
        drawn = drawn_by(lambda: self.task.training_loss(model.train()(*inputs), targets)) if is_random else ()
        try:
            gradient_program = GradientProgram(graph, self.layout, len(extras), batch, self.dtype, drawn)
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise NotCompiled(f"a call in the model has no C++ lowering ({kind_and_line(error)})") from error
        is_same = partial(gives_same, gradient_program, gradient, own, other, batch)
        if not is_same(_tolerance(graph)):
            wide = programs(self.task, torch.float64, self.device)
            if self.dtype is torch.float64 or not is_same(MOST_ROUNDING) or not wide.has_program(extras, batch_size):
                raise NotCompiled("the results of the generated program differ from those of the model")
        return gradient_program

    def has_program(self, extras: Extras, batch_size: int) -> bool:
        try:
            self.gradient_program(extras, batch_size)
        except NotCompiled:
            return False
        return True

    def _loss(self, parameters: Named, stacked: Named, shared: Named, inputs: Any, targets: Tensor) -> Tensor:
        """The loss of one replica on one batch."""
        return self.task.training_loss(functional_call(self.model, parameters | stacked | shared, inputs), targets)

    def outputs(self, extras: Extras, *example: Tensor) -> Program:
        """(parameters [R, P], *extras, *inputs [n, …]) → outputs [R, n, …], in evaluation mode."""

        def outputs_of_one(parameters: Named, stacked: Named, shared: Named, inputs: Any) -> Tensor:
            def forward(parameters: Named) -> Tensor:
                return functional_call(self.model, parameters | stacked | shared, inputs)

            return vjp(forward, parameters)[0]  # vmap accepts recurrent layers only under differentiation

        of_all = vmap(outputs_of_one, (0, 0, None, None), randomness="different")

        def outputs(flat: Tensor, *rest: Tensor) -> Tensor:
            self.model.eval()
            stacked, shared = extras.named(rest[: len(extras)])
            return of_all(self.layout.views(flat), stacked, shared, rest[len(extras) :])

        return self._program(("outputs", extras), outputs, example)

    def scores(self, *example: Tensor) -> Program:
        """(outputs [R, n, …], targets [n, …]) → loss [R], metric [R]."""

        def scores_of_one(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
            return self.task.measured_loss(outputs, targets), self.task.quality.fn(outputs, targets)

        return self._program(("scores",), vmap(scores_of_one, (0, None)), example)

    def _program(self, name: tuple, function: Function, example: Sequence[Tensor]) -> Program:
        key = (name, *(tensor.shape for tensor in example))
        if key not in self._ready:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # vmap warns where it runs an operation lane by lane
                self._ready[key] = (
                    program(function, *example, copies_matter=bool(self.changing))
                    if self.traced
                    else Program(function, is_random=True)
                )
        return self._ready[key]


def _tolerance(graph: fx.Graph) -> float:
    """By how much the gradients of a graph may differ from a program's: a model may round to fewer digits inside."""
    values = (node.meta.get("val") for node in graph.nodes)
    kinds = {value.dtype for value in values if isinstance(value, Tensor) and value.is_floating_point()}
    return DOUBLE_TOLERANCE if kinds <= {torch.float64} else SINGLE_TOLERANCE


@lru_cache(maxsize=16)  # each value of an axis is a task of its own, and their jobs alternate
def programs(task: Task, dtype: torch.dtype, device: torch.device, traced: bool = True) -> Programs:
    """The programs of a task, cached for the next fleet."""
    return Programs(task, dtype, device, traced)
