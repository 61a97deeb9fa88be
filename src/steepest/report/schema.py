"""What a view holds: `view` makes it; text, page, figures, exports and the server read it.

Figures are rounded and in the unit that people read; None stands where there is no finite number. Words are messages,
which `plain` turns into their wording in every language when a view becomes JSON. Contenders are known by their place
in the list, so that no name is ever a key.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from steepest.messages import Message
from steepest.records.contender import BatchSize
from steepest.verdict.results import Status

SCHEMA = 2
"""Rises whenever a reader of an older view would misread a newer one."""

Figure = float | None
"""A rounded number; None where there is none."""
SettingView = float | bool | str | None
"""The value of a hyperparameter."""


class View(TypedDict):
    """A study and its verdict."""

    schema: int
    study: StudyView
    headline: Message
    """The paragraph to read first."""
    claims: list[ClaimView]
    contenders: list[ContenderView]
    palette: PaletteView
    tasks: list[TaskView]
    tallies: list[TallyView]
    reproduce: ReproduceView


class StudySetting(TypedDict):
    """Which study it is."""

    name: str
    created: str
    reference: str


class StudyView(StudySetting):
    """How far a study is."""

    finished: bool
    trials: int
    planned: int
    failed: int
    time: Message
    confidence: float


class ClaimView(TypedDict):
    """One sentence of the verdict."""

    kind: str
    sentence: Message
    pair: bool
    """Whether it repeats a row of the ranking in words."""


class ReproduceView(TypedDict):
    """What is needed to run the study again."""

    command: str
    seeds: int
    first_seed: int
    rates: int
    decades: float
    extra_rates: int
    protocol: Message
    given_up: list[Message]
    versions: dict[str, str]
    hardware: dict[str, str]


# ---- contenders ------------------------------------------------------------------------------------------------------


class ContenderSetting(TypedDict):
    """An optimizer with its settings."""

    name: str
    rule: str
    schedule: str
    batch_size: BatchSize | None
    rates: list[Figure]
    settings: dict[str, SettingView]
    settings_text: str


class ContenderView(ContenderSetting):
    """The same, and how it is drawn."""

    label: str
    """Its name, cut to what fits beside a curve."""
    colour: int
    dash: int
    marker: str


class PaletteView(TypedDict):
    """What the numbers of colours and dashes mean."""

    colours: list[list[str]]
    """Slot → colour on a light page and on a dark one."""
    dashes: list[list[int]]
    """Slot → lengths of stroke and gap; empty for a solid line."""


class TallyView(TypedDict):
    """On how many tasks a contender was the best, tied, and so on."""

    contender: int
    best: int
    tie: int
    behind: int
    unsure: int
    failed: int


# ---- tasks -----------------------------------------------------------------------------------------------------------


class TaskSetting(TypedDict):
    """A task as it was before anything was trained."""

    name: str
    title: Message
    metric: Message
    loss_name: Message
    margin_text: Message
    n_train: int
    n_valid: int
    n_test: int
    parameters: int
    luck: list[Message]
    """What a seed draws."""
    source: Message
    notes: list[Message]
    warnings: list[Message]
    alone: Message
    """Why its trials are trained one at a time; empty where they are not."""


class TaskView(TaskSetting):
    """A task and what came of it."""

    index: int
    label: str
    unit: str
    higher_is_better: bool
    decimals: int
    """Of the metric."""
    margin: Figure
    target: Figure
    best: int | None
    advised: int | None
    advises: bool
    """Whether a row is marked as what to use: not where one with too few seeds is ahead."""
    reference: int | None
    baseline: int | None
    """The contender that is trained as its owner uses it."""
    ties: list[int | None]
    headline: Message
    """The paragraph that is read first."""
    answer: list[Message]
    """The same, one claim after the other: what to use, then a line each for how sure that is, and the like."""
    claims: list[ClaimView]
    paired: bool
    correlation: Figure
    """Of the contenders' values over seeds."""
    question: str
    """What levels and differences are the answer to."""
    placement: Literal["by seed", "pooled"]
    """Whether each seed placed its rates beyond the grid, or all together."""
    mixed: bool
    """Whether contenders differ in batch size or steps."""
    targets: dict[str, Figure]
    standings: list[StandingView]
    forest: RankingDomain | None
    axes: AxesView
    probes: list[ProbeFigure]


class EstimateView(TypedDict):
    """A figure with its interval; `low` and `high` are None where a single observation bounds nothing."""

    value: float
    low: Figure
    high: Figure
    n: int
    text: str
    interval: str


class PValue(TypedDict):
    value: Figure
    text: str


class PointView(TypedDict):
    """All trials of a contender at one rate."""

    rate: Figure
    text: str
    stage: str
    n: int
    failed: int
    stalled: int
    picked: int
    valid: EstimateView | None


