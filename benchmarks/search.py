"""Compares searches by regret: six standard functions and four tables of real trials, against Optuna's GP and TPE.

    $ python -m benchmarks.search --seeds 30          # needs the extra `optuna`; results go on where they were

Every search asks one trial at a time. Regret is the best possible goodness less the best found; on a table it is that
of the validation metric on the seed that is searched, as a share of its range between the best and the median setting.
Writes benchmarks/results/search.json and prints the table of docs/search.md.
"""

import argparse
import gzip
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from steepest.records.dial import Dial, Setting
from steepest.search.space import Space
from steepest.search.strategies import strategy, version

RESULTS = Path(__file__).parent / "results" / "search.json"
TABLES = Path(__file__).parent / "results" / "tables"
ASKS = (20, 50, 100)
OURS, PEERS = ("gp", "cmaes", "ga", "sobol", "random"), ("optuna:gp", "optuna:tpe")
Goodness = Callable[[Mapping[str, Setting], int], float | None]


@dataclass(frozen=True)
class Problem:
    space: Space
    goodness: Goodness
    """Of values, on a seed."""
    best: Callable[[int], float]
    """The best possible goodness on a seed."""


# ---- six standard functions ------------------------------------------------------------------------------------------


def _branin(x: np.ndarray) -> float:
    a, b = 15 * x[0] - 5, 15 * x[1]
    return (
        (b - 5.1 / (4 * math.pi**2) * a * a + 5 / math.pi * a - 6) ** 2
        + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a)
        + 10
    )


HARTMANN_3 = (
    np.array([[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]]),
    1e-4 * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]]),
)
HARTMANN_6 = (
    np.array(
        [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
    ),
    1e-4
    * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    ),
)


def _hartmann(x: np.ndarray, tables: tuple[np.ndarray, np.ndarray]) -> float:
    a, p = tables
    return -float(np.array([1, 1.2, 3, 3.2]) @ np.exp(-(a * (x - p) ** 2).sum(1)))


def _rosenbrock(x: np.ndarray) -> float:
    z = 4.096 * x - 2.048
    return float((100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2).sum())


def _ackley(x: np.ndarray) -> float:
    z = 65.536 * x - 32.768 - 7.0  # the optimum does not lie in the middle
    return float(
        -20 * math.exp(-0.2 * math.sqrt((z * z).mean())) - math.exp(np.cos(2 * math.pi * z).mean()) + 20 + math.e
    )


def _levy(x: np.ndarray) -> float:
    w = 1 + (20 * x - 10 - 1) / 4
    middle = ((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(math.pi * w[:-1] + 1) ** 2)).sum()
    return float(math.sin(math.pi * w[0]) ** 2 + middle + (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2))


FUNCTIONS: Mapping[str, tuple[int, Callable[[np.ndarray], float], float]] = {
    "branin": (2, _branin, 0.39788735772973816),
    "hartmann-3": (3, lambda x: _hartmann(x, HARTMANN_3), -3.86277978734),
    "hartmann-6": (6, lambda x: _hartmann(x, HARTMANN_6), -3.32236801141),
    "rosenbrock-4": (4, _rosenbrock, 0.0),
    "ackley-4": (4, _ackley, 0.0),
    "levy-4": (4, _levy, 0.0),
}


def function(name: str) -> Problem:
    dials, value, least = FUNCTIONS[name]
    space = Space(tuple(Dial(f"x{i}", "linear", 0.0, 1.0) for i in range(dials)))
    return Problem(
        space,
        lambda values, seed: -value(np.array([float(values[dial.name]) for dial in space.dials])),
        lambda seed: -least,
    )


# ---- four tables of real trials --------------------------------------------------------------------------------------


def read_table(name: str) -> dict[str, Any]:
    """What `benchmarks.search_tables` wrote: the dials; and each trial's values, seed, validation metric and loss, and
    test metric."""
    return json.loads(gzip.decompress((TABLES / f"{name}.json.gz").read_bytes()))


