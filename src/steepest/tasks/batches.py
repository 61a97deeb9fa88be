"""Reads a torch `Dataset` or `DataLoader` into arrays of inputs and targets in memory.

A task holds all its examples at once, since every seed draws its own parts from them, and many trials share them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, default_collate

from steepest.errors import BadTask, kind_and_line
from steepest.messages import say
from steepest.records import rng
from steepest.records.task_warnings import TaskWarning, warning
from steepest.tasks.loaders import Sampled, is_function_of_seed, is_random, kept_generators, same, sampled, seed_all
from steepest.tasks.several import WEIGHT_NAMES

LABELS = ("labels", "label", "targets", "target", "y")
"""Keys of the targets in a batch that is a dict."""
MAX_BYTES = 4 * 2**30
"""Maximum size of all examples in memory."""
MAX_STREAMED_EXAMPLES = 1_000_000
"""Examples after which an iterable is assumed to be infinite."""


PROBED_ROWS = 4
"""Rows that are read several times to see whether a data set or a collate_fn draws at random."""


@dataclass(frozen=True, eq=False)
class Source:
    """A data set whose examples change at random with every access, to be read again in every epoch."""

    name: str
    read: Callable[[int], Any]
    collate: Callable[[list[Any]], Any]
    rows: np.ndarray  # [n], int64: the index in the data set of each row of the part
    own_loss: bool
    weighted: bool = False

    def contents(self, places: np.ndarray, seed: int, epochs: np.ndarray) -> Any:
        """The examples at these rows of the part, as `in_memory` gives them: a function of row, seed and epoch.

        The generators of torch, NumPy and Python are seeded for every example, and restored at the end.
        """
        examples = []
        with kept_generators():
            for place, epoch in zip(places.tolist(), epochs.tolist(), strict=True):
                seed_all(rng.integer(seed, "augmentation", epoch, place))
                examples.append(self.read(int(self.rows[place])))
            return _contents(self.name, self.collate(examples), self.own_loss, self.weighted)


@dataclass(frozen=True, eq=False)
class Reading:
    """A part in memory, and what its loader says beside its examples."""

    contents: Any
    sampled: Sampled = field(default_factory=Sampled)
    source: Source | None = None
    is_random: bool = False
    """Whether the examples change at random with every access."""
    found: tuple[TaskWarning, ...] = ()


def in_memory(name: str, given: Any, own_loss: bool, weighted: bool = False) -> Reading:
    """The contents of a `Dataset`, a `DataLoader` or a list of examples as (inputs, targets), or all as inputs if the
    model has its own loss. If the loss can be `weighted`, (x, y, w) are inputs, targets and weights.

    Other values are returned unchanged. A loader gives the rows of its sampler; its `collate_fn` is called once, for
    all examples, so that padding gives them one length. Raises BadTask.
    """
    settings = Sampled()
    if isinstance(given, DataLoader):
        examples, collate = given.dataset, given.collate_fn
    elif isinstance(given, Dataset) or _is_list_of_examples(given, own_loss):
        examples, collate = given, default_collate
    else:
        return Reading(given)
    streams = isinstance(examples, IterableDataset) or not hasattr(examples, "__len__")
    if isinstance(given, DataLoader):
        settings = sampled(name, given, streams)
    if streams:
        examples = _streamed(name, examples)
    collate = _of_tensors if collate is default_collate else collate
    rows = np.arange(len(examples)) if settings.rows is None else settings.rows  # type: ignore[arg-type]
    count = len(rows)
    if count == 0:
        raise BadTask(f"{name} is empty: it needs at least one example.")
    try:
        size = sum(x.numel() * x.element_size() for x in _tensors(collate([examples[int(rows[0])]])))
        if size * count > MAX_BYTES:
            raise BadTask(
                f"{name} has {count} examples of {size:,} bytes, {size * count / 2**30:.0f} GB in all; at most 4 GB "
                "are read into memory. Pass a part of it, such as torch.utils.data.Subset."
            )
        changes = not isinstance(examples, list | TensorDataset) and is_random(examples.__getitem__, _probed(rows))
        batch = collate(_read_once(examples, rows) if changes else [examples[int(i)] for i in rows])
        found = [*settings.found, *_collating(name, examples, rows, collate)]
        source = None
        if changes and is_function_of_seed(examples.__getitem__, _probed(rows)):
            source = Source(name, examples.__getitem__, collate, rows, own_loss, weighted)
    except BadTask:
        raise
    except Exception as error:  # the user's data set or collate_fn may raise any exception
        hint = (
            " Pad examples of different lengths in the collate_fn of a DataLoader; see torch.nn.utils.rnn.pad_sequence."
            if "equal size" in str(error)
            else ""
        )
        raise BadTask(f"{name} cannot be read into memory: {kind_and_line(error)}.{hint}") from error
    return Reading(_contents(name, batch, own_loss, weighted), settings, source, changes, tuple(found))


def _contents(name: str, batch: Any, own_loss: bool, weighted: bool) -> Any:
    """A batch as (inputs, targets), or all as inputs if the model has its own loss."""
    if own_loss:
        return tuple(batch) if isinstance(batch, list) else batch
    return _with_weights(*_pair(name, batch)) if weighted else _pair(name, batch)


def _with_weights(inputs: Any, last: Any) -> tuple[Any, Any]:
    """Inputs and (targets, weights) where there are weights: the last item of a sequence, or named so in a dict."""
    if isinstance(inputs, Mapping):
        names = [name for name in WEIGHT_NAMES if name in inputs]
        others = {name: value for name, value in inputs.items() if name not in names}
        return (others, (last, inputs[names[0]])) if len(names) == 1 and others else (inputs, last)
    if not isinstance(inputs, tuple) or not isinstance(last, Tensor) or not last.is_floating_point():
        return inputs, last
    *x, targets = inputs
    if last.shape != targets.shape and last.numel() != len(targets):
        return inputs, last
    weights = last if last.shape == targets.shape else last.reshape(-1)
    return (x[0] if len(x) == 1 else tuple(x)), (targets, weights)


def _probed(rows: np.ndarray) -> list[int]:
    return [int(rows[i]) for i in dict.fromkeys(np.linspace(0, len(rows) - 1, PROBED_ROWS).astype(int))]


def _read_once(examples: Any, rows: np.ndarray) -> list[Any]:
    """The examples of a data set that draws at random, the same in every process."""
    found = []
    with kept_generators():
        for place, row in enumerate(rows):
            seed_all(rng.integer(0, "data", place))
            found.append(examples[int(row)])
    return found


def _collating(name: str, examples: Any, rows: np.ndarray, collate: Callable[..., Any]) -> Iterator[TaskWarning]:
    """A warning if a collate_fn draws at random, or changes an example by its neighbours beyond padding."""
    if collate is _of_tensors or len(rows) < 2 * PROBED_ROWS:
        return
    with kept_generators():
        some = [examples[int(i)] for i in rows[: 2 * PROBED_ROWS]]
        few, again, more = (_tensors(collate(each)) for each in (some[:PROBED_ROWS], some[:PROBED_ROWS], some))
    if not same(few, again):
        what = say("draws at random")
    elif len(few) != len(more) or not all(map(_is_padded, few, more)):
        what = say("changes an example by its neighbours")
    else:
        return
    yield warning(
        "collate-once",
        say("The collate_fn of {part} {what}. It is called only once, for all examples.", part=name, what=what),
    )


def _is_padded(few: Tensor, more: Tensor) -> bool:
    """Whether a batch is the beginning of a larger one, but for padding at the end of its axes."""
    if few.ndim != more.ndim or few.ndim == 0 or len(few) != PROBED_ROWS or len(more) != 2 * PROBED_ROWS:
        return few.ndim == more.ndim  # not one row per example
    box = tuple(slice(0, min(a, b)) for a, b in zip(few.shape, more.shape, strict=True))
    return same(few[box], more[box])


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
        raise BadTask(f"{name} cannot be read: {kind_and_line(error)}.") from error
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
