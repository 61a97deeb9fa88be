"""How an update meets the parameters of one model or of a fleet: the one place that knows what a scope may look at.

A rule is written for one parameter tensor, or, where it treats all elements alike, for any tensor at all. One model
keeps a tuple of state tensors for each parameter; a fleet keeps one buffer [R, Q] for each name of the state, with the
parameters' shares side by side as in the buffer [R, P] of the parameters themselves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import repeat
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap

from steepest.errors import BadInput
from steepest.optim.rule import Rule, Updated, state_record

State = tuple[Tensor, ...]
Shapes = Sequence[Sequence[int]]

BLOCK = 2**17
"""Numbers in a buffer that an update takes at a time: with its temporaries they just stay in cache."""


def state_shapes(rule: type[Rule], shape: Sequence[int]) -> list[torch.Size]:
    """The shapes of the state tensors of a parameter of this shape, in the order of their names."""
    other = rule.shapes(torch.Size(shape))
    return [torch.Size(other.get(name, shape)) for name in rule.state]


# ---- one model -------------------------------------------------------------------------------------------------------


def fresh(rule: type[Rule], h: Any, w: Tensor) -> State:
    """The state of one parameter [*shape] before the first step, whose hyperparameters are `h`."""
    _check(rule)
    initial = rule.initial(h)
    return tuple(
        (torch.empty_like(w) if shape == w.shape else w.new_empty(shape)).fill_(initial.get(name, 0.0))
        for name, shape in zip(rule.state, state_shapes(rule, w.shape), strict=True)
    )


def moved(rule: type[Rule], w: Tensor, g: Tensor, state: State, c: Any) -> Updated:
    """One parameter [*shape] and its state after a step with the gradient `g` and the coefficients `c`."""
    return rule.update(w, g, state_record(rule, state), c)


# ---- a fleet ---------------------------------------------------------------------------------------------------------


def fresh_fleet(rule: type[Rule], starts: Sequence[Any], shapes: Shapes, w: Tensor) -> State:
    """The state of R replicas as buffers like `w` [R, P]; each has its own hyperparameters at the `starts` [R]."""
    _check(rule)
    values = [rule.initial(h) for h in starts]
    sizes = [[math.prod(shape) for shape in state_shapes(rule, shape)] for shape in shapes]  # parameter, state
    return tuple(
        w.new_tensor([[value.get(name, 0.0)] for value in values]).expand(-1, sum(size[i] for size in sizes)).clone()
        for i, name in enumerate(rule.state)
    )


def advance(rule: type[Rule], shapes: Shapes, w: Tensor, g: Tensor, state: State, c: Any) -> tuple[Tensor, State]:
    """One update of all replicas: `w` and `g` are [R, P], each state [R, Q], coefficients floats or [R, 1].

    The old buffers may be written over.
    """
    return _BY_SCOPE[rule.scope](rule, shapes, w, g, state, c)


def _by_element(rule: type[Rule], shapes: Shapes, w: Tensor, g: Tensor, state: State, c: Any) -> tuple[Tensor, State]:
    """The buffers as they are: in one go, or, where they outgrow the cache, some rows at a time, back in place."""
    if w.numel() <= BLOCK:
        return rule.update(w, g, state_record(rule, state), c)
    rows = max(1, BLOCK // w.shape[1])
    coefficients = [x.split(rows) if isinstance(x, Tensor) else repeat(x) for x in c]
    for old, gradient, *others in zip(
        zip(*(x.split(rows) for x in (w, *state)), strict=True), g.split(rows), *coefficients, strict=False
    ):
        new, new_state = rule.update(old[0], gradient, state_record(rule, old[1:]), type(c)(*others))
        for before, after in zip(old, (new, *new_state), strict=True):
            before.copy_(after)
    return w, state


def _by_tensor(rule: type[Rule], shapes: Shapes, w: Tensor, g: Tensor, state: State, c: Any) -> tuple[Tensor, State]:
    """One parameter after the other, each for all lanes at once: to the rule every lane looks like a model alone."""
    own = [(shape, shape, *state_shapes(rule, shape)) for shape in shapes]
    columns = [
        buffer.split([math.prod(each[i]) for each in own], dim=1) for i, buffer in enumerate((w, g, *state))
    ]  # buffer, parameter → [R, n]
    changing = [name for name, value in zip(c._fields, c, strict=True) if isinstance(value, Tensor)]
    lanes = [getattr(c, name)[:, 0] for name in changing]  # [R] each

    def of_one(tensors: State, scalars: Sequence[Tensor]) -> State:
        here = c._replace(**dict(zip(changing, scalars, strict=True)))
        new, new_state = rule.update(tensors[0], tensors[1], state_record(rule, tensors[2:]), here)
        return (new, *new_state)

    results = [
        vmap(of_one)(tuple(column.unflatten(1, shape) for column, shape in zip(parts, each, strict=True)), lanes)
        for each, *parts in zip(own, *columns, strict=True)
    ]
    new, *new_state = (torch.cat([part.flatten(1) for part in parts], dim=1) for parts in zip(*results, strict=True))
    return new, tuple(new_state)


_BY_SCOPE = {"element": _by_element, "tensor": _by_tensor}


def _check(rule: type[Rule]) -> None:
    if rule.scope not in _BY_SCOPE:
        raise BadInput(f"{rule.__name__} looks at a whole {rule.scope}: that cannot be trained yet.")
