"""The parts of a verdict: frozen values, which `decide` fills."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal, TypeGuard

from steepest.messages import Message, paragraph, shown
from steepest.records.contender import Contender, Setting
from steepest.records.question import Question
from steepest.records.task_facts import TaskFacts
from steepest.verdict.stats.tuning import Tunability

Status = Literal["best", "tie", "behind", "unsure", "failed"]
Decision = Literal["keep", "change", "open"]
"""The advice to the owner of a baseline."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; raw units of the task's metric unless said otherwise.

    A single observation bounds nothing: then low = −inf and high = inf (null in JSON).
    """

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence about results, with the numbers in it and what they were read from."""

    says: Message
    numbers: Mapping[str, float | int | str | None]
    evidence: tuple[str, ...]
    """Keys of what it rests on: "standing:digits/adam", "pair:digits/adam-sgd", "study"."""
    kind: Literal["use", "tie", "behind", "why", "rate", "failure", "edge", "time", "weak", "luck", "change"] = "use"
    part: Literal["headline", "detail"] = "detail"
    """Headline claims, joined in order, are the paragraph that is read first."""

    @property
    def sentence(self) -> str:
        """In English, for comparing; `says` is for showing."""
        return str(self.says)


@dataclass(frozen=True, slots=True)
class RatePoint:
    """All trials of one contender at one rate: a point of the rate-sensitivity curve."""

    rate: float
    stage: str
    n: int
    failed: int
    """Trials that diverged or ended otherwise than ok."""
    stalled: int
    """Trials that ended ok but hardly learned: see `curves.stall_level` for the rule."""
    valid: Estimate | None
    """Mean validation metric of the ok trials, with Student's t interval; None where there is none. Where seeds tried
    different rates, each value counts as if its seed were an average one."""
    picked: int
    """Replicates that picked this rate."""


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How the mean validation metric answers to the rate."""

    best: float
    """The rate with the best mean, which the ranges lie around; the rate recommended is smoothed, and may differ."""
    good_1pct: tuple[float, float]
    """The range in which the mean stays within 1 % of the best and no trial failed."""
    good_5pct: tuple[float, float]
    asymmetry: float
    """Decades of that range above the best rate minus those below it: positive forgives too large a rate more."""
    diverges: float | None
    """The smallest rate from which on at least half of the trials diverged at every rate; None if none does."""
    headroom: float | None
    """Decades from the best rate to there."""


@dataclass(frozen=True, slots=True)
class Untuned:
    """The optimizer at the rate that one gets without asking."""

    rate: float
    gap: Estimate | None
    """How much worse its test metric is than the replicate's own pick (positive means worse), mean over replicates
    with Student's t interval, failed runs left out."""
    failed: int
    """Replicates whose run at that rate failed."""
    interpolated: bool
    """Whether the rate was not tried itself, but lies between two that were: a straight line over the log-rate."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How soon the replicates' picks reach a target, those that never do included."""

    steps: Estimate | None
    """Median steps, with an interval between two order statistics; None if fewer than half arrive."""
    seconds: Estimate | None
    """The same as time of training alone on one thread, without evaluations; None where a step was not timed."""
    arrived: int
    of: int
    times: Mapping[int, float | None]
    """Seed → steps; None if it never arrives, or the replicate failed."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """The level to expect: after the selection among ties, and on which examples."""

    level: Estimate
    """Of the best and its ties, shrunk towards each other."""
    on_new_examples: bool
    """Whether the interval covers other test examples of the same kind, too; else only other seeds."""


@dataclass(frozen=True, slots=True)
class Turned:
    """What turning further dials than the rate was worth to a contender on a task."""

    dials: tuple[str, ...]
    search: str
    trials: int
    """Settings that each replicate tried beyond its rates."""
    replicates: int
    moved: int
    """Of these, how many picked such a setting: it was better than their best rate by more than validation's noise."""
    gain: Estimate | None
    """How much better the picks do on the test part than the best rates at default values alone (positive means
    better), mean over the replicates with Student's t interval."""
    unguarded: Estimate | None
    """The same, had every replicate picked what was best on validation, however little it was ahead."""
    importance: Mapping[str, Estimate]
    """Dial → share of the variance of the ranks of the other settings that it explains: the rate of all of it, each
    other dial of what the rate leaves. Negative for less than chance."""
    edges: Mapping[str, tuple[str, int]]
    """Dial → the end of its range, low or high, at which most picks of other settings lie, and how many do."""
    setting: Mapping[str, Setting]
    """What to use: the rate as "lr" and the other dials; empty where tuning more than the rate is not shown to gain."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One contender on one task."""

    contender: str
    place: int
    """1 for the best mean; then those with too few sound replicates to judge, then those with none."""
    status: Status
    """best; tie (with the best: the interval holds 0, or the difference is below the practical margin); behind;
    unsure (it or the best has fewer than 5 sound replicates); failed (none of its replicates is sound)."""
    quality: Estimate | None
    """Mean test metric over replicates, with Student's t interval."""
    deviation: float | None
    """Standard deviation over replicates; None below two."""
    behind_best: Estimate | None
    """How much worse than the best (positive means worse, for metrics of either direction). The interval is Welch's, or
    Student's of the differences by seed where `TaskVerdict.paired`, at the level at which Holm's procedure judged this
    pair: it holds 0 exactly if p_best is 1 − confidence or more. n is the smaller sample. None for the best."""
    p_best: float | None
    """p of that difference, adjusted by Holm over all pairs of the task's contenders."""
    behind_reference: Estimate | None
    p_reference: float | None
    rate: float | None
    """The rate recommended: from the validation curves of all seeds, smoothed."""
    safe_rates: tuple[float, float] | None
    """The range around it in which the mean validation metric is shown to stay within 5 % of the best and no trial
    failed: the inner range of a bootstrap over seeds. `Sensitivity.good_5pct` is the range that was measured."""
    decades_1pct: float
    decades_5pct: float
    untuned: Literal["", "low", "high"]
    """Not empty when the best rate is still at that edge of what was searched: that of all seeds together where all
    tried the same rates, otherwise that of most seeds."""
    replicates: int
    """Sound replicates: those whose pick reached the horizon."""
    failed_replicates: int
    trials: int
    failed_trials: int
    milliseconds: float | None
    seconds: float | None
    """Of one training run, alone on one thread."""
    state_bytes_per_parameter: float | None
    steps_to_target: Mapping[str, float | None]
    """"95 %" and "99 %" of the reference's improvement → median steps over replicates; None if fewer than half get
    there. Empty without curves."""
    points: tuple[RatePoint, ...]
    """In order of rate."""
    picks: Mapping[int, float]
    """Seed → the rate that its replicate picked."""
    values: Mapping[int, float | None]
    """Seed → the test metric of that replicate; None if it failed."""
    best_of: Mapping[int, float | None] = field(default_factory=dict[int, float | None])
    """Number of grid rates tried, drawn at random → expected test metric of the one picked on validation; None where
    all of them may fail."""
    batch_size: int = 0
    """Examples a step; steps of contenders with different batches are not to be compared."""
    steps: int = 0
    """Of one training run."""
    places: tuple[int, int] | None = None
    """The places that it may truly have, from what was shown of all pairs; None where it was not judged."""
    behind_bootstrap: Estimate | None = None
    """`behind_best` once more, with the bootstrap-t interval at the same level, without assuming normality."""
    sensitivity: Sensitivity | None = None
    untuned_gap: Untuned | None = None
    tunability: Tunability | None = None
    """What a search of the grid's rates in random order is worth, in the raw metric; None with fewer than two."""
    arrivals: Mapping[str, Arrival] = field(default_factory=dict[str, Arrival])
    """"95 %" and "99 %" of the reference's improvement → when. Empty without curves."""
    expected: Expectation | None = None
    """None where it has too few replicates to be judged."""
    decades_between: tuple[float, float] | None = None
    """Between which the width of its good rates lies, with 95 % confidence: a bootstrap over seeds."""
    levels: Mapping[Question, Estimate | None] = field(default_factory=dict[Question, Estimate | None])
    """Question → `quality` as its answer; None where the question cannot be answered."""
    behind_answers: Mapping[Question, Estimate | None] = field(default_factory=dict[Question, Estimate | None])
    """Question → `behind_best` as its answer, at the same level; empty for the best."""
    turned: Turned | None = None
    """What further dials were worth; None where the rate alone was tuned."""
    area: Estimate | None = None
    """Mean validation metric over the whole course of the run (its area over its width), over the replicates' picks."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The advice to the owner of the baseline: to keep it, or what to change to."""

    contender: str
    tuned: str
    """The contender that is the same optimizer with its rate tuned."""
    decision: Decision
    """keep: nothing is shown to be better by the practical margin. open: too few seeds to say."""
    to: str
    """The contender to change to; for keep, the one whose mean comes closest or is ahead; "" for open."""
    gain: Estimate | None
    """How much better `to` is than the baseline (positive means better, for metrics of either direction)."""
    p: float | None
    tuning: Estimate | None
    """The same for the tuned one: what tuning the rate alone gains."""
    p_tuning: float | None

    @property
    def advised(self) -> str:
        """What its owner should use."""
        return self.to if self.decision == "change" else self.contender


