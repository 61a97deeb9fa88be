"""How fast optimizers recover when the data change during training: `drift-digits`, each at its own best rate.

Trains six optimizers at five rates and five seeds in fleets and picks each optimizer's rate by validation at the
horizon. Writes the number of steps until the loss has recovered from each of the three drifts
(`steepest.builtin.drift.recovery`) to `benchmarks/results/drift.json` and into the table of `docs/tasks.md`. Takes some
minutes on one core.

    $ python -m benchmarks.drift
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from steepest.builtin import task_table
from steepest.builtin.drift import SEGMENT_EXAMPLES, recovery
from steepest.engine import fleet
from steepest.optim.catalogue import contender
from steepest.records.files import write_bytes
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane, Shard

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "drift.json"
PAGE = ROOT / "docs" / "tasks.md"
BEGIN, END = "<!-- python -m benchmarks.drift: the table -->", "<!-- end of the drifts -->"
OPTIMIZERS = ("sgd", "momentum", "adagrad", "rmsprop", "adam", "muon")
SEEDS, WINDOW = 5, 10


def measured(name: str) -> dict[str, Any]:
    """One row: the rate that was best on validation, the test metric, and the median steps until the loss was back."""
    task = task_table.entry("drift-digits").build()
    entered = contender(name, applies_to="matrices") if name == "muon" else contender(name)
    rates = [entered.centre * 10 ** (half / 2) for half in range(-2, 3)]
    shard = Shard(
        id=name,
        task=TaskRef(task.name, "catalogue", task.name),
        contender=entered,
        lanes=tuple(Lane(rate, seed) for rate in rates for seed in range(SEEDS)),
        batch_size=task.batch_size,
        steps=task.steps,
        evaluate_at=tuple(range(WINDOW, task.steps + 1, WINDOW)),
    )
    trace = fleet.train(task, shard)
    valid = np.nan_to_num(trace.valid_metric[:, -1]).reshape(len(rates), SEEDS).mean(1)
    best = int(valid.argmax())
    chosen = slice(best * SEEDS, (best + 1) * SEEDS)
    steps = recovery(
        trace.evaluate_at, trace.train_loss[chosen], SEGMENT_EXAMPLES // task.batch_size
    )  # [seeds, drifts]
    return {
        "optimizer": name,
        "rate": round(rates[best], 6),
        "accuracy": round(float(np.mean(trace.test_metric[chosen])), 4),
        "steps": [[None if np.isnan(one) else int(one) for one in of_seed] for of_seed in steps],
    }


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| optimizer | rate | accuracy in the end | steps until the loss is back: median of seeds | range |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        # a trial that never came back counts as the longest, which leaves a median a median
        steps = np.array([[np.inf if one is None else one for one in of_seed] for of_seed in row["steps"]])
        medians = ", ".join(f"{value:.0f}" if np.isfinite(value) else "never" for value in np.median(steps, axis=0))
        last = f"{steps.max():.0f}" if np.isfinite(steps).all() else "never"
        lines.append(
            f"| `{row['optimizer']}` | {row['rate']:.3g} | {row['accuracy'] * 100:.1f} % | {medians} | "
            f"{steps.min():.0f} to {last} |"
        )
    return "\n".join(lines)


def main() -> None:
    torch.set_num_threads(1)
    rows = []
    for name in OPTIMIZERS:
        rows.append(measured(name))
        print(json.dumps(rows[-1]), flush=True)
    write_bytes(RESULTS, (json.dumps(rows, indent=1) + "\n").encode())
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    write_bytes(PAGE, f"{before}{BEGIN}\n{table(rows)}\n{END}{after}".encode())


if __name__ == "__main__":
    main()
