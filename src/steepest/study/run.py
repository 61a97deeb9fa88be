"""Drives a study: describe the tasks, time the steps, plan, then let protocol, executor and store do their parts.

Whoever calls gives an executor, which is closed in the end. Ctrl-C leaves a folder that `resume` goes on with.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from steepest.errors import BadInput, Interrupted
from steepest.language import Text, enumerated, say
from steepest.records.outcomes import Outcome
from steepest.records.study_record import StudyRecord
from steepest.records.trials import Shard
from steepest.study.contender_run import Course
from steepest.study.environment import versions
from steepest.study.execution import MOST
from steepest.study.executors import Event, Executor
from steepest.study.jobs import failure, train
from steepest.study.profiling import PATIENCE, survey
from steepest.study.progress import Listener, Watch
from steepest.study.spec import Plan, StudySpec
from steepest.study.store import Store, read

Settled = Callable[[StudyRecord], Collection[str]]
"""Names the tasks of a study whose verdict is sure. It may look at results only: a resumed study asks it again, and
must get the same answer."""
LATE = 1.05
"""Times the budget that a study may be expected to take before something is given up on the way."""
NOTE_EVERY = 2.0
"""Seconds of wall time that a killed study may lose count of."""


def never(study: StudyRecord) -> Collection[str]:
    """No verdict is ever sure: every task gets all its seeds."""
    return ()


def run(
    spec: StudySpec,
    folder: Path,
    executor: Executor,
    listener: Listener | None = None,
    overwrite: bool = False,
    settled: Settled = never,
    began: float | None = None,
) -> StudyRecord:
    """Make a study in a new folder, and return it finished. `settled` is asked at each look, where the protocol adds
    seeds only until the verdict is sure. A budget counts from when it `began`, by `monotonic()`, or else from now.

    Raises BadInput for a spec, task or budget that nothing can be made of, leaving no folder behind; StudyFolderError
    for a folder that cannot be used; TrialFailed where the training itself is broken; Interrupted on Ctrl-C.
    """
    try:
        with Store.create(folder, spec.check(), overwrite) as store:
            try:
                return _finish(store, executor, listener, settled, began)
            except BadInput:
                if store.spec.plan is None:
                    executor.close()
                    store.discard()
                raise
    finally:
        executor.close()


def resume(folder: Path, executor: Executor, listener: Listener | None = None, settled: Settled = never) -> StudyRecord:
    """Go on with the study in `folder` and return it finished. What is done is read, never trained again, and the final
    rows and curves are, bit for bit, those of a study that was never interrupted. Raises as `run` does.
    """
    try:
        with Store.open(folder) as store:
            return _finish(store, executor, listener, settled)
    finally:
        executor.close()


def forecast(spec: StudySpec, folder: Path, executor: Executor, listener: Listener | None = None) -> Plan:
    """What `run` would do and cost: describes the tasks and times the steps in `folder`, and trains nothing."""
    try:
        return survey(spec.check(), folder, executor, Watch(listener, spec.asked_trials()))
    finally:
        executor.close()


def _finish(
    store: Store, executor: Executor, listener: Listener | None, settled: Settled, began: float | None = None
) -> StudyRecord:
    watch = Watch(listener, store.spec.asked_trials(), store.seconds(), began)
    try:
        if store.spec.plan is None:
            store.save_plan(survey(store.spec, store.folder, executor, watch))
        _train(store, executor, watch, settled)
        store.spend(watch.sitting)
    except KeyboardInterrupt:
        executor.close()
        store.spend(watch.sitting)
        raise Interrupted(
            f"Stopped with {watch.trials_done} of {watch.trials_planned} trials done, which are kept. "
            f"Go on with: steepest resume {store.folder}"
        ) from None
    watch.tell("finished")
    return read(store.folder)


def _train(store: Store, executor: Executor, watch: Watch, settled: Settled) -> None:
    """Every course to its end, all at once: whichever shard is done, its rows may bring new shards. Then, look by look,
    more seeds for the tasks whose verdict is not sure yet."""
    courses = _courses(store.spec)
    orders = _Orders(store, executor, watch)
    for course in courses:
        orders.ask(course, course.begin())
    for sentence in (*store.repairs, *_changes(store.spec)):
        watch.say(sentence)
    watch.follow(courses, executor.workers, sum(course.planned for course in courses))
    orders.wait()
    plan = store.spec.plan
    assert plan is not None
    open_ = courses
    for done, seeds in pairwise(plan.protocol.looks):
        sure = settled(_as_it_stands(store, courses))
        open_ = [course for course in open_ if course.run.task not in sure]
        if not open_:
            break
        names = [*dict.fromkeys(course.run.task for course in open_)]
        watch.say(
            say(
                "After {done} seeds the verdict is still open on {names}: going on to {seeds}.",
                "用完 {done} 个种子后，{names} 上的结论仍未确定：继续做到 {seeds} 个种子。",
                done=done,
                names=enumerated(names, ", ", "、"),
                seeds=seeds,
            )
        )
        first = plan.protocol.first_seed
        for course in open_:
            orders.ask(course, course.more(range(first + done, first + seeds)))
        watch.follow(courses, executor.workers, sum(course.planned for course in courses))
        orders.wait()
    store.finish()


def _as_it_stands(store: Store, courses: Sequence[Course]) -> StudyRecord:
    """The study as if it ended here: what the courses have asked for, whatever else an earlier sitting has left."""
    return replace(
        read(store.folder), finished=True, results=tuple(row for course in courses for row in course.results)
    )


def _changes(spec: StudySpec) -> Iterator[Text]:
    """What is not as it was when the study began, and could change a result."""
    now = versions()
    changed = [
        say("{name} was {before}, is {now}", "{name} 原为 {before}，现为 {now}", name=name, before=version, now=found)
        for name, version in spec.versions.items()
        if (found := str(now.get(name))) != version
    ]
    if changed:
        yield say(
            "Versions have changed ({changes}): new trials may differ from old ones in their last bits.",
            "版本有变（{changes}）：新的训练与旧的可能在最后几位上不同。",
            changes=enumerated(changed, "; ", "；"),
        )


def _courses(spec: StudySpec) -> list[Course]:
    """The longest first, so that no core is left alone with it in the end."""
    plan = spec.plan
    assert plan is not None
    contenders = {contender.name: contender for contender in spec.contenders}
    protocol = replace(plan.protocol, seeds=plan.protocol.looks[0])
    facts = {known.name: known for known in plan.facts}
    times = {(time.task, time.contender): time for time in plan.times}
    courses = [
        Course(
            spec,
            contenders[run.contender],
            protocol,
            run,
            facts[run.task],
            times[run.task, run.contender],
        )
        for run in plan.runs
    ]
    return sorted(courses, key=lambda course: -course.cost)


def lanes_at_a_time(shard: Shard) -> int:
    """At most, as far as a planner can tell."""
    return 1 if shard.engine == "solo" else min(shard.width or MOST, len(shard.lanes))


def narrower(shard: Shard) -> Shard | None:
    """A shard with a quarter of its lanes at a time; with a single lane, as trials alone; None where it is that."""
    if shard.engine == "solo":
        return None
    lanes = lanes_at_a_time(shard)
    if lanes == 1:
        return replace(shard, engine="solo", width=0, compiled=())
    return replace(shard, width=max(1, lanes // 4))


class _Orders:
    """What is with the executor, and for whom."""

    def __init__(self, store: Store, executor: Executor, watch: Watch) -> None:
        self.store, self.executor, self.watch = store, executor, watch
        self.waiting: dict[str, tuple[Course, Shard]] = {}
        self.held: list[tuple[Course, Shard]] = []
        """Where a budget has to be kept: what comes after the grids, until all are done and it is seen what is left."""
        plan = store.spec.plan
        assert plan is not None
        self.holds = store.spec.budget_seconds is not None and plan.protocol.extra_rates > 0
        self.sent: dict[str, Shard] = {}
        """How each shard was last sent to be trained."""
        self.narrowed: dict[Course, Shard] = {}
        """How the shards of a course are trained since memory has run out at one."""

    def ask(self, course: Course, shards: Iterable[Shard]) -> None:
        """Have shards trained; those that are done already, and what they lead to, are taken from the store."""
        shards = list(shards)
        while shards:
            shard = shards.pop(0)
            rows = self.store.recall(shard)
            is_extra = shard.lanes[0].stage != "grid"
            if rows is None and is_extra and self.holds:
                self.held.append((course, shard))
            elif rows is None:
                self.waiting[shard.id] = course, shard
                self._submit(course, shard)
            else:
                self.holds = self.holds and not is_extra  # an earlier sitting has seen that there is time
                shards += course.take(shard, rows)

    def wait(self) -> None:
        """Until nothing is with the executor any more."""
        self.watch.tell("training")
        noted = self.watch.sitting
        while self.waiting or self.held:
            if not self.waiting:
                self._go_on_or_give_up()
            for event in self.executor.poll(PATIENCE):
                self.handle(event)
            if self.watch.sitting - noted > NOTE_EVERY:
                noted = self.watch.sitting
                self.store.spend(noted)
            self.watch.tell("training")

    def _go_on_or_give_up(self) -> None:
        """All grids are done: by the pace so far, does the budget leave time for the rates around the best? They are
        given up for all or for none, or contenders would not be tuned alike."""
        held, self.held, self.holds = self.held, [], False
        plan, budget, left = self.store.spec.plan, self.store.spec.budget_seconds, self.watch.seconds_left()
        assert plan is not None
        if budget is None or left is None or self.watch.spent + left <= LATE * budget:
            for course, shard in held:
                self.waiting[shard.id] = course, shard
                self._submit(course, shard)
            return
        says = say(
            "Refinement and the edge rule ({n} more rates for every optimizer) were given up on the way, "
            "as training took longer than forecast.",
            "由于训练比预计的慢，中途放弃了细化和边界规则（每个优化器再多试 {n} 个学习率）。",
            n=plan.protocol.extra_rates,
        )
        for course in {id(course): course for course, _ in held}.values():
            course.end_here()
        less = {
            "protocol": replace(plan.protocol, extra_rates=0),
            "given_up": (*plan.given_up, says.en),
            "given_up_zh": (*(plan.given_up_zh or plan.given_up), says.zh),
        }
        self.store.save_plan(plan.model_copy(update=less))
        self.watch.say(says)

    def handle(self, event: Event) -> None:
        course, shard = self.waiting[event.id]
        match event.kind:
            case "progress":
                course.started(shard)
                self.watch.underway(shard.id, event.done * course.seconds(shard))
            case "retried":
                self.watch.over(shard.id)
                self.watch.say(event.says)
            case "full":
                self.watch.over(shard.id)
                self._ran_out(course, shard)
            case "failed":
                raise failure(event, self.store.folder)
            case "done" | "lost":
                del self.waiting[shard.id]
                self.watch.over(shard.id)
                if event.kind == "lost":
                    self.watch.say(event.says)
                    rows = self.store.give_up(shard, Outcome.KILLED)
                else:
                    rows = self.store.take_in(shard, event.seconds)
                self.ask(course, course.take(shard, rows))

    def _ran_out(self, course: Course, shard: Shard) -> None:
        """Memory has run out at a shard: it is tried again with fewer lanes at a time, as are those that follow."""
        sent = self.sent[shard.id]
        fewer = narrower(sent)
        where = {"who": shard.contender.name, "task": shard.task.name}
        if fewer is None:
            self._remark(
                say(
                    "Memory ran out on {task} even where {who} trained one model at a time: {n} runs have no result.",
                    "在 {task} 上，即使 {who} 每次只训练一个模型，内存也不足：{n}次训练没有结果。",
                    n=len(shard.lanes),
                    **where,
                )
            )
            del self.waiting[shard.id]
            self.ask(course, course.take(shard, self.store.give_up(shard, Outcome.OOM)))
            return
        known = self.narrowed.get(course)
        if known is None or (lanes_at_a_time(known), known.engine != "solo") > (lanes_at_a_time(fewer), False):
            self.narrowed[course] = fewer
        self._remark(
            say(
                "Memory ran out on {task} where {who} trained {n} runs at a time; it went on with {few} at a time.",
                "在 {task} 上 {who} 同时训练{n}次时内存不足，此后每次同时训练{few}次。",
                n=lanes_at_a_time(sent),
                few=lanes_at_a_time(fewer),
                **where,
            )
        )
        self._submit(course, shard)

    def _remark(self, says: Text) -> None:
        self.watch.say(says)
        self.store.remark(says)

    def _submit(self, course: Course, shard: Shard) -> None:
        """Have a shard trained as narrow as its course has become, but under its own name: what comes of it is the same
        up to rounding."""
        known = self.narrowed.get(course)
        if known is not None:
            self.sent[shard.id] = replace(shard, engine=known.engine, width=known.width, compiled=known.compiled)
        else:
            self.sent[shard.id] = shard
        self.executor.submit(train(self.sent[shard.id]))
