"""How accurate forecasts are: python -m benchmarks.planner [--only NAME …], about five minutes.

Runs studies as a user would, and prints the forecast beside the actual time. A forecast covers the time from the start
of the training to the end of the process; the time before (describing, timing, compiling) is printed separately. A
budget covers the whole run. On a machine that runs other programs, the figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.studies import run
from steepest.study.environment import hardware, versions
from steepest.study.spec import read_spec

RESULTS = Path(__file__).parent / "results" / "planner.json"
THREE = "--optimizers=sgd,momentum,adam"
SETTINGS: Mapping[str, tuple[str, ...]] = {
    "the study of the articles' methods": ("--optimizers=article",),
    "the study of the articles' methods, again": ("--optimizers=article",),
    "digits, plain fleets": ("digits", THREE, "--engine=fleet"),
    "digits, racing": ("digits", THREE, "--engine=fleet", "--race"),
    "digits, one by one": ("digits", THREE, "--engine=solo", "--seeds=5"),
    "digits, compiled": ("digits", THREE, "--engine=compiled", "--seeds=20"),
    "housing": ("housing", THREE, "--seeds=5"),
    "housing, plain fleets": ("housing", THREE, "--engine=fleet", "--seeds=5"),
    "the study of the articles' methods in 25 s": ("--optimizers=article", "--budget=25s"),
    "digits, one by one, in 40 s": ("digits", THREE, "--engine=solo", "--budget=40s"),
    "housing in 60 s": ("housing", "--optimizers=article", "--budget=60s"),
}


def taken(home: Path, arguments: tuple[str, ...]) -> dict[str, Any]:
    """Seconds that were forecast for the training, that it took, and that the whole took; and the budget, if any."""
    found = run(home, *arguments)
    spec = read_spec(found.folder)
    assert spec.plan is not None
    training = found.seconds - found.phase_after
    return {
        "forecast": spec.plan.seconds,
        "training": training,
        "forecast/training": spec.plan.seconds / training,
        "all": found.seconds,
        "budget": spec.budget_seconds,
        "all/budget": None if spec.budget_seconds is None else found.seconds / spec.budget_seconds,
        "given_up": list(spec.plan.given_up),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SETTINGS, default=list(SETTINGS), metavar="NAME")
    names = parser.parse_args().only
    rows: dict[str, Any] = {}
    print(f"{'setting':<30}{'forecast':>10}{'taken':>8}{'ratio':>7}{'in all':>8}{'budget':>8}{'ratio':>7}  given up")
    with TemporaryDirectory(prefix="steepest-") as home:
        for name in names:
            row = rows[name] = taken(Path(home), SETTINGS[name])
            kept = "–      –" if row["budget"] is None else f"{row['budget']:.0f}{row['all/budget']:>7.2f}"
            print(
                f"{name:<30}{row['forecast']:>10.1f}{row['training']:>8.1f}{row['forecast/training']:>7.2f}"
                f"{row['all']:>8.1f}{kept:>15}  {len(row['given_up'])}",
                flush=True,
            )
    if names == list(SETTINGS):
        found = {"rows": rows, "hardware": hardware(), "versions": versions()}
        RESULTS.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
