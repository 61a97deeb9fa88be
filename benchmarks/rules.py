"""What a step of every optimizer costs: python -m benchmarks.rules writes benchmarks/results/rules.json, and the costs
relative to Adam's into src/steepest/optim/costs.json.

Measures the drop-in optimizer alone, without the gradient computation: milliseconds per step and bytes of state, for
models of three sizes (2,410, 203,530 and 1,838,592 numbers in float32), eager and, where supported, compiled.
docs/optimizers.md, `steepest show` and `steepest optimizers` show the figures. To try it, without
writing anything: --seconds 0.02 --only adam,sgd --sizes small.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import torch

from steepest.adapters.torch import RuleOptimizer, build
from steepest.optim.catalogue import CATALOGUE
from steepest.optim.choosing import COSTS, SIZES
from steepest.optim.entry import Entry
from steepest.study.environment import hardware, versions

WARM_UP, MOST = 6, 200
RESULTS = Path(__file__).parent / "results" / "rules.json"


def measured(item: Entry, size: str, compile: bool, seconds: float) -> dict[str, float]:
    """Median milliseconds of a step, and bytes of state a parameter."""
    draw = torch.Generator().manual_seed(0)
    parameters = [torch.randn(shape, generator=draw).mul_(0.05).requires_grad_() for shape in SIZES[size]]
    gradients = [torch.randn(shape, generator=draw).mul_(0.01) for shape in SIZES[size]]
    optimizer = build(item, parameters, lr=1e-5, compile=compile)
    closure = partial(_set, optimizer, parameters, gradients)
    taken: list[float] = []
    began = perf_counter()
    while len(taken) < WARM_UP + 5 or (len(taken) < MOST and perf_counter() - began < seconds):
        start = perf_counter()
        optimizer.step(closure)
        taken.append((perf_counter() - start) * 1e3)
    held = [x for state in optimizer.state.values() for x in state.values() if isinstance(x, torch.Tensor)]
    numbers = sum(p.numel() for p in parameters)
    return {
        "milliseconds": round(median(taken[WARM_UP:]), 4),
        "state_bytes": round(sum(x.numel() * x.element_size() for x in held) / numbers, 3),
    }


def _set(optimizer: RuleOptimizer, parameters: list[torch.Tensor], gradients: list[torch.Tensor]) -> None:
    optimizer.targets(torch.zeros(1, 2), torch.zeros(1, dtype=torch.long))
    for p, g in zip(parameters, gradients, strict=True):
        p.grad = g


Rows = dict[str, dict[str, dict[str, float]]]
"""Optimizer → size → figures."""


def rows_of(items: Sequence[Entry], sizes: Sequence[str], seconds: float) -> Rows:
    """Each size is measured for all optimizers in a row, so that they share the state of the machine."""
    rows: Rows = {item.name: {} for item in items}
    for size in sizes:
        for item in items:
            eager, compiled = (measured(item, size, compile, seconds) for compile in (False, True))
            rows[item.name][size] = {**eager, "milliseconds_compiled": compiled["milliseconds"]}
            times = f"{eager['milliseconds']:>10.3f} ms{compiled['milliseconds']:>10.3f} ms compiled"
            print(f"{size:<8}{item.name:<24}{times}", flush=True)
    return rows


def relative(rows: Rows) -> dict[str, dict[str, float]]:
    """Duration of a step, the faster of eager and compiled, relative to Adam's: two digits."""

    def fastest(row: dict[str, float]) -> float:
        return min(row["milliseconds"], row["milliseconds_compiled"])

    return {
        name: {size: float(f"{fastest(row) / fastest(rows['adam'][size]):.2g}") for size, row in by_size.items()}
        for name, by_size in rows.items()
    }


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.5, help="for each optimizer, size and way (default 0.5)")
    parser.add_argument("--sizes", default=",".join(SIZES), help="default: all")
    parser.add_argument("--only", default="", help="some optimizers; nothing is written")
    given = parser.parse_args(words)
    chosen, sizes = given.only.split(","), given.sizes.split(",")
    torch.set_num_threads(1)
    rows = rows_of([item for item in CATALOGUE if not given.only or item.name in chosen], sizes, given.seconds)
    if given.only or len(sizes) < len(SIZES):
        return
    surroundings = {"when": f"{datetime.now(UTC):%Y-%m-%d}", "hardware": hardware(), "versions": versions()}
    RESULTS.parent.mkdir(exist_ok=True)
    for path, values in ((RESULTS, {**surroundings, "rules": rows}), (COSTS, relative(rows))):
        path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
