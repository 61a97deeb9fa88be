"""Drives a study: describe the tasks, time the steps, plan, then let protocol, executor and store do their parts.

The caller passes an executor, which is closed at the end. After Ctrl-C, `resume` continues with the folder.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from shlex import quote

from steepest.errors import BadInput, BadSetting, Interrupted
from steepest.messages import Message, enumerated, say
from steepest.records.job_records import Job, TrainJob
from steepest.records.outcomes import Outcome, Trace
from steepest.records.study_record import StudyRecord
from steepest.records.trials import Shard
from steepest.study import merging
from steepest.study.contender_run import ContenderRun
from steepest.study.execution import MAX_LANES
from steepest.study.executors import Event, Executor, FunctionExecutor
from steepest.study.growth import check_finished, grow
from steepest.study.jobs import failure
from steepest.study.notices import about_changes, about_few_seeds, about_lost_trials, about_reused_trials
from steepest.study.profiling import POLL_SECONDS, profile
from steepest.study.progress import Listener, ProgressTracker
from steepest.study.settings_search import check_searches
from steepest.study.silence import patience
from steepest.study.spec import Plan, StudySpec
from steepest.study.store import Store, read, traces
from steepest.study.trial_cache import TrialCache

Settled = Callable[[StudyRecord, Mapping[str, Trace]], Collection[str]]
"""Names the tasks of a study whose verdict is sure, from the study and its curves by shard. It may look at results
only: a resumed study asks it again, and must get the same answer."""
MAX_OVERRUN = 1.05
"""A study gives something up on the way when its forecast exceeds this many times the budget."""
SAVE_SECONDS_EVERY = 2.0
"""Seconds between notes of the wall time: a killed study loses at most this much."""


def never(study: StudyRecord, curves: Mapping[str, Trace]) -> Collection[str]:
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
    reuse: bool = False,
) -> StudyRecord:
    """Make a study in a new folder, and return it finished. `settled` is asked at each look, where the protocol adds
    seeds only until the verdict is sure. A budget counts from when it `began`, by `monotonic()`, or else from now.
    `reuse`: take trials that another study on this machine has trained, and leave those of this one to others.

    Raises BadInput for a spec, task or budget that nothing can be made of, leaving no folder behind; StudyFolderError
    for a folder that cannot be used; TrialFailed where the training itself is broken; Interrupted on Ctrl-C.
    """
    try:
        with Store.create(folder, spec.check(), overwrite) as store:
            try:
                return _finish(store, executor, listener, settled, began, reuse=reuse)
            except BadInput:
                if store.spec.plan is None:
                    executor.close()
                    store.discard()
                raise
    finally:
        executor.close()


def resume(
    folder: Path,
    executor: Executor,
    listener: Listener | None = None,
    settled: Settled = never,
    retry_killed: bool = False,
) -> StudyRecord:
    """Go on with the study in `folder` and return it finished. What is done is read, never trained again, and the final
    rows and curves are, bit for bit, those of a study that was never interrupted. Raises as `run` does.

    `retry_killed` has the trials that the machine has ended trained again.
    """
    try:
        with Store.open(folder) as store:
            return _finish(store, executor, listener, settled, remarks=about_lost_trials(store, retry_killed))
    finally:
        executor.close()


def extend(
    folder: Path,
    spec: StudySpec,
    executor: Executor,
    listener: Listener | None = None,
    settled: Settled = never,
    reuse: bool = False,
) -> StudyRecord:
    """Make the finished study in `folder` the one of this spec, which `growth.whole` has made from its own, and return
    it finished. Only what is new is trained. Killed in between, `resume` goes on. Raises as `run` does."""
    try:
        check_finished(folder, read(folder).finished)
        with Store.open(folder) as store:
            known = grow(store, spec, executor, listener)
            if reuse and executor.is_local:
                store.cache = TrialCache(folder, known)
            return _finish(store, executor, listener, settled)
    finally:
        executor.close()


def merge(
    parts: Sequence[merging.Part],
    spec: StudySpec,
    folder: Path,
    executor: Executor | None,
    listener: Listener | None = None,
    settled: Settled = never,
) -> StudyRecord:
    """Put studies together in a new folder, as the study of this spec, which `merging.merged` has made, and return it.
    The executor trains again the few trials whose test examples are missing; without one, they stay missing."""
    nobody = executor or FunctionExecutor(_refuse)
    try:
        with Store.create(folder, spec) as store:
            try:
                store.only_known = executor is None
                merging.fill(store, parts)
                return _finish(store, nobody, listener, settled)
            except BadInput:
                store.discard()
                raise
    finally:
        nobody.close()


def _refuse(job: Job) -> None:
    raise BadSetting(f"The studies together lack the trials of {job.id}. Resume one of them first: steepest resume")


def forecast(spec: StudySpec, folder: Path, executor: Executor, listener: Listener | None = None) -> Plan:
    """What `run` would do and cost: describes the tasks and times the steps in `folder`, and trains nothing."""
    try:
        return profile(spec.check(), folder, executor, ProgressTracker(listener, spec.asked_trials()))
    finally:
        executor.close()


def _finish(
    store: Store,
    executor: Executor,
    listener: Listener | None,
    settled: Settled,
    began: float | None = None,
    remarks: Iterable[Message] = (),
    reuse: bool = False,
) -> StudyRecord:
    tracker = ProgressTracker(listener, store.spec.asked_trials(), store.seconds(), began)
    for remark in remarks:
        tracker.say(remark)
    try:
        if store.spec.plan is None:
            plan = profile(store.spec, store.folder, executor, tracker)
            store.check_place()
            store.save_plan(plan)
            if reuse and executor.is_local:
                store.cache = TrialCache(store.folder, {known.name: known for known in plan.facts})
        _train(store, executor, tracker, settled)
        store.spend(tracker.sitting)
    except KeyboardInterrupt:
        with suppress(KeyboardInterrupt):  # again: what follows is said all the same
            executor.close()
            store.spend(tracker.sitting)
        raise Interrupted(
            f"Stopped with {tracker.trials_done} of {tracker.trials_planned} trials done, which are kept. "
            f"Go on with: steepest resume {quote(str(store.folder))}"
        ) from None
    tracker.tell("finished")
    return read(store.folder)


def _train(store: Store, executor: Executor, tracker: ProgressTracker, settled: Settled) -> None:
    """Run all contenders to their end at once: the rows of any finished shard may lead to new shards. Then, look by
    look, add seeds for the tasks whose verdict is not sure yet."""
    check_searches(store.spec.searches)
    contender_runs = _contender_runs(store.spec)
    dispatcher = _Dispatcher(store, executor, tracker)
    for contender_run in contender_runs:
        dispatcher.ask(contender_run, contender_run.begin())
    for sentence in (*store.repairs, *about_few_seeds(store.spec), *about_changes(store.spec)):
        tracker.say(sentence)
    plan = store.spec.plan
    assert plan is not None
    looks = plan.protocol.looks

    def train(until_look: bool) -> None:
        planned = sum(contender_run.planned for contender_run in contender_runs)
        tracker.follow(contender_runs, executor.workers, planned, until_look)
        dispatcher.wait()

    train(until_look=len(looks) > 1)
    open_ = contender_runs
    for done, seeds in pairwise(looks):
        so_far = _snapshot(store, contender_runs)
        sure = settled(so_far, traces(store.folder, so_far))
        open_ = [contender_run for contender_run in open_ if contender_run.plan.task not in sure]
        if not open_:
            break
        names = [*dict.fromkeys(contender_run.plan.task for contender_run in open_)]
        tracker.say(
            say(
                "After {done} seeds the verdict is still open on {names}: going on to {seeds}.",
                done=done,
                names=enumerated(names),
                seeds=seeds,
            )
        )
        first = plan.protocol.first_seed
        for contender_run in open_:
            dispatcher.ask(contender_run, contender_run.more(range(first + done, first + seeds)))
        train(until_look=seeds < looks[-1])
    store.keep_only(dispatcher.asked)
    for says in about_reused_trials(store):
        tracker.say(says)
        store.remark(says)
    store.finish()


def _snapshot(store: Store, contender_runs: Sequence[ContenderRun]) -> StudyRecord:
    """The study as if it ended here: only results that were asked for, not others that an earlier sitting has left."""
    return replace(
        read(store.folder),
        finished=True,
        results=tuple(row for contender_run in contender_runs for row in contender_run.results),
    )


def _contender_runs(spec: StudySpec) -> list[ContenderRun]:
    """The longest first, so that no core is left alone with it in the end."""
    plan = spec.plan
    assert plan is not None
    contenders = {contender.name: contender for contender in spec.contenders}
    protocol = replace(plan.protocol, seeds=plan.protocol.looks[0])
    facts = {known.name: known for known in plan.facts}
    times = {(time.task, time.contender): time for time in plan.times}
    contender_runs = [
        ContenderRun(spec, contenders[run.contender], protocol, run, facts[run.task], times[run.task, run.contender])
        for run in plan.runs
    ]
    return sorted(contender_runs, key=lambda contender_run: -contender_run.cost)


def lanes_at_a_time(shard: Shard) -> int:
    """At most, as far as a planner can tell."""
    return 1 if shard.engine == "solo" else min(shard.width or MAX_LANES, len(shard.lanes))


def narrower(shard: Shard) -> Shard | None:
    """A shard with a quarter of its lanes at a time; with a single lane, as trials alone; None where it is that."""
    if shard.engine == "solo":
        return None
    lanes = lanes_at_a_time(shard)
    if lanes == 1:
        return replace(shard, engine="solo", width=0, compiled=())
    return replace(shard, width=max(1, lanes // 4))


class _Dispatcher:
    """Submits shards to the executor and hands their results to the contender runs that asked for them."""

    def __init__(self, store: Store, executor: Executor, tracker: ProgressTracker) -> None:
        self.store, self.executor, self.tracker = store, executor, tracker
        self.waiting: dict[str, tuple[ContenderRun, Shard]] = {}
        self.asked: set[str] = set()
        self.held: list[tuple[ContenderRun, Shard]] = []
        """Where a budget has to be kept: what comes after the grids, until all are done and it is seen what is left."""
        plan = store.spec.plan
        assert plan is not None
        self.holds = store.spec.budget_seconds is not None and plan.protocol.after_grid > 0
        self.sent: dict[str, Shard] = {}
        """How each shard was last sent to be trained."""
        self.narrowed: dict[ContenderRun, Shard] = {}
        """How the shards of a contender run are trained since memory ran out for one of them."""

    def ask(self, contender_run: ContenderRun, shards: Iterable[Shard]) -> None:
        """Have shards trained; those that are done already, and what they lead to, are taken from the store."""
        shards = list(shards)
        while shards:
            shard = shards.pop(0)
            self.asked.add(shard.id)
            rows = self.store.recall(shard) or self.store.assemble(shard)
            is_extra = shard.lanes[0].stage != "grid"
            if rows is None and is_extra and self.holds:
                self.held.append((contender_run, shard))
            elif rows is None:
                self._submit(contender_run, shard)
            else:
                self.holds = self.holds and not is_extra  # an earlier sitting has seen that there is time
                self.tracker.recalled(contender_run.seconds(shard))
                shards += contender_run.take(shard, rows)

    def wait(self) -> None:
        """Until nothing is with the executor any more."""
        self.tracker.tell("training")
        noted = self.tracker.sitting
        while self.waiting or self.held:
            if not self.waiting:
                self._go_on_or_give_up()
            events = self.executor.poll(POLL_SECONDS)
            self.store.check_place()  # before anything is looked for, or made again, where the folder no longer is
            with self.store.at_once() if len(events) > 1 else nullcontext():
                for event in events:
                    self.handle(event)
            if self.tracker.sitting - noted > SAVE_SECONDS_EVERY:
                noted = self.tracker.sitting
                self.store.spend(noted)
            self.tracker.tell("training")

    def _go_on_or_give_up(self) -> None:
        """All grids are done: by the pace so far, does the budget leave time for the rates around the best? They are
        given up for all or for none, or contenders would not be tuned alike."""
        held, self.held, self.holds = self.held, [], False
        plan, budget, left = self.store.spec.plan, self.store.spec.budget_seconds, self.tracker.seconds_left()
        assert plan is not None
        if budget is None or left is None or self.tracker.spent + left <= MAX_OVERRUN * budget:
            for contender_run, shard in held:
                self._submit(contender_run, shard)
            return
        says = say(
            "Refinement and the edge rule ({n} more rates for every optimizer) were given up on the way, "
            "as training took longer than forecast.",
            n=plan.protocol.extra_rates,
        )
        if plan.protocol.more_trials:
            says = say(
                "All trials beyond the grid of rates ({n} for every optimizer and seed) were given up on the way, as "
                "training took longer than forecast.",
                n=plan.protocol.after_grid,
            )
        for contender_run in {id(contender_run): contender_run for contender_run, _ in held}.values():
            contender_run.end_here()
        less = {"protocol": replace(plan.protocol, extra_rates=0, more_trials=0), "given_up": (*plan.given_up, says)}
        self.store.save_plan(plan.model_copy(update=less))
        self.tracker.say(says)

    def handle(self, event: Event) -> None:
        if event.kind == "news":
            self.tracker.say(event.message)
            return
        contender_run, shard = self.waiting[event.id]
        match event.kind:
            case "progress":
                contender_run.started(shard)
                self.tracker.underway(event.id, event.done * contender_run.seconds(shard))
            case "retried":
                self.tracker.over(event.id)
                if event.message:
                    self.tracker.say(event.message)
            case "full":
                self.tracker.over(event.id)
                self._ran_out(contender_run, shard)
            case "failed":
                raise failure(event, self.store.folder)
            case "done" | "lost" | "hung":
                del self.waiting[event.id]
                self.tracker.over(event.id)
                if event.kind != "done":
                    self.tracker.say(event.message)
                    rows = self.store.give_up(shard, Outcome.KILLED if event.kind == "lost" else Outcome.TIMEOUT)
                else:
                    whole = self.sent[shard.id] == shard
                    rows = self.store.take_in(shard, event.seconds)
                    if whole and self.store.cache is not None:
                        self.store.cache.keep(shard, self.store.folder / "curves" / f"{shard.id}.npz")
                self.ask(contender_run, contender_run.take(shard, rows))

    def _ran_out(self, contender_run: ContenderRun, shard: Shard) -> None:
        """Memory has run out at a shard: it is tried again with fewer lanes at a time, as are those that follow."""
        sent = self.sent[shard.id]
        fewer = narrower(sent)
        where = {"who": shard.contender.name, "task": shard.task.name}
        if fewer is None:
            self._remark(
                say(
                    "Memory ran out on {task} even where {who} trained one model at a time: {n} runs have no result.",
                    n=len(shard.lanes),
                    **where,
                )
            )
            del self.waiting[sent.id]
            self.ask(contender_run, contender_run.take(shard, self.store.give_up(shard, Outcome.OOM)))
            return
        known = self.narrowed.get(contender_run)
        if known is None or (lanes_at_a_time(known), known.engine != "solo") > (lanes_at_a_time(fewer), False):
            self.narrowed[contender_run] = fewer
        self._remark(
            say(
                "Memory ran out on {task} where {who} trained {n} runs at a time; it went on with {few} at a time.",
                n=lanes_at_a_time(sent),
                few=lanes_at_a_time(fewer),
                **where,
            )
        )
        self._submit(contender_run, shard)

    def _remark(self, says: Message) -> None:
        self.tracker.say(says)
        self.store.remark(says)

    def _submit(self, contender_run: ContenderRun, shard: Shard) -> None:
        """Have a shard trained as narrow as its contender run has become, but with its own id: the result is the same
        up to rounding."""
        rest = self.store.rest(shard)
        self.waiting[rest.id] = contender_run, shard
        known = self.narrowed.get(contender_run)
        if known is not None:
            self.sent[shard.id] = replace(rest, engine=known.engine, width=known.width, compiled=known.compiled)
        else:
            self.sent[shard.id] = rest
        seconds = contender_run.seconds(shard) + contender_run.load_seconds
        self.executor.submit(TrainJob(self.sent[shard.id]), patience(seconds, bool(shard.compiled)), seconds)
