"""Levels and differences as answers to each of three questions, on simulated studies whose test examples are known.

An example's score has a part of its own, one of its own for each contender, one of the seed, and a rest. So equals may
differ on these test examples and do not on others of the same kind. `benchmarks.statements` lists these rows.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import special

from steepest.records.example_outcomes import Contributions
from steepest.verdict.judge.pairs import Pair, compare_all, with_examples
from steepest.verdict.judge.questions import Asked
from steepest.verdict.results import Question
from steepest.verdict.stats.inference import mean_difference, mean_interval, moments
from steepest.verdict.stats.shares import Examples

Count = tuple[int, int]


@dataclass(frozen=True)
class Kind:
    """How scores of examples come about: standard deviations of the parts."""

    metric: str = "accuracy"
    examples: int = 300
    seeds: int = 10
    pool: int = 0
    """Rows from which each seed draws its test examples; 0: all seeds have the same."""
    mean: float = 1.6
    example: float = 1.0
    own: float = 0.4
    """Of an example for one contender."""
    seed: float = 0.1
    rest: float = 0.4

    @property
    def drawn(self) -> bool:
        return self.pool > 0

    @property
    def whole(self) -> float:
        return math.sqrt(self.example**2 + self.own**2 + self.seed**2 + self.rest**2)


@dataclass(frozen=True)
class Simulated:
    """Two contenders, equal on all rows of the kind."""

    kind: Kind
    samples: Mapping[str, Mapping[int, float]]
    asked: Asked
    rows: Mapping[str, np.ndarray]
    """By contender: the score of each row without seed and rest."""
    yes: np.ndarray
    """Which rows are positive, for metrics of classes; the target of each row, for R²."""

    def truth(self, name: str, question: Question) -> float:
        """The mean over all seeds: of these rows, or of all of the kind."""
        kind, spread = self.kind, math.hypot(self.kind.seed, self.kind.rest)
        if kind.metric in LINEARIZED:
            return _truth_of_many(kind)
        if kind.metric == "auroc":
            return (
                _truth_of_auroc(kind) if question == "new-rows" else _auroc_over_seeds(kind, self.rows[name], self.yes)
            )
        if question == "new-rows":
            return float(_mean_value(kind, np.array([kind.mean]), kind.whole)[0])
        return float(_mean_value(kind, self.rows[name], spread).mean())

    def pair(self, question: Question) -> Pair:
        asked = Asked(question, self.asked.drawn, self.asked.train_share, self.asked.outcomes)
        counted = self.kind.metric == "accuracy"
        examples = Examples(self.kind.examples, self.kind.pool) if counted else Examples()
        generator = np.random.default_rng(0)
        return compare_all(self.samples, 0.05, generator, examples=examples, asked=asked).pairs["a", "b"]

    def level(self, name: str, question: Question) -> tuple[float, float]:
        x = np.array([*self.samples[name].values()])
        if question == "new-rows":
            added = self.asked.of_level(name, range(len(x)), moments(x)[1])
            assert added is not None
            found = with_examples(mean_difference(x), added).interval(0.95)
        else:
            counted = self.kind.metric == "accuracy"
            examples = Examples(self.kind.examples, self.kind.pool) if counted else Examples()
            found = mean_interval(x, 0.95, examples.least_variance(float(x.mean()), len(x), moments(x)[1]))
        return found.low, found.high


def simulated(kind: Kind, rng: np.random.Generator, lag: float = 0.0) -> Simulated:
    """A study. lag: how much lower the scores of "b" are on all rows."""
    n = kind.pool or kind.examples
    common = kind.mean + kind.example * rng.normal(size=n)
    yes = targets(kind, n, rng)
    rows = {name: common + kind.own * rng.normal(size=n) - (lag if name == "b" else 0) for name in "ab"}
    outcomes: dict[str, dict[int, Contributions]] = {name: {} for name in rows}
    samples: dict[str, dict[int, float]] = {name: {} for name in rows}
    for seed in range(kind.seeds):
        mask = np.ones(n, dtype=bool)
        if kind.drawn:
            mask = np.isin(np.arange(n), rng.permutation(n)[: kind.examples])
        for name, of_rows in rows.items():
            shift = kind.seed * rng.normal()
            scores = of_rows[mask] + kind.rest * rng.normal(size=kind.examples)
            values, value, right = _values(kind, scores, shift, yes[mask])
            outcomes[name][seed] = Contributions(mask, values, kind.examples, right)
            samples[name][seed] = value
    return Simulated(kind, samples, Asked("new-rows", kind.drawn, 1 / 3, outcomes), rows, yes)


def _values(kind: Kind, scores: np.ndarray, shift: float, yes: np.ndarray) -> tuple[np.ndarray, float, bool]:
    """Contributions, the metric, and whether the contributions are bits."""
    if kind.metric == "accuracy":
        right = (scores + shift > 0).astype(float)
        return right, float(right.mean()), True
    if kind.metric == "loss":  # skewed, as a cross-entropy is
        losses = np.exp(-(scores + shift))
        return losses - losses.mean(), float(losses.mean()), False
    values = LINEAR[kind.metric](_outputs(kind, scores, shift, yes), yes)
    return values - values.mean(), float(values.mean()), False


def targets(kind: Kind, n: int, rng: np.random.Generator) -> np.ndarray:
    """One row in three or in two is positive; or numbers, for R²."""
    if kind.metric == "r2":
        return rng.normal(size=n)
    return np.arange(n) % (3 if kind.metric in LINEARIZED else 2) == 0


def _outputs(kind: Kind, scores: np.ndarray, shift: float, yes: np.ndarray) -> np.ndarray:
    """What the model says: logits whose sign decides, or for R², the target with an error."""
    if kind.metric == "r2":
        return yes + 0.5 * (scores - kind.mean + shift)
    return _logits(kind, scores, shift, yes) - (kind.mean / 2 if kind.metric in LINEARIZED else 0)


@cache
def _truth_of_many(kind: Kind) -> float:
    """The metric of very many rows, the mean over very many seeds."""
    rng, n, found = np.random.default_rng(5), 60_000, []
    for _ in range(60):
        scores, yes = kind.mean + _spread_of_rows(kind) * rng.normal(size=n), targets(kind, n, rng)
        found.append(LINEAR[kind.metric](_outputs(kind, scores, kind.seed * rng.normal(), yes), yes).mean())
    return float(np.mean(found))


def _spread_of_rows(kind: Kind) -> float:
    return math.sqrt(kind.example**2 + kind.own**2 + kind.rest**2)


# ---- contributions of examples to metrics that are not means, as `steepest.tasks.per_example` has them ---------------


def _auroc(logits: np.ndarray, yes: np.ndarray) -> np.ndarray:
    """The metric plus n·derivative by each example's weight: the share of the other class that an example beats."""
    up, down = np.sort(logits[yes]), np.sort(logits[~yes])
    beats = np.empty(len(yes))
    beats[yes] = np.searchsorted(down, logits[yes]) / len(down)
    beats[~yes] = 1 - np.searchsorted(up, logits[~yes]) / len(up)
    whole = beats[yes].mean()
    return whole + len(yes) * (beats - whole) / np.where(yes, len(up), len(down))


