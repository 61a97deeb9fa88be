"""The nouns that every part shares: frozen values, no behaviour beyond their own arithmetic, no torch.

Two of them travel as files: a `Shard` is the JSON that an executor hands to a worker, and what comes back is read
into `Result` rows and `Trace` arrays. Whoever reads these files (store, verdict, report) needs nothing but this page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Literal

import numpy as np

from steepest.language import Text

Setting = float | bool | str
"""The value of one hyperparameter."""

BatchSize = int | Literal["full"]
"""Examples a step; "full" means the whole training part, that is, plain gradient descent."""


Compiled = Literal["gradient", "update"]
"""What of a fleet's step can be compiled: the gradient of its lanes, one after the other; the update of all of them."""


class Outcome(StrEnum):
    """How a trial ended: a closed set. Only OK has a quality; every other outcome ranks last and is kept. STOPPED is no
    failure: the trial was sound when racing gave its time to better ones."""

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
        """What happened, in words; `{step}` is to be filled with the step at which it did."""
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


RULE_IN_MEMORY = "rule:"
"""Starts `Contender.rule` where it means a rule of the caller's own, which fleets can train."""
TORCH_IN_MEMORY = "torch:"
"""Starts `Contender.rule` where it means a foreign `torch.optim.Optimizer`, which trains one model at a time."""


NO_RATE = 0.0
"""The rate of a run whose table does not tell it."""


@dataclass(frozen=True, slots=True)
class Contender:
    """What enters a study: an optimizer of the catalogue, its fixed settings, its search space and its schedule."""

    name: str
    """Unique within the study, and what people read: "adam", "sgd@1"."""
    rule: str
    """The catalogue's name of the optimizer; or, behind RULE_IN_MEMORY or TORCH_IN_MEMORY, the key of an object that
    only the process that began the study holds."""
    centre: float
    """Centre of the rate grid: the rule's prior."""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """Hyperparameters other than the rate that differ from the catalogue's defaults."""
    schedule: str = "constant"
    batch_size: BatchSize | None = None
    """None takes the task's own."""
    rates: tuple[float, ...] = ()
    """Rates to try in place of the grid; then there is neither refinement nor edge rule."""
    fleet_obstacle: str = ""
    """Why it trains one model at a time, if it does: the rest of a sentence that begins with its name."""

    axes: Mapping[str, Setting] = field(default_factory=dict)
    """What differs in its task or its training from other contenders with the same optimizer: {"dropout": 0.2}."""
    optimizer: str = ""
    """The name that it would have without axes; "" where it has none."""

    default_rate: float | None = None
    """The rate that one gets without asking, for the verdict's gap between tuned and untuned; None where nobody
    states one."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Contender:
        return cls(**{**data, "rates": tuple(data.get("rates", ()))})


@dataclass(frozen=True, slots=True)
class TaskRef:
    """How a worker finds a task: by its name in the catalogue, in a user's file, or in the memory of its parent."""

    name: str
    """What people read, and the key in every row: "digits", "digits (equal seconds)"."""
    source: Literal["catalogue", "file", "data", "memory"]
    locator: str
    """The catalogue's name, the absolute path of the task file or of the data, or the key in memory."""
    digest: str = ""
    """SHA-256 of a task file or of data, so that a resumed study notices that the task has changed."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What was said about data: which column is to be told, and so on."""


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What a worker found out about a task before any training: all that planner, verdict and report need to know."""

    name: str
    title: str
    metric: str
    """Name of the quality that rates are picked by: "accuracy", "R²", "loss"."""
    higher_is_better: bool
    unit: str
    """"%" for shares, "" for bare numbers. Values are stored raw; a view multiplies shares by 100."""
    margin: float
    """The practical margin in the metric's raw units: smaller differences are ties whatever their p-value."""
    n_train: int
    n_valid: int
    n_test: int
    parameters: int
    batch_size: int
    steps: int
    """The horizon of a trial at the task's own batch size."""
    luck: tuple[str, ...]
    """What a seed draws: ("initial weights", "order of the batches", "dropout", "train/validation/test split")."""
    source: str
    """Where the data come from, with the licence: one line."""
    target: float | None = None
    """The level that a sound run must reach, on test, in raw units."""
    loss_name: str = "loss"
    fleet_obstacle: str = ""
    """Why this task cannot be trained as a fleet, if it cannot: the reason, in words."""
    fleet_obstacle_zh: str = ""
    compiler_obstacle: str = ""
    """Why nothing can be compiled on this machine, if it cannot."""
    notes: tuple[Text, ...] = ()
    """What was done to make the task, where it was made of a file; or what its author has to say of it."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One trial's place in a shard: what differs between the replicas of a fleet."""

    rate: float
    seed: int
    stage: Literal["grid", "refine", "extend"] = "grid"