class StandingFigures(TypedDict):
    """What the verdict says of one contender on one task."""

    place: int
    status: Status
    quality: EstimateView | None
    deviation: Figure
    behind_best: EstimateView | None
    p_best: PValue
    behind_reference: EstimateView | None
    p_reference: PValue
    levels: dict[str, EstimateView | None]
    """Question → `quality` as its answer; None where it cannot be answered."""
    behind_answers: dict[str, EstimateView | None]
    """The same of `behind_best`."""
    expected: EstimateView | None
    """The level to expect, shrunk towards those that tie."""
    on_new_examples: bool
    """Whether that holds for other examples of the same kind."""
    places: list[int] | None
    """The first and the last place that it may truly have."""
    rate: Figure
    rate_text: str
    safe_rates: list[Figure] | None
    """The lowest and the highest."""
    safe_text: Message
    decades_1pct: Figure
    decades_5pct: Figure
    untuned: Literal["", "low", "high"]
    replicates: int
    failed_replicates: int
    trials: int
    failed_trials: int
    stalled_trials: int
    milliseconds: Figure
    milliseconds_text: str
    seconds: Figure
    seconds_text: Message
    state_bytes: Figure
    steps_to_target: dict[str, Figure]
    points: list[PointView]
    picks: dict[str, Figure]
    """Seed → rate."""
    values: dict[str, Figure]
    """Seed → test metric."""
    best_of: dict[str, Figure]
    """Number of rates tried → expected test metric."""


class StandingView(StandingFigures):
    """The same with the training behind it."""

    contender: int
    batch_size: BatchSize
    steps: int
    epochs: Figure
    curves: CurvesView


# ---- figures ---------------------------------------------------------------------------------------------------------

Series = list[Figure]
"""One value at each step; None after the end of a training that failed."""
Quantity = Literal["train_loss", "valid_metric"]


class RateCurve(TypedDict):
    """Medians over the seeds at one rate."""

    rate: float
    n: int
    failed: int
    train_loss: Series
    valid_metric: Series


class Edges(TypedDict):
    low: Series
    high: Series


class Band(TypedDict):
    """From 10 to 90 % of the seeds."""

    train_loss: Edges
    valid_metric: Edges


class CurvesView(TypedDict):
    """A contender's learning curves."""

    steps: list[int]
    rates: list[RateCurve]
    chosen: int | None
    """Place in `rates` of the rate recommended."""
    band: NotRequired[Band]
    """At that rate; missing where there is none."""


class RateDomain(TypedDict):
    """Where the axis of learning rates begins and ends."""

    low: float
    high: float
    ticks: list[float]


class Domain(RateDomain):
    """Where an axis begins and ends, and the decimals of its tick labels."""

    decimals: int


class RankingDomain(Domain):
    best: float
    """Mean of the best contender."""


class CurveDomain(Domain):
    """An axis that may be logarithmic."""

    least: Figure
    """Where a logarithmic axis begins; None if there can be none."""
    log: bool
    """Whether it should be one."""


class LossAxes(TypedDict):
    recommended: CurveDomain | None
    all: CurveDomain | None


class MetricAxes(TypedDict):
    all: CurveDomain | None
    late: CurveDomain | None


class SensitivityAxes(TypedDict):
    all: CurveDomain | None
    near: CurveDomain | None


class MetricDomains(TypedDict):
    """Axes of the validation metric, over steps and over rates."""

    metric: MetricAxes
    sensitivity: SensitivityAxes


class AxesView(MetricDomains):
    """The axes of a task's figures; None where nothing is drawn."""

    rate: RateDomain | None
    loss: LossAxes


class ProbeSeries(TypedDict):
    """A contender in a figure of the diagnosis: median, least and greatest over the seeds."""

    contender: int
    steps: list[int]
    mid: Series
    low: Series
    high: Series
    n: list[int]


class ProbeFigure(TypedDict):
    """One quantity measured inside trials."""

    title: Message
    unit: Message
    caption: Message
    log: bool
    series: list[ProbeSeries]


# ---- single trials, for the page -------------------------------------------------------------------------------------


class PackedCurves(TypedDict):
    """Curves as 16-bit codes between `low` and `high`: see `trial_pack.pack`."""

    low: float
    high: float
    log: bool
    codes: str


class PackedQuantities(TypedDict):
    train_loss: PackedCurves
    valid_metric: PackedCurves


class DialColumns(TypedDict, total=False):
    """What the trials of a shard turn beside the rate; empty where they turn nothing else."""

    dials: dict[str, list[SettingView]]
    """Name of a dial → its value in each trial."""


class Block(DialColumns):
    """The trials of one shard, as lists with one item per trial."""

    contender: int
    batch: int
    steps: int
    at: list[int]
    rate: list[Figure]
    seed: list[int]
    stage: list[str]
    outcome: list[str]
    ended: list[int]
    train_loss: list[Figure]
    valid: list[Figure]
    test: list[Figure]
    curves: PackedQuantities