def _ratios(a: np.ndarray, b: np.ndarray) -> np.ndarray:  # a, b [n, G]
    """Contributions to the mean over G of Σa/Σb."""
    ratio = a.sum(axis=0) / b.sum(axis=0)
    return ratio.mean() + len(a) * ((a - ratio * b) / b.sum(axis=0)).mean(axis=1)


def _balanced(logits: np.ndarray, yes: np.ndarray) -> np.ndarray:
    truth = np.stack([yes, ~yes], axis=1).astype(float)
    return _ratios(truth * ((logits > 0) == yes)[:, None], truth)


def _macro_f1(logits: np.ndarray, yes: np.ndarray) -> np.ndarray:
    truth, guess = (np.stack([each, ~each], axis=1).astype(float) for each in (yes, logits > 0))
    return _ratios(2 * truth * guess, truth + guess)


def _r2(outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    errors, spread = (outputs - y) ** 2, (y - y.mean()) ** 2
    return 1 - errors.sum() / spread.sum() - len(y) * (errors - errors.sum() / spread.sum() * spread) / spread.sum()


LINEAR: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "auroc": _auroc, "balanced-accuracy": _balanced, "macro-f1": _macro_f1, "r2": _r2,
}  # fmt: skip
LINEARIZED = ("balanced-accuracy", "macro-f1", "r2")
"""Of these, only what is true of new rows is simulated."""


def _logits(kind: Kind, scores: np.ndarray, shift: float, yes: np.ndarray) -> np.ndarray:
    """Positives score higher by the mean and the shift of the seed; other parts are noise."""
    return scores - kind.mean + np.where(yes, kind.mean + shift, 0.0)


def _mean_value(kind: Kind, rows: np.ndarray, spread: float) -> np.ndarray:
    """The mean of accuracy or loss over scores that are normal around these."""
    return special.ndtr(rows / spread) if kind.metric == "accuracy" else np.exp(-rows + spread**2 / 2)


