"""Turns optimizers, learning rates and batch sizes, as users give them, into the contenders of a study."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch

from steepest.design.own_optimizer import default_rate
from steepest.errors import BadSetting
from steepest.ingest.own_objects import key_of, load_object
from steepest.optim import catalogue
from steepest.optim.choosing import OWN
from steepest.optim.entry import Entry
from steepest.optim.parameter_groups import KEY, check_groups, gathered, parted, text_of, value_of
from steepest.optim.rule import Rule, check_settings, hyperparameters
from steepest.optim.schedules import schedule as check_schedule
from steepest.optim.spelling import in_our_words
from steepest.records.contender import RULE_IN_MEMORY, TORCH_IN_MEMORY, BatchSize, Contender, Setting
from steepest.records.limits import MAX_CONTENDERS, MAX_RATES

Maker = Callable[..., torch.optim.Optimizer]
"""Returns an optimizer for (parameters, lr=…)."""

DEFAULT = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")
"""The classic optimizers as frameworks have them."""
ARTICLE = (
    "gd",
    "sgd-1",
    "sgd",
    "momentum",
    "momentum-averaged",
    "nesterov",
    "adagrad",
    "adagrad-printed",
    "rmsprop",
    "rmsprop-printed",
    "adam",
    "adam-printed",
    "adamw",
)
"""The same with full-batch descent, batches of one example, and the forms that the articles print."""
GROUPS = {"default": DEFAULT, "article": ARTICLE}
"""Name for several optimizers → what it stands for."""


def enter(
    optimizers: str | Sequence[Any] | Mapping[str, Any],
    schedule: str = "constant",
    rates: str | Sequence[float] | None = None,
    batch_sizes: str | Sequence[int | str] | None = None,
) -> tuple[list[Contender], dict[str, Any]]:
    """The contenders of a study, and the optimizers among them that exist only in this process, by key.

    Raises UnknownName or BadSetting.
    """
    _check_schedule(schedule)
    memory: dict[str, Any] = {}
    listed = (GROUPS.get(item, [item]) if isinstance(item, str) else [item] for item in _list(_with_pairs(optimizers)))
    items = _few([each for group in listed for each in group], "optimizers", MAX_CONTENDERS)
    items = [named for item in items for named in (_list(item) if isinstance(item, Mapping) else [item])]
    found = _told_apart([contender_of(item, schedule, memory) for item in items])
    if not found:
        raise BadSetting("The list of optimizers is empty. Give at least one; `steepest optimizers` lists all.")
    if rates is not None:
        points = tuple(sorted({_rate(value) for value in _few(_list(rates), "learning rates", MAX_RATES)}))
        if not points:
            raise BadSetting("The list of learning rates is empty. Give at least one, such as --rates 0.001,0.01.")
        centre = float(f"{math.sqrt(points[0] * points[-1]):.6g}")
        found = [replace(contender, rates=points, centre=centre) for contender in found]
    if batch_sizes is not None:
        sizes = [_batch_size(value) for value in _few(_list(batch_sizes), "batch sizes", MAX_CONTENDERS)]
        if not sizes:
            raise BadSetting("The list of batch sizes is empty. Give at least one, such as --batch-size 1,64,full.")
        check_number_of_contenders(len(found) * len(sizes))
        found = [
            replace(contender, name=f"{contender.name}@{size}", batch_size=size)
            for contender in found
            for size in sizes
        ]
    return found, memory


def contender_of(item: Any, schedule: str, memory: dict[str, Any]) -> Contender:
    """One optimizer as it enters a study, with a grid of its own."""
    if isinstance(item, Contender):
        return item
    if isinstance(item, Named):
        return _named(item, schedule, memory)
    if isinstance(item, WithGroups):
        return _grouped(item, schedule, memory)
    if isinstance(item, str):
        return _of_file(item, schedule, memory) if FROM_FILE.match(item) else _parse(item, schedule)
    if isinstance(item, Rule):
        return _own_rule(type(item), vars(item), schedule, memory)
    if isinstance(item, type) and issubclass(item, Rule):
        return _own_rule(item, {}, schedule, memory)
    if isinstance(item, torch.optim.Optimizer):
        kind = type(item).__name__
        raise BadSetting(
            f"An object of {kind} holds the parameters of one model, and every trial has its own. Give the class, or a "
            f"function: lambda params, lr: {kind}(params, lr=lr)."
        )
    if callable(item):
        return _torch_optimizer(cast(Maker, item), schedule, memory)
    raise BadSetting(
        f"{item!r} is not an optimizer. Give a name of `steepest optimizers`, a rule, or a class of torch.optim."
    )


@dataclass(frozen=True)
class Named:
    """An optimizer under a name that its user gives it."""

    name: str
    item: object


@dataclass(frozen=True)
class WithGroups:
    """An optimizer with groups of parameters that have settings of their own."""

    item: object
    groups: str
    """As the text among the settings of a contender."""


def with_groups(optimizer: object, groups: Mapping[str, Mapping[str, Setting]]) -> WithGroups:
    """An optimizer, as `compare` takes them, with settings of their own for groups of parameters:

        steepest.with_groups("adamw:weight_decay=0.1", {"vectors": {"weight_decay": 0}, "head": {"lr_scale": 10}})

    A group is a kind of parameter (vectors, matrices, biases, norms, embeddings), a type of module (LayerNorm), the
    path of a module (h.0), or a pattern of names (h.*.weight). `lr_scale` multiplies the learning rate. If two groups
    set the same for a parameter, the last one counts. Raises BadSetting.
    """
    return WithGroups(optimizer, text_of(groups))


def _grouped(item: WithGroups, schedule: str, memory: dict[str, Any]) -> Contender:
    found = contender_of(item.item, schedule, memory)
    groups = [str(found.settings[KEY])] if KEY in found.settings else []
    settings = gathered({**found.settings, KEY: ":".join([*groups, item.groups])})
    if found.is_torch_optimizer:
        return replace(found, settings=settings)
    own = found.rule.removeprefix(RULE_IN_MEMORY)
    entry = None if found.is_custom_rule else catalogue.entry(own)
    settings = settings if entry is None else in_our_words(entry, settings)[1]
    check_groups(memory[own] if entry is None else entry.rule, parted(settings)[1])
    return replace(found, settings=settings)


FROM_FILE = re.compile(r"(?P<file>[^:]+\.py):(?P<name>\w+)(?P<settings>(:.*)?)$")
"""An optimizer that a file defines: "mine.py:Name"."""


def _of_file(words: str, schedule: str, memory: dict[str, Any]) -> Contender:
    """A rule, a class of torch optimizers or a function that builds one, by the file that defines it."""
    found = FROM_FILE.match(words)
    assert found is not None
    _, settings = read(f"{found['name']}{found['settings']}")
    schedule = schedule_of(settings, schedule)
    _check_no_rate(f"{found['file']}:{found['name']}", settings)
    key = key_of(Path(found["file"]), found["name"])
    own, made = _loaded(key, schedule)
    if own.is_in_memory:
        memory[key] = made
        own = replace(own, rule=own.rule[: own.rule.index(":") + 1] + key)
    if own.is_custom_rule:
        mine, groups = parted(settings)
        check_settings(memory[key], mine)
        check_groups(memory[key], groups)
    return replace(own, name=found["name"] + found["settings"], settings=gathered({**own.settings, **settings}))


def _loaded(key: str, schedule: str) -> tuple[Contender, Any]:
    """The contender of a key of `key_of`, and what makes it: None for a rule of the catalogue."""
    made: dict[str, Any] = {}
    return contender_of(load_object(key), schedule, made), next(iter(made.values()), None)


def of_files(contenders: Iterable[Contender]) -> dict[str, Any]:
    """What makes the contenders that files define, by key. Runs the files. Raises BadInput or BadTask."""
    files = [each.own_file for each in contenders]
    return {file.key: _loaded(file.key, "constant")[1] for file in files if file is not None}


def _named(item: Named, schedule: str, memory: dict[str, Any]) -> Contender:
    """Objects are kept under their own name, so that two variants of one class do not take each other's place."""
    own: dict[str, Any] = {}
    found = contender_of(item.item, schedule, own)
    rule = found.rule
    for key, value in own.items():
        memory[item.name] = value
        rule = rule.removesuffix(key) + item.name
    return replace(found, name=item.name, rule=rule)


