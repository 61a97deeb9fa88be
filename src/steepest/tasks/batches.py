"""From a torch `Dataset` or `DataLoader` to arrays in memory: what its batches hold becomes inputs and targets.

A task holds all its examples at once, since every seed draws its own parts from them, and many trials share them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, default_collate

from steepest.errors import BadTask

LABELS = ("labels", "label", "targets", "target", "y")
"""Names under which a batch that is a dict may hold its targets."""
MOST = 4 * 2**30
"""Bytes beyond which examples are not taken into memory."""


def in_memory(name: str, given: Any, own_loss: bool) -> Any:
    """What a `Dataset` or `DataLoader` holds: as (inputs, targets), or all as inputs where a model has its own loss.

    Anything else is handed back as it is. A loader's own batch size, order and sampler play no part; its `collate_fn`
    is asked once, for all examples, so that what it pads is padded to one length. Raises BadTask.
    """
    if isinstance(given, DataLoader):
        examples, collate = given.dataset, given.collate_fn
    elif isinstance(given, Dataset):
        examples, collate = given, default_collate
    else:
        return given
    if isinstance(examples, IterableDataset) or not hasattr(examples, "__len__"):
        raise BadTask(
            f"{name} is a {type(examples).__name__}, which has no length; pass a Dataset with a length, or arrays, so "
            "that each seed can draw its own parts."
        )
    count = len(examples)  # type: ignore[arg-type]
    if count == 0:
        raise BadTask(f"{name} is empty: it needs at least one example.")
    try:
        size = sum(x.numel() * x.element_size() for x in _tensors(collate([examples[0]])))
        if size * count > MOST:
            raise BadTask(
                f"{name} has {count} examples of {size:,} bytes, {size * count / 2**30:.0f} GB in all, which is more "
                "than is taken into memory (4 GB); pass a part of it, such as torch.utils.data.Subset."
            )
        batch = collate([examples[i] for i in range(count)])
    except BadTask:
        raise
    except Exception as error:  # whatever the user's data set or collate_fn raises
        first = (str(error).strip().splitlines() or [""])[0].rstrip(".")
        raise BadTask(f"{name} cannot be read into memory: {type(error).__name__}: {first}.") from error
    return tuple(batch) if own_loss and isinstance(batch, list) else batch if own_loss else _pair(name, batch)


def _tensors(batch: Any) -> list[Tensor]:
    if isinstance(batch, Tensor):
        return [batch]
    values = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, list | tuple) else ()
    return [x for value in values for x in _tensors(value)]


def _pair(name: str, batch: Any) -> tuple[Any, Any]:
    """A batch as (inputs, targets): the last of several is the targets, and of a dict the one that is called so."""
    if isinstance(batch, Mapping):
        found = [label for label in LABELS if label in batch]
        if len(found) != 1:
            raise BadTask(
                f"The batches of {name} are dicts with {', '.join(map(str, batch))}; one of these must be the targets "
                f"and be called {', '.join(LABELS[:-1])} or {LABELS[-1]}. "
                "Or leave out loss, if the model returns its own."
            )
        return {key: value for key, value in batch.items() if key != found[0]}, batch[found[0]]
    if not isinstance(batch, list | tuple) or len(batch) < 2:
        raise BadTask(
            f"The examples of {name} have no targets; each must be inputs and targets, such as (x, y). Or leave out "
            "loss, if the model returns its own."
        )
    *inputs, targets = batch
    return (inputs[0] if len(inputs) == 1 else tuple(inputs)), targets
