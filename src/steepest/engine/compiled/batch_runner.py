"""Runs a generated program over the lanes of a fleet: lays out the addresses of their data, and steps them through."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from steepest.engine.compiled.program import GradientProgram
from steepest.engine.data import Examples
from steepest.engine.graph import close
from steepest.engine.random_sources import preserved_generators, seed_step

ROUNDINGS = 100
"""How often a number of order 1 may be rounded on the way to a running statistic."""


@dataclass(frozen=True)
class StepData:
    """The data of some steps, for all seeds of a fleet."""

    examples: Sequence[Examples]  # of each seed
    drawn: Sequence[Sequence[Tensor]]  # of each seed: the random numbers of each operation, [steps, numbers]

    @property
    def steps(self) -> int:
        return len(self.examples[0].places)


class LaneRunner:
    """Rows of a fleet with the data of some steps; their addresses are laid out once."""

    def __init__(
        self,
        program: GradientProgram,
        step_data: StepData,
        flat: Tensor,  # [R, P]
        tensors: Sequence[Tensor],
        stacked: int,
        seed_of_lane: Sequence[int],
        rows: Sequence[int],
    ) -> None:
        """`tensors` are the extras, changed in place; the first `stacked` of them have a row for each lane."""
        self.program, self.rows = program, np.asarray(rows, dtype=np.int64)
        self.losses = np.full((len(flat), step_data.steps), np.nan, dtype=str(flat.dtype).removeprefix("torch."))
        """[R, steps], NaN for other rows."""
        self._places = [np.ascontiguousarray(each.places, dtype=np.int64) for each in step_data.examples]
        self._length = np.array([flat.shape[1]], dtype=np.int64)
        self._kept = step_data, tensors
        seeds, all_alike = np.asarray(seed_of_lane)[self.rows], np.zeros_like(self.rows)
        columns = zip(*(each.columns for each in step_data.examples), strict=True)
        drawn = [*zip(*step_data.drawn, strict=True)]
        self._table = np.stack(  # [pointers, n], in the order of the program
            [
                _select([x.ctypes.data for x in self._places], seeds),
                _strided_addresses(self.losses.ctypes.data, self.losses.strides[0], self.rows),
                all_alike.astype(np.uint64),  # coefficients, if there are any
                _select([self._length.ctypes.data], all_alike),
                *(_select([x.data_ptr() for x in of_seeds], seeds) for of_seeds in columns),
                *(row_addresses(x, self.rows) for x in tensors[:stacked]),
                *(_select([x.data_ptr()], all_alike) for x in tensors[stacked:]),
                *(_select([x.data_ptr() for x in of_seeds], seeds) for of_seeds in drawn),
            ]
        )
        on = [program.batch_size * self._places[0].itemsize, self.losses.itemsize]
        on += [0] * (len(self._table) - len(on) - len(drawn))
        on += [x.shape[1] * x.element_size() for x, *_ in drawn]
        self._on = np.array(on, dtype=np.uint64)[:, None]  # [pointers, 1]: bytes from one step to the next

    def train(
        self, flat: Tensor, state: Sequence[Tensor], kernel: int, coefficients: np.ndarray, of_lane: np.ndarray
    ) -> np.ndarray:
        """Train lane after lane through all steps, in place, updates included; returns the losses [steps, R].

        `kernel` is the address of the rule's kernel. Each state is [R, Q], coefficients are [distinct rates, steps, n],
        and `of_lane` [R] is the index of each lane's rate.
        """
        scratch = torch.empty_like(flat[0])
        self._table[2] = _strided_addresses(coefficients.ctypes.data, coefficients.strides[0], of_lane[self.rows])
        gradients = _select([scratch.data_ptr()], np.zeros_like(self.rows))
        moved = [row_addresses(flat, self.rows), gradients, *(row_addresses(x, self.rows) for x in state)]
        self._call(len(self.losses[0]), moved, kernel, coefficients.shape[2])
        return self.losses.T

    def step(self, flat: Tensor, gradients: Tensor) -> None:
        """Write the gradients [R, P] at `flat` [R, P] of the next step: each call advances by one."""
        self._call(1, [row_addresses(flat, self.rows), row_addresses(gradients, self.rows)])
        self._table += self._on

    def _call(self, steps: int, moved: Sequence[np.ndarray], kernel: int = 0, coefficients: int = 0) -> None:
        pointers = np.ascontiguousarray(np.concatenate([self._table, np.stack(moved)]).T)
        self.program.train(steps, pointers, kernel, coefficients)


def _select(addresses: Sequence[int], which: np.ndarray) -> np.ndarray:
    return np.array(addresses, dtype=np.uint64)[which]


def _strided_addresses(address: int, stride: int, rows: np.ndarray) -> np.ndarray:
    """The addresses of rows that are `stride` bytes apart."""
    return np.uint64(address) + rows.astype(np.uint64) * np.uint64(stride)


def row_addresses(x: Tensor, rows: np.ndarray) -> np.ndarray:
    """The addresses [n], uint64, of these rows of an array [R, …]."""
    return _strided_addresses(x.data_ptr(), x.stride(0) * x.element_size(), rows)


def gives_same(
    program: GradientProgram,
    function: Callable[..., Sequence[Tensor]],
    own: Sequence[Tensor],
    extras: Sequence[Tensor],
    batch: Sequence[Tensor],
    tolerance: float,
) -> bool:
    """Whether a program gives the same loss, gradients and changed extras as its function, (*parameters, *extras,
    *batch) → loss, *gradients, with the same random numbers. tolerance: of the norm of each.
    """
    theirs, mine = ([x.clone() for x in extras] for _ in range(2))
    with preserved_generators():
        seed_step(0, 1)
        loss, *gradients = function(*own, *theirs, *batch)
        drawn = program.random_ops.draw(0, 0, 1, as_traced=True)
    flat = torch.cat([x.flatten() for x in own])[None]
    found = torch.empty_like(flat)
    step_data = StepData([Examples(list(batch), np.arange(program.batch_size)[None])], [drawn])
    lanes = LaneRunner(program, step_data, flat, mine, 0, [0], [0])
    lanes.step(flat, found)
    ours = torch.from_numpy(lanes.losses[0]), found[0]
    wanted = loss[None], torch.cat([x.flatten() for x in gradients])
    return all(close(a, b, tolerance) for a, b in zip(ours, wanted, strict=True)) and all(
        close(a, b, tolerance) or _is_rounding(a - b) for a, b in zip(mine, theirs, strict=True)
    )


def _is_rounding(apart: Tensor) -> bool:
    """Whether a difference is nothing beside numbers of order 1, which running statistics are: the mean of what has
    been normalized already is 0 but for rounding, and has no digits to agree on.
    """
    if not apart.is_floating_point():
        return False
    return bool(apart.norm() <= ROUNDINGS * torch.finfo(apart.dtype).eps * apart.numel() ** 0.5)
