"""Applies a step of a rule to the parameters of a model in place: by one compiled kernel for all of them if the rule is
element-wise and there is a C++ compiler, else tensor by tensor.
"""

import os
import warnings
from array import array
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain
from operator import attrgetter, is_
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from steepest.adapters.fast_path import FastPath, library
from steepest.adapters.sharded import Shard, local, shard_of, sums_over
from steepest.codegen.elementwise_loop import NUMBER_TYPES, Kernel, NotCompiled, kernel
from steepest.errors import BadInput
from steepest.optim.drivers import fresh, moved, moved_together, state_shapes
from steepest.optim.reductions import across
from steepest.optim.rule import Rule, Tensors
from steepest.optim.sparse import move_rows, moves_rows

_layout = attrgetter("layout")


class Batch(NamedTuple):
    """Parameters that take the same step, with the same coefficients."""

    ps: list[Tensor]
    gs: list[Tensor]
    states: list[list[Tensor]]
    """For each name of the rule's state, that of every parameter."""
    c: Any
    """The coefficients: a record of floats."""
    rule: type[Rule]
    """The rule for these parameters."""
    shards: Sequence[Shard | None] = ()
    """The layout of each parameter, of which then the tensors are this process's part; () if none is sharded."""

    def each(self) -> list[tuple[Tensor, Tensor, Tensors, Any]]:
        """(parameter, gradient, state, coefficients) for each parameter."""
        states = zip(*self.states, strict=True) if self.states else ((),) * len(self.ps)
        return [(p, g, state, self.c) for p, g, state in zip(self.ps, self.gs, states, strict=True)]


def compiles_by_default() -> bool:
    """Whether kernels are compiled by default: unless STEEPEST_COMPILE is 0."""
    return os.environ.get("STEEPEST_COMPILE", "1") != "0"


def begin(rule: type[Rule], h: Any, p: Tensor) -> Tensors:
    """The state of a parameter before its first step; a complex one starts with equal real and imaginary parts."""
    if (shard := shard_of(p)) is not None:
        states = fresh(rule, h, local(p, shard), shard.shape)
        shapes = state_shapes(rule, shard.shape)
        return tuple(
            shard.as_dtensor(x) if shape == shard.shape else x for x, shape in zip(states, shapes, strict=True)
        )
    if not p.is_complex():
        return fresh(rule, h, p)
    check_real(rule, p)
    return tuple(map(torch.view_as_complex, fresh(rule, h, torch.view_as_real(p))))


def on_shards(batch: Batch) -> Batch:
    """The batch with this process's part of every tensor that is sharded."""
    shards = [*map(shard_of, batch.ps)]
    if not any(shards):
        return batch
    columns = [[*map(local, column, shards)] for column in (batch.ps, batch.gs, *batch.states)]
    return Batch(columns[0], columns[1], columns[2:], batch.c, batch.rule, shards)


def move(rule: type[Rule], batch: Batch, is_compiled: bool) -> bool:
    """Update parameters and states in place, compiled where possible; not for rules of the whole model.

    Returns whether one kernel took them all without conversion. Raises BadInput for a kind of gradient or parameter
    that the rule does not support.
    """
    compiled = None
    if is_compiled and rule.scope == "element" and not torch.compiler.is_compiling():
        compiled = kernel_of(rule, batch.c)
    if compiled is not None and _have_moved(compiled, batch):
        return True
    _look_and_move(rule, batch, compiled)
    return False


@torch.no_grad()
def _look_and_move(rule: type[Rule], batch: Batch, compiled: Kernel | None) -> None:
    if set(map(_layout, batch.gs)) != {torch.strided} or any(map(Tensor.is_complex, batch.ps)):
        batch = _ordinary(rule, batch)
    if compiled is not None:
        batch = _move_by_type(compiled, batch)
    if batch.shards and rule.scope != "element":
        ps, gs, states, cs = zip(*batch.each(), strict=True)
        with across(sums_over(ps, batch.shards)):
            results = moved_together(rule, ps, gs, states, cs, batch.shards)
        for p, held, result in zip(ps, states, results, strict=True):
            write(p, held, *result)
        return
    for p, g, state, c in batch.each():
        write(p, state, *moved(rule, p, g, state, c))


