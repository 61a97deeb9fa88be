"""Which optimizer, with which learning rate, for your model on your data, and how sure are we?

    study = steepest.compare(task, optimizers=["momentum", "adam"], budget="5m")
    print(study.verdict)

Names are imported when they are first used, so `import steepest` is fast and does not load torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steepest import api as api
    from steepest import reader as reader
    from steepest import why as why
    from steepest.api import Advice, Study, compare, extend, merge, open_study, recommend, resume
    from steepest.coming_from.keras_tasks import from_keras
    from steepest.coming_from.lightning_tasks import from_lightning
    from steepest.coming_from.setups import setup_of
    from steepest.coming_from.sklearn_tasks import from_sklearn
    from steepest.coming_from.transformers_tasks import from_transformers
    from steepest.design.contenders import with_groups
    from steepest.errors import SteepestError
    from steepest.ingest.from_file import reference as from_file
    from steepest.tasks.task import Metric, Task

__version__ = "0.1.0"

_HOME = {
    "Advice": "steepest.api",
    "Metric": "steepest.tasks.task",
    "SteepestError": "steepest.errors",
    "Study": "steepest.api",
    "Task": "steepest.tasks.task",
    "compare": "steepest.api",
    "extend": "steepest.api",
    "from_file": "steepest.ingest.from_file",
    "from_keras": "steepest.coming_from.keras_tasks",
    "from_lightning": "steepest.coming_from.lightning_tasks",
    "from_sklearn": "steepest.coming_from.sklearn_tasks",
    "from_transformers": "steepest.coming_from.transformers_tasks",
    "merge": "steepest.api",
    "open_study": "steepest.api",
    "recommend": "steepest.api",
    "resume": "steepest.api",
    "setup_of": "steepest.coming_from.setups",
    "with_groups": "steepest.design.contenders",
}

_CALLED = {"from_file": "reference"}
"""Public name → name in its module, where they differ."""

_MODULES = ("api", "optim", "reader", "why")
"""Modules that are imported when they are first used. The command line uses them."""

__all__ = [
    "Advice",
    "Metric",
    "SteepestError",
    "Study",
    "Task",
    "__version__",
    "compare",
    "extend",
    "from_file",
    "from_keras",
    "from_lightning",
    "from_sklearn",
    "from_transformers",
    "merge",
    "open_study",
    "recommend",
    "resume",
    "setup_of",
    "with_groups",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"steepest.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'steepest' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), _CALLED.get(name, name))


def __dir__() -> list[str]:
    return __all__
