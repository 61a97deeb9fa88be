"""A study that is extended is not wrong more often than one of a fixed size."""

import numpy as np
import pytest
from verdict.factory import study_of

from steepest.records.study_record import StudyDesign
from steepest.verdict.decide import decide

STUDIES = 300


def names_a_winner(values, seeds, grown=()):
    """Whether the verdict on the first seeds calls one of two equal optimizers behind, with any margin."""
    table = {name: {1e-2: [*map(float, found[:seeds])]} for name, found in zip("ab", values, strict=True)}
    record = study_of(table, protocol=StudyDesign(seeds=seeds, grown=grown))
    return "behind" in [item.status for item in decide(record, margin=0.0).tasks[0].standings]


@pytest.fixture(scope="module")
def looks():
    """Of 300 studies of an optimizer against itself: who names a winner after 5 seeds, and after 5 more."""
    draws = np.random.default_rng(0).normal(0.9, 0.01, (STUDIES, 2, 10))
    first = np.array([names_a_winner(each, 5) for each in draws])
    second = np.array([names_a_winner(each, 10, grown=(5,)) for each in draws])
    return first, second


def test_of_extended_studies_of_equal_optimizers_at_most_5_percent_name_a_winner(looks):
    _, second = looks
    assert second.sum() <= 24  # binomial: 5 % of 300 are 15, and more than 24 come up in 1 % of cases


def test_nor_do_more_where_only_open_studies_are_extended(looks):
    first, second = looks
    assert (second & ~first).sum() <= 24


def test_the_second_verdict_is_more_careful_than_the_only_one_would_be(looks):
    draws = np.random.default_rng(0).normal(0.9, 0.01, (STUDIES, 2, 10))
    assert sum(names_a_winner(each, 10) for each in draws) > looks[1].sum()
