"""What a trial turns besides its rate: the dials of a search, and their values in one trial."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal

from steepest.errors import BadSetting
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
    """One hyperparameter to tune.

    "log" and "linear" are numbers from `low` to `high`; "integer" counts, on a logarithmic scale where `high` is ten
    times `low` or more; "choice" takes one of `choices`. A dial with low = high has no usual range: the user gives one.
    """

    name: str
    kind: DialKind
    low: float = 0.0
    high: float = 0.0
    choices: tuple[Setting, ...] = ()
    complement: bool = False
    """Whether the logarithmic scale is that of 1 − x, as for β₁, β₂ and momentum."""
    zero: bool = False
    """Whether 0 is possible, too, as for a weight decay: {0} ∪ [low, high]."""
    default: Setting | None = None
    """The value that a trial has where the dial is not turned."""
    only_if: tuple[str, tuple[Setting, ...]] | None = None
    """The dial counts only while another one has one of these values."""

    def __post_init__(self) -> None:
        ends = (1 - self.high, 1 - self.low) if self.complement else (self.low, self.high)
        if self.kind == "log" and self.has_range and not 0 < ends[0] < ends[1] < math.inf:
            raise BadSetting(
                f"The dial {self.name} has the range {self.low:g}..{self.high:g}. "
                f"It must be {'at least 0 and below 1' if self.complement else 'above 0'}, the smaller number first."
            )

    @property
    def has_range(self) -> bool:
        """Whether it is known which values to try."""
        return self.kind == "choice" or self.high != self.low

    def applies(self, values: Mapping[str, Setting]) -> bool:
        """Whether the dial counts beside these values of the others."""
        return self.only_if is None or values.get(self.only_if[0]) in self.only_if[1]

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


def of_shard(dials: str) -> dict[str, Setting]:
    """Those of packed values that all lanes of a shard have in common."""
    return {name: value for name, value in unpacked(dials).items() if name in OF_SHARD}


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
