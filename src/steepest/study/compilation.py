"""Which libraries a study has made before it trains: those that will save clearly more time than they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from steepest.files import read_json
from steepest.study import jobs
from steepest.study.executors import Job
from steepest.study.manner import (
    GRADIENT_SAVES,
    UPDATE_SAVES,
    Work,
    best,
    gradient_to_compile,
    widths,
    with_gradient,
    worth_compiling,
)
from steepest.study.planner import batch_size_of, engine_of, steps_at_equal_samples
from steepest.study.protocol import trials_of
from steepest.study.spec import StudySpec
from steepest.study.watch import Watch
from steepest.types import Compiled, Contender, Phase, StepTime, TaskFacts, TaskRef

LEAST_LANES = 9
"""A library made for these serves any number of lanes."""

Times = Mapping[tuple[str, str], StepTime]
"""By task and contender."""
Collect = Callable[[Iterable[Job], Phase, Callable[[Path], Any]], dict[str, Any]]
"""Has jobs done and reads what came of them, by their ids."""


@dataclass
class Compilation:
    """Makes libraries for the contenders of a study, and times the fleets that load them."""

    spec: StudySpec
    collect: Collect
    watch: Watch

    def times(self, facts: Iterable[TaskFacts], times: Times) -> dict[tuple[str, str], StepTime]:
        """The same times, with those of compiled fleets where it was worth while to make any."""
        groups = [*self._groups(facts, times)]
        wanted = {job["id"]: job for group in groups for job in group.wanted()}
        made = self.collect(wanted.values(), "compiling", read_json)
        for reason in sorted({reason for each in made.values() for reason in each["refused"]}):
            self.watch.say(f"Not compiled: {reason}.")
        found = dict(times)
        for group in groups:
            done = {job["id"] for job in group.wanted() if not made[job["id"]]["refused"]}
            found |= {(group.facts.name, name): time for name, time in group.compiled(done).items()}
        return found

    def _groups(self, facts: Iterable[TaskFacts], times: Times) -> Iterator[_Group]:
        for task, known in zip(self.spec.tasks, facts, strict=True):
            sizes: dict[int, list[Contender]] = {}
            for contender in self.spec.contenders:
                if not known.compiler_obstacle and engine_of(self.spec, contender, known) == "fleet":
                    sizes.setdefault(batch_size_of(contender, known), []).append(contender)
            for batch_size, contenders in sizes.items():
                mine = {contender.name: times[known.name, contender.name] for contender in contenders}
                yield _Group(self, task.ref, known, batch_size, contenders, mine)


@dataclass
class _Group:
    """Contenders with one task and one batch size, whose gradients are therefore the same program."""

    asked: Compilation
    task: TaskRef
    facts: TaskFacts
    batch_size: int
    contenders: Sequence[Contender]
    times: dict[str, StepTime]

    @cached_property
    def asked_for(self) -> list[tuple[Job, str, Compiled]]:
        """What is worth while to make: the jobs, each with the contender and the part that it is for."""
        spec = self.asked.spec
        wanted = []
        for contender, part, seconds, saves in self._candidates():
            job = jobs.compile(spec, self.task, contender, self.batch_size, LEAST_LANES, [part])
            if spec.engine == "compiled" or worth_compiling(seconds, saves, jobs.is_compiled(job)):
                wanted.append((job, contender.name, part))
        return wanted

    def wanted(self) -> list[Job]:
        """The jobs that make libraries."""
        return [job for job, _, _ in self.asked_for]

    def compiled(self, done: Set[str]) -> dict[str, StepTime]:
        """The times by contender, and those of compiled fleets beside them; `done` are the ids of the jobs that made
        something."""
        made = {(name, part) for job, name, part in self.asked_for if job["id"] in done}
        gradients = [part for part in ("gradient", "lane") if any(part == each for _, each in made)]
        if gradients:
            first, trials = self.contenders[0], trials_of(self.contenders[0], self.asked.spec.protocol)
            kinds = [(width, (part,)) for part in gradients for width in widths(trials)]
            carrier = self._timed(first, kinds)
            self.times = {name: with_gradient(time, carrier) for name, time in self.times.items()}
        for contender in self.contenders:
            fleet = best(self.times[contender.name])
            if (contender.name, "update") in made and fleet is not None and fleet.compiled:
                more = self._timed(contender, [(fleet.lanes, (*fleet.compiled, "update"))])
                known = self.times[contender.name]
                self.times[contender.name] = replace(known, fleets=(*known.fleets, *more.fleets))
        return self.times

    def _candidates(self) -> Iterable[tuple[Contender, Compiled, float, float]]:
        """(contender, part, core-seconds that the part takes as it is, share that may be saved)."""
        steps = steps_at_equal_samples(self.facts, self.batch_size)
        trials = trials_of(self.contenders[0], self.asked.spec.protocol)
        work = {name: Work(trials * steps, time) for name, time in self.times.items()}
        first = self.contenders[0]
        for part in gradient_to_compile(self.times[first.name]):
            yield first, part, sum(each.core_seconds("gradient") for each in work.values()), GRADIENT_SAVES
        for contender in self.contenders:
            yield contender, "update", work[contender.name].core_seconds("update"), UPDATE_SAVES

    def _timed(self, contender: Contender, kinds: Iterable[tuple[int, Sequence[Compiled]]]) -> StepTime:
        candidates = [{"lanes": width, "width": width, "compiled": [*parts]} for width, parts in kinds]
        job = jobs.time(self.asked.spec, self.task, contender, self.batch_size, candidates)
        return self.asked.collect([job], "timing", jobs.read_time)[job["id"]]
