"""Whether studies can be merged: what must be alike in them, and that a trial which two of them have is the same."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np

from steepest.errors import BadSetting
from steepest.records.contender import Contender
from steepest.records.outcomes import LOST, Result, Trace
from steepest.records.study_record import StudyRecord
from steepest.records.task_facts import TaskFacts
from steepest.study.protocol import BY_SEED
from steepest.study.spec import Plan, StudySpec
from steepest.study.store import traces

Key = tuple[str, str, float, int, str]
"""Of a trial: task, contender, rate, seed, and its other dials."""

_OF_SPEC = ("engine", "dtype", "device", "parallel", "race", "search")
_OF_PROTOCOL = ("rates", "decades", "extra_rates", "more_trials", "until_sure")
_OF_TASK = ("source", "digest", "options")
_NOT_OF_FACTS = (
    "luck",
    "warnings",
    "notes",
    "compiler_obstacle",
    "title",
    "source",
    "data_digest",
    "model_digest",
    "code_digest",
    "plain_lanes",
)
"""What may differ between equal tasks: remarks, and what depends on the contenders or the machine."""


@dataclass(frozen=True)
class Part:
    """A study that is to be merged."""

    folder: Path
    spec: StudySpec
    record: StudyRecord

    @property
    def plan(self) -> Plan:
        assert self.spec.plan is not None
        return self.spec.plan

    @cached_property
    def traces(self) -> dict[str, Trace]:
        """The curves by shard, checked against their rows."""
        return dict(traces(self.folder, self.record))

    @cached_property
    def rows(self) -> dict[Key, Result]:
        """The trials that have a result."""
        found = (row for row in self.record.results if row.outcome not in LOST)
        return {(row.task, row.contender, row.rate, row.seed, row.dials): row for row in found}

    @property
    def seeds(self) -> range:
        protocol = self.plan.protocol
        return range(protocol.first_seed, protocol.first_seed + protocol.seeds)


def differences(one: Part, other: Part) -> Iterator[str]:
    """Why two studies are not comparable, as clauses."""

    def differs(what: str, mine: object, theirs: object) -> Iterator[str]:
        if mine != theirs:
            yield f"{what} is {_shown(mine)} in the first and {_shown(theirs)} in the second"

    for name in sorted({*one.spec.versions, *other.spec.versions}):
        yield from differs(f"the version of {name}", one.spec.versions.get(name), other.spec.versions.get(name))
    for name in _OF_SPEC:
        yield from differs(f"the {name}", getattr(one.spec, name), getattr(other.spec, name))
    for name in _OF_PROTOCOL:
        what = f"the protocol's {name.replace('_', ' ')}"
        yield from differs(what, getattr(one.plan.protocol, name), getattr(other.plan.protocol, name))
    if one.plan.protocol.until_sure:
        yield "they add seeds by themselves until their verdicts are settled, with all checks planned beforehand"
    if one.spec.search != BY_SEED and one.seeds != other.seeds:
        yield "all seeds together placed their rates, as in earlier versions, so other seeds cannot be added"
    yield from _differences_of_tasks(one, other)
    yield from _differences_of_contenders(one, other)
    if {each.name for each in one.spec.contenders} != {each.name for each in other.spec.contenders}:
        yield from differs(
            "the processor", _processor(one), _processor(other)
        )  # the verdict compares the times of their steps


def _differences_of_tasks(one: Part, other: Part) -> Iterator[str]:
    mine, theirs = ({each.ref.name: each for each in part.spec.tasks} for part in (one, other))
    common = [name for name in mine if name in theirs]
    if not common:
        yield f"they have no task in common ({_shown(list(mine))} and {_shown(list(theirs))})"
    facts = [{each.name: each for each in part.plan.facts} for part in (one, other)]
    for name in common:
        a, b = mine[name], theirs[name]
        if "seconds" in (a.equal, b.equal):
            yield f"{name} compares batch sizes at equal time, and its horizons depend on each study's own timing"
        for part in _OF_TASK:
            if getattr(a.ref, part) != getattr(b.ref, part):
                yield f"their task {name} differs in its {part}"
        if a.epochs != b.epochs:
            yield f"their task {name} differs in its epochs"
        yield from _differences_of_facts(name, facts[0][name], facts[1][name], _processor(one) == _processor(other))
        if a.ref.source == "memory" and not (facts[0][name].data_digest and facts[1][name].data_digest):
            yield f"their task {name} was a Python object, of which an older version kept no digest"


def _differences_of_facts(name: str, mine: TaskFacts, theirs: TaskFacts, same_machine: bool) -> Iterator[str]:
    if mine.data_digest and theirs.data_digest and mine.data_digest != theirs.data_digest:
        yield f"their task {name} has other data"
    for each in fields(TaskFacts):
        if each.name not in _NOT_OF_FACTS and getattr(mine, each.name) != getattr(theirs, each.name):
            yield f"their task {name} differs in its {each.name.replace('_', ' ')}"
    if same_machine and mine.model_digest and theirs.model_digest and mine.model_digest != theirs.model_digest:
        yield f"their task {name} has another model or loss"


def _differences_of_contenders(one: Part, other: Part) -> Iterator[str]:
    theirs = {each.name: each for each in other.spec.contenders}
    for mine in one.spec.contenders:
        if (same := theirs.get(mine.name)) is None:
            continue
        shared = any(key[1] == mine.name and key in other.rows for key in one.rows)
        if (mine.is_in_memory or same.is_in_memory) and not shared:
            yield f"{mine.name} is an optimizer of your own, and they share no trial that shows it is the same one"
        for each in fields(Contender):
            if each.name not in ("rates", "centre") and getattr(mine, each.name) != getattr(same, each.name):
                yield f"{mine.name} differs in its {each.name.replace('_', ' ')}"
        if bool(mine.rates) != bool(same.rates) or (not mine.rates and mine.centre != same.centre):
            yield f"the learning rates of {mine.name} are placed in different ways"
        if mine.rates != same.rates and mine.name == one.spec.baseline:
            yield f"the baseline {mine.name} has another learning rate"
        if mine.rates != same.rates and one.spec.race:
            yield f"the learning rates of {mine.name} raced each other, so none can be added"
    for role in ("baseline", "baseline_tuned"):
        a, b = getattr(one.spec, role), getattr(other.spec, role)
        if a and b and a != b:
            yield f"the {role.replace('_', ' ')} is {a} in the first and {b} in the second"
    for part, rest in ((one, other), (other, one)):
        own = part.spec.baseline
        if own and own != rest.spec.baseline and own in {each.name for each in rest.spec.contenders}:
            yield f"{own} is the baseline of one of them and an optimizer to tune in the other"


def _processor(part: Part) -> str | None:
    return part.spec.hardware.get("processor")


def _shown(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, bool):
        return "on" if value else "off"
    return "unknown" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def check_equal_trials(one: Part, other: Part) -> None:
    """Raise BadSetting where a trial that both studies have does not have the same bits."""
    different = [
        key for key, row in one.rows.items() if key in other.rows and not _same(one, row, other, other.rows[key])
    ]
    if not different:
        return
    task, contender, rate, seed, dials = key = different[0]
    others = f" and {dials}" if dials else ""
    files = (str(part.folder / "curves" / f"{part.rows[key].shard}.npz") for part in (one, other))
    more = f" {len(different) - 1} more trials differ." if len(different) > 1 else ""
    raise BadSetting(
        f"{contender} on {task} at rate {rate:g}{others} with seed {seed} has other results in "
        f"{' than in '.join(files)}, so the studies are not comparable.{more}"
    )


def _same(one: Part, row: Result, other: Part, its: Result) -> bool:
    a, b = one.traces[row.shard], other.traces[its.shard]
    if a.outcome[row.lane] is not b.outcome[its.lane] or not np.array_equal(a.evaluate_at, b.evaluate_at):
        return False
    for each in fields(Trace):
        if each.name in ("evaluate_at", "outcome", "examples"):
            continue
        mine, theirs = getattr(a, each.name)[row.lane], getattr(b, each.name)[its.lane]
        if np.asarray(mine).tobytes() != np.asarray(theirs).tobytes():
            return False
    examples = [None if t.examples is None else t.examples.of(i) for t, i in ((a, row.lane), (b, its.lane))]
    if examples[0] is None or examples[1] is None:
        return True
    return examples[0].size == examples[1].size and all(
        np.array_equal(getattr(examples[0], name), getattr(examples[1], name)) for name in ("mask", "values")
    )
