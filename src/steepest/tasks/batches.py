"""Reads a torch `Dataset` or `DataLoader` into arrays of inputs and targets in memory.

A task holds all its examples at once, since every seed draws its own parts from them, and many trials share them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, default_collate

from steepest.errors import BadTask

LABELS = ("labels", "label", "targets", "target", "y")
"""Keys of the targets in a batch that is a dict."""
MAX_BYTES = 4 * 2**30
"""Maximum size of all examples in memory."""
MAX_STREAMED_EXAMPLES = 1_000_000
"""Examples after which an iterable is assumed to be infinite."""


def in_memory(name: str, given: Any, own_loss: bool) -> Any:
    """The contents of a `Dataset`, a `DataLoader` or a list of examples as (inputs, targets), or all as inputs if the
    model has its own loss.

    Other values are returned unchanged. A loader's batch size, order and sampler are ignored; its `collate_fn` is
    called once, for all examples, so that padding gives them one length. Raises BadTask.
    """
    if isinstance(given, DataLoader):
        examples, collate = given.dataset, given.collate_fn
    elif isinstance(given, Dataset) or _is_list_of_examples(given, own_loss):
        examples, collate = given, default_collate
    else:
        return given
    if isinstance(examples, IterableDataset) or not hasattr(examples, "__len__"):
        examples = _streamed(name, examples)
    collate = _of_tensors if collate is default_collate else collate
    count = len(examples)  # type: ignore[arg-type]
    if count == 0:
        raise BadTask(f"{name} is empty: it needs at least one example.")
    try:
        size = sum(x.numel() * x.element_size() for x in _tensors(collate([examples[0]])))
        if size * count > MAX_BYTES:
            raise BadTask(
                f"{name} has {count} examples of {size:,} bytes, {size * count / 2**30:.0f} GB in all; at most 4 GB "
                "are read into memory. Pass a part of it, such as torch.utils.data.Subset."
            )
        batch = collate([examples[i] for i in range(count)])
    except BadTask:
        raise
    except Exception as error:  # the user's data set or collate_fn may raise any exception
        hint = (
            " Pad examples of different lengths in the collate_fn of a DataLoader; see torch.nn.utils.rnn.pad_sequence."
            if "equal size" in str(error)
            else ""
        )
        raise BadTask(f"{name} cannot be read into memory: {_first_line(error)}.{hint}") from error
    return tuple(batch) if own_loss and isinstance(batch, list) else batch if own_loss else _pair(name, batch)


def _is_list_of_examples(given: Any, own_loss: bool) -> bool:
    """Whether this is [(x, y), …] or [{"x": …, "y": …}, …], or another sequence of dicts.

    Two tuples are a pair of arrays, and so is one tuple; rows of a model with its own loss may be tuples.
    """
    if isinstance(given, list):
        of_dicts = all(isinstance(example, Mapping) for example in given)
        of_tuples = len(given) > 2 and all(isinstance(example, tuple) for example in given)
        return bool(given) and (of_dicts or (of_tuples and not own_loss))
    if isinstance(given, Mapping | tuple | str) or not hasattr(given, "__len__") or hasattr(given, "__array__"):
        return False
    try:
        return isinstance(given[0], Mapping)  # such as a Hugging Face data set
    except Exception:
        return False


def _streamed(name: str, examples: Any) -> list[Any]:
    """All examples of an iterable."""
    try:
        found = list(islice(iter(examples), MAX_STREAMED_EXAMPLES + 1))
    except Exception as error:  # the user's data set may raise any exception
        raise BadTask(f"{name} cannot be read: {_first_line(error)}.") from error
    if len(found) > MAX_STREAMED_EXAMPLES:
        raise BadTask(
            f"{name} is a {type(examples).__name__} with more than {MAX_STREAMED_EXAMPLES:,} examples. Pass a finite "
            "part of it, or arrays, so that each seed can draw its own parts."
        )
    return found


def _of_tensors(examples: Sequence[Any]) -> Any:
    """Examples stacked by torch's default_collate, with a list of numbers as one row instead of many columns."""
    return default_collate([_as_tensors(example) for example in examples])


def _as_tensors(example: Any) -> Any:
    if isinstance(example, Mapping):
        return {key: _as_tensors(value) for key, value in example.items()}
    if isinstance(example, list) and example and all(isinstance(value, Real) for value in example):
        return torch.tensor(example)
    return tuple(map(_as_tensors, example)) if type(example) is tuple else example


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0].rstrip('.')}"


def _tensors(batch: Any) -> list[Tensor]:
    if isinstance(batch, Tensor):
        return [batch]
    values = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, list | tuple) else ()
    return [x for value in values for x in _tensors(value)]


def _pair(name: str, batch: Any) -> tuple[Any, Any]:
    """A batch as (inputs, targets): the targets are the last item of a sequence, or that of a key in `LABELS`."""
    if isinstance(batch, Mapping):
        found = [label for label in LABELS if label in batch]
        if len(found) != 1:
            raise BadTask(
                f"The batches of {name} are dicts with the keys {', '.join(map(str, batch))}. The targets must have "
                f"one of the keys {', '.join(LABELS[:-1])} or {LABELS[-1]}. "
                "Or leave out loss, if the model returns its own."
            )
        return {key: value for key, value in batch.items() if key != found[0]}, batch[found[0]]
    if not isinstance(batch, list | tuple) or len(batch) < 2:
        raise BadTask(
            f"The examples of {name} have no targets. Each must be inputs and targets, such as (x, y). Or leave out "
            "loss, if the model returns its own."
        )
    *inputs, targets = batch
    return (inputs[0] if len(inputs) == 1 else tuple(inputs)), targets
