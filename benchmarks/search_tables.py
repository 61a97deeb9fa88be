"""Makes the tables that `benchmarks.search` looks up: real trials at every setting of a grid.

    $ python -m benchmarks.search_tables --seeds 10

Each table is benchmarks/results/tables/<task>-<optimizer>.json.gz. The studies stay in runs/tables; an interrupted one
continues.
"""

import argparse
import gzip
import itertools
import json
import sqlite3
import time
from pathlib import Path

import steepest
from steepest.optim import catalogue

STUDIES = Path("runs") / "tables"
TABLES = Path(__file__).parent / "results" / "tables"
TASKS = ("digits", "housing")
DIALS: dict[str, dict[str, tuple[float | bool, ...]]] = {
    "adamw": {"weight_decay": (0.0, 0.01, 0.3), "b1": (0.8, 0.9, 0.97), "b2": (0.95, 0.999)},
    "momentum": {"weight_decay": (0.0, 1e-4, 3e-3), "momentum": (0.5, 0.9, 0.97), "nesterov": (False, True)},
}
"""The values of every dial beside the nine rates of the usual grid. The defaults are among them."""


def rates_of(optimizer: str) -> list[float]:
    """Nine rates, half a decade apart, as a study's grid has them."""
    centre = catalogue.contender(catalogue.entry(optimizer)).centre
    return [float(f"{centre * 10 ** (i / 2 - 2):.6g}") for i in range(9)]


def contenders(optimizer: str) -> dict[str, tuple[float | bool, ...]]:
    """The words of every contender, and its values."""
    found = {}
    for values in itertools.product(*DIALS[optimizer].values()):
        given = dict(zip(DIALS[optimizer], values, strict=True))
        rule = "nesterov" if given.pop("nesterov", False) else optimizer
        found[":".join([rule, *(f"{name}={value:g}" for name, value in given.items())])] = values
    return found


def made(task: str, optimizer: str, seeds: int) -> Path:
    """The finished study."""
    place = STUDIES / f"{task}-{optimizer}"
    if place.exists():
        steepest.resume(place)
    else:
        words = list(contenders(optimizer))
        steepest.compare(task, words, rates=rates_of(optimizer), seeds=seeds, out=place, quiet=True)
    return place


def table(task: str, optimizer: str, place: Path) -> dict[str, object]:
    """What the searches look up: for each seed and setting the validation metric and loss, and the test metric."""
    words, rates = contenders(optimizer), rates_of(optimizer)
    with sqlite3.connect(f"file:{place / 'study.db'}?mode=ro", uri=True) as rows:
        found = rows.execute(
            "select contender, rate, seed, outcome, valid_metric, valid_loss, test_metric from result"
        ).fetchall()
    trials = []
    for contender, rate, seed, outcome, valid, loss, test in sorted(found):
        sound = outcome == "ok"
        trials.append([[min(rates, key=lambda r: abs(r - rate)), *words[contender]], seed,
                       *([round(x, 6) for x in (valid, loss, test)] if sound else [None] * 3)])  # fmt: skip
    return {"task": task, "optimizer": optimizer, "dials": ["lr", *DIALS[optimizer]], "trials": trials}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", default="", help="tables whose name contains this")
    asked = parser.parse_args()
    TABLES.mkdir(parents=True, exist_ok=True)
    for task, optimizer in itertools.product(TASKS, DIALS):
        if asked.only in f"{task}-{optimizer}":
            begin = time.monotonic()
            content = json.dumps(table(task, optimizer, made(task, optimizer, asked.seeds)), separators=(",", ":"))
            path = TABLES / f"{task}-{optimizer}.json.gz"
            path.write_bytes(gzip.compress(content.encode(), mtime=0))
            print(f"{path.name}: {path.stat().st_size // 1000} kB, {time.monotonic() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
