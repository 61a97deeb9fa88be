"""A study from start to end: what is run, what is kept, what is told, and what is never run twice."""

import shutil
from dataclasses import replace

import pytest
from study import toy

from steepest.errors import BadSetting, BadTask, BudgetTooSmall, Interrupted, StudyFolderError, TrialFailed, UnknownName
from steepest.messages import verbatim
from steepest.records.outcomes import Outcome
from steepest.records.ranking import pick
from steepest.records.study_record import StudyDesign
from steepest.records.task_facts import TaskRef
from steepest.study.executors import Event, FunctionExecutor
from steepest.study.run import forecast, resume, run
from steepest.study.spec import TaskSpec
from steepest.study.store import read, traces


@pytest.fixture(autouse=True)
def nothing_remembered(tmp_path, monkeypatch):
    """No times of earlier studies."""
    monkeypatch.setenv("STEEPEST_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "study"


def curves(folder):
    """Every curves file by name and content."""
    return {path.name: path.read_bytes() for path in sorted((folder / "curves").iterdir())}


def study(folder, *rules, **changes):
    return run(toy.spec(*rules, **changes), folder, toy.executor(folder))


def test_a_study_ends_with_every_trial_of_every_contender(folder):
    record = study(folder, "inside", "edge", "low", tasks=("toy", "other"))
    assert record.finished
    assert record.trials_planned == len(record.results) == 2 * 3 * 13 * 4
    for task in ("toy", "other"):
        for contender in ("inside", "edge", "low"):
            mine = [row for row in record.results if (row.task, row.contender) == (task, contender)]
            assert len({(row.rate, row.seed) for row in mine}) == len(mine) == 13 * 4
    stages = {row.contender: {other.stage for other in record.results if other.contender == row.contender}
              for row in record.results}  # fmt: skip
    assert stages == {"inside": {"grid", "refine"}, "edge": {"grid", "extend", "refine"}, "low": {"grid", "extend"}}


def test_rows_say_what_the_curves_say(folder):
    record = study(folder, "inside")
    found = traces(folder)
    for row in record.results:
        trace = found[row.shard]
        assert trace.outcome[row.lane] is row.outcome
        if row.outcome is Outcome.OK:
            assert row.valid_metric == trace.valid_metric[row.lane, -1]
            assert row.test_metric == trace.test_metric[row.lane]
        else:
            assert row.outcome_step == 3
            values = (row.train_loss, row.valid_loss, row.valid_metric, row.test_loss, row.test_metric)
            assert values == (None,) * 5
    assert {row.outcome for row in record.results} == {Outcome.OK, Outcome.DIVERGED}


def test_the_record_holds_what_was_asked_and_found(folder):
    asked = toy.spec("inside", "edge")
    record = run(asked, folder, toy.executor(folder))
    assert record == read(folder)
    assert (record.name, record.command, record.reference) == (asked.name, asked.command, "inside")
    assert record.tasks == (toy.FACTS,)
    assert record.contenders == asked.contenders
    assert {(time.task, time.contender) for time in record.times} == {("toy", "inside"), ("toy", "edge")}
    assert record.seconds > 0
    assert {"python", "torch", "numpy", "steepest"} <= set(record.versions)
    assert record.hardware["cores"]


def test_test_values_cannot_change_what_is_run(folder, tmp_path, monkeypatch):
    record = study(folder, "inside")
    honest = toy.trace
    monkeypatch.setattr(toy, "trace", lambda shard: replace(honest(shard), test_metric=-honest(shard).test_metric))
    other = study(tmp_path / "other", "inside")
    assert [(row.rate, row.seed) for row in other.results] == [(row.rate, row.seed) for row in record.results]
    assert {row.test_metric for row in other.results} != {row.test_metric for row in record.results}


def test_the_order_in_which_shards_are_done_changes_nothing(folder, tmp_path):
    class Backwards:
        """Does the newest job first, two at a time."""

        workers, is_local = 2, True

        def __init__(self, folder):
            self.folder, self.jobs = folder, []

        def submit(self, job, patience=None, seconds=0.0):
            self.jobs.append(job)

        def poll(self, timeout):
            events = []
            for job in (self.jobs.pop() for _ in range(min(2, len(self.jobs)))):
                toy.work(job, self.folder)
                events.append(Event("done", job.id))
            return events

        def close(self):
            pass

    asked = toy.spec("inside", "edge", "low")
    there = tmp_path / "other"
    assert run(asked, there, Backwards(there)).results == run(asked, folder, toy.executor(folder)).results
    assert curves(there) == curves(folder)


def test_a_finished_study_is_read_and_nothing_is_run_again(folder):
    record = study(folder)
    done = []
    assert replace(resume(folder, toy.executor(folder, done)), seconds=record.seconds) == record
    assert done == []


@pytest.mark.parametrize("stop_after", range(0, 14, 2))
def test_an_interrupted_study_goes_on_where_it_stopped_and_ends_the_same(folder, tmp_path, stop_after):
    whole = study(tmp_path / "whole")
    jobs = []

    def stop(job):
        if len(jobs) == stop_after:
            raise KeyboardInterrupt
        jobs.append(job.id)
        toy.work(job, folder)

    executor = toy.executor(folder)
    executor._run_job = stop
    try:
        run(toy.spec(), folder, executor)
    except Interrupted as stopped:
        assert f"steepest resume {folder}" in str(stopped)
        assert not read(folder).finished
    done = []
    record = resume(folder, toy.executor(folder, done))
    assert not {job.id for job in done} & set(jobs), "what was done is not done again"
    assert record.results == whole.results
    assert curves(folder) == curves(tmp_path / "whole")


def test_curves_that_were_finished_but_not_taken_in_are_not_run_again(folder, tmp_path):
    whole = study(tmp_path / "whole")

    class DiesBeforeIngest(FunctionExecutor):
        def poll(self, timeout):
            events = super().poll(timeout)
            if events and events[0].id.startswith("toy.inside.grid"):
                raise KeyboardInterrupt
            return events

    with pytest.raises(Interrupted):
        run(toy.spec(), folder, DiesBeforeIngest(lambda job: toy.work(job, folder)))
    left = set(curves(folder))
    assert len(left) == 1 and not read(folder).results
    done = []
    assert resume(folder, toy.executor(folder, done)).results == whole.results
    assert not {f"{job.id}.npz" for job in done} & left


def test_times_are_measured_once_so_that_a_resumed_study_keeps_its_plan(folder):
    jobs = []
    executor = toy.executor(folder, jobs)
    plain = executor._run_job

    def stop_at_training(job):
        if job.kind == "train":
            raise KeyboardInterrupt
        plain(job)

    executor._run_job = stop_at_training
    with pytest.raises(Interrupted):
        run(toy.spec(), folder, executor)
    again = []
    resume(folder, toy.executor(folder, again))
    assert {job.kind for job in jobs} == {"describe", "time"}
    assert {job.kind for job in again} == {"train"}


def test_a_step_is_timed_while_nothing_else_runs(folder):
    queues = []

    class Sees(FunctionExecutor):
        def submit(self, job, patience=None, seconds=0.0):
            super().submit(job, patience)
            queues.append([job.kind for job in self._queue])

    run(toy.spec("inside", "edge", tasks=("toy", "other")), folder, Sees(lambda job: toy.work(job, folder)))
    timing = [queue for queue in queues if "time" in queue]
    assert len(timing) == 4
    assert all(queue == ["time"] for queue in timing)


def test_equal_seconds_ask_for_the_time_at_the_tasks_own_batch_size_too(folder):
    contenders = (toy.contender("inside", name="inside@8", batch_size=8),)
    tasks = (
        TaskSpec(ref=TaskRef("toy", "catalogue", "toy")),
        TaskSpec(ref=TaskRef("toy (equal seconds)", "catalogue", "toy"), equal="seconds"),
    )
    done = []
    asked = toy.spec(contenders=contenders, reference="inside@8", protocol=StudyDesign(seeds=1))
    record = run(asked.model_copy(update={"tasks": tasks}), folder, toy.executor(folder, done))
    assert [job.kind for job in done].count("describe") == 1, "both variants are one task"
    assert sorted(job.batch_size for job in done if job.kind == "time") == [8, 64]
    steps = {row.task: row.steps for row in record.results}
    assert steps == {"toy": 800, "toy (equal seconds)": round(100 * 1.0 / 0.5625)}


# ---- what is told ----------------------------------------------------------------------------------------------------


def test_progress_counts_up_to_the_plan_and_ends_finished(folder):
    seen = []
    run(toy.spec("inside", "low"), folder, toy.executor(folder), seen.append)
    assert [seen[0].phase, seen[-1].phase] == ["describing", "finished"]
    phases = [progress.phase for progress in seen]
    assert sorted(phases, key=["describing", "timing", "training", "finished"].index) == phases
    done = [progress.trials_done for progress in seen]
    assert done == sorted(done)
    assert seen[-1].trials_done == seen[-1].trials_planned == 2 * 13 * 4
    assert seen[-1].seconds_left == 0
    assert all(progress.seconds_left is not None for progress in seen if progress.phase == "training")


def test_rows_of_progress_show_each_contenders_stage_failures_and_best_rate(folder):
    seen = []
    record = run(toy.spec("inside", "low"), folder, toy.executor(folder), seen.append)
    rows = {row.contender: row for row in seen[-1].rows}
    assert {name: row.stage for name, row in rows.items()} == {"inside": "done", "low": "done"}
    assert {row.stage for progress in seen for row in progress.rows} >= {"waiting", "refine", "extend", "done"}
    assert rows["inside"].done == rows["inside"].planned == 13 * 4
    mine = [row for row in record.results if row.contender == "inside"]
    assert rows["inside"].failed == sum(row.outcome is not Outcome.OK for row in mine) > 0
    at_best = [row.valid_metric for row in mine if row.rate == rows["inside"].best_rate]
    assert rows["inside"].best_valid == pytest.approx(sum(at_best) / 4)
    assert rows["low"].best_rate is None, "nothing of it was sound"


def test_a_shard_that_is_underway_counts_towards_the_time_left_but_not_as_trials_done(folder):
    class Reports(FunctionExecutor):
        half = False

        def poll(self, timeout):
            if not (self._queue and self._queue[0].kind == "train"):
                return super().poll(timeout)
            self.half = not self.half
            return [Event("progress", self._queue[0].id, done=0.5)] if self.half else super().poll(timeout)

    seen = []
    run(toy.spec("inside"), folder, Reports(lambda job: toy.work(job, folder)), seen.append)
    before, during, after = [progress for progress in seen if progress.phase == "training"][:3]
    assert [progress.rows[0].stage for progress in (before, during, after)] == ["waiting", "grid", "grid"]
    assert [progress.trials_done for progress in (before, during, after)] == [0, 0, 18]
    assert during.seconds_left != before.seconds_left


def test_changed_versions_are_reported_on_resume(folder):
    asked = toy.spec()
    run(asked.model_copy(update={"versions": asked.versions | {"torch": "1.0"}}), folder, toy.executor(folder))
    seen = []
    resume(folder, toy.executor(folder), seen.append)
    assert any("torch was 1.0, is 2" in str(progress.message) for progress in seen)


def test_every_replicate_can_pick_from_the_record(folder):
    record = study(folder, "inside")
    for seed in range(4):
        best = pick([row for row in record.results if row.seed == seed], higher_is_better=True)
        assert best is not None and best.test_metric is not None


# ---- what goes wrong -------------------------------------------------------------------------------------------------


def test_a_task_that_cannot_be_trained_is_an_error_and_leaves_no_folder(folder):
    with pytest.raises(BadTask, match="broken has no training examples"):
        study(folder, tasks=("toy", "broken"))
    assert not folder.exists()


def test_a_budget_that_is_too_small_leaves_no_folder(folder):
    with pytest.raises(BudgetTooSmall):
        study(folder, budget_seconds=1e-3)
    assert not folder.exists()


def test_a_budget_takes_what_it_must_and_says_so(folder, tmp_path):
    asked = toy.spec(protocol=StudyDesign(seeds=10))
    asked = asked.model_copy(update={"tasks": (asked.tasks[0].model_copy(update={"epochs": 2000.0}),)})
    free = forecast(asked, tmp_path, toy.executor(tmp_path))
    record = run(asked.model_copy(update={"budget_seconds": free.seconds / 2}), folder, toy.executor(folder))
    assert free.given_up == ()
    assert record.protocol == StudyDesign(seeds=10, rates=5, extra_rates=0)
    assert [str(sentence).split()[0] for sentence in record.given_up] == ["Refinement", "The"]
    assert record.trials_planned == len(record.results) == 2 * 5 * 10


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"contenders": ()}, "at least one contender"),
        ({"tasks": ()}, "at least one task"),
        ({"tasks": ("toy", "toy")}, "named twice"),
        ({"contenders": (toy.contender("inside"), toy.contender("inside"))}, "named twice"),
        ({"reference": "adam"}, "Unknown contender 'adam'"),
        ({"search": "random"}, "Unknown search 'random'"),
        ({"workers": 0}, "at least 1 worker"),
        ({"workers": 10**9}, "at most 4,096"),
        ({"protocol": StudyDesign(seeds=10**11)}, "at most 10,000"),
        ({"protocol": StudyDesign(first_seed=10**20)}, "numbers from 0 to"),
        ({"protocol": StudyDesign(rates=10**9)}, "at most 500"),
        ({"protocol": StudyDesign(extra_rates=10**9)}, "at most 500"),
        ({"protocol": StudyDesign(seeds=10_000, rates=500)}, "10,080,000 trials; at most 1,000,000"),
        ({"contenders": (toy.contender("inside", centre=0.0),)}, "above 0"),
        ({"contenders": (toy.contender("inside"), toy.contender("edge", rates=(0.1,)))}, "same number of trials"),
        ({"protocol": StudyDesign(seeds=0)}, "at least 1 seed"),
    ],
)
def test_a_spec_that_is_none_is_refused_in_a_sentence_and_leaves_no_folder(folder, changes, words):
    changes = {"reference": "inside", **changes}
    asked = toy.spec(**changes)
    with pytest.raises(UnknownName if "Unknown" in words else BadSetting, match=words):
        run(asked, folder, toy.executor(folder))
    assert not folder.exists()


