"""The variants that are timed: every sensible variant of each peer is tried, and the fastest represents the peer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Protocol

import numpy as np

PEERS = ("loop", "joblib", "jax", "keras")
"""Whom ours is compared with: letters (a) to (d)."""


class Trainer(Protocol):
    """Trains a few trials of a workload, step by step."""

    lanes: int
    """Trials that a step moves on."""
    chunk: int
    """Steps are asked for in multiples of this."""

    def train(self, start: int, stop: int) -> np.ndarray:
        """Steps t = start + 1 … stop; returns the batch losses [stop − start, lanes], or means of them [1, lanes]."""
        ...


@dataclass(frozen=True)
class Candidate:
    """One way in which a peer may train a workload."""

    peer: str
    module: str
    """Within `benchmarks.peers`; its `trainer(workload, **options)` gives a Trainer, and it alone loads a framework."""
    label: str
    options: Mapping[str, Any]
    processes: int = 1
    """All of them train at the same time, each its own trials."""
    pinned: bool = False
    """Each process may use one core only: for libraries that would otherwise take all of them."""
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def crew(self) -> tuple[object, ...]:
        """Candidates for which this is the same are timed in the same processes."""
        return self.module, self.processes, self.pinned, tuple(sorted(self.environment.items()))


# ---- ours ------------------------------------------------------------------------------------------------------------

PLAIN = {
    "mlp-32": (18, 36),
    "mlp-128": (9, 18),
    "housing": (18, 72),
    "cnn": (2, 9),
    "lstm": (2, 9),
    "transformer": (2, 9),
}
"""Lanes of the plain fleets that are tried, by workload."""
COMPILED = 18
"""Lanes of a compiled fleet: they are trained one after the other, so that their number is of little account."""


def ours(workload: str, cores: int) -> list[Candidate]:
    """What calibration chooses from: engines, and what is compiled. One process of one thread a core, as in a study."""
    found = [Candidate("ours", "ours", "solo", {"engine": "solo", "lanes": 1}, processes=cores)]
    for lanes, parts in (*((lanes, ()) for lanes in PLAIN[workload]), (COMPILED, ("gradient", "update"))):
        options = {"engine": "fleet", "lanes": lanes, "compiled": parts}
        label = f"R = {lanes}, compiled" if parts else f"R = {lanes}"
        found.append(Candidate("ours", "ours", label, options, processes=cores))
    return found


# ---- peers -----------------------------------------------------------------------------------------------------------

ADAMS = ("fused", "foreach", "for-loop")
"""The forms of torch's own Adam."""


def loop(workload: str, cores: int) -> list[Candidate]:
    return [
        Candidate("loop", "loop", f"{adam}, {_count(threads, 'thread')}", {"adam": adam, "threads": threads})
        for adam, threads in product(ADAMS, sorted({1, cores}))
    ]


def joblib(workload: str, cores: int) -> list[Candidate]:
    return [
        Candidate("joblib", "parallel", f"{adam}, {cores} processes", {"adam": adam, "processes": cores})
        for adam in ADAMS
    ]


GROUPS = {
    "mlp-32": (1, 4, 9, 16, 32),
    "mlp-128": (1, 4, 9, 16),
    "housing": (4, 9, 16, 32, 64),
    "cnn": (1, 4),
    "lstm": (4, 16),
    "transformer": (1, 4, 9),
}
"""Trials that JAX trains at a time, by workload. 9 are those of one seed, which share their batches."""
CHOICES: dict[str, tuple[dict[str, Any], ...]] = {"cnn": ({"patches": False, "chunk": 1}, {"patches": True})}
"""XLA convolves ten times slower within a scan, so there each step is a call. Unrolling the scan of the LSTM was slower
in every form tried, and took up to four minutes to compile.
"""
CHUNKS = {"mlp-32": 64, "mlp-128": 64, "housing": 64}
"""Steps that JAX does at a call: enough of them for a call to cost nothing. 4 of the longer steps."""


def jax(workload: str, cores: int) -> list[Candidate]:
    """Every grouping, in a process for each core."""
    return [
        _jax({"lanes": lanes, "chunk": CHUNKS.get(workload, 4), **choices}, f", {cores} processes", processes=cores)
        for choices, lanes in product(CHOICES.get(workload, ({},)), GROUPS[workload])
    ]


def _jax(options: dict[str, Any], where: str, processes: int = 1, devices: int = 1) -> Candidate:
    words = "".join(f", {name} = {value}" for name, value in options.items() if name not in ("lanes", "chunk"))
    return Candidate(
        "jax",
        "vmapped",
        f"R = {options['lanes']}{words}{where}",
        {**options, "lanes": options["lanes"] * devices, "devices": devices},
        processes=processes,
        pinned=processes > 1,
        environment={"JAX_NUM_CPU_DEVICES": str(devices)} if devices > 1 else {},
    )


def keras(workload: str, cores: int) -> list[Candidate]:
    ways = [("torch", 1), ("jax", 16)]
    return [
        Candidate(
            "keras",
            "keras_fit",
            f"{backend}, {_count(steps, 'step')} an execution, {_count(processes, 'process')}",
            {"steps_per_execution": steps, "threads": 1 if processes > 1 else cores},
            processes=processes,
            pinned=processes > 1,
            environment={"KERAS_BACKEND": backend},
        )
        for (backend, steps), processes in product(ways, sorted({1, cores}))
    ]


ALL: dict[str, Callable[[str, int], list[Candidate]]] = {
    "ours": ours,
    "loop": loop,
    "joblib": joblib,
    "jax": jax,
    "keras": keras,
}


def elsewhere(best: Candidate, cores: int) -> list[Candidate]:
    """The fastest way of a peer, once more in other places, where they could matter: JAX spreads a program over all
    cores by itself, which larger groups may like, or over devices, each of which has as many lanes.
    """
    if best.module != "vmapped" or cores == 1:
        return []
    options = {name: value for name, value in best.options.items() if name != "devices"}
    larger = {**options, "lanes": 4 * options["lanes"]}
    return [
        _jax(options, ", 1 process"),
        _jax(larger, ", 1 process"),
        _jax(options, f" on each of {cores} devices", devices=cores),
    ]


def _count(number: int, word: str) -> str:
    plural = f"{word}es" if word.endswith("s") else f"{word}s"
    return f"{number} {word if number == 1 else plural}"