def _parse(words: str, schedule: str) -> Contender:
    """Parses "adam", "adam:b2=0.99:eps=1e-6", "sgd+clip-norm:max_norm=1", and "adam#2" for a second Adam."""
    name, settings = read(words)
    schedule = schedule_of(settings, schedule)
    return replace(entered(catalogue.entry(name.split("#")[0]), settings, schedule), name=words)


def read(words: str) -> tuple[str, dict[str, Setting]]:
    """The name and the settings of "adam:b2=0.99". Raises BadSetting for a setting without a value."""
    name, *pairs = words.split(":")
    settings: dict[str, Setting] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise BadSetting(f"{words!r}: the setting {pair!r} has no value. Write name=value, as in adam:b2=0.99.")
        settings[key.strip()] = value_of(value.strip())
    return name.strip(), settings


def schedule_of(settings: dict[str, Setting], usual: str) -> str:
    """The schedule among the settings, which is taken out of them, or else the usual one. Its numbers follow slashes:
    "schedule=warmup-cosine/share=0.1". Raises UnknownName or BadSetting."""
    found = str(settings.pop("schedule", usual)).replace("/", ":")
    _check_schedule(found)
    return found


def _check_schedule(words: str) -> None:
    if words != OWN:
        check_schedule(words)


def entered(item: Entry, settings: Mapping[str, Setting], schedule: str) -> Contender:
    """A contender from the catalogue with settings, which may have the names that torch or Keras give them. Raises an
    error for "lr" and for unknown settings.
    """
    item, settings = in_our_words(item, settings)
    _check_no_rate(item.name, settings)
    own, groups = parted(settings)
    check_settings(item.rule, own)
    check_groups(item.rule, groups)
    return replace(catalogue.contender(item, schedule=schedule), settings=dict(settings))


