"""The lanes of a fleet in the hands of a generated program: where their numbers lie, told to it in addresses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steepest.engine.compiled.program import Native
from steepest.engine.data import Examples
from steepest.engine.graph import close
from steepest.engine.random_sources import kept, seed_step


@dataclass(frozen=True)
class Stretch:
    """What the seeds of a fleet meet in some steps."""

    examples: Sequence[Examples]  # of each seed
    luck: Sequence[Sequence[Tensor]]  # of each seed: what it draws, each [steps, numbers]

    @property
    def steps(self) -> int:
        return len(self.examples[0].places)


class Lanes:
    """Rows of a fleet on their way through a stretch: their addresses are laid out once."""

    def __init__(
        self,
        program: Native,
        stretch: Stretch,
        flat: Tensor,  # [R, P]
        tensors: Sequence[Tensor],
        stacked: int,
        seed_of_lane: Sequence[int],
        rows: Sequence[int],
    ) -> None:
        """`tensors` are the extras, of which the first `stacked` have lanes; they are changed in place."""
        self.program, self.rows = program, np.asarray(rows, dtype=np.int64)
        self.losses = np.full((len(flat), stretch.steps), np.nan, dtype=str(flat.dtype).removeprefix("torch."))
        """[R, steps], NaN for other rows."""
        self._places = [np.ascontiguousarray(each.places, dtype=np.int64) for each in stretch.examples]
        self._length = np.array([flat.shape[1]], dtype=np.int64)
        self._kept = stretch, tensors
        seeds, all_alike = np.asarray(seed_of_lane)[self.rows], np.zeros_like(self.rows)
        columns = zip(*(each.columns for each in stretch.examples), strict=True)
        luck = [*zip(*stretch.luck, strict=True)]
        self._table = np.stack(  # [pointers, n], in the order of the program
            [
                _picked([x.ctypes.data for x in self._places], seeds),
                _beginning(self.losses.ctypes.data, self.losses.strides[0], self.rows),
                all_alike.astype(np.uint64),  # coefficients, if there are any
                _picked([self._length.ctypes.data], all_alike),
                *(_picked([x.data_ptr() for x in of_seeds], seeds) for of_seeds in columns),
                *(rows_of(x, self.rows) for x in tensors[:stacked]),
                *(_picked([x.data_ptr()], all_alike) for x in tensors[stacked:]),
                *(_picked([x.data_ptr() for x in of_seeds], seeds) for of_seeds in luck),
            ]
        )
        on = [program.batch_size * self._places[0].itemsize, self.losses.itemsize]
        on += [0] * (len(self._table) - len(on) - len(luck))
        on += [x.shape[1] * x.element_size() for x, *_ in luck]
        self._on = np.array(on, dtype=np.uint64)[:, None]  # [pointers, 1]: bytes from one step to the next

    def train(
        self, flat: Tensor, state: Sequence[Tensor], kernel: int, coefficients: np.ndarray, of_lane: np.ndarray
    ) -> np.ndarray:
        """All steps of the stretch with their updates, in place, lane after lane; their losses [steps, R].

        `kernel` is the address of a rule's, each state is [R, Q], coefficients are [distinct rates, steps, n], and
        `of_lane` [R] says which of the rates a lane has.
        """
        scratch = torch.empty_like(flat[0])
        self._table[2] = _beginning(coefficients.ctypes.data, coefficients.strides[0], of_lane[self.rows])
        gradients = _picked([scratch.data_ptr()], np.zeros_like(self.rows))
        moved = [rows_of(flat, self.rows), gradients, *(rows_of(x, self.rows) for x in state)]
        self._call(len(self.losses[0]), moved, kernel, coefficients.shape[2])
        return self.losses.T

    def step(self, flat: Tensor, gradients: Tensor) -> None:
        """Gradients [R, P] at `flat` [R, P], in the first step of the stretch at the first call, and so on."""
        self._call(1, [rows_of(flat, self.rows), rows_of(gradients, self.rows)])
        self._table += self._on

    def _call(self, steps: int, moved: Sequence[np.ndarray], kernel: int = 0, coefficients: int = 0) -> None:
        pointers = np.ascontiguousarray(np.concatenate([self._table, np.stack(moved)]).T)
        self.program.train(steps, pointers, kernel, coefficients)


def _picked(addresses: Sequence[int], which: np.ndarray) -> np.ndarray:
    return np.array(addresses, dtype=np.uint64)[which]


def _beginning(address: int, stride: int, rows: np.ndarray) -> np.ndarray:
    """Where rows begin that are `stride` bytes apart."""
    return np.uint64(address) + rows.astype(np.uint64) * np.uint64(stride)


def rows_of(x: Tensor, rows: np.ndarray) -> np.ndarray:
    """The addresses [n], uint64, of these rows of an array [R, …]."""
    return _beginning(x.data_ptr(), x.stride(0) * x.element_size(), rows)


def agrees(
    program: Native,
    function: Callable[..., Any],
    own: Sequence[Tensor],
    extras: Sequence[Tensor],
    batch: Sequence[Tensor],
) -> bool:
    """Whether a program gives what its function does, (*parameters, *extras, *batch) → loss, *gradients, and leaves the
    same extras behind, given the same luck.
    """
    theirs, mine = ([x.clone() for x in extras] for _ in range(2))
    with kept():
        seed_step(0, 1)
        loss, *gradients = function(*own, *theirs, *batch)
        luck = program.luck.drawn(0, 0, 1)
    flat = torch.cat([x.flatten() for x in own])[None]
    found = torch.empty_like(flat)
    stretch = Stretch([Examples(list(batch), np.arange(program.batch_size)[None])], [luck])
    lanes = Lanes(program, stretch, flat, mine, 0, [0], [0])
    lanes.step(flat, found)
    ours = [torch.from_numpy(lanes.losses[0]), found[0], *mine]
    return all(map(close, ours, [loss[None], torch.cat([x.flatten() for x in gradients]), *theirs]))
