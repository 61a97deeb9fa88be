"""Does the planner keep its word? Plans some studies, runs them, and prints what was forecast beside what it took.

    $ python -m benchmarks.planner

A forecast counts from the start of the training; what comes before (describing, timing, compiling) is told apart. On a
machine that does something else besides, the figures say nothing.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import steepest
from steepest.study.spec import read_spec
from steepest.types import Progress

FOLDER = Path("runs") / "planner"
OPTIMIZERS = "sgd,momentum,adam"
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "digits, plain fleets": {"tasks": "digits", "engine": "fleet"},
    "digits, racing": {"tasks": "digits", "engine": "fleet", "race": True},
    "digits, one by one": {"tasks": "digits", "engine": "solo", "seeds": 5},
    "digits, compiled": {"tasks": "digits", "engine": "compiled", "seeds": 20},
    "housing, plain fleets": {"tasks": "housing", "engine": "fleet", "seeds": 5},
    "digits in 40 s": {"tasks": "digits", "budget": "40s", "seeds": 20},
}


def taken(name: str, choices: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds that were forecast for the training, that it took, and that the whole took; and the budget, if any."""
    folder = FOLDER / name.replace(" ", "-").replace(",", "")
    shutil.rmtree(folder, ignore_errors=True)
    began, trained_from = perf_counter(), [0.0]

    def listen(progress: Progress) -> None:
        if progress.phase == "training" and not trained_from[0]:
            trained_from[0] = perf_counter()

    steepest.compare(optimizers=OPTIMIZERS, out=folder, listener=listen, **choices)
    end = perf_counter()
    spec = read_spec(folder)
    assert spec.plan is not None
    training = end - trained_from[0]
    return {
        "forecast": spec.plan.seconds,
        "training": training,
        "ratio": spec.plan.seconds / training,
        "all": end - began,
        "budget": spec.budget_seconds,
        "given_up": len(spec.plan.given_up),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    print(f"{'setting':<26}{'forecast':>10}{'taken':>8}{'ratio':>7}{'in all':>8}{'budget':>8}  given up")
    for name in parser.parse_args().only:
        found = taken(name, SETTINGS[name])
        budget = "–" if found["budget"] is None else f"{found['budget']:.0f}"
        print(
            f"{name:<26}{found['forecast']:>10.1f}{found['training']:>8.1f}{found['ratio']:>7.2f}{found['all']:>8.1f}"
            f"{budget:>8}  {found['given_up']}",
            flush=True,
        )


if __name__ == "__main__":
    main()
