"""Turns what a user wants to add to a study into the spec of the whole study."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from steepest.design.contenders import enter
from steepest.design.dial_choices import SEARCH, tuned_as
from steepest.design.factors import expand
from steepest.design.options import ExtendOptions
from steepest.design.study_spec import task_references
from steepest.errors import BadSetting
from steepest.records.contender import Contender, Setting
from steepest.study.growth import whole
from steepest.study.spec import StudySpec, TaskSpec
from steepest.tasks.task import Task


def extended_spec(
    old: StudySpec, options: ExtendOptions, command: str = ""
) -> tuple[StudySpec, dict[str, Task], dict[str, Any]]:
    """The spec of the study with what is added, and the objects that exist only in this process. Raises BadInput."""
    assert old.plan is not None
    refs, tasks_here = task_references(_without_plus(options.tasks))
    found, optimizers_here = _added(old, options)
    known = {each.name: each for each in old.contenders}
    contenders = [*old.contenders, *(each for each in found if each.name not in known)]
    if options.rates is not None:
        contenders = _with_rates(contenders, old, options.rates)
    names = {each.ref.name for each in old.tasks}
    tasks = [*old.tasks, *(TaskSpec(ref=ref) for ref in refs if ref.name not in names)]
    if len(tasks) > len(old.tasks) and any(each.equal == "seconds" for each in old.tasks):
        raise BadSetting("The study compares batch sizes at equal time: tasks cannot be added. Start another study.")
    seeds = old.plan.protocol.seeds if options.seeds is None else options.seeds
    new = old.model_copy(
        update={
            "contenders": tuple(contenders),
            "tasks": tuple(tasks),
            "protocol": replace(old.plan.protocol, seeds=seeds),
        }
    )
    return whole(old, new, command or "steepest.extend(…), in Python"), tasks_here, optimizers_here


def _without_plus(items: Any) -> list[Any]:
    """The items of "+a,+b" or of a list, each without its plus."""
    if isinstance(items, str):
        items = [word.strip() for word in items.split(",") if word.strip()]
    listed = [*items] if isinstance(items, list | tuple) else [] if items is None else [items]
    return [item.removeprefix("+") if isinstance(item, str) else item for item in listed]


def _added(old: StudySpec, options: ExtendOptions) -> tuple[list[Contender], dict[str, Any]]:
    """The optimizers to add, as this study would have entered them: with its schedule, its rates and its axes."""
    items = _without_plus(options.optimizers)
    if not items:
        return [], {}
    if any("@" in each.name and each.batch_size is not None for each in old.contenders):
        raise BadSetting("The study compares batch sizes: optimizers cannot be added. Start another study.")
    others = [each for each in old.contenders if each.name != old.baseline]
    found, memory = enter(items, others[0].schedule, others[0].rates or None)
    return tuned_as(others, expand(found, _axes(others), memory), memory), memory


def _axes(contenders: Sequence[Contender]) -> Mapping[str, list[Setting]]:
    """Axis → its values, in the order in which the study has them."""
    values: dict[str, dict[Setting, None]] = {}
    for each in contenders:
        for axis, value in each.axes.items():
            if axis == SEARCH:
                continue
            values.setdefault(axis, {})[value] = None
    return {axis: [*found] for axis, found in values.items()}


def _with_rates(contenders: Sequence[Contender], old: StudySpec, rates: str | Sequence[float]) -> list[Contender]:
    """The contenders with these rates beside their own."""
    if old.race:
        raise BadSetting("Rates raced each other in this study, so none can be added. Start another study.")
    if not all(each.rates for each in contenders):
        raise BadSetting(
            "The study places its learning rates by itself, in a grid and around its best. Only a study with --rates "
            "can get more of them."
        )
    ((model,), _) = enter("sgd", rates=rates)
    merged = {each.name: tuple(sorted({*each.rates, *model.rates})) for each in contenders}
    ((centred,), _) = enter("sgd", rates=merged[contenders[0].name])
    return [
        each if each.name == old.baseline else replace(each, rates=merged[each.name], centre=centred.centre)
        for each in contenders
    ]