def table(name: str) -> Problem:
    """A search over the ranges of a table; every setting stands for the nearest one that was trained."""
    read = read_table(name)
    axes = [sorted({trial[0][i] for trial in read["trials"]}) for i in range(len(read["dials"]))]
    space = Space(tuple(_dial(dial, axis) for dial, axis in zip(read["dials"], axes, strict=True)))
    points = {
        tuple(trial[0]): space.to_unit(dict(zip(read["dials"], trial[0], strict=True))) for trial in read["trials"]
    }
    keys, cube = list(points), np.array(list(points.values()))
    seeds = sorted({trial[1] for trial in read["trials"]})
    found = {(tuple(trial[0]), trial[1]): trial[2] for trial in read["trials"]}

    def spread(seed: int) -> tuple[float, float]:
        values = [found[key, seeds[seed % len(seeds)]] for key in keys]
        sound = sorted(value for value in values if value is not None)
        return sound[-1], sound[-1] - sound[len(sound) // 2]

    def goodness(values: Mapping[str, Setting], seed: int) -> float | None:
        nearest = keys[int(np.argmin(((cube - space.to_unit(values)) ** 2).sum(1)))]
        value, (_, reach) = found[nearest, seeds[seed % len(seeds)]], spread(seed)
        return None if value is None else value / reach

    return Problem(space, goodness, lambda seed: spread(seed)[0] / spread(seed)[1])


def _dial(name: str, axis: Sequence[Setting]) -> Dial:
    if isinstance(axis[0], bool):
        return Dial(name, "choice", choices=tuple(axis))
    low, high = (float(end) for end in (axis[0], axis[-1]))
    if name in ("b1", "b2", "momentum"):
        return Dial(name, "log", low, high, complement=True)
    return Dial(name, "log", low or float(axis[1]), high, zero=low == 0)


PROBLEMS: dict[str, Callable[[], Problem]] = {name: lambda name=name: function(name) for name in FUNCTIONS}
PROBLEMS |= {
    name: lambda name=name: table(name)
    for name in ("digits-adamw", "digits-momentum", "housing-adamw", "housing-momentum")
}


# ---- searching -------------------------------------------------------------------------------------------------------


def course(problem: Problem, name: str, seed: int) -> tuple[list[float], float]:
    """Regret after each number of asks, and processor seconds an ask."""
    begin = time.process_time()
    search = strategy(name)(problem.space, seed, max(ASKS), 1)
    spent = time.process_time() - begin
    best, found, scores = -math.inf, [], None
    while True:
        begin = time.process_time()
        try:
            (values,) = next(search) if scores is None else search.send(scores)
        except StopIteration:
            break
        spent += time.process_time() - begin
        goodness = problem.goodness(values, seed)
        scores = [goodness]
        best = max(best, goodness if goodness is not None else -math.inf)
        found.append(problem.best(seed) - best)
    return [found[n - 1] for n in ASKS], spent / max(ASKS)


def ratios(ours: np.ndarray, peers: np.ndarray, chance: np.random.Generator) -> tuple[float, float, float]:
    """Geometric mean over problems of the ratio of mean regrets [problems, seeds], and its 95 % bootstrap interval over
    seeds."""

    def ratio(columns: np.ndarray) -> float:
        a, b = (regret[:, columns].mean(1) + 1e-6 * scale for regret in (ours, peers))
        return float(np.exp(np.log(a / b).mean()))

    scale = np.maximum(ours, peers).max(1)
    seeds = ours.shape[1]
    drawn = [ratio(chance.integers(seeds, size=seeds)) for _ in range(2000)]
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return ratio(np.arange(seeds)), low, high


def summary(runs: Mapping[str, list[float]], seeds: int) -> Iterator[str]:
    """The table: our search against each peer, by kind of problem and number of asks; and seconds an ask."""
    names = {name for name in PROBLEMS if all(f"{name}/{who}/{seeds - 1}" in runs for who in ("gp", *PEERS))}

    def regrets(who: str, which: Iterable[str], asks: int) -> np.ndarray:
        return np.array([[runs[f"{name}/{who}/{seed}"][asks] for seed in range(seeds)] for name in which])

    for label, which in (
        ("functions", [n for n in names if n in FUNCTIONS]),
        ("tables", [n for n in names if n not in FUNCTIONS]),
    ):
        for peer in (*PEERS, "cmaes", "ga", "sobol", "random"):
            if which and all(f"{name}/{peer}/{seeds - 1}" in runs for name in which):
                cells = [
                    "{:.2f} ({:.2f} to {:.2f})".format(
                        *ratios(regrets("gp", which, i), regrets(peer, which, i), np.random.default_rng(i))
                    )
                    for i in range(len(ASKS))
                ]
                yield f"| {label} | {peer} | {' | '.join(cells)} |"
    for name in sorted(names):
        for who in ("gp", *PEERS, "cmaes", "ga", "sobol", "random"):
            if f"{name}/{who}/{seeds - 1}" in runs:
                means = " | ".join(f"{regrets(who, [name], i).mean():.3g}" for i in range(len(ASKS)))
                yield f"| {name} | {who} | {means} |"
    for who in (*OURS, *PEERS):
        spent = [value[-1] for key, value in runs.items() if key.split("/")[1] == who]
        if spent:
            yield f"| seconds an ask | {who} | {np.mean(spent):.4f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--problems", default=",".join(PROBLEMS))
    parser.add_argument("--searches", default=",".join((*OURS, *PEERS)))
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    runs: dict[str, list[float]] = {}
    versions: dict[str, str] = {}
    if asked.out.exists():
        before = json.loads(asked.out.read_text())
        runs, versions = before["runs"], before["versions"]
    for seed in range(asked.seeds):  # seed by seed, so that an interrupted comparison is one of fewer seeds
        for name in asked.problems.split(","):
            problem = PROBLEMS[name]()
            for who in asked.searches.split(",") if asked.searches else ():
                key = f"{name}/{who}/{seed}"
                if key not in runs:
                    regret, spent = course(problem, who, seed)
                    runs[key] = [float(f"{value:.4g}") for value in (*regret, spent)]
                    versions[who] = version(who)
        whole = {"asks": ASKS, "versions": versions, "runs": dict(sorted(runs.items()))}
        asked.out.write_text(json.dumps(whole, indent=0) + "\n")
    print("\n".join(summary(runs, asked.seeds)))


if __name__ == "__main__":
    main()