Rung = tuple[int, int]
"""(step, k): after this evaluation the best k lanes of a seed go on, and all others are stopped."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A fleet's worth of trials of one contender on one task, as handed to a worker."""

    id: str
    """Unique in the study, safe as a file name, and the same whenever the same study is planned again."""
    task: TaskRef
    contender: Contender
    lanes: tuple[Lane, ...]
    batch_size: int
    steps: int
    evaluate_at: tuple[int, ...]
    """Steps after which the validation part is evaluated; increasing, the last one is `steps`."""
    engine: Literal["fleet", "solo"] = "fleet"
    width: int = 0
    """Lanes that a fleet trains at a time, at most; 0 leaves it to the engine."""
    compiled: tuple[Compiled, ...] = ()
    """What of a fleet's step is machine code of its own."""
    dtype: Literal["float32", "float64"] = "float32"
    device: str = "cpu"
    rungs: tuple[Rung, ...] = ()
    """After these steps each seed goes on with its best lanes alone; it must then have all its lanes in this shard."""

    def to_json(self) -> dict[str, Any]:
        whole = asdict(self)
        for part, name in (("task", "options"), ("contender", "axes"), ("contender", "optimizer")):
            if not whole[part][name]:  # what is not there changes no id either
                del whole[part][name]
        if not self.rungs:  # a shard without keeps the id that it has had since before there were any
            del whole["rungs"]
        return whole

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Shard:
        return cls(
            **{
                **data,
                "task": TaskRef(**data["task"]),
                "contender": Contender.from_json(data["contender"]),
                "lanes": tuple(Lane(**lane) for lane in data["lanes"]),
                "evaluate_at": tuple(data["evaluate_at"]),
                "compiled": tuple(data.get("compiled", ())),
                "rungs": tuple((step, kept) for step, kept in data.get("rungs", ())),
            }
        )


@dataclass(frozen=True, slots=True)
class Result:
    """One trial's row in the table of results. Losses and metrics are raw; None where the trial has no such value."""

    task: str
    contender: str
    rate: float
    seed: int
    stage: str
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


@dataclass(frozen=True, slots=True)
class ProbeTrace:
    """What probes saw within some trials of one contender: K looks, each at the step that would come next; R lanes, L
    tensors of parameters, S state tensors of the rule. NaN where a figure does not exist, and after a trial's end.
    """

    task: str
    contender: str
    at: np.ndarray  # [K], int64: steps done before the look
    seeds: np.ndarray  # [R], int64
    rate: np.ndarray  # [R, K]: of the step looked at, its schedule included
    layers: tuple[str, ...]  # [L]
    states: tuple[str, ...]  # [S]
    batch_size: int
    steps: int
    """The horizon."""
    step: np.ndarray  # [R, K, 5]: quantiles .05, .25, .5, .75, .95 over parameters of |Δw|/|g|
    step_of_layer: np.ndarray  # [R, K, L]: its median
    step_of_rare: np.ndarray  # [R, K, 2]: its median where few batches have a gradient, and where most have
    share_rare: np.ndarray  # [R, K, 2]: the shares of parameters that these are
    update_to_weight: np.ndarray  # [R, K, L]: |Δw|/|w| of the whole tensor
    loss: np.ndarray  # [R, K]: mean over the batches of the look
    gradient: np.ndarray  # [R, K]: norm of the mean gradient of these batches
    noise: np.ndarray  # [R, K]: the gradient's noise scale, in examples
    flips: np.ndarray  # [R, K]: share of parameters whose next two updates have opposite signs
    sharpness: np.ndarray  # [R, K]: top eigenvalue of the Hessian of the training loss
    state: np.ndarray  # [R, K, S]: median size over parameters


