"""What sentences about one task need: the verdict without its claims, the findings, and figures in words.

The sentences themselves are in `headline` and `details`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from steepest.messages import NOTHING, Message, Part, say, term, verbatim
from steepest.records.task_facts import TaskFacts
from steepest.verdict.judge.advice import failed_share
from steepest.verdict.judge.findings import Finding
from steepest.verdict.results import Claim, Estimate, Standing, TaskVerdict
from steepest.verdict.words import numbers

F = TypeVar("F", bound=Finding)


@dataclass(frozen=True, slots=True)
class Context:
    """One task's verdict and findings."""

    verdict: TaskVerdict
    findings: Sequence[Finding]
    confidence: float = 0.95

    @property
    def task(self) -> TaskFacts:
        return self.verdict.task

    @property
    def title(self) -> Message:
        return term(self.task.title or self.task.name)

    @property
    def metric(self) -> Message:
        return term(self.task.metric)

    @property
    def best(self) -> Standing:
        return self.verdict.standings[0]

    @property
    def advised(self) -> Standing:
        """The one to use."""
        name = self.verdict.advised or self.best.contender
        return next(item for item in self.verdict.standings if item.contender == name)

    @property
    def others(self) -> tuple[Standing, ...]:
        return self.verdict.standings[1:]

    @property
    def ties(self) -> list[Standing]:
        return [item for item in self.others if item.status == "tie"]

    @property
    def behind(self) -> list[Standing]:
        return [item for item in self.others if item.status == "behind"]

    @property
    def unsure(self) -> list[Standing]:
        return [item for item in self.others if item.status == "unsure"]

    def found(self, kind: type[F]) -> list[F]:
        return [each for each in self.findings if isinstance(each, kind)]

    # ---- figures in words ----

    def level(self, value: float) -> Message:
        """A level of the metric: "97.4 % accuracy", "R² 0.812", "loss 0.0312"."""
        figure = numbers.quality(value, self.task)
        return say(
            "{figure} {metric}" if self.task.unit == "%" else "{metric} {figure}", figure=figure, metric=self.metric
        )

    def reached(self, value: float) -> Message:
        """A level on test data; a table from elsewhere does not say which data it is on."""
        level = self.level(value)
        return say("{level} on test data", level=level) if self.task.n_test else level

    def gap(self, value: float) -> Message:
        """A difference: "0.8 points", "0.012 in R²"."""
        return self._sized(numbers.gap(value, self.task))

    @property
    def limit(self) -> Message:
        """The practical margin, to two digits: a quarter of a point must not read as 0.2."""
        return self._sized(numbers.significant((100 if self.task.unit == "%" else 1) * self.verdict.margin, 2))

    def _sized(self, figure: Part) -> Message:
        if self.task.unit == "%":
            return say("{figure} points", figure=figure)
        return say("{figure} in {metric}", figure=figure, metric=self.metric)

    def size(self, gap: Estimate) -> Message:
        """A difference whose sign is settled, with its interval: "0.8 points (95 % interval 0.3 to 1.3)"."""
        low, high = (numbers.gap(end, self.task) for end in (gap.low, gap.high))
        return say("{gap} ({level} interval {low} to {high})", gap=self.gap(gap.value), level=self.level_of_confidence,
                   low=low, high=high)  # fmt: skip

    def reach(self, gap: Estimate) -> Message:
        """A difference whose sign is open, as the end of a sentence about the one who is behind."""
        ahead, behind = (numbers.gap(end, self.task) for end in (gap.low, gap.high))
        mean = say("level on average")
        if gap.value:
            mean = say("behind by {gap} on average", gap=self.gap(gap.value))
        return say("{mean} ({level} interval: {ahead} ahead to {behind} behind)", mean=mean,
                   level=self.level_of_confidence, ahead=ahead, behind=behind)  # fmt: skip

    def failures(self, item: Standing) -> Message:
        """How often it failed, with an exact interval: "4 of 10 seeds (95 % interval 12 % to 74 %)"."""
        seeds = item.failed_replicates + item.replicates
        share = failed_share(item, self.confidence)
        return say("{failed} of {seeds} seeds ({level} interval {low} to {high})", failed=item.failed_replicates,
                   seeds=seeds, level=self.level_of_confidence, low=numbers.percent(share.low),
                   high=numbers.percent(share.high))  # fmt: skip

    def on_common_seeds(self, item: Standing) -> Message:
        """On which seeds it was compared with the best, where one of them lacks some."""
        gap = item.behind_best
        if gap is None or gap.n == max(item.replicates, self.best.replicates):
            return NOTHING
        return say("; compared on the {n} seeds that both finished", n=gap.n)

    @property
    def level_of_confidence(self) -> Message:
        """That of intervals: "95 %"."""
        return say("{figure} %", figure=f"{100 * self.confidence:g}")

    def named(self, item: Standing) -> Message:
        if item.contender == self.verdict.reference:
            return say("{who} (the reference)", who=item.contender)
        return verbatim(item.contender)

    # ---- evidence ----

    def key(self, contender: str) -> str:
        return f"standing:{self.task.name}/{contender}"

    def keys(self, *items: Standing) -> tuple[str, ...]:
        return tuple(self.key(item.contender) for item in items)

    def pair_claim(self, says: Message, item: Standing, kind: Literal["tie", "behind"]) -> Claim:
        """A claim that rests on the difference between the best and `item`."""
        gap = item.behind_best
        assert gap is not None, "a pair was judged without a difference"
        return Claim(
            says,
            {"gap": gap.value, "low": gap.low, "high": gap.high, "n": gap.n, "p": item.p_best},
            (self.pair_key(item.contender),),
            kind,
        )

    def pair_key(self, contender: str) -> str:
        return f"pair:{self.task.name}/{self.best.contender}-{contender}"
