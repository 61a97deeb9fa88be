"""Rates that are stopped at rungs: who goes on is what the full grid's own curves say, whatever trains them."""

from dataclasses import replace

import numpy as np
import pytest
from engine.small import KINDS, digits, shard
from torch import nn

from steepest.engine import fleet, solo
from steepest.engine.fleet import Fleet
from steepest.records.outcomes import Outcome
from steepest.records.ranking import Score, rungs, survivors, trial_steps

RATES = (1e-4, 1e-3, 1e-2, 1e-1, 1e30, 1.0)
AT = (5, 10, 20, 30, 45)
RUNGS = ((5, 3), (20, 2))


def task():
    return digits(standardize=True, model=lambda: nn.Linear(64, 10))


def plan(rule="adam", **changes):
    whole = shard(rule, rates=RATES, seeds=(0, 1, 2), steps=45, batch_size=16, dtype="float64", evaluate_at=AT)
    return replace(whole, **{"rungs": RUNGS, **changes})


def replayed(asked, full):
    """The outcomes that the rule gives on the curves of all lanes, none of them stopped."""
    outcomes, steps = list(full.outcome), full.outcome_step.copy()
    for seed in {lane.seed for lane in asked.lanes}:
        going = [i for i, lane in enumerate(asked.lanes) if lane.seed == seed]
        for step, count in asked.rungs:
            e = AT.index(step)
            sound = [i for i in going if full.outcome[i] is Outcome.OK or full.outcome_step[i] > step]
            scores = {
                i: Score(asked.lanes[i].rate, seed, Outcome.OK, full.valid_metric[i, e], full.valid_loss[i, e])
                for i in sound
            }
            best = survivors(scores.values(), count, higher_is_better=True)
            going = [i for i in sound if scores[i] in best]
            for i in set(sound) - set(going):
                outcomes[i], steps[i] = Outcome.STOPPED, step
    return tuple(outcomes), steps


@pytest.mark.parametrize("rule", ["momentum", "prodigy"])
@pytest.mark.parametrize("width", [0, 6, 4], ids=["one fleet", "a fleet a seed", "a seed in two fleets"])
def test_a_race_is_the_full_grid_with_some_trials_cut_short(rule, width):
    asked = plan(rule, width=width)
    raced, full = fleet.train(task(), asked), fleet.train(task(), replace(asked, rungs=()))
    outcomes, steps = replayed(asked, full)
    assert raced.outcome == outcomes
    assert raced.outcome.count(Outcome.OK) == 6, "two of each seed"
    assert raced.outcome.count(Outcome.DIVERGED) == 3, "an absurd rate is no rival, and no stopped one either"
    np.testing.assert_array_equal(raced.outcome_step, steps)
    for name in ("train_loss", "valid_loss", "valid_metric"):
        mine, whole = getattr(raced, name), getattr(full, name)
        known = np.array(AT) <= steps[:, None]
        assert np.isnan(mine[~known]).all()
        np.testing.assert_allclose(mine[known], whole[known], rtol=1e-9, atol=1e-12)
    ok = np.array([outcome is Outcome.OK for outcome in outcomes])
    np.testing.assert_allclose(raced.test_metric[ok], full.test_metric[ok], rtol=1e-9)
    assert np.isnan(raced.test_metric[~ok]).all()


def test_a_race_of_trials_alone_is_that_of_a_fleet():
    alone, together = solo.train(task(), plan()), fleet.train(task(), plan())
    assert alone.outcome == together.outcome
    np.testing.assert_array_equal(alone.outcome_step, together.outcome_step)
    np.testing.assert_allclose(alone.valid_loss, together.valid_loss, rtol=1e-9)
    np.testing.assert_allclose(alone.test_loss, together.test_loss, rtol=1e-9)


def test_stopped_lanes_leave_the_fleet(monkeypatch):
    trained = []
    train = Fleet.train

    def counted(self, start, stop):
        trained.append(len(self.lanes) * (stop - start))
        return train(self, start, stop)

    monkeypatch.setattr(Fleet, "train", counted)
    asked = replace(plan(), lanes=tuple(lane for lane in plan().lanes if lane.rate < 1e3))
    fleet.train(task(), asked)
    assert sum(trained) == 3 * trial_steps(5, RUNGS, 45) == 3 * (5 * 5 + 3 * 15 + 2 * 25)


@pytest.mark.parametrize("kind", KINDS[:1], ids=lambda kind: kind.name)
def test_buffers_stay_with_their_lane(kind):
    asked = replace(plan(), lanes=tuple(lane for lane in plan().lanes if lane.rate < 1e3))
    raced, full = fleet.train(kind.task(), asked), fleet.train(kind.task(), replace(asked, rungs=()))
    ok = np.array([outcome is Outcome.OK for outcome in raced.outcome])
    assert ok.sum() == 6
    np.testing.assert_allclose(raced.test_loss[ok], full.test_loss[ok], rtol=1e-8)


def test_the_same_job_gives_the_same_bytes():
    one, other = fleet.train(task(), plan()), fleet.train(task(), plan())
    assert one.outcome == other.outcome
    np.testing.assert_array_equal(one.valid_loss, other.valid_loss)


def test_progress_counts_the_work_that_is_left_and_never_goes_back():
    heard = []
    fleet.train(task(), plan(width=4), progress=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(1.0)


def test_rungs_are_evaluations_and_leave_two_at_least():
    assert rungs((1, 50, 100, 200, 1000), lanes=9) == ((50, 3), (200, 2))
    assert rungs((1, 60, 100, 300, 1000), lanes=4) == ((60, 2),)
    assert rungs((1, 100, 1000), lanes=2) == ()
    assert rungs((1,), lanes=9) == (), "at the horizon there is nothing left to save"
    assert rungs((6, 9), lanes=9) == ((6, 2),), "two rungs at one evaluation are one"


@pytest.mark.compile
def test_a_compiled_fleet_stops_the_same_trials():
    asked = replace(plan(), lanes=plan().lanes[:6] + plan().lanes[12:])
    compiled = fleet.train(task(), replace(asked, compiled=("gradient", "update")))
    plain = fleet.train(task(), asked)
    assert compiled.outcome == plain.outcome
    np.testing.assert_array_equal(compiled.outcome_step, plain.outcome_step)
    np.testing.assert_allclose(compiled.valid_loss, plain.valid_loss, rtol=1e-9)
