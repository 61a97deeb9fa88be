"""Whether rows of results can be such at all, before anything is computed from them."""

import math
import sqlite3
from collections.abc import Sequence
from typing import Any, get_args

from steepest.records.dial import is_packed
from steepest.records.outcomes import Outcome, Result
from steepest.records.record import field_names
from steepest.records.trials import Stage
from steepest.study.places import is_plain_name

_COLUMNS = field_names(Result)
_TEXTS = ("task", "contender", "stage", "outcome", "shard", "dials")
_AT_LEAST = {"seed": 0, "batch_size": 1, "steps": 1, "outcome_step": 0, "lane": 0}
_CHECKED = {"shard": is_plain_name, "dials": is_packed}
_KNOWN = {"stage": frozenset(get_args(Stage)), "outcome": frozenset(map(str, Outcome))}


def check_rows(rows: Sequence[Sequence[Any]]) -> None:
    """Raise DatabaseError where one of the rows of results, as SQLite returns them, cannot be one."""
    for name, column in zip(_COLUMNS, zip(*rows, strict=True), strict=False):
        if not _is_sound(name, column):
            raise sqlite3.DatabaseError(f"a trial has an impossible {name.replace('_', ' ')}")


def _is_sound(name: str, column: Sequence[Any]) -> bool:
    kinds = set(map(type, column))
    if name in _TEXTS:
        known = _KNOWN.get(name)
        texts = set(column) if kinds == {str} else set[str]()
        if name in _CHECKED:
            return kinds == {str} and all(map(_CHECKED[name], texts))
        return kinds == {str} and (not known or texts <= known)
    if name in _AT_LEAST:
        return kinds == {int} and min(column) >= _AT_LEAST[name]
    if name == "rate":
        return kinds == {float} and min(column) > 0 and max(column) < math.inf
    if type(None) in kinds:
        column = [each for each in column if each is not None]
    return kinds <= {float, type(None)} and all(map(math.isfinite, column))
