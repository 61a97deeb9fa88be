"""Several tensors with one row per example, as one matrix: how tasks hold several targets, and models several outputs.

The engines move one tensor of targets and one of outputs, for one model or for a fleet. Dicts, tuples and objects of
tensors are laid side by side in it as columns, and taken apart again where the user's loss or metric is called.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

from steepest.errors import BadTask

EXACT_WHOLE = 2**24
"""Whole numbers up to here are exact in float32."""


@dataclass(frozen=True)
class Column:
    """Where a tensor of the tree lies in the matrix."""

    start: int
    shape: tuple[int, ...]
    """Without the examples' axis."""
    dtype: torch.dtype
    axis: int | None = 0
    """The axis of the examples; None for a tensor without one, such as a scalar loss, which every row repeats."""
    repeats: int = 1
    """Rows of the tensor per example, if the model joined the examples' axis with another."""

    @property
    def width(self) -> int:
        return torch.Size(self.shape).numel()

    def rows(self, x: Tensor, count: int) -> Tensor:
        """The tensor as a matrix [count, width]."""
        if self.axis is None:
            return x.reshape(1, -1).expand(count, -1)
        return x.movedim(self.axis, 0).reshape(count, -1)

    def tensor(self, matrix: Tensor) -> Tensor:
        """The tensor from its columns of a matrix."""
        x = matrix[:, self.start : self.start + self.width]
        if self.axis is None:
            x = x.mean(0).reshape(self.shape)
        else:
            x = x.reshape(len(x) * self.repeats, *self._one()).movedim(0, self.axis)
        return x if self.dtype.is_floating_point else x.to(self.dtype)

    def _one(self) -> tuple[int, ...]:
        return self.shape[1:] if self.repeats > 1 else self.shape


@dataclass(frozen=True, eq=False)
class Tree:
    """The structure of a tree of tensors, and the columns in which they lie."""

    example: Any
    """A tree of the same structure, with any values; what is not a tensor is taken from it."""
    columns: tuple[Column, ...]

    @property
    def width(self) -> int:
        return sum(column.width for column in self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the branches: keys, fields or numbers."""
        return tuple(str(name) for name, _ in branches(self.example))

    def pack(self, tree: Any) -> Tensor:
        """The tensors of a tree of this structure as a matrix [n, width]. Raises BadTask for another structure."""
        leaves = tensors_of(tree)
        if type(tree) is not type(self.example) or len(leaves) != len(self.columns):
            raise BadTask(
                f"The model returned {described(self.example)} in evaluation, but {described(tree)} in training. It "
                "must return the same in both."
            )
        first, column = next((x, c) for x, c in zip(leaves, self.columns, strict=True) if c.axis is not None)
        count = first.shape[column.axis or 0] // column.repeats
        kind = next((x.dtype for x in leaves if x.is_floating_point()), torch.float32)
        return torch.cat([c.rows(x, count).to(kind) for x, c in zip(leaves, self.columns, strict=True)], dim=1)

    def unpack(self, matrix: Tensor) -> Any:
        """The tree from its matrix."""
        return rebuilt(self.example, iter([column.tensor(matrix) for column in self.columns]))


def tree_of_targets(tree: Any) -> Tree:
    """The structure of targets, each tensor with one row per example."""
    columns, start = [], 0
    for x in tensors_of(tree):
        columns.append(Column(start, tuple(x.shape[1:]), x.dtype))
        start += columns[-1].width
    return Tree(rebuilt(tree, iter([x[:1].clone() for x in tensors_of(tree)])), tuple(columns))


def tree_of_outputs(small: Any, large: Any, sizes: tuple[int, int]) -> Tree:
    """The structure of a model's outputs, from its outputs for two numbers of examples. Raises BadTask."""
    few, many = tensors_of(small), tensors_of(large)
    if len(few) != len(many):
        raise BadTask(f"The model returned {len(few)} tensors for {sizes[0]} examples, but {len(many)} for {sizes[1]}.")
    columns, start = [], 0
    for a, b in zip(few, many, strict=True):
        axis, repeats = _axis_of_examples(a, b, sizes)
        shape = tuple(a.shape)
        if axis is not None:
            rest = shape[:axis] + shape[axis + 1 :]
            shape = (repeats, *rest) if repeats > 1 else rest
        columns.append(Column(start, shape, a.dtype, axis, repeats))
        start += columns[-1].width
    if all(column.axis is None for column in columns):
        raise BadTask("None of the tensors that the model returned has one row per example.")
    return Tree(small, tuple(columns))


def _axis_of_examples(a: Tensor, b: Tensor, sizes: tuple[int, int]) -> tuple[int | None, int]:
    """The axis whose length follows the number of examples, and the rows per example; (None, 1) without one."""
    if a.shape == b.shape:
        return None, 1
    differing = [i for i in range(min(a.ndim, b.ndim)) if a.shape[i] != b.shape[i]]
    if a.ndim == b.ndim and len(differing) == 1:
        i = differing[0]
        repeats = a.shape[i] // sizes[0]
        if a.shape[i] == repeats * sizes[0] and b.shape[i] == repeats * sizes[1]:
            return i, repeats
    raise BadTask(
        f"The model returned a tensor {list(a.shape)} for {sizes[0]} examples, and {list(b.shape)} for {sizes[1]}. One "
        "axis must be the examples, and the others must not depend on their number."
    )


# ---- walking a tree --------------------------------------------------------------------------------------------------


def branches(tree: Any) -> list[tuple[Any, Any]]:
    """The parts of a node with their names; none for a leaf."""
    if isinstance(tree, Tensor | str | type):
        return []
    if is_dataclass(tree):
        return [(each.name, getattr(tree, each.name, None)) for each in fields(tree)]
    if isinstance(tree, Mapping):
        return [*tree.items()]
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return [*zip(tree._fields, tree, strict=True)]  # type: ignore[attr-defined]
    if isinstance(tree, tuple | list):
        return [*enumerate(tree)]
    return [*vars(tree).items()] if hasattr(tree, "__dict__") and not isinstance(tree, torch.nn.Module) else []


def tensors_of(tree: Any) -> list[Tensor]:
    """The tensors of a tree, in order."""
    if isinstance(tree, Tensor):
        return [tree]
    return [x for _, branch in branches(tree) for x in tensors_of(branch)]


def rebuilt(tree: Any, tensors: Any) -> Any:
    """A tree of the same structure with its tensors replaced by the next ones."""
    if isinstance(tree, Tensor):
        return next(tensors)
    if not tensors_of(tree):
        return tree
    parts = {name: rebuilt(branch, tensors) for name, branch in branches(tree)}
    if is_dataclass(tree):
        return type(tree)(**parts)
    if isinstance(tree, Mapping):
        return parts
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*parts.values())
    if isinstance(tree, tuple | list):
        return tuple(parts.values())
    new = copy.copy(tree)
    vars(new).update(parts)
    return new


def branch(tree: Any, name: object) -> Any:
    """The part of a tree with this name or number; None without one."""
    return next((value for key, value in branches(tree) if key == name), None)


def described(tree: Any) -> str:
    """For messages: "a tuple of 2 tensors"."""
    if isinstance(tree, Tensor):
        return "one tensor"
    count = len(tensors_of(tree))
    return f"a {type(tree).__name__}" + (f" of {count} tensors" if count else "")


def whole_numbers_fit(x: Tensor) -> bool:
    """Whether all whole numbers in a tensor are exact in a matrix of floats."""
    return x.is_floating_point() or x.numel() == 0 or int(x.long().abs().max()) <= EXACT_WHOLE