@cache
def _truth_of_auroc(kind: Kind) -> float:
    noise = math.sqrt(2 * (kind.example**2 + kind.own**2 + kind.rest**2) + kind.seed**2)
    return float(special.ndtr(kind.mean / noise))


def _auroc_over_seeds(kind: Kind, rows: np.ndarray, yes: np.ndarray) -> float:
    """All pairs of a positive and a negative: Φ of their distance over that of seed and rest."""
    up, down = rows[yes], rows[~yes] - kind.mean
    return float(special.ndtr((up[:, None] - down) / math.sqrt(kind.seed**2 + 2 * kind.rest**2)).mean())


# ---- statements ------------------------------------------------------------------------------------------------------


def differences_covered(kind: Kind, question: Question) -> Callable[[int, np.random.Generator], Count]:
    def count(studies: int, rng: np.random.Generator) -> Count:
        hits = 0
        for _ in range(studies):
            study = simulated(kind, rng)
            gap = study.pair(question).estimate
            truth = study.truth("a", question) - study.truth("b", question)
            hits += gap.low <= truth <= gap.high
        return hits, studies

    return count


def levels_covered(kind: Kind, question: Question) -> Callable[[int, np.random.Generator], Count]:
    def count(studies: int, rng: np.random.Generator) -> Count:
        hits = 0
        for _ in range(studies):
            study = simulated(kind, rng)
            low, high = study.level("a", question)
            hits += low <= study.truth("a", question) <= high
        return hits, studies

    return count


def called_different(kind: Kind, question: Question, lag: float = 0.0) -> Callable[[int, np.random.Generator], Count]:
    """Equals that are called different, or with a lag, the power."""

    def count(studies: int, rng: np.random.Generator) -> Count:
        return sum(simulated(kind, rng, lag).pair(question).p < 0.05 for _ in range(studies)), studies

    return count


Key = tuple[str, Question]
"""What is counted ("different", "levels" or "differences"), and the question."""


@cache
def counted(kind: Kind, studies: int, seed: int) -> Mapping[Key, int]:
    """All of the above from the same studies."""
    rng, hits = np.random.default_rng(seed), Counter[Key]()
    for _ in range(studies):
        study = simulated(kind, rng)
        for question in questions_of(kind):
            pair, truths = study.pair(question), [study.truth(name, question) for name in "ab"]
            (low, high), gap = study.level("a", question), pair.estimate
            hits["levels", question] += low <= truths[0] <= high
            hits["differences", question] += gap.low <= truths[0] - truths[1] <= gap.high
            hits["different", question] += pair.p < 0.05
    return hits


def count_of(kind: Kind, key: Key) -> Callable[[int, np.random.Generator], Count]:
    def count(studies: int, rng: np.random.Generator) -> Count:
        return counted(kind, studies, int(rng.integers(1 << 30)))[key], studies

    return count


KINDS = {
    "accuracy, 300 shared test examples": Kind(),
    "accuracy, 36 shared test examples, near the ceiling": Kind(examples=36, mean=2.5),
    "accuracy, 2,000 shared test examples": Kind(examples=2000),
    "accuracy, 300 shared, 5 seeds": Kind(seeds=5),
    "accuracy, 36 shared, seeds hardly matter": Kind(examples=36, seed=0.01, rest=0.01, own=0.3, seeds=5),
    "accuracy, 200 of 1,000 rows drawn by each seed": Kind(examples=200, pool=1000),
    "accuracy, 40 of 200 rows drawn by each seed": Kind(examples=40, pool=200),
    "loss, 300 shared test examples": Kind("loss", example=0.7),
    "loss, 200 of 1,000 rows drawn by each seed": Kind("loss", examples=200, pool=1000, example=0.7),
    "AUROC, 300 shared test examples": Kind("auroc"),
    "AUROC, 200 of 1,000 rows drawn by each seed": Kind("auroc", examples=200, pool=1000),
    "balanced accuracy, 300 shared test examples": Kind("balanced-accuracy"),
    "balanced accuracy, 200 of 1,000 rows drawn by each seed": Kind("balanced-accuracy", examples=200, pool=1000),
    "macro F1, 300 shared test examples": Kind("macro-f1"),
    "macro F1, 200 of 1,000 rows drawn by each seed": Kind("macro-f1", examples=200, pool=1000),
    "R², 300 shared test examples": Kind("r2"),
    "R², 200 of 1,000 rows drawn by each seed": Kind("r2", examples=200, pool=1000),
}
"""What is simulated."""


def questions_of(kind: Kind) -> tuple[Question, ...]:
    """What is simulated of what can be answered."""
    if kind.metric in LINEARIZED:
        return ("new-rows",)
    return "new-rows", "split-again" if kind.drawn else "trained-again"
