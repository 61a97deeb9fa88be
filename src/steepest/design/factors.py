"""Regularisation and augmentation as axes of a study: one contender for each optimizer and each value.

Each contender is tuned separately on every seed, because the best learning rate may depend on the value.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any

from steepest.design.contenders import check_number_of_contenders
from steepest.design.options import Axes
from steepest.errors import BadSetting, UnknownName
from steepest.optim import catalogue
from steepest.optim.rule import Rule, decouples
from steepest.optim.wrappers import wrap
from steepest.records.contender import RULE_IN_MEMORY, TORCH_IN_MEMORY, Contender, Setting


@dataclass(frozen=True)
class Axis:
    """Something that a study can vary. `read` parses a value and returns None if it is not valid."""

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
    "dropout": Axis("share of activations dropped in training", "a number from 0 to below 1", _number(0, 1)),
    "l1": Axis("penalty λ·Σ|w|, in the gradient", "a number at least 0", _number(0)),
    "l2": Axis("penalty λ·½Σw², in the gradient", "a number at least 0", _number(0)),
    "decay": Axis("decoupled decay: w is multiplied by 1 − ηλ in every step", "a number at least 0", _number(0)),
    "augment": Axis(
        "random changes of the examples in every step",
        f"none, {', '.join(CHANGES[:-1])} or mixup, or several joined by +, such as shift+flip",
        _changes,
    ),
    "word-dropout": Axis("share of words replaced by unknown in training", "a number from 0 to below 1", _number(0, 1)),
    "label-smoothing": Axis("share of a label spread over all classes", "a number from 0 to below 1", _number(0, 1)),
    "early-stopping": Axis(
        "number of epochs without a better validation metric after which a trial ends; its best epoch counts",
        "off or a number of epochs",
        _patience,
    ),
}
ALSO = {"weight-decay": "decay", "augmentation": "augment", "patience": "early-stopping"}
NOTHING = (0.0, "none")
"""Values left out of names. A dropout of 0 is kept, because it may replace the model's own dropout."""
OF_RULE = ("l1", "l2", "decay")
"""Axes that change the update rule: a wrapper applies them."""


def parse(axes: Axes | None) -> dict[str, tuple[Setting, ...]]:
    """Axis → its values in the given order, without repeats. Raises UnknownName or BadSetting."""
    found: dict[str, tuple[Setting, ...]] = {}
    for name, values in _pairs(axes):
        name = ALSO.get(name.replace("_", "-"), name.replace("_", "-"))
        if name not in AXES:
            raise UnknownName.among("axis", name, AXES)
        if name in found:
            raise BadSetting(
                f"The axis {name} is given twice. Give all its values together: --axis {name}=VALUE,VALUE."
            )
        axis, read = AXES[name], []
        for value in values:
            setting = axis.read(value)
            if setting is None:
                raise BadSetting(f"The axis {name} has the value {value!r}. It must be {axis.allowed} ({axis.about}).")
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
            raise BadSetting(f"The axis {words!r} has no values: write name=value,value, such as dropout=0,0.2,0.5.")
        yield name.strip(), [value.strip() for value in values.split(",") if value.strip()]


def expand(contenders: Sequence[Contender], axes: Axes | None, memory: dict[str, Any]) -> list[Contender]:
    """Every contender with every combination of values. Rules that exist only in this process are added to `memory`.

    Raises UnknownName or BadSetting.
    """
    values = parse(axes)
    if not values:
        return list(contenders)
    check_number_of_contenders(len(contenders) * prod(map(len, values.values())))
    return [
        with_values(contender, dict(zip(values, combination, strict=True)), memory)
        for contender in contenders
        for combination in product(*values.values())
    ]


def with_values(contender: Contender, axes: dict[str, Setting], memory: dict[str, Any]) -> Contender:
    """A contender with one value of each of these axes."""
    name = " ".join([contender.name, *_named_values(axes)])
    changed = contender
    for axis in OF_RULE:
        if axis in axes:
            changed = _around_rule(changed, axis, float(axes[axis]), memory)
    return replace(changed, name=name, optimizer=contender.name, axes=axes)


def describe_axes(axes: Mapping[str, Setting]) -> str:
    """Values as text, such as "dropout=0.2, augment=flip". Values that change nothing are left out."""
    return ", ".join(_named_values(axes))


def _named_values(axes: Mapping[str, Setting]) -> list[str]:
    return [
        f"{axis}={value:g}" if isinstance(value, float) else f"{axis}={value}"
        for axis, value in axes.items()
        if value not in NOTHING or axis == "dropout"
    ]


def _around_rule(contender: Contender, axis: str, value: float, memory: dict[str, Any]) -> Contender:
    """The contender with a penalty or a decay. If the rule has its own decoupled decay, that one is set instead."""
    if contender.rule.startswith(TORCH_IN_MEMORY):
        raise BadSetting(
            f"The axis {axis} works only with optimizers of `steepest optimizers`, and {contender.name} is not one. "
            "Set its own weight decay instead, such as functools.partial(torch.optim.SGD, weight_decay=1e-4)."
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
