"""Every trial as a pandas table or a Parquet file: the columns of `Result`, raw, one row per trial."""

import io
from typing import Any

from steepest.records.outcomes import Result
from steepest.records.record import field_names
from steepest.records.study_record import StudyRecord
from steepest.report.optional import extra

DTYPES = {
    **dict.fromkeys(("seed", "batch_size", "steps", "outcome_step", "lane"), "int64"),
    **dict.fromkeys(("rate", "train_loss", "valid_loss", "valid_metric", "test_loss", "test_metric"), "float64"),
}
"""The columns of numbers, so that they are numbers also in a study in which no trial has one; the others are text."""


def columns(study: StudyRecord) -> dict[str, list[Any]]:
    """Name → one value per trial; None where a trial has none. Half a surrogate pair becomes a visible escape."""
    return {name: [_cell(getattr(result, name)) for result in study.results] for name in field_names(Result)}


def to_pandas(study: StudyRecord) -> Any:
    """A DataFrame with one row per trial, failed ones included. Raises BadSetting where pandas is missing."""
    pandas = extra("pandas", "A table of trials", "pandas")
    found = {name: pandas.Series(values, dtype=DTYPES.get(name)) for name, values in columns(study).items()}
    return pandas.DataFrame(found)


def parquet(study: StudyRecord) -> bytes:
    """The same as a Parquet file. Raises BadSetting where pyarrow is missing."""
    arrow, writer = extra("pyarrow", "Parquet", "data"), extra("pyarrow.parquet", "Parquet", "data")
    buffer = io.BytesIO()
    types = {"float64": arrow.float64(), "int64": arrow.int64(), None: arrow.string()}
    schema = arrow.schema([(name, types[DTYPES.get(name)]) for name in field_names(Result)])
    writer.write_table(arrow.table(columns(study), schema=schema), buffer)
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    return str(value).encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
