"""How often intervals hold the truth, and how often a difference is seen where there is none: by simulation.

`python -m benchmarks.simulation` prints the tables that docs/statistics.md quotes; the tests run small versions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from steepest.verdict.judge.pairs import MIN_SEEDS, compare_all
from steepest.verdict.stats.cross_task import hierarchical, intervals, mean_of
from steepest.verdict.stats.inference import bootstrap_t, holm, mean_interval, welch
from steepest.verdict.stats.sequential import FIXED, Look

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]

DISTRIBUTIONS: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "skewed": lambda rng, shape: rng.exponential(size=shape) - 1,
    "heavy tails": lambda rng, shape: rng.standard_t(3, size=shape),
}
"""Distributions of mean 0. The skewed one is an exponential, an extreme case; the heavy-tailed one is
Student's t with 3."""
FAILING = "failing"
"""Normal values, and one replicate in ten diverges at every rate."""
RATES = np.array([0.30, 0.62, 0.85, 0.93, 0.955, 0.96, 0.957, 0.94, 0.80])
"""Mean quality at nine rates: a hump with a flat top, so that chance influences which rate is picked."""


def coverage(distribution: str, n: int, spread: float, studies: int, method: str = "welch", seed: int = 0) -> float:
    """The share of studies whose 95 % interval of a difference contains the true difference, 0.

    Two samples of n, the second `spread` times as noisy as the first. method: "welch" or "bootstrap-t". With the
    distribution "failing", one replicate in ten is lost, and studies with fewer than 5 left on either side are not
    judged.
    """
    rng = np.random.default_rng([seed, n])
    draw = DISTRIBUTIONS["normal" if distribution == FAILING else distribution]
    a, b = draw(rng, (studies, n)), spread * draw(rng, (studies, n))
    held = judged = 0
    for x, y in zip(a, b, strict=True):
        if distribution == FAILING:
            x, y = (z[rng.random(n) >= 0.1] for z in (x, y))
            if min(len(x), len(y)) < MIN_SEEDS:
                continue
        judged += 1
        interval = welch(x, y).interval(0.95) if method == "welch" else bootstrap_t(x, y, 0.95, rng, 999)
        held += interval.low <= 0 <= interval.high
    return held / judged


def covered_over_tasks(tasks: int, n: int, studies: int, method: str = "expanded", seed: int = 0) -> float:
    """The share of studies whose 95 % interval of a mean over tasks holds the true one, 0: tasks differ by as much as
    their n replicates do. method: "expanded" (as the verdict has it), "percentile", or "t" over the tasks' means."""
    rng = np.random.default_rng([seed, tasks, n])
    held = 0
    for _ in range(studies):
        x = rng.normal(size=(tasks, 1)) + rng.normal(size=(tasks, n))
        if method == "t":
            interval = mean_interval(x.mean(axis=1), 0.95)
            low, high = interval.low, interval.high
        else:
            means = hierarchical([[row] for row in x], mean_of, rng, 1000)[0].mean(axis=(1, 2))
            if method == "percentile":
                low, high = np.quantile(means, [0.025, 0.975])
            else:
                interval = intervals(np.array([x.mean()]), means[:, None], 0.95, tasks)[0]
                low, high = interval.low, interval.high
        held += bool(low <= 0 <= high)
    return held / studies


def tuned(
    rng: np.random.Generator, distribution: str, shared: np.ndarray, lag: float, correlation: float
) -> np.ndarray:
    """[n] test values of replicates that each picked their own rate on validation.

    A seed shifts all its trials by `shared` [n], which all contenders have in common and which makes up the share
    `correlation` of the variance. Each trial, and each validation and test value, adds variation of its own.
    """
    n = len(shared)
    own = DISTRIBUTIONS[distribution](rng, (n, len(RATES)))
    trial = RATES - lag + 0.006 * (np.sqrt(1 - correlation) * own + np.sqrt(correlation) * shared[:, None])
    valid, test = (trial + 0.002 * rng.normal(size=trial.shape) for _ in range(2))
    return np.take_along_axis(test, valid.argmax(axis=1)[:, None], axis=1)[:, 0]


def false_behind(
    lags: Sequence[float],
    n: int,
    studies: int,
    distribution: str = "normal",
    correlation: float = 0.0,
    family: str = "all pairs",
    seed: int = 0,
) -> float:
    """The share of studies in which a contender that is as good as the best is judged behind the best.

    lags: how much worse each contender truly is; those at 0 are truly equal. family: "all pairs", as in the
    verdict, or "with the best": Holm over Welch's t with the observed best, as is often done.
    """
    rng = np.random.default_rng([seed, n, len(lags)])
    wrong = 0
    for _ in range(studies):
        shared = DISTRIBUTIONS[distribution](rng, (n,))
        samples = {str(i): tuned(rng, distribution, shared, lag, correlation) for i, lag in enumerate(lags)}
        best = max(samples, key=lambda name: samples[name].mean())
        others = [name for name in samples if name != best]
        if family == "all pairs":
            pairs = compare_all({name: dict(enumerate(x)) for name, x in samples.items()}, 0.05, rng).pairs
            p = {name: pairs[best, name].p for name in others}
        else:
            raw = np.array([welch(samples[best], samples[name]).p for name in others])
            p = dict(zip(others, holm(raw, 0.05).p, strict=True))
        wrong += any(p[name] < 0.05 for name in others if lags[int(name)] == lags[int(best)] == 0)
    return wrong / studies


