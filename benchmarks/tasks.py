"""Whether every built-in task reaches its level with a setting that is known to be good.

Trains each task on a few seeds at one rate of one optimizer, in the plain loop, and writes the results to
`benchmarks/results/tasks.json` and into the table of `docs/tasks.md`. The rate comes from the catalogue; earlier runs
found it, and nothing is tuned here. With names of tasks as arguments, only these run, and the other results are kept.

    $ make tasks
    $ python benchmarks/tasks.py line rosenbrock
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from steepest.builtin import task_table
from steepest.builtin.task_entry import Entry
from steepest.engine import solo
from steepest.engine.recording import merged
from steepest.errors import DataUnavailable
from steepest.optim.catalogue import contender
from steepest.records.files import write_bytes
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane, Shard

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "tasks.json"
PAGE = ROOT / "docs" / "tasks.md"
BEGIN, END = "<!-- make tasks: the table -->", "<!-- end -->"


def measured(entry: Entry, seeds: int | None) -> dict[str, Any]:
    """One row: the facts of a task, and what the mean over seeds reached on test."""
    torch.set_num_threads(1)
    task = entry.build()
    facts = task.facts()
    optimizer, rate = entry.known_good
    seeds = seeds or (10 if facts.metric == "accuracy" and facts.n_test < 500 else 3)
    shard = Shard(
        id=entry.name,
        task=TaskRef(entry.name, "catalogue", entry.name),
        contender=contender(optimizer),
        lanes=tuple(Lane(rate, seed) for seed in range(seeds)),
        batch_size=task.batch_size,
        steps=task.steps,
        evaluate_at=(task.steps,),
    )
    start = time.process_time()
    trials = [solo.Trial(task, shard, lane) for lane in shard.lanes]
    trace = merged([solo.run(trial) for trial in trials], range(seeds))
    seconds = (time.process_time() - start) / seeds
    values = [round(float(value), 4) for value in trace.test_metric]
    mean = sum(values) / seeds
    level = entry.target
    return {
        "task": entry.name,
        "metric": facts.metric,
        "higher_is_better": facts.higher_is_better,
        "unit": facts.unit,
        "reached": round(mean, 4),
        "level": level,
        "ok": level is None or (mean >= level if facts.higher_is_better else mean <= level),
        "optimizer": optimizer,
        "rate": rate,
        "of_seeds": values,
        "processor_seconds_a_trial": round(seconds, 1),
        "parts": [facts.n_train, facts.n_valid, facts.n_test],
        "parameters": facts.parameters,
        "batch_size": facts.batch_size,
        "epochs": entry.epochs,
        "steps": facts.steps,
        **(
            {}
            if entry.extra_metric is None
            else {entry.extra_metric[0]: [round(_also(entry, trial), 2) for trial in trials]}
        ),
    }


@torch.no_grad()
def _also(entry: Entry, trial: solo.Trial) -> float:
    """The other figure of an entry, on the first examples of a trained trial's test part."""
    assert entry.extra_metric is not None
    inputs, targets = trial.batch(trial.splits.test[:2000])
    return float(entry.extra_metric[1](trial.model.eval()(*inputs), targets))


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The rows as Markdown, in the order of the catalogue."""
    lines = [
        "| name | train / validation / test | parameters | batch | horizon | metric | level | reached | with |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for entry in task_table.CATALOGUE:
        if (row := rows.get(entry.name)) is None:
            continue
        parts = " / ".join(map(str, row["parts"]))
        horizon = f"{row['epochs']:g} {'epoch' if row['epochs'] == 1 else 'epochs'}, {row['steps']} steps"
        level, reached = (shown(row[key], row["unit"]) for key in ("level", "reached"))
        lines.append(
            f"| `{entry.name}` | {parts} | {row['parameters']} | {row['batch_size']} | {horizon} | {row['metric']} | "
            f"{level} | {reached}{'' if row['ok'] else ' (missed)'} | {row['optimizer']} at {row['rate']:g} |"
        )
    return "\n".join(lines)


def shown(value: float, unit: str) -> str:
    return f"{value * 100:.4g} %" if unit == "%" else f"{value:.4g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="tasks; all if left out")
    parser.add_argument("--seeds", type=int, help="3, or 10 where a test part is small, if left out")
    asked = parser.parse_args()
    rows = {row["task"]: row for row in json.loads(RESULTS.read_text())} if RESULTS.exists() else {}
    for name in asked.names or task_table.names():
        try:
            rows[name] = measured(task_table.entry(name), asked.seeds)
        except DataUnavailable as error:
            print(error, file=sys.stderr)
            continue
        row = rows[name]
        print(
            f"{name}: {row['metric']} {row['reached']}, level {row['level']}, {'reached' if row['ok'] else 'MISSED'}; "
            f"{row['processor_seconds_a_trial']} s a trial",
            flush=True,
        )
        kept = [rows[known] for known in task_table.names() if known in rows]
        write_bytes(RESULTS, (json.dumps(kept, indent=1, ensure_ascii=False) + "\n").encode())
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        write_bytes(PAGE, f"{before}{BEGIN}\n{table(rows)}\n{END}{after}".encode())
    sys.exit(any(not row["ok"] for row in rows.values()))


if __name__ == "__main__":
    main()
