"""The lanes of a fleet in the hands of a generated program: where their numbers lie, told to it in addresses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steepest.engine.data import Examples
from steepest.engine.graph import close
from steepest.engine.native.program import FIXED, Native


def trained(
    program: Native,
    flat: Tensor,  # [R, P]
    tensors: Sequence[Tensor],
    stacked: int,
    seed_of_lane: Sequence[int],
    examples: Sequence[Examples],
    rows: Sequence[int],
    gradients: Tensor | None = None,
    update: tuple[int, Sequence[Tensor], np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """Train these rows of a fleet in place, and give the batch losses [steps, R], NaN for other rows.

    `tensors` are the extras, of which the first `stacked` have lanes. Either the `gradients` [R, P] of a single step
    are left for somebody else's update; or `update` is the address of a rule's kernel, the state, each [R, Q],
    coefficients [distinct rates, steps, n], and which of the rates each lane has.
    """
    steps = len(examples[0].places)
    losses = np.full((flat.shape[0], steps), np.nan, dtype=str(flat.dtype).removeprefix("torch."))
    kernel, state, coefficients, of_lane = update or (0, (), np.zeros((1, 1, 1)), np.zeros(len(flat), dtype=int))
    places = [np.ascontiguousarray(each.places, dtype=np.int64) for each in examples]
    scratch = torch.empty(flat.shape[1] if gradients is None else 0, dtype=flat.dtype)
    length = np.array([flat.shape[1]], dtype=np.int64)
    columns = [[x.data_ptr() for x in each.columns] for each in examples]
    lanes = np.empty((len(rows), FIXED + len(columns[0]) + len(tensors) + 2 + len(state)), dtype=np.uint64)
    for i, row in enumerate(rows):
        seed = seed_of_lane[row]
        c = coefficients[of_lane[row]]
        lanes[i] = [
            places[seed].ctypes.data,
            losses[row].ctypes.data,
            c.ctypes.data,
            length.ctypes.data,
            *columns[seed],
            *(_address(x, row) if j < stacked else x.data_ptr() for j, x in enumerate(tensors)),
            _address(flat, row),
            scratch.data_ptr() if gradients is None else _address(gradients, row),
            *(_address(x, row) for x in state),
        ]
    program.train(steps, lanes, kernel, coefficients.shape[2])
    return losses.T


def _address(x: Tensor, row: int) -> int:
    return x.data_ptr() + row * x.stride(0) * x.element_size()


def agrees(
    program: Native,
    function: Callable[..., Any],
    own: Sequence[Tensor],
    extras: Sequence[Tensor],
    batch: Sequence[Tensor],
) -> bool:
    """Whether a program gives what its function does, (*parameters, *extras, *batch) → loss, *gradients, and leaves the
    same extras behind.
    """
    theirs, mine = ([x.clone() for x in extras] for _ in range(2))
    loss, *gradients = function(*own, *theirs, *batch)
    flat = torch.cat([x.flatten() for x in own])[None]
    found = torch.empty_like(flat)
    examples = [Examples(list(batch), np.arange(program.batch_size)[None])]
    losses = trained(program, flat, mine, 0, [0], examples, [0], found)
    ours = [torch.from_numpy(losses[0]), found[0], *mine]
    return all(map(close, ours, [loss[None], torch.cat([x.flatten() for x in gradients]), *theirs]))