@dataclass(frozen=True, slots=True)
class FleetTime:
    """What one step of a whole fleet costs on one thread, while other workers work too."""

    lanes: int
    compiled: tuple[Compiled, ...]
    milliseconds: float
    update_milliseconds: float
    """What of it the update takes."""
    bytes_per_lane: float = 0.0
    """What the fleet takes of memory while it trains, in equal parts; 0 where that is not known."""
    evaluation_milliseconds: float = 0.0
    """One evaluation of all its lanes on validation; 0 where it was not timed."""
    build_seconds: float = 0.0
    """To make the fleet and its models, before its first step."""
    load_seconds: float = 0.0
    """For the first one in a process beside that: to trace its programs, or to load them."""


@dataclass(frozen=True, slots=True)
class StepTime:
    """What one step costs when a trial trains alone on one thread: the only time a verdict may speak of."""

    task: str
    contender: str
    milliseconds: float
    """Median over the steps timed, evaluations excluded."""
    state_bytes_per_parameter: float
    fleets: tuple[FleetTime, ...] = ()
    """For the planner only: what fleets of several kinds take."""
    evaluation_milliseconds: float = 0.0
    """For the planner only: one evaluation on validation, alone; 0 where it was not timed."""
    share: float = 1.0
    """Of the time that was measured, what this process had a core for: clearly less where others wanted it, too."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StepTime:
        fleets = tuple(FleetTime(**{**each, "compiled": tuple(each["compiled"])}) for each in data.get("fleets", ()))
        return cls(**{**data, "fleets": fleets})


@dataclass(frozen=True, slots=True)
class Protocol:
    """How much a replicate runs, and how many replicates there are. The defaults are DESIGN's."""

    seeds: int = 10
    rates: int = 9
    """Points of the grid, half a decade apart where there are nine: they span `decades`."""
    decades: float = 4.0
    extra_rates: int = 4
    """Rates that every contender may spend after the grid: on refinement, or on the edge rule."""
    first_seed: int = 0
    until_sure: bool = False
    """Whether seeds are added only until the verdict is settled; then `seeds` is the most there may be."""

    @property
    def looks(self) -> tuple[int, ...]:
        """Numbers of seeds after which the verdict is looked at: 5, 7, 10, 14, 20, … (each √2 times the one before)
        up to `seeds`; `seeds` alone where their number is fixed.

        >>> Protocol(seeds=12, until_sure=True).looks
        (5, 7, 10, 12)
        """
        if not self.until_sure:
            return (self.seeds,)
        steps = (round(5 * 2 ** (i / 2)) for i in range(40))
        return (*(step for step in steps if step < self.seeds), self.seeds)


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """A study as read from its folder: everything that verdict and report look at, apart from the traces."""

    name: str
    command: str
    """The command line that runs this study again."""
    created: str
    """ISO 8601, UTC."""
    finished: bool
    protocol: Protocol
    reference: str
    """The contender that all others are also compared with."""
    tasks: tuple[TaskFacts, ...]
    contenders: tuple[Contender, ...]
    results: tuple[Result, ...]
    times: tuple[StepTime, ...]
    trials_planned: int
    seconds: float
    """Wall time spent so far, over all sittings."""
    given_up: tuple[Text, ...] = ()
    """What was given up to keep the budget or to save time and memory, one sentence each."""
    versions: Mapping[str, str] = field(default_factory=dict)
    hardware: Mapping[str, str] = field(default_factory=dict)
    trained: bool = True
    """Whether this program ran the study; a table of other people's results says nothing of how they came about."""


@dataclass(frozen=True, slots=True)
class Row:
    """One contender on one task in the table of a running study."""

    task: str
    contender: str
    stage: str
    """"waiting", "grid", "refine", "extend" or "done"."""
    done: int
    planned: int
    failed: int
    best_rate: float | None = None
    best_valid: float | None = None
    """Mean validation metric at the best rate so far, raw."""


Phase = Literal["describing", "timing", "compiling", "training", "finished"]


@dataclass(frozen=True, slots=True)
class Progress:
    """What a running study tells whoever watches it."""

    phase: Phase
    trials_done: int
    trials_planned: int
    seconds: float
    seconds_left: float | None
    rows: tuple[Row, ...] = ()
    message: str = ""
    """Something worth a line of its own, such as a worker that was replaced."""
    message_zh: str = ""
    task: str = ""
    """Whose steps are timed; before training only."""


def field_names(noun: type) -> tuple[str, ...]:
    """The names of a noun's fields, in order: the columns of a table of such nouns."""
    return tuple(item.name for item in fields(noun))
