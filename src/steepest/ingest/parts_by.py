"""How a table is divided into train, validation and test: at random, by a column of groups, of times, or of folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from steepest.errors import BadSetting

SPLITS = ("random", "stratified")


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
