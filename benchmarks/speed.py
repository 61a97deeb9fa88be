"""How fast trials are trained by this engine and by other ways: python -m benchmarks.speed [workload …].

Measures trial-steps per second of the whole machine in the steady state: data loaded, everything compiled, nothing
evaluated. A short run finds the fastest variant of each peer. Then the fastest variants of all peers are timed in
turns, round after round, so that other load on the machine affects all of them alike, and the medians are compared.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.candidates import ALL, PEERS, Candidate, elsewhere
from benchmarks.crew import Broken, Crew
from benchmarks.workloads import WORKLOADS, Workload
from steepest.study.environment import cores, hardware, versions

TRIAL_SECONDS = 0.3
"""For which a candidate is timed to find the fastest."""
ROUNDS, SECONDS = 5, 1.0
"""Rounds in which the fastest are compared, and how long each of them is timed in a round."""
FRAMEWORKS = ("jax", "jaxlib", "optax", "joblib", "keras")
RESULTS = Path(__file__).parent / "results" / "speed.json"


@dataclass(frozen=True)
class Timed:
    """A peer's fastest way with a workload."""

    candidate: Candidate
    rates: list[float]
    """Trial-steps a second, by round."""

    @property
    def rate(self) -> float:
        return median(self.rates)


# ---- measuring -------------------------------------------------------------------------------------------------------


def tried(workload: str, peer: str) -> list[tuple[float, Candidate]]:
    """All ways in which a peer can train a workload, the fastest first, with trial-steps a second."""
    found = _tried(workload, ALL[peer](workload, cores()))
    if found:
        found += _tried(workload, elsewhere(found[0][1], cores()))
    found.sort(key=lambda pair: -pair[0])
    for rate, way in found:
        _say(f"    {peer:<8}{rate:>12,.0f}  {way.label}")
    return found


def _tried(workload: str, ways: list[Candidate]) -> list[tuple[float, Candidate]]:
    found: list[tuple[float, Candidate]] = []
    ways = sorted(ways, key=lambda way: str(way.crew))
    for _, alike in groupby(ways, key=lambda way: way.crew):
        alike = list(alike)
        with closing(Crew(alike[0])) as crew:
            for way in alike:
                try:
                    crew.build(workload, way)
                    found.append((crew.rate(TRIAL_SECONDS), way))
                except Broken as error:
                    _say(f"    {way.peer}, {way.label}: {error}")
    return sorted(found, key=lambda pair: -pair[0])


def compared(workload: str, ways: Iterable[Candidate], rounds: int, seconds: float) -> dict[str, Timed]:
    """Each of these ways, by peer, timed in turns."""
    rates: dict[str, list[float]] = {}
    ways = list(ways)
    with ExitStack() as stack:
        crews = {way.peer: stack.enter_context(closing(Crew(way))) for way in ways}
        for way in ways:
            crews[way.peer].build(workload, way)
        for _ in range(rounds):
            for way in ways:
                rates.setdefault(way.peer, []).append(crews[way.peer].rate(seconds))
    return {way.peer: Timed(way, rates[way.peer]) for way in ways}


def gemm_peak() -> dict[str, float]:
    """GFLOP/s of matrix products in single precision: of one core, and of all at work."""
    found = {}
    for name, processes in (("one core", 1), ("all cores", cores())):
        way = Candidate("gemm", "gemm", name, {}, processes=processes, pinned=True)
        found[name] = compared("mlp-128", [way], rounds=5, seconds=0.5)["gemm"].rate / 1e3
    return found


# ---- the table -------------------------------------------------------------------------------------------------------


def rows_of(workload: Workload, timed: dict[str, Timed]) -> list[dict[str, Any]]:
    own = timed["ours"]
    return [
        {
            "workload": workload.name,
            "peer": peer,
            "ours": round(own.rate, 1),
            "theirs": round(timed[peer].rate, 1),
            "ratio": round(own.rate / timed[peer].rate, 3),
            "ours_by": own.candidate.label,
            "theirs_by": timed[peer].candidate.label,
            "ours_range": [round(min(own.rates), 1), round(max(own.rates), 1)],
            "theirs_range": [round(min(timed[peer].rates), 1), round(max(timed[peer].rates), 1)],
        }
        for peer in PEERS
        if peer in timed
    ]


def table(results: dict[str, Any]) -> str:
    """All rows as text: who is how many times as slow as ours; below 1, ours is the slower one."""
    lines = ["Trial-steps a second of the whole machine, and how many times as many ours does", ""]
    lines += [f"{'workload':<13}{'ours':>10}" + "".join(f"{peer:>22}" for peer in PEERS)]
    rows = results["rows"]
    for name in dict.fromkeys(row["workload"] for row in rows):
        of_peer = {row["peer"]: row for row in rows if row["workload"] == name}
        cells = [f"{row['theirs']:,.0f} ({row['ratio']:.2f} ×)" if row else "–" for row in map(of_peer.get, PEERS)]
        own = next(iter(of_peer.values()))["ours"]
        lines.append(f"{name:<13}{own:>10,.0f}" + "".join(f"{cell:>22}" for cell in cells))
    lines.append("")
    peak = results["gemm"]
    lines.append(f"Matrix products: {peak['one core']:.0f} GFLOP/s on one core, {peak['all cores']:.0f} on all.")
    if "mlp128_share" in peak:
        lines.append(f"mlp-128 runs at {peak['mlp128_gflops']:.0f} GFLOP/s: {peak['mlp128_share']:.0%} of that peak.")
    losses = [f"{row['workload']} against {row['peer']} ({row['ratio']:.2f} ×)" for row in rows if row["ratio"] < 1]
    lines.append(f"Lost: {', '.join(losses)}." if losses else "Lost: nothing.")
    lines.append("; ".join(f"{name} {value}" for name, value in {**results["hardware"], **results["versions"]}.items()))
    return "\n".join(lines)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(names: list[str]) -> None:
    rows: list[dict[str, Any]] = []
    all_tried: dict[str, Any] = {}
    peak = gemm_peak()
    for workload in (WORKLOADS[name] for name in names or WORKLOADS):
        _say(f"{workload.name}: {workload.title}")
        workload.task  # noqa: B018  its data are fetched here, once for all processes
        found = {peer: tried(workload.name, peer) for peer in ("ours", *PEERS)}
        all_tried[workload.name] = {
            peer: {way.label: round(rate, 1) for rate, way in ways} for peer, ways in found.items()
        }
        timed = compared(workload.name, [ways[0][1] for ways in found.values() if ways], ROUNDS, SECONDS)
        rows += rows_of(workload, timed)
        if workload.name == "mlp-128":
            peak["mlp128_gflops"] = timed["ours"].rate * workload.flops() / 1e9
            peak["mlp128_share"] = peak["mlp128_gflops"] / peak["all cores"]
    results = {
        "unit": "trial-steps a second, whole machine, median of rounds",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "hardware": hardware(),
        "versions": {**versions(), **{name: version(name) for name in FRAMEWORKS}},
        "gemm": {name: round(value, 3) for name, value in peak.items()},
        "rows": rows,
        "tried": all_tried,
    }
    print(table(results))
    if not names:  # a partial run does not replace the table
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
