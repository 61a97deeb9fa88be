"""The update of all lanes of a fleet: by the rule's own function, or by compiled code in one pass over the buffers."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steepest.codegen.elementwise_loop import NUMBER_TYPES, Kernel, NotCompiled, kernel
from steepest.codegen.toolchain import unavailable_reason
from steepest.engine.coefficients import Coefficients
from steepest.engine.compiled.batch_runner import row_addresses
from steepest.engine.compiled.rule_updates import RuleProgram, rule_program
from steepest.optim.drivers import FleetScalars, Shapes, advance, evaluated
from steepest.optim.per_parameter import PerParameter
from steepest.optim.rule import Rule, Tensors, averages, coefficient_record

VERIFIED_STEPS = 3
"""Steps over which a generated update is compared with its rule."""


class Updates:
    """The updates of one fleet, step after step."""

    def __init__(self, rule: type[Rule], shapes: Shapes, coefficients: Coefficients) -> None:
        self.rule, self.shapes, self.coefficients = rule, shapes, coefficients
        self.last: FleetScalars | None = None
        """The coefficients of the step before."""

    def steps(self, start: int, stop: int) -> Iterable[FleetScalars]:
        """What `apply` takes at each of the steps t = start + 1 … stop."""
        return self.coefficients.steps(start, stop)

    def apply(self, w: Tensor, g: Tensor, state: Tensors, c: Any) -> tuple[Tensor, Tensors]:
        """One update: `w` and `g` [R, P], each state [R, Q]. The old buffers may be overwritten."""
        self.last = c
        return advance(self.rule, self.shapes, w, g, state, c)

    def evaluated(self, w: Tensor, state: Tensors) -> Tensor:
        """The weights with which to evaluate the lanes after the last step: [R, P]."""
        if self.last is None or not averages(self.rule):
            return w
        c = self.last.joined(self.shapes, w) if isinstance(self.last, PerParameter) else self.last
        return evaluated(self.rule, w, state, c)


class KernelUpdates(Updates):
    """The same in place, by machine code: one loop over all numbers for an element-wise rule, a program generated for
    this model for any other.

    Raises NotCompiled.
    """

    def __init__(self, rule: type[Rule], shapes: Shapes, coefficients: Coefficients, w: Tensor, state: Tensors) -> None:
        super().__init__(rule, shapes, coefficients)
        if w.dtype not in NUMBER_TYPES or w.device.type != "cpu":
            raise NotCompiled(f"compiled kernels support float32 and float64 on the CPU, not {w.dtype} on {w.device}")
        self.dtype, self._rows = w.dtype, np.arange(len(w))
        self._program: RuleProgram | None = None
        if rule.scope != "element" or rule.layers is not None or coefficients.key:
            names, values = coefficients.table(0, min(VERIFIED_STEPS, coefficients.horizon))
            row, held = w[0], tuple(x[0] for x in state)
            self._program = rule_program(
                rule, shapes, coefficients, names, row, held, values[:, coefficients.of_lane[0]]
            )
        self._kernel(*coefficients.table(0, 1))

    def _kernel(self, names: Sequence[str], values: np.ndarray) -> Kernel | RuleProgram:
        """The machine code for steps with these coefficients [steps, distinct rates, names]."""
        if self._program is not None:
            return self._program
        pattern = np.where(_is_fixed(values), values[0, 0], np.nan)
        return kernel(self.rule, coefficient_record(dict(zip(names, pattern.tolist(), strict=True))))

    def steps(self, start: int, stop: int) -> Iterable[FleetScalars]:
        _, values = self.together(start, stop)
        return np.ascontiguousarray(values[:, self.coefficients.of_lane])  # [steps, R, names]

    def together(self, start: int, stop: int) -> tuple[Kernel | RuleProgram, np.ndarray]:
        """Machine code for the steps t = start + 1 … stop, and their coefficients [steps, distinct rates, names]."""
        self.names, values = self.coefficients.table(start, stop)
        self.now = self._kernel(self.names, values)
        self.remember(values[-1, self.coefficients.of_lane])
        return self.now, values

    def remember(self, c: np.ndarray) -> None:
        """Store the coefficients [R, names] of the last step, which a rule that averages needs to evaluate."""
        if averages(self.rule):
            columns = torch.from_numpy(c).to(self.dtype).T[..., None]  # [names, R, 1]
            self.last = self.coefficients.record(self.names, [*columns])

    def apply(self, w: Tensor, g: Tensor, state: Tensors, c: Any) -> tuple[Tensor, Tensors]:
        addresses = np.stack([row_addresses(x, self._rows) for x in (w, g, *state)])  # [2 + states, R]
        self.now.rows(addresses, w.shape[1], c, w.dtype)
        self.remember(c)
        return w, state


def updates(
    rule: type[Rule], shapes: Shapes, coefficients: Coefficients, w: Tensor, state: Tensors, compile: bool
) -> tuple[Updates, str]:
    """The fastest form available, and why it is not compiled although asked for, "" if it is."""
    reason = str(unavailable_reason()) if compile else ""
    if compile and not reason:
        try:
            return KernelUpdates(rule, shapes, coefficients, w, state), ""
        except NotCompiled as error:
            reason = str(error)
    return Updates(rule, shapes, coefficients), reason


def _is_fixed(values: np.ndarray) -> np.ndarray:
    """Which coefficients [names] are 0 in all of these values [steps, distinct rates, names], or 1 in all of them."""
    return (values == 0).all((0, 1)) | (values == 1).all((0, 1))
