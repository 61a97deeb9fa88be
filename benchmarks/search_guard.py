"""When should a setting with several dials replace the pick of the rate grid? Compares rules on the tables of trials.

    $ python -m benchmarks.search_guard

Each seed tries the nine rates at default values, then 18 settings that a search asks for. A rule decides by validation
whether the best of these replaces the grid's pick; what that gained is judged on the test part. Prints the table of
docs/search.md and writes benchmarks/results/search_guard.json.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.search import read_table, table
from steepest.search.strategies import strategy

RESULTS = Path(__file__).parent / "results" / "search_guard.json"
TABLES = ("digits-adamw", "digits-momentum", "housing-adamw", "housing-momentum")
DEFAULTS = {
    "adamw": {"weight_decay": 0.01, "b1": 0.9, "b2": 0.999},
    "momentum": {"weight_decay": 0.0, "momentum": 0.9, "nesterov": False},
}
SEARCHES = {"sobol": 30, "gp": 4}
"""Searches of each seed, with different random numbers."""
FURTHER, BATCH = 18, 6
VALID = {"digits": 270, "housing": 2000}
"""Validation examples, about."""
RULES = ("no guard", "metric, 1 SE", "metric, 1 SD", "metric, 2 SE", "metric and loss", "metric and loss, 1/2 SE")
"""SE: of the metric, from the number of validation examples; for R², with a kurtosis of 6. SD: over seeds, at one
setting."""


def allowed(gain: float, loss_gain: float, error: float, deviation: float) -> dict[str, bool]:
    """Which rules let a setting replace the grid's pick that is better by these amounts on validation."""
    return {
        "no guard": gain > 0,
        "metric, 1 SE": gain > error,
        "metric, 1 SD": gain > deviation,
        "metric, 2 SE": gain > 2 * error,
        "metric and loss": gain > 0 and loss_gain > 0,
        "metric and loss, 1/2 SE": gain > error / 2 and loss_gain > 0,
    }


def gains(name: str, search: str) -> Iterator[tuple[int, dict[str, float], dict[str, bool]]]:
    """For each seed and each of its searches: the gain on the test part by every rule, and which rules changed."""
    problem, read = table(name), read_table(name)
    task, optimizer = name.split("-")
    dials, usual = read["dials"], DEFAULTS[optimizer]
    rows = {(tuple(trial[0]), trial[1]): trial[2:] for trial in read["trials"]}
    keys = list(dict.fromkeys(key for key, _ in rows))
    cube = np.array([problem.space.to_unit(dict(zip(dials, key, strict=True))) for key in keys])
    grid = [key for key in keys if all(key[dials.index(dial)] == value for dial, value in usual.items())]
    seeds = sorted({seed for _, seed in rows})
    for seed in seeds:
        of = {key: rows[key, seed] for key in keys}
        sound = {key for key in keys if of[key][0] is not None}

        def rank(key: tuple, of: dict = of) -> tuple[float, float]:
            return of[key][0], -of[key][1]

        pick = max((key for key in grid if key in sound), key=rank)
        same = [rows[pick, other][0] for other in seeds if rows[pick, other][0] is not None]
        p = of[pick][0]
        error = math.sqrt(p * (1 - p) / VALID[task]) if task == "digits" else (1 - p) * math.sqrt(5 / VALID[task])
        begun = [(dict(zip(dials, key, strict=True)), of[key][0]) for key in grid]
        for repeat in range(SEARCHES[search]):
            asking = strategy(search)(problem.space, 1000 * seed + repeat, FURTHER, BATCH, begun=begun)
            scores, tried = None, set()
            for _ in range(FURTHER // BATCH):
                batch = next(asking) if scores is None else asking.send(scores)
                found = [keys[int(((cube - problem.space.to_unit(values)) ** 2).sum(1).argmin())] for values in batch]
                tried |= set(found)
                scores = [of[key][0] for key in found]
            other = max(tried & sound or {pick}, key=rank)
            gained, test = rank(other)[0] - rank(pick)[0], of[other][2] - of[pick][2]
            changed = allowed(gained, rank(other)[1] - rank(pick)[1], error, float(np.std(same, ddof=1)))
            yield seed, {rule: test * may for rule, may in changed.items()}, changed


def main() -> None:
    results: dict[str, dict[str, dict[str, float]]] = {}
    for search in SEARCHES:
        for name in TABLES:
            found = list(gains(name, search))
            seeds = sorted({seed for seed, _, _ in found})
            results[f"{name}/{search}"] = {}
            for rule in RULES:
                means = [np.mean([gain[rule] for own, gain, _ in found if own == seed]) for seed in seeds]
                figures = {
                    "gain": float(np.mean(means)),
                    "standard_error": float(np.std(means, ddof=1) / math.sqrt(len(means))),
                    "changed": float(np.mean([changed[rule] for _, _, changed in found])),
                }
                results[f"{name}/{search}"][rule] = {key: round(value, 5) for key, value in figures.items()}
            cells = [f"{100 * found['gain']:+.2f} ± {100 * found['standard_error']:.2f}"
                     for found in results[f"{name}/{search}"].values()]  # fmt: skip
            print(f"| {name}, {search} | {' | '.join(cells)} |", flush=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