@dataclass(frozen=True, slots=True)
class TaskVerdict:
    task: TaskFacts
    best: str
    reference: str
    ties: tuple[str, ...]
    standings: tuple[Standing, ...]
    """In order of place."""
    claims: tuple[Claim, ...]
    targets: Mapping[str, float] = field(default_factory=dict[str, float])
    """Name → validation metric level."""
    margin: float = 0.0
    """The practical margin that ties were judged by, raw."""
    paired: bool = False
    """Whether contenders are compared seed by seed, because their results are correlated over seeds."""
    correlation: float | None = None
    """Of the contenders' test metrics over seeds, the mean over pairs; None where it could not be measured."""
    looks: tuple[int, ...] = ()
    """Numbers of repeats after which the study has, or may have, a verdict; empty if there is one only."""
    start: float | None = None
    """Validation metric of an untrained model, raw; None without curves."""
    question: Question = "trained-again"
    """What levels and differences are the answer to: what was asked, or else the widest that can be answered."""
    asked: Question | None = None
    """What was asked; None for the widest."""
    advised: str = ""
    """What to use: the best, or one of its ties that fails less or is far faster. See `advice`."""
    may_lose: float | None = None
    """By how much the advised one may be worse than another: the largest upper end of the intervals of these
    differences, in goodness, at least 0. None where nobody else was judged."""
    baseline: Baseline | None = None
    """What to tell the owner of the baseline; None in a study without one."""

    @property
    def settled(self) -> bool:
        """Whether more repeats could hardly change it: everyone else is behind, has failed, or is shown to differ from
        the best by less than the practical margin."""

        def is_settled(item: Standing) -> bool:
            gap = item.behind_best
            small = gap is not None and max(gap.high, -gap.low) < self.margin
            return item.status in ("best", "behind", "failed") or (item.status == "tie" and small)

        return all(map(is_settled, self.standings))

    @property
    def headline(self) -> str:
        """The paragraph to read first, in English."""
        return str(self.summary)

    @property
    def summary(self) -> Message:
        """The paragraph to read first."""
        return paragraph(claim.says for claim in self.claims if claim.part == "headline")


