"""What a running study reports while it runs."""

from dataclasses import dataclass
from typing import Literal

from steepest.messages import NOTHING, Message
from steepest.records.trials import Stage


@dataclass(frozen=True, slots=True)
class ProgressRow:
    """One contender on one task in the table of a running study."""

    task: str
    contender: str
    stage: Stage | Literal["waiting", "done"]
    done: int
    planned: int
    failed: int
    best_rate: float | None = None
    best_valid: float | None = None
    """Mean validation metric at the best rate so far, raw."""
    diverged: int = 0
    """Of `failed`, those whose rate was too large: a search tries such rates on purpose."""


Phase = Literal["describing", "timing", "compiling", "training", "finished"]


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a running study, as its listener receives it."""

    phase: Phase
    trials_done: int
    trials_planned: int
    seconds: float
    seconds_left: float | None
    rows: tuple[ProgressRow, ...] = ()
    message: Message = NOTHING
    """News for a line of its own, such as a worker that was replaced."""
    task: str = ""
    """Whose steps are timed; before training only."""
    until_look: bool = False
    """Whether `seconds_left` ends at a look at the verdict, after which the study may add seeds."""
