"""Every trial of a study as a table of columns, raw: those of `Result`, with one for each dial."""

from collections.abc import Iterable

from steepest.records.dial import unpacked
from steepest.records.outcomes import Result
from steepest.records.record import field_names

Cell = str | float | None

NUMBERS = {
    **dict.fromkeys(("seed", "batch_size", "steps", "outcome_step", "lane"), "int64"),
    **dict.fromkeys(("rate", "train_loss", "valid_loss", "valid_metric", "test_loss", "test_metric"), "float64"),
}
"""The columns of numbers, so that they are numbers also in a study in which no trial has one."""


def trial_columns(results: Iterable[Result]) -> dict[str, list[Cell]]:
    """Name → one value per trial; None where a trial has none."""
    rows = list(results)
    found: dict[str, list[Cell]] = {
        name: [getattr(row, name) for row in rows] for name in field_names(Result) if name != "dials"
    }
    turned = [unpacked(row.dials) for row in rows]
    for name in sorted({name for each in turned for name in each}):
        found[name] = [each.get(name) for each in turned]
    return found


def type_of(name: str, values: Iterable[Cell]) -> str | None:
    """The type of a column: int64, float64, or None for text."""
    if name in field_names(Result):
        return NUMBERS.get(name)
    known = [value for value in values if value is not None]
    return "float64" if known and not any(isinstance(value, str | bool) for value in known) else None