def test_an_error_in_training_stops_the_study_and_keeps_what_is_done(folder):
    executor = toy.executor(folder)
    plain = executor._run_job
    count = iter(range(100))

    def fails_later(job):
        if job.kind == "train" and next(count) == 2:
            raise RuntimeError("shapes do not match")
        plain(job)

    executor._run_job = fails_later
    with pytest.raises(TrialFailed, match="RuntimeError: shapes do not match"):
        run(toy.spec(), folder, executor)
    assert len(curves(folder)) == 2
    assert resume(folder, toy.executor(folder)).finished


def test_a_folder_that_is_moved_under_a_study_stops_it_and_loses_nothing(folder, tmp_path):
    moved = tmp_path / "moved away"

    def work(job):
        if job.kind == "train" and len(curves(folder)) == 2:
            folder.rename(moved)
        toy.work(job, folder)

    with pytest.raises(StudyFolderError) as stopped:
        run(toy.spec(), folder, FunctionExecutor(work))
    assert str(stopped.value) == (
        f"{folder} was moved while the study was running, which has stopped. What is done is in {moved}. Go on with: "
        f"steepest resume '{moved}'"
    )
    assert len(curves(moved)) == 2
    whole = run(toy.spec(), tmp_path / "whole", toy.executor(tmp_path / "whole"))
    assert resume(moved, toy.executor(moved)).results == whole.results


