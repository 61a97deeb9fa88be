"""What a DataLoader says beside its examples: which rows its sampler gives and how often, batch size, order, padding.

A task shuffles its training examples itself, so that every seed has an order of its own. What of a loader that cannot
keep is said, each in one warning.
"""

import random
from collections.abc import Callable, Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from steepest.errors import BadTask
from steepest.messages import Message, say
from steepest.records.task_warnings import TaskWarning, warning

PASSES = 5
"""Passes over an unknown sampler until no new rows come."""
MOST_VISITS = 20
"""Visits of a row in one pass over a sampler, on average, above which the sampler is taken for endless."""
EVALUATED = ("valid", "test")


@dataclass(frozen=True, eq=False)
class Sampled:
    """The rows of a data set that a loader gives, and what its settings say."""

    rows: np.ndarray | None = None  # [n], int64 indices of the data set; None: all, in order
    weights: np.ndarray | None = None  # [n], how often each row is drawn for training, relative to others
    batch_size: int | None = None
    found: tuple[TaskWarning, ...] = ()


def sampled(name: str, loader: DataLoader[Any], streams: bool) -> Sampled:
    """What a loader's sampler and settings say about the part `name`. Raises BadTask for a sampler that fails."""
    if streams:
        return Sampled(batch_size=loader.batch_size, found=tuple(_settings(name, loader)))
    count = len(loader.dataset)  # type: ignore[arg-type]
    rows, weights, found = _rows(name, loader, count)
    return Sampled(rows, weights, loader.batch_size, (*found, *_settings(name, loader)))


def _rows(
    name: str, loader: DataLoader[Any], count: int
) -> tuple[np.ndarray | None, np.ndarray | None, list[TaskWarning]]:
    own_batches = type(loader.batch_sampler) not in (BatchSampler, type(None))
    sampler = loader.batch_sampler if own_batches else loader.sampler
    kind = type(sampler)
    if kind is SequentialSampler:
        return None, None, []
    if kind is RandomSampler:
        return None, None, [*_random(name, sampler, count)]
    if kind is SubsetRandomSampler:
        return _indices(name, sampler.indices, count), None, []  # type: ignore[union-attr]
    if kind is WeightedRandomSampler:
        return _weighted(name, sampler, count)
    return _visited(name, sampler, count, own_batches)


def _random(name: str, sampler: Any, count: int) -> Iterator[TaskWarning]:
    if sampler.replacement or sampler.num_samples != count:
        yield _not_kept(name, "RandomSampler", say("all {n:,} rows are used, each once per epoch", n=count))


def _weighted(name: str, sampler: Any, count: int) -> tuple[np.ndarray | None, np.ndarray | None, list[TaskWarning]]:
    weights = np.asarray(sampler.weights, dtype=np.float64)
    if len(weights) > count:
        raise BadTask(f"The weighted sampler of {name} has {len(weights)} weights for {count} rows.")
    weights = np.pad(weights, (0, count - len(weights)))  # torch draws no row without a weight
    if name in EVALUATED:
        return None, None, [_not_kept(name, "WeightedRandomSampler", say("every row is evaluated once"))]
    if not sampler.replacement:
        what = say("every row with a weight above 0 is used once per epoch")
        return np.flatnonzero(weights), None, [_not_kept(name, "WeightedRandomSampler without replacement", what)]
    rows = np.flatnonzero(weights)
    found = []
    if sampler.num_samples != count:
        what = say("weights are kept, but an epoch has as many draws as rows, {n:,}", n=len(rows))
        found.append(_not_kept(name, f"WeightedRandomSampler with num_samples={sampler.num_samples}", what))
    return (None if len(rows) == count else rows), weights[rows], found


def _visited(
    name: str, sampler: Any, count: int, own_batches: bool
) -> tuple[np.ndarray | None, np.ndarray | None, list[TaskWarning]]:
    """The distinct rows that an unknown sampler gives, from several passes over it."""
    known: set[int] = set()
    first: list[int] = []
    with kept_generators():
        for each in range(PASSES):
            visits = _one_pass(name, sampler, count, own_batches)
            before = len(known)
            known.update(visits)
            if each == 0:
                first = visits
            elif len(known) == before:
                break
    if not known:
        raise BadTask(f"The sampler of {name}, a {type(sampler).__name__}, gives no rows.")
    rows = _indices(name, sorted(known), count)
    what = say(
        "its {n:,} of {all:,} rows are used, each once per epoch and in a new random order", n=len(rows), all=count
    )
    if len(first) != len(set(first)):
        what = say("{what}; in it, some come more than once", what=what)
    return (None if len(rows) == count else rows), None, [_not_kept(name, type(sampler).__name__, what)]


