"""Coefficients that differ between the parameters of a model, as they do with parameter groups."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from steepest.optim.rule import Scalar, Scalars


@dataclass(frozen=True)
class PerParameter:
    """The coefficients of a step of each group of parameters, for a fleet."""

    records: tuple[Scalars, ...]
    """Of each group; the values are floats or tensors [R, 1]."""
    group_of: tuple[int, ...]
    """The group of each parameter."""

    def of_each(self) -> Iterator[Scalars]:
        """The coefficients of each parameter."""
        return (self.records[group] for group in self.group_of)

    def joined(self, shapes: Sequence[Sequence[int]], like: Tensor) -> Scalars:
        """One record for all parameters, for buffers like `like` [R, P]: floats where the groups agree, else a number
        for each element: [R, P].
        """
        runs = [
            (group, sum(math.prod(shape) for _, shape in members))
            for group, members in groupby(zip(self.group_of, shapes, strict=True), key=lambda each: each[0])
        ]
        columns = (
            values[0] if _agree(values) else _side_by_side(values, runs, like)
            for values in zip(*self.records, strict=True)
        )
        return type(self.records[0])(*columns)  # type: ignore[call-arg]


def _agree(values: Sequence[Scalar]) -> bool:
    return all(not isinstance(value, Tensor) and value == values[0] for value in values)


def _side_by_side(values: Sequence[Scalar], runs: Sequence[tuple[int, int]], like: Tensor) -> Tensor:
    rows = [value if isinstance(value, Tensor) else like.new_full((1, 1), value) for value in values]
    return torch.cat([rows[group].expand(len(like), numbers) for group, numbers in runs], dim=1)
