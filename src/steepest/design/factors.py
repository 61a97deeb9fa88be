"""Regularisation and augmentation as axes of a study: from what people write to contenders, one for each optimizer and
each value.

Every value is tuned as an optimizer of its own, on every seed: what helps at one rate may harm at another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from steepest.design.options import Axes
from steepest.errors import BadSetting, UnknownName
from steepest.optim import catalogue
from steepest.optim.rule import Rule, decouples
from steepest.optim.wrappers import wrap
from steepest.records.contender import RULE_IN_MEMORY, TORCH_IN_MEMORY, Contender, Setting


@dataclass(frozen=True)
class Axis:
    """What may be varied, and how its values are read; `read` gives None for what is no value."""

    about: str
    allowed: str
    read: Callable[[Any], Setting | None]


def _number(least: float, below: float = math.inf) -> Callable[[Any], float | None]:
    def read(value: Any) -> float | None:
        try:
            number = float(value)
        except (TypeError, ValueError):
            return None
        return number if least <= number < below else None

    return read


def _patience(value: Any) -> float | None:
    if value in ("off", "none", False):
        return 0.0
    return _number(0)(value)


CHANGES = ("shift", "crop", "flip", "noise", "mixup")


def _changes(value: Any) -> str | None:
    names = str(value).split("+")
    return str(value) if value == "none" or (set(names) <= set(CHANGES) and len(set(names)) == len(names)) else None


AXES = {
    "dropout": Axis("share of activations that are dropped in training", "a share from 0 to below 1", _number(0, 1)),
    "l1": Axis("penalty λ·Σ|w|, in the gradient", "a number from 0", _number(0)),
    "l2": Axis("penalty λ·½Σw², in the gradient", "a number from 0", _number(0)),
    "decay": Axis("decoupled decay: w shrinks by 1 − ηλ a step", "a number from 0", _number(0)),
    "augment": Axis(
        "examples changed anew at every step",
        f"none, {', '.join(CHANGES[:-1])} or mixup, or several joined by +, such as shift+flip",
        _changes,
    ),
    "word-dropout": Axis("share of words that become unknown in training", "a share from 0 to below 1", _number(0, 1)),
    "label-smoothing": Axis(
        "share of a label that is spread over all classes", "a share from 0 to below 1", _number(0, 1)
    ),
    "early-stopping": Axis(
        "epochs without a better validation metric, after which a trial ends and counts as at its best",
        "off or a number of epochs",
        _patience,
    ),
}
ALSO = {"weight-decay": "decay", "augmentation": "augment", "patience": "early-stopping"}
NOTHING = (0.0, "none")
"""Values that are left out of names; a dropout of 0 is not, where the model may have some of its own."""
OF_RULE = ("l1", "l2", "decay")
"""Axes that are matters of the rule: they are put around it."""


def parse(axes: Axes | None) -> dict[str, tuple[Setting, ...]]:
    """Axis → its values in the order given, without repeats. Raises UnknownName or BadSetting."""
    found: dict[str, tuple[Setting, ...]] = {}
    for name, values in _pairs(axes):
        name = ALSO.get(name.replace("_", "-"), name.replace("_", "-"))
        if name not in AXES:
            raise UnknownName.among("axis", name, AXES)
        if name in found:
            raise BadSetting(f"The axis {name} is named twice; give all its values at once.")
        axis, read = AXES[name], []
        for value in values:
            setting = axis.read(value)
            if setting is None:
                raise BadSetting(f"The axis {name} cannot be {value!r}: it is the {axis.about}, {axis.allowed}.")
            read.append(setting)
        if not read:
            raise BadSetting(f"The axis {name} has no values: write --axis {name}=VALUE,VALUE.")
        found[name] = tuple(dict.fromkeys(read))
    return found


def _pairs(axes: Axes | None) -> Iterable[tuple[str, list[Any]]]:
    if axes is None:
        return
    if isinstance(axes, Mapping):
        for name, values in axes.items():
            yield str(name), list(values) if isinstance(values, list | tuple | range) else [values]
        return
    for words in [axes] if isinstance(axes, str) else axes:
        name, equals, values = str(words).partition("=")
        if not equals:
            raise BadSetting(f"{words!r} is no axis: write its name and its values, such as dropout=0,0.2,0.5.")
        yield name.strip(), [value.strip() for value in values.split(",") if value.strip()]


def expand(contenders: Sequence[Contender], axes: Axes | None, memory: dict[str, Any]) -> list[Contender]:
    """Every contender with every combination of values; rules that only this process holds are added to `memory`.

    Raises UnknownName or BadSetting.
    """
    values = parse(axes)
    if not values:
        return list(contenders)
    return [
        _with(contender, dict(zip(values, combination, strict=True)), memory)
        for contender in contenders
        for combination in product(*values.values())
    ]


def _with(contender: Contender, axes: dict[str, Setting], memory: dict[str, Any]) -> Contender:
    name = " ".join([contender.name, *_told(axes)])
    changed = contender
    for axis in OF_RULE:
        if axis in axes:
            changed = _around_rule(changed, axis, float(axes[axis]), memory)
    return replace(changed, name=name, optimizer=contender.name, axes=axes)


def describe_axes(axes: Mapping[str, Setting]) -> str:
    """Values in words, such as "dropout=0.2, augment=flip"; those that change nothing are left out."""
    return ", ".join(_told(axes))


def _told(axes: Mapping[str, Setting]) -> list[str]:
    return [
        f"{axis}={value:g}" if isinstance(value, float) else f"{axis}={value}"
        for axis, value in axes.items()
        if value not in NOTHING or axis == "dropout"
    ]


def _around_rule(contender: Contender, axis: str, value: float, memory: dict[str, Any]) -> Contender:
    """The contender with a penalty or a decay; a decoupled decay of the rule's own takes the place of ours."""
    if contender.rule.startswith(TORCH_IN_MEMORY):
        raise BadSetting(
            f"The axis {axis} needs a rule of `steepest optimizers`, and {contender.name} is a foreign optimizer; give "
            "it a weight decay of its own, such as functools.partial(torch.optim.SGD, weight_decay=1e-4)."
        )
    in_memory = contender.rule.startswith(RULE_IN_MEMORY)
    key = contender.rule.removeprefix(RULE_IN_MEMORY)
    rule: type[Rule] = memory[key] if in_memory else catalogue.entry(contender.rule).rule
    if axis == "decay" and decouples(rule):
        return replace(contender, settings={**contender.settings, "weight_decay": value})
    if not value:
        return contender
    if in_memory:
        memory[f"{key}+{axis}"] = wrap(rule, axis)
    return replace(contender, rule=f"{contender.rule}+{axis}", settings={**contender.settings, axis: value})
