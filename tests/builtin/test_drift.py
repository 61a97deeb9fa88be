"""Digits that drift: what a step trains on depends on the step, in both engines; recovery is counted from losses."""

import numpy as np
import torch

from steepest.builtin import task_table
from steepest.builtin.drift import RECOVERED_LOSS, SEGMENT_EXAMPLES, places, recovery
from steepest.engine import fleet, solo
from steepest.engine.data import Order
from steepest.optim.catalogue import contender
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane, Shard
from steepest.tasks.with_factors import with_factors

TASK = task_table.entry("drift-digits").build()
PLAIN = task_table.entry("digits").build()
EVERY = SEGMENT_EXAMPLES // TASK.batch_size


def shown(step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pixels and labels of step k = `step` as they drift, and as they are."""
    splits = TASK.splits(0)
    positions = Order(0, splits.train).batches(step, step + 1, TASK.batch_size)
    (x,), y = TASK.training_batch(splits, positions, 0, step)
    (plain,), label = PLAIN.batch(PLAIN.splits(0), positions[0])
    return x, y, plain, label


def test_pixels_and_labels_change_at_each_drift_and_not_between():
    for step, segment in ((0, 0), (EVERY - 1, 0), (EVERY, 1), (2 * EVERY - 1, 1), (3 * EVERY, 3), (9 * EVERY, 3)):
        x, y, plain, label = shown(step)
        assert torch.equal(x, plain[:, torch.from_numpy(places(segment))])
        assert torch.equal(y, (label + segment) % 10)
    assert sorted(places(2)) == list(range(64))
    assert not np.array_equal(places(1), places(2))


def test_what_is_judged_is_as_the_last_segment_is():
    splits = TASK.splits(3)
    (x,), y = TASK.batch(splits, splits.test)
    (plain,), label = PLAIN.batch(PLAIN.splits(3), splits.test)
    assert torch.equal(x, plain[:, torch.from_numpy(places(3))])
    assert torch.equal(y, (label + 3) % 10)


def test_steps_that_are_fetched_together_across_a_drift_are_those_fetched_one_by_one():
    splits = TASK.splits(0)
    positions = Order(0, splits.train).batches(EVERY - 2, EVERY + 2, TASK.batch_size)
    (x,), y = TASK.training_batch(splits, positions, 0, EVERY - 2)
    alone = [shown(step) for step in range(EVERY - 2, EVERY + 2)]
    assert torch.equal(x, torch.cat([each[0] for each in alone]))
    assert torch.equal(y, torch.cat([each[1] for each in alone]))


def test_an_axis_around_the_task_leaves_the_drift_in():
    noisy = with_factors(TASK, {"augment": "noise"})
    splits = noisy.splits(0)
    positions = Order(0, splits.train).batches(EVERY, EVERY + 1, TASK.batch_size)
    assert torch.equal(noisy.training_batch(splits, positions, 0, EVERY)[1], shown(EVERY)[1])
    smooth = with_factors(TASK, {"label-smoothing": 0.1})
    assert torch.equal(smooth.training_batch(splits, positions, 0, EVERY)[0][0], shown(EVERY)[0])


def test_a_fleet_drifts_as_a_trial_alone_and_the_loss_jumps():
    size = 400  # examples a step: a drift after 32 steps
    ref = TaskRef("d", "memory", "d")
    lanes = (Lane(3e-3, 0), Lane(1e-2, 0), Lane(1e-2, 1))
    shard = Shard("s", ref, contender("adam"), lanes, size, 40, evaluate_at=(8, 32, 40), dtype="float64")
    alone, together = solo.train(TASK, shard), fleet.train(TASK, shard)
    for curve in ("train_loss", "valid_loss", "test_metric"):
        assert np.abs(getattr(alone, curve) - getattr(together, curve)).max() < 1e-9
    first, before, after = alone.train_loss[1]
    assert after > max(first, 2 * before)  # it has to unlearn what it knew


def test_recovery_is_the_first_window_whose_loss_is_back():
    ends = np.arange(10, 121, 10)  # drifts after 40 and after 80 steps
    quick, never = [2, 1, RECOVERED_LOSS, 0.1], [2, 1, 1, 1]
    losses = np.array([[*quick, *quick, 9, *quick[1:]], [*quick, *never, *quick]])
    expected = np.array([[30, 30], [np.nan, 30]])
    np.testing.assert_array_equal(recovery(ends, losses, segment=40), expected)
