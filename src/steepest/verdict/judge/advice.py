"""Which of those that cannot be told from the best to use: the quickest, and among equally quick ones the leanest.

Whoever has the best mean among ties has it by luck as likely as not. What is not luck is what a run costs.
"""

from __future__ import annotations

from collections.abc import Sequence

from steepest.verdict.results import Standing

QUICKER = 2.0
"""How many times as quick as the best a tie must be to be advised in its place."""
ALIKE = 1.25
"""Up to this factor, times of runs count as equal: they are measured on machines that do other things too."""


def advised(standings: Sequence[Standing]) -> Standing:
    """The contender to use, of standings in order of place: the best, unless a tie is `QUICKER` times as quick a run.

    Then, of all ties within `ALIKE` of the quickest: the one with the least state, and the better place among those.
    """
    best = standings[0]
    ties = [item for item in standings[1:] if item.status == "tie" and item.seconds and item.rate is not None]
    if best.status != "best" or not best.seconds or not ties:
        return best
    least = min(item.seconds for item in ties if item.seconds)
    if best.seconds < QUICKER * least:
        return best
    quick = [item for item in ties if item.seconds and item.seconds <= ALIKE * least]
    return min(quick, key=lambda item: (item.state_bytes_per_parameter or 0.0, item.place))
