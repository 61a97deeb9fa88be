"""A study whose rates race: whole seeds in a job, the same law for every contender, and the saving told."""

import math
from dataclasses import replace

import numpy as np
import pytest
from study import toy

from steepest.records.files import write_trace
from steepest.records.outcomes import Outcome
from steepest.records.ranking import Score, pick, survivors
from steepest.records.step_times import FleetTime, StepTime
from steepest.records.study_record import StudyDesign
from steepest.records.trials import Shard
from steepest.study.budget import shard_seconds, stages
from steepest.study.execution import ExecutionMode
from steepest.study.executors import FunctionExecutor
from steepest.study.planner import plan_run, shards
from steepest.study.protocol import grid, on_every_seed
from steepest.study.run import resume, run

PROTOCOL = StudyDesign(seeds=4)


def racing_executor(folder):
    """The toy engine, with the trials stopped that are behind at a rung."""

    def work(job):
        toy.work(job, folder)
        if job.kind == "train":
            shard = job.shard
            write_trace(folder / "curves" / f"{shard.id}.npz", raced(shard, toy.trace(shard)))

    return FunctionExecutor(work)


def raced(shard, trace):
    outcomes, steps = list(trace.outcome), trace.outcome_step.copy()
    curves = {name: getattr(trace, name).copy() for name in ("train_loss", "valid_loss", "valid_metric")}
    tests = {name: getattr(trace, name).copy() for name in ("test_loss", "test_metric")}
    for step, count in shard.rungs:
        e = shard.evaluate_at.index(step)
        for seed in {lane.seed for lane in shard.lanes}:
            going = {
                i: Score(lane.rate, seed, Outcome.OK, trace.valid_metric[i, e], trace.valid_loss[i, e])
                for i, lane in enumerate(shard.lanes)
                if lane.seed == seed and outcomes[i] is Outcome.OK
            }
            best = survivors(going.values(), count, True)
            for i in (i for i, score in going.items() if score not in best):
                outcomes[i], steps[i] = Outcome.STOPPED, step
                for values in curves.values():
                    values[i, e + 1 :] = np.nan
                for values in tests.values():
                    values[i] = np.nan
    return replace(trace, outcome=tuple(outcomes), outcome_step=steps, **curves, **tests)


def test_a_shard_has_whole_seeds_and_says_when_they_are_compared():
    spec = toy.spec(protocol=PROTOCOL, race=True, workers=8)
    for engine in ("fleet", "solo"):
        contender = spec.contenders[0]
        run_plan = plan_run(spec, PROTOCOL, contender, toy.FACTS, 100, 64, ExecutionMode(engine))
        lanes = on_every_seed("grid", grid(1e-3, PROTOCOL), PROTOCOL)
        cut = shards(spec, spec.tasks[0], contender, run_plan, lanes)
        assert tuple(lane for shard in cut for lane in shard.lanes) == lanes
        assert len(cut) > 1
        for shard in cut:
            seeds = [lane.seed for lane in shard.lanes]
            assert all(seeds.count(seed) == 9 for seed in seeds)
            assert [count for _, count in shard.rungs] == [3, 2]
            assert {step for step, _ in shard.rungs} <= set(shard.evaluate_at)


def test_without_a_race_nothing_is_compared_and_no_id_changes():
    shard = toy.shard()
    assert "rungs" not in shard.to_json()
    assert Shard.from_json(replace(shard, rungs=((50, 1),)).to_json()).rungs == ((50, 1),)


def test_a_forecast_knows_of_the_race():
    time = StepTime("toy", "inside", 1.0, 4.0, (FleetTime(36, (), 36.0, 1.0),))
    contender = toy.contender("inside")
    planned = plan_run(toy.spec(), PROTOCOL, contender, toy.FACTS, 100, 64)
    full, race = (sum(map(sum, stages(planned, contender, PROTOCOL, toy.FACTS, time, race=r))) for r in (False, True))
    assert 2 < full / race < 4
    assert shard_seconds(planned, toy.FACTS, time, 36) > shard_seconds(planned, toy.FACTS, time, 36, ((10, 2),), 9)


def test_a_raced_study_reports_its_saving_counts_no_failure_and_picks_what_the_full_one_picks(tmp_path):
    spec = toy.spec("inside", protocol=PROTOCOL, race=True)
    record = run(spec, tmp_path / "race", racing_executor(tmp_path / "race"))
    full = run(spec.model_copy(update={"race": False}), tmp_path / "full", toy.executor(tmp_path / "full"))
    stopped = [row for row in record.results if row.outcome is Outcome.STOPPED]
    assert len(record.results) == len(full.results) == 13 * 4
    assert len(stopped) > 26
    assert all(row.valid_metric is None and row.test_metric is None and row.outcome_step < 100 for row in stopped)
    assert str(record.given_up[-1]).startswith(f"Racing stopped {len(stopped)} of 52 runs early")
    assert full.given_up == ()
    for seed in range(4):
        mine = [row for row in record.results if row.seed == seed]
        best = pick([row for row in mine if row.stage == "grid"], True)
        around = [abs(math.log10(row.rate / best.rate)) for row in mine if row.stage == "refine"]
        assert sorted(around) == pytest.approx([1 / 6, 1 / 6, 1 / 3, 1 / 3])
    again = resume(tmp_path / "race", racing_executor(tmp_path / "race"))
    assert again.results == record.results


def test_the_edge_rule_sees_past_stopped_rates(tmp_path):
    spec = toy.spec("low", protocol=PROTOCOL, race=True)
    record = run(spec, tmp_path / "race", racing_executor(tmp_path / "race"))
    full = run(spec.model_copy(update={"race": False}), tmp_path / "full", toy.executor(tmp_path / "full"))
    assert {row.rate for row in record.results} == {row.rate for row in full.results}
