"""How long a step of the drop-in optimizers takes, against the fastest form that torch has of the same optimizer.

    python -m benchmarks.dropin [optimizer …]         (all that torch has if none is named; about three minutes)

Ours and every form of torch's take turns on the same parameters and gradients, two threads; figures are medians over
the turns. The first step, in which kernels are compiled and state is made, is not counted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter
from typing import Any

import torch

from steepest.adapters.torch import build
from steepest.optim.catalogue import entry, settings_of
from steepest.optim.stock import stock

OPTIMIZERS = (
    *("sgd", "momentum", "nesterov", "asgd", "rprop", "adagrad", "adadelta", "rmsprop", "rmsprop-momentum"),
    *("adam", "adamw", "amsgrad", "adamax", "nadam", "nadamw", "radam"),
)
"""Of the catalogue: every element-wise optimizer that torch has, once."""
WORKLOADS = {
    "24 M": [(512, 512)] * 24 + [(2048, 512)] * 12 + [(512,)] * 48 + [(10_000, 512)],
    "20 tensors": [(64, 32), (64,), *[(64, 64), (64,)] * 8, (10, 64), (10,)],
}
"""Shapes like those of a GPT of six layers, and of a small network."""
FUSED = ("SGD", "Adam", "AdamW", "Adagrad")
"""Classes of torch that have a kernel of their own: there we are to take at most 1.05 of the time, else 0.5."""
THREADS = 2
TURNS, SECONDS = 9, 0.03
RATE = 1e-5


def rows(names: tuple[str, ...] = OPTIMIZERS) -> list[dict[str, Any]]:
    """One row for each workload and optimizer: milliseconds a step of ours and of theirs, and ours / theirs."""
    with _threads(THREADS):
        return [_row(workload, name) for workload in WORKLOADS for name in names]


def _row(workload: str, name: str) -> dict[str, Any]:
    draw = torch.Generator().manual_seed(0)
    ps = [torch.randn(shape, generator=draw).requires_grad_() for shape in WORKLOADS[workload]]
    for p in ps:
        p.grad = torch.randn(p.shape, generator=draw)
    item = entry(name)
    plain = stock(item.rule, {**settings_of(item), "lr": RATE})
    assert plain is not None, f"torch has no {name}"
    kind = getattr(torch.optim, plain.name)
    steps: dict[str, Callable[[], Any]] = {"ours": build(item, ps, lr=RATE, compile=True).step}
    for form in ("fused", "foreach", "for-loop"):
        if form != "fused" or plain.name in FUSED:
            how = {"foreach": form == "foreach", **({"fused": form == "fused"} if plain.name in FUSED else {})}
            steps[form] = kind(ps, lr=RATE, **plain.arguments, **how).step
    took = _milliseconds(steps)
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


def _milliseconds(steps: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """A step of each, in turns."""
    counts, taken = {}, {name: [] for name in steps}
    for name, step in steps.items():
        step()
        counts[name] = max(1, int(SECONDS / _seconds(step, 2)))
    for _ in range(TURNS):
        for name, step in steps.items():
            taken[name].append(_seconds(step, counts[name]))
    return {name: median(seconds) * 1e3 for name, seconds in taken.items()}


def _seconds(step: Callable[[], Any], count: int) -> float:
    start = perf_counter()
    for _ in range(count):
        step()
    return (perf_counter() - start) / count


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def main(names: list[str]) -> None:
    print(f"{'':28}{'ours':>10}{'torch':>10}  {'':9} ratio  target")
    for row in rows(tuple(names) or OPTIMIZERS):
        met = "" if row["ratio"] <= row["target"] else "  missed"
        print(
            f"{row['workload']:11}{row['rule']:17}{row['ours_ms']:7.3f} ms{row['theirs_ms']:7.3f} ms  "
            f"{row['their_variant']:9}{row['ratio']:6.2f}{row['target']:8.2f}{met}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
