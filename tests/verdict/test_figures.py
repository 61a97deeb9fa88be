"""How numbers read in sentences."""

from dataclasses import replace

import pytest
from verdict.factory import DIGITS, HOUSING, LINE

from steepest.verdict.words import numbers


@pytest.mark.parametrize(
    ("value", "task", "text"),
    [(0.97425, DIGITS, "97.4 %"), (0.8123, HOUSING, "0.812"), (-1.5, HOUSING, "-1.500"), (0.03123, LINE, "0.0312")],
)
def test_a_quality_has_the_digits_of_its_metric(value, task, text):
    assert str(numbers.quality(value, task)) == text


@pytest.mark.parametrize(
    ("value", "task", "text"),
    [
        (0.0081, DIGITS, "0.8"),
        (-0.0081, DIGITS, "0.8"),
        (0.0004, DIGITS, "0.04"),
        (0.0, DIGITS, "0.0"),
        (0.0123, HOUSING, "0.012"),
        (0.00012, HOUSING, "0.000120"),
        (12.34, LINE, "12.3"),
    ],
)
def test_a_gap_is_never_rounded_to_nothing(value, task, text):
    assert str(numbers.gap(value, task)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.001 * 10**0.5, "0.0032"),
        (0.003, "0.003"),
        (0.1, "0.1"),
        (1.0, "1"),
        (10.0, "10"),
        (31.62, "32"),
        (0.00999, "0.01"),
        (1e-5, "0.00001"),
        (3.162e-7, "3.2e-7"),
        (1e-6, "1e-6"),
        (1e6, "1e6"),
    ],
)
def test_a_rate_reads_as_people_type_it(value, text):
    assert numbers.rate(value) == text
    assert float(text) == pytest.approx(value, rel=0.05)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0312345, "0.0312"), (123.4, "123"), (1234.5, "1,230"), (0.0, "0"), (9.999, "10.0"), (1e-9, "1.00e-09")],
)
def test_three_significant_digits(value, text):
    assert numbers.significant(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.004, "4.0 ms"), (0.216, "0.22 s"), (84.0, "84 s"), (600, "10 min"), (11_500, "3.2 h")]
)
def test_a_duration_comes_in_a_unit_of_its_size(seconds, text):
    assert str(numbers.duration(seconds)) == text


def test_names_are_listed_as_one_speaks():
    assert [str(numbers.names(x)) for x in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]


def test_a_users_metric_is_shown_with_significant_digits():
    assert str(numbers.quality(12.345, replace(LINE, metric="perplexity"))) == "12.3"
