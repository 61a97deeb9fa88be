"""Applies update rules to the parameters of one model or of a fleet. Only this module knows what each scope may see.

A rule is written for one parameter tensor; an element-wise rule works on any tensor. One model has a tuple of state
tensors for each parameter. A fleet has one buffer [R, Q] for each name of the state, in which the parameters follow
each other as in the buffer [R, P] of the parameters themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.func import vmap

from steepest.errors import BadInput
from steepest.optim.owners import Work, by_owners, can_be_owned, move_by_owners
from steepest.optim.per_parameter import PerParameter
from steepest.optim.reductions import Part, across
from steepest.optim.rule import Rule, Scalars, Tensors, Updated, named_state, state_record

if TYPE_CHECKING:
    from steepest.optim.wrappers import Wrapper

Shapes = Sequence[Sequence[int]]
FleetScalars = Scalars | PerParameter
"""The coefficients of a step of a fleet: of all parameters, or of each."""

BLOCK = 2**17
"""Numbers that an update processes at a time: together with the temporaries they fit into the cache."""


def check_matrices(rule: type[Rule], shapes: Shapes) -> None:
    """Raise BadInput for a rule of matrices if none of the parameters is one."""
    if rule.fallback is not None and all(len(shape) < 2 for shape in shapes):
        raise BadInput(
            f"{rule.__name__} works on matrices, but no parameter has two or more axes. "
            f"Use its fallback, {rule.fallback.__name__}, instead."
        )


def forms_of(rule: type[Rule], count: int) -> Sequence[type[Rule]]:
    """The rule for each of a model's parameters."""
    return rule.forms or (rule,) * count


def state_shapes(rule: type[Rule], shape: Sequence[int]) -> list[torch.Size]:
    """The shapes of the state tensors of a parameter of this shape, in the order of their names."""
    other = {**rule.shapes(torch.Size(shape)), **dict.fromkeys(rule.numbers, (1,))}
    return [torch.Size(other.get(name, shape)) for name in rule.state]


# ---- one model -------------------------------------------------------------------------------------------------------


def fresh(rule: type[Rule], h: Rule, w: Tensor, whole: torch.Size | None = None) -> Tensors:
    """The state of one parameter [*shape] before the first step. `h`: its hyperparameters. whole: the shape of the
    parameter of which w is a part, as are then the states of that shape.
    """
    initial, whole = rule.initial(h), w.shape if whole is None else whole
    return tuple(
        (torch.empty_like(w) if shape == whole else w.new_empty(shape)).fill_(initial.get(name, 0.0))
        for name, shape in zip(rule.state, state_shapes(rule, whole), strict=True)
    )


def moved(rule: type[Rule], w: Tensor, g: Tensor, state: Tensors, c: Scalars, part: Part | None = None) -> Updated:
    """One parameter [*shape] and its state after a step with the gradient `g` and the coefficients `c`.

    Not for rules of the whole model. part: of a parameter of which w, g and the states of its shape are a part; the
    rule sees them whole.
    """
    if part is None:
        return rule.update(w, g, state_record(rule, _renewed(rule, w, g, state, c)), c)
    is_part = [shape == part.shape for shape in state_shapes(rule, part.shape)]
    held = tuple(part.whole(x) if divided else x for x, divided in zip(state, is_part, strict=True))
    new, new_state = moved(rule, part.whole(w), part.whole(g), held, c)
    return part.part(new), tuple(part.part(x) if divided else x for x, divided in zip(new_state, is_part, strict=True))


def is_wide(rule: type[Rule]) -> bool:
    """Whether a rule updates all parameters of a model together."""
    return rule.scope == "model"


def moved_together(
    rule: type[Rule],
    ws: Sequence[Tensor],
    gs: Sequence[Tensor],
    states: Sequence[Tensors],
    cs: Sequence[Scalars],
    parts: Sequence[Part | None] = (),
) -> list[Updated]:
    """All parameters of a model and their states after a step; each has its own coefficients.

    A number that belongs to the model is the same in every state. parts: of each parameter of which this process has a
    part only; then call it within `reductions.across`. Raises BadInput if parameters that a rule updates together
    differ in type, or in settings on which such a number depends.
    """
    parts = parts if rule.scope != "element" and any(parts) else [None] * len(ws)
    if rule.layers is None and (is_wide(rule) or (rule.is_flat and any(parts) and not rule.forms)):
        return _moved_side_by_side(rule, ws, gs, states, cs)
    if rule.layers is None:
        return _moved_one_by_one(forms_of(rule, len(ws)), ws, gs, states, cs, parts)
    wrapper, inner = rule.layers
    own = len(inner.state)
    if wrapper.scope == "model":
        given = _cut(wrapper.before(_side_by_side(ws), _side_by_side(gs), _joined(cs, ws)), ws)
    else:
        given = [
            _of_whole(wrapper, part, lambda w, g, c=c: (wrapper.before(w, g, c),), w, g)[0]
            for w, g, c, part in zip(ws, gs, cs, parts, strict=True)
        ]
    results = moved_together(inner, ws, given, [state[:own] for state in states], cs, parts)
    for i, (new, state) in enumerate(results):

        def after(w: Tensor, new: Tensor, g: Tensor, *held: Tensor, c: Scalars = cs[i]) -> Tensors:
            new, kept = wrapper.after(w, new, g, state_record(wrapper, held), c)
            return (new, *kept)

        new, *kept = _of_whole(wrapper, parts[i], after, ws[i], new, gs[i], *states[i][own:])
        results[i] = (new, (*state, *kept))
    return results


