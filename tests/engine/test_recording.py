"""When a trial counts as ended, and what is kept of it."""

import numpy as np
import pytest

from steepest.engine.recording import Curves, merged
from steepest.records.outcomes import Outcome

NAN = float("nan")


def test_a_loss_that_is_not_finite_or_blows_up_ends_a_trial_at_that_step():
    curves = Curves(4, evaluate_at=(2, 4))
    curves.trained(np.array([[2.0, 2.0, 0.1, 2.0], [2.0, 19_999.0, 9_999.0, 2.0]]))
    curves.evaluated(np.ones(4), np.ones(4))
    assert curves.alive.all()
    curves.trained(np.array([[1.0, 20_001.0, 10_001.0, np.inf], [1.0, 1.0, 1.0, 1.0]]))
    curves.evaluated(np.full(4, 3.0), np.full(4, 0.5))
    trace = curves.trace(np.full(4, 4.0), np.full(4, 0.6))
    assert trace.outcome == (Outcome.OK, Outcome.DIVERGED, Outcome.DIVERGED, Outcome.DIVERGED)
    assert trace.outcome_step.tolist() == [4, 3, 3, 3]
    np.testing.assert_array_equal(trace.valid_loss, [[1, 3], [1, NAN], [1, NAN], [1, NAN]])
    np.testing.assert_array_equal(trace.train_loss[:2], [[2, 1], [10_000.5, NAN]])
    np.testing.assert_array_equal(trace.test_loss, [4, NAN, NAN, NAN])


def test_a_first_loss_that_is_not_finite_has_its_own_outcome():
    curves = Curves(2, evaluate_at=(1, 2))
    curves.trained(np.array([[NAN, 1.0]]))
    curves.evaluated(np.ones(2), np.ones(2))
    curves.trained(np.array([[1.0, NAN]]))
    trace = curves.trace(np.ones(2), np.ones(2))
    assert trace.outcome == (Outcome.NONFINITE, Outcome.DIVERGED)
    assert trace.outcome_step.tolist() == [1, 2]
    assert np.isnan(trace.valid_metric[0]).all()


def test_an_evaluation_that_is_not_finite_ends_a_trial_too():
    curves = Curves(2, evaluate_at=(1,))
    curves.trained(np.ones((1, 2)))
    curves.evaluated(np.array([1.0, np.inf]), np.array([0.5, 0.5]))
    assert curves.trace(np.ones(2), np.ones(2)).outcome == (Outcome.OK, Outcome.DIVERGED)


def test_an_evaluation_before_the_first_step_has_no_training_loss():
    curves = Curves(1, evaluate_at=(0, 1))
    curves.evaluated(np.array([2.0]), np.array([0.1]))
    curves.trained(np.ones((1, 1)))
    curves.evaluated(np.array([1.0]), np.array([0.2]))
    np.testing.assert_array_equal(curves.trace(np.ones(1), np.ones(1)).train_loss, [[NAN, 1.0]])


@pytest.mark.parametrize("places", [[0, 1, 2], [2, 0, 1]])
def test_traces_are_joined_in_the_order_asked_for(places):
    parts = []
    for first, lanes in ((0, 2), (2, 1)):
        curves = Curves(lanes, evaluate_at=(1,))
        losses = np.arange(first, first + lanes, dtype=float)
        curves.trained(losses[None])
        curves.evaluated(losses, losses)
        parts.append(curves.trace(losses, losses))
    whole = merged(parts, places)
    assert [whole.test_loss[place] for place in places] == [0.0, 1.0, 2.0]
    assert whole.train_loss.shape == (3, 1)