def test_a_folder_that_is_deleted_under_a_study_stops_it(folder):
    def work(job):
        if job.kind == "time":
            shutil.rmtree(folder)
        toy.work(job, folder)

    with pytest.raises(StudyFolderError, match="was moved or deleted while the study was running"):
        run(toy.spec(), folder, FunctionExecutor(work))


def test_every_shard_is_sent_with_a_limit_on_the_silence_of_its_worker(folder):
    limits = {}

    class Sees(FunctionExecutor):
        def submit(self, job, patience=None, seconds=0.0):
            super().submit(job, patience)
            limits.setdefault(job.kind, set()).add(patience)

    run(toy.spec(), folder, Sees(lambda job: toy.work(job, folder)))
    assert limits == {"describe": {None}, "time": {None}, "train": {60.0}}


def test_trials_that_hang_again_and_again_are_kept_as_such(folder):
    class Hangs(FunctionExecutor):
        def poll(self, timeout):
            if self._queue[0].id.startswith("toy.inside.grid"):
                return [Event("hung", self._queue.popleft().id, message=verbatim("4 workers did nothing."))]
            return super().poll(timeout)

    record = run(toy.spec(), folder, Hangs(lambda job: toy.work(job, folder)))
    outcomes = {row.outcome for row in record.results if (row.contender, row.stage) == ("inside", "grid")}
    assert outcomes == {Outcome.TIMEOUT}


