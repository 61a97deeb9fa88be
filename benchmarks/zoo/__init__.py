"""Small models of many kinds, written as people write them, without a thought for the engines: each module has a
`task`. What is fast here is fast for models that nobody tuned for.

Data are made here and stand for nothing: shapes and sizes are those of the kind, and a model can learn from them.
"""

from importlib import import_module
from pathlib import Path

from steepest import Task

NAMES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem[0] != "_"))


def task(name: str) -> Task:
    """The task of a model of the zoo, whose model draws its weights from torch's generator."""
    return import_module(f"benchmarks.zoo.{name}").task