def _moved_one_by_one(
    forms: Sequence[type[Rule]],
    ws: Sequence[Tensor],
    gs: Sequence[Tensor],
    states: Sequence[Tensors],
    cs: Sequence[Scalars],
    parts: Sequence[Part | None],
) -> list[Updated]:
    """Each sees a whole tensor: of a divided one that of its owner, or else every process gathers it."""
    work: list[Work] = []
    for form, w, g, state, c, part in zip(forms, ws, gs, states, cs, parts, strict=True):
        divided = () if part is None else tuple(shape == part.shape for shape in state_shapes(form, part.shape))
        work.append(Work(form, w, g, state, c, part, divided))
    shared = [each for each in work if each.part is not None]
    with across(None):
        if not can_be_owned(shared) or not by_owners.get() or torch.compiler.is_compiling():
            return [moved(*each[:-1]) for each in work]
        owned = iter(move_by_owners(shared, lambda each: moved(*each[:-1])))
        return [moved(*each[:-1]) if each.part is None else next(owned) for each in work]


def _of_whole(wrapper: type[Wrapper], part: Part | None, function: Callable[..., Tensors], *tensors: Tensor) -> Tensors:
    """A wrapper's function of tensors of one parameter: of the whole ones, if these are parts and the wrapper asks."""
    if part is None or wrapper.scope != "tensor":
        return function(*tensors)
    return tuple(map(part.part, function(*map(part.whole, tensors))))


def with_second(
    rule: type[Rule],
    ws: Sequence[Tensor],
    gs: Sequence[Tensor],
    states: Sequence[Tensors],
    cs: Sequence[Scalars],
    again: Callable[[], Sequence[Tensor]],
) -> tuple[list[Tensor], list[Tensors]]:
    """The gradients and states for the update of a rule that needs a second gradient.

    `again` computes the second gradient, one tensor per parameter, at the current values of the parameters. They are
    changed in place before the call and restored after it.
    """
    due = [getattr(c, "second", 1.0) != 0 for c in cs]
    if not any(due):
        return list(gs), list(states)
    kept = [w.clone() for w in ws]
    try:
        if rule.second == "elsewhere":
            for w, there, is_due in zip(ws, _elsewhere(rule, ws, gs, states, cs), due, strict=True):
                if is_due:
                    w.copy_(there)
        seconds = again()
    finally:
        for w, before in zip(ws, kept, strict=True):
            w.copy_(before)
    gradients, changed = list(gs), list(states)
    for i, (w, second, c) in enumerate(zip(ws, seconds, cs, strict=True)):
        if due[i]:
            held = state_record(rule, states[i])
            gradients[i], news = rule.combine(w, gs[i], second, held, c)
            changed[i] = tuple(held._replace(**news))
    return gradients, changed


def _elsewhere(
    rule: type[Rule], ws: Sequence[Tensor], gs: Sequence[Tensor], states: Sequence[Tensors], cs: Sequence[Scalars]
) -> Sequence[Tensor]:
    columns = dict(zip(rule.state, zip(*states, strict=True), strict=True)) if rule.state else {}
    alike = {name: xs for name, xs in columns.items() if all(x.shape == w.shape for x, w in zip(xs, ws, strict=True))}
    held = named_state(tuple(alike), [_side_by_side(xs) for xs in alike.values()])
    return _cut(rule.elsewhere(_side_by_side(ws), _side_by_side(gs), held, _joined(cs, ws)), ws)


def _moved_side_by_side(
    rule: type[Rule], ws: Sequence[Tensor], gs: Sequence[Tensor], states: Sequence[Tensors], cs: Sequence[Scalars]
) -> list[Updated]:
    buffers = [
        values[0] if name in rule.numbers else _side_by_side(values)
        for name, values in zip(rule.state, zip(*states, strict=True), strict=True)
    ]
    new, new_state = rule.update(_side_by_side(ws), _side_by_side(gs), state_record(rule, buffers), _joined(cs, ws))
    _check_numbers(rule, buffers, new_state)
    columns = [
        [value] * len(ws) if name in rule.numbers else _cut(value, ws)
        for name, value in zip(rule.state, new_state, strict=True)
    ]
    return [(there, tuple(column[i] for column in columns)) for i, there in enumerate(_cut(new, ws))]


