"""The update of all lanes of a fleet: the rule's own function, as it is, or compiled into one pass over the buffers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from steepest.engine.coefficients import Coefficients
from steepest.engine.graph import same
from steepest.engine.library import compiled, obstacle
from steepest.optim.apply import Shapes, State, advance, evaluated
from steepest.optim.kernel import TYPES, Kernel, NotCompiled, kernel
from steepest.optim.rule import Rule, averages, coefficient_record, state_record

LANES, ROW = 3, 50
"""The sizes of the example from which a library for all sizes is made."""
PROBES = 8
"""Steps by which it is told which coefficients never change: t = 1, 2, 4, …"""


class Updates:
    """The updates of one fleet, step after step."""

    def __init__(self, rule: type[Rule], shapes: Shapes, coefficients: Coefficients) -> None:
        self.rule, self.shapes, self.coefficients = rule, shapes, coefficients
        self.last: Any = None
        """The coefficients of the step before."""

    def steps(self, start: int, stop: int) -> Iterable[Any]:
        """What `apply` takes at each of the steps t = start + 1 … stop."""
        return self.coefficients.steps(start, stop)

    def apply(self, w: Tensor, g: Tensor, state: State, c: Any) -> tuple[Tensor, State]:
        """One update: `w` and `g` [R, P], each state [R, Q]. The old buffers may be written over."""
        self.last = c
        return advance(self.rule, self.shapes, w, g, state, c)

    def evaluated(self, w: Tensor, state: State) -> Tensor:
        """Where to evaluate the lanes after the last step: [R, P]."""
        if self.last is None or not averages(self.rule):
            return w
        return evaluated(self.rule, w, state, self.last)


class KernelUpdates(Updates):
    """The same as one loop over all numbers, in place, for a rule that treats all elements alike.

    Raises NotCompiled.
    """

    def __init__(self, rule: type[Rule], shapes: Shapes, coefficients: Coefficients, w: Tensor, state: State) -> None:
        super().__init__(rule, shapes, coefficients)
        if rule.scope != "element" or rule.layers is not None:
            raise NotCompiled(f"{rule.__name__} looks at more than one element")
        if w.dtype not in TYPES or w.device.type != "cpu":
            raise NotCompiled(f"there are kernels for float32 and float64 on the CPU, not for {w.dtype} on {w.device}")
        self._offsets = np.arange(len(w), dtype=np.uint64) * np.uint64(w.shape[1] * w.element_size())  # [R]
        self._kernel(*coefficients.table(0, 1))

    def _kernel(self, names: Sequence[str], values: np.ndarray) -> Kernel:
        """The kernel for steps with these coefficients [steps, distinct rates, names]."""
        pattern = np.where(_is_fixed(values), values[0, 0], np.nan)
        return kernel(self.rule, coefficient_record(dict(zip(names, pattern.tolist(), strict=True))))

    def steps(self, start: int, stop: int) -> Iterable[Any]:
        names, values = self.coefficients.table(start, stop)
        self.names, self.now = names, self._kernel(names, values)
        return np.ascontiguousarray(values[:, self.coefficients.of_lane])  # [steps, R, names]

    def apply(self, w: Tensor, g: Tensor, state: State, c: Any) -> tuple[Tensor, State]:
        addresses = np.stack([x.data_ptr() + self._offsets for x in (w, g, *state)])  # [2 + states, R]
        self.now.rows(addresses, w.shape[1], c, w.dtype)
        if averages(self.rule):
            columns = torch.from_numpy(c).to(w.dtype).T[..., None]  # [names, R, 1]
            self.last = coefficient_record(dict(zip(self.names, columns, strict=True)))
        return w, state


class LibraryUpdates(Updates):
    """The same as one library, in place, for a rule that looks at all parameters of a model; raises NotCompiled.

    A coefficient that is always 0 or always 1 is part of the library, which leaves out what it leaves as it is.
    """

    def __init__(self, rule: type[Rule], shapes: Shapes, coefficients: Coefficients, w: Tensor, state: State) -> None:
        super().__init__(rule, shapes, coefficients)
        if rule.scope not in ("element", "model") or rule.layers is not None:
            raise NotCompiled(f"{rule.__name__} looks at tensors one by one")
        if len(w) < 2:
            raise NotCompiled("a library is made for two lanes or more")
        tables = [coefficients.table(2**i - 1, 2**i) for i in range(PROBES)]
        self.names = tables[0][0]
        seen = np.concatenate([values for _, values in tables])
        is_fixed = _is_fixed(seen)
        self.fixed = {name: float(seen[0, 0, i]) for i, name in enumerate(self.names) if is_fixed[i]}
        self.moving, self.still = np.flatnonzero(~is_fixed), np.flatnonzero(is_fixed)
        for name, x in zip(rule.state, state, strict=True):
            if x.shape != w.shape and name not in rule.numbers:
                raise NotCompiled(f"{rule.__name__} keeps {name} in a shape of its own")
        self._call = _in_one_pass(rule, tuple(self.names), tuple(self.fixed.items()), w.dtype)

    def steps(self, start: int, stop: int) -> Iterable[Any]:
        _, values = self.coefficients.table(start, stop)
        if (values[..., self.still] != [*self.fixed.values()]).any():
            return self.coefficients.steps(start, stop)
        return self.coefficients.of_lanes(values[..., self.moving]).unbind()

    def apply(self, w: Tensor, g: Tensor, state: State, c: Any) -> tuple[Tensor, State]:
        if not isinstance(c, Tensor):  # one that seemed fixed is not, for now
            return super().apply(w, g, state, c)
        self._call(w, g, c, *state)
        if averages(self.rule):
            self.last = _record(self.names, self.fixed, c)
        return w, state


def updates(
    rule: type[Rule], shapes: Shapes, coefficients: Coefficients, w: Tensor, state: State, compile: bool
) -> tuple[Updates, str]:
    """The fastest form there is, and why nothing is compiled that was to be: "" where it is."""
    reasons = [obstacle()] if compile and obstacle() else []
    for kind in (KernelUpdates, LibraryUpdates) if compile and not reasons else ():
        try:
            return kind(rule, shapes, coefficients, w, state), ""
        except NotCompiled as error:
            reasons.append(str(error))
    return Updates(rule, shapes, coefficients), "; ".join(dict.fromkeys(reasons))


def _is_fixed(values: np.ndarray) -> np.ndarray:
    """Which coefficients [names] are 0 in all of these values [steps, distinct rates, names], or 1 in all of them."""
    return (values == 0).all((0, 1)) | (values == 1).all((0, 1))


def _record(names: Iterable[str], fixed: dict[str, float], moving: Tensor) -> Any:
    columns = iter(moving.unbind())
    return coefficient_record({name: fixed[name] if name in fixed else next(columns) for name in names})


@lru_cache(maxsize=64)
def _in_one_pass(
    rule: type[Rule], names: tuple[str, ...], fixed: tuple[tuple[str, float], ...], dtype: torch.dtype
) -> Callable[..., Any]:
    """(w, g, moving coefficients [n, R, 1], *state) → nothing: parameters and state are changed in place."""

    def update(w: Tensor, g: Tensor, c: Tensor, *state: Tensor) -> tuple[()]:
        new, new_state = rule.update(w, g, state_record(rule, state), _record(names, dict(fixed), c))
        for old, value in zip((w, *state), (new, *new_state), strict=True):
            old.copy_(value)
        return ()

    buffer, number = (("lanes", "row"), (LANES, ROW)), (("lanes", None), (LANES, 1))
    moving = ((None, "lanes", None), (len(names) - len(fixed), LANES, 1))
    kinds = [buffer, buffer, moving, *(number if name in rule.numbers else buffer for name in rule.state)]
    lots = torch.Generator().manual_seed(0)
    example = [torch.rand(shape, dtype=dtype, generator=lots) for _, shape in kinds]
    with torch.no_grad():
        graph = make_fx(update)(*(x.clone() for x in example))
        call = compiled(graph, example, [axes for axes, _ in kinds])
        if not same(call, update, example):
            raise NotCompiled(f"the library does not do what {rule.__name__} does")
    return call
