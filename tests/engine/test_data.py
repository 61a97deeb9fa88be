"""Every batch size sees the same examples in the same order, and lanes see what their seed sees."""

import numpy as np
import torch
from engine.small import digits

from steepest.engine import data
from steepest.engine.data import Feed, Order
from steepest.engine.layout import Layout
from steepest.records import rng

EXAMPLES = np.arange(100, 111)  # n = 11


def test_the_stream_is_a_permutation_for_each_epoch():
    stream = Order(3, EXAMPLES).batches(0, 33, size=1).reshape(-1)
    for epoch in range(3):
        part = stream[epoch * 11 : epoch * 11 + 11]
        assert (part == EXAMPLES[rng.generator(3, "order", epoch).permutation(11)]).all()
        assert sorted(part) == EXAMPLES.tolist()


def test_batches_of_every_size_are_cut_from_one_stream_over_the_ends_of_epochs():
    stream = Order(3, EXAMPLES).batches(0, 60, size=1).reshape(-1)
    for size in (1, 2, 4, 10):
        order = Order(3, EXAMPLES)
        steps = 60 // size
        assert (order.batches(0, steps, size).reshape(-1) == stream[: steps * size]).all()
        assert (order.batches(2, 5, size).reshape(-1) == stream[2 * size : 5 * size]).all()  # anywhere, in any order


def test_a_batch_of_everything_is_the_part_as_it_stands():
    assert (Order(3, EXAMPLES).batches(5, 7, size=11) == EXAMPLES).all()


def feed(batch_size: int, of_lane: list[int], seeds: list[int]) -> tuple[Feed, list[Order]]:
    task = digits(standardize=True)
    splits = [task.splits(seed) for seed in seeds]
    feed = Feed(task, splits, seeds, torch.tensor(of_lane), batch_size, torch.float64, torch.device("cpu"))
    return feed, [Order(seed, split.train) for seed, split in zip(seeds, splits, strict=True)]


def test_each_lane_has_the_batch_of_its_seed_in_that_seeds_scaling(monkeypatch):
    for ahead in (data.PREFETCHED_NUMBERS, 1):  # many steps fetched at a time, or each on its own
        monkeypatch.setattr(data, "PREFETCHED_NUMBERS", ahead)
        for batch_size in (5, 180):
            source, orders = feed(batch_size, of_lane=[0, 0, 1], seeds=[4, 9])
            for k, ((x,), y) in enumerate(source.batches(2, 5), start=2):
                assert x.shape == (3, batch_size, 64)
                for lane, seed in enumerate([0, 0, 1]):
                    (expected,), labels = source.task.batch(
                        source.splits[seed], orders[seed].batches(k, k + 1, batch_size)[0]
                    )
                    assert torch.equal(x[lane], expected.double())
                    assert torch.equal(y[lane], labels)


def test_lanes_of_one_seed_share_the_batch_itself():
    source, _ = feed(5, of_lane=[0, 0, 0], seeds=[4])
    (x,), y = next(source.batches(0, 1))
    assert source.is_shared
    assert x.shape == (5, 64)
    assert y.shape == (5,)
    assert Layout.of(digits().model()).parameters == 64 * 16 + 16 + 16 * 10 + 10
