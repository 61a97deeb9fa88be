"""What a step of every optimizer costs: python -m benchmarks.rules writes benchmarks/results/rules.json.

Measures the drop-in optimizer alone, without the gradient computation: milliseconds per step and bytes of state, for
the parameters of a 784-256-10 network (203,530 numbers in float32), eager and, where supported, compiled.
docs/optimizers.md shows the figures.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch

from steepest.adapters.torch import RuleOptimizer, build
from steepest.optim.catalogue import CATALOGUE
from steepest.optim.entry import Entry
from steepest.study.environment import hardware, versions

SHAPES = ((256, 784), (256,), (10, 256), (10,))
WARM_UP, SECONDS, MOST = 6, 0.5, 200
RESULTS = Path(__file__).parent / "results" / "rules.json"


def measured(item: Entry, compile: bool) -> dict[str, Any]:
    """Median milliseconds of a step, and bytes of state a parameter."""
    draw = torch.Generator().manual_seed(0)
    parameters = [torch.randn(shape, generator=draw).mul_(0.05).requires_grad_() for shape in SHAPES]
    gradients = [torch.randn(shape, generator=draw).mul_(0.01) for shape in SHAPES]
    optimizer = build(item, parameters, lr=1e-5, compile=compile)
    closure = partial(_set, optimizer, parameters, gradients)
    taken: list[float] = []
    began = perf_counter()
    while len(taken) < WARM_UP + 5 or (len(taken) < MOST and perf_counter() - began < SECONDS):
        start = perf_counter()
        optimizer.step(closure)
        taken.append((perf_counter() - start) * 1e3)
    held = [x for state in optimizer.state.values() for x in state.values() if isinstance(x, torch.Tensor)]
    size = sum(p.numel() for p in parameters)
    return {
        "milliseconds": round(median(taken[WARM_UP:]), 4),
        "state_bytes": round(sum(x.numel() * x.element_size() for x in held) / size, 3),
    }


def _set(optimizer: RuleOptimizer, parameters: list[torch.Tensor], gradients: list[torch.Tensor]) -> None:
    optimizer.targets(torch.zeros(1, 2), torch.zeros(1, dtype=torch.long))
    for p, g in zip(parameters, gradients, strict=True):
        p.grad = g


def main() -> None:
    torch.set_num_threads(1)
    rows = {}
    for item in CATALOGUE:
        eager, compiled = (measured(item, compile) for compile in (False, True))
        rows[item.name] = {**eager, "milliseconds_compiled": compiled["milliseconds"]}
        print(
            f"{item.name:<24}{eager['milliseconds']:>10.3f} ms{compiled['milliseconds']:>10.3f} ms compiled", flush=True
        )
    surroundings = {"when": f"{datetime.now(UTC):%Y-%m-%d}", "hardware": hardware(), "versions": versions()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(
        json.dumps({**surroundings, "rules": rows}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
