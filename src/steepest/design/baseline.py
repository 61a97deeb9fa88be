"""What a user has now, as a contender: trained as it is at its own rate, and beside it the same optimizer with its rate
tuned, so that the verdict can say what tuning alone would gain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from steepest.design.contenders import FROM_FILE, contender_of, enter, entered, read, schedule_of
from steepest.design.factors import ALSO, AXES, parse, with_values
from steepest.errors import BadSetting
from steepest.optim import catalogue
from steepest.optim.parameter_groups import KEY, parted
from steepest.optim.rule import hyperparameters
from steepest.optim.spelling import in_our_words
from steepest.records.contender import Contender, Setting

_RATE = ("lr=", "learning_rate=")


@dataclass(frozen=True)
class WithBaseline:
    """The contenders of a study with a baseline, and who that is."""

    contenders: list[Contender]
    name: str
    tuned: str
    """The contender that is the same optimizer with its rate tuned."""


def add_baseline(
    item: Any,
    contenders: Sequence[Contender],
    memory: dict[str, Any],
    schedule: str = "constant",
    rates: str | Sequence[float] | None = None,
) -> WithBaseline:
    """The contenders, the baseline, and the same optimizer tuned unless it is among them.

    item: "adamw:lr=3e-4:weight_decay=0.1:schedule=cosine:dropout=0.1", a rule, a factory of a torch optimizer, or one
    of these under a name, {"what I use": …}. Raises UnknownName or BadSetting.
    """
    label = ""
    if isinstance(item, Mapping):
        if len(item) != 1:
            raise BadSetting(f"The baseline is one optimizer, not {len(item)}.")
        ((label, item),) = item.items()
    if isinstance(item, str):
        own, rate = _parsed(item, schedule, memory)
    else:
        own = contender_of(item, schedule, memory)
        rate = _own_rate(item, own)
    if label:
        own = replace(own, name=f"{label}, tuned")
    ((tuned,), _) = enter([own], own.schedule, rates)
    same = next((each for each in contenders if _trains_alike(each, own)), None)
    name = str(label) or _named_with_rate(item, own.name, rate)
    baseline = replace(own, name=name, centre=rate, rates=(rate,))
    others = [*contenders] if same else [*contenders, tuned]
    return WithBaseline([*others, baseline], name, (same or tuned).name)


def _parsed(words: str, schedule: str, memory: dict[str, Any]) -> tuple[Contender, float]:
    """The optimizer that the words describe without their rate, and the rate: the catalogue's where they have none."""
    title = ":".join(part for part in words.split(":") if not part.strip().startswith(_RATE))
    if FROM_FILE.match(words):
        own = contender_of(title, schedule, memory)
        _, settings = read(words.partition(".py:")[2])
        return own, _positive(own.name, settings.get("lr", own.centre))
    name, settings = read(words)
    item, settings = in_our_words(catalogue.entry(name.split("#")[0]), settings)
    rate = settings.pop("lr", item.rate)
    own = {*hyperparameters(item.rule), "schedule"}
    of_axes = {key: ALSO.get(key, key).replace("_", "-") for key in settings if key not in own}
    given = {key: [settings.pop(key)] for key, axis in of_axes.items() if axis in AXES}
    axes = {axis: values[0] for axis, values in parse(given).items()}
    found = entered(item, settings, schedule_of(settings, schedule))
    found = replace(found, name=title)
    return (replace(with_values(found, axes, memory), name=title) if axes else found), _positive(name, rate)


def _own_rate(item: Any, own: Contender) -> float:
    """The rate that a rule or a factory has by itself: that of an object, or the default of its class or function."""
    rate = getattr(item, "lr", None) if not isinstance(item, type) else None
    rate = own.default_rate if rate is None else rate
    return _positive(own.name, own.centre if rate is None else rate)


def _positive(name: str, rate: Setting) -> float:
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < float("inf"):
        raise BadSetting(f"The baseline {name} has the learning rate {rate}. It must be a finite number above 0.")
    return float(rate)


def _named_with_rate(item: Any, name: str, rate: float) -> str:
    typed = isinstance(item, str) and any(part.strip().startswith(_RATE) for part in item.split(":"))
    return item if typed else f"{name}:lr={rate:.6g}"


def _trains_alike(one: Contender, other: Contender) -> bool:
    """Whether two contenders differ at most in names and rates."""
    parts = ("rule", "schedule", "batch_size", "axes")
    return all(getattr(one, part) == getattr(other, part) for part in parts) and _settings(one) == _settings(other)


def _settings(contender: Contender) -> Mapping[str, Setting]:
    """Every hyperparameter, so that typing a default makes no difference."""
    if contender.is_in_memory:
        return contender.settings
    own, _ = parted(contender.settings)
    groups = {KEY: contender.settings.get(KEY, "")}
    return {**catalogue.settings_of(catalogue.entry(contender.rule), own), **groups}