def _one_pass(name: str, sampler: Any, count: int, own_batches: bool) -> list[int]:
    try:
        most = MOST_VISITS * count + 1
        given = islice(iter(sampler), most)
        visits = [int(i) for batch in given for i in (batch if own_batches else [batch])]
    except Exception as error:  # the user's sampler may raise anything
        raise BadTask(
            f"The sampler of {name}, a {type(sampler).__name__}, cannot be read: {type(error).__name__}: {error}."
        ) from error
    if len(visits) >= most:
        raise BadTask(
            f"The sampler of {name}, a {type(sampler).__name__}, gave more than {MOST_VISITS} indices per row and may "
            "be endless. Pass the rows that belong to the part, such as torch.utils.data.Subset."
        )
    return visits


def _indices(name: str, given: Any, count: int) -> np.ndarray:
    rows = np.asarray([int(i) for i in given], dtype=np.int64)
    if len(rows) == 0:
        raise BadTask(f"The sampler of {name} gives no rows.")
    if rows.min() < -count or rows.max() >= count:
        raise BadTask(
            f"The sampler of {name} gives the row {int(rows.max() if rows.max() >= count else rows.min())}, but its "
            f"data set has {count} rows."
        )
    return rows % count


def _not_kept(name: str, what: str, instead: Message) -> TaskWarning:
    return warning(
        "sampler-dropped",
        say("The {sampler} of {part} is not kept: {instead}.", sampler=what, part=name, instead=instead),
    )


def _settings(name: str, loader: DataLoader[Any]) -> Iterator[TaskWarning]:
    """Order and `drop_last`, where they change something."""
    sequential = type(loader.sampler) is SequentialSampler and type(loader.batch_sampler) in (BatchSampler, type(None))
    if name == "train" and sequential:
        yield warning("order-dropped", say("The loader of train does not shuffle; its rows are shuffled anyway."))
    size = loader.batch_size
    if loader.drop_last and size is not None and hasattr(loader.dataset, "__len__"):
        rest = len(loader.sampler) % size if isinstance(loader.sampler, Sized) else 1
        if rest and name in EVALUATED:
            yield warning(
                "drop-last",
                say("drop_last of {part} is not kept: the last {rest} rows are evaluated too.", part=name, rest=rest),
            )
        elif rest:
            yield warning(
                "drop-last",
                say(
                    "drop_last of {part} is not kept: batches go on over the end of an epoch, so that no row is left "
                    "out.",
                    part=name,
                ),
            )


# ---- what is random --------------------------------------------------------------------------------------------------


@contextmanager
def kept_generators() -> Iterator[None]:
    """Restores the generators of torch, NumPy and Python afterwards."""
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])


def seed_all(seed: int) -> None:
    """Seed the generators of torch, NumPy and Python, from which data sets draw."""
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def same(a: Any, b: Any) -> bool:
    """Whether two examples or batches are equal, down to their tensors."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and a.dtype == b.dtype and bool(torch.equal(a, b) or _equal_with_nan(a, b))
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.shape == b.shape and bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    if hasattr(a, "__array__") and hasattr(b, "__array__"):  # such as a PIL image
        return same(np.asarray(a), np.asarray(b))
    try:
        return bool(a == b) or a is b or bool(a != a and b != b)
    except Exception:  # objects that cannot be compared
        return True


def _equal_with_nan(a: Tensor, b: Tensor) -> bool:
    return a.is_floating_point() and bool(torch.equal(a.nan_to_num(), b.nan_to_num()))


Read = Callable[[int], Any]


def is_random(read: Read, places: Sequence[int]) -> bool:
    """Whether reading some place twice gives two different examples."""
    with kept_generators():
        for place in places:
            first = read(place)
            if any(not same(first, read(place)) for _ in range(3)):
                return True
    return False


def is_function_of_seed(read: Read, places: Sequence[int]) -> bool:
    """Whether the generators of torch, NumPy and Python decide what is read."""

    def once() -> list[Any]:
        examples = []
        for place in places:
            seed_all(place + 1)
            examples.append(read(place))
        return examples

    with kept_generators():
        return same(once(), once())
