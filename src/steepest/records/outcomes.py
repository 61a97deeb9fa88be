"""What training returns: how each trial ended, its row in the table of results, and its curves."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from steepest.records.example_outcomes import ExampleOutcomes
from steepest.records.trials import Stage


class Outcome(StrEnum):
    """How a trial ended: a closed set. Only OK has a quality; every other outcome ranks last and is kept. STOPPED is
    not a failure: the trial was sound when racing gave its time to better ones."""

    OK = "ok"
    STOPPED = "stopped"
    DIVERGED = "diverged"
    NONFINITE = "nonfinite"
    OOM = "oom"
    ERROR = "error"
    KILLED = "killed"
    TIMEOUT = "timeout"

    @property
    def sentence(self) -> str:
        """What happened, in words; `{step}` stands for the step at which it happened."""
        return _SENTENCES[self]


_SENTENCES = {
    Outcome.OK: "The trial reached its horizon.",
    Outcome.STOPPED: "The trial was behind others of its seed, and was stopped at step {step} to save time.",
    Outcome.DIVERGED: "The loss blew up at step {step}; the trial ranks last and is kept.",
    Outcome.NONFINITE: "The first loss was already not finite: look at the data or the model, not at the rate.",
    Outcome.OOM: "Memory ran out at step {step}.",
    Outcome.ERROR: "The model or the loss raised an error at step {step}.",
    Outcome.KILLED: "The worker was killed as often as it was retried.",
    Outcome.TIMEOUT: "The trial ran past its time limit at step {step}.",
}

LOST = (Outcome.OOM, Outcome.KILLED, Outcome.TIMEOUT)
"""Trials that the machine has ended, for no reason of their own: with more memory or time they may well succeed."""

NO_RATE = 0.0
"""The rate of a run whose table does not give one."""


@dataclass(frozen=True, slots=True)
class Result:
    """One trial's row in the table of results. Losses and metrics are raw; None where the trial has no such value."""

    task: str
    contender: str
    rate: float
    seed: int
    stage: Stage
    batch_size: int
    steps: int
    outcome: Outcome
    outcome_step: int
    """Steps done: the horizon if OK, otherwise the step at which the trial ended."""
    train_loss: float | None
    """Mean training loss between the last two evaluations."""
    valid_loss: float | None
    valid_metric: float | None
    test_loss: float | None
    test_metric: float | None
    shard: str
    lane: int
    dials: str = ""
    """Values of further dials than the rate, as `steepest.records.dial.packed` writes them; "" for none."""


@dataclass(frozen=True, slots=True)
class Trace:
    """The curves of the trials of one shard. E evaluations, R lanes; NaN after a trial's end."""

    evaluate_at: np.ndarray  # [E], int64: steps
    train_loss: np.ndarray  # [R, E], float64: mean of the batch losses since the evaluation before
    valid_loss: np.ndarray  # [R, E]
    valid_metric: np.ndarray  # [R, E]
    outcome: tuple[Outcome, ...]  # [R]
    outcome_step: np.ndarray  # [R], int64
    test_loss: np.ndarray  # [R], NaN unless OK
    test_metric: np.ndarray  # [R], NaN unless OK
    examples: ExampleOutcomes | None = None
    """What came of each test example, for the trials that their seeds would pick; None where that is not known."""
