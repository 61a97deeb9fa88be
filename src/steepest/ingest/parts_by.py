"""How a table is divided into train, validation and test: at random, by a column of groups, of times, or of folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from steepest.errors import BadSetting, BadTask
from steepest.ingest.packed_cells import PackedCells
from steepest.tasks.split_plan import require_values

SPLITS = ("random", "stratified")


class SplitBy(TypedDict, total=False):
    """Arguments of a task that say how its parts are drawn."""

    groups: np.ndarray
    time: np.ndarray
    folds: np.ndarray
    split: Sequence[str | float]


@dataclass(frozen=True)
class PartsBy:
    """The options; at most one of `group`, `time` and `folds` is given."""

    group: str = ""
    time: str = ""
    folds: str = ""
    split: str = ""
    """"random" or "stratified": chosen by the user, so that no question is asked. Empty: the default."""

    @classmethod
    def of(cls, options: Mapping[str, str]) -> PartsBy:
        """Raises BadSetting."""
        parts = cls(*(options.get(name, "") for name in ("group", "time", "folds", "split")))
        given = [name for name in ("group", "time", "folds") if getattr(parts, name)]
        if len(given) > 1:
            raise BadSetting(f"--{given[0]} and --{given[1]} are both given. Use one of --group, --time and --folds.")
        if parts.split and parts.split not in SPLITS:
            raise BadSetting(
                f"Unknown split {parts.split!r}. Use --split random or --split stratified; for whole groups --group "
                "COLUMN, for a series --time COLUMN, for given folds --folds COLUMN."
            )
        if parts.time and parts.split == "stratified":
            raise BadSetting("--time and --split stratified are both given. A split by time cannot be stratified.")
        return parts

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are named."""
        return tuple(name for name in (self.group, self.time, self.folds) if name)

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that are not inputs: groups and folds say nothing about new ones."""
        return tuple(name for name in (self.group, self.folds) if name)

    def without_gaps(self, columns: Mapping[str, PackedCells]) -> None:
        """Raises BadTask if a row has no group, time or fold."""
        for option in ("group", "time", "folds"):
            if (name := getattr(self, option)) and (empty := columns[name].texts().count("")):
                raise BadTask(
                    f"--{option} {name}: {empty:,} {'row has' if empty == 1 else 'rows have'} no value there. Fill "
                    "them in, or remove these rows."
                )

    def arguments(
        self, columns: Mapping[str, PackedCells], times: np.ndarray | None, shares: Sequence[float]
    ) -> SplitBy:
        """For a task of these rows; `times` are the numbers of the column of times. Raises BadTask."""
        by: SplitBy = {}
        if self.split:
            by["split"] = (self.split, *shares)
        if self.group:
            by["groups"] = np.array(columns[self.group].texts())
            require_values(f"--group {self.group}: the column", "group", len(set(by["groups"])))
        if self.folds:
            by["folds"] = np.array(columns[self.folds].texts())
            require_values(f"--folds {self.folds}: the column", "fold", len(set(by["folds"])))
        if self.time:
            if times is None:
                first = next(iter(columns[self.time].texts()), "")
                raise BadTask(
                    f"--time {self.time}: {first!r} is neither a date nor a number. Name a column of times, or "
                    f"say how to read it: --column {self.time}=date:%d.%m.%y."
                )
            if np.isnan(times).any():
                raise BadTask(f"--time {self.time}: {int(np.isnan(times).sum())} values are not times. Correct them.")
            by["time"] = times
            require_values(f"--time {self.time}: the column", "time", len(np.unique(times)))
        return by
