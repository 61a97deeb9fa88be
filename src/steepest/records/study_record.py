"""How much a study runs, and a study as read from its folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from steepest.messages import NOTHING, Message, counted
from steepest.records.contender import Contender
from steepest.records.outcomes import Result
from steepest.records.step_times import StepTime
from steepest.records.task_facts import TaskFacts

SEEDS_FOR_A_VERDICT = 5
"""Fewer replicates than this judge nothing."""


@dataclass(frozen=True, slots=True)
class StudyDesign:
    """How much a replicate runs, and how many replicates there are. The defaults are DESIGN's."""

    seeds: int = 10
    rates: int = 9
    """Points of the grid, half a decade apart where there are nine: they span `decades`."""
    decades: float = 4.0
    extra_rates: int = 4
    """Rates that every contender may spend after the grid: on refinement, or on the edge rule."""
    more_trials: int = 0
    """Trials of a replicate beyond those of the rates: of settings that turn other dials, too; of more rates where a
    contender turns none."""
    first_seed: int = 0
    until_sure: bool = False
    """Whether seeds are added only until the verdict is settled; then `seeds` is the most there may be."""
    grown: tuple[int, ...] = ()
    """Numbers of seeds that the study had before it was extended, rising: it had a verdict after each."""

    @property
    def after_grid(self) -> int:
        """Trials of a replicate after its grid."""
        return self.extra_rates + self.more_trials

    @property
    def looks(self) -> tuple[int, ...]:
        """Numbers of seeds after which the verdict is looked at: 5, 7, 10, 14, 20, … (each √2 times the one before)
        up to `seeds`; `seeds` alone where their number is fixed.

        >>> StudyDesign(seeds=12, until_sure=True).looks
        (5, 7, 10, 12)
        """
        if not self.until_sure:
            return (self.seeds,)
        steps = (round(5 * 2 ** (i / 2)) for i in range(40))
        return (*(step for step in steps if step < self.seeds), self.seeds)

    @property
    def verdicts_after(self) -> tuple[int, ...]:
        """Numbers of seeds after which somebody has seen, or may see, a verdict."""
        return (*self.grown, *self.looks)

    @property
    def few_seeds(self) -> Message:
        """What there is to say before a study with too few seeds for a verdict; else nothing."""
        if self.seeds >= SEEDS_FOR_A_VERDICT:
            return NOTHING
        return counted(
            self.seeds,
            "{n} seed is too few for a verdict, which needs {enough}. Results are shown, not judged.",
            "{n} seeds are too few for a verdict, which needs {enough}. Results are shown, not judged.",
            enough=SEEDS_FOR_A_VERDICT,
        )


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """A study as read from its folder: everything that verdict and report look at, apart from the traces."""

    name: str
    command: str
    """The command line that runs this study again."""
    created: str
    """ISO 8601, UTC."""
    finished: bool
    protocol: StudyDesign
    reference: str
    """The contender that all others are also compared with."""
    tasks: tuple[TaskFacts, ...]
    contenders: tuple[Contender, ...]
    results: tuple[Result, ...]
    times: tuple[StepTime, ...]
    trials_planned: int
    seconds: float
    """Wall time spent so far, over all sittings."""
    given_up: tuple[Message, ...] = ()
    """What was dropped to keep the budget or to save time and memory, one sentence each."""
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    hardware: Mapping[str, str] = field(default_factory=dict[str, str])
    digests: Mapping[str, str] = field(default_factory=dict[str, str])
    """Shard → SHA-256 of the curves that its rows were made from."""
    baseline: str = ""
    """The contender that is trained as its owner uses it, at one rate and one trial a seed; "" for none."""
    baseline_tuned: str = ""
    """The contender that is the same optimizer with its rate tuned."""
    pooled_rates: bool = False
    """Whether all seeds together placed the rates beyond the grid, as in studies of earlier versions; otherwise each
    seed placed its own."""
    trained: bool = True
    """Whether this program ran the study; a table of external results does not say how they were obtained."""
