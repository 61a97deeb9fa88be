"""How long a step of the drop-in optimizers takes, compared with torch's fastest form of the same optimizer.

    python -m benchmarks.dropin [optimizer …]

Without names, it runs all optimizers that torch has, takes about five minutes and writes
benchmarks/results/dropin.json. Our optimizer and every form of torch's take turns on the same parameters, with two
threads. Figures are medians over the turns. Only steps are timed, without the first ones, which compile kernels and
create state. Gradients keep their tensors; the network of 20 small tensors is also timed with new gradient tensors in
every step, as `zero_grad` and `backward` make them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from steepest.adapters.torch import build
from steepest.optim.catalogue import entry, settings_of
from steepest.optim.equivalents.torch_forms import torch_form
from steepest.study.environment import hardware, versions

RESULTS = Path(__file__).parent / "results" / "dropin.json"

OPTIMIZERS = (
    *("sgd", "momentum", "nesterov", "asgd", "rprop", "adagrad", "adadelta", "rmsprop", "rmsprop-momentum"),
    *("adam", "adamw", "amsgrad", "adamax", "nadam", "nadamw", "radam"),
)
"""Of the catalogue: every element-wise optimizer that torch has, once."""
WORKLOADS = {
    "24 M": [(512, 512)] * 24 + [(2048, 512)] * 12 + [(512,)] * 48 + [(10_000, 512)],
    "20 tensors": (small := [(64, 32), (64,), *[(64, 64), (64,)] * 8, (10, 64), (10,)]),
    "20, new gradients": small,
}
"""Shapes like those of a GPT of six layers, and of a small network."""
RENEWED = "20, new gradients"
"""Where every step has gradients that the one before it did not have."""
FUSED = ("SGD", "Adam", "AdamW", "Adagrad")
"""Classes of torch that have a kernel of their own: there we are to take at most 1.05 of the time, else 0.5."""
THREADS = 2
TURNS, SECONDS = 9, 0.03
RATE = 1e-5


def _row(workload: str, name: str) -> dict[str, Any]:
    """Milliseconds a step of ours and of theirs, and ours / theirs."""
    draw = torch.Generator().manual_seed(0)
    ps = [torch.randn(shape, generator=draw).requires_grad_() for shape in WORKLOADS[workload]]
    for p in ps:
        p.grad = torch.randn(p.shape, generator=draw)
    item = entry(name)
    plain = torch_form(item.rule, {**settings_of(item), "lr": RATE})
    assert plain is not None, f"torch has no {name}"
    kind = getattr(torch.optim, plain.name)
    steps: dict[str, Callable[[], Any]] = {"ours": build(item, ps, lr=RATE, compile=True).step}
    for form in ("fused", "foreach", "for-loop"):
        if form != "fused" or plain.name in FUSED:
            how = {"foreach": form == "foreach", **({"fused": form == "fused"} if plain.name in FUSED else {})}
            steps[form] = kind(ps, lr=RATE, **plain.arguments, **how).step
    took = _milliseconds(steps, (lambda: _renew(ps)) if workload == RENEWED else None)
    ours = took.pop("ours")
    best = min(took, key=lambda form: took[form])
    return {
        "workload": workload,
        "rule": name,
        "ours_ms": ours,
        "theirs_ms": took[best],
        "their_variant": best,
        "ratio": ours / took[best],
        "target": 1.05 if plain.name in FUSED else 0.5,
    }


def _renew(ps: list[Tensor]) -> None:
    """As `zero_grad` and `backward` do: the old gradients are gone before there are new ones."""
    gradients = [p.grad.clone() for p in ps if p.grad is not None]
    for p in ps:
        p.grad = None
    for p, g in zip(ps, gradients, strict=True):
        p.grad = g


def _milliseconds(steps: dict[str, Callable[[], Any]], between: Callable[[], None] | None) -> dict[str, float]:
    """A step of each, in turns; `between` two steps is not timed."""
    counts, taken = {}, {name: [] for name in steps}
    for name, step in steps.items():
        _seconds(step, 3, between)
        counts[name] = max(1, int(SECONDS / _seconds(step, 2, between)))
    for _ in range(TURNS):
        for name, step in steps.items():
            taken[name].append(_seconds(step, counts[name], between))
    return {name: median(seconds) * 1e3 for name, seconds in taken.items()}


def _seconds(step: Callable[[], Any], count: int, between: Callable[[], None] | None) -> float:
    total, start = 0.0, perf_counter()
    for _ in range(count):
        if between is None:
            step()
            continue
        between()
        start = perf_counter()
        step()
        total += perf_counter() - start
    return (total if between is not None else perf_counter() - start) / count


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def main(names: list[str]) -> None:
    print(f"{'':35}{'ours':>10}{'torch':>10}  {'':9} ratio  target")
    found = []
    with _threads(THREADS):
        for workload in WORKLOADS:
            for name in names or OPTIMIZERS:
                row = _row(workload, name)
                found.append(row)
                met = "" if row["ratio"] <= row["target"] else "  missed"
                print(
                    f"{workload:18}{name:17}{row['ours_ms']:7.3f} ms{row['theirs_ms']:7.3f} ms  "
                    f"{row['their_variant']:9}{row['ratio']:6.2f}{row['target']:8.2f}{met}",
                    flush=True,
                )
    if not names:
        surroundings = {"when": f"{datetime.now(UTC):%Y-%m-%d}", "hardware": hardware(), "versions": versions()}
        RESULTS.write_text(json.dumps({**surroundings, "threads": THREADS, "rows": found}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
