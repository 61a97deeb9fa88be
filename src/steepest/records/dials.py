"""What a trial turns besides its rate: the dials of a search, and their values in one trial."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal

from steepest.records.record import JsonObject, is_json_object

Setting = float | bool | str
"""The value of one hyperparameter."""

RATE, SCHEDULE, WARMUP, BATCH = "lr", "schedule", "warmup", "batch-size"
"""Names of dials that every optimizer has."""
OF_SHARD = (BATCH, "dropout", "augment", "word-dropout", "label-smoothing")
"""Names of dials that all lanes of a shard have in common: they change the task or its batches."""
NOT_OF_RULE = (SCHEDULE, WARMUP, *OF_SHARD)
"""All names of dials that are not settings of an optimizer."""

DialKind = Literal["log", "linear", "integer", "choice"]


@dataclass(frozen=True, slots=True)
class Dial:
    """One thing that a search may vary, and the values that it may take."""

    name: str
    kind: DialKind
    low: float = 0.0
    high: float = 0.0
    """Ends of the range, both possible; not used by a choice."""
    choices: tuple[Setting, ...] = ()
    complement: bool = False
    """Whether the scale is that of 1 − value, as for β₁, where 0.9 and 0.99 are as far apart as 0.99 and 0.999."""
    zero: bool = False
    """Whether 0 is possible as well, besides the range: no weight decay."""
    default: Setting | None = None
    """The value that a trial has where the dial is not turned."""
    only_if: tuple[str, tuple[Setting, ...]] | None = None
    """Another dial, and its values at which alone this one has a meaning."""

    @classmethod
    def from_json(cls, data: JsonObject) -> "Dial":
        values = dict(data)
        values["choices"] = tuple(data.get("choices", ()))
        if (condition := data.get("only_if")) is not None:
            values["only_if"] = (condition[0], tuple(condition[1]))
        return cls(**values)


def packed(values: Mapping[str, Setting]) -> str:
    """Values by dial as one text, the same for equal values; "" for none.

    >>> packed({"weight_decay": 0.1, "b2": 0.95})
    '{"b2":0.95,"weight_decay":0.1}'
    """
    return json.dumps(dict(values), sort_keys=True, separators=(",", ":"), allow_nan=False) if values else ""


def is_packed(text: str) -> bool:
    """Whether `packed` can have written it."""
    try:
        values: object = json.loads(text) if text else {}
        return is_json_object(values) and packed(values) == text and all(map(_is_setting, values.values()))
    except (ValueError, RecursionError):
        return False


def _is_setting(value: object) -> bool:
    return isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


@cache
def unpacked(dials: str) -> Mapping[str, Setting]:
    """The values in such a text."""
    return MappingProxyType(json.loads(dials)) if dials else MappingProxyType({})
