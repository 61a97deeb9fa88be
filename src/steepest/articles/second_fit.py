"""The tutorial's own comparison: SGD fits a line, and then Adam continues from the final weights of SGD. How much that
start helps is measured against Adam from the initial weights of SGD.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from steepest.articles.measures import Figure, figure
from steepest.builtin import task_table
from steepest.engine.solo import Trial, run
from steepest.optim.catalogue import contender
from steepest.records.files import read_json, write_json
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane, Shard

RATES = {"sgd": 0.01, "adam": 0.001}
"""Those of the tutorial, which are Keras' defaults."""
SEEDS = 10
FILE = "second-fit.json"


@dataclass(frozen=True)
class Fits:
    """One seed: mean squared errors on new points after 100 epochs, and the training loss of each epoch."""

    seed: int
    sgd: float
    adam: float
    """From the initial weights of SGD."""
    after: float
    """From the final weights of SGD, as printed."""
    losses: dict[str, list[float]]


def train(folder: Path) -> None:
    """Fit all three for every seed and store the results in FOLDER; does nothing if they are there already."""
    if not (folder / FILE).exists():
        write_json(folder / FILE, [asdict(fits(seed)) for seed in range(SEEDS)])


def fits(seed: int) -> Fits:
    found: dict[str, Any] = {}
    sgd = None
    for name, optimizer, start in (("sgd", "sgd", False), ("adam", "adam", False), ("after", "adam", True)):
        trial = _trial(optimizer, seed)
        if start and sgd is not None:
            trial.model.load_state_dict(sgd.model.state_dict())
        trace = run(trial)
        sgd = trial if name == "sgd" else sgd
        found[name] = (float(trace.test_metric[0]), [float(loss) for loss in trace.train_loss[0]])
    ends = {name: end for name, (end, _) in found.items()}
    return Fits(seed=seed, losses={name: losses for name, (_, losses) in found.items()}, **ends)


def _trial(optimizer: str, seed: int) -> Trial:
    task = task_table.entry("line").build()
    steps = [round(epoch * task.sizes["train"] / task.batch_size) for epoch in range(1, round(task.epochs) + 1)]
    shard = Shard(
        id=f"line-{optimizer}",
        task=TaskRef("line", "catalogue", "line"),
        contender=contender(optimizer),
        lanes=(Lane(RATES[optimizer], seed),),
        batch_size=task.batch_size,
        steps=task.steps,
        evaluate_at=tuple(steps),
        engine="solo",
    )
    return Trial(task, shard, shard.lanes[0])


def stored(folder: Path) -> list[Fits]:
    """The stored results. Raises StudyFolderError if there are none."""
    return [Fits(**each) for each in read_json(folder / FILE)]


def figures(found: list[Fits]) -> list[Figure]:
    """SGD's final error minus Adam's: Adam after SGD, as printed, and from the same start."""
    return [
        figure("line: Adam after SGD, as printed", [each.sgd - each.after for each in found]),
        figure("line: Adam and SGD from the same start", [each.sgd - each.adam for each in found]),
    ]