def write(p: Tensor, state: Tensors, there: Tensor, new: Tensors) -> None:
    """Copy the results of an update into the tensors that it was computed from."""
    p.copy_(there)
    for old, value in zip(state, new, strict=True):
        if value is not old:
            old.copy_(value)


# ---- complex parameters and sparse gradients -------------------------------------------------------------------------


def real(x: Tensor) -> Tensor:
    """A complex tensor [*shape] as the real one [*shape, 2] in the same memory; others as they are."""
    return torch.view_as_real(x.resolve_conj()) if x.is_complex() else x


def _real_rows(g: Tensor) -> Tensor:
    """The same for a sparse gradient; each of its entries has both parts."""
    if not g.is_complex():
        return g
    g = g.coalesce()
    parts, shape = real(g.values()), (*g.shape, 2)
    return torch.sparse_coo_tensor(g.indices(), parts, shape, is_coalesced=True, check_invariants=False)


def check_real(rule: type[Rule], p: Tensor) -> None:
    """Raise BadInput for a complex parameter that the rule cannot update."""
    if p.is_complex() and rule.scope != "element":
        raise BadInput(
            f"{rule.__name__} does not support complex parameters: it works on whole tensors of real numbers. "
            "Store the parameter as a real tensor and use view_as_complex in the model, "
            "or choose an element-wise rule such as Adam."
        )


def check_dense(rule: type[Rule], g: Tensor) -> None:
    """Raise BadInput for a gradient that is not dense."""
    if g.layout is not torch.strided:
        raise BadInput(
            f"{rule.__name__} does not support sparse gradients with these settings: it also changes weights or state "
            "whose gradient is zero. Build the embedding without sparse=True."
        )


def _ordinary(rule: type[Rule], batch: Batch) -> Batch:
    """The parameters with a dense gradient, as real views; those with a sparse one are updated here."""
    ordinary = Batch([], [], [[] for _ in batch.states], batch.c, batch.rule)
    for p, g, state, c in batch.each():
        check_real(rule, p)
        if g.layout is not torch.strided:
            if not moves_rows(rule, g, c):
                check_dense(rule, g)
            move_rows(rule, real(p), _real_rows(g), tuple(map(real, state)), c)
            continue
        ordinary.ps.append(real(p))
        ordinary.gs.append(real(g))
        for column, x in zip(ordinary.states, state, strict=True):
            column.append(real(x))
    return ordinary


# ---- kernels ---------------------------------------------------------------------------------------------------------


class FastPaths:
    """The fast path of each parameter group of one optimizer, where it has one."""

    def __init__(self) -> None:
        self._last: dict[int, list[Tensor]] = {}  # by the place of a group: what was moved as one
        self._fast_paths: dict[int, FastPath] = {}  # likewise: when that was so twice in a row

    def repeat(self, place: int) -> FastPath | None:
        """The fast path of the group with this index, if it has one."""
        return self._fast_paths.get(place)

    def remember(
        self, place: int, rule: type[Rule], params: list[Tensor], states: Mapping[Tensor, Any], moved: list[Tensor]
    ) -> None:
        """Note which tensors of a group one kernel updated in this step, `moved`; [] if it did not update them all. The
        fast path opens when they are the same twice in a row.
        """
        last, self._last[place] = self._last.get(place, []), moved
        self._fast_paths.pop(place, None)
        helper = library()
        if helper is not None and moved and len(moved) == len(last) and all(map(is_, moved, last)):
            with suppress(KeyError):  # another thread is stepping, too: try again at the next step
                self._fast_paths[place] = FastPath(helper, rule, params, states, moved)


