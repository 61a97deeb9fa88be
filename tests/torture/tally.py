"""What can come of a try, and the table of all tries."""

import sys
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from time import monotonic


class Outcome(StrEnum):
    """In ascending order of harm."""

    IDENTICAL = "identical"
    """The right answer. Of a foreign file that nothing vouches for, any answer is."""
    SENTENCE = "one sentence"
    """It was refused in one sentence, with exit code 1 or 2, and nothing was lost."""
    TRACEBACK = "traceback"
    WRONG = "silently wrong"
    HUNG = "hung"


FAULTS = (Outcome.TRACEBACK, Outcome.WRONG, Outcome.HUNG)
_SHOWN = 3
"""Faults of a row that are printed."""


class Tally:
    """Counts of outcomes, row by row."""

    def __init__(self) -> None:
        self.rows: dict[str, Counter[Outcome]] = {}
        self.seconds: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self._since = monotonic()

    def add(self, row: str, outcome: Outcome, what: str = "") -> None:
        """Count a try; `what` says which it was and what it said, and is printed if it is a fault."""
        if row not in self.rows:
            print(f"{row} …", file=sys.stderr, flush=True)
        self.rows.setdefault(row, Counter())[outcome] += 1
        now = monotonic()
        self.seconds[row] += now - self._since
        self._since = now
        if outcome in FAULTS:
            self.faults[row] += 1
            if self.faults[row] <= _SHOWN:
                print(f"{row}: {outcome}: {what}", file=sys.stderr, flush=True)

    def table(self) -> str:
        """One line a row, and the sums."""
        lines = [["what", "tried", *map(str, Outcome), "seconds"]]
        for row, counts in self.rows.items():
            lines.append(_line(row, counts, self.seconds[row]))
        lines.append(_line("all", sum(self.rows.values(), Counter()), self.seconds.total()))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(_aligned(line, widths) for line in lines)

    def to_json(self) -> list[dict[str, str | int]]:
        """The table for machines."""
        return [
            {"what": row, "tried": counts.total(), **{str(outcome): counts[outcome] for outcome in Outcome}}
            for row, counts in self.rows.items()
        ]

    @property
    def is_clean(self) -> bool:
        return not self.faults


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The most harmful of them."""
    return max(outcomes, key=[*Outcome].index)


def _line(row: str, counts: Counter[Outcome], seconds: float) -> list[str]:
    return [row, f"{counts.total():,}", *(f"{counts[outcome]:,}" for outcome in Outcome), f"{seconds:,.0f}"]


def _aligned(line: list[str], widths: list[int]) -> str:
    name, *numbers = line
    columns = [each.rjust(width) for each, width in zip(numbers, widths[1:], strict=True)]
    return "  ".join([name.ljust(widths[0]), *columns])
