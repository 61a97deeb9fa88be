"""The time left, by a clock that the test moves."""

from types import SimpleNamespace

import pytest

from steepest.study import progress
from steepest.study.progress import ProgressTracker


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "monotonic", clock)
    return clock


def contender_run(cost=100.0, planned=10):
    return SimpleNamespace(cost=cost, cost_done=0.0, planned=planned, results=[], row=lambda: None)


def tracked(run, seen, **settings):
    tracker = ProgressTracker(seen.append, 10)
    tracker.follow([run], 1, run.planned, **settings)
    return tracker


def test_the_time_left_falls_between_reports_but_not_below_half(clock):
    run, seen = contender_run(), []
    tracker = tracked(run, seen)
    assert tracker.seconds_left() == 100
    clock.now = 40.0  # the pace is half of the forecast's
    run.cost_done, run.results = 20.0, [None] * 2
    assert tracker.seconds_left() == 160
    clock.now = 70.0
    assert tracker.seconds_left() == 130
    clock.now = 400.0
    assert tracker.seconds_left() == 80
    run.results = [None] * 4
    tracker.underway("a shard", 20.0)  # a report: what was estimated is estimated again
    assert tracker.seconds_left() == pytest.approx(60 * 400 / 40)


def test_a_study_that_may_add_seeds_says_that_its_time_left_ends_at_a_look(clock):
    run, seen = contender_run(), []
    tracker = tracked(run, seen, until_look=True)
    tracker.tell("training")
    tracker.follow([run], 1, run.planned)
    tracker.tell("training")
    assert [each.until_look for each in seen] == [True, False]