def _have_moved(compiled: Kernel, batch: Batch) -> bool:
    """Update a batch if one kernel can take it without conversion; returns whether it did."""
    helper = library()
    if helper is None or not batch.ps or not _PLAIN.issuperset(map(type, batch.ps)):
        return False
    return helper.run((tuple(batch.ps), tuple(batch.gs), *map(tuple, batch.states)), compiled, batch.c)


def _move_by_type(compiled: Kernel, batch: Batch) -> Batch:
    """Update all parameters that a kernel can take; returns the others."""
    others, by_type = _sorted(batch)
    for fitting in by_type:
        if not _have_moved(compiled, fitting):
            _run(compiled, fitting)
    return others


def _sorted(batch: Batch) -> tuple[Batch, list[Batch]]:
    """The parameters that no kernel takes; and, by dtype, the others, with gradients in their memory order."""
    others = Batch([], [], [[] for _ in batch.states], batch.c, batch.rule)
    by_type: dict[torch.dtype, Batch] = {}
    for p, g, state, c in batch.each():
        chosen = others
        if _is_plain(p, g, state):
            chosen = by_type.setdefault(p.dtype, Batch([], [], [[] for _ in batch.states], c, batch.rule))
            for x in (p, g, *state):
                _check_memory(x)
            if g.is_neg() or not _in_one_order(g, p):
                g = torch.empty_like(p).copy_(g)
        chosen.ps.append(p)
        chosen.gs.append(g)
        for column, x in zip(chosen.states, state, strict=True):
            column.append(x)
    return others, [*by_type.values()]


def _is_plain(p: Tensor, g: Tensor, state: Tensors) -> bool:
    """Whether all have one supported dtype in main memory, and parameter and state are dense with equal strides."""
    if not p.is_cpu or type(p) not in _PLAIN or p.dtype not in NUMBER_TYPES:
        return False
    if g.dtype is not p.dtype or g.shape != p.shape:
        return False
    if not p.is_contiguous() and torch.empty_like(p).stride() != p.stride():
        return False
    return all(x.dtype is p.dtype and x.shape == p.shape and x.is_cpu and _in_one_order(x, p) for x in state)


def _check_memory(x: Tensor) -> None:
    """Raise BadInput if the memory of a tensor was freed, which no kernel would notice."""
    last = x.storage_offset() + sum((n - 1) * step for n, step in zip(x.shape, x.stride(), strict=True))
    if x.numel() and (last + 1) * x.itemsize > x.untyped_storage().nbytes():
        raise BadInput(
            f"A parameter, gradient or state of shape {tuple(x.shape)} has no memory: its storage was resized. "
            "Restore the storage before the optimizer steps."
        )


_PLAIN = {Tensor, torch.nn.Parameter}
"""Subclasses may keep their numbers elsewhere."""


def _in_one_order(x: Tensor, y: Tensor) -> bool:
    return (x.is_contiguous() and y.is_contiguous()) or x.stride() == y.stride()


def _run(compiled: Kernel, batch: Batch) -> None:
    """Update tensors that a kernel can take."""
    columns = [[*map(Tensor.detach, column)] for column in (batch.ps, batch.gs, *batch.states)]  # keep their memory
    addresses = array("Q", map(Tensor.data_ptr, chain(*columns)))
    compiled.step(addresses, array("q", map(Tensor.numel, columns[0])), batch.c, batch.ps[0].dtype)
    increment_version(batch.ps)  # autograd must see it, as it sees every change in place


def kernel_of(rule: type[Rule], c: Any) -> Kernel | None:
    """The kernel for these coefficients; None, with a warning, if there is none."""
    try:
        return kernel(rule, c)
    except NotCompiled as error:
        _warn_once(
            f"{rule.__name__} runs uncompiled, because {error}. The results are the same, but a step takes several "
            "times as long. To choose so, and to read this no more, say compile=False or set STEEPEST_COMPILE=0."
        )
        return None


_warned: set[str] = set()


def _warn_once(sentence: str) -> None:
    if sentence not in _warned:
        _warned.add(sentence)
        warnings.warn(sentence, stacklevel=2)
