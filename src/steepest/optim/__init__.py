"""Update rules; and each of them, by its class's name, as a `torch.optim.Optimizer`:

optimizer = steepest.optim.NAdam(model.parameters(), lr=1e-3)
"""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    if not name[:1].isupper():  # the modules of this package
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("steepest.adapters.torch"), name)
