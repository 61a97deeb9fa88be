"""What a study runs: batch sizes, horizons, evaluations, and how trials are cut into shards."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study.toy import FACTS, contender, spec

from steepest.errors import BadSetting, BadTask
from steepest.messages import term
from steepest.records.step_times import StepTime
from steepest.records.study_record import StudyDesign
from steepest.records.trials import Shard
from steepest.study.planner import (
    batch_size_of,
    cut,
    engine_of,
    evaluation_steps,
    facts_for,
    lanes_per_shard,
    parse_budget,
    plan_run,
    shards,
    steps_at_equal_samples,
    steps_at_equal_seconds,
)
from steepest.study.protocol import grid, on_every_seed


@given(st.integers(1, 200_000))
def test_evaluations_are_about_thirty_denser_early_and_end_at_the_horizon(steps):
    at = evaluation_steps(steps)
    assert at[-1] == steps
    assert list(at) == sorted(set(at))
    assert at[0] >= 1
    if steps >= 300:
        assert 26 <= len(at) <= 30
        assert sum(step <= steps / 10 for step in at) >= 7
    elif steps <= 30:
        assert len(at) == steps


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("5 min", 300), ("1h", 3600), ("1h30m", 5400), ("20", 20), ("0.5m", 30), (45, 45)],
)
def test_budgets_as_people_write_them(text, seconds):
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["0", "soon", "", "-5m", "0s", "nan", "inf", "1.2.3s", "5 parsecs", "1e99"])
def test_a_budget_that_is_none_is_refused(text):
    with pytest.raises(BadSetting, match="such as 90s"):
        parse_budget(text)


@pytest.mark.parametrize(("batch_size", "steps"), [(1, 6400), (64, 100), (640, 10), (10**6, 1)])
def test_equal_samples_are_equal_samples(batch_size, steps):
    assert steps_at_equal_samples(FACTS, batch_size) == steps


def test_equal_seconds_follow_the_measured_times():
    own, slow = StepTime("toy", "a", 2.0, 4.0), StepTime("toy", "a", 5.0, 4.0)
    assert steps_at_equal_seconds(FACTS, own, slow) == 40
    assert steps_at_equal_seconds(FACTS, own, own) == 100


def test_full_is_the_whole_training_part_and_more_than_that_is_refused():
    assert batch_size_of(contender("inside", batch_size="full"), FACTS) == 640
    assert batch_size_of(contender("inside"), FACTS) == 64
    with pytest.raises(BadSetting, match="641 is more than the 640"):
        batch_size_of(contender("inside", batch_size=641), FACTS)


def test_another_horizon_is_counted_in_passes_over_the_training_part():
    task = spec().tasks[0]
    assert facts_for(task, FACTS).steps == 100
    assert facts_for(task.model_copy(update={"epochs": 3.0}), FACTS).steps == 30


@given(st.lists(st.integers(), min_size=1, max_size=200), st.integers(1, 60))
def test_cutting_loses_nothing_keeps_the_order_and_is_even(lanes, most):
    parts = cut(lanes, most)
    assert [lane for part in parts for lane in part] == lanes
    sizes = [len(part) for part in parts]
    assert max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) == math.ceil(len(lanes) / most)


@given(st.integers(1, 200), st.integers(1, 30), st.integers(1, 64), st.integers(1, 10**6), st.floats(1e2, 1e10))
def test_a_shard_is_never_empty_and_never_larger_than_all_trials(trials, runs, workers, steps, work):
    assert 1 <= lanes_per_shard(trials, runs, workers, steps, work) <= trials


@pytest.mark.parametrize(("runs", "workers", "lanes"), [(1, 2, 45), (1, 3, 30), (7, 2, 45), (13, 2, 45)])
def test_runs_are_shared_out_evenly_over_the_cores(runs, workers, lanes):
    assert lanes_per_shard(90, runs, workers, steps=590, work=32 * 4810) == lanes


def test_shards_are_small_where_that_costs_nothing():
    """Large models make small shards, which lose less when they are killed; tiny ones, and short ones, do not."""
    assert lanes_per_shard(90, runs=7, workers=2, steps=1000, work=64 * 430_000) <= 2
    assert lanes_per_shard(90, runs=14, workers=2, steps=1000, work=64 * 50) == 90
    assert lanes_per_shard(90, runs=13, workers=2, steps=15, work=1258 * 4810) >= 30


def request(asked, rule=0):
    plan = plan_run(asked, asked.protocol, asked.contenders[rule], FACTS, 100, 64)
    lanes = on_every_seed("grid", grid(1e-3, asked.protocol), asked.protocol)
    return shards(asked, asked.tasks[0], asked.contenders[rule], plan, lanes)


def test_shards_hold_every_lane_once_and_are_the_same_whenever_they_are_planned():
    asked = spec(protocol=StudyDesign(seeds=10))
    first = request(asked)
    assert first == request(spec(protocol=StudyDesign(seeds=10)))
    lanes = [lane for shard in first for lane in shard.lanes]
    assert len(lanes) == len(set(lanes)) == 90
    assert all(Shard.from_json(shard.to_json()) == shard for shard in first)


def test_a_shards_id_is_safe_as_a_file_name_and_depends_on_its_content():
    ids = {shard.id for shard in request(spec()) + request(spec(), 1) + request(spec(dtype="float64"))}
    ids |= {shard.id for shard in request(spec(tasks=("../ö (equal seconds)",)))}
    assert len(ids) == 4 * len(request(spec()))
    assert all(name.isascii() and "/" not in name and " " not in name and not name.startswith(".") for name in ids)


def test_solo_shards_are_one_replicate_each():
    sizes = [len(shard.lanes) for shard in request(spec(engine="solo"))]
    assert sizes == [9] * 4


def test_a_task_that_cannot_be_a_fleet_is_trained_solo_or_refused():
    lstm = replace(FACTS, fleet_obstacle=term("an LSTM is slower in a fleet than alone"))
    asked = spec()
    assert plan_run(asked, asked.protocol, asked.contenders[0], lstm, 100, 64).engine == "solo"
    foreign = contender("torch:0")
    assert plan_run(asked, asked.protocol, foreign, FACTS, 100, 64).engine == "solo"
    with pytest.raises(BadTask, match="slower in a fleet than alone"):
        plan_run(spec(engine="fleet"), asked.protocol, asked.contenders[0], lstm, 100, 64)


def test_a_contender_that_trains_one_model_at_a_time_does_so_and_the_others_train_in_fleets():
    alone = replace(contender("sam"), fleet_obstacle="needs a second gradient")
    assert engine_of(spec("sam"), alone, FACTS) == "solo"
    assert engine_of(spec("sam"), contender("adam"), FACTS) == "fleet"
    with pytest.raises(BadTask, match="cannot be trained as a fleet: sam needs a second gradient"):
        engine_of(spec("sam", engine="fleet"), alone, FACTS)
