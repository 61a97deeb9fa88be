"""How the studies of this folder were made: what was asked, in Python. They were made once and are kept as they were.

Tasks are named by paths relative to the working directory, so that a copy of this folder can go on with its studies
wherever it lies. Each function runs in such a copy.
"""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import torch

import steepest
from steepest.records.task_facts import TaskRef

CLOUDS = Path("tasks/two_clouds.py")
FLOWERS = Path("data/made_up_flowers.csv")


class SignDescent(torch.optim.Optimizer):
    """A foreign optimizer, which trains one model at a time: every weight moves by the rate, against its gradient."""

    def __init__(self, params, lr: float = 0.003) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.sub_(group["lr"] * p.grad.sign())


def clouds() -> TaskRef:
    return TaskRef("two_clouds", "file", str(CLOUDS), _digest(CLOUDS))


def flowers() -> TaskRef:
    return TaskRef("made_up_flowers", "data", str(FLOWERS), _digest(FLOWERS), {"target": "species"})


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


COMMON = {"workers": 1, "memory": "1G", "quiet": True}


def two_tasks(out: Path) -> steepest.Study:
    """Two built-in tasks, trained as fleets; sgd diverges at its highest rates."""
    return steepest.compare(
        ["line", "digits-linear"], "sgd,momentum,adam", seeds=5, grid=3, engine="fleet", out=out,
        command="steepest run line digits-linear -o sgd,momentum,adam --seeds 5 --grid 3 --engine fleet", **COMMON,
    )  # fmt: skip


def axes(out: Path) -> steepest.Study:
    """Dropout and decoupled decay as factors; adam takes the decay around its rule, adamw as a setting of its own."""
    return steepest.compare(
        clouds(), "adam,adamw", axes={"dropout": [0, 0.4], "decay": [0, 0.1]}, seeds=5, rates=[0.003, 0.03, 300],
        engine="fleet", out=out,
        command="steepest run tasks/two_clouds.py -o adam,adamw --axis dropout=0,0.4 decay=0,0.1 --seeds 5 "
        "--rates 0.003,0.03,300 --engine fleet", **COMMON,
    )  # fmt: skip


def own_table(out: Path, seeds: int = 5) -> steepest.Study:
    """A table in a CSV file, trained one model at a time, with a foreign optimizer."""
    return steepest.compare(
        flowers(), ["sgd", "adam", SignDescent], seeds=seeds, rates=[0.01, 0.1], engine="solo", out=out, **COMMON
    )


def interrupted(out: Path) -> steepest.Study:
    """Racing, seeds added until the verdict is sure, and a coordinator that was killed half-way."""
    return steepest.compare(
        clouds(), "sgd,adam,rmsprop", seeds=8, until_sure=True, race=True, grid=5, engine="fleet", out=out,
        command="steepest run tasks/two_clouds.py -o sgd,adam,rmsprop --seeds 8 --until-sure --race --grid 5 "
        "--engine fleet", **COMMON,
    )  # fmt: skip


def compiled(out: Path) -> steepest.Study:
    """Gradients and updates compiled to machine code, with a schedule."""
    return steepest.compare(
        clouds(), "momentum,adam", seeds=3, grid=3, engine="compiled", schedule="cosine", out=out,
        command="steepest run tasks/two_clouds.py -o momentum,adam --seeds 3 --grid 3 --engine compiled "
        "--schedule cosine", **COMMON,
    )  # fmt: skip


RECIPES: dict[str, Callable[[Path], steepest.Study]] = {
    "two-tasks": two_tasks,
    "axes": axes,
    "own-table": own_table,
    "interrupted": interrupted,
    "compiled": compiled,
}
