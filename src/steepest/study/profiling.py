"""Before training: describe the tasks, time the steps, make the plan. Nothing else runs while a step is timed."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

from steepest.errors import SevereWarning, StudyFolderError
from steepest.messages import say
from steepest.records.contender import Contender
from steepest.records.files import write_checked
from steepest.records.job_records import CompileJob, DescribeJob, FleetCandidate, TimeJob
from steepest.records.progress_record import Phase
from steepest.records.step_times import StepTime
from steepest.records.task_facts import SeedDraw, TaskFacts, TaskRef
from steepest.records.task_warnings import accepting, in_words, stopping
from steepest.study import jobs
from steepest.study.budget import plan_within
from steepest.study.compilation import Compilation
from steepest.study.execution import choose_mode, fit_to_memory, timings_agree
from steepest.study.executors import Executor
from steepest.study.planner import batch_size_of, engine_of, facts_for, plan_run, steps_at_equal_samples
from steepest.study.progress import ProgressTracker
from steepest.study.spec import Plan, StudySpec

T = TypeVar("T")
FactsJob = DescribeJob | TimeJob | CompileJob
"""What a study asks before it trains."""

POLL_SECONDS = 0.25
"""Seconds to wait for events before the listener is called again."""
MAX_MEMORY_RETRIES = 3
"""Times that a job may run out of memory and be done again: a worker that has had other tasks has less room than the
fresh one that takes its place."""


def profile(spec: StudySpec, folder: Path, executor: Executor, tracker: ProgressTracker) -> Plan:
    """The plan of a study; raises BadInput or DataUnavailable for a task that cannot be trained, BudgetTooSmall."""
    profiler = _Profiler(spec, folder, executor, tracker)
    facts = profiler.describe()
    _heed(facts, tracker)
    times, own_batch = profiler.time(facts)
    if spec.engine in ("auto", "compiled"):
        times = Compilation(spec, profiler.collect, profiler.measure, tracker).times(facts, times)
    share = None if spec.memory_bytes is None else spec.memory_bytes / spec.workers
    modes = {
        (known.name, contender.name): fit_to_memory(
            choose_mode(spec.engine, times[known.name, contender.name]), times[known.name, contender.name], share
        )
        for known in facts
        for contender in spec.contenders
        if engine_of(spec, contender, known) == "fleet"
    }
    return plan_within(spec, facts, times, own_batch, spent=tracker.sitting, modes=modes)


def _heed(facts: Sequence[TaskFacts], tracker: ProgressTracker) -> None:
    """Report the warnings of all tasks; raises SevereWarning for severe ones that were not accepted."""
    found = [(known.name, each) for known in facts for each in known.warnings]
    if says := stopping(found):
        raise SevereWarning(says)
    for name, each in found:
        tracker.say(say("{name}: {warning}", name=name, warning=in_words(each)))
    if found:
        tracker.tell("describing")


def with_axes(facts: TaskFacts, contenders: Sequence[Contender]) -> TaskFacts:
    """The facts of a task with all that a seed draws for these contenders, whose axes may drop out and augment."""
    own = set(facts.luck)
    drops = any(float(each.axes.get("dropout", SeedDraw.DROPOUT in own)) > 0 for each in contenders)
    changes = any(
        each.axes.get("augment", "none") != "none" or float(each.axes.get("word-dropout", 0)) > 0 for each in contenders
    )
    own.discard(SeedDraw.DROPOUT)
    if drops:
        own.add(SeedDraw.DROPOUT)
    if changes:
        own.add(SeedDraw.AUGMENTATION)
    known = [str(draw) for draw in SeedDraw if draw in own]
    others = [each for each in facts.luck if each not in [*SeedDraw]]
    return replace(facts, luck=(*known, *others))


class _Profiler:
    def __init__(self, spec: StudySpec, folder: Path, executor: Executor, tracker: ProgressTracker) -> None:
        self.spec, self.folder, self.executor, self.tracker = spec, folder, executor, tracker
        self._is_steady = False  # a step takes as long as it did when earlier studies measured it

    def describe(self) -> list[TaskFacts]:
        """The facts of every task of the study, all asked for at once."""
        wanted = [jobs.describe(task.ref) for task in self.spec.tasks]
        found = self.collect({job.id: job for job in wanted}.values(), "describing", jobs.read_facts)
        facts = [
            with_axes(facts_for(task, found[job.id]), self.spec.contenders)
            for task, job in zip(self.spec.tasks, wanted, strict=True)
        ]
        return [replace(known, warnings=accepting(known.warnings, self.spec.accept)) for known in facts]

    def time(
        self, facts: Iterable[TaskFacts]
    ) -> tuple[dict[tuple[str, str], StepTime], dict[tuple[str, str], StepTime]]:
        """The step times of every contender on every task: at its batch size; and, where horizons are of equal seconds,
        at the task's own. One after the other, each once."""
        at_its_batch: dict[tuple[str, str], TimeJob] = {}
        at_own_batch: dict[tuple[str, str], TimeJob] = {}
        for task, known in zip(self.spec.tasks, facts, strict=True):
            for contender in self.spec.contenders:
                pair = (known.name, contender.name)
                at_its_batch[pair] = self._timing(task.ref, contender, known, batch_size_of(contender, known))
                if task.equal == "seconds":
                    at_own_batch[pair] = self._timing(task.ref, contender, known, known.batch_size)
        found: dict[str, StepTime] = {}
        if not self.executor.is_local:  # all on one node, which takes them one by one
            wanted = {job.id: job for job in (*at_its_batch.values(), *at_own_batch.values())}
            found = self.collect(wanted.values(), "timing", jobs.read_time)
        for job in (*at_its_batch.values(), *at_own_batch.values()):
            if job.id not in found:
                found[job.id] = self.measure(job)

        def named(wanted: dict[tuple[str, str], TimeJob]) -> dict[tuple[str, str], StepTime]:
            return {
                (task, contender): replace(found[job.id], task=task, contender=contender)
                for (task, contender), job in wanted.items()
            }

        return named(at_its_batch), named(at_own_batch)

    def _timing(self, task: TaskRef, contender: Contender, facts: TaskFacts, batch_size: int) -> TimeJob:
        steps = steps_at_equal_samples(facts, batch_size)
        run = plan_run(self.spec, self.spec.protocol, contender, facts, steps, batch_size)
        candidates = [FleetCandidate(run.lanes)] if run.engine == "fleet" else []
        return jobs.time(self.spec, task, contender, batch_size, candidates)

    def measure(self, job: TimeJob) -> StepTime:
        """The result of a timing: that of an earlier study, once the machine has proved as fast as it was then."""
        path = jobs.facts_path(self.folder, job.id)
        if not self.executor.is_local:  # what is remembered are times of this machine
            return self.collect([job], "timing", jobs.read_time)[job.id]
        before = jobs.remembered_time(job)
        if before is not None and self._is_steady and not path.exists():
            write_checked(path, asdict(before))
            return before
        now = self.collect([job], "timing", jobs.read_time)[job.id]
        if before is not None:
            self._is_steady = timings_agree(before, now)
        jobs.remember_time(job, now)
        return now

    def collect(self, wanted: Iterable[FactsJob], phase: Phase, read: Callable[[Path], T]) -> dict[str, T]:
        """Submit the jobs whose result files are missing, and read all results."""
        wanted = list(wanted)
        found: dict[str, T] = {}
        tries: Counter[str] = Counter()
        for job in wanted:
            try:
                found[job.id] = read(jobs.facts_path(self.folder, job.id))
            except StudyFolderError:
                self.executor.submit(job)
        task = wanted[0].task.name if phase == "timing" else ""
        self.tracker.tell(phase, task)
        while len(found) < len(wanted):
            for event in self.executor.poll(POLL_SECONDS):
                if event.kind == "full" and tries[event.id] < MAX_MEMORY_RETRIES:
                    tries[event.id] += 1
                    self.executor.submit(next(job for job in wanted if job.id == event.id))
                elif event.kind in ("failed", "full", "lost", "hung"):
                    raise jobs.failure(event, self.folder)
                if event.kind == "done":
                    found[event.id] = read(jobs.facts_path(self.folder, event.id))
                elif event.kind in ("retried", "news") and event.message:
                    self.tracker.say(event.message)
            self.tracker.tell(phase, task)
        return found
