"""A view as JSON: the one place where its messages become words."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

from steepest.messages import Message, wordings

Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | bool | None"
PLAIN = {str, float, int, bool, type(None)}


def plain(value: object) -> Json:
    """A view, or a part of it, as plain JSON values: a message becomes its wording in every language."""
    if type(value) in PLAIN:  # most are: the other questions take their time
        return cast("Json", value)
    if isinstance(value, Message):
        return {**wordings(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in cast("Mapping[str, object]", value).items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast("Sequence[object]", value)]
    if value is None or isinstance(value, str | float | int):
        return value
    raise TypeError(f"{value!r} has no place in a view.")