@dataclass(frozen=True, slots=True)
class Tally:
    """One contender over all tasks: on how many it was the best, tied with the best, behind, and so on."""

    contender: str
    best: int
    tie: int
    behind: int
    unsure: int
    failed: int
    good: int = 0
    """On how many it was the best, or a tie that is shown to be within the practical margin of the best."""


@dataclass(frozen=True, slots=True)
class Everywhere:
    """One contender used on all tasks: what that costs compared with the best choice for each."""

    contender: str
    regret: Estimate
    """Mean over tasks of how much worse it is than the task's best, as a share; its interval lets both the tasks and
    the seeds vary (hierarchical bootstrap). Its low end is 0 unless it is shown behind on some task. n is the number of
    tasks."""
    worst: float
    """The largest regret of any task,"""
    worst_task: str
    """and where that was."""
    profile: Estimate | None
    """Area of the performance profile of the time to the 95 % target, for ratios of 1 to 4 to the quickest: 1 if it
    is the quickest everywhere. None where times were not measured on every task."""


@dataclass(frozen=True, slots=True)
class Verdict:
    study: str
    finished: bool
    tasks: tuple[TaskVerdict, ...]
    contenders: tuple[Contender, ...]
    claims: tuple[Claim, ...]
    """About the study as a whole: the tasks together, the variation that intervals cover, what was given up, the cost.
    What to use is said per task."""
    reproduce: str
    tallies: tuple[Tally, ...] = ()
    """One per contender where there are several tasks."""
    confidence: float = 0.95
    everywhere: tuple[Everywhere, ...] = ()
    """The contenders that were judged on every one of several tasks, the smallest mean regret first."""
    regret_unit: Literal["", "progress", "level"] = ""
    """What a regret is a share of: the way from an untrained model to the task's best, or the best's own level."""

    @property
    def headline(self) -> str:
        """The paragraph to read first, in English."""
        return str(self.summary)

    @property
    def summary(self) -> Message:
        """The paragraph to read first: the task's own if there is one task, otherwise about all of them."""
        if len(self.tasks) == 1:
            return self.tasks[0].summary
        return paragraph(claim.says for claim in self.claims if claim.part == "headline")

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """All sentences, the headline first."""
        paragraphs = [shown(self.summary)]
        if len(self.tasks) > 1:
            paragraphs += [shown(task.summary) for task in self.tasks]
        for claims in (*(task.claims for task in self.tasks), self.claims):
            paragraphs += ["\n".join(f"- {shown(claim.says)}" for claim in claims if claim.part == "detail")]
        return "\n\n".join(filter(None, paragraphs))

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain JSON values; what is not a finite number becomes null, keys become strings.

        A claim has its `sentence`, a task and the whole a `headline`, in the language in force.
        """
        tasks = [{**plain(task), "headline": shown(task.summary)} for task in self.tasks]
        return {**plain(self), "headline": shown(self.summary), "tasks": tasks}


def plain(value: object) -> Any:
    """A result as JSON-ready dicts, lists, strings, numbers and None."""
    if isinstance(value, Claim):
        rest = {item.name: plain(getattr(value, item.name)) for item in fields(value)[1:]}
        return {"sentence": shown(value.says), **rest}
    if isinstance(value, Message):
        return shown(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if _is_mapping(value):
        return {str(key): plain(item) for key, item in value.items()}
    if _is_list(value):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def _is_mapping(value: Any) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def _is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, tuple | list)
