"""The frameworks for which code can be generated, by name."""

from collections.abc import Callable

from steepest.adapters import torch_code
from steepest.adapters.torch_code import TorchCode, own_parts, parts_of
from steepest.errors import UnknownName
from steepest.optim.equivalents.keras_forms import KERAS
from steepest.optim.equivalents.optax_forms import OPTAX
from steepest.records.contender import Contender

OTHERS = {"keras": KERAS, "optax": OPTAX}
OF_TORCH: dict[str, Callable[[TorchCode], str]] = {
    "torch": torch_code.plain,
    "lightning": torch_code.lightning,
    "transformers": torch_code.transformers,
}
"""How each training loop in torch takes an optimizer and its scheduler."""
TITLES = {
    "torch": "PyTorch",
    "lightning": "PyTorch Lightning",
    "transformers": "Transformers",
    **{name: other.title for name, other in OTHERS.items()},
}


def title(framework: str) -> str:
    """The framework's display name; raises UnknownName."""
    if framework not in TITLES:
        raise UnknownName.among("framework", framework, TITLES)
    return TITLES[framework]


def code(framework: str, what: Contender, rate: float, *, horizon: int | None = None) -> str:
    """Python code that builds a contender's optimizer and its schedule, with comments on differences.

    Raises UnknownName or BadSetting; see the `code` of each framework.
    """
    title(framework)
    if framework in OF_TORCH:
        return OF_TORCH[framework](parts_of(what, rate, horizon))
    return OTHERS[framework].code(what, rate, horizon=horizon)


def own_code(framework: str, name: str, what: Contender, rate: float, *, horizon: int | None = None) -> str:
    """The same for an optimizer outside the catalogue: the user's own PyTorch optimizer `name`."""
    if framework not in OF_TORCH:
        return f"# {title(framework)} cannot train {name} as it was measured: it is your own PyTorch optimizer.\n"
    return OF_TORCH[framework](own_parts(what, name, rate, horizon))