def test_trials_whose_workers_are_killed_again_and_again_are_kept_as_killed(folder):
    class Deadly(FunctionExecutor):
        def poll(self, timeout):
            if self._queue[0].id.startswith("toy.inside.grid"):
                return [Event("lost", self._queue.popleft().id, message=verbatim("4 workers ended (SIGKILL)."))]
            return super().poll(timeout)

    seen = []
    record = run(toy.spec(), folder, Deadly(lambda job: toy.work(job, folder)), seen.append)
    assert len(record.results) == record.trials_planned
    outcomes = {row.outcome for row in record.results if (row.contender, row.stage) == ("inside", "grid")}
    assert outcomes == {Outcome.KILLED}
    assert any("4 workers ended" in str(progress.message) for progress in seen)
    said = []
    assert resume(folder, toy.executor(folder), lambda progress: said.append(str(progress.message))).results == (
        record.results
    )
    assert "36 runs ran out of memory or were killed. Train them again: --retry-killed" in said


def test_trials_that_were_killed_are_trained_again_if_asked_and_nothing_is_left_of_them(folder, tmp_path):
    """The search of a contender that has lost its grid leads to other rates: those are forgotten."""

    class Deadly(FunctionExecutor):
        def poll(self, timeout):
            if self._queue[0].id.startswith("toy.inside.grid"):
                return [Event("lost", self._queue.popleft().id, message=verbatim("4 workers ended (SIGKILL)."))]
            return super().poll(timeout)

    class Stops(FunctionExecutor):
        def poll(self, timeout):
            if self._queue[0].id.startswith("toy.inside.refine"):
                raise KeyboardInterrupt
            return super().poll(timeout)

    killed = run(toy.spec(), folder, Deadly(lambda job: toy.work(job, folder)))
    whole = run(toy.spec(), tmp_path / "whole", toy.executor(tmp_path / "whole"))
    assert killed.results != whole.results
    said = []
    with pytest.raises(Interrupted):
        resume(
            folder, Stops(lambda job: toy.work(job, folder)), lambda p: said.append(str(p.message)), retry_killed=True
        )
    assert "Training again: 36 runs that ran out of memory or were killed." in said
    again = resume(folder, toy.executor(folder))
    assert again.finished
    assert again.results == whole.results
    assert resume(folder, toy.executor(folder), retry_killed=True).results == whole.results, "there is nothing to retry"


def test_a_forecast_trains_nothing(folder):
    done = []
    plan = forecast(toy.spec(), folder, toy.executor(folder, done))
    assert {job.kind for job in done} == {"describe", "time"}
    assert plan.trials == 2 * 13 * 4
    assert plan.seconds > 0


def test_resuming_a_folder_that_is_not_a_study_is_refused(folder):
    with pytest.raises(StudyFolderError, match="not a study folder"):
        resume(folder, toy.executor(folder))
