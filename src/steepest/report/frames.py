"""Every trial as a pandas table or a Parquet file: the columns of `Result`, raw, one row per trial."""

import io
from typing import Any

from steepest.records.study_record import StudyRecord
from steepest.report.optional import extra
from steepest.report.trial_table import Cell, trial_columns, type_of


def columns(study: StudyRecord) -> dict[str, tuple[str | None, list[Cell]]]:
    """Name → the type of a column, None for text; and one value per trial, None where a trial has none. Half a
    surrogate pair becomes a visible escape."""
    found = trial_columns(study.results)
    types = {name: type_of(name, values) for name, values in found.items()}
    return {name: (types[name], [_cell(each, types[name]) for each in values]) for name, values in found.items()}


def to_pandas(study: StudyRecord) -> Any:
    """A DataFrame with one row per trial, failed ones included. Raises BadSetting where pandas is missing."""
    pandas = extra("pandas", "A table of trials", "pandas")
    found = {name: pandas.Series(values, dtype=kind) for name, (kind, values) in columns(study).items()}
    return pandas.DataFrame(found)


def parquet(study: StudyRecord) -> bytes:
    """The same as a Parquet file. Raises BadSetting where pyarrow is missing."""
    arrow, writer = extra("pyarrow", "Parquet", "data"), extra("pyarrow.parquet", "Parquet", "data")
    buffer = io.BytesIO()
    types = {"float64": arrow.float64(), "int64": arrow.int64(), None: arrow.string()}
    found = columns(study)
    schema = arrow.schema([(name, types[kind]) for name, (kind, _) in found.items()])
    writer.write_table(arrow.table({name: values for name, (_, values) in found.items()}, schema=schema), buffer)
    return buffer.getvalue()


def _cell(value: Cell, kind: str | None) -> Cell:
    if value is None or kind is not None:
        return value
    return str(value).encode("utf-8", "backslashreplace").decode()
