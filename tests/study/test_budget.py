"""What a study costs, what it can resolve, and which study fits into a given time."""

import math
from dataclasses import asdict, replace
from time import sleep

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from study import toy
from study.toy import FACTS, contender, spec

from steepest.errors import BudgetTooSmall
from steepest.records.files import write_json
from steepest.records.step_times import FleetTime, StepTime
from steepest.records.study_record import StudyDesign
from steepest.records.task_facts import TaskRef
from steepest.study.budget import plan_within, resolution, shard_seconds, smaller_designs, wall_seconds
from steepest.study.execution import ExecutionMode, step_milliseconds
from steepest.study.executors import FunctionExecutor
from steepest.study.planner import plan_run
from steepest.study.run import resume, run
from steepest.study.spec import TaskSpec

FLEET = (FleetTime(20, (), 3.0, 0.5),)


def times_of(asked, ms=1.0):
    return {
        (task.ref.name, c.name): StepTime(task.ref.name, c.name, ms, 4.0, FLEET)
        for task in asked.tasks
        for c in asked.contenders
    }


def plan(asked, spent=0.0, ms=1.0):
    facts = [replace(FACTS, name=task.ref.name) for task in asked.tasks]
    return plan_within(asked, facts, times_of(asked, ms), times_of(asked, ms), spent)


def test_refinement_is_given_up_first_then_rates_then_seeds_down_to_five():
    smaller = list(smaller_designs(spec(protocol=StudyDesign())))
    assert [(p.extra_rates, p.rates, p.seeds) for p, _ in smaller] == [
        (4, 9, 10), (0, 9, 10), (0, 7, 10), (0, 5, 10), (0, 5, 9), (0, 5, 8), (0, 5, 7), (0, 5, 6), (0, 5, 5),
    ]  # fmt: skip
    assert smaller[0][1] == ()
    assert len(smaller[-1][1]) == 3, "one sentence for each thing given up"


def test_rates_of_ones_own_are_not_given_up():
    own = spec(contenders=(contender("inside", rates=(0.1, 0.2)),))
    assert {(p.extra_rates, p.rates) for p, _ in smaller_designs(own)} == {(4, 9)}


def test_a_plan_keeps_its_budget_and_uses_it():
    free = plan(spec(protocol=StudyDesign()))
    assert free.given_up == ()
    tight = plan(spec(protocol=StudyDesign(), budget_seconds=free.seconds * 0.8))
    assert tight.seconds <= free.seconds * 0.8
    assert tight.protocol == StudyDesign(extra_rates=0)
    assert "Refinement" in str(tight.given_up[0])


def test_time_already_spent_counts():
    free = plan(spec(protocol=StudyDesign()))
    assert plan(spec(protocol=StudyDesign(), budget_seconds=free.seconds + 10), spent=10).given_up == ()
    assert plan(spec(protocol=StudyDesign(), budget_seconds=free.seconds + 10), spent=11).given_up


def test_a_budget_below_five_seeds_names_the_time_that_is_needed():
    least = plan(spec(protocol=StudyDesign(rates=5, extra_rates=0, seeds=5)))
    with pytest.raises(BudgetTooSmall, match=f"about {math.ceil(least.seconds)} s") as caught:
        plan(spec(protocol=StudyDesign(), budget_seconds=least.seconds * 0.9))
    assert "5 seeds of 5 rates" in str(caught.value)


def test_equal_seconds_are_planned_from_the_times_measured():
    ref = TaskRef("toy (equal seconds)", "catalogue", "toy")
    asked = spec(contenders=(contender("inside", name="inside@8", batch_size=8), contender("inside", name="inside@64")))
    asked = asked.model_copy(update={"tasks": (*asked.tasks, TaskSpec(ref=ref, equal="seconds"))})
    times, own = times_of(asked, ms=1.0), times_of(asked, ms=4.0)
    facts = [replace(FACTS, name=task.ref.name) for task in asked.tasks]
    steps = {(run.task, run.contender): run.steps for run in plan_within(asked, facts, times, own).runs}
    assert steps["toy", "inside@8"] == 800
    assert steps["toy", "inside@64"] == 100
    assert steps["toy (equal seconds)", "inside@8"] == 400, "100 steps of 4 ms are 400 of 1 ms"


def test_trials_are_counted_as_the_protocol_counts_them():
    assert plan(spec(protocol=StudyDesign())).trials == 2 * 13 * 10