def _check_no_rate(name: str, settings: Mapping[str, Setting]) -> None:
    if "lr" in settings:
        raise BadSetting(
            f"{name}: lr cannot be set, because the study searches it. Give your own learning rates with --rates, "
            f"or what you use now as it is with --baseline {name}:lr={settings['lr']}."
        )


def _own_rule(rule: type[Rule], settings: Mapping[str, Any], schedule: str, memory: dict[str, Any]) -> Contender:
    """A contender from a rule, given as a class or an object. If the rule is not in the catalogue, the grid is centred
    on its default learning rate."""
    default = hyperparameters(rule)
    others = {key: value for key, value in settings.items() if key != "lr" and value != default[key]}
    for entry in catalogue.CATALOGUE:
        if entry.rule is rule and not entry.settings and entry.batch_size is None:
            return entered(entry, others, schedule)
    memory[rule.__name__] = rule
    schedule = "constant" if schedule == OWN else schedule
    centre = float(settings.get("lr", default["lr"]))
    return Contender(
        name=rule.__name__,
        rule=RULE_IN_MEMORY + rule.__name__,
        centre=centre,
        settings=others,
        schedule=schedule,
        fleet_obstacle=catalogue.fleet_obstacle(rule, schedule),
        default_rate=float(default["lr"]) or None,
    )


def _torch_optimizer(factory: Maker, schedule: str, memory: dict[str, Any]) -> Contender:
    """A contender from any torch optimizer, trained one trial at a time. Its grid is centred on its default rate."""
    name = _name_of(factory)
    while name in memory and memory[name] is not factory:  # such as two lambdas
        stem, _, number = name.partition("#")
        name = f"{stem}#{int(number or 1) + 1}"
    centre = default_rate(factory, name)
    memory[name] = factory
    schedule = "constant" if schedule == OWN else schedule
    return Contender(name=name, rule=TORCH_IN_MEMORY + name, centre=centre, schedule=schedule)


def _name_of(factory: Any) -> str:
    """The name of a function or class; of a partial, with what it sets: "AdamW:betas=(0.9, 0.95)"."""
    if isinstance(factory, partial):
        made = cast("partial[Any]", factory)
        return ":".join([_name_of(made.func), *(f"{key}={value}" for key, value in made.keywords.items())])
    return getattr(factory, "__name__", type(factory).__name__)


def _told_apart(found: Sequence[Contender]) -> list[Contender]:
    """Contenders of the same name by their settings, where these differ: "adam:b2=0.9"."""
    by_name: dict[str, list[dict[str, Setting]]] = {}
    for each in found:
        by_name.setdefault(each.name, []).append(dict(each.settings))

    def named(each: Contender) -> Contender:
        settings = by_name[each.name]
        if any(one == other for i, one in enumerate(settings) for other in settings[:i]):
            return each
        values = [f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
                  for key, value in each.settings.items()]  # fmt: skip
        return replace(each, name=":".join([each.name, *values])) if len(settings) > 1 else each

    return [*map(named, found)]


# ---- parsing values --------------------------------------------------------------------------------------------------


def _with_pairs(optimizers: object) -> object:
    """Words in which a comma before a number, as in "adamw:betas=0.9,0.95", is a slash."""
    return re.sub(r",(?=\s*[\d.])", "/", optimizers) if isinstance(optimizers, str) else optimizers


def _list(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    if isinstance(value, Mapping):
        return [Named(str(name), item) for name, item in value.items()]
    return list(value) if isinstance(value, list | tuple | set | range) else [value]


def _few(items: list[Any], what: str, most: int) -> list[Any]:
    """The items; raises BadSetting where there are more than anybody can compare."""
    if len(items) > most:
        raise BadSetting(f"There are {len(items):,} {what}; at most {most:,} are possible.")
    return items


def check_number_of_contenders(number: int) -> None:
    """Raise BadSetting where optimizers, batch sizes and axes make more contenders than a study can compare."""
    if number > MAX_CONTENDERS:
        raise BadSetting(
            f"Optimizers, batch sizes and axes make {number:,} contenders; at most {MAX_CONTENDERS} are possible. Take "
            "fewer values."
        )


def _rate(value: Any) -> float:
    try:
        rate = float(value)
    except (TypeError, ValueError):
        raise BadSetting(f"The learning rate {value!r} is not a number. Write learning rates as 0.001,0.01.") from None
    if not (math.isfinite(rate) and rate > 0):
        raise BadSetting(f"The learning rate is {value}. It must be a finite number above 0.")
    return rate


def _batch_size(value: Any) -> BatchSize:
    if value == "full":
        return "full"
    try:
        size = int(value)
    except (TypeError, ValueError):
        raise BadSetting(f"The batch size is {value!r}. It must be a whole number or 'full'.") from None
    if size < 1:
        raise BadSetting(f"The batch size is {size}. It must be at least 1.")
    return size