def looked_at(
    lags: Sequence[float],
    looks: Sequence[int],
    studies: int,
    distribution: str = "normal",
    correlation: float = 0.0,
    valid: bool = True,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Studies that add replicates at each look until all true differences are found. Returns the share of studies that
    call equal contenders different at any look, the share that find all true differences in the end, and the mean
    number of replicates.

    Studies whose contenders are all equal stop as soon as two are called different. valid: False uses plain p values at
    every look, as is often done.
    """
    rng = np.random.default_rng([seed, len(lags), 77])
    names = [str(i) for i in range(len(lags))]
    wrong = right = total = n = 0
    false = found = False
    for _ in range(studies):
        shared = DISTRIBUTIONS[distribution](rng, (looks[-1],))
        x = {name: tuned(rng, distribution, shared, lag, correlation) for name, lag in zip(names, lags, strict=True)}
        for i, n in enumerate(looks):
            look = Look(i, tuple(looks)) if valid else FIXED
            samples = {name: dict(enumerate(values[:n])) for name, values in x.items()}
            pairs = compare_all(samples, 0.05, rng, look).pairs
            told = {(a, b) for a, b in pairs if a < b and pairs[a, b].p < 0.05}
            false = any(lags[int(a)] == lags[int(b)] for a, b in told)
            open_ = [(a, b) for a in names for b in names if a < b and lags[int(a)] != lags[int(b)]]
            found = bool(open_) and all(pair in told for pair in open_)
            if false or found:
                break
        wrong, right, total = wrong + false, right + found, total + n
    return wrong / studies, right / studies, total / studies


def found_behind(lag: float, n: int, studies: int, correlation: float, seed: int = 0) -> float:
    """The share of studies in which a contender that truly lags behind the other is judged behind it."""
    rng = np.random.default_rng([seed, n])
    found = 0
    for _ in range(studies):
        shared = rng.normal(size=n)
        samples = {name: tuned(rng, "normal", shared, by, correlation) for name, by in (("ahead", 0.0), ("lags", lag))}
        pair = compare_all({name: dict(enumerate(x)) for name, x in samples.items()}, 0.05, rng).pairs["ahead", "lags"]
        found += pair.p < 0.05 and pair.difference.value > 0
    return found / studies


if __name__ == "__main__":
    print("Coverage of nominal 95 % intervals of a difference, 10,000 studies each (bootstrap-t: 2,000)")
    for distribution in (*DISTRIBUTIONS, FAILING):
        for spread in (1.0, 3.0):
            cells = [f"{coverage(distribution, n, spread, 10_000):.3f}" for n in (5, 10, 20)]
            cells += [f"{coverage(distribution, n, spread, 2_000, 'bootstrap-t'):.3f}" for n in (5, 10, 20)]
            print(f"| {distribution}, spread 1 : {spread:.0f} |", " | ".join(cells), "|", flush=True)
    print("Share of studies that judge an equal contender behind, 4,000 studies each; variance in common 0, then 0.8")
    lines = {"2 equal": [0, 0], "5 equal": [0] * 5, "8 equal": [0] * 8, "2 equal, 3 worse": [0, 0, 0.05, 0.06, 0.1]}
    for family in ("all pairs", "with the best"):
        for name, lags in lines.items():
            cells = [
                f"{false_behind(lags, n, 4_000, 'normal', correlation, family):.3f}"
                for correlation in (0.0, 0.8)
                for n in (5, 10, 20)
            ]
            print(f"| {name}, {family} |", " | ".join(cells), "|", flush=True)
    print("Share of studies that find a lag of 0.004, where replicates scatter by 0.006, 2,000 studies each")
    for n in (5, 10, 20):
        cells = [f"{found_behind(0.004, n, 2_000, correlation):.2f}" for correlation in (0.0, 0.2, 0.5, 0.8, 0.95)]
        print(f"| {n} |", " | ".join(cells), "|", flush=True)
    print("Coverage of 95 % intervals of a mean over tasks, 4,000 studies each; 5 and 10 replicates a task")
    for tasks in (3, 6, 10, 20):
        cells = [
            f"{covered_over_tasks(tasks, n, 4_000, method):.3f}"
            for method in ("percentile", "expanded", "t")
            for n in (5, 10)
        ]
        print(f"| {tasks} |", " | ".join(cells), "|", flush=True)
    print("Looks after 5, 7, 10, 14 and 20 replicates: equals called different at any look, at our levels and at 5 %")
    looks = (5, 7, 10, 14, 20)
    for k in (2, 5, 8):
        for distribution in DISTRIBUTIONS:
            for correlation in (0.0, 0.8):
                ours, plain = (
                    looked_at([0] * k, looks, 2_000, distribution, correlation, valid)[0] for valid in (True, False)
                )
                print(f"| {k} equal, {distribution}, shared {correlation} | {ours:.3f} | {plain:.3f} |", flush=True)
    print("A true lag: found within 20 replicates, and replicates taken; beside a fixed 20")
    for lag in (0.003, 0.006, 0.012, 0.03):
        _, found, n = looked_at([0, lag], looks, 2_000)
        print(f"| {lag} | {found:.2f} | {n:.1f} | {found_behind(lag, 20, 2_000, 0.0):.2f} |", flush=True)