def test_fleet_times_are_read_off_a_line_and_go_on_in_proportion():
    run = plan_run(spec(), StudyDesign(), contender("inside"), FACTS, 100, 64)
    time = StepTime("toy", "inside", 0.9, 4.0, FLEET)
    mode = ExecutionMode(run.engine)
    assert [step_milliseconds(mode, time, n) for n in (1, 20, 40)] == pytest.approx([0.9, 3.0, 6.0])
    assert 0.9 < step_milliseconds(mode, time, 10) < 3.0
    assert step_milliseconds(ExecutionMode("solo"), time, 10) == pytest.approx(9.0)


def test_compiled_fleets_are_forecast_by_their_own_times():
    time = StepTime("toy", "inside", 0.9, 4.0, (*FLEET, FleetTime(9, ("gradient",), 0.9, 0.1)))
    mode = ExecutionMode("fleet", 0, ("gradient",))
    assert [step_milliseconds(mode, time, n) for n in (3, 9, 36)] == pytest.approx([0.3, 0.9, 3.6])


def test_evaluations_are_part_of_the_forecast():
    run = plan_run(spec(), StudyDesign(), contender("inside"), FACTS, 100, 64)
    time = StepTime("toy", "inside", 0.9, 4.0, FLEET)
    assert 0.1 * 2 < shard_seconds(run, FACTS, time, 10) < 0.2 * 2


def test_a_forecast_plays_the_study_through():
    assert wall_seconds([[[3.0, 3.0], [2.0]]], workers=1) == 8.0
    assert wall_seconds([[[3.0, 3.0], [2.0]]], workers=2) == 5.0
    assert wall_seconds([[[3.0], [2.0]], [[1.0]]], workers=2) == 5.0
    assert wall_seconds([], workers=2) == 0.0


@given(
    st.lists(st.lists(st.lists(st.floats(0.01, 10), min_size=1, max_size=4), min_size=1, max_size=3), max_size=5),
    st.integers(1, 8),
)
def test_no_forecast_beats_the_work_or_the_longest_chain(runs, workers):
    wall = wall_seconds(runs, workers)
    work = sum(seconds for stages in runs for stage in stages for seconds in stage)
    chain = max((sum(max(stage) for stage in stages) for stages in runs), default=0.0)
    assert max(work / workers, chain) - 1e-9 <= wall <= work + 1e-9


def test_the_smallest_difference_is_half_of_welchs_interval():
    a = np.array([1.0, 2.0, 3.0, 4.0])
    test = stats.ttest_ind(a, a + 7, equal_var=False).confidence_interval(0.95)
    assert resolution(4, a.std(ddof=1)) == pytest.approx((test.high - test.low) / 2)
    assert resolution(10, 0.2) == pytest.approx(0.188, abs=5e-4)
    assert resolution(1) is None


def slower_than_forecast(folder, seconds):
    """The toy engine, whose steps seem to take next to nothing and whose every shard takes so long."""

    def do(job):
        if job.kind == "time":
            found = StepTime("", "", 0.001, 8.0, tuple(FleetTime(c.lanes, (), 0.001, 0.0) for c in job.candidates))
            write_json(folder / "facts" / f"{job.id}.json", asdict(found))
            return
        if job.kind == "train":
            sleep(seconds)
        toy.work(job, folder)

    return FunctionExecutor(do)


def test_what_takes_longer_than_forecast_gives_up_refinement_for_all_and_says_so(tmp_path):
    asked = spec("inside", "edge", protocol=StudyDesign(seeds=5), budget_seconds=2.0)
    record = run(asked, tmp_path, slower_than_forecast(tmp_path, 0.8))
    assert len(record.results) == 2 * 9 * 5
    assert {row.stage for row in record.results} == {"grid"}
    assert "given up on the way, as training took longer" in str(record.given_up[0])
    assert record.protocol.extra_rates == 0
    again = resume(tmp_path, slower_than_forecast(tmp_path, 0.0))
    assert again.results == record.results, "what was given up stays given up"


def test_what_keeps_its_forecast_gives_up_nothing(tmp_path):
    asked = spec("inside", "edge", protocol=StudyDesign(seeds=5), budget_seconds=60.0)
    record = run(asked, tmp_path, slower_than_forecast(tmp_path, 0.0))
    assert len(record.results) == 2 * 13 * 5
    assert record.given_up == ()
