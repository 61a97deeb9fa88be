"""What a sentence about one task needs at hand: the verdict without its claims, the findings, and how to say figures.

The words themselves are in `headline` and `details`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from steepest.types import TaskFacts
from steepest.verdict import numbers
from steepest.verdict.diagnostics import Finding
from steepest.verdict.nouns import Claim, Estimate, Standing, TaskVerdict

F = TypeVar("F", bound=Finding)


@dataclass(frozen=True, slots=True)
class Scene:
    """One task's verdict and findings."""

    verdict: TaskVerdict
    findings: Sequence[Finding]

    @property
    def task(self) -> TaskFacts:
        return self.verdict.task

    @property
    def title(self) -> str:
        return self.task.title or self.task.name

    @property
    def best(self) -> Standing:
        return self.verdict.standings[0]

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

    def level(self, value: float) -> str:
        """A level of the metric: "97.4 % accuracy", "R² 0.812", "loss 0.0312"."""
        metric, figure = self.task.metric, numbers.quality(value, self.task)
        return f"{figure} {metric}" if self.task.unit == "%" else f"{metric} {figure}"

    def reached(self, value: float) -> str:
        """A level on test data; a table of other people's results does not tell what it is on."""
        return self.level(value) + (" on test data" if self.task.n_test else "")

    def gap(self, value: float) -> str:
        """A difference: "0.8 points", "0.012 in R²"."""
        figure = numbers.gap(value, self.task)
        return f"{figure} points" if self.task.unit == "%" else f"{figure} in {self.task.metric}"

    @property
    def limit(self) -> str:
        """The practical margin, to two digits: a quarter of a point must not read as 0.2."""
        margin = self.verdict.margin
        if self.task.unit == "%":
            return f"{numbers.significant(100 * margin, 2)} points"
        return f"{numbers.significant(margin, 2)} in {self.task.metric}"

    def size(self, gap: Estimate) -> str:
        """A difference whose sign is settled, with its interval: "0.8 points (likely 0.3 to 1.3)"."""
        low, high = (numbers.gap(end, self.task) for end in (gap.low, gap.high))
        return f"{self.gap(gap.value)} (likely {low} to {high})"

    def reach(self, gap: Estimate, leader: str) -> str:
        """A difference whose sign is open, as the end of a sentence about the one who is behind."""
        ahead, behind = (numbers.gap(end, self.task) for end in (gap.low, gap.high))
        mean = f"behind {leader} by {self.gap(gap.value)}" if gap.value else f"level with {leader}"
        return f"{mean} on average, but anything from {ahead} ahead to {behind} behind fits the data"

    def named(self, item: Standing) -> str:
        yardstick = " (this study's yardstick)" if item.contender == self.verdict.reference else ""
        return f"{item.contender}{yardstick}"

    # ---- evidence ----

    def key(self, contender: str) -> str:
        return f"standing:{self.task.name}/{contender}"

    def keys(self, *items: Standing) -> tuple[str, ...]:
        return tuple(self.key(item.contender) for item in items)

    def pair_claim(self, sentence: str, item: Standing, kind: Literal["tie", "behind"]) -> Claim:
        """A claim that rests on the difference between the best and `item`."""
        gap = item.behind_best
        assert gap is not None, "a pair was judged without a difference"
        return Claim(
            sentence,
            {"gap": gap.value, "low": gap.low, "high": gap.high, "n": gap.n, "p": item.p_best},
            (self.pair_key(item.contender),),
            kind,
        )

    def pair_key(self, contender: str) -> str:
        return f"pair:{self.task.name}/{self.best.contender}-{contender}"
