"""Which of the tied optimizers to use: the fastest, and among equally fast ones the one with the least state.

Among ties, the best mean may be due to chance. The cost of a run is not.
"""

from __future__ import annotations

from collections.abc import Sequence

from steepest.verdict.results import Standing

MIN_SPEEDUP = 2.0
"""How many times as fast as the best a tie must be to be advised instead."""
EQUAL_TIME_RATIO = 1.25
"""Up to this factor, times of runs count as equal, since other processes disturb the measurement."""


def advised(standings: Sequence[Standing]) -> Standing:
    """The contender to use, of standings in order of place: the best, unless a tie is `MIN_SPEEDUP` times as fast.

    Then, of all ties within `EQUAL_TIME_RATIO` of the fastest: the one with the least state, then the
    better place.
    """
    best = standings[0]
    ties = [item for item in standings[1:] if item.status == "tie" and item.seconds and item.rate is not None]
    if best.status != "best" or not best.seconds or not ties:
        return best
    least = min(item.seconds for item in ties if item.seconds)
    if best.seconds < MIN_SPEEDUP * least:
        return best
    fast = [item for item in ties if item.seconds and item.seconds <= EQUAL_TIME_RATIO * least]
    return min(fast, key=lambda item: (item.state_bytes_per_parameter or 0.0, item.place))
