"""Numbers as people read them, and text that stays text."""

import json
import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steepest.report.rounding import decimals_for, fixed, nice_ticks, one_line, p_value, significant


@pytest.mark.parametrize(
    ("value", "decimals", "sign", "text"),
    [
        (97.4321, 1, False, "97.4"),
        (-0.04, 1, True, "0.0"),
        (-0.06, 1, True, "−0.1"),
        (0.5, 1, True, "+0.5"),
        (None, 1, False, "–"),
        (math.inf, 1, False, "–"),
        (-3.2e30, 3, False, "−3.20e+30"),
    ],
)
def test_a_number_has_its_decimals_and_a_true_minus(value, decimals, sign, text):
    assert fixed(value, decimals, sign) == text


@pytest.mark.parametrize(("half", "decimals"), [(0.31, 1), (0.14, 2), (0.004, 3), (3.0, 0), (50.0, 0), (1e-12, 6)])
def test_the_uncertainty_decides_how_many_decimals_there_are(half, decimals):
    assert decimals_for([half]) == decimals


def test_an_unknown_uncertainty_gives_two_decimals():
    assert decimals_for([math.inf, math.nan, 0.0]) == 2


@pytest.mark.parametrize(
    ("p", "text"), [(0.0001, "< 0.001"), (0.0213, "0.021"), (0.2, "0.20"), (1.0, "1.00"), (None, "–")]
)
def test_a_p_value_is_never_zero(p, text):
    assert p_value(p) == text


@given(st.floats())
def test_what_is_not_a_finite_number_becomes_none(value):
    assert json.loads(json.dumps(significant(value), allow_nan=False)) == significant(value)
    assert (significant(value) is None) == (not math.isfinite(value))
    assert significant(value) in (None, pytest.approx(value, rel=1e-3))


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 10))
def test_ticks_are_round_few_and_inside(low, width, most):
    ticks = nice_ticks(low, low + width, most)
    assert len(ticks) <= most + 1
    assert all(low - 1e-6 * width <= tick <= low + width * (1 + 1e-6) for tick in ticks)


@given(st.text())
def test_one_line_is_one_line_that_can_be_written(text):
    line = one_line(text)
    line.encode()
    assert len(line.splitlines()) <= 1
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in line)


def test_emoji_families_and_right_to_left_letters_stay_whole():
    assert one_line("👩‍🔬 مرحبا") == "👩‍🔬 مرحبا"


def test_long_names_are_cut_with_an_ellipsis():
    assert one_line("a" * 100, 10) == "aaaaaaaaa…"
    assert one_line("a" * 10, 10) == "a" * 10
