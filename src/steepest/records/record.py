"""What all records have in common: they are frozen dataclasses without behaviour beyond their own arithmetic."""

from __future__ import annotations

from dataclasses import fields


def field_names(noun: type) -> tuple[str, ...]:
    """The names of a noun's fields, in order: the columns of a table of such nouns."""
    return tuple(item.name for item in fields(noun))
