"""Converts arrays, tensors, lists and data frames to tensors and checks lengths, dtypes and finite values.

Separate from `task`, since it holds all errors about data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steepest.errors import BadTask
from steepest.messages import say
from steepest.records.task_warnings import TaskWarning, warning
from steepest.tasks.batches import Reading, Source, in_memory
from steepest.tasks.tensor_trees import EXACT_WHOLE, Tree, tree_of_targets, whole_numbers_fit

PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Pool:
    """All examples of a task, stored once; parts that do not depend on the seed are ranges of positions."""

    inputs: tuple[Tensor, ...]  # each [N, ...]
    targets: Tensor  # [N, ...]
    ranges: Mapping[str, range]  # of each part as given, before seeds draw parts from it
    names: tuple[str, ...] = ()  # keywords of the model's inputs; () if they are positional
    found: tuple[TaskWarning, ...] = ()  # while the data were read
    tree: Tree | None = None  # of the targets, if there are several for each example
    batch_size: int | None = None  # of the loader of `train` or `data`
    weights: np.ndarray | None = None  # [n of train or data], how often each example is drawn for training
    has_labels: bool = False  # the targets are labels among the inputs of a model with its own loss
    source: Source | None = None  # of training examples that change at random with every access


def pool_of(given: Mapping[str, Any], own_loss: bool = False, weighted: bool = False) -> Pool:
    """One pool from the given parts, name → (inputs, targets); `inputs` may be a tuple or a dict of several arrays.

    If the model has its `own_loss`, all arrays are inputs, and the targets are zeros. Arrays are copied, so that later
    changes do not affect the task. Floats become float32, integer targets int64. Several targets, in a dict or a tuple,
    lie side by side as one matrix. If the loss can be `weighted`, a third array holds the weights of the examples.
    Raises BadTask for unusable data.
    """
    readings = {name: in_memory(name, part, own_loss, weighted) for name, part in given.items()}
    taken = {name: reading.contents for name, reading in readings.items()}
    if own_loss:
        taken = {name: (inputs, _zeros(inputs)) for name, inputs in taken.items()}
    if weighted:
        taken = {name: _with_weights(part) for name, part in taken.items()}
    trees: dict[str, Tree] = {}
    parts = {name: _part(name, pair, trees) for name, pair in taken.items()}
    first = next(iter(parts))
    names = {name: tuple(pair[0]) if isinstance(pair[0], Mapping) else () for name, pair in taken.items()}
    for name, part in parts.items():
        if names[name] != names[first]:
            raise BadTask(
                f"The inputs of {first} are {_called(names[first])}, those of {name} {_called(names[name])}. All parts "
                "need the same inputs in the same order."
            )
        _check_alike(first, parts[first], name, part)
    columns = parts[first] if len(parts) == 1 else [torch.cat(column) for column in zip(*parts.values(), strict=True)]
    ranges, start = {}, 0
    for name, part in parts.items():
        ranges[name] = range(start, start + len(part[-1]))
        start += len(part[-1])
    if any(name not in trees or trees[name].names != trees[first].names for name in parts if trees):
        raise BadTask("Some parts have other targets than the rest. All parts need the same targets in the same order.")
    pool = Pool(tuple(columns[:-1]), columns[-1], ranges, names[first], tree=trees.get(first))
    return _with_loaders(pool, readings)


def _with_loaders(pool: Pool, readings: Mapping[str, Reading]) -> Pool:
    """The pool with what loaders say beside their examples."""
    found = [each for reading in readings.values() for each in reading.found]
    first = readings[next(iter(readings))]  # train or data
    source = first.source
    if source is not None and not _is_alike(pool, source):
        source = None
    if first.is_random and source is None:
        found.append(
            warning(
                "augmentation-frozen",
                say(
                    "The examples of {part} change at random with every access, but not by the generators of torch, "
                    "NumPy or Python, or their shape changes too. They are read once.",
                    part=next(iter(readings)),
                ),
            )
        )
    if any(reading.is_random for name, reading in readings.items() if name in PARTS[1:]) or (
        first.is_random and len(readings) < len(PARTS)
    ):
        found.append(
            warning(
                "augmentation-everywhere",
                say(
                    "The examples of validation or test change at random with every access. They are read once, with "
                    "their changes. Pass train with random changes, and valid and test without."
                ),
            )
        )
    return replace(
        pool, found=tuple(found), batch_size=first.sampled.batch_size, weights=first.sampled.weights, source=source
    )


def _is_alike(pool: Pool, source: Source) -> bool:
    """Whether examples that are read again have the shapes and dtypes of those in the pool."""
    try:
        columns = redrawn(source, np.arange(min(2, len(source.rows))), 0, np.zeros(2, dtype=np.int64))
    except BadTask:
        return False
    wanted = (*pool.inputs, pool.targets)
    return len(columns) == len(wanted) and all(
        a.shape[1:] == b.shape[1:] and a.dtype == b.dtype for a, b in zip(columns, wanted, strict=True)
    )


def redrawn(source: Source, places: np.ndarray, seed: int, epochs: np.ndarray) -> list[Tensor]:
    """The columns of examples that are read again, targets last: a function of row, seed and epoch."""
    contents = source.contents(places, seed, epochs[: len(places)])
    return _part(source.name, (contents, _zeros(contents)) if source.own_loss else contents, {})


def _with_weights(part: Any) -> Any:
    """(inputs, targets, weights) as (inputs, (targets, weights))."""
    if isinstance(part, tuple | list) and len(part) == 3:
        inputs, targets, weights = part
        return inputs, (targets, np.asarray(weights, dtype=np.float32))
    return part


def _zeros(inputs: Any) -> np.ndarray:
    """Zeros as targets for a model that needs none, one per example if the number of examples is known."""
    columns = [*inputs.values()] if isinstance(inputs, Mapping) else inputs if isinstance(inputs, tuple) else [inputs]
    try:
        return np.zeros(len(columns[0]))
    except (TypeError, IndexError):  # reported when the inputs are checked
        return np.zeros(1)


def _called(names: tuple[str, ...]) -> str:
    return f"named {', '.join(names)}" if names else "positional"


def _part(name: str, pair: Any, trees: dict[str, Tree]) -> list[Tensor]:
    """The columns of one part: its inputs, and its targets last. The structure of several targets goes to `trees`."""
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        kind = type(pair).__name__
        what = f"a {kind} of {len(pair)}" if isinstance(pair, tuple | list) else f"of type {kind}"
        hint = (
            ""
            if what[-1] != "3"
            else (" Two inputs are a tuple, ((x1, x2), y). Weights of the examples need a loss with reduction='none'.")
        )
        raise BadTask(f"{name} is {what}; it must be a pair of arrays (inputs, targets).{hint}")
    inputs, targets = pair
    by_name = isinstance(inputs, Mapping)
    several: tuple[Any, ...] = tuple(inputs.values()) if by_name else inputs if isinstance(inputs, tuple) else (inputs,)
    if not several:
        raise BadTask(f"{name} has no inputs: its {'dict' if by_name else 'tuple'} of inputs is empty.")
    keys = [repr(key) for key in inputs] if by_name else [str(i) for i in range(len(several))]
    labels = [f"{name} inputs[{key}]" for key in keys] if by_name or len(several) > 1 else [f"{name} inputs"]
    columns = [_tensor(label, value) for label, value in zip(labels, several, strict=True)]
    if _has_several(targets, len(columns[0])):
        truth = _target_tree(f"{name} targets", targets, len(columns[0]))
        trees[name] = tree_of_targets(truth)
        target = trees[name].pack(truth)
    else:
        target = _tensor(f"{name} targets", targets)
    columns.append(target if target.is_floating_point() else target.long())
    for label, column in zip(labels, columns[:-1], strict=True):
        if len(column) != len(target):
            raise BadTask(
                f"{label} and targets have different lengths, {len(column)} and {len(target)}; "
                "each example needs one target."
            )
    if len(target) == 0:
        raise BadTask(f"{name} is empty: it needs at least one example.")
    for label, column in zip([*labels, f"{name} targets"], columns, strict=True):
        _check_finite(label, column)
    return columns


def _has_several(targets: Any, examples: int) -> bool:
    """Whether targets are several arrays, each with one row per example, and not the rows of one array."""
    if isinstance(targets, Mapping):
        return True
    if not isinstance(targets, tuple | list) or len(targets) == examples or not targets:
        return False
    arrays = [isinstance(each, Tensor | np.ndarray | Mapping | tuple | list) for each in targets]
    return all(arrays) and (isinstance(targets, tuple) or all(isinstance(each, Tensor) for each in targets))


def _target_tree(label: str, targets: Any, examples: int) -> Any:
    """Dicts and tuples of targets as tensors; true and false stay so, since they may be masks."""
    if isinstance(targets, Mapping) and not targets:
        raise BadTask(f"{label} are an empty dict; there must be at least one target.")
    if isinstance(targets, Mapping):
        return {key: _target_tree(f"{label}[{key!r}]", value, examples) for key, value in targets.items()}
    if _has_several(targets, examples):
        return tuple(_target_tree(f"{label}[{i}]", value, examples) for i, value in enumerate(targets))
    tensor = _tensor(label, targets)
    if len(tensor) != examples:
        raise BadTask(f"{label} and inputs have different lengths, {len(tensor)} and {examples}.")
    if not whole_numbers_fit(tensor):
        raise BadTask(
            f"{label} contain whole numbers above {EXACT_WHOLE:,}; smaller ones are needed beside other targets."
        )
    return tensor if tensor.is_floating_point() or tensor.dtype is torch.bool else tensor.long()


def _tensor(label: str, value: Any) -> Tensor:
    """A copy as a tensor on the CPU without gradient; floats as float32."""
    if isinstance(value, Tensor):
        if value.layout is not torch.strided or value.is_complex():
            raise BadTask(f"{label} are a {value.layout} tensor of {value.dtype}; they must be dense and real.")
        tensor = value.detach().cpu().clone()
    else:
        try:
            array = np.asarray(value)
        except Exception as error:  # ragged lists; other containers raise exceptions of any kind
            raise BadTask(f"{label} cannot be read as an array: {str(error).rstrip('.')}.") from None
        if array.dtype.kind == "O" and all(isinstance(each, Real) for each in array.flat):
            array = array.astype(np.float64)  # a data frame with numeric columns of several dtypes
        if array.dtype.kind not in "biuf":
            raise BadTask(f"{label} have dtype {array.dtype} ({type(value).__name__}); {_remedy(label, array, value)}")
        wide = array.dtype.kind == "u" and array.dtype.itemsize > 1  # torch supports few unsigned types
        with np.errstate(over="ignore"):  # overflow of float32 is reported below, with its position
            dtype = np.float32 if array.dtype.kind == "f" else np.int64 if wide else array.dtype.newbyteorder("=")
            tensor = torch.from_numpy(np.array(array, dtype=dtype, order="C"))
    if tensor.ndim == 0:
        raise BadTask(f"{label} are a single number; they must be an array with one row per example.")
    return tensor.float() if tensor.is_floating_point() else tensor


def _remedy(label: str, array: np.ndarray, value: Any) -> str:
    """The remedy for values that are not numbers."""
    columns = getattr(value, "dtypes", None)
    if hasattr(columns, "items"):  # a frame
        strange = [str(name) for name, kind in columns.items() if getattr(kind, "kind", "O") not in "biuf"]  # type: ignore[union-attr]
        if strange:
            more = " and others" if len(strange) > 1 else ""
            return f"its column {strange[0]!r}{more} must be numeric. Convert it, or use steepest run --data."
    if array.dtype.kind in "US" and label.endswith("targets"):
        return "give each class a number: numpy.unique(y, return_inverse=True)[1]."
    if array.dtype.kind == "M":
        return "convert dates to numbers, such as days since the first."
    return "they must be numbers."


def _check_finite(label: str, tensor: Tensor) -> None:
    if not tensor.is_floating_point() or torch.isfinite(tensor).all():
        return
    bad = ~torch.isfinite(tensor)
    place = tuple(int(i) for i in bad.nonzero()[0])
    count = int(bad.sum())
    column = f", column {', '.join(map(str, place[1:]))}" if place[1:] else ""
    values = "1 value that is" if count == 1 else f"{count} values that are"
    first = "NaN" if torch.isnan(tensor[place]) else f"{tensor[place].item()}"
    raise BadTask(
        f"{label} contain {values} not finite (as float32), the first at row {place[0]}{column}: "
        f"{first}. Fill in or remove such rows."
    )


def _check_alike(first: str, a: list[Tensor], name: str, b: list[Tensor]) -> None:
    if len(a) != len(b):
        counts = f"{first} has {len(a) - 1} {'input' if len(a) == 2 else 'inputs'}, {name} has {len(b) - 1}"
        raise BadTask(f"{counts}; all parts need the same inputs.")
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        what = "targets" if i == len(a) - 1 else "inputs"
        if x.shape[1:] != y.shape[1:] or x.is_floating_point() != y.is_floating_point():
            raise BadTask(
                f"{first} {what} are {shape_of(x)}, {name} {what} are {shape_of(y)}; all parts need the same shape and "
                "dtype."
            )


def shape_of(tensor: Tensor) -> str:
    """For messages: [1078, 64] float32."""
    return f"[{', '.join(map(str, tensor.shape))}] {str(tensor.dtype).removeprefix('torch.')}"
