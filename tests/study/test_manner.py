"""In what manner trials are trained follows from measured times."""

from dataclasses import replace

import pytest

from steepest.study.manner import (
    Manner,
    Work,
    gradient_to_compile,
    manner,
    step_milliseconds,
    widths,
    with_compiled,
    worth_compiling,
)
from steepest.types import FleetTime, StepTime

ALONE = StepTime("toy", "adam", 0.5, 8.0)
PLAIN = replace(ALONE, fleets=(FleetTime(45, (), 4.5, 0.9),))  # 0.1 ms a lane


def test_what_saves_less_than_it_costs_is_not_compiled():
    assert not worth_compiling("gradient", seconds=50, is_made=False)
    assert worth_compiling("gradient", seconds=70, is_made=False)
    assert worth_compiling("gradient", seconds=9, is_made=True)
    assert not worth_compiling("update", seconds=0.1, is_made=True)


def test_work_is_counted_in_core_seconds_of_its_parts():
    work = Work(100_000, PLAIN)
    assert work.core_seconds("update") == pytest.approx(2.0)
    assert work.core_seconds("gradient") == pytest.approx(8.0)
    assert Work(100_000, ALONE).core_seconds("gradient") == 0.0


@pytest.mark.parametrize(("milliseconds", "parts"), [(4.5, ("gradient",)), (18, ("gradient", "lane")), (45, ("lane",))])
def test_lane_by_lane_is_for_models_that_gain_nothing_from_company(milliseconds, parts):
    time = replace(ALONE, fleets=(FleetTime(45, (), milliseconds, 0.9),))
    assert gradient_to_compile(time) == parts


def test_a_plain_fleet_is_the_manner_of_all_that_is_not_compiled():
    assert manner("auto", PLAIN) == Manner("fleet", 0, ())


def test_a_trial_alone_must_be_clearly_faster_to_be_trained_alone():
    slow = replace(ALONE, fleets=(FleetTime(10, (), 5.5, 0.1),))
    assert manner("auto", slow).engine == "fleet"
    slower = replace(ALONE, fleets=(FleetTime(10, (), 7.5, 0.1),))
    assert manner("auto", slower).engine == "solo"
    assert manner("fleet", slower).engine == "fleet", "it was asked for"


def test_the_cheapest_width_is_taken_and_a_narrow_one_where_there_is_little_between_them():
    carrier = replace(
        PLAIN, fleets=(FleetTime(9, ("gradient",), 0.63, 0.18), FleetTime(18, ("gradient",), 0.90, 0.36),
                       FleetTime(36, ("gradient",), 1.78, 0.72)),
    )  # fmt: skip
    time = with_compiled(PLAIN, carrier, update=False)
    assert manner("auto", time) == Manner("fleet", 18, ("gradient",))


def test_another_contenders_gradient_is_joined_to_ones_own_update():
    costly = replace(ALONE, contender="soap", fleets=(FleetTime(45, (), 9.0, 5.4),))
    carrier = replace(PLAIN, fleets=(FleetTime(9, ("gradient",), 0.5, 0.2),))
    fleet = with_compiled(costly, carrier, update=False).fleets[-1]
    assert fleet.update_milliseconds == pytest.approx(5.4 * 9 / 45)
    assert fleet.milliseconds == pytest.approx(0.3 + 5.4 * 9 / 45)


def test_a_compiled_update_takes_a_part_of_its_time():
    time = with_compiled(PLAIN, None, update=True)
    assert [fleet.compiled for fleet in time.fleets] == [("update",)]
    assert time.fleets[0].milliseconds == pytest.approx(4.5 - 0.7 * 0.9)
    assert manner("auto", time) == Manner("fleet", 0, ("update",))


def test_widths_are_not_far_above_the_trials():
    assert widths(130) == [9, 18, 36, 72]
    assert widths(10) == [9, 18]
    assert widths(2) == [9]


def test_a_fleet_in_several_parts_costs_the_sum_of_them():
    time = replace(ALONE, fleets=(FleetTime(18, ("gradient",), 0.9, 0.1),))
    assert step_milliseconds(Manner("fleet", 18, ("gradient",)), time, 36) == pytest.approx(1.8)
    assert step_milliseconds(Manner("solo"), time, 36) == pytest.approx(18.0)
