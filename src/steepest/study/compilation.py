"""Which programs a study compiles before it trains: those that will clearly save more time than they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from steepest.messages import say
from steepest.records.contender import Contender
from steepest.records.job_records import CompileJob, CompileResult, FleetCandidate, TimeJob
from steepest.records.progress_record import Phase
from steepest.records.step_times import StepTime
from steepest.records.task_facts import TaskFacts, TaskRef
from steepest.records.trials import Compiled
from steepest.study import jobs
from steepest.study.execution import Work, in_one_loop, with_compiled, worth_compiling
from steepest.study.planner import batch_size_of, engine_of, steps_at_equal_samples
from steepest.study.progress import ProgressTracker
from steepest.study.protocol import trials_of
from steepest.study.spec import StudySpec

TIMED_LANES = 9
"""Lanes with which compiled programs are checked and timed; they train any number, one after the other."""

Times = Mapping[tuple[str, str], StepTime]
"""By task and contender."""
Collect = Callable[[Iterable[CompileJob], Phase, Callable[[Path], CompileResult]], dict[str, CompileResult]]
"""Has jobs done and reads their results, by job id."""


@dataclass
class Compilation:
    """Compiles programs for the contenders of a study, and times the fleets that load them."""

    spec: StudySpec
    collect: Collect
    measure: Callable[[TimeJob], StepTime]
    tracker: ProgressTracker

    def times(self, facts: Iterable[TaskFacts], times: Times) -> dict[tuple[str, str], StepTime]:
        """The same times, with those of compiled fleets where compiling pays."""
        groups = [*self._groups(facts, times)]
        wanted = {each.job.id: each.job for group in groups for each in group.wanted}
        missing = [job for job in wanted.values() if not jobs.is_compiled(job)]
        made = self.collect(missing, "compiling", jobs.read_compilation) if missing else {}
        refused = {name for name, each in made.items() if each.refused}
        for reason in sorted({reason for name in refused for reason in made[name].refused}):
            self.tracker.say(say("Not compiled: {reason}.", reason=reason))
        found = dict(times)
        for group in groups:
            found |= {(group.facts.name, name): time for name, time in group.compiled(refused).items()}
        return found

    def _groups(self, facts: Iterable[TaskFacts], times: Times) -> Iterator[_Group]:
        for task, known in zip(self.spec.tasks, facts, strict=True):
            sizes: dict[tuple[int, str], list[Contender]] = {}
            for contender in self.spec.contenders:
                if not known.compiler_obstacle and engine_of(self.spec, contender, known) == "fleet":
                    kind = (batch_size_of(contender, known), str(dict(contender.axes)))
                    sizes.setdefault(kind, []).append(contender)
            for (batch_size, _), contenders in sizes.items():
                mine = {contender.name: times[known.name, contender.name] for contender in contenders}
                yield _Group(self, task.ref, known, batch_size, contenders, mine)


@dataclass(frozen=True)
class _Wanted:
    """Something to be compiled."""

    job: CompileJob
    contender: str
    part: Compiled


@dataclass
class _Group:
    """Contenders with one task, one batch size and the same axes, whose gradients are therefore the same program."""

    asked: Compilation
    task: TaskRef
    facts: TaskFacts
    batch_size: int
    contenders: Sequence[Contender]
    times: dict[str, StepTime]

    @cached_property
    def wanted(self) -> list[_Wanted]:
        """What is worth compiling."""
        spec = self.asked.spec
        found: list[_Wanted] = []
        for contender, part, seconds in self._candidates():
            job = jobs.compile(spec, self.task, contender, self.batch_size, TIMED_LANES, part)
            joins = bool(found) and found[0].part == "gradient"  # an update within the gradient's loop costs no call
            if spec.engine == "compiled" or joins or worth_compiling(part, seconds, jobs.is_compiled(job)):
                found.append(_Wanted(job, contender.name, part))
        return found

    def _candidates(self) -> Iterable[tuple[Contender, Compiled, float]]:
        """(contender, part, core-seconds that the part takes as it is); gradients are everybody's."""
        steps = steps_at_equal_samples(self.facts, self.batch_size)
        first = self.contenders[0]
        work = {
            name: Work(trials_of(first, self.asked.spec.protocol) * steps, time) for name, time in self.times.items()
        }
        yield first, "gradient", sum(each.core_seconds("gradient") for each in work.values())
        for contender in self.contenders:
            yield contender, "update", work[contender.name].core_seconds("update")

    def compiled(self, refused: Set[str]) -> dict[str, StepTime]:
        """The times by contender, and those of compiled fleets; `refused` are the ids of jobs that made nothing."""
        made = [each for each in self.wanted if each.job.id not in refused]
        updates = {each.contender for each in made if each.part == "update"}
        carrier = None
        if any(each.part == "gradient" for each in made):
            first = self.contenders[0]
            parts: tuple[Compiled, ...] = ("gradient", "update") if first.name in updates else ("gradient",)
            job = jobs.time(
                self.asked.spec, self.task, first, self.batch_size, [FleetCandidate(TIMED_LANES, compiled=parts)]
            )
            carrier = in_one_loop(self.asked.measure(job), self.times[first.name])
        return {name: with_compiled(time, carrier, name in updates) for name, time in self.times.items()}
