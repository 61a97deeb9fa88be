"""What it changes that Muon leaves embeddings and output layers to its fallback: a small transformer on Shakespeare.

Trains both forms at three rates for a short horizon, picks each form's rate by the validation loss of two seeds that
are not used again, and compares the two over twenty seeds, paired by seed. Writes `benchmarks/results/roles.json`; the
figures are in docs/roles.md. Takes some twenty minutes on one core.

    $ python -m benchmarks.roles
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from steepest.builtin import task_table
from steepest.engine import fleet
from steepest.optim.catalogue import contender
from steepest.records.files import write_bytes
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane, Shard

RESULTS = Path(__file__).parent / "results" / "roles.json"
TASK, STEPS, SEEDS = "shakespeare", 100, 20
RATES = (0.01, 0.03, 0.1)
FORMS = ("hidden", "matrices")


def losses(form: str, rates: tuple[float, ...], seeds: range) -> tuple[np.ndarray, np.ndarray]:
    """Validation and test loss [rates, seeds] at the horizon, under a cosine."""
    task = task_table.entry(TASK).build()
    shard = Shard(
        id=form,
        task=TaskRef(TASK, "catalogue", TASK),
        contender=contender("muon", schedule="cosine", applies_to=form),
        lanes=tuple(Lane(rate, seed) for rate in rates for seed in seeds),
        batch_size=task.batch_size,
        steps=STEPS,
        evaluate_at=(STEPS,),
        compiled=("gradient", "update"),
    )
    trace = fleet.train(task, shard)
    shape = (len(rates), len(seeds))
    return trace.valid_loss[:, -1].reshape(shape), np.asarray(trace.test_loss).reshape(shape)


def main() -> None:
    torch.set_num_threads(1)
    found: dict[str, object] = {"task": TASK, "steps": STEPS, "schedule": "cosine"}
    tests = []
    for form in FORMS:
        valid, _ = losses(form, RATES, range(100, 102))
        rate = RATES[int(np.nan_to_num(valid, nan=np.inf).mean(1).argmin())]
        _, test = losses(form, (rate,), range(SEEDS))
        tests.append(test[0])
        found[form] = {
            "rate": rate,
            "pilot": [round(float(x), 4) for x in valid.mean(1)],
            "test_loss": [round(float(x), 4) for x in test[0]],
        }
        print(form, json.dumps(found[form]), flush=True)
    difference = tests[1] - tests[0]  # > 0: the roles help
    error = float(difference.std(ddof=1) / np.sqrt(SEEDS))
    found["matrices_minus_hidden"] = {"mean": round(float(difference.mean()), 4), "standard_error": round(error, 4)}
    print(found["matrices_minus_hidden"])
    write_bytes(RESULTS, (json.dumps(found, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
