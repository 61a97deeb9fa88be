"""A tutorial's example: a line through 100 noisy points of y = 3x + 2, fitted with SGD(0.01) and with Adam(0.001).

In the fair comparison, both start from the same weights and see the same batches. In the tutorial, the second fit
continues from the weights of the first; the output shows that comparison too, labelled unfair.

    python examples/line.py [seed]
"""

import sys
from dataclasses import dataclass

import numpy as np
import torch

from steepest.builtin import task_table
from steepest.engine.solo import Trial, run
from steepest.optim.catalogue import contender
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane, Shard

RATES = {"sgd": 0.01, "adam": 0.001}  # Keras' defaults, which the tutorial uses
SHOWN = (1, 2, 5, 10, 20, 50, 100)  # epochs

task = task_table.entry("line").build()


@dataclass(frozen=True)
class Fit:
    loss: np.ndarray  # [epochs], mean of the batch losses in each, as Keras prints it
    w: float
    b: float
    mse: float  # on 1000 new points
    model: torch.nn.Module


def fit(optimizer: str, seed: int, after: Fit | None = None) -> Fit:
    """All epochs, starting from the weights of this seed or from those of an earlier fit."""
    ends = [round(epoch * task.sizes["train"] / task.batch_size) for epoch in range(1, round(task.epochs) + 1)]
    shard = Shard(
        id=f"line-{optimizer}",
        task=TaskRef("line", "catalogue", "line"),
        contender=contender(optimizer),
        lanes=(Lane(RATES[optimizer], seed),),
        batch_size=task.batch_size,
        steps=task.steps,
        evaluate_at=tuple(ends),
        engine="solo",
    )
    trial = Trial(task, shard, shard.lanes[0])
    if after is not None:
        trial.model.load_state_dict(after.model.state_dict())
    trace = run(trial)
    w, b = (parameter.item() for parameter in trial.model.parameters())
    return Fit(trace.train_loss[0], w, b, float(trace.test_metric[0]), trial.model)


def main(seed: int = 0) -> None:
    torch.set_num_threads(1)
    sgd, adam = fit("sgd", seed), fit("adam", seed)
    unfair = fit("adam", seed, after=sgd)

    def row(label: str, values: list[str]) -> str:
        first, second, third = values
        return f"{label:20}{first:>12}{second:>16}{third:>20}"

    def figures(label: str, values: list[float]) -> str:
        return row(label, [f"{value:.4f}" for value in values])

    fits = [sgd, adam, unfair]
    lines = [
        "y = 3x + 2 + N(0, 0.1²), 100 points (synthetic: a tutorial's own example), mini-batches of 32",
        "",
        row("", ["fair:", "the same start", "unfair, as printed"]),
        row("mean training loss", ["SGD(0.01)", "Adam(0.001)", "Adam after SGD"]),
        *(figures(f"  epoch {epoch}", [one.loss[epoch - 1] for one in fits]) for epoch in SHOWN),
        figures("w (true: 3)", [one.w for one in fits]),
        figures("b (true: 2)", [one.b for one in fits]),
        figures("MSE, new points", [one.mse for one in fits]),
        "",
        f"In the tutorial, Adam starts from the final weights of SGD (MSE {sgd.mse:.4f}) and ends at {unfair.mse:.4f}.",
        f"From the same start as SGD it ends at {adam.mse:.4f}: {task.steps} steps of about 0.001 move a weight by",
        f"about {task.steps * 0.001:.1f} at most. Neither rate was tuned; `steepest run line` tunes both.",
    ]
    print("\n".join(lines))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
