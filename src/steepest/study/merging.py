"""Studies of the same task and protocol as one: the plan of a study with all their optimizers, rates and seeds, run at
once; and the curves that it is put together from.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from shlex import quote

from steepest.errors import BadSetting
from steepest.messages import Message, enumerated, say
from steepest.records.contender import Contender
from steepest.records.outcomes import LOST, Result
from steepest.records.study_record import StudyDesign
from steepest.records.task_facts import SeedDraw, TaskFacts
from steepest.study.budget import mode_of, plan_within
from steepest.study.growth import check_finished
from steepest.study.mergeable import Key, Part, check_equal_trials, differences
from steepest.study.protocol import trials_of
from steepest.study.result_rows import racing_savings
from steepest.study.spec import Growth, Plan, StudySpec, TaskSpec, read_spec
from steepest.study.store import Store, read


def parts_of(folders: Sequence[Path]) -> list[Part]:
    """The studies in these folders. Raises BadSetting for fewer than two, StudyFolderError for one that is none."""
    if len(folders) < 2:
        raise BadSetting(f"There is nothing to merge: give two study folders or more, not {len(folders)}.")
    for one, other in combinations(folders, 2):
        if one.resolve() == other.resolve():
            raise BadSetting(f"{one} and {other} are the same study. Give two different ones.")
    found = [Part(folder, read_spec(folder), read(folder)) for folder in folders]
    for part in found:
        check_finished(part.folder, part.record.finished)
    return found


def merged(parts: Sequence[Part], command: str) -> StudySpec:
    """The spec of the whole, with its plan. Raises BadSetting where the studies are not comparable, where trials that
    both have are not equal, and where the whole would lack some."""
    first, *others = parts
    for other in others:
        for reason in differences(first, other):
            raise BadSetting(f"{first.folder} and {other.folder} cannot be merged: {reason}.")
    spec = _union(parts, command)
    for one, other in combinations(parts, 2):
        check_equal_trials(one, other)
    _check_complete(parts, spec)
    return spec.model_copy(update={"plan": _plan(parts, spec)})


def looks(parts: Sequence[Part], protocol: StudyDesign) -> Message | None:
    """What there is to say of verdicts on parts of the seeds; None if no study had fewer seeds than all."""
    seen = [seeds for part in parts for seeds in part.plan.protocol.verdicts_after if seeds < protocol.seeds]
    if not seen:
        return None
    uncounted = len(seen) - len(set(seen))
    facts = {"seeds": enumerated([str(part.plan.protocol.seeds) for part in parts]), "n": uncounted}
    if uncounted:
        return say(
            "Merged from studies of {seeds} seeds, each with a verdict of its own. Intervals account for one verdict "
            "at each number of seeds; {n} more of them are not accounted for.",
            **facts,
        )
    return say(
        "Merged from studies of {seeds} seeds, each with a verdict of its own. Intervals account for these verdicts.",
        **facts,
    )


# ---- the whole -------------------------------------------------------------------------------------------------------


def _union(parts: Sequence[Part], command: str) -> StudySpec:
    first = parts[0]
    contenders: dict[str, Contender] = {}
    tasks: dict[str, TaskSpec] = {}
    for part in parts:
        for each in part.spec.contenders:
            contenders[each.name] = _with_rates_of(contenders.get(each.name, each), each)
        for task in part.spec.tasks:
            tasks.setdefault(task.ref.name, task)
    when = datetime.now(UTC).isoformat(timespec="seconds")
    steps = [
        Growth(
            created=when,
            command=command,
            seeds=part.plan.protocol.seeds,
            contenders=len(part.spec.contenders),
            tasks=len(part.spec.tasks),
        )
        for part in parts
    ]
    roles = {
        role: next((name for part in parts if (name := getattr(part.spec, role))), "")
        for role in ("baseline", "baseline_tuned")
    }
    return first.spec.model_copy(
        update={
            "command": " && ".join([*(part.spec.command for part in parts), command]),
            "created": when,
            "tasks": tuple(tasks.values()),
            "contenders": tuple(contenders.values()),
            "accept": tuple(dict.fromkeys(each for part in parts for each in part.spec.accept)),
            "protocol": _protocol(parts),
            "budget_seconds": None,
            "plan": None,
            "history": (*(each for part in parts for each in part.spec.history), *steps),
            **roles,
        }
    ).check()


def _protocol(parts: Sequence[Part]) -> StudyDesign:
    """That of all seeds. Every number of seeds after which one of the studies had a verdict counts as a look."""
    seeds = sorted({seed for part in parts for seed in part.seeds})
    if seeds != [*range(seeds[0], seeds[0] + len(seeds))]:
        missing = next(seed for seed in range(seeds[0], seeds[-1]) if seed not in seeds)
        raise BadSetting(f"The studies together lack seed {missing}: a study has seeds without gaps.")
    seen = {each for part in parts for each in part.plan.protocol.verdicts_after if each < len(seeds)}
    return replace(parts[0].plan.protocol, seeds=len(seeds), first_seed=seeds[0], grown=tuple(sorted(seen)))


def _with_rates_of(one: Contender, other: Contender) -> Contender:
    """A contender with the own rates of both, around their middle as if they had been given at once."""
    if one.rates == other.rates:
        return one
    rates = tuple(sorted({*one.rates, *other.rates}))
    return replace(one, rates=rates, centre=float(f"{math.sqrt(rates[0] * rates[-1]):.6g}"))


def _plan(parts: Sequence[Part], spec: StudySpec) -> Plan:
    facts: dict[str, TaskFacts] = {}
    for part in parts:
        for each in part.plan.facts:
            facts[each.name] = _with_luck_of(facts.get(each.name, each), each)
    times = {(each.task, each.contender): each for part in reversed(parts) for each in part.plan.times}
    runs = {(each.task, each.contender): each for part in reversed(parts) for each in part.plan.runs}
    pairs = [(task.ref.name, contender.name) for task in spec.tasks for contender in spec.contenders]
    known = {pair: times[pair] for pair in pairs}
    modes = {pair: mode_of(runs[pair]) for pair in pairs}
    plan = plan_within(spec, [facts[task.ref.name] for task in spec.tasks], known, known, modes=modes)
    given_up = dict.fromkeys(each for part in parts for each in part.plan.given_up)
    return plan.model_copy(update={"given_up": tuple(given_up)})


def _with_luck_of(one: TaskFacts, other: TaskFacts) -> TaskFacts:
    """The facts of a task with what seeds draw for the contenders of both."""
    both = dict.fromkeys((*one.luck, *other.luck))
    draws = [str(draw) for draw in SeedDraw if draw in both]
    return replace(one, luck=(*draws, *(each for each in both if each not in draws)))


# ---- trials ----------------------------------------------------------------------------------------------------------


def _check_complete(parts: Sequence[Part], spec: StudySpec) -> None:
    """Raise BadSetting where the whole would lack trials that none of the studies has."""
    protocol = spec.protocol
    seeds = range(protocol.first_seed, protocol.first_seed + protocol.seeds)
    known = Counter((key[0], key[1], key[3]) for key in {key: None for part in parts for key in part.rows})
    missing = [
        (task.ref.name, contender.name, seed, count)
        for task in spec.tasks
        for contender in spec.contenders
        for seed in seeds
        if (count := trials_of(contender, replace(protocol, seeds=1)) - known[task.ref.name, contender.name, seed]) > 0
    ]
    if not missing:
        return
    task, contender, seed, _ = missing[0]
    lost = next((part for part in parts if any(row.outcome in LOST for row in part.record.results)), None)
    remedy = f"Add them first, such as with: steepest extend {quote(str(parts[0].folder))}"
    if lost is not None:
        where = quote(str(lost.folder))
        remedy = f"Some ran out of memory or were killed; train them again: steepest resume {where} --retry-killed"
    raise BadSetting(
        f"The studies together lack {sum(count for *_, count in missing)} trials, such as {contender} on {task} with "
        f"seed {seed}. {remedy}"
    )


def fill(store: Store, parts: Sequence[Part]) -> None:
    """Put the curves of all studies into the folder of the whole, and what was noted on how they were run."""
    known: dict[Key, bool] = {}
    for number, part in enumerate(parts):
        wanted: dict[str, list[Result]] = {}
        for key, row in part.rows.items():
            examples = part.traces[row.shard].examples
            has_examples = examples is not None and row.lane in examples.lanes
            if key not in known or (has_examples and not known[key]):
                known[key] = has_examples
                wanted.setdefault(row.shard, []).append(row)
        for shard, rows in wanted.items():
            store.adopt(f"part{number}.{shard}", part.traces[shard], rows)
        store.add_seconds(part.record.seconds)
        racing = racing_savings(part.record.results)
        for remark in part.record.given_up:
            if remark not in part.plan.given_up and remark != racing:
                store.remark(remark)
    if (says := looks(parts, store.spec.protocol)) is not None:
        store.remark(says)
