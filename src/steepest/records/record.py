"""What all records have in common: they are frozen dataclasses with no behaviour beyond their own arithmetic."""

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, TypeGuard

JsonObject = Mapping[str, Any]
"""An object as `json.loads` returns it. The only place where a record is untyped: `from_json` of each record reads it
and raises TypeError or KeyError where a field is missing or unknown."""


def is_json_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a value that `json.loads` returned is an object; its keys are strings then."""
    return isinstance(value, dict)


@cache
def field_names(record: type) -> tuple[str, ...]:
    """The names of a record's fields, in order: the columns of a table of such records."""
    return tuple(item.name for item in fields(record))


def values_of(record: object) -> dict[str, object]:
    """Field → value, as it is: `dataclasses.asdict` copies all that it finds, which takes five times as long."""
    return {name: getattr(record, name) for name in field_names(type(record))}
