"""Spaces: dials as the unit cube, in which strategies search, and back to values that are printed exactly."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from steepest.records.dial import Dial, Setting
from steepest.search.dials import Values, exact, parse_space, usual_dials

__all__ = ["Dial", "Space", "Values", "parse_space", "usual_dials"]

ZERO_SHARE = 0.1
"""Share of a dial's scale that means 0, where 0 is possible beside a logarithmic range."""
EDGE_SHARE = 0.05
"""A value in this share of a dial's scale, at either end, lies at the edge."""
Key = tuple[tuple[str, Setting], ...]


@dataclass(frozen=True)
class Space:
    """Dials that are tuned together. Its unit cube has one coordinate in [0, 1] for each dial."""

    dials: tuple[Dial, ...]

    def to_unit(self, values: Values) -> np.ndarray:
        """The point of these values. A dial that is absent is at its default, or in the middle without one."""
        return np.array([_unit(dial, values.get(dial.name, dial.default)) for dial in self.dials])

    def from_unit(self, point: np.ndarray) -> Values:
        """The values at a point, to 12 significant digits. A conditional dial that does not apply is left out."""
        found = {
            dial.name: _value(dial, min(max(float(u), 0.0), 1.0)) for dial, u in zip(self.dials, point, strict=True)
        }
        return self.active(found)

    def active(self, values: Values) -> Values:
        """These values without the dials that do not apply beside the others."""
        kept = dict(values)
        for dial in self.dials:  # a condition may depend on a dial that is conditional itself
            if dial.only_if is not None and dial.name in kept and not dial.applies(kept):
                del kept[dial.name]
        return kept

    def key(self, values: Values) -> Key:
        """What makes two settings the same: their values, where an absent dial is at its default."""
        defaults = {dial.name: dial.default for dial in self.dials if dial.default is not None}
        return tuple(sorted(self.active({**defaults, **values}).items()))

    def at_edge(self, values: Values) -> dict[str, Literal["low", "high"]]:
        """Dials whose value lies at an end of their range, where a better one may lie beyond it.

        An end beyond which nothing lies does not count: 0 of a dial that can be 0, or of a share that an average keeps.
        """
        found: dict[str, Literal["low", "high"]] = {}
        for dial in self.dials:
            if dial.kind == "choice" or dial.name not in values:
                continue
            u = _unit(dial, values[dial.name])
            if dial.kind == "integer":  # its scale ends half a count beyond the ends
                u = {dial.low: 0.0, dial.high: 1.0}.get(values[dial.name], u)  # type: ignore[arg-type]
            if u >= 1 - EDGE_SHARE:
                found[dial.name] = "high"
            elif u <= EDGE_SHARE and not dial.zero and not (dial.complement and dial.low == 0):
                found[dial.name] = "low"
        return found


class Fresh:
    """Takes the settings of a stream of points that were not asked before: the same trial twice would teach nothing."""

    PATIENCE = 200

    def __init__(self, space: Space, begun: Iterable[Values] = ()) -> None:
        self.space = space
        self.seen = {space.key(values) for values in begun}

    def take(self, points: Iterator[np.ndarray], number: int) -> tuple[list[Values], list[np.ndarray]]:
        """This number of settings, and their points. Where a small space runs out of new ones, old ones come again."""
        values, taken = [], []
        for _ in range(number):
            for attempt, point in enumerate(points):
                setting = self.space.from_unit(point)
                key = self.space.key(setting)
                if key not in self.seen or attempt >= self.PATIENCE:
                    self.seen.add(key)
                    values.append(setting)
                    taken.append(point)
                    break
        return values, taken


# ---- one dial --------------------------------------------------------------------------------------------------------


def _ends(dial: Dial) -> tuple[float, float]:
    """Both ends of the scale, on which the values lie evenly."""
    if dial.kind == "log":
        return (-math.log(1 - dial.low), -math.log(1 - dial.high)) if dial.complement else _logs(dial.low, dial.high)
    if dial.kind == "integer":
        return _logs(dial.low - 0.5, dial.high + 0.5) if _counts_in_logs(dial) else (dial.low - 0.5, dial.high + 0.5)
    return dial.low, dial.high


def _logs(low: float, high: float) -> tuple[float, float]:
    return math.log(low), math.log(high)


def _counts_in_logs(dial: Dial) -> bool:
    return dial.low >= 1 and dial.high >= 10 * dial.low


def _value(dial: Dial, u: float) -> Setting:
    if dial.kind == "choice":
        return dial.choices[min(int(u * len(dial.choices)), len(dial.choices) - 1)]
    if dial.zero:
        if u < ZERO_SHARE:
            return 0.0
        u = (u - ZERO_SHARE) / (1 - ZERO_SHARE)
    low, high = _ends(dial)
    x = low + u * (high - low)
    if dial.kind == "integer":
        count = round(math.exp(x)) if _counts_in_logs(dial) else round(x)
        return int(min(max(count, dial.low), dial.high))
    if dial.kind == "log":
        x = 1 - math.exp(-x) if dial.complement else math.exp(x)
    return min(max(exact(x), dial.low), dial.high)


def _unit(dial: Dial, value: Setting | None) -> float:
    if dial.kind == "choice":
        return (dial.choices.index(value) + 0.5) / len(dial.choices) if value in dial.choices else 0.5
    if value is None or isinstance(value, str):
        return 0.5
    if dial.zero and value <= 0:
        return 0.0
    low, high = _ends(dial)
    if dial.kind == "log" and dial.complement:
        x = -math.log(max(1 - value, 1e-300))
    elif dial.kind == "log" or (dial.kind == "integer" and _counts_in_logs(dial)):
        x = math.log(max(value, 1e-300))
    else:
        x = float(value)
    u = min(max((x - low) / (high - low), 0.0), 1.0)
    return ZERO_SHARE + (1 - ZERO_SHARE) * u if dial.zero else u
