"""One table of optimizers, in order of rising complexity: it feeds planner, tests, documentation and command line.

A new optimizer is one entry beside its rule; everything that lists, explains, searches or tests optimizers
reads this table.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from steepest.errors import BadSetting, UnknownName
from steepest.messages import Message, say, term
from steepest.optim import (
    adam,
    adaptive,
    descent,
    grafting,
    layerwise,
    matrix,
    modelwide,
    moments,
    muon_kin,
    schedule_free,
    second_order,
    signs,
    successors,
)
from steepest.optim.choosing import OWN, facts_of, own_schedule
from steepest.optim.entry import Entry
from steepest.optim.rule import SECOND_OBSTACLE, Rule, check_settings, describe_hyperparameters, hyperparameters
from steepest.optim.schedules import listens
from steepest.optim.wrappers import WRAPPERS, wrap
from steepest.records.contender import BatchSize, Contender, Setting

CATALOGUE = (
    *descent.ROWS,
    *signs.ROWS,
    *adaptive.ROWS,
    *adam.ROWS,
    *moments.ROWS,
    *successors.ROWS,
    *layerwise.ROWS,
    *matrix.ROWS,
    *muon_kin.ROWS,
    *grafting.ROWS,
    *schedule_free.ROWS,
    *modelwide.ROWS,
    *second_order.ROWS,
)


def names() -> list[str]:
    """All names of the catalogue, in its order."""
    return [item.name for item in CATALOGUE]


def entry(name: str) -> Entry:
    """The entry of this name, which may end in wrappers: "adam+cautious". Raises UnknownName with the nearest names."""
    name, *wrappers = name.split("+")
    for item in CATALOGUE:
        if item.name == name:
            return wrapped(item, *wrappers)
    raise UnknownName.among("optimizer", name, names(), "`steepest optimizers` lists all.")


def wrapped(item: Entry, *wrappers: str) -> Entry:
    """An entry within these wrappers, the first of them innermost; raises UnknownName or BadSetting."""
    for name in wrappers:
        rule, kind = wrap(item.rule, name), WRAPPERS[name]
        item = replace(
            item,
            name=f"{item.name}+{name}",
            title=f"{item.title} + {kind.title}",
            rule=rule,
            summary=f"{item.summary.removesuffix('.')}; {kind.sentence}.",
            formula=f"{item.formula} ;  {kind.formula}",
            torch=None,
            keras=None,
            keras_decouples=False,
            optax=None,
            authors=None,
            article=None,
        )
    return item


def settings_of(item: Entry, overrides: Mapping[str, Setting] | None = None) -> dict[str, Setting]:
    """Every hyperparameter of an entry with its value: the rule's defaults, the entry's, and then `overrides`.

    Raises UnknownName or BadSetting for an override that the rule cannot take.
    """
    overrides = overrides or {}
    check_settings(item.rule, overrides)
    return {**hyperparameters(item.rule), **item.settings, **overrides}


def contender(
    item: Entry | str,
    *,
    name: str = "",
    schedule: str = "constant",
    batch_size: BatchSize | None = None,
    centre: float | None = None,
    **settings: Setting,
) -> Contender:
    """An entry as it enters a study; `settings` are hyperparameters that differ from the entry's.

    schedule: by name, or "own" for that of the optimizer's authors, which is constant if they ask for none.
    Raises UnknownName or BadSetting; the rate is not among the settings, since a study searches it.
    """
    item = entry(item) if isinstance(item, str) else item
    if "lr" in settings:
        raise BadSetting(f"{item.name}: lr cannot be set, because a study searches it. Set centre to move the search.")
    settings_of(item, settings)
    schedule = (own_schedule(item.name) or "constant") if schedule == OWN else schedule
    return Contender(
        name=name or item.name,
        rule=item.name,
        centre=item.centre if centre is None else centre,
        settings=settings,
        schedule=schedule,
        batch_size=item.batch_size if batch_size is None else batch_size,
        fleet_obstacle=fleet_obstacle(item.rule, schedule),
        default_rate=item.rate,
    )


def fleet_obstacle(rule: type[Rule] | None, schedule: str) -> str:
    """Why a rule under a schedule trains one model at a time, to follow its name; "" if fleets can train it."""
    if rule is not None and rule.second:
        return SECOND_OBSTACLE
    return "follows its own losses, and the rates of a fleet are laid out in advance" if listens(schedule) else ""


def describe(item: Entry) -> dict[str, Any]:
    """Everything the catalogue knows about an entry: plain values, and messages where people read words."""
    here = settings_of(item)
    settings = [
        {**row, "meaning": term(row["meaning"]), "value": here[row["name"]]}
        for row in describe_hyperparameters(item.rule)
    ]
    return {
        "name": item.name,
        "title": _title(item),
        "summary": _summary(item),
        "formula": [term(line) for line in item.formula.split(" ;  ")],
        "rule": item.rule.__name__,
        "rule_formula": item.rule.__doc__,
        "paper": asdict(item.paper),
        "scope": item.rule.scope,
        "state": list(item.rule.state),
        "batch_size": item.batch_size,
        **facts_of(item),
        "rate": {"default": item.rate, "centre": item.centre},
        "hyperparameters": settings,
        "departures": [
            {"framework": each.framework, "how": term(each.how), "settings": each.settings} for each in item.departures
        ],
    }


def _title(item: Entry) -> Message:
    first, *wrappers = item.name.split("+")
    title = term(entry(first).title)
    for name in wrappers:
        title = say("{rule} + {wrapper}", rule=title, wrapper=term(WRAPPERS[name].title))
    return title


def _summary(item: Entry) -> Message:
    first, *wrappers = item.name.split("+")
    summary = term(entry(first).summary.removesuffix("."))
    for name in wrappers:
        summary = say("{summary}; {wrapper}", summary=summary, wrapper=term(WRAPPERS[name].sentence))
    return say("{summary}.", summary=summary)
