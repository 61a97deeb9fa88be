"""In what manner trials are trained follows from measured times."""

from dataclasses import replace

import pytest

from steepest.records.step_times import FleetTime, StepTime
from steepest.study.execution import (
    ExecutionMode,
    Work,
    choose_mode,
    in_one_loop,
    step_milliseconds,
    timings_agree,
    with_compiled,
    worth_compiling,
)

ALONE = StepTime("toy", "adam", 0.5, 8.0)
PLAIN = replace(ALONE, fleets=(FleetTime(45, (), 4.5, 0.9),))  # 0.1 ms a lane


def test_what_saves_less_than_it_costs_is_not_compiled():
    assert not worth_compiling("gradient", seconds=13, is_made=False)
    assert worth_compiling("gradient", seconds=14, is_made=False)
    assert worth_compiling("gradient", seconds=4, is_made=True)
    assert not worth_compiling("update", seconds=0.1, is_made=True)


def test_work_is_counted_in_core_seconds_of_its_parts():
    work = Work(100_000, PLAIN)
    assert work.core_seconds("update") == pytest.approx(2.0)
    assert work.core_seconds("gradient") == pytest.approx(8.0)
    assert Work(100_000, ALONE).core_seconds("gradient") == 0.0


def test_work_is_what_it_takes_in_the_faster_way():
    slow = replace(ALONE, fleets=(FleetTime(10, (), 20.0, 1.0),))  # 2 ms a lane, where one alone takes 0.5
    assert Work(10_000, slow).core_seconds("gradient") == pytest.approx(4.0)


def test_a_plain_fleet_is_the_manner_of_all_that_is_not_compiled():
    assert choose_mode("auto", PLAIN) == ExecutionMode("fleet", 0, ())


def test_a_trial_alone_must_be_clearly_faster_to_be_trained_alone():
    slow = replace(ALONE, fleets=(FleetTime(10, (), 5.5, 0.1),))
    assert choose_mode("auto", slow).engine == "fleet"
    slower = replace(ALONE, fleets=(FleetTime(10, (), 7.5, 0.1),))
    assert choose_mode("auto", slower).engine == "solo"
    assert choose_mode("fleet", slower).engine == "fleet", "it was asked for"


def test_a_compiled_gradient_is_taken_where_it_is_clearly_cheaper():
    for milliseconds, parts in ((0.63, ("gradient",)), (0.88, ())):
        carrier = replace(PLAIN, fleets=(FleetTime(9, ("gradient",), milliseconds, 0.18),))
        assert choose_mode("auto", with_compiled(PLAIN, carrier, update=False)) == ExecutionMode("fleet", 0, parts)


def test_another_contenders_gradient_is_joined_to_ones_own_update():
    costly = replace(ALONE, contender="soap", fleets=(FleetTime(45, (), 9.0, 5.4),))
    carrier = replace(PLAIN, fleets=(FleetTime(9, ("gradient",), 0.5, 0.2),))
    fleet = with_compiled(costly, carrier, update=False).fleets[-1]
    assert fleet.update_milliseconds == pytest.approx(5.4 * 9 / 45)
    assert fleet.milliseconds == pytest.approx(0.3 + 5.4 * 9 / 45)


def test_an_update_within_the_gradient_s_loop_is_not_a_separate_call():
    parts = ("gradient", "update")
    carrier = replace(PLAIN, fleets=(FleetTime(9, parts, 0.5, 0.45),))  # nearly all of it, were it called by itself
    first = with_compiled(PLAIN, in_one_loop(carrier, PLAIN), update=True).fleets[-1]
    assert first.milliseconds == pytest.approx(0.5)
    costly = replace(PLAIN, contender="lamb", fleets=(FleetTime(45, (), 5.4, 1.8),))
    other = with_compiled(costly, in_one_loop(carrier, PLAIN), update=True).fleets[-1]
    assert other.milliseconds == pytest.approx(0.5 + 0.3 * (1.8 - 0.9) * 9 / 45)


def test_times_are_alike_if_no_part_has_changed_by_more_than_a_quiet_machine_would_explain():
    slower = replace(PLAIN, milliseconds=0.6)
    assert timings_agree(PLAIN, slower)
    assert not timings_agree(PLAIN, replace(slower, fleets=(FleetTime(45, (), 6.5, 0.9),)))
    assert not timings_agree(replace(PLAIN, milliseconds=0.3), PLAIN)


def test_a_compiled_update_takes_a_part_of_its_time():
    time = with_compiled(PLAIN, None, update=True)
    assert [fleet.compiled for fleet in time.fleets] == [(), ("update",)]
    assert time.fleets[1].milliseconds == pytest.approx(4.5 - 0.7 * 0.9)
    assert choose_mode("auto", time) == ExecutionMode("fleet", 0, ("update",))


def test_a_fleet_costs_in_proportion_to_its_lanes_where_they_go_one_after_the_other():
    time = replace(ALONE, fleets=(FleetTime(18, ("gradient",), 0.9, 0.1),))
    assert step_milliseconds(ExecutionMode("fleet", 0, ("gradient",)), time, 36) == pytest.approx(1.8)
    assert step_milliseconds(ExecutionMode("fleet", 0, ("gradient",)), time, 9) == pytest.approx(0.45)
    assert step_milliseconds(ExecutionMode("solo"), time, 36) == pytest.approx(18.0)
