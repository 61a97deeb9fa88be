"""The frameworks for which code can be generated, by name."""

from collections.abc import Callable, Mapping
from pathlib import Path

from steepest.adapters import torch
from steepest.adapters.group_lines import group_lines
from steepest.errors import UnknownName
from steepest.optim.equivalents.keras_forms import KERAS
from steepest.optim.equivalents.optax_forms import OPTAX
from steepest.optim.parameter_groups import parted
from steepest.records.contender import Contender, Setting

OTHERS = {"keras": KERAS, "optax": OPTAX}
GENERATORS: dict[str, Callable[..., str]] = {
    "torch": torch.code,
    **{name: other.code for name, other in OTHERS.items()},
}
TITLES = {"torch": "PyTorch", **{name: other.title for name, other in OTHERS.items()}}


def title(framework: str) -> str:
    """The framework's display name; raises UnknownName."""
    if framework not in TITLES:
        raise UnknownName.among("framework", framework, TITLES)
    return TITLES[framework]


def code(framework: str, what: Contender, rate: float, *, horizon: int | None = None) -> str:
    """Python code that builds a contender's optimizer in "torch", "keras" or "optax", with comments on differences.

    Raises UnknownName or BadSetting; see the `code` of each framework.
    """
    title(framework)
    return GENERATORS[framework](what, rate, horizon=horizon)


def own_code(framework: str, name: str, rate: float, settings: Mapping[str, Setting]) -> str:
    """The same for an optimizer outside the catalogue: the user's own PyTorch optimizer `name`."""
    if framework != "torch":
        return f"# {title(framework)} cannot train {name} as it was measured: it is your own PyTorch optimizer.\n"
    settings, groups = parted(settings)
    note = ""
    if ".py:" in name and "#" in name:
        path, _, function = name.rpartition("#")[0].rpartition(":")
        note, own = f"from {Path(path).stem} import {function}\n\n", []
    else:
        function, *own = name.split(":")
    if not (function.isidentifier() and all("=" in each for each in own)):
        note, function, own = f"# make: what takes part as {name!r}\n", "make", []
    arguments = "".join(f", {each}" for each in (*own, *(f"{key}={value!r}" for key, value in settings.items())))
    parameters = "groups" if groups else "model.parameters()"
    lines = "".join(f"{line}\n" for line in group_lines(groups, rate))
    return f"{note}{lines}optimizer = {function}({parameters}, lr={rate!r}{arguments})"
