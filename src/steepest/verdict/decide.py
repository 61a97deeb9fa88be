"""From results to a verdict: winner, tie or undecided, with the reasons and what would change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from steepest.types import Contender, StudyRecord, TaskFacts


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; raw units of the task's metric unless said otherwise."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence about results, with the numbers in it and what they were read from."""

    sentence: str
    numbers: Mapping[str, float | int | str | None]
    evidence: tuple[str, ...]
    """Keys of what it rests on: "standing:digits/adam", "pair:digits/adam-sgd"."""
    kind: Literal["use", "tie", "behind", "rate", "failure", "edge", "time", "weak", "luck", "change"] = "use"


@dataclass(frozen=True, slots=True)
class RatePoint:
    """All trials of one contender at one rate: a point of the rate-sensitivity curve."""

    rate: float
    stage: str
    n: int
    failed: int
    """Trials that diverged or ended otherwise than ok."""
    stalled: int
    """Trials that ended ok but hardly learned: see `decide` for the rule."""
    valid: Estimate | None
    """Mean validation metric of the ok trials; None where there is none."""
    picked: int
    """Replicates that picked this rate."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One contender on one task."""

    contender: str
    place: int
    """1 for the best mean; contenders without a single sound replicate come last."""
    status: Literal["best", "tie", "behind", "unsure", "failed"]
    quality: Estimate | None
    """Mean test metric over replicates, with Student's t interval."""
    deviation: float | None
    """Standard deviation over replicates."""
    behind_best: Estimate | None
    """How much worse than the best (≥ 0 means worse whatever the metric's direction); Welch's t; None for the best."""
    p_best: float | None
    """Holm-adjusted p of that difference."""
    behind_reference: Estimate | None
    p_reference: float | None
    probability_best: float
    """Share of bootstrap studies in which this contender has the best mean."""
    rate: float | None
    """The rate recommended: from the validation curves of all seeds, smoothed."""
    safe_rates: tuple[float, float] | None
    """The range around it in which the mean validation metric stays within 5 % of the best."""
    decades_1pct: float
    decades_5pct: float
    untuned: Literal["", "low", "high"]
    """Not empty when the pooled best rate is still at that edge of what was searched."""
    replicates: int
    failed_replicates: int
    trials: int
    failed_trials: int
    milliseconds: float | None
    seconds: float | None
    """Of one training run, alone on one thread."""
    state_bytes_per_parameter: float | None
    steps_to_target: Mapping[str, float | None]
    """"95 %" and "99 %" of the reference's improvement → median steps over replicates; None if fewer than half get there."""
    points: tuple[RatePoint, ...]
    picks: Mapping[int, float]
    """Seed → the rate that its replicate picked."""
    values: Mapping[int, float | None]
    """Seed → the test metric of that replicate; None if it failed."""


@dataclass(frozen=True, slots=True)
class TaskVerdict:
    task: TaskFacts
    best: str
    reference: str
    ties: tuple[str, ...]
    standings: tuple[Standing, ...]
    claims: tuple[Claim, ...]
    targets: Mapping[str, float] = field(default_factory=dict)
    """Name → validation metric level."""


@dataclass(frozen=True, slots=True)
class Verdict:
    study: str
    finished: bool
    tasks: tuple[TaskVerdict, ...]
    contenders: tuple[Contender, ...]
    claims: tuple[Claim, ...]
    """About the study as a whole: the headline, the luck that intervals cover, what was given up, the cost."""
    reproduce: str


def decide(study: StudyRecord) -> Verdict:
    raise NotImplementedError
