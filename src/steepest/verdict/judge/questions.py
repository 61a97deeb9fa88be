"""To which question an interval is the answer, and what other test examples add to its uncertainty.

* trained-again: these rows in these parts, trained again with other seeds;
* split-again: these rows, split again into parts and trained again;
* new-rows: other rows of the same kind.

Where all seeds have the same test part, their spread answers the first; where each seed draws its own, the second. The
third needs what came of each test example.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from steepest.records.example_outcomes import Contributions
from steepest.records.outcomes import Trace
from steepest.records.question import Question
from steepest.records.task_facts import TaskFacts
from steepest.verdict.judge.replicates import Entrant
from steepest.verdict.stats.example_variance import ExampleEffect, example_effect, sign_test

OfSeeds = Mapping[int, Contributions]
"""Seed → what came of the test examples of its pick."""


@dataclass(frozen=True, slots=True)
class Added:
    """What other test examples add to the variance of a mean over seeds, or of a difference of two."""

    variance: float
    freedom: float
    fixed: float = 0.0
    """Variance that is added for certain: that of two more examples, so that a share is never certain."""
    least_p: float = 0.0
    """The p value of an exact test, where only the examples vary and not the seeds."""


@dataclass(frozen=True)
class Asked:
    """The question that a verdict is asked, and what is known of the test examples."""

    question: Question = "new-rows"
    drawn: bool = False
    """Whether each seed draws its own test part."""
    train_share: float = 0.0
    """Test examples per training example."""
    outcomes: Mapping[str, OfSeeds] = field(default_factory=dict[str, OfSeeds])
    """By contender; empty where they are not known of every contender."""

    @property
    def own(self) -> Question:
        """The question that the spread of the seeds answers."""
        return "split-again" if self.drawn else "trained-again"

    @property
    def answered(self) -> Question:
        """The question asked, or else the widest one that can be answered."""
        return self.question if self.question in self.possible else self.possible[0]

    @cached_property
    def possible(self) -> tuple[Question, ...]:
        """The widest first."""
        return ("new-rows", self.own) if self.outcomes else (self.own,)

    def of_level(self, name: str, seeds: Sequence[int], variance: float) -> Added | None:
        """For the mean of a contender over these seeds, whose values have this variance; None where that is not known.

        What is left of that variance, apart from the examples, is partly due to training on overlapping rows where
        seeds draw their parts: this part is multiplied by n_test/n_train (Nadeau and Bengio, 2003).
        """
        mine = self.outcomes.get(name, {})
        seeds = [seed for seed in seeds if seed in mine]
        found = _effect([mine[seed] for seed in seeds], None)
        if found is None:
            return None
        effect, tested = found
        if not self.drawn:
            return Added(effect.between / tested, effect.freedom, self._least(mine[seeds[0]], tested))
        pool = self._pool(mine[seeds[0]])
        rest = max(0.0, variance - effect.within / tested + effect.between / pool)
        more = rest * self.train_share
        return Added(effect.between / pool + more, effect.freedom, self._least(mine[seeds[0]], pool))

    def of_pair(self, one: str, other: str) -> Added | None:
        """For the difference of two contenders, from the seeds that both have; None where that is not known."""
        mine, theirs = self.outcomes.get(one, {}), self.outcomes.get(other, {})
        seeds = [seed for seed in mine if seed in theirs and np.array_equal(mine[seed].mask, theirs[seed].mask)]
        a, b = [mine[seed] for seed in seeds], [theirs[seed] for seed in seeds]
        found = _effect(a, b)
        if found is None:
            return None
        effect, tested = found
        size = self._pool(a[0]) if self.drawn else tested
        differences = np.array([x.values - y.values for x, y in zip(a, b, strict=True)]) if not self.drawn else None
        exact = 0.0
        if a[0].right and differences is not None and not np.ptp(differences, axis=0).any():
            exact = sign_test(differences[0])
        return Added(effect.between / size, effect.freedom, self._least(a[0], size), exact)

    def _least(self, each: Contributions, size: float) -> float:
        """2/m²: as if two more examples had been right for one and wrong for the other (Agresti and Coull, 1998; for
        differences, Bonett and Price, 2012)."""
        return 2 / size**2 if each.right else 0.0

    def _pool(self, each: Contributions) -> float:
        """The rows from which test parts are drawn; of large ones, only some have been kept."""
        return len(each.mask) * each.size / len(each.values)


NOTHING_KNOWN = Asked()


def _effect(a: Sequence[Contributions], b: Sequence[Contributions] | None) -> tuple[ExampleEffect, float] | None:
    """The effect of the examples on a mean of the seeds of `a`, or on the difference to those of `b`; and the number of
    test examples of a seed. None where fewer than two seeds are known, or where their examples are not the same."""
    if len(a) < 2:
        return None
    used = np.any([each.mask for each in a], axis=0)
    table = np.full((len(a), int(used.sum())), np.nan)
    for i, each in enumerate(a):
        table[i, each.mask[used]] = each.values if b is None else each.values - b[i].values
    effect = example_effect(table)
    return None if effect is None else (effect, float(np.mean([each.size for each in a])))


def asked_of(
    task: TaskFacts, question: Question | None, entrants: Mapping[str, Entrant], traces: Mapping[str, Trace]
) -> Asked:
    """The question asked of a task, None for the widest; with the test examples of its contenders, if they are known of
    every replicate that has a value."""
    found: dict[str, OfSeeds] = {}
    for name, item in entrants.items():
        found[name] = {each.seed: known for each in item.replicates if (known := _of_pick(item, each.seed, traces))}
        if len(found[name]) < len(item.values):
            found = {}
            break
    every = [each for mine in found.values() for each in mine.values()]
    if len({(len(each.mask), each.right) for each in every}) > 1:
        found = {}
    drawn = any("test" in what for what in task.luck)
    share = task.n_test / task.n_train if task.n_train else 0.0
    return Asked(question or "new-rows", drawn, share, found if every else {})


def _of_pick(item: Entrant, seed: int, traces: Mapping[str, Trace]) -> Contributions | None:
    """What came of the test examples of a replicate's pick."""
    pick = next(each.pick for each in item.replicates if each.seed == seed)
    trace = traces.get(pick.shard) if pick else None
    return trace.examples.of(pick.lane) if pick and trace and trace.examples else None