def _check_numbers(rule: type[Rule], before: Sequence[Tensor], after: Sequence[Tensor]) -> None:
    """Raise BadInput if a number that belongs to the whole model has become several."""
    for name, old, new in zip(rule.state, before, after, strict=True) if rule.numbers else ():
        if name in rule.numbers and new.shape != old.shape:
            raise BadInput(
                f"{rule.__name__} has one {name} for all parameters, but the settings of the parameter groups differ. "
                "Only the rate and weight decay may differ, and no group may be added later."
            )


def _side_by_side(tensors: Sequence[Tensor]) -> Tensor:
    """One row [P]."""
    if len({(x.dtype, x.device) for x in tensors}) > 1:
        raise BadInput(
            "This rule updates all parameters together: they must have one dtype and be on one device. "
            "Use one optimizer for each kind of parameter."
        )
    return torch.cat([x.reshape(-1) for x in tensors])


def _cut(row: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    parts = row.split([x.numel() for x in like])
    return [part.reshape(x.shape) for part, x in zip(parts, like, strict=True)]


def _joined(cs: Sequence[Scalars], like: Sequence[Tensor]) -> Scalars:
    """The coefficients of all parameters as one record: floats where they agree, else one number per element, [P]."""
    if all(c == cs[0] for c in cs):
        return cs[0]
    columns = (
        values[0]
        if len(set(values)) == 1
        else torch.cat([x.new_full((x.numel(),), value) for x, value in zip(like, values, strict=True)])
        for values in zip(*cs, strict=True)
    )
    return type(cs[0])(*columns)


def _renewed(rule: type[Rule], w: Tensor, g: Tensor, state: Tensors, c: Scalars) -> Tensors:
    """The state of one parameter after the periodic work, if it is due in this step."""
    due = getattr(c, "renew", 0.0)
    if not isinstance(due, Tensor) and not due:
        return state
    old = state_record(rule, state)
    new = old._replace(**rule.renew(w, g, old, c))
    if not isinstance(due, Tensor):
        return tuple(new)
    return tuple(torch.where(due != 0, x, y) for x, y in zip(new, old, strict=True))


# ---- a fleet ---------------------------------------------------------------------------------------------------------


def fresh_fleet(
    rule: type[Rule], starts: Sequence[Sequence[Rule]], shapes: Shapes, w: Tensor, group_of: Sequence[int] = ()
) -> Tensors:
    """The state of R replicas as buffers like `w` [R, P]. `starts` [groups][R]: the hyperparameters of each group and
    replica; `group_of`: the group of each parameter, if there are several.
    """
    check_matrices(rule, shapes)
    values = [[rule.initial(h) for h in of_group] for of_group in starts]
    each = zip(forms_of(rule, len(shapes)), shapes, strict=True)
    sizes = [[math.prod(shape) for shape in state_shapes(form, shape)] for form, shape in each]  # parameter, state
    groups = group_of or [0] * len(shapes)
    buffers = []
    for i, name in enumerate(rule.state):
        columns = [w.new_tensor([[value.get(name, 0.0)] for value in of_group]) for of_group in values]  # [R, 1] each
        if name in rule.numbers:
            buffers.append(columns[0].clone())
            continue
        parts = [columns[group].expand(-1, size[i]) for group, size in zip(groups, sizes, strict=True)]
        buffers.append(torch.cat(parts, dim=1))
    return tuple(buffers)


def advance(rule: type[Rule], shapes: Shapes, w: Tensor, g: Tensor, state: Tensors, c: FleetScalars) -> Updated:
    """One update of all replicas: `w` and `g` are [R, P], each state [R, Q], coefficients floats or [R, 1].

    The old buffers may be overwritten.
    """
    if rule.layers is not None:
        return _in_layers(*rule.layers, shapes, w, g, state, c)
    if rule.scope in ("tensor", "matrix"):
        return _by_tensor(rule, shapes, w, g, state, c)
    return _by_row(rule, w, g, state, c.joined(shapes, w) if isinstance(c, PerParameter) else c)


def _by_row(rule: type[Rule], w: Tensor, g: Tensor, state: Tensors, c: Scalars) -> Updated:
    """Update whole buffers: in one call, or, if they are larger than the cache, some rows at a time and in place."""
    if w.numel() <= BLOCK:
        new, new_state = rule.update(w, g, state_record(rule, state), c)
        _check_numbers(rule, state, new_state)
        return new, new_state
    rows = max(1, BLOCK // w.shape[1])
    coefficients = [x.split(rows) if isinstance(x, Tensor) else repeat(x) for x in c]
    for old, gradient, *others in zip(
        zip(*(x.split(rows) for x in (w, *state)), strict=True), g.split(rows), *coefficients, strict=False
    ):
        new, new_state = rule.update(old[0], gradient, state_record(rule, old[1:]), type(c)(*others))
        _check_numbers(rule, old[1:], new_state)
        for before, after in zip(old, (new, *new_state), strict=True):
            before.copy_(after)
    return w, state


def _by_tensor(rule: type[Rule], shapes: Shapes, w: Tensor, g: Tensor, state: Tensors, c: FleetScalars) -> Updated:
    def of_one(form: type[Rule], c: Scalars, w: Tensor, g: Tensor, *held: Tensor) -> Tensors:
        new, new_state = moved(form, w, g, held, c)
        return (new, *new_state)

    forms = forms_of(rule, len(shapes))
    kinds = [(shape, shape, *state_shapes(form, shape)) for form, shape in zip(forms, shapes, strict=True)]
    if isinstance(c, PerParameter):
        c = PerParameter(tuple(map(_without_idle_work, c.records)), c.group_of)
    else:
        c = _without_idle_work(c)
    new, *new_state = _lane_by_lane([partial(of_one, form) for form in forms], kinds, c, w, g, *state)
    return new, tuple(new_state)


def _without_idle_work(c: Scalars) -> Scalars:
    """The coefficients, with a float for `renew` if it is not due in any lane."""
    due = getattr(c, "renew", 0.0)
    return c._replace(renew=0.0) if isinstance(due, Tensor) and not due.any() else c


def _lane_by_lane(
    functions: Sequence[Any], kinds: Sequence[Sequence[Any]], c: FleetScalars, *buffers: Tensor
) -> list[Tensor]:
    """Call `functions[i](c, *tensors)` for each parameter i, for all lanes at once. A function sees the tensors of a
    single model. `kinds` [parameter][buffer]: their shapes. Returns buffers.
    """
    columns = [
        buffer.split([math.prod(each[i]) for each in kinds], dim=1) for i, buffer in enumerate(buffers)
    ]  # buffer, parameter → [R, n]

    def of_parameter(function: Any, c: Scalars, each: Sequence[Any], parts: Sequence[Tensor]) -> Tensors:
        changing = [name for name, value in zip(c._fields, c, strict=True) if isinstance(value, Tensor)]
        lanes = [getattr(c, name)[:, 0] for name in changing]  # [R] each

        def of_one(tensors: Tensors, scalars: Sequence[Tensor]) -> Tensors:
            return function(c._replace(**dict(zip(changing, scalars, strict=True))), *tensors)

        return vmap(of_one)(tuple(x.unflatten(1, shape or (1,)) for x, shape in zip(parts, each, strict=True)), lanes)

    cs = c.of_each() if isinstance(c, PerParameter) else repeat(c)
    results = [
        of_parameter(function, own, each, parts)
        for function, own, each, *parts in zip(functions, cs, kinds, *columns, strict=False)
    ]
    return [torch.cat([part.flatten(1) for part in parts], dim=1) for parts in zip(*results, strict=True)]


def _in_layers(
    wrapper: type[Wrapper], inner: type[Rule], shapes: Shapes, w: Tensor, g: Tensor, state: Tensors, c: FleetScalars
) -> Updated:
    """Apply a wrapper and a rule one after the other, where one works on the whole model and the other on tensors."""
    own = len(inner.state)
    whole = c.joined(shapes, w) if isinstance(c, PerParameter) else c

    def wrapped(function: Any, *buffers: Tensor) -> list[Tensor]:
        if wrapper.scope != "tensor":
            return [*function(whole, *buffers)]
        kinds = [(shape,) * len(buffers) for shape in shapes]
        return _lane_by_lane([function] * len(kinds), kinds, c, *buffers)

    def after(c: Scalars, w: Tensor, new: Tensor, g: Tensor, *held: Tensor) -> Tensors:
        new, kept = wrapper.after(w, new, g, state_record(wrapper, held), c)
        return (new, *kept)

    given = wrapped(lambda c, w, g: (wrapper.before(w, g, c),), w, g)[0]
    start = w.clone()  # the inner rule may overwrite it
    new, moved_state = advance(inner, shapes, w, given, state[:own], c)
    new, *kept = wrapped(after, start, new, g, *state[own:])
    return new, (*moved_state, *kept)


# ---- both ------------------------------------------------------------------------------------------------------------


def evaluated(rule: type[Rule], w: Tensor, state: Tensors, c: Scalars) -> Tensor:
    """Where to evaluate a model with parameters `w`, one or the buffer of all, after a step with coefficients `c`."""
    return rule.evaluation_weights(w, state_record(rule, state), c)
