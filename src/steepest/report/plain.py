"""A view as JSON: the one place where its messages become words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steepest.messages import Message, wordings


def plain(value: Any) -> Any:
    """A view, or a part of it, as plain JSON values: a message becomes its wording in every language."""
    if isinstance(value, Message):
        return wordings(value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
